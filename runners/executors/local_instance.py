"""A Ray instance of this search alone: on loopback, behind a token, in a private folder, and gone with the search."""

import logging
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

from runners.executors.connection_checks import no_cluster_at, require_listener
from runners.executors.proxies import without_proxies
from runners.machine.device import usable_cores
from runners.processes.process_cleanup import ProcessCleanup
from runners.processes.temporary_folder import folder_for_sockets
from spaces.errors import RequestError, in_one_line

OBJECT_STORE_BYTES = 128 * 2**20
"""Only tasks and figures travel through Ray; weights and artifacts go through the stage store."""

PREFIX = "fr-ray-"
"""How the name of the folder begins in which an instance keeps its logs and sockets."""
SOCKET = f"{PREFIX}12345678/r/session_2000-01-01_00-00-00_123456_1234567/sockets/plasma_store"
"""What Ray calls the longest of its sockets, relative to the folder of temporary files."""


def make_cleanup() -> ProcessCleanup:
    """The folder of an instance; its processes, some of which would outlive this one, end with this one.

    Raises:
        RequestError: There is no folder of temporary files that can be written and whose path is short enough, or the
            environment has Ray ask for no token.
    """
    mode = os.environ.get("RAY_AUTH_MODE", "token")
    if mode.lower() != "token":
        raise RequestError(
            f"RAY_AUTH_MODE={mode}: every account of this machine could run code as you through this search's Ray "
            "instance; unset it, or give --address HOST:PORT of a cluster of your own"
        )
    parent = folder_for_sockets(SOCKET, "RAY_TMPDIR")
    try:
        return ProcessCleanup(parent, PREFIX)
    except OSError as error:
        raise RequestError(
            f"{parent}: no folder for Ray can be made there ({error.strerror}); make room, or name another with TMPDIR"
        ) from error


@contextmanager
def starting_here(cleanup: ProcessCleanup) -> Iterator[dict[str, Any]]:
    """A context for ``ray.init``; what it is given. Ray asks for a token then, unless the environment forbids it."""
    os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(16))  # else Ray writes one into the person's home
    with without_proxies(), cleanup.marked():
        yield {
            "address": "local",
            "num_cpus": usable_cores(),
            "include_dashboard": False,
            "object_store_memory": OBJECT_STORE_BYTES,
            "_node_ip_address": "127.0.0.1",
            "_temp_dir": str(cleanup.folder / "r"),  # whose permissions Ray opens to all
        }


@contextmanager
def connecting(address: str | None, cleanup: ProcessCleanup | None) -> Iterator[dict[str, Any]]:
    """A context for ``ray.init``; what it is given.

    Args:
        address: Of a running cluster, or None.
        cleanup: Of the instance that starts here where there is no address.

    Raises:
        RequestError: Nothing listens there, or ``ray.init`` raised.
    """
    set_defaults()
    if address is not None:
        require_listener(address)
    try:
        with nullcontext({"address": address}) if cleanup is None else starting_here(cleanup) as where:
            yield {"log_to_driver": False, "logging_level": logging.ERROR, "configure_logging": True, **where}
    except Exception as error:  # Ray raises errors of many classes, also bare ones
        if address is not None:
            raise no_cluster_at(address, error) from error
        raise RequestError(
            f"Ray cannot be started on this machine ({in_one_line(error)}); give --address HOST:PORT of a running "
            "cluster"
        ) from error


def set_defaults() -> None:
    """Set what Ray reads from the environment when it starts or connects, where the person has not."""
    # Ray's own advice on accelerators is for clusters; on a machine without one it only puzzles.
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    # By default Ray's workers step back for every other process, and so would the measurements in them.
    os.environ.setdefault("RAY_worker_niceness", "0")
    # By default Ray ends workers that idle for a second while another one measures, and their imports are lost.
    os.environ.setdefault("RAY_idle_worker_killing_time_threshold_ms", "600000")
