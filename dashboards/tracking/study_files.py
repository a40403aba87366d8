"""What a study was asked for and where it runs, as parameters and files of its run."""

from collections.abc import Container, Mapping
from typing import Any

from dashboards.tracking.mlflow_store import MlflowStore


def log_study(store: MlflowStore, run_id: str, record: Mapping[str, Any], known: Container[str]) -> None:
    """Write the settings of a study: what is one value as parameter, all of them in ``settings.json``.

    A parameter keeps its first value, as MLflow refuses another; what may change when a study is continued is a tag.

    Args:
        store: Where to.
        run_id: The run of the study.
        record: ``settings`` by name, of which ``budgets`` may change, and ``about``: ``command``, ``study_file`` as
            text and ``environment``, where they are known.
        known: The parameters that the run has.
    """
    settings, about = record["settings"], record.get("about") or {}
    params = {name: value for name, value in flat(settings).items() if name not in known}
    budgets = {f"budget.{name}": str(value) for name, value in (settings.get("budgets") or {}).items() if value}
    command = {"command": about["command"]} if about.get("command") else {}
    tags = {"frontrunner.status": "running", **budgets, **command}
    store.log(run_id, record["at_ms"], params=params, tags=tags)
    store.client.log_dict(run_id, settings, "settings.json")
    if about.get("study_file"):
        store.client.log_text(run_id, about["study_file"], "study.yaml")
    if about.get("environment"):
        store.client.log_dict(run_id, about["environment"], "environment.json")


def flat(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings that a person would filter by, each one value: lists of words with commas, no JSON.

    What has parts of parts, such as the space or a workload of model and data, is left to ``settings.json``.
    """
    found: dict[str, Any] = {}
    for name, value in settings.items():
        if name == "budgets" or value is None:
            continue
        if isinstance(value, Mapping):
            found |= {f"{name}_{part}": one for part, one in value.items() if name == "serve"}
        elif isinstance(value, (list, tuple)):
            found[name] = ", ".join(map(str, value))
        else:
            found[name] = value
    return {name: value for name, value in found.items() if value != ""}
