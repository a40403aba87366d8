"""Networks by name and by function: of torchvision, of timm, and of a person's own file; nothing is downloaded."""

from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from runners.models import torchvision_models
from runners.workload_loading.check import check_contract
from runners.workload_loading.fingerprint import fingerprint
from runners.workload_loading.reference import absolute_reference, resolve
from runners.workload_loading.source_files import sources_of
from spaces.errors import RequestError

FUNCTION = """
from torch import nn

def build(num_classes):
    body = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    return nn.Sequential(body, nn.Linear(4, num_classes))

def two():
    return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 2))

def none():
    return None
"""


@pytest.fixture
def images(tmp_path: Path) -> Path:
    for split, level in (("train", 0), ("val", 30), ("test", 60)):
        for name, shade in (("dark", 10), ("light", 150)):
            (tmp_path / "images" / split / name).mkdir(parents=True)
            for index in range(3):
                colour = (level + shade, index * 20, 0)
                Image.new("RGB", (12, 12), colour).save(tmp_path / "images" / split / name / f"{index}.png")
    return tmp_path / "images"


def mapping(images: Path, model: str, **settings: Any) -> dict[str, Any]:
    return {"model": model, "data": {"imagefolder": str(images)}, **settings}


def test_a_function_of_ones_own_makes_the_network_of_a_study_file(tmp_path: Path, images: Path) -> None:
    file = tmp_path / "nets.py"
    file.write_text(FUNCTION)
    reference = absolute_reference(mapping(images, "nets.py:build"), tmp_path)
    assert isinstance(reference, dict)
    assert reference["model"] == f"{file}:build"
    workload = resolve(reference)
    check_contract(workload)
    assert workload.name == "build-images"
    assert workload.training.learning_rate == 0.1
    assert workload.model()(torch.zeros(2, 3, 12, 12)).shape == (2, 2)
    assert sources_of(reference) == (file,)
    before = fingerprint(workload, reference)
    file.write_text(FUNCTION + "# changed")
    assert fingerprint(workload, reference) != before
    assert resolve(mapping(images, f"{file}:two")).training.learning_rate == 0.01


@pytest.mark.parametrize(
    ("model", "sentence"),
    [
        ("FILE:bild", r"nets\.py has no function bild \(did you mean 'build'\?\)"),
        ("FILE:none", r"none gives NoneType; it must give a torch\.nn\.Module"),
        ("gone.py:build", r"there is no file .*gone\.py; give the one with the function build"),
        ("no_such_module:build", r"importing no_such_module failed: ModuleNotFoundError"),
        ("timm:resnet188", r"timm has no model 'resnet188' \(did you mean 'resnet18'\?\); timm\.list_models\(\)"),
        ("build", r"give torchvision: and a model's name, .*FILE\.py:function or package\.module:function"),
    ],
)
def test_a_model_that_is_not_there_is_one_sentence(tmp_path: Path, images: Path, model: str, sentence: str) -> None:
    (tmp_path / "nets.py").write_text(FUNCTION)
    with pytest.raises(RequestError, match=sentence) as refusal:
        resolve(mapping(images, model.replace("FILE", str(tmp_path / "nets.py"))))
    assert "\n" not in str(refusal.value)


def test_a_model_of_timm_is_made_for_the_classes_and_the_size(images: Path) -> None:
    workload = resolve(mapping(images, "timm:test_resnet"))
    check_contract(workload)
    assert workload.model()(torch.zeros(2, 3, 12, 12)).shape == (2, 2)
    fixed = resolve(mapping(images, "timm:test_vit", image_size=32))
    assert fixed.model()(torch.zeros(1, 3, 32, 32)).shape == (1, 2)
    with pytest.raises(RequestError, match=r"give DEFAULT, or FILE\.safetensors or FILE\.pt"):
        resolve(mapping(images, "timm:test_resnet", weights="IMAGENET"))


def test_timm_that_is_not_installed_says_how_to_get_it(images: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("spaces.named_networks.timm_models.find_spec", lambda name: None)
    with pytest.raises(RequestError, match=r"^timm:test_vit2 needs `pip install 'frontrunner\[timm\]'`$"):
        resolve(mapping(images, "timm:test_vit2"))


def test_segmentation_networks_are_made_without_a_download() -> None:
    assert "lraspp_mobilenet_v3_large" in torchvision_models.segmenters()
    network = torchvision_models.build("lraspp_mobilenet_v3_large", 3, 64).eval()
    with torch.no_grad():
        assert network(torch.zeros(1, 3, 64, 64))["out"].shape == (1, 3, 64, 64)
