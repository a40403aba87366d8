"""Registers an exported folder in MLflow as a model that can be loaded and served anywhere."""

import json
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from dashboards.formatting import interval_text, quality_text, times
from dashboards.registry import frontrunner_model
from dashboards.registry.champion import claims_of, why_not_better
from dashboards.registry.registered import CHAMPION, Registered
from dashboards.tracking.experiment_page import plain
from dashboards.tracking.mlflow_store import RunLocation
from dashboards.tracking.tracker import adopt_home, import_mlflow
from runners.artifacts.sample import SAMPLE
from runners.metric import QualityMetric
from spaces.errors import RequestError


def register_model(location: RunLocation, name: str, folder: Path, run_id: str) -> Registered:
    """Add an exported folder to its trial's run as a new version of the registered model ``name``.

    The version's tags have its claims. The alias ``champion`` goes to the first version, and to a later one that is
    better than the champion beyond the intervals of both.

    Args:
        location: The study's place in MLflow.
        name: Name of the registered model, which is created where it is missing.
        folder: The exported folder.
        run_id: The trial's run.

    Raises:
        RequestError: MLflow refuses the name or the model, or does not answer.
    """
    document = json.loads((folder / "frontrunner.json").read_text(encoding="utf-8"))
    mlflow = import_mlflow()
    try:
        adopt_home(location)
        uri = location.tracking_uri
        client = mlflow.MlflowClient(tracking_uri=uri, registry_uri=uri)
        with tempfile.TemporaryDirectory() as place:
            save_model(mlflow, folder, document, Path(place) / "model", run_id)
            client.log_artifacts(run_id, str(Path(place) / "model"), "model")
        if not client.search_registered_models(f"name = '{name}'"):
            client.create_registered_model(name, description=_about_model(document))
        source = f"runs:/{run_id}/model"
        tags = {key: str(value) for key, value in claims_of(document).items()}
        made = client.create_model_version(name, source, run_id, tags=tags, description=_about_version(document))
        return _crown(client, name, made)
    except mlflow.exceptions.MlflowException as error:
        raise RequestError(f"--register {name}: MLflow refused it ({str(error).splitlines()[0][:200]})") from error


def save_model(mlflow: Any, folder: Path, document: Mapping[str, Any], destination: Path, run_id: str | None) -> None:
    """Write an exported folder as a pyfunc model with its signature, an input example and what it needs."""
    inputs = document.get("inputs") or [document["input"]]
    needed = (folder / "requirements.txt").read_text(encoding="utf-8").splitlines()
    mlflow.pyfunc.save_model(
        destination,
        loader_module=frontrunner_model.__name__.rpartition(".")[2],
        data_path=str(folder),
        code_paths=[frontrunner_model.__file__],
        mlflow_model=mlflow.models.Model(run_id=run_id),
        signature=_signature(mlflow, inputs, document["output"]),
        input_example=_example(folder, inputs),
        pip_requirements=[line for line in needed if line and not line.startswith("#")],
    )


def _signature(mlflow: Any, inputs: Sequence[Mapping[str, Any]], output: Mapping[str, Any]) -> Any:
    """Tensors with a free batch; several inputs have names, and one has none."""
    types = mlflow.types
    several = len(inputs) > 1
    tensors = [_tensor(types, each, each["name"] if several else None) for each in inputs]
    return mlflow.models.ModelSignature(types.Schema(tensors), types.Schema([_tensor(types, output, None)]))


def _tensor(types: Any, described: Mapping[str, Any], name: str | None) -> Any:
    shape = tuple(size if isinstance(size, int) else -1 for size in described["shape"])
    return types.TensorSpec(np.dtype(described["dtype"]), shape, name)


def _example(folder: Path, inputs: Sequence[Mapping[str, Any]]) -> Any:
    """The real sample of the folder: an array of one input, or one for each input by name; None without a sample."""
    file = folder / SAMPLE
    if not file.is_file():
        return None
    with np.load(file, allow_pickle=False) as found:
        arrays = {each["name"]: found[each["name"]] for each in inputs}
    return arrays if len(arrays) > 1 else next(iter(arrays.values()))


def _crown(client: Any, name: str, made: Any) -> Registered:
    """Give the alias to the version that was ``made``, where it is better than the one that has it."""
    known = client.get_registered_model(name).aliases.get(CHAMPION)
    reason = ""
    if known is not None:
        champion = client.get_model_version(name, known)
        reason = why_not_better(made.tags or client.get_model_version(name, made.version).tags, champion.tags)
    if not reason:
        client.set_registered_model_alias(name, CHAMPION, made.version)
    return Registered(name, str(made.version), str(known) if reason else str(made.version), reason)


def _about_model(document: Mapping[str, Any]) -> str:
    return (
        f"Models for {plain(document['workload'])} that `frontrunner export --register` wrote; tags have their claims."
    )


def _about_version(document: Mapping[str, Any]) -> str:
    """The claims in one sentence of Markdown."""
    claims, runtime = document["claims"], document["runtime"]
    metric = QualityMetric.of_front(document["measured"])
    interval = interval_text(*claims["speedup_ci95"])
    origin = ", ".join(f"{name} {value}" for name, value in document["origin"].items() if name != "workload")
    return (
        f"**{times(claims['speedup'])}x** as fast as the baseline (95 % {interval}) at {metric.name} "
        f"**{quality_text(claims['accuracy'], metric)}**, on {plain(document['measured']['device'])}. "
        f"{runtime['name']}, {runtime['precision']}; {plain(origin)}."
    )
