"""The libraries that a workload's code imports and that take long to import, found without running the code."""

from contextlib import suppress

from runners.workload_loading.reference import Reference
from runners.workload_loading.source_files import imported_names, sources_of
from spaces.errors import RequestError

SLOW = ("torchvision", "sklearn", "pandas", "timm")
"""Libraries that take about a second or more to import, and ask for no accelerator while they do."""


def slow_libraries(reference: Reference) -> tuple[str, ...]:
    """Those of `SLOW` that the workload's own files import; none where the files cannot be found or read.

    Args:
        reference: The workload, as `runners.workload_loading.reference.absolute_reference` gives it.
    """
    if not isinstance(reference, str):
        return ("torchvision",)
    with suppress(RequestError, OSError, SyntaxError, ValueError):
        files = sources_of(reference)
        imported = {name[0] for file in files for _, name in imported_names(file, file.parent)}
        return tuple(library for library in SLOW if library in imported)
    return ()
