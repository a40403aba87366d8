"""The command line. It imports nothing heavy: each command loads what it needs when it runs."""

import sys
from pathlib import Path
from typing import Annotated, Any

from search.package_guard import check_packages

if problem := check_packages():
    print(f"frontrunner: {problem}", file=sys.stderr)
    sys.exit(2)

import typer

from search.commands.cache_options import cache
from search.commands.options import HomeOption, JsonOption, StorageOption
from spaces.errors import RequestError, WorkFailed

app = typer.Typer(
    name="frontrunner",
    help="Find how to make a PyTorch model fast: search, train and measure candidates, and export the best.",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

app.add_typer(cache, name="cache")

AddressOption = Annotated[
    str | None, typer.Option(help="Ray cluster, HOST:PORT [default: an instance on this machine]")
]
TrackingOption = Annotated[str | None, typer.Option(help="MLflow tracking URI instead of the home's SQLite file")]
StoreOption = Annotated[str | None, typer.Option(help="Folder or URL of the stage store, reached by every node")]


@app.command()
def search(
    study_file: Annotated[
        Path | None, typer.Argument(metavar="[STUDY.yaml]", help="A study file; flags win over it")
    ] = None,
    study: Annotated[str | None, typer.Option(help="Name [default: after the workload]")] = None,
    workload: Annotated[str | None, typer.Option(help="NAME, FILE.py[:OBJECT] or package.module:OBJECT")] = None,
    space: Annotated[str | None, typer.Option(help="Preset or FILE.yaml")] = None,
    trials: Annotated[int | None, typer.Option(help="Trials that the study shall have, baseline included")] = None,
    timeout: Annotated[str | None, typer.Option(help="Begin no trial after this long, such as 30m")] = None,
    time_budget: Annotated[
        str | None, typer.Option(help="All the time there is, such as 10m: the fastest model above an accuracy bar")
    ] = None,
    sampler: Annotated[str | None, typer.Option(help="gain, tpe, nsga2, gp or random [default: gain]")] = None,
    from_study: Annotated[str | None, typer.Option("--from", help="Make use of the trials of this study")] = None,
    objective: Annotated[list[str] | None, typer.Option(help="Measured quantity; once to three times")] = None,
    constraint: Annotated[list[str] | None, typer.Option(help='Bound, such as "latency_p90_ms<=5"')] = None,
    seed: Annotated[int | None, typer.Option(help="Of everything random")] = None,
    home: HomeOption = None,
    storage: StorageOption = None,
    tracking_uri: TrackingOption = None,
    stage_store: StoreOption = None,
    address: AddressOption = None,
    json: JsonOption = False,
) -> None:
    """Search for the fastest models; the same command again goes on with the same study."""
    from search.commands.search import run_search
    from search.request.study_request import from_yaml, merge

    flags: dict[str, Any] = {
        "study": study,
        "workload": workload,
        "space": space,
        "trials": trials,
        "timeout": timeout,
        "time_budget": time_budget,
        "sampler": sampler,
        "from_study": from_study,
        "objectives": objective or None,
        "constraints": constraint or None,
        "seed": seed,
        **_places(home, storage, tracking_uri, stage_store, address),
    }
    run_search(merge(from_yaml(study_file) if study_file else {}, flags), as_json=json)


@app.command()
def resume(
    name: Annotated[str, typer.Argument(help="The study's name")],
    trials: Annotated[int | None, typer.Option(help="Trials that it shall have [default: as before]")] = None,
    timeout: Annotated[str | None, typer.Option(help="Begin no trial after this long, such as 30m")] = None,
    home: HomeOption = None,
    storage: StorageOption = None,
    tracking_uri: TrackingOption = None,
    stage_store: StoreOption = None,
    address: AddressOption = None,
    json: JsonOption = False,
) -> None:
    """Go on with a study that was stopped; nothing is run or counted twice."""
    from search.commands.search import resume_search

    places = _places(home, storage, tracking_uri, stage_store, address)
    resume_search(name, trials=trials, timeout=timeout, places=places, as_json=json)


@app.command()
def studies(home: HomeOption = None, storage: StorageOption = None, json: JsonOption = False) -> None:
    """List the studies."""
    from search.commands.studies import list_studies

    list_studies(home, storage, as_json=json)


@app.command()
def front(
    name: Annotated[str, typer.Argument(help="The study's name")],
    everything: Annotated[bool, typer.Option("--all", help="Every trial, failed ones with their reasons")] = False,
    csv: Annotated[bool, typer.Option("--csv", help="Comma-separated values on stdout")] = False,
    home: HomeOption = None,
    storage: StorageOption = None,
    json: JsonOption = False,
) -> None:
    """Show the Pareto front of a study."""
    from search.commands.studies import show_front

    show_front(name, home, storage, everything=everything, as_csv=csv, as_json=json)


@app.command()
def export(
    name: Annotated[str, typer.Argument(help="The study's name")],
    to: Annotated[Path, typer.Option(help="Folder to make")],
    pick: Annotated[str, typer.Option(help="knee, fastest, most-accurate or a trial's number")] = "knee",
    within: Annotated[list[str] | None, typer.Option(help='Bound, such as "accuracy_drop<=0.01"')] = None,
    register: Annotated[str | None, typer.Option(help="Also register it in MLflow under this model name")] = None,
    home: HomeOption = None,
    storage: StorageOption = None,
    tracking_uri: TrackingOption = None,
    stage_store: StoreOption = None,
    json: JsonOption = False,
) -> None:
    """Write a member of the front as a folder that runs by itself, and check its claims."""
    from search.commands.export import export_trial

    export_trial(
        name,
        to,
        pick=pick,
        within=within or [],
        register=register,
        places=_places(home, storage, tracking_uri, stage_store),
        as_json=json,
    )


@app.command()
def verify(
    folder: Annotated[Path, typer.Argument(help="An exported folder")],
    json: JsonOption = False,
) -> None:
    """Load an exported folder in a fresh process, evaluate and time it, and compare with its claims."""
    from search.commands.verify import verify_folder

    verify_folder(folder, as_json=json)


@app.command("time")
def time_models(
    model_a: Annotated[Path, typer.Argument(metavar="MODEL_A", help="Exported folder or model file")],
    model_b: Annotated[Path, typer.Argument(metavar="MODEL_B", help="The same; how fast this one is beside A is told")],
    shape: Annotated[
        str | None, typer.Option(help="Whole input shape, such as 1,3,32,32, where no model tells it")
    ] = None,
    batch: Annotated[
        int | None, typer.Option(min=1, help="Inputs of one call [default: 1, or what a model fixes]")
    ] = None,
    threads: Annotated[int, typer.Option(min=1, help="Threads of one call")] = 1,
    budget: Annotated[str, typer.Option(help="Time it for this long, such as 10s or 1m")] = "10s",
    seed: Annotated[int, typer.Option(min=0, help="Of the input and of the order")] = 0,
    json: JsonOption = False,
) -> None:
    """Time two models against each other: how much faster is B than A?

    Models are exported folders, .onnx, TorchScript (.pt, .ts, .torchscript), torch.export (.pt2) and OpenVINO (.xml)
    files that take one float32 tensor. TorchScript and .pt2 files can run code: open only files that you trust.
    """
    from search.commands.time import time_files

    time_files(model_a, model_b, shape=shape, batch=batch, threads=threads, budget=budget, seed=seed, as_json=json)


@app.command()
def ui(
    home: HomeOption = None,
    port: Annotated[int, typer.Option(help="Port on 127.0.0.1")] = 5000,
) -> None:
    """Open MLflow's pages on this home, on 127.0.0.1."""
    from dashboards.ui import serve
    from search.request.locations import Home

    serve(Home.find(home).path, port=port)


@app.command()
def doctor(
    workload: Annotated[str | None, typer.Option(help="Also say what this workload's network stands")] = None,
    json: JsonOption = False,
) -> None:
    """Say what this machine has, what is off, and why."""
    from search.commands.doctor import examine

    examine(workload, as_json=json)


@app.command()
def init(folder: Annotated[Path, typer.Argument(help="Folder to write into")] = Path(".")) -> None:
    """Write a starter study file and workload file, commented."""
    from search.commands.init import write_starter_files

    for path in write_starter_files(folder):
        typer.echo(f"wrote {path}", err=True)


def _places(
    home: Path | None,
    storage: str | None,
    tracking_uri: str | None = None,
    stage_store: str | None = None,
    address: str | None = None,
) -> dict[str, str | None]:
    return {
        "home": str(home) if home else None,
        "storage": storage,
        "tracking_uri": tracking_uri,
        "stage_store": stage_store,
        "address": address,
    }


def main() -> None:
    """Run the command line; exit 0 done, 1 the work failed, 2 the request was wrong, 130 interrupted."""
    # typer keeps its own copy of click and exports only this of its errors
    usage_error: Any = typer.BadParameter.__mro__[1]
    try:
        code = app(sys.argv[1:] or ["--help"], standalone_mode=False)
    except RequestError as error:
        _leave(2, str(error))
    except WorkFailed as error:
        _leave(1, str(error))
    except (KeyboardInterrupt, typer.Abort):
        code = 130
    except usage_error as error:
        command = error.ctx.command_path if error.ctx else "frontrunner"
        _leave(2, f"{error.format_message().rstrip('.')}; `{command} --help` lists what is allowed")
    if code == 130:  # which typer makes of an interrupt too
        _leave(130, "interrupted")
    sys.exit(code if isinstance(code, int) else 0)


def _leave(code: int, sentence: str) -> None:
    print(f"frontrunner: {sentence}", file=sys.stderr)
    sys.exit(code)
