"""Which runtimes lack an operator of a workload's own network: those that often do are tried once, before a search."""

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from runners.backend import Backend, Trained
from runners.backends import all_backends, backend_names
from runners.workload import Workload
from spaces.environment import ModelLimit
from spaces.errors import WorkFailed, in_one_line
from spaces.parametrisations import remove_parametrisations


def find_runtime_limits(workload: Workload, choices: Mapping[str, Any] | None = None) -> tuple[ModelLimit, ...]:
    """The runtimes among ``choices`` that cannot be given the network of ``workload``, each with the reason.

    Only runtimes are tried that say so (`runners.backend.Backend.tried_before_search`), where a space names them.

    Args:
        workload: Its network need not be trained.
        choices: ``{parameter: [values]}`` as `make_space` takes it.
    """
    wanted = (choices or {}).get("runtime", ())
    named = backend_names() if wanted == "every" else [wanted] if isinstance(wanted, str) else [*wanted]
    tried = [backend for name, backend in all_backends().items() if name in named and backend.tried_before_search]
    reasons = {backend.name: _failure(workload, backend) for backend in tried if backend.unsupported() is None}
    return tuple(ModelLimit({"runtime": name}, reason) for name, reason in reasons.items() if reason)


def _failure(workload: Workload, backend: Backend) -> str | None:
    """Why ``backend`` cannot lower a new network of ``workload``, or None."""
    network = workload.network().eval()
    remove_parametrisations(network)
    with tempfile.TemporaryDirectory() as place:
        trained = Trained(network, lambda: Path(place) / "none.onnx", workload.example_inputs, "fp32", workload.network)
        try:
            backend.lower(trained, Path(place))
        except WorkFailed as error:
            return in_one_line(error, limit=200)
    return None
