"""The options of ``frontrunner doctor``; like `search.cli` it imports nothing heavy."""

from typing import Annotated

from typer import Option

from search.commands.cli.search_options import MeasureOn, TrainWith
from search.commands.options import AddressOption, JsonOption


def doctor(
    workload: Annotated[
        str | None, Option(metavar="WORKLOAD", help="Also try each technique on the network of this workload.")
    ] = None,
    address: AddressOption = None,
    measure_on: MeasureOn = None,
    train_with: TrainWith = None,
    stage_store: Annotated[
        str | None, Option(metavar="DIR_OR_URL", help="Also look whether each node of the cluster reaches this store.")
    ] = None,
    json: JsonOption = False,
) -> None:
    """Show this machine or a cluster: what is unavailable, and why."""
    from search.commands.doctor import examine

    examine(workload, address, measure_on, train_with, stage_store, as_json=json)
