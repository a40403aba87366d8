"""A workload written without Python, or with a function that makes the network: a model, and a folder of images."""

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from runners.workload_loading.weights_settings import (
    FILES,
    NAMES,
    TIMM,
    TORCHVISION,
    path_setting,
    read_new_head,
    read_weights_setting,
)
from spaces.errors import RequestError
from spaces.named_networks.torchvision_names import classifier_problem
from spaces.plans import FIELD_SCHEMAS, TrainingPlan
from spaces.setting_error import SettingError, unknown_key

_NAMED = rf"({TORCHVISION}:\w+|{TIMM}:[\w.]+)"
_PROGRAM = r".+\.(pt2|pt|ts)"
_FUNCTION = r"(.+\.py|[A-Za-z_]\w*(\.[A-Za-z_]\w*)*):[A-Za-z_]\w*"
_NUMBERS = {"image_size": (8, 2048), "epochs": (1, 10_000), "batch_size": (2, 65_536)}
_MOST_SEED = 2**32 - 1
_HIGHEST_RATE = 10
_MEANINGS = {
    "model": "torchvision:resnet18 or another classification model of torchvision, timm:NAME where timm is installed, "
    "FILE.py:function or package.module:function that makes the network, or FILE.pt2 of torch.export or FILE.pt of "
    "TorchScript, which is neither trained nor changed",
    "data": "imagefolder: and a folder of images with a folder for every class, divided into train, val and test or "
    "not; split: a seed to divide it by, or a CSV file with the columns file, class and split",
    "weights": "DEFAULT or another name of torchvision's weights to start from, or a file with trained ones: "
    "safetensors, or a state dict of torch.save",
    "new_head": "true where the file of weights is of other classes: without its head, the training starts from it",
    "image_size": "side of the images in pixels",
    "epochs": "passes over the training images",
    "batch_size": "images per optimiser step",
    "learning_rate": "peak of the schedule",
    "training": "how else it is trained: optimiser, schedule, warmup, weight_decay, label_smoothing, mixup, "
    "gradient_clipping, accumulation, ema, trainable, layer_decay",
}
KEYS = tuple(_MEANINGS)
NEEDED = ("model", "data")
_TRAINING = {
    name: FIELD_SCHEMAS[name]
    for name in (
        *("optimiser", "schedule", "weight_decay", "warmup", "label_smoothing"),
        *("mixup", "gradient_clipping", "accumulation", "ema", "trainable", "layer_decay"),
    )
}
"""The fields of a `TrainingPlan` that a mapping may set under ``training``, each with its JSON schema."""
_IMAGES, _SPLIT = "imagefolder", "split"


@dataclass(frozen=True)
class ImageSettings:
    """What a mapping may say of a workload; what is None is chosen when the workload is made.

    Attributes:
        model: ``torchvision:NAME``, ``timm:NAME``, ``PLACE:function`` with an absolute file or a module, or an absolute
            file with a program.
        images: Absolute folder of the images.
        split: A CSV file that says which image belongs where, or the seed by which a folder that is not divided is.
        weights: ``DEFAULT`` or another name of downloads, an absolute file, or None to start afresh.
        new_head: Whether a file of weights is started from, without those of its head.
        image_size: Side of the square images in pixels.
        epochs: Passes over the training split.
        batch_size: Images per optimiser step.
        learning_rate: The peak of the schedule.
        training: Other fields of the `TrainingPlan`, by name.
    """

    model: str
    images: str
    split: str | int = 0
    weights: str | None = None
    new_head: bool = False
    image_size: int | None = None
    epochs: int = 20
    batch_size: int = 128
    learning_rate: float | None = None
    training: Mapping[str, Any] = field(default_factory=dict)

    @property
    def program(self) -> Path | None:
        """The file of a program of torch.export or TorchScript, where that is the model."""
        return Path(self.model) if re.fullmatch(_PROGRAM, self.model) else None

    @property
    def family(self) -> str:
        """``torchvision``, ``timm``, the place of the function that makes the network, or empty for a program."""
        return "" if self.program else self.model.rpartition(":")[0]

    @property
    def model_name(self) -> str:
        """The name of the network, of the function that makes it, or of the program's file."""
        return self.program.stem if self.program else self.model.rpartition(":")[2]

    @property
    def division(self) -> Path | int:
        """``split``, as `runners.datasets.image_list.find_images` takes it."""
        return Path(self.split) if isinstance(self.split, str) else self.split

    @property
    def own_weights(self) -> Path | None:
        """The person's own trained weights, where they gave some."""
        return Path(self.weights) if self.weights and self.weights.endswith(FILES) else None

    @property
    def pretrained(self) -> bool:
        """Whether the weights are those of the teacher, and not trained again."""
        return self.program is not None or (self.own_weights is not None and not self.new_head)

    @property
    def name(self) -> str:
        """``resnet18-flowers`` for a resnet18 on a folder called flowers."""
        return re.sub(r"[^A-Za-z0-9._-]+", "-", f"{self.model_name}-{Path(self.images).name}")[:100]

    def to_mapping(self) -> dict[str, Any]:
        """The mapping that `read_settings` reads into these settings, with absolute paths."""
        data = {_IMAGES: self.images, **({_SPLIT: self.split} if self.split != 0 else {})}
        given = ("model", "images", "split")
        rest = {
            key: value for key, value in asdict(self).items() if key not in given and value not in (None, {}, False)
        }
        return {"model": self.model, "data": data, **rest}


