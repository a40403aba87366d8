"""What runtimes lack for a workload's own network: those that often lack an operator try it once, before a search."""

import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from runners.backend import Backend, Trained
from runners.backends import all_backends, backend_names
from runners.workload import Workload
from spaces.environment import ModelLimit
from spaces.errors import WorkFailed, in_one_line
from spaces.network_changes.parametrisations import remove_parametrisations


def find_runtime_limits(workload: Workload, choices: Mapping[str, Any] | None = None) -> tuple[ModelLimit, ...]:
    """The runtimes among ``choices`` that cannot be given the network of ``workload``, each with the reason.

    Only runtimes are tried that say so (`runners.backend.Backend.tried_before_search`), where a space names them. One
    that takes the network is tried with the other number formats that the space names, too.

    Args:
        workload: Its network need not be trained.
        choices: ``{parameter: [values]}`` as `make_space` takes it.
    """
    named = _named(choices, "runtime", backend_names())
    tried = [backend for name, backend in all_backends().items() if name in named and backend.tried_before_search]
    return tuple(
        limit
        for backend in tried
        if backend.unsupported() is None
        for limit in _limits(workload, backend, _named(choices, "numeric_precision", backend.precisions))
    )


def _named(choices: Mapping[str, Any] | None, parameter: str, every: tuple[str, ...]) -> tuple[str, ...]:
    given = (choices or {}).get(parameter, ())
    return every if given == "every" else (given,) if isinstance(given, str) else tuple(given)


def _limits(workload: Workload, backend: Backend, formats: tuple[str, ...]) -> Iterator[ModelLimit]:
    if reason := _failure(workload, backend, "fp32"):
        yield ModelLimit({"runtime": backend.name}, reason)
        return
    for each in backend.precisions:
        if each != "fp32" and each in formats and (reason := _failure(workload, backend, each)):
            yield ModelLimit({"runtime": backend.name, "numeric_precision": each}, reason)


def _failure(workload: Workload, backend: Backend, precision: str) -> str | None:
    """Why ``backend`` cannot lower a new network of ``workload`` in ``precision``, or None."""
    network = workload.network().eval()
    remove_parametrisations(network)
    with tempfile.TemporaryDirectory() as place:
        trained = Trained(
            network, lambda: Path(place) / "none.onnx", workload.example_inputs, precision, workload.network
        )
        try:
            backend.lower(trained, Path(place))
        except WorkFailed as error:
            return in_one_line(error, limit=200)
    return None
