"""How a network is trained, from which epoch to which, and between which files; it does not import torch."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from spaces.environment import Environment
from spaces.plans import TrainingPlan


@dataclass(frozen=True)
class TrainingSettings:
    """How a network is trained on one kind of machine.

    Attributes:
        plan: How to train.
        autocast: Number format of the forward pass, ``bf16`` or ``fp32``.
        accelerator: Kind of accelerator, such as ``cuda``, or None for the processor: the weights differ with it.
    """

    plan: TrainingPlan
    autocast: str = "fp32"
    accelerator: str | None = None

    @classmethod
    def on(cls, machine: Environment, plan: TrainingPlan) -> "TrainingSettings":
        """The settings for ``plan`` on ``machine``: autocast to bf16 where its hardware multiplies matrices in it.

        Instructions for vectors (``avx512_bf16``) are not enough. On a Xeon with these alone, steps in bf16 took 1.1
        times as long as in fp32 for ResNet-18 on 128 pictures of 32x32, and 1.2 times with a quarter of its width, both
        with ``channels_last`` (medians of 6 and 12 pairs, one thread and two).
        """
        if machine.accelerators:
            return cls(plan, "bf16" if machine.accelerator_bf16 else "fp32", machine.accelerator)
        return cls(plan, "bf16" if "amx_bf16" in machine.cpu_flags else "fp32")

    @classmethod
    def from_json(cls, settings: Mapping[str, Any]) -> "TrainingSettings":
        """What `to_json` gave; other keys may stand beside."""
        plan = TrainingPlan(**{field.name: settings[field.name] for field in fields(TrainingPlan)})
        return cls(plan, settings["autocast"], settings.get("accelerator"))

    def to_json(self) -> dict[str, Any]:
        """The fields of the plan, ``autocast``, and ``accelerator`` where there is one."""
        kind = {} if self.accelerator is None else {"accelerator": self.accelerator}
        return {**asdict(self.plan), "autocast": self.autocast, **kind}


@dataclass(frozen=True)
class Level:
    """One level of a training: the epochs after which candidates compete.

    Attributes:
        settings: How to train; the learning rate follows the schedule of all epochs of the plan.
        epochs: The epochs of this level, counted from 0.
        seed: Decides order and augmentation, the same in every worker.
    """

    settings: TrainingSettings
    epochs: range
    seed: int

    @classmethod
    def whole(cls, settings: TrainingSettings, seed: int) -> "Level":
        """All epochs of the plan in one level."""
        return cls(settings, range(settings.plan.epochs), seed)

    @classmethod
    def from_json(cls, settings: Mapping[str, Any], seed: int) -> "Level":
        """The level that `to_json` gave."""
        epochs = range(settings["from_epoch"], settings["to_epoch"])
        return cls(TrainingSettings.from_json(settings), epochs, seed)

    def to_json(self) -> dict[str, Any]:
        """Those of the settings, ``from_epoch`` and ``to_epoch``; the seed is kept apart."""
        return {**self.settings.to_json(), "from_epoch": self.epochs.start, "to_epoch": self.epochs.stop}


@dataclass(frozen=True)
class LevelFolders:
    """Where a level reads and writes.

    Attributes:
        parent: Holds the network's weights, and the state of the training where this is not the first level.
        teacher: Holds the teacher's weights; None without distillation.
        result: Where the trained network goes.
        soft_targets: Holds what the teacher gives for the batches of the level; None where it is called for each.
    """

    parent: Path
    teacher: Path | None
    result: Path
    soft_targets: Path | None = None
