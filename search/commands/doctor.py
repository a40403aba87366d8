"""``frontrunner doctor``: what this machine has, which choices are unavailable on it, and why."""

import io
import json
from contextlib import closing, redirect_stdout
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Column, Table

from runners.machine.telemetry import disable_telemetry
from search.commands.terminal import plain_table
from search.request.locations import Home
from search.request.read_request import merge
from search.request.space_file import space_document
from search.stop_signals import stop_signals
from spaces.environment import Environment
from spaces.errors import RequestError
from spaces.number_formats import NUMBER_FORMATS
from spaces.space_document import all_techniques, make_space


def examine(
    workload: str | None,
    address: str | None = None,
    measure_on: str | None = None,
    train_with: str | None = None,
    stage_store: str | None = None,
    *,
    as_json: bool,
) -> None:
    """Print devices, backends and techniques, each with what is unavailable and the reason.

    Args:
        workload: Also try each technique that changes a network on the network of this workload; None tries none.
        address: Look at a node of this cluster of Ray in place of this machine, and list all of them.
        measure_on: Look at a node on which is measured.
        train_with: What each worker that trains asks of a node of that cluster.
        stage_store: Also look whether each node of that cluster reaches this stage store.
        as_json: Print one JSON document instead of tables.

    Raises:
        RequestError: The workload cannot be found or breaks its contract, or the cluster has no such nodes.
    """
    disable_telemetry()
    for option, given in (("--train-with", train_with), ("--stage-store", stage_store)):
        if given is not None and address is None:
            raise RequestError(f"{option}: doctor looks at it on the nodes of a cluster; give --address HOST:PORT too")
    with stop_signals.cleaning_up():
        home = {"home": str(Home.find(None).path)}
        if address is None:
            document = {**home, **diagnosis(_environment(workload))}
        else:
            document = {**home, **_of_cluster(workload, address, measure_on, train_with, stage_store)}
    if as_json:
        print(json.dumps(document))
    else:
        _print(document)


def diagnosis(environment: Environment) -> dict[str, Any]:
    """Device, backends and techniques as plain JSON; ``off`` is the reason why something is unavailable, or None.

    ``optional`` is what may be installed besides, here or not. Of a technique there are all ``values`` that it offers
    here, and those that are ``searched`` by default.
    """
    from runners.backends import all_backends
    from runners.machine.optional_software import optional_software

    everything: dict[str, object] = {p.name: "all" for technique in all_techniques() for p in technique.parameters}
    everything["numeric_precision"] = "every"
    space = make_space(everything, environment)
    searched = {axis.name: axis.values for axis in make_space(space_document(merge({}, {}).space), environment).axes}
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
            axis.name: {
                "technique": axis.technique.name,
                "values": list(axis.values),
                "searched": list(searched.get(axis.name, (axis.neutral(environment),))),
            }
            for axis in space.axes
        },
        "off": off + _unsupported_precisions(environment),
        "optional": [asdict(software) for software in optional_software(all_backends())],
    }


def _unsupported_precisions(environment: Environment) -> list[dict[str, Any]]:
    """The pairs of a usable runtime and a usual precision that it does not support; a search never proposes them."""
    return [
        {"choice": "runtime", "value": name, "reason": number_format.unsupported_in(name, environment)}
        for name, facts in environment.backends.items()
        if facts.unsupported is None
        for precision, number_format in NUMBER_FORMATS.items()
        if number_format.by_default and precision not in facts.precisions
    ]


def _environment(workload: str | None) -> Environment:
    if workload is None:
        from runners.backends import all_backends
        from runners.machine.device import describe

        return describe(all_backends())
    from runners.executors.inspection import inspect_on_this_machine
    from runners.workload_loading.reference import check_workload_reference
    from runners.workload_loading.user_module import quiet

    check_workload_reference(workload)
    with quiet():
        return inspect_on_this_machine(workload)[0]


def _of_cluster(
    workload: str | None, address: str, measure_on: str | None, train_with: str | None, stage_store: str | None
) -> dict[str, Any]:
    """The diagnosis of a node that measures, the ``nodes`` of the cluster, and ``notes`` on them."""
    from runners.executors.ray import RayRunner
    from runners.store.remote_files import is_url
    from runners.workload_loading.reference import check_workload_reference

    if workload is not None:
        check_workload_reference(workload)
    if stage_store is not None and not is_url(stage_store):
        stage_store = str(Path(stage_store).expanduser().absolute())
    started = RayRunner(stage_store, address, measure_on, train_with)
    with redirect_stdout(io.StringIO()), closing(started) as runner:
        environment = runner.describe() if workload is None else runner.inspect(workload)[0]
        nodes = [{**asdict(node), "measures": measures} for node, measures in runner.nodes()]
    return {**diagnosis(environment), "nodes": nodes, "notes": list(runner.notes)}


def _nodes_table(nodes: list[dict[str, Any]]) -> Table:
    table = plain_table("node", "CPUs for Ray", "GPUs", "type", "memory, GiB", "labels", "measures")
    for node in nodes:
        labels = ", ".join(f"{key}={value}" for key, value in node["labels"].items() if "ray.io" not in key)
        sizes = (str(node["cpus"]), str(node["gpus"]), node["accelerator_type"], f"{node['memory_gib']:.1f}")
        table.add_row(node["name"], *sizes, escape(labels), "yes" if node["measures"] else "no")
    return table


def _print(document: dict[str, Any]) -> None:
    flags = ", ".join(document["cpu_flags"]) or "no flags known"
    found = f"{document['accelerators']} x {document['accelerator']}" if document["accelerators"] else "none found"
    where = document["accelerator"] or "the CPU"
    console = Console()
    console.print(f"[bold]device[/bold]  {document['device']}  ({flags})")
    console.print(f"[bold]accelerators[/bold]  {found}; training, eager and torchscript run on {where}")
    console.print(f"[bold]home[/bold]  {document['home']}  (FRONTRUNNER_HOME or --home names another)")
    backends = plain_table("backend", "precisions", "unavailable because")
    for name, facts in document["backends"].items():
        backends.add_row(name, ", ".join(facts["precisions"]), escape(facts["off"] or ""))
    choices = plain_table("choice", "all values here", "searched by default")
    for name, about in document["techniques"].items():
        choices.add_row(name, *(", ".join(map(str, about[key])) for key in ("values", "searched")))
    unavailable = plain_table(*(Column(title, overflow="fold") for title in ("unavailable", "value", "because")))
    for entry in document["off"]:
        unavailable.add_row(entry["choice"], str(entry["value"]), escape(entry["reason"]))
    optional = plain_table(
        Column("package", overflow="fold"),
        "version",
        Column("install it with", no_wrap=True),
        Column("for", overflow="fold"),
    )
    for entry in document["optional"]:
        optional.add_row(entry["package"], entry["installed"] or "-", escape(entry["install"]), entry["purpose"])
    if "nodes" in document:
        console.print()
        console.print(_nodes_table(document["nodes"]))
        for note in document["notes"]:
            console.print(escape(note))
    for table in (backends, choices, unavailable, optional):
        console.print()
        console.print(table)
    if not document["off"]:
        console.print("everything is available")
