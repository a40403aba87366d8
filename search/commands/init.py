"""``frontrunner init``: a study file and a workload file to start from; they run together as they are."""

from pathlib import Path

from spaces.errors import RequestError

STUDY_YAML = """\
# Run with:  frontrunner search study.yaml        Paths are relative to this file; flags win over it.
study: parts                  # letters, digits, '.', '_' and '-'
workload: workload.py         # or digits, FILE.py:NAME, package.module:NAME
# workload:                   # a model of torchvision on a folder of images, without any Python:
#   model: torchvision:resnet18
#   data: {imagefolder: images}           # holds train, val and test, each with a folder for every class
#   weights: DEFAULT                      # start from torchvision's weights (downloads), or FILE.safetensors

space: cpu                    # a preset, FILE.yaml, or the choices themselves:
# space:
#   student_width: [1.0, 0.5]
#   numeric_precision: [fp32, int8]
#   runtime: all              # everything that runs on this machine

objectives: [accuracy, speedup]
constraints:
  - accuracy_drop<=0.05       # "accuracy" is the metric of the workload, here the balanced accuracy
trials: 18
timeout: 30m                  # no new candidate begins after this
seed: 0
"""

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
    metric=balanced_accuracy,
    training=TrainingPlan(epochs=8, batch_size=32, learning_rate=0.1),
)
'''

STARTER_FILES = {"study.yaml": STUDY_YAML, "workload.py": WORKLOAD_PY}


def write_starter_files(folder: Path) -> list[Path]:
    """Write ``study.yaml`` and ``workload.py`` into ``folder``, which is created where it is missing.

    Returns:
        The files written.

    Raises:
        RequestError: One of the files exists, and none was written; or the folder cannot be written.
    """
    files = {folder / name: text for name, text in STARTER_FILES.items()}
    for file in files:
        if file.exists():
            raise RequestError(f"{file} exists already and is left as it is; give another folder or move it away")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for file, text in files.items():
            # Mode x: a file that was created in the meantime is not overwritten either.
            with file.open("x", encoding="utf-8") as opened:
                opened.write(text)
    except OSError as error:
        raise RequestError(f"{folder} cannot be written ({error.strerror}); give another folder") from error
    return list(files)
