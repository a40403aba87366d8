"""``frontrunner init``: a study file to start from, and a workload file or what was found of a folder of images."""

import json
import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from spaces.errors import RequestError
from spaces.setting_error import SettingError

if TYPE_CHECKING:
    from runners.workload_loading.image_settings import ImageSettings

RUN = """\
# Run with:  frontrunner search study.yaml        Paths are relative to this file; flags win over it.
"""
PARTS_YAML = """\
study: parts                  # letters, digits, '.', '_' and '-'
workload: workload.py         # or digits, FILE.py:NAME, package.module:NAME
# workload:                   # a model of torchvision or timm on a folder of images, without any Python:
#   model: torchvision:resnet18           # or timm:NAME, or FILE.py:function, which makes the network
#   data: {imagefolder: images}           # a folder for every class, in each of train, val and test or not divided
#   weights: DEFAULT                      # start from the library's weights (downloads), or FILE.safetensors
"""
IMAGES_YAML = """\
study: {study}  # letters, digits, '.', '_' and '-'
workload:                     # a model on a folder of images
  model: {model}
  data:
    # {found}
    imagefolder: {images}{split}
  # weights: DEFAULT          # start from torchvision's weights (downloads), or FILE.safetensors with your own
  # image_size: 64            # side of the images in pixels; others are scaled and cut to it
  # learning_rate: 0.1        # peak of the one-cycle schedule
  epochs: {epochs}                  # passes over the training images
  batch_size: {batch_size}
"""
REST_YAML = """
space: cpu                    # a preset (quick, gpu, edge, full, ...), FILE.yaml, or the choices themselves:
# space:
#   student_width: [1.0, 0.5]
#   numeric_precision: [fp32, int8]
#   runtime: all              # everything that runs on this machine

objectives: [accuracy, speedup]
constraints:
  - accuracy_drop<=0.05       # "accuracy" is the metric of the workload{metric}
# serve: batch=8,threads=2    # time all with 8 inputs a call and 2 threads; else 1 input, and threads are searched
trials: 18
timeout: 30m                  # no new candidate begins after this
seed: 0
"""
STUDY_YAML = RUN + PARTS_YAML + REST_YAML.format(metric=", here the balanced accuracy")

WORKLOAD_PY = '''\
"""Photographs of parts, sorted into sound, scratched and pierced: replace model and data with your own."""

import numpy as np
from torch import nn

from runners.workload import Workload
from spaces.plans import TrainingPlan


class Network(nn.Module):
    """Grey images (n, 1, 24, 24) to three outputs (n, 3)."""

    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, 32, 3, padding=1), nn.BatchNorm2d(32), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(32, 64, 3, padding=1), nn.BatchNorm2d(64), nn.ReLU(), nn.AdaptiveAvgPool2d(2),
        )
        self.head = nn.Linear(256, 3)

    def forward(self, images):
        return self.head(self.features(images).flatten(1))


def load():
    """Arrays of inputs, float32 (n, 1, 24, 24), and of targets, int64 (n,), for each of the three splits."""
    random = np.random.default_rng(0)
    targets = random.choice(3, size=1200, p=[0.7, 0.2, 0.1])
    images = random.normal(0, 0.5, (1200, 1, 24, 24)).astype(np.float32)
    for image, target in zip(images, targets):
        row, column = random.integers(4, 16, 2)
        if target == 1:
            image[0, row, column - 4 : column + 8] += 1.5
        if target == 2:
            image[0, row : row + 4, column : column + 4] -= 1.5
    cuts = {"train": slice(0, 800), "validation": slice(800, 1000), "test": slice(1000, 1200)}
    return {name: (images[cut], targets[cut]) for name, cut in cuts.items()}


def balanced_accuracy(outputs, targets):
    """The mean over the classes of the share that is found: most parts are sound, and that must not hide the rest."""
    found = outputs.argmax(axis=1) == targets
    return float(np.mean([found[targets == target].mean() for target in np.unique(targets)]))


WORKLOAD = Workload(
    name="parts",
    model=Network,  # called for every new network; with pretrained=True it must come with its trained weights
    data=load,
    metric=balanced_accuracy,  # of an error in a unit: metric=rmse, higher_is_better=False, metric_unit="K"
    training=TrainingPlan(epochs=8, batch_size=32, learning_rate=0.1),
)
'''

SPLIT_FILE = "split.csv"
SPLIT_YAML = f"""
    split: {SPLIT_FILE}          # which image is in which split; the folder is left as it is"""
STARTER_FILES = {"study.yaml": STUDY_YAML, "workload.py": WORKLOAD_PY}
SHOWN_CLASSES = 6
"""Names of classes that the study file lists."""


