"""The contract of an inference runtime."""

import shutil
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, ClassVar

from numpy.typing import NDArray

from runners.inputs import Arrays, ExampleInputs
from spaces.configuration import Scalar

Predictor = Callable[..., NDArray[Any]]
"""From an array ``(n, *input_shape)`` for each input, in their order, float32, int64 or bool, to outputs float32
``(n, ...)``, which stay as they are after later calls.

It serves one caller at a time.
"""


@dataclass(frozen=True)
class Trained:
    """A trained network in the forms that backends lower from.

    Attributes:
        module: The network in eval mode, fp32.
        onnx: Makes an ONNX file of it, with a free batch dimension, the names of the inputs and an output ``output``;
            with a precision that is quantised after training the quantised one.
        example: One example, and what is known of each input.
        precision: One of `spaces.number_formats.NUMBER_FORMATS`.
        build: Makes the network as it was before it was trained or changed; None where that is not known.
        options: Settings of the runtime by name, from the techniques of the stage OPTIONS; what is left out is the
            runtime's default. What `Backend.open` needs of them is written beside the artifact.
        calibration: Gives examples, each a batch of one, on which a runtime that quantises the network finds ranges.
    """

    module: Any
    onnx: Callable[[], Path]
    example: ExampleInputs
    precision: str
    build: Callable[[], Any] | None = None
    options: Mapping[str, Scalar] = field(default_factory=dict)
    calibration: Callable[[], Sequence[Arrays]] = tuple


class Backend(ABC):
    """The contract of a file in ``runners/backends``, which declares one instance as ``BACKEND``.

    Importing the file imports no runtime: `lower` and `open` do, so that a process that serves one runtime
    loads that one alone.
    """

    name: ClassVar[str]
    artifact: ClassVar[str]
    """Name of the main file that it writes."""
    precisions: ClassVar[tuple[str, ...]]
    packages: ClassVar[tuple[str, ...]]
    """Names, for both ``import`` and ``pip``, of what it needs; the first is the runtime itself. Their versions decide
    the artifact's key."""
    reads_onnx: ClassVar[bool] = False
    """Whether `lower` asks for the ONNX file."""
    runs_code: ClassVar[bool] = True
    """Whether opening its artifact can run code that the artifact holds; such an artifact is opened only where it is
    trusted."""
    by_default: ClassVar[bool] = True
    """Whether a space that offers ``all`` runtimes offers it; one whose lowering takes long is asked for by name."""
    tried_before_search: ClassVar[bool] = False
    """Whether a search that names it tries to lower the network first, as it often lacks an operator; one that does
    not read ONNX."""
    on_accelerator: ClassVar[bool] = False
    """Whether it computes on the accelerator where there is one, else on the processor alone."""
    for_this_machine: ClassVar[bool] = False
    """Whether its artifact depends on the machine that wrote it, such as machine code; then the machine is in its key.
    """
    compiles: ClassVar[bool] = False
    """Whether `lower` runs a compiler, which may crash or never end: it is called in a process of its own then, which
    is ended where it takes too long."""
    takes: ClassVar[tuple[str, ...]] = ()
    """Names of the settings that it takes through `Trained.options`, each a parameter of a technique of the stage
    OPTIONS, which is drawn for such runtimes alone."""
    quantisation: ClassVar[Mapping[str, Scalar]] = {}
    """Settings of quantisation after training with which it is fastest; a choice wins over them."""
    only_products: ClassVar[tuple[str, ...]] = ()
    """Those of `precisions` that change the weights of matrix products alone, and leave convolutions as they are."""
    takes_tensors: ClassVar[bool] = False
    """Whether ``predict.py`` calls it with tensors of torch, which its own package does not install."""
    quantises: ClassVar[bool] = False
    """Whether `lower` quantises to int8 itself, on `Trained.calibration`, and reads no quantised ONNX file; then no
    choice of how int8 is quantised is drawn for it."""
    lacks: ClassVar[Mapping[str, str]] = {}
    """Why it does not run a number format, by the name of the format, where that is known: the limit of its library."""
    rough_because: ClassVar[str] = ""
    """Why its fp32 may be less precise than PyTorch's, where that is known: the limit of its library."""
    skips_layers: ClassVar[bool] = False
    """Whether it leaves layers out for some inputs where a network does so, as with an early exit."""
    runs_all_because: ClassVar[str] = ""
    """Why it does not, where that is known: the limit of its library."""
    extra: ClassVar[str] = ""
    """The extra of `frontrunner` that installs them; empty where the default installation does, or no extra can."""
    note: ClassVar[str] = ""
    """What has to be known of it before it is chosen, in a sentence."""

    @property
    def install(self) -> str:
        """The command that installs what it needs."""
        missing = [package for package in self.packages if find_spec(package) is None]
        names = (f"frontrunner[{self.extra}]",) if self.extra else missing or self.packages
        return f"pip install {' '.join(map(repr, names))}"

    def unsupported(self) -> str | None:
        """Why it cannot be used here, or None where it can."""
        return f"needs `{self.install}`" if any(find_spec(package) is None for package in self.packages) else None

    def examine(self) -> Mapping[str, Sequence[Scalar]]:
        """Import the runtime; the values of its options that it offers here, by name, where machines differ in them.

        It is called in a process of its own, where what it needs is installed, since an import may fail or crash.
        """
        for package in self.packages:
            import_module(package)
        return {}

    @abstractmethod
    def lower(self, trained: Trained, folder: Path) -> None:
        """Write the artifact into the empty ``folder``."""

    @abstractmethod
    def open(self, folder: Path, *, threads: int, batch: int, build: Callable[[], Any] | None = None) -> Predictor:
        """Load the artifact for calls of ``batch`` inputs on ``threads`` threads.

        Args:
            folder: What `lower` or `ship` wrote.
            threads: Threads of one call.
            batch: Inputs of one call; other sizes work and may be slower.
            build: Makes the untrained network, for an artifact that holds weights alone.
        """

    def ship(self, folder: Path, destination: Path, build: Callable[[], Any], example: ExampleInputs) -> None:
        """Write what a machine without Frontrunner can load from what `lower` wrote; by default the same files."""
        for file in sorted(folder.iterdir()):
            shutil.copyfile(file, destination / file.name)

    @abstractmethod
    def loader_source(self) -> str:
        """Python source of ``load(folder, threads)`` for ``predict.py``: this runtime and numpy only.

        It defines ``load``, which returns a function from an array for each input, in their order, to a float32 array.
        """
