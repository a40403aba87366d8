"""What a library raises while it makes a network, as one sentence."""

from collections.abc import Iterator
from contextlib import contextmanager

from spaces.errors import RequestError, in_one_line


@contextmanager
def request_error(problem: str) -> Iterator[None]:
    """Turns whatever a library raises into a `RequestError` that begins with ``problem``."""
    try:
        yield
    except Exception as error:
        raise RequestError(f"{problem} ({in_one_line(error)})") from error
