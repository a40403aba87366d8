"""What this machine has, which choices are off here, and why."""

import json
from typing import Any

from rich.console import Console
from rich.table import Table

from runners.machine.telemetry import silence
from spaces.environment import Environment
from spaces.space_document import all_techniques, make_space


def examine(workload: str | None, *, as_json: bool) -> None:
    """Print devices, backends and techniques, each with what is off and the reason.

    Args:
        workload: Also try each technique that changes a network on this workload's own, or None.
        as_json: One JSON document instead of tables.

    Raises:
        RequestError: The workload cannot be found or breaks its contract.
    """
    silence()
    document = diagnosis(_environment(workload))
    if as_json:
        print(json.dumps(document))
    else:
        _print(document)


def diagnosis(environment: Environment) -> dict[str, Any]:
    """Device, backends and techniques as plain JSON; what is off has a reason, what works has None."""
    everything: dict[str, object] = {p.name: "all" for technique in all_techniques() for p in technique.parameters}
    space = make_space(everything, environment)
    off = [{"choice": name, "value": value, "reason": reason} for name, value, reason in space.reasons()]
    return {
        "device": environment.device,
        "cpu_cores": environment.cpu_cores,
        "cpu_flags": list(environment.cpu_flags),
        "accelerator": environment.accelerator or None,
        "accelerators": environment.accelerators,
        "backends": {
            name: {"precisions": list(facts.precisions), "off": facts.unsupported}
            for name, facts in environment.backends.items()
        },
        "techniques": {
            axis.parameter.name: {"technique": axis.technique.name, "values": list(axis.values)} for axis in space.axes
        },
        "off": off + _off_together(environment),
    }


def _off_together(environment: Environment) -> list[dict[str, Any]]:
    """Precisions that a runtime does not run: such pairs are not drawn."""
    return [
        {
            "choice": "runtime",
            "value": name,
            "reason": f"{name} does not run {precision} here, so the two are not paired",
        }
        for name, facts in environment.backends.items()
        if facts.unsupported is None
        for precision in ("fp32", "bf16", "int8")
        if precision not in facts.precisions
    ]


def _environment(workload: str | None) -> Environment:
    if workload is None:
        from runners.backends import all_backends
        from runners.machine.device import describe

        return describe(all_backends())
    from runners.executors.inspection import inspect_here
    from runners.workload_loading.reference import check_workload_reference

    check_workload_reference(workload)
    return inspect_here(workload)[0]


def _print(document: dict[str, Any]) -> None:
    console = Console()
    console.print(
        f"[bold]device[/bold]  {document['device']}  ({', '.join(document['cpu_flags']) or 'no flags known'})"
    )
    found = f"{document['accelerators']} x {document['accelerator']}" if document["accelerators"] else "none found"
    where = document["accelerator"] or "the processor"
    console.print(f"[bold]accelerators[/bold]  {found}; training, eager and torchscript run on {where}")
    backends = Table(box=None, header_style="bold")
    for column in ("backend", "precisions", "off because"):
        backends.add_column(column)
    for name, facts in document["backends"].items():
        backends.add_row(name, ", ".join(facts["precisions"]), facts["off"] or "")
    choices = Table(box=None, header_style="bold")
    for column in ("choice", "technique", "all values here"):
        choices.add_column(column)
    for name, about in document["techniques"].items():
        choices.add_row(name, about["technique"], ", ".join(map(str, about["values"])))
    off = Table(box=None, header_style="bold")
    for column in ("not offered", "value", "because"):
        off.add_column(column, overflow="fold")
    for entry in document["off"]:
        off.add_row(entry["choice"], str(entry["value"]), entry["reason"])
    for table in (backends, choices, off):
        console.print()
        console.print(table)
    if not document["off"]:
        console.print("nothing is off")
