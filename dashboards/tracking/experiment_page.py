"""How MLflow's page of an experiment opens: what it says, and views of its runs with the columns that matter.

MLflow's own table of runs shows a study as one closed row, without metrics. Where it is sorted by a metric it shows all
runs, and a view that is kept in a tag of the experiment can do that, and choose columns.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

ALL_TRIALS, FRONT = "frontrunner-trials", "frontrunner-front"
_DESCRIPTION = """\
Searches for models of **{name}** that are fast and still accurate. Each study is a run, with a run below it for each \
trial.

- *Views* above the table: **Trials, fastest first** and **Pareto front** show the columns that matter.
- The run of a study has the front: `front.html` (a figure), `front_table.json` (a table), `front.json`.
- Try as a filter: `tags.pareto = 'true'`, `params.numeric_precision = 'int8' and metrics.accuracy > 0.95`, \
`tags.baseline = 'true'`.
"""
_COLUMNS = (
    "metrics.`speedup`",
    "metrics.`accuracy`",
    "metrics.`latency_p50_ms`",
    "metrics.`size_mib`",
    "tags.`pareto`",
    "tags.`knee`",
    "tags.`measured`",
    "params.`runtime`",
    "params.`numeric_precision`",
    "params.`student_width`",
    "params.`threads`",
    "tags.`stopped_at_rung`",
    "tags.`failed_reason`",
    "attributes.`Dataset`",
)


_RUN_NAME = "attributes.`Run Name`"
_WIDTHS = {_RUN_NAME: 320, "attributes.`Dataset`": 160, **{name: 105 for name in _COLUMNS if name[0] in "mtp"}}
"""In pixels; MLflow's own columns cut the names of runs."""


@dataclass(frozen=True)
class View:
    """A view of the runs.

    Attributes:
        name: What MLflow's menu calls it.
        filter: Which runs it shows.
    """

    name: str
    filter: str


SHARED_VIEWS: Mapping[str, View] = {
    ALL_TRIALS: View("Trials, fastest first", ""),
    FRONT: View("Pareto front", "tags.pareto = 'true'"),
}
"""Views by the key with which an address names them."""


def description(experiment: str) -> str:
    """What the experiment says of itself, in Markdown."""
    return _DESCRIPTION.format(name=plain(experiment))


def shared_view(view: View) -> str:
    """``view`` as MLflow's page keeps one in a tag of the experiment: an envelope around the state of the page."""
    state: dict[str, Any] = {
        "searchFilter": view.filter,
        "orderByKey": "metrics.`speedup`",
        "orderByAsc": False,
        "startTime": "ALL",
        "lifecycleFilter": "Active",
        "modelVersionFilter": "All Runs",
        "datasetsFilter": [],
        "selectedColumns": list(_COLUMNS),
        "columnOrder": [_RUN_NAME, *_COLUMNS],
        "columnWidths": _WIDTHS,
    }
    return json.dumps({"name": view.name, "createdAt": 0, "updatedAt": 0, "state": json.dumps(state)})


def plain(text: str) -> str:
    """``text`` where Markdown and HTML have no meaning: what a person typed is shown as it was typed."""
    return "".join(f"&#{ord(letter)};" if letter in "\\`*_[]<>&~\n" else letter for letter in text)
