"""The address of a study in MLflow's UI, asked of a server that runs."""

import json
import urllib.request
from typing import Any
from urllib.parse import quote

from dashboards.tracking.experiment_page import ALL_TRIALS
from spaces.errors import RequestError

_KIND = "tags.`frontrunner.kind` = 'study'"
_WORKFLOW = "workflowType=machine_learning"
"""Without it the pages open among those for language models."""


def study_page(address: str, study: str | None = None) -> str:
    """The page of ``study``; without a name, the table of all trials of the experiment that has the newest study.

    Args:
        address: Of the server, such as ``http://127.0.0.1:5000``.
        study: Name of a study.

    Raises:
        RequestError: The server has no such study.
        OSError: It does not answer.
    """
    runs = _studies(address)
    if study is None:
        if not runs:
            return f"{address}/#/experiments?{_WORKFLOW}"
        experiment = quote(runs[0]["info"]["experiment_id"])
        return f"{address}/#/experiments/{experiment}/runs?{_WORKFLOW}&viewStateShareKey={ALL_TRIALS}"
    named = {_tag(run, "frontrunner.study"): run for run in reversed(runs)}
    if study not in named:
        known = ", ".join(sorted(named)) or "none yet"
        raise RequestError(f"MLflow has no study called {study!r}; it has {known}")
    info = named[study]["info"]
    return f"{address}/#/experiments/{quote(info['experiment_id'])}/runs/{quote(info['run_id'])}?{_WORKFLOW}"


def trials_page(page: str) -> str:
    """The table of all trials of the experiment to which the page of a study belongs."""
    experiment = page.partition("/runs")[0]
    return f"{experiment}/runs?{_WORKFLOW}&viewStateShareKey={ALL_TRIALS}"


def _studies(address: str) -> list[dict[str, Any]]:
    """The runs of all studies, the newest first."""
    found = _ask(address, "experiments/search", {"max_results": 1000}).get("experiments", [])
    query = {
        "experiment_ids": [experiment["experiment_id"] for experiment in found],
        "filter": _KIND,
        "max_results": 1000,
        "order_by": ["attributes.start_time DESC"],
    }
    runs: list[dict[str, Any]] = _ask(address, "runs/search", query).get("runs", [])
    return runs


def _ask(address: str, path: str, body: dict[str, Any]) -> dict[str, Any]:
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # a proxy cannot reach this machine
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(f"{address}/api/2.0/mlflow/{path}", json.dumps(body).encode(), headers)
    with direct.open(request, timeout=30) as answer:
        found: dict[str, Any] = json.load(answer)
    return found


def _tag(run: dict[str, Any], name: str) -> str:
    return next((str(tag["value"]) for tag in run["data"].get("tags", ()) if tag["key"] == name), "")
