"""What a worker imports before its first stage, so that the stage does not wait for it: no code of the person's own."""

from importlib import import_module
from typing import Any

from runners.processes.fork_server import start_server
from runners.processes.fresh_process import call_fresh
from runners.workload_loading.imported_libraries import slow_libraries

STAGES = ("runners.stages.quantising", "runners.stages.lowering")
"""They import what the stages need that run in the worker itself."""


def start_server_for(workload: Any) -> None:
    """Let this worker's server of fresh processes import in the background what those of ``workload`` need."""
    start_server(slow_libraries(workload))


def import_for_stages(workload: Any) -> None:
    """Import what any stage of ``workload`` needs, here and in the server of fresh processes; both are done after it.

    Nothing is imported any more then beside what is measured next.
    """
    start_server_for(workload)
    for name in (*slow_libraries(workload), *STAGES):
        import_module(name)
    call_fresh(int, what="the server of fresh processes")
