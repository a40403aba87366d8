"""Students of another family, and first layers for small pictures."""

import pytest
import torch
from spaces_tests.techniques.architecture.changed_networks import changed, context, pictures, residual_network
from torch import nn

from spaces.environment import Environment
from spaces.errors import RequestError, WorkFailed
from spaces.named_networks.classifier import new_classifier
from spaces.space_document import find_technique, make_space

TEACHER = nn.Sequential(nn.Flatten(), nn.Linear(1024, 7))
GREY = context((torch.zeros(1, 1, 32, 32),))


@pytest.mark.parametrize("family", ["shufflenet_v2_x0_5", "timm:test_resnet"])
def test_a_student_takes_the_teachers_pictures_and_gives_its_number_of_outputs(family: str) -> None:
    pytest.importorskip("timm")
    with torch.no_grad():
        assert changed(TEACHER, {"student": family}, GREY)(torch.zeros(3, 1, 32, 32)).shape == (3, 7)


@pytest.mark.parametrize("family", ["mnasnet0_5", "mobilenet_v3_small"])
def test_a_short_training_reaches_the_statistics_of_the_data(family: str) -> None:
    student = new_classifier(family, 4, (3, 32, 32)).train()
    shifted = 5.0 + torch.rand(8, 3, 32, 32)
    for _ in range(50):
        student(shifted)
    first = next(layer for layer in student.modules() if isinstance(layer, nn.BatchNorm2d))
    convolution = next(layer for layer in student.modules() if isinstance(layer, nn.Conv2d))
    with torch.no_grad():
        expected = convolution(shifted).mean((0, 2, 3))
    torch.testing.assert_close(first.running_mean, expected, rtol=0.05, atol=0.01)


def test_what_it_is_made_of_stands_in_its_record() -> None:
    given = context((torch.zeros(1, 1, 32, 32),))
    changed(TEACHER, {"student": "shufflenet_v2_x0_5"}, given)
    assert given.record == {"family": "shufflenet_v2_x0_5", "classes": 7, "size": [1, 32, 32]}


@pytest.mark.parametrize(
    ("family", "sentence"),
    [
        ("inception_v3", r"inception_v3 takes pictures from 75x75 on and these are 32x32; name another family"),
        ("timm:resnet188", r"timm has no model 'resnet188' \(did you mean 'resnet18'\?\); timm\.list_models\(\)"),
        ("vit_b_16", r"torchvision cannot make vit_b_16 for images of 40x40 \(AssertionError: .*patch size"),
    ],
)
def test_a_family_that_cannot_be_made_for_the_pictures_is_one_sentence(family: str, sentence: str) -> None:
    side = 40 if family == "vit_b_16" else 32
    with pytest.raises((WorkFailed, RequestError), match=f"^{sentence}"):
        new_classifier(family, 7, (3, side, side))


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        (
            "mobilenet_v3_smal",
            r"student cannot be 'mobilenet_v3_smal' \(did you mean 'mobilenet_v3_small'\?\); allowed is",
        ),
        ("timm:", r"student cannot be 'timm:'; allowed is teacher, a classification network of torchvision"),
        ("fcn_resnet50", r"student cannot be 'fcn_resnet50'"),
    ],
)
def test_an_unknown_family_is_told_with_the_nearest(value: str, sentence: str) -> None:
    with pytest.raises(RequestError, match=f"^{sentence}"):
        make_space({"student": [value]}, Environment())


def test_a_family_of_timm_needs_timm() -> None:
    without = Environment(missing={"timm": "needs `pip install 'frontrunner[timm]'`"})
    space = make_space({"student": ["teacher", "timm:test_vit"]}, without)
    assert space.reasons() == [("student", "timm:test_vit", "needs `pip install 'frontrunner[timm]'`")]


@pytest.mark.parametrize(
    ("example", "teacher", "sentence"),
    [
        ((torch.zeros(1, 5),), nn.Linear(5, 2), r"whose only input is a picture .* this one takes \(5,\)$"),
        ((torch.zeros(1, 3, 8, 8),) * 2, nn.Bilinear(8, 8, 2), r"this one takes \(3, 8, 8\), \(3, 8, 8\)$"),
        (
            (torch.zeros(1, 3, 8, 8),),
            nn.Conv2d(3, 2, 1),
            r"networks that give \(n, classes\); this one gives \(n, 2, 8, 8\)$",
        ),
    ],
)
def test_a_workload_that_is_no_classifier_of_pictures_is_one_sentence(
    example: tuple[torch.Tensor, ...], teacher: nn.Module, sentence: str
) -> None:
    with pytest.raises(WorkFailed, match=sentence):
        changed(teacher, {"student": "resnet18"}, context(example))


def test_a_small_stem_looks_at_every_pixel_and_leaves_the_other_layers() -> None:
    made = changed(nn.Identity(), {"student_stem": "small"}, context(initial=lambda: residual_network(1, 1)))
    first = made[0][0]
    assert (first.kernel_size, first.stride, first.padding) == ((3, 3), (1, 1), (1, 1))
    assert isinstance(made[0][2], nn.Identity)
    assert made[0](pictures()).shape == (1, 8, 16, 16)
    assert made(pictures(2)).shape == (2, 4)


@pytest.mark.parametrize(("stem", "side"), [("small-stride-2", 8), ("small-pooled", 4)])
def test_a_small_stem_with_a_stride_gives_smaller_pictures_on_and_is_rebuilt_from_its_record(
    stem: str, side: int
) -> None:
    asked = context(initial=lambda: residual_network(1, 1))
    made = changed(nn.Identity(), {"student_stem": stem}, asked)
    again = find_technique("student_stem").rebuild(residual_network(1, 1), asked.record)
    for network in (made, again):
        assert network[0](pictures()).shape == (1, 8, side, side)
        assert network[0][0].kernel_size == (3, 3)


@pytest.mark.parametrize(
    ("network", "sentence"),
    [
        (nn.Sequential(nn.Conv2d(3, 4, 3), nn.Conv2d(4, 4, 3), nn.MaxPool2d(2)), "no stride and no pooling behind it"),
        (nn.Sequential(nn.Flatten(), nn.Linear(768, 2)), "begin with a convolution over a picture; this one does not"),
        (
            nn.Sequential(nn.Conv2d(3, 4, 4, 4), nn.Flatten(), nn.Linear(64, 2)),
            r"does not take a stem for small pictures \(RuntimeError: mat1 and mat2",
        ),
    ],
)
def test_a_network_that_a_small_stem_does_not_fit_is_one_sentence(network: nn.Module, sentence: str) -> None:
    with pytest.raises(WorkFailed, match=sentence):
        changed(nn.Identity(), {"student_stem": "small"}, context(initial=lambda: network))
