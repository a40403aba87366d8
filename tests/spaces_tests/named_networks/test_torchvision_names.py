"""The names that are read off torchvision's files are those that torchvision itself lists."""

import subprocess
import sys

from torchvision import models

from spaces.named_networks.torchvision_names import classifier_problem, registered_names


def test_the_names_are_those_of_torchvision() -> None:
    assert list(registered_names("")) == sorted(models.list_models(module=models))
    assert list(registered_names("segmentation")) == sorted(models.list_models(module=models.segmentation))


def test_reading_them_imports_neither_torch_nor_torchvision() -> None:
    program = (
        "import sys; from spaces.named_networks.torchvision_names import classifier_problem as find; "
        "assert find('resnet18') is None and find('resnet'); print({'torch', 'torchvision'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == "set()\n"


def test_an_unknown_name_is_told_with_the_nearest() -> None:
    assert "did you mean 'mobilenet_v2'?" in str(classifier_problem("mobilenet_v22"))
