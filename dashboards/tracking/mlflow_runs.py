"""The runs of one study in MLflow: one for the study, and a nested run for each trial."""

from collections.abc import Mapping, Sequence
from typing import Any

from dashboards.baseline_text import baseline_text, runtime_alone_text
from dashboards.front_rows import instability
from dashboards.report.report_html import report_html
from dashboards.tracking.front_files import log_front
from dashboards.tracking.logged_report import REPORT, has_whole_report
from dashboards.tracking.mlflow_store import MlflowStore, RunLocation, datasets_of
from dashboards.tracking.pace import Pace
from dashboards.tracking.run_text import stopped_at, trial_name, trial_note
from dashboards.tracking.spool import Record
from dashboards.tracking.spool_writer import Refused
from dashboards.tracking.study_files import log_study
from dashboards.tracking.trial_metrics import summary_metrics, training_curves
from runners.metric import QualityMetric
from spaces.errors import in_one_line

_STATUS = {"finished": "FINISHED", "failed": "FAILED"}
_TRIED = ("train", "validation")
"""Splits that a trial is trained and evaluated on; the test split is the final measurement's."""


class StudyRuns:
    """Writes the records of a study into its runs; writing a record again changes nothing.

    Runs are found in MLflow by their tags, so that a run that was created before a crash is not created again.

    Args:
        mlflow: The module ``mlflow``, which is not imported here.
        location: Where the runs are.

    Raises:
        Exception: MLflow cannot be reached.
    """

    def __init__(self, mlflow: Any, location: RunLocation) -> None:
        self._mlflow = mlflow
        self._store = MlflowStore(mlflow, location)
        self._study = location.study
        studies = self._store.search("frontrunner.kind", "study")  # a query cannot hold every name
        found = [run for run in studies if run.data.tags["frontrunner.study"] == self._study]
        self.parent: str | None = found[0].info.run_id if found else None
        self._datasets = datasets_of(found[0]) if found else {}
        self._pages = Pace()
        self._goes_on = bool(found)
        self._params = dict(found[0].data.params) if found else {}
        self.runs: dict[int, str] = {}
        self._steps: dict[int, int] = {}
        self._marked: dict[int, str] = {}
        self._unstable: set[int] = set()
        for run in self._store.search("mlflow.parentRunId", self.parent) if self.parent else ():
            self._recall(run)

    def _recall(self, run: Any) -> None:
        """Remember a trial's run that an earlier connection wrote."""
        tags = run.data.tags
        number = str(tags.get("frontrunner.trial", ""))
        if number.isdecimal():
            self.runs[int(number)] = run.info.run_id
            self._steps[int(number)] = int(tags.get("frontrunner.completed", len(self._steps) + 1))
            self._marked[int(number)] = tags.get("pareto", "false")
            if "unstable" in tags:
                self._unstable.add(int(number))

    def take(self, record: Record, superseded: bool) -> None:
        """Write one record into its runs.

        Raises:
            Refused: MLflow answers and rejects the record.
        """
        try:
            if record["kind"] == "started":
                self._started(record)
            elif record["kind"] == "trial":
                self._trial(record)
            elif record["kind"] == "front":
                self._front(record, superseded)
            elif record["kind"] == "report":
                self._page(record, superseded)
            elif record["kind"] == "ended":
                self._ended(record)
        except self._mlflow.MlflowException as error:
            code: int = error.get_http_status_code()
            if 400 <= code < 500 and code not in (401, 403, 408, 429):
                raise Refused(str(error)) from error
            raise
        except OSError:  # a connection's; some of these are a ValueError too
            raise
        except (LookupError, TypeError, ValueError, ImportError) as error:
            raise Refused(f"{type(error).__name__}: {error}") from error

    def _started(self, record: Record) -> None:
        about, run_id = record.get("about") or {}, self._study_run(record)
        self._datasets = self._store.datasets(about.get("data") or {})
        if self._goes_on:
            self._store.client.update_run(run_id, status="RUNNING")
        log_study(self._store, run_id, record, self._params)
        self._store.log_datasets(run_id, list(self._datasets.values()))

    def _ended(self, record: Record) -> None:
        run_id = self._study_run(record)
        self._store.log(run_id, record["at_ms"], tags={"frontrunner.status": record["status"]})
        self._store.client.set_terminated(run_id, _STATUS.get(record["status"], "KILLED"), record["at_ms"])

    def _page(self, record: Record, superseded: bool) -> None:
        """Write the report of a search, which leaves out some, unless a whole one of the same trials was logged."""
        document, run_id = record["document"], self._study_run(record)
        if superseded or has_whole_report(self._store, run_id, document):
            return
        try:
            page = report_html(document)
        except Exception as error:  # whatever is wrong with it must not hold up the records after it
            raise Refused(f"the report cannot be drawn: {in_one_line(error)}") from error
        self._store.client.log_text(run_id, page, REPORT)

    def _trial(self, record: Record) -> None:
        number, measurement = record["trial"], record["measurement"] or {}
        run_id = self._trial_run(record)
        metrics = {
            **summary_metrics(measurement),
            "trial_seconds": record["seconds"],
            **training_curves(record.get("accuracies") or {}, record.get("losses") or {}),
        }
        self._store.log(run_id, record["at_ms"], metrics, record["configuration"], self._tags(record))
        if measurement.get("unstable"):
            self._unstable.add(number)
        status = "FAILED" if record["failure"] else "FINISHED" if measurement else "KILLED"
        self._store.client.set_terminated(run_id, status, record["at_ms"])
        if record["hypervolume"] is not None:
            front = {"front_size": record["front_size"]} if record.get("front_size") is not None else {}
            curve = {"hypervolume": record["hypervolume"], **front}
            said = {"baseline": baseline_text(record)} if number == 0 and measurement else {}
            self._store.log(self._study_run(record), record["at_ms"], curve, tags=said, step=self._steps[number])
        # Last, as an old server knows no datasets: it refuses this alone.
        self._store.log_datasets(run_id, [self._datasets[split] for split in _TRIED if split in self._datasets])

    def _tags(self, record: Record) -> dict[str, str]:
        """What is said of a trial besides its choices and its figures."""
        measurement, stopped = record["measurement"] or {}, record.get("stopped")
        tags = {
            "baseline": "true" if record["trial"] == 0 else None,
            "measured": "search" if measurement else None,
            "failed_reason": record["failure"],
            "stopped_reason": stopped,
            "stopped_at_rung": str(stopped_at(record)) if stopped else None,
            "unstable": measurement.get("unstable"),
            "mlflow.note.content": trial_note(record, QualityMetric.of_front(record.get("metric") or {})),
        }
        return {name: text for name, text in tags.items() if text}

    def _front(self, record: Record, superseded: bool) -> None:
        document = record["document"]
        members = {member["trial"]: member for member in document["front"]}
        shown = [document["baseline"], *document["front"]]
        final = {trial["trial"]: trial for trial in [*shown, *record.get("finals", ())] if _is_final(trial)}
        for number, trial in final.items():
            self._final(record, trial, _place(number, document, members), QualityMetric.of_front(document))
        if superseded:  # the pages of this front would be overwritten at once
            return
        for number in sorted(self.runs.keys() - final.keys()):
            self._mark(record, number, "true" if number in members else "false")
        self._log_front(record, document, final)

    def _log_front(self, record: Record, document: Mapping[str, Any], final: Mapping[int, Any]) -> None:
        """Write the front into the run of the study; its pages no oftener than `Pace` allows while trials go on."""
        run_id, metrics, tags = self._study_run(record), {}, {}
        if document["baseline"]:
            tags["baseline"] = baseline_text(document["baseline"])
        if alone := document.get("runtime_alone"):
            metrics["runtime_alone_speedup"] = {0: alone["measurement"]["speedup"]}
            tags["runtime_alone"] = runtime_alone_text(document)
        if self._steps and (final or document.get("status") == "finished"):
            last = max(self._steps.values()) + 1
            metrics |= {"hypervolume": {last: document["hypervolume"]}, "front_size": {last: len(document["front"])}}
        if not record.get("live") or self._pages.is_due():
            with self._pages:
                tags |= log_front(self._store, run_id, record)
        self._store.log(run_id, record["at_ms"], metrics, tags=tags)

    def _final(self, record: Record, trial: Mapping[str, Any], place: Sequence[str], metric: QualityMetric) -> None:
        """Put the final measurement of a trial in the place of that of the search, and say that it is."""
        number = trial["trial"]
        if number not in self.runs:
            return
        measurement = {**trial["measurement"], "unstable": instability(trial)}
        shown = {**trial, "measurement": measurement}
        tags = {
            "measured": "final",
            "pareto": "true" if "pareto" in place else "false",
            "knee": "true" if "knee" in place else "false",
            "mlflow.runName": trial_name(shown),
            "mlflow.note.content": trial_note(shown, metric, place=_in_words(place)),
            **({"unstable": measurement["unstable"]} if measurement["unstable"] else {}),
        }
        self._store.log(self.runs[number], record["at_ms"], summary_metrics(measurement), tags=tags, step=1)
        self._marked[number] = tags["pareto"]
        if number in self._unstable and not measurement["unstable"]:
            self._store.remove_tag(self.runs[number], "unstable")
            self._unstable.discard(number)

    def _mark(self, record: Record, number: int, marked: str) -> None:
        """Say whether a trial is on the front, where that has changed."""
        if self._marked.get(number, "false") != marked:
            off = {"knee": "false"} if marked == "false" else {}
            self._store.log(self.runs[number], record["at_ms"], tags={"pareto": marked, **off})
            self._marked[number] = marked

    def _study_run(self, record: Record) -> str:
        if self.parent is None:
            tags = {"frontrunner.kind": "study", "frontrunner.study": self._study}
            self.parent = self._store.create(self._study, record["at_ms"], tags)
        return self.parent

    def _trial_run(self, record: Record) -> str:
        number = record["trial"]
        if number not in self.runs:
            step = max(self._steps.values(), default=0) + 1
            tags = {
                "frontrunner.study": self._study,
                "frontrunner.trial": str(number),
                "frontrunner.completed": str(step),
                "mlflow.parentRunId": self._study_run(record),
            }
            start_ms = record["at_ms"] - int(1000 * record["seconds"])
            self.runs[number] = self._store.create(trial_name(record), start_ms, tags)
            self._steps[number] = step
        return self.runs[number]


def _is_final(trial: Mapping[str, Any] | None) -> bool:
    """Whether the figures of a trial are those of the final measurement."""
    if not trial:
        return False
    return trial.get("searched") is not None or trial["measurement"].get("accuracy_test") is not None


def _place(number: int, document: Mapping[str, Any], members: Mapping[int, Any]) -> tuple[str, ...]:
    return (*(["pareto"] if number in members else []), *(["knee"] if number == document.get("knee") else []))


def _in_words(place: Sequence[str]) -> str:
    words = {(): "", ("pareto",): "on the Pareto front", ("pareto", "knee"): "the knee of the Pareto front"}
    return words.get(tuple(place), "")
