"""What a timing opens: the lowered artifact of a candidate, and the baseline."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runners.backend import Predictor
from runners.backends import find_backend


@dataclass(frozen=True)
class Artifact:
    """A lowered artifact: the folder of its files, the name of its backend, and the threads of one call."""

    folder: Path
    runtime: str
    threads: int

    def open(self, build: Callable[[], Any], batch: int = 1) -> Predictor:
        """A predictor for calls of ``batch`` inputs; ``build`` makes the network where the files hold weights alone."""
        return find_backend(self.runtime).open(self.folder, threads=self.threads, batch=batch, build=build)


@dataclass(frozen=True)
class Baseline:
    """The teacher in eager fp32: the folder of its weights, or None for new ones, and the threads of one call.

    New weights take the same time.
    """

    folder: Path | None
    threads: int

    def open(self, build: Callable[[], Any]) -> Predictor:
        """A predictor; ``build`` makes the network with new weights."""
        from runners.lowering.torch_predictor import torch_predictor
        from runners.lowering.weights import load_network
        from spaces.parametrisations import remove_parametrisations

        network = load_network(build, self.folder) if self.folder else build().eval()
        remove_parametrisations(network)  # as its owner would do before serving it
        return torch_predictor(network, self.threads)
