"""The options of ``frontrunner explain``; like `search.cli` it imports nothing heavy."""

from pathlib import Path
from typing import Annotated

from typer import Argument, Option

from search.commands.options import AddressOption, HomeOption, JsonOption, StorageOption, StoreOption


def explain_study(
    name: Annotated[str, Argument(metavar="STUDY", help="Name of the study.")],
    trial: Annotated[
        int | None, Argument(metavar="[TRIAL]", min=0, help="Number of the trial. [default: that which export picks]")
    ] = None,
    cached_only: Annotated[
        bool, Option("--cached-only", help="Train nothing: what was not trained before has no accuracy.")
    ] = False,
    time_budget: Annotated[
        str, Option(metavar="TIME", help="How long it may take, such as 2m; what does not fit is left out.")
    ] = "5m",
    figure: Annotated[
        Path | None, Option(metavar="FILE", help="Also draw it, into a file that ends in .html, .png, .svg or .pdf.")
    ] = None,
    home: HomeOption = None,
    storage: StorageOption = None,
    stage_store: StoreOption = None,
    address: AddressOption = None,
    json: JsonOption = False,
) -> None:
    """Show what each choice of a trial gives and costs.

    Each choice is taken back alone, and each two together: what results is timed beside the trial in one run, and
    trained to know its accuracy. Results of the study are used again where it has them.
    It also shows which choices mattered in the whole study.
    """
    from search.commands.explain import ExplainOptions, explain_trial
    from search.request.locations import Locations

    options = ExplainOptions(name, trial, cached_only, time_budget, figure)
    locations = Locations(home, storage, stage_store=stage_store, address=address)
    explain_trial(options, locations, as_json=json)
