"""Whether the nodes of a cluster have the software with which a search was started."""

import platform
from collections.abc import Mapping

from runners.machine.versions import library_versions
from runners.workload_loading.code_digest import code_digest
from spaces.errors import RequestError

CODE = "the code of Frontrunner"
STAGES = ("teacher", "transforming", "training", "quantising", "lowering", "measuring")


def installed() -> dict[str, str]:
    """The versions of Python and of the libraries on which results depend, and a digest of our own code."""
    code = code_digest(tuple(f"runners.stages.{stage}" for stage in STAGES))
    return {"Python": platform.python_version(), CODE: code[:8], **library_versions()}


def require_same(own: Mapping[str, str], nodes: Mapping[str, Mapping[str, str] | str]) -> None:
    """Raise `RequestError` where a node has other software: its results would be stored as those of ours.

    Args:
        own: What `installed` gives where the search runs.
        nodes: The same of each node, by its address; or why it cannot be told, where our packages are not there.
    """
    for name, found in nodes.items():
        if isinstance(found, str):
            raise RequestError(
                f"--address: Frontrunner does not run on node {name} ({found}); install the version of the search, "
                f"for Python {own['Python']}, on every node"
            )
        other = [part for part in {**own, **found} if own.get(part) != found.get(part)]
        if other:
            there, here = (
                ", ".join(f"{part} {has[part]}" if part in has else f"no {part}" for part in other)
                for has in (found, own)
            )
            raise RequestError(
                f"--address: node {name} has {there}, and the search was started with {here}; install the same on "
                "every node"
            )
