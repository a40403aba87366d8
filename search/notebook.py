"""Searches and their fronts from Python, in a notebook or a script: the engine and the settings of the command line.

Wrong settings raise `RequestError`, and work that failed `WorkFailed`, with the sentence that the command would print.
"""

import ast
import sys
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from search.package_guard import check_packages

if problem := check_packages():
    raise ImportError(problem)

from dashboards.front_html import front_html
from dashboards.front_rows import front_rows, trial_rows
from dashboards.headline import headline
from runners.workload_loading.user_module import OWN_NAME
from search.request.locations import Locations
from search.request.read_request import from_yaml, merge
from search.request.study_request import StudyRequest
from spaces.errors import RequestError, WorkFailed
from spaces.setting_error import unknown_key

if TYPE_CHECKING:
    from pandas import DataFrame
    from plotly.graph_objects import Figure

__all__ = ["Front", "RequestError", "StudyRequest", "WorkFailed", "load_front", "search_study"]


@dataclass(frozen=True)
class Front:
    """The front of a study. A notebook shows it as a table, with the headline above.

    Attributes:
        document: What ``frontrunner front NAME --json`` prints.
        all_trials: Every trial in the form of the front's members, with its ``state`` and ``failure``.
        locations: Where the study is kept.
    """

    document: Mapping[str, Any]
    all_trials: Sequence[Mapping[str, Any]]
    locations: Locations

    @property
    def headline(self) -> str:
        """The front in one sentence."""
        return headline(self.document)

    @property
    def table(self) -> "DataFrame":
        """The baseline and the front, a row each and the fastest first, as ``frontrunner front NAME --csv`` has them.

        ``NAME_low`` and ``NAME_high`` are the ends of the 95 % interval of ``NAME``.
        """
        from pandas import DataFrame

        return DataFrame(front_rows(self.document))

    @property
    def trials(self) -> "DataFrame":
        """Every trial, by number, in the columns of `table`, with its ``state`` and why it failed or was stopped."""
        from pandas import DataFrame

        return DataFrame(trial_rows(self.document, self.all_trials))

    def figure(self) -> "Figure":
        """The interactive figure of the front."""
        from dashboards.figures.front_figure import draw
        from dashboards.figures.front_points import front_points

        complete = [trial for trial in self.all_trials if trial["state"] == "complete"]
        return draw(front_points(self.document, complete))

    def export(
        self, to: Path | str, pick: str | int = "knee", within: str | Sequence[str] = (), register: str | None = None
    ) -> Path:
        """Write a trial as a folder that runs by itself, check its claims, and give the folder back.

        Args:
            to: The folder to make.
            pick: ``knee``, ``fastest``, ``most-accurate`` or the number of a trial.
            within: Bounds that the trial must satisfy, such as ``accuracy_drop<=0.01``.
            register: Name under which MLflow registers the model; None registers nothing.

        Raises:
            RequestError: No trial satisfies the bounds, or the folder exists.
            WorkFailed: The artifact is lost, or a claim does not hold; nothing is left behind.
        """
        from search.commands.export import ExportOptions, write_trial

        bounds = (within,) if isinstance(within, str) else tuple(within)
        options = ExportOptions(str(self.document["study"]), Path(to), str(pick), bounds, register)
        write_trial(options, self.locations)
        return options.to

    def __repr__(self) -> str:
        return f"<front of {self.document['study']}: {self.headline}>"

    def _repr_html_(self) -> str:
        return front_html(self.document)


def search_study(study_file: Path | str | StudyRequest | None = None, **settings: Any) -> Front:
    """Run a search and give its front; an existing study of that name is continued, as by ``frontrunner search``.

    Args:
        study_file: A study file, or checked settings; None takes the defaults.
        **settings: The keys of a study file, which override it: ``workload``, ``trials``, ``objectives`` and so on.

    Raises:
        RequestError: A setting is wrong; nothing has run.
        WorkFailed: No trial satisfies the constraints, or the baseline or the machine failed; all trials are kept.
        KeyboardInterrupt: The search was interrupted; the same call continues it.
    """
    _refuse_inside_of_workload()
    request = _request(study_file, settings)
    from search.commands.search import carry_out
    from search.commands.search_result import require_front

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="IProgress not found")  # tqdm's, which draws nothing here
        require_front(carry_out(request))
    return load_front(request.study_name, request.home, request.storage)


def load_front(study: str, home: Path | str | None = None, storage: str | None = None) -> Front:
    """The front of the study of that name, as far as its search has come.

    Args:
        study: Its name.
        home: The home folder; None is ``FRONTRUNNER_HOME``, else ``./frontrunner-home``.
        storage: URL of Optuna's database; None is that of the home.

    Raises:
        RequestError: There is no such home or study.
    """
    from search.commands.studies import document_of, open_study
    from search.front.front_document import trial_documents

    opened, found = open_study(study, Locations(home, storage))
    return Front(document_of(opened, found.folder), trial_documents(opened), found)


def _request(study_file: Path | str | StudyRequest | None, settings: Mapping[str, Any]) -> StudyRequest:
    for key in settings:
        if key not in StudyRequest.model_fields:
            raise unknown_key(key, StudyRequest.model_fields)
    if isinstance(study_file, StudyRequest):
        if not settings:
            return study_file
        known = {name: getattr(study_file, name) for name in study_file.model_fields_set}
    else:
        known = from_yaml(study_file) if study_file is not None else {}
    given = {**settings, "workload": _reference(settings["workload"])} if "workload" in settings else settings
    return merge(known, {name: str(value) if isinstance(value, Path) else value for name, value in given.items()})


def _reference(workload: Any) -> Any:
    """How other processes find ``workload``: what was given, or for an object where it is and the name it has there.

    That is a file, or a module where it belongs to a package, whose files import each other by its name.

    Raises:
        RequestError: It is an object of this notebook, or of the script that runs.
    """
    if isinstance(workload, (str, Path, Mapping)):
        return workload
    found = [
        (module, attribute)
        for name, module in [*sys.modules.items()]
        if name != "__main__" and str(getattr(module, "__file__", "")).endswith(".py")
        for attribute, value in vars(module).items()
        if value is workload and Path(str(module.__file__)).is_file()
    ]
    # One that imports it may be the program itself, which would search again in every process.
    for module, attribute in sorted(found, key=lambda place: _is_imported(*place)):
        return f"{module.__name__ if module.__package__ else module.__file__}:{attribute}"
    raise RequestError(
        f"workload: a {type(workload).__name__} that is made in the notebook or script itself cannot be found by the "
        "processes that train and measure; write it to a file, in a notebook with `%%writefile workload.py` in the "
        "first line of its cell, and give workload='workload.py'"
    )


def _is_imported(module: ModuleType, name: str) -> bool:
    """Whether ``module`` has ``name`` from another one, as its source says."""
    tree = ast.parse(Path(str(module.__file__)).read_bytes())
    imports = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    return any(name == (alias.asname or alias.name) for node in imports for alias in node.names)


def _refuse_inside_of_workload() -> None:
    """Raise `RequestError` where a worker is loading the file that calls this: a search would begin in a search."""
    frame = sys._getframe()
    while (caller := frame.f_back) is not None:
        frame = caller
        if str(frame.f_globals.get("__name__", "")).startswith(OWN_NAME):
            place = f"{Path(frame.f_code.co_filename).name}, line {frame.f_lineno}"
            raise RequestError(
                f"{place}: search_study() is called where the file is loaded as a workload; put the call "
                "into a file of its own, or under `if __name__ == '__main__':`"
            )
