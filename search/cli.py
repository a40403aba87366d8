"""The command line: the options of every command. Each command imports what it needs only when it runs."""

import sys
from pathlib import Path
from typing import Annotated, Any

from search.package_guard import check_packages

if problem := check_packages():
    print(f"frontrunner: {problem}", file=sys.stderr)
    sys.exit(2)

import typer
from typer import Argument, Option

from search.commands.cli import search_options
from search.commands.cli.cache import cache
from search.commands.cli.compare import compare
from search.commands.cli.doctor import doctor
from search.commands.cli.explain import explain_study
from search.commands.cli.load_test import load_test
from search.commands.cli.report import report
from search.commands.cli.time import time_models
from search.commands.options import (
    AddressOption,
    HomeOption,
    JsonOption,
    StorageOption,
    StoreOption,
    TrackingOption,
    TrustOption,
    VersionOption,
)
from search.exit_codes import explain, require_current_folder
from search.stop_signals import stop_signals

app = typer.Typer(
    name="frontrunner",
    help="Make a PyTorch model fast: search variants, train, measure and export them.",
    epilog="Example: frontrunner search --workload digits. FRONTRUNNER_HOME names the home folder of every command "
    "that is given no --home. Exit codes: 0 done; 1 the work failed; 2 the request was wrong; 130, 143 or 129 stopped "
    "by Ctrl-C, SIGTERM or SIGHUP.",
    context_settings={"max_content_width": 120},  # where the terminal is that wide
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

app.add_typer(cache, name="cache")


@app.callback()
def options(version: VersionOption = False) -> None:
    """The options of the command itself."""


Text = str | None
Texts = list[str] | None
Number = int | None
StudyArgument = Annotated[str, Argument(metavar="NAME", help="Name of the study.")]


@app.command(epilog='Example: frontrunner search study.yaml --constraint "latency_p90_ms<=5"')
def search(
    study_file: Annotated[
        Path | None, Argument(metavar="STUDY.yaml", help="A study file. Options override it.")
    ] = None,
    study: search_options.Study = None,
    workload: search_options.Workload = None,
    space: search_options.Space = None,
    trials: search_options.Trials = None,
    timeout: search_options.Timeout = None,
    time_budget: search_options.TimeBudget = None,
    sampler: search_options.Sampler = None,
    from_study: search_options.From = None,
    objective: search_options.Objective = None,
    constraint: search_options.Constraint = None,
    serve: search_options.Serve = None,
    seed: search_options.Seed = None,
    home: HomeOption = None,
    storage: StorageOption = None,
    tracking_uri: TrackingOption = None,
    stage_store: StoreOption = None,
    address: AddressOption = None,
    measure_on: search_options.MeasureOn = None,
    train_with: search_options.TrainWith = None,
    dry_run: search_options.DryRun = False,
    json: JsonOption = False,
) -> None:
    """Search for fast models. The same command again continues the same study."""
    from search.request.locations import Locations
    from search.request.read_request import from_yaml, merge

    options: dict[str, Any] = {
        "study": study,
        "workload": workload,
        "space": space,
        "trials": trials,
        "timeout": timeout,
        "time_budget": time_budget,
        "sampler": sampler,
        "from_study": from_study,
        "objectives": objective,
        "constraints": constraint,
        "serve": serve,
        "seed": seed,
        **Locations(home, storage, tracking_uri, stage_store, address, measure_on, train_with).given(),
    }
    request = merge(from_yaml(study_file) if study_file else {}, options).with_space_in(None if space else study_file)
    if dry_run:
        from search.commands.dry_run import show_plan

        return show_plan(request, as_json=json)
    from search.commands.search import run_search

    run_search(request, as_json=json)


@app.command(epilog="Example: frontrunner resume digits --trials 40")
def resume(
    name: StudyArgument,
    trials: search_options.NewTrials = None,
    timeout: search_options.NewTimeout = None,
    home: HomeOption = None,
    storage: StorageOption = None,
    tracking_uri: TrackingOption = None,
    stage_store: StoreOption = None,
    address: AddressOption = None,
    measure_on: search_options.MeasureOn = None,
    train_with: search_options.TrainWith = None,
    json: JsonOption = False,
) -> None:
    """Continue a study that was stopped. No trial is run or counted twice."""
    from search.commands.search import resume_search
    from search.request.locations import Locations

    locations = Locations(home, storage, tracking_uri, stage_store, address, measure_on, train_with)
    resume_search(name, locations, trials=trials, timeout=timeout, as_json=json)


@app.command(epilog="Example: frontrunner studies --home shared/frontrunner-home")
def studies(home: HomeOption = None, storage: StorageOption = None, json: JsonOption = False) -> None:
    """List the studies."""
    from search.commands.studies import list_studies
    from search.request.locations import Locations

    list_studies(Locations(home, storage), as_json=json)


@app.command(epilog="Example: frontrunner front digits --all")
def front(
    name: StudyArgument,
    everything: Annotated[bool, Option("--all", help="Show all trials, and why the failed ones failed.")] = False,
    costs: Annotated[
        bool, Option("--costs", help="Also show what each member costs: training, loading, size, compute, overfitting.")
    ] = False,
    csv: Annotated[bool, Option("--csv", help="Print comma-separated values on stdout.")] = False,
    watch: Annotated[
        bool, Option("--watch", help="Show it again whenever a trial ends, while the study runs.")
    ] = False,
    home: HomeOption = None,
    storage: StorageOption = None,
    json: JsonOption = False,
) -> None:
    """Show the Pareto front of a study."""
    from search.commands.front import FrontOptions, show_front
    from search.request.locations import Locations

    shown = FrontOptions(everything=everything, costs=costs, as_csv=csv, as_json=json, watch=watch)
    show_front(name, Locations(home, storage), shown)


app.command("explain", epilog="Example: frontrunner explain digits 12 --figure digits.png")(explain_study)


app.command("compare", epilog="Example: frontrunner compare digits other.csv --report both.html")(compare)


app.command("report", epilog="Example: frontrunner report digits --to digits.html")(report)


@app.command(epilog='Example: frontrunner export digits --to fast --within "accuracy_drop<=0.01"')
def export(
    name: StudyArgument,
    to: Annotated[Path, Option(metavar="DIR", help="Folder to create.")],
    pick: Annotated[
        str, Option(metavar="TRIAL", help="The trial: knee, fastest, most-accurate or a trial's number.")
    ] = "knee",
    within: Annotated[
        Texts, Option(metavar="BOUND", help='Bound that the trial must satisfy, such as "accuracy_drop<=0.01".')
    ] = None,
    register: Annotated[Text, Option(metavar="NAME", help="Also register the model in MLflow under this name.")] = None,
    home: HomeOption = None,
    storage: StorageOption = None,
    tracking_uri: TrackingOption = None,
    stage_store: StoreOption = None,
    json: JsonOption = False,
) -> None:
    """Write a trial of the front as a folder that runs by itself. Its claims are checked."""
    from search.commands.export import ExportOptions, export_trial
    from search.request.locations import Locations

    options = ExportOptions(name, to, pick, within or (), register)
    export_trial(options, Locations(home, storage, tracking_uri, stage_store), as_json=json)


@app.command(epilog="Example: frontrunner verify fast")
def verify(
    folder: Annotated[Path, Argument(metavar="DIR", help="An exported folder.")],
    trust: TrustOption = False,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Check an exported folder against its claims.

    It is loaded in a fresh process, evaluated and timed. The code that this runs is named: a workload in Python, and
    models of TorchScript and torch.export.
    """
    from search.commands.verify import verify_folder
    from search.request.locations import Home

    verify_folder(folder, Home.find(home), trust=trust, as_json=json)


app.command("time", epilog="Example: frontrunner time fast model.onnx --threads 2")(time_models)
app.command("load-test", epilog="Example: frontrunner load-test fast --p99-ms 5")(load_test)


@app.command(epilog="Example: frontrunner ui digits --port 8080")
def ui(
    name: Annotated[Text, Argument(metavar="[NAME]", help="Study whose page is opened. [default: all trials]")] = None,
    home: HomeOption = None,
    port: Annotated[int, Option(metavar="N", min=1, max=65535, help="Port on 127.0.0.1, or the next free one.")] = 5000,
    no_browser: Annotated[bool, Option("--no-browser", help="Open no browser; only print the address.")] = False,
    optuna: Annotated[bool, Option("--optuna", help="Also serve optuna-dashboard on the next free port.")] = False,
) -> None:
    """Serve MLflow's UI for a home folder on 127.0.0.1."""
    from dashboards.ui import Shown, serve
    from search.request.locations import Home, Locations

    storage = Locations(home).with_environment().studies if optuna else None
    with stop_signals.cleaning_up():
        serve(Home.find(home).path, port, Shown(name, not no_browser, storage))


app.command("doctor", epilog="Example: frontrunner doctor --workload workload.py")(doctor)


@app.command(epilog="Example: frontrunner schema > study.schema.json")
def schema() -> None:
    """Print a JSON schema of the study file, for editors."""
    import json

    from search.request.study_schema import study_schema

    typer.echo(json.dumps(study_schema(), indent=2))


@app.command(epilog="Example: frontrunner init project --from torchvision:resnet18 --data images")
def init(
    folder: Annotated[Path, Argument(metavar="DIR", help="Folder to write into.")] = Path("."),
    model: Annotated[
        Text,
        Option("--from", metavar="MODEL", help="A model of torchvision, such as torchvision:resnet18; needs --data."),
    ] = None,
    data: Annotated[
        Path | None,
        Option(metavar="DIR", help="Its images: train, val and test, each with a folder for every class."),
    ] = None,
) -> None:
    """Write a commented study file and workload file to start from."""
    from search.commands.init import write_first_study

    write_first_study(folder, model, data)


def main() -> None:
    """Run the command line.

    Exit codes: 0 done, 1 the work failed, 2 the request was wrong; 128 + the number of the signal that stopped it: 130
    for Ctrl-C, 143 for SIGTERM, 129 for SIGHUP.
    """
    stop_signals.install()
    require_current_folder()
    try:
        code = app(sys.argv[1:] or ["--help"], prog_name="frontrunner", standalone_mode=False)
    except BaseException as error:
        if stop_signals.arrived:  # whatever it became in the code that was interrupted
            stop_signals.end()
        code, sentence = explain(error)
        print(f"frontrunner: {sentence}", file=sys.stderr)
    if code and stop_signals.arrived:  # typer turns a KeyboardInterrupt into an exit code
        stop_signals.end()
    sys.exit(code if isinstance(code, int) else 0)
