"""A workload written without Python: a torchvision model, and a folder of images."""

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from spaces.given_path import given_path
from spaces.setting_error import SettingError, unknown_key

FAMILY = "torchvision:"
_MODEL = rf"{FAMILY}\w+"
_WEIGHTS = r"[A-Z][A-Z0-9_]*"
_FILE = ".safetensors"
_NUMBERS = {"image_size": (8, 2048), "epochs": (1, 10_000), "batch_size": (2, 65_536)}
_HIGHEST_RATE = 10
_MEANINGS = {
    "model": "torchvision: and the name of a classification model, such as torchvision:resnet18",
    "data": "imagefolder: and a folder that holds train, val and test, each with a folder for every class",
    "weights": "DEFAULT or another name of torchvision's weights to start from, or FILE.safetensors with trained ones",
    "image_size": "side of the images in pixels",
    "epochs": "passes over the training images",
    "batch_size": "images per optimiser step",
    "learning_rate": "peak of the one-cycle schedule",
}
KEYS = tuple(_MEANINGS)
NEEDED = ("model", "data")
_IMAGES = "imagefolder"


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
        return Path(self.weights) if self.weights and self.weights.endswith(_FILE) else None

    @property
    def name(self) -> str:
        """``resnet18-flowers`` for a resnet18 on a folder called flowers."""
        return re.sub(r"[^A-Za-z0-9._-]+", "-", f"{self.model}-{Path(self.images).name}")[:100]

    def to_mapping(self) -> dict[str, Any]:
        """The mapping that `read_settings` reads into these settings, with absolute paths."""
        rest = {k: v for k, v in asdict(self).items() if k not in ("model", "images") and v is not None}
        return {"model": FAMILY + self.model, "data": {"imagefolder": self.images}, **rest}


def settings_schema() -> dict[str, Any]:
    """The JSON schema of the mapping that `read_settings` takes; no file and no folder is looked for."""
    kinds: dict[str, dict[str, Any]] = {
        "model": {"type": "string", "pattern": f"^{_MODEL}$"},
        "data": {
            "type": "object",
            "properties": {_IMAGES: {"type": "string", "minLength": 1}},
            "required": [_IMAGES],
            "additionalProperties": False,
        },
        "weights": {"type": ["string", "null"], "pattern": f"^({_WEIGHTS}|.*{re.escape(_FILE)})$"},
        "learning_rate": {"type": "number", "exclusiveMinimum": 0, "maximum": _HIGHEST_RATE},
    }
    for key, (least, most) in _NUMBERS.items():
        kinds[key] = {"type": "integer", "minimum": least, "maximum": most}
    return {
        "type": "object",
        "properties": {key: {"description": meaning, **kinds[key]} for key, meaning in _MEANINGS.items()},
        "required": list(NEEDED),
        "additionalProperties": False,
    }


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
    for key in NEEDED:
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
    if not isinstance(given, str) or not re.fullmatch(_MODEL, given):
        raise SettingError(
            "give torchvision: and a model's name, such as torchvision:resnet18; a model of your own needs a file.py",
            ("model",),
        )
    return given.removeprefix(FAMILY)


def _image_folder(given: object, base: Path) -> str:
    if not isinstance(given, Mapping) or not given:
        raise SettingError("give imagefolder: and the folder that holds train, val and test", ("data",))
    for key in given:
        if key != _IMAGES:
            raise unknown_key(key, (_IMAGES,), ("data", key), "data")
    at = ("data", _IMAGES)
    if not isinstance(given[_IMAGES], str) or not given[_IMAGES]:
        raise SettingError("give the folder that holds train, val and test", at)
    folder = _path(given[_IMAGES], base, at)
    if not folder.is_dir():
        raise SettingError(f"there is no folder {folder}; give the one that holds train, val and test", at)
    return str(folder)


def _weights(given: object, base: Path) -> str | None:
    if given is None:
        return None
    if isinstance(given, str) and given.endswith(_FILE):
        file = _path(given, base, ("weights",))
        if not file.is_file():
            raise SettingError(f"there is no file {file}; give a safetensors file or DEFAULT", ("weights",))
        return str(file)
    if isinstance(given, str) and re.fullmatch(_WEIGHTS, given):
        return given
    raise SettingError(
        "give DEFAULT or another name of torchvision's weights to start from, or FILE.safetensors with your own"
        " (safetensors.torch.save_file(model.state_dict(), FILE) writes one)",
        ("weights",),
    )


def _path(given: str, base: Path, at: tuple[str, ...]) -> Path:
    try:
        return given_path(given, base)
    except SettingError as error:
        raise SettingError(str(error), at) from error


def _whole(key: str, given: object, least: int, most: int) -> int:
    if not isinstance(given, int) or isinstance(given, bool) or not least <= given <= most:
        raise SettingError(f"give a whole number from {least} to {most}", (key,))
    return given


def _learning_rate(given: object) -> float:
    if not isinstance(given, (int, float)) or isinstance(given, bool) or not 0 < given <= _HIGHEST_RATE:
        raise SettingError(f"give a number above 0 and at most {_HIGHEST_RATE}", ("learning_rate",))
    return float(given)
