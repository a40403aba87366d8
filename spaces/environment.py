"""The machine that measures and its software, on which the available choices depend."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True)
class BackendFacts:
    """What one inference runtime supports here.

    Attributes:
        precisions: Number formats that it supports, of `spaces.number_formats.NUMBER_FORMATS`.
        unsupported: Why it cannot be used here, or None.
        by_default: Whether it is offered where a space does not name runtimes.
        options: The values of its options that it offers here, by name, where machines differ in them.
        on_accelerator: Whether it computes on the accelerator of this machine.
        takes: Names of the settings that it takes, each a parameter of a technique.
        quantiser: The tool that quantises an ONNX file for it unless another is chosen; empty where it runs none.
        quantises: Whether it quantises a network to int8 itself, and reads no quantised ONNX file.
        lacks: Why it does not run a number format, by the name of the format, where that is known.
        skips_layers: Whether it can leave layers of a network out for some inputs.
        runs_all_because: Why it cannot, where that is known.
    """

    precisions: tuple[str, ...]
    unsupported: str | None = None
    by_default: bool = True
    options: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
    on_accelerator: bool = False
    takes: tuple[str, ...] = ()
    quantiser: str = ""
    quantises: bool = False
    lacks: Mapping[str, str] = field(default_factory=dict)
    skips_layers: bool = False
    runs_all_because: str = ""


EAGER = BackendFacts(("fp32",), skips_layers=True)
"""PyTorch as it is, which every machine has."""


@dataclass(frozen=True)
class ModelLimit:
    """Choices that cannot be made with the workload's network, as a trial of them or its layers showed.

    Attributes:
        choices: The values of parameters; alone or together they fail, or change nothing.
        reason: What happens.
    """

    choices: Mapping[str, Any]
    reason: str

    def covers(self, choices: Mapping[str, Any]) -> bool:
        """Whether ``choices`` make these changes, perhaps among others."""
        return all(name in choices and choices[name] == value for name, value in self.choices.items())


@dataclass(frozen=True)
class Environment:
    """The machine that measures, and the software on it.

    Attributes:
        device: One line that names the hardware, such as ``AMD EPYC, 2 cores``.
        cpu_cores: Cores that a process may use.
        cpu_flags: Instruction sets that a precision needs, as Linux names them.
        accelerators: Number of accelerators (``torch.accelerator``), 0 without one.
        accelerator: Its kind (``cuda``, ``xpu``, ...) or an empty string.
        accelerator_bf16: Whether it supports bf16 in hardware.
        accelerator_capability: Compute capability of an NVIDIA GPU, such as (8, 0); empty elsewhere.
        backends: The inference runtimes by name.
        missing: Optional packages that are not installed, each with how to install it.
        model_limits: Choices that cannot be made with the workload's network.
        training_epochs: Epochs of the training plan of the workload.
        learning_rate: That of the same plan.
        training_batch: Examples of one optimiser step of the same plan, of all workers together; None where it is not
            known.
        own_fit: Whether the workload trains by a loop of its own.
        fit_takes_teacher: Whether that loop can learn from the teacher.
        own_loss: Whether the workload brings a loss of its own, so that training does not know what its outputs mean.
        cannot_train: Why nothing can be trained on the workload's data, or an empty string.
        baseline_threads: Threads of one call of the baseline: the number with which it is fastest here, once it was
            timed.
        baseline_tuned: Whether the baseline runs on an accelerator with TF32 and channels_last.
        call_batch: Inputs of one call, where the use is given for which all is timed; else None.
        call_threads: Threads of one call, where they are given; else None.
    """

    device: str = "this machine"
    cpu_cores: int = 1
    cpu_flags: tuple[str, ...] = ()
    accelerators: int = 0
    accelerator: str = ""
    accelerator_bf16: bool = False
    accelerator_capability: tuple[int, ...] = ()
    backends: Mapping[str, BackendFacts] = field(default_factory=lambda: {"eager": EAGER})
    missing: Mapping[str, str] = field(default_factory=dict)
    model_limits: tuple[ModelLimit, ...] = ()
    training_epochs: int = 8
    learning_rate: float = 0.2
    training_batch: int | None = None
    own_fit: bool = False
    fit_takes_teacher: bool = False
    own_loss: bool = False
    cannot_train: str = ""
    baseline_threads: int = 1
    baseline_tuned: bool = False
    call_batch: int | None = None
    call_threads: int | None = None

    def takes(self, option: str, runtime: object) -> bool:
        """Whether the inference runtime of that name takes a setting called ``option``."""
        facts = self.backends.get(str(runtime))
        return facts is not None and option in facts.takes

    def quantises(self, runtime: object) -> bool:
        """Whether the inference runtime of that name quantises a network itself."""
        facts = self.backends.get(str(runtime))
        return facts is not None and facts.quantises

    def to_json(self) -> dict[str, Any]:
        """A dictionary of plain JSON types; `from_json` gives the same environment back."""
        return asdict(self)

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> "Environment":
        """The environment that `to_json` wrote."""
        backends = {
            name: BackendFacts(
                tuple(facts["precisions"]),
                facts["unsupported"],
                facts.get("by_default", True),
                {option: tuple(values) for option, values in facts.get("options", {}).items()},
                facts.get("on_accelerator", False),
                tuple(facts.get("takes", ())),
                facts.get("quantiser", ""),
                facts.get("quantises", False),
                facts.get("lacks", {}),
                facts.get("skips_layers", False),
                facts.get("runs_all_because", ""),
            )
            for name, facts in document["backends"].items()
        }
        converted = {
            "cpu_flags": tuple(document["cpu_flags"]),
            "accelerator_capability": tuple(document.get("accelerator_capability", ())),
            "backends": backends,
            "model_limits": tuple(ModelLimit(limit["choices"], limit["reason"]) for limit in document["model_limits"]),
        }
        return cls(**{**document, **converted})
