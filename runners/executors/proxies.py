"""Proxies of the environment: Ray's own processes start without them, and the person's code in a worker has them."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from runners.processes.variables import variables_set

PROXIES = ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY")
UNREACHABLE_PROXY = "http://127.0.0.1:9"
"""The discard port of this machine, where nothing listens."""


@contextmanager
def without_proxies() -> Iterator[None]:
    """Context for starting Ray's processes so that they reach no machine but this one.

    Its dashboard process runs even without a dashboard, and looks for the metadata of a cloud whatever the usage
    statistics are set to; a proxy that is not there makes that fail at once.
    """
    with variables_set(dict.fromkeys(PROXIES, UNREACHABLE_PROXY)):
        yield


def restore_proxies(proxies: dict[str, str]) -> None:
    """Give the workload's code in a worker the driver's ``proxies``, in place of what `without_proxies` left there."""
    for name in PROXIES:
        if os.environ.get(name) == UNREACHABLE_PROXY:
            os.environ.pop(name)
            os.environ.update({name: proxies[name]} if name in proxies else {})


def proxies_here() -> dict[str, str]:
    """Those of this process, by name."""
    return {name: os.environ[name] for name in PROXIES if name in os.environ}