def settings_schema() -> dict[str, Any]:
    """The JSON schema of the mapping that `read_settings` takes; no file and no folder is looked for."""
    kinds: dict[str, dict[str, Any]] = {
        "model": {"type": "string", "pattern": f"^({_NAMED}|{_FUNCTION}|{_PROGRAM})$"},
        "data": {
            "type": "object",
            "properties": {
                _IMAGES: {"type": "string", "minLength": 1},
                _SPLIT: {
                    "anyOf": [
                        {"type": "integer", "minimum": 0, "maximum": _MOST_SEED},
                        {"type": "string", "pattern": r"\.csv$"},
                    ]
                },
            },
            "required": [_IMAGES],
            "additionalProperties": False,
        },
        "weights": {"type": ["string", "null"], "pattern": f"^({NAMES}|.*({'|'.join(map(re.escape, FILES))}))$"},
        "new_head": {"type": "boolean"},
        "learning_rate": {"type": "number", "exclusiveMinimum": 0, "maximum": _HIGHEST_RATE},
        "training": {"type": "object", "properties": _TRAINING, "additionalProperties": False},
    }
    for key, (least, most) in _NUMBERS.items():
        kinds[key] = {"type": "integer", "minimum": least, "maximum": most}
    return {
        "type": "object",
        "properties": {key: {"description": meaning, **kinds[key]} for key, meaning in _MEANINGS.items()},
        "required": list(NEEDED),
        "additionalProperties": False,
    }


def read_settings(given: Mapping[str, Any], base: Path) -> ImageSettings:
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
    model = _model(given["model"], base)
    images, split = _data(given["data"], base)
    weights = read_weights_setting(given.get("weights"), model, base, program=bool(re.fullmatch(_PROGRAM, model)))
    return ImageSettings(
        model,
        images,
        split,
        weights,
        read_new_head(given.get("new_head", False), weights),
        learning_rate=_learning_rate(given["learning_rate"]) if "learning_rate" in given else None,
        training=_training(given.get("training", {})),
        **numbers,
    )


def _model(given: object, base: Path) -> str:
    if not isinstance(given, str) or not re.fullmatch(rf"{_NAMED}|{_FUNCTION}|{_PROGRAM}", given):
        raise SettingError(
            "give torchvision: and a model's name, such as torchvision:resnet18, timm:NAME, or FILE.py:function or "
            "package.module:function that makes the network, or FILE.pt2 or FILE.pt with a program",
            ("model",),
        )
    if re.fullmatch(_PROGRAM, given):
        file = path_setting(given, base, ("model",))
        if not file.is_file():
            raise SettingError(f"there is no file {file}; give a program of torch.export or TorchScript", ("model",))
        return str(file)
    place, _, name = given.rpartition(":")
    if place == TORCHVISION and (problem := classifier_problem(name)):
        raise SettingError(problem, ("model",))
    if not place.endswith(".py"):
        return given
    file = path_setting(place, base, ("model",))
    if not file.is_file():
        raise SettingError(f"there is no file {file}; give the one with the function {name}", ("model",))
    return f"{file}:{name}"


def _data(given: object, base: Path) -> tuple[str, str | int]:
    """The folder, and how it is divided."""
    at = ("data", _IMAGES)
    if not isinstance(given, Mapping) or not given:
        raise SettingError("give imagefolder: and the folder that holds train, val and test, or classes", ("data",))
    for key in given:
        if key not in (_IMAGES, _SPLIT):
            raise unknown_key(key, (_IMAGES, _SPLIT), ("data", key), "data")
    if not isinstance(given.get(_IMAGES), str) or not given[_IMAGES]:
        raise SettingError("give the folder that holds train, val and test, or classes", at)
    folder = path_setting(given[_IMAGES], base, at)
    if not folder.is_dir():
        raise SettingError(f"there is no folder {folder}; give the one that holds train, val and test, or classes", at)
    return str(folder), _split(given.get(_SPLIT, 0), base)


def _split(given: object, base: Path) -> str | int:
    at = ("data", _SPLIT)
    if isinstance(given, int) and not isinstance(given, bool) and 0 <= given <= _MOST_SEED:
        return given
    if not isinstance(given, str) or not given.endswith(".csv"):
        raise SettingError("give a whole number, the seed to divide by, or FILE.csv with file, class and split", at)
    file = path_setting(given, base, at)
    if not file.is_file():
        raise SettingError(f"there is no file {file}; give a CSV file with the columns file, class and split", at)
    return str(file)


def _training(given: object) -> dict[str, Any]:
    at = ("training",)
    if not isinstance(given, Mapping):
        raise SettingError("give a mapping, such as {optimiser: adamw, schedule: cosine}", at)
    for key in given:
        if key not in _TRAINING:
            raise unknown_key(key, tuple(_TRAINING), (*at, key), "training")
        try:
            TrainingPlan(**{key: given[key]})
        except RequestError as error:
            raise SettingError(str(error).partition("; ")[2], (*at, key)) from error
    return dict(given)


def _whole(key: str, given: object, least: int, most: int) -> int:
    if not isinstance(given, int) or isinstance(given, bool) or not least <= given <= most:
        raise SettingError(f"give a whole number from {least} to {most}", (key,))
    return given


def _learning_rate(given: object) -> float:
    if not isinstance(given, (int, float)) or isinstance(given, bool) or not 0 < given <= _HIGHEST_RATE:
        raise SettingError(f"give a number above 0 and at most {_HIGHEST_RATE}", ("learning_rate",))
    return float(given)
