"""A workload written without Python: a torchvision model, and a folder of images."""

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from spaces.setting_error import SettingError, unknown_key

FAMILY = "torchvision:"
KEYS = ("model", "data", "weights", "image_size", "epochs", "batch_size", "learning_rate")
_NUMBERS = {"image_size": (8, 2048), "epochs": (1, 10_000), "batch_size": (2, 65_536)}


@dataclass(frozen=True)
class TorchvisionSettings:
    """What a mapping may say of a workload; what is None is chosen when the workload is made.

    Attributes:
        model: Name of a classification model of torchvision, without the family in front.
        images: Absolute folder that holds train, validation (or val) and test, each with a folder a class.
        weights: ``DEFAULT`` or another name of torchvision's downloads, a safetensors file, or None to start afresh.
        image_size: Side of the square images in pixels.
        epochs: Passes over the training split.
        batch_size: Images per optimiser step.
        learning_rate: The peak of the one-cycle schedule.
    """

    model: str
    images: str
    weights: str | None = None
    image_size: int | None = None
    epochs: int = 20
    batch_size: int = 128
    learning_rate: float | None = None

    @property
    def own_weights(self) -> Path | None:
        """The person's own trained weights, where they gave some."""
        return Path(self.weights) if self.weights and self.weights.endswith(".safetensors") else None

    @property
    def name(self) -> str:
        """``resnet18-flowers`` for a resnet18 on a folder called flowers."""
        return re.sub(r"[^A-Za-z0-9._-]+", "-", f"{self.model}-{Path(self.images).name}")[:100]

    def to_mapping(self) -> dict[str, Any]:
        """The mapping that `read_settings` reads into these settings, with absolute paths."""
        rest = {k: v for k, v in asdict(self).items() if k not in ("model", "images") and v is not None}
        return {"model": FAMILY + self.model, "data": {"imagefolder": self.images}, **rest}


def read_settings(given: Mapping[str, Any], base: Path) -> TorchvisionSettings:
    """Check a mapping and fill it up; neither torch nor the images are needed.

    Args:
        given: ``{"model": "torchvision:resnet18", "data": {"imagefolder": DIR}, ...}``.
        base: The folder that relative paths start from.

    Raises:
        SettingError: A key is unknown or missing, a value is not allowed, or a folder or file does not exist.
    """
    for key in given:
        if key not in KEYS:
            raise unknown_key(key, KEYS, (key,), "workload")
    for key in ("model", "data"):
        if key not in given:
            raise SettingError(f"a workload without Python needs {key!r}; it has {', '.join(given) or 'nothing'}", ())
    numbers = {key: _whole(key, given[key], *limits) for key, limits in _NUMBERS.items() if key in given}
    return TorchvisionSettings(
        _model(given["model"]),
        _image_folder(given["data"], base),
        _weights(given.get("weights"), base),
        learning_rate=_learning_rate(given["learning_rate"]) if "learning_rate" in given else None,
        **numbers,
    )


def _model(given: object) -> str:
    if not isinstance(given, str) or not re.fullmatch(r"torchvision:\w+", given):
        raise SettingError(
            "give torchvision: and a model's name, such as torchvision:resnet18; a model of your own needs a file.py",
            ("model",),
        )
    return given.removeprefix(FAMILY)


def _image_folder(given: object, base: Path) -> str:
    if not isinstance(given, Mapping) or not given:
        raise SettingError("give imagefolder: and the folder that holds train, val and test", ("data",))
    for key in given:
        if key != "imagefolder":
            raise unknown_key(key, ("imagefolder",), ("data", key), "data")
    at = ("data", "imagefolder")
    if not isinstance(given["imagefolder"], str) or not given["imagefolder"]:
        raise SettingError("give the folder that holds train, val and test", at)
    folder = (base / Path(given["imagefolder"]).expanduser()).resolve()
    if not folder.is_dir():
        raise SettingError(f"there is no folder {folder}; give the one that holds train, val and test", at)
    return str(folder)


def _weights(given: object, base: Path) -> str | None:
    if given is None:
        return None
    if isinstance(given, str) and given.endswith(".safetensors"):
        file = (base / Path(given).expanduser()).resolve()
        if not file.is_file():
            raise SettingError(f"there is no file {file}; give a safetensors file or DEFAULT", ("weights",))
        return str(file)
    if isinstance(given, str) and re.fullmatch(r"[A-Z][A-Z0-9_]*", given):
        return given
    raise SettingError(
        "give DEFAULT or another name of torchvision's weights to start from, or FILE.safetensors with your own"
        " (safetensors.torch.save_file(model.state_dict(), FILE) writes one)",
        ("weights",),
    )


def _whole(key: str, given: object, least: int, most: int) -> int:
    if not isinstance(given, int) or isinstance(given, bool) or not least <= given <= most:
        raise SettingError(f"give a whole number from {least} to {most}", (key,))
    return given


def _learning_rate(given: object) -> float:
    if not isinstance(given, (int, float)) or isinstance(given, bool) or not 0 < given <= 10:
        raise SettingError("give a number above 0 and at most 10", ("learning_rate",))
    return float(given)
