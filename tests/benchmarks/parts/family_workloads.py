"""A workload for each family of torchvision's classifiers: its smallest network, with new weights, on made pictures."""

from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runners.workload import Workload
from spaces.named_networks.torchvision_models import build
from spaces.plans import TrainingPlan

CLASSES = 10
SMALLEST = {
    "alexnet": ("alexnet", 64),
    "vgg": ("vgg11", 32),
    "resnet": ("resnet18", 64),
    "resnext": ("resnext50_32x4d", 64),
    "wide_resnet": ("wide_resnet50_2", 64),
    "densenet": ("densenet121", 64),
    "inception": ("inception_v3", 75),
    "googlenet": ("googlenet", 64),
    "mobilenet_v2": ("mobilenet_v2", 64),
    "mobilenet_v3": ("mobilenet_v3_small", 64),
    "efficientnet": ("efficientnet_b0", 64),
    "efficientnet_v2": ("efficientnet_v2_s", 64),
    "squeezenet": ("squeezenet1_1", 64),
    "shufflenet": ("shufflenet_v2_x0_5", 64),
    "mnasnet": ("mnasnet0_5", 64),
    "regnet": ("regnet_y_400mf", 64),
    "convnext": ("convnext_tiny", 64),
    "vit": ("vit_b_16", 64),
    "swin": ("swin_t", 64),
    "maxvit": ("maxvit_t", 64),
}
"""The network of each family, and the side of its pictures in pixels."""


def network_of(name: str, side: int) -> Any:
    """The network with new weights. `build` makes MaxViT for multiples of 224 alone: here its windows are smaller."""
    if name != "maxvit_t":
        return build(name, CLASSES, side)
    from torchvision.models.maxvit import MaxVit

    widths, blocks = [64, 128, 256, 512], [2, 2, 5, 2]
    return MaxVit((side, side), 64, side // 32, widths, blocks, 32, 0.2, num_classes=CLASSES)


def pictures(side: int) -> dict[str, tuple[NDArray[Any], NDArray[Any]]]:
    """Coarse patterns with some noise, 16 to train and 16 to judge by; each class has a colour."""
    random = np.random.default_rng(0)
    splits = {}
    for name in ("train", "validation"):
        labels = np.arange(16) % CLASSES
        coarse = random.normal(0, 1, (16, 3, 4, 4)) + np.sin(labels[:, None] + np.arange(3))[:, :, None, None]
        places = np.arange(side) * 4 // side
        fine = coarse[:, :, places][:, :, :, places] + random.normal(0, 0.2, (16, 3, side, side))
        splits[name] = fine.astype(np.float32), labels
    return splits


def workload(family: str) -> Workload:
    """The workload of one family; its teacher is trained for two steps, so that no layer is as it was made."""
    network, side = SMALLEST[family]
    return Workload(
        name=family,
        model=partial(network_of, network, side),
        data=partial(pictures, side),
        training=TrainingPlan(epochs=1, batch_size=8, learning_rate=0.001),
    )


def reference(family: str) -> str:
    """What `runners.workload_loading.reference.resolve` takes."""
    return f"{__file__}:{family}"


globals().update({family: workload(family) for family in SMALLEST})