def write_first_study(folder: Path, model: str | None, images: Path | None) -> None:
    """Write a study to start from into ``folder``, and say on stderr which files these are.

    Args:
        folder: Created where it is missing.
        model: ``torchvision:`` and the name of a model, for a study without Python; None is the example in Python.
        images: The folder of images that goes with ``model``; what is in it is said too.

    Raises:
        RequestError: One of the two is given alone, there is no such model, the folder of images is not as it has to
            be, or the files cannot be written.
    """
    contents: Mapping[str, str] = STARTER_FILES
    if model is not None and images is not None:
        settings = _read(model, images)
        contents = _study_of_images(settings, images, folder)
    elif model is not None:
        raise RequestError(f"--from {model}: give --data DIR too, the folder that holds train, val and test")
    elif images is not None:
        raise RequestError(f"--data {images}: give --from too, such as --from torchvision:resnet18")
    for path in write_starter_files(folder, contents):
        print(f"wrote {path}", file=sys.stderr)


def _read(model: str, images: Path) -> "ImageSettings":
    from runners.workload_loading.image_settings import read_settings
    from runners.workload_loading.image_workload import check_model

    try:
        settings = read_settings({"model": model, "data": {"imagefolder": str(images)}}, Path.cwd())
        check_model(settings)
    except SettingError as error:
        given = f"--from {model}" if error.at == ("model",) else f"--data {images}"
        raise RequestError(f"{given}: {error}") from error
    except RequestError as error:
        raise RequestError(f"--from {model}: {error}") from error
    return settings


def _study_of_images(settings: "ImageSettings", given: Path, folder: Path) -> dict[str, str]:
    """The study file, and the file that says which image is in which split where the folder does not."""
    from runners.datasets.division_file import division_text
    from runners.datasets.image_list import division_rows, find_images, is_divided

    images = Path(settings.images)
    found = _found(images, given)
    print(f"found {found}", file=sys.stderr)
    divided = is_divided(images)
    filled = IMAGES_YAML.format(
        study=f"{settings.name:<21}",
        model=settings.model,
        found=found,
        images=_shown(settings.images, given, folder),
        split="" if divided else SPLIT_YAML,
        epochs=settings.epochs,
        batch_size=settings.batch_size,
    )
    study = RUN + filled + REST_YAML.format(metric=": the share of images that are classified right")
    files = {} if divided else {SPLIT_FILE: division_text(division_rows(images, find_images(images)))}
    return {"study.yaml": study, **files}


def _shown(absolute: str, given: Path, folder: Path) -> str:
    """The folder of images as a scalar of YAML, relative to the study file where it was given as a relative path."""
    is_relative = not given.is_absolute() and not str(given).startswith("~")
    text = os.path.relpath(absolute, folder.resolve()) if is_relative else absolute
    return text if re.fullmatch(r"[A-Za-z_./][\w./-]*", text) else json.dumps(text, ensure_ascii=False)


def _found(images: Path, given: Path) -> str:
    """What is in the folder of images, in one line.

    Raises:
        RequestError: A split or a class is missing, or an image cannot be read; it names ``given``.
    """
    from runners.datasets.image_folder import native_side, open_image_folder
    from runners.models.torchvision_models import MEAN, STD
    from runners.workload_loading.image_workload import USUAL_SIDE

    try:
        splits = open_image_folder(images, USUAL_SIDE, MEAN, STD)
        side = native_side(splits.values())
    except RequestError as error:
        raise RequestError(f"--data {given}: {error}") from error
    classes = next(iter(splits.values())).classes
    more = f" and {len(classes) - SHOWN_CLASSES} more" if len(classes) > SHOWN_CLASSES else ""
    counts = ", ".join(f"{len(split)} {name}" for name, split in splits.items())
    sizes = f"all {side}x{side} pixels" if side else "of several sizes or not square"
    told = dict.fromkeys(note for split in splits.values() for note in split.notes)
    notes = "".join(f"; {note}" for note in told)
    found = f"{len(classes)} classes: {', '.join(classes[:SHOWN_CLASSES])}{more}; images: {counts}, {sizes}{notes}"
    return "".join(c if c.isprintable() else "?" for c in found)


def write_starter_files(folder: Path, contents: Mapping[str, str] = STARTER_FILES) -> list[Path]:
    """Write files to start from into ``folder``, which is created where it is missing.

    Args:
        folder: Where they are written.
        contents: The text of each file by its name.

    Returns:
        The files written.

    Raises:
        RequestError: One of the files exists, and none was written; or the folder cannot be written.
    """
    files = {folder / name: text for name, text in contents.items()}
    for file in files:
        if file.exists():
            raise RequestError(f"{file} exists already and is left as it is; give another folder or move it away")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for file, text in files.items():
            # Mode x: a file that was created in the meantime is not overwritten either.
            with file.open("x", encoding="utf-8") as opened:
                opened.write(text)
    except (OSError, UnicodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "a name is not UTF-8"
        raise RequestError(f"{folder} cannot be written ({reason}); give another folder") from error
    return list(files)
