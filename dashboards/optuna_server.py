"""optuna-dashboard for one database, whose URL no list of processes shows: it can hold a password.

Run as ``python optuna_server.py HOST PORT``, with the URL in the environment variable ``OPTUNA_STORAGE``.
"""

import os
import sys
from socketserver import ThreadingMixIn
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

STORAGE = "OPTUNA_STORAGE"


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class _Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """Requests are not written down."""


def main(host: str, port: int) -> None:
    """Serve until the process is ended; what goes wrong is one line, without the URL."""
    url = os.environ[STORAGE]
    try:
        from optuna_dashboard import wsgi

        pages = wsgi(url)
    except Exception as error:
        lines = str(error).replace(url, "the database").strip().splitlines()
        sys.exit(f"the database cannot be opened ({type(error).__name__}{': ' + lines[0] if lines else ''})")
    make_server(host, port, pages, _Server, _Quiet).serve_forever()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
