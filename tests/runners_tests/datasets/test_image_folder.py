"""Folders of images become splits, and a torchvision model on them becomes a workload."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from runners_tests.workloads.workload_contract import RULES, Rule
from safetensors.torch import save_file

import runners.datasets.image_folder as image_folder
from runners.datasets.crop_and_flip import crop_and_flip
from runners.datasets.image_folder import ImageFolderSplit, native_side, open_image_folder
from runners.datasets.image_list import list_images
from runners.workload import Workload
from runners.workload_loading.check import check_contract
from runners.workload_loading.fingerprint import fingerprint
from runners.workload_loading.image_settings import read_settings
from runners.workload_loading.image_workload import _load_matching, make_network, make_workload
from runners.workload_loading.reference import resolve
from spaces.errors import RequestError

PLAIN = ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0))


def save(path: Path, pixels: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.asarray(pixels, np.uint8)).save(path)


def make_images(folder: Path, count: int = 4, splits: tuple[str, ...] = ("train", "val", "test")) -> Path:
    """Noise of different brightness in the classes ``dark`` and ``light``."""
    random = np.random.default_rng(0)
    for split in splits:
        for name, level in (("dark", 60), ("light", 190)):
            for number in range(count):
                save(folder / split / name / f"{number}.png", random.integers(level - 50, level + 50, (32, 32, 3)))
    return folder


def mapping(folder: Path, **settings: Any) -> dict[str, Any]:
    return {"model": "torchvision:squeezenet1_1", "data": {"imagefolder": str(folder)}, **settings}


def workload(folder: Path, **settings: Any) -> Workload:
    return make_workload(read_settings(mapping(folder, **settings), folder))


def test_a_batch_is_normalised_channels_first_and_in_the_order_asked_for(tmp_path: Path) -> None:
    save(tmp_path / "b" / "1.png", np.full((4, 4, 3), (255, 0, 51)))
    save(tmp_path / "a" / "deep" / "2.png", np.zeros((4, 4, 3)))
    save(tmp_path / "b" / ".hidden.png", np.zeros((4, 4, 3)))
    (tmp_path / "b" / "notes.txt").write_text("no image")
    split = ImageFolderSplit(list_images(tmp_path, ("a", "b")), 4, (0.5, 0.5, 0.5), (0.5, 0.25, 0.1))
    assert len(split) == 2
    inputs, targets = split.batch(np.array([1, 0, 1]))
    assert inputs.shape == (3, 3, 4, 4)
    assert inputs.dtype == np.float32
    assert "scaled (bilinear) to 4 pixels" in split.preparation
    assert "less (0.5, 0.5, 0.5), divided by (0.5, 0.25, 0.1), channels first." in split.preparation
    assert split.preparation.endswith("Outputs are the classes a, b, in this order.")
    assert targets.tolist() == [1, 0, 1]
    assert targets.dtype == np.int64
    np.testing.assert_allclose(inputs[0, :, 2, 3], [1.0, -2.0, -3.0], rtol=1e-6)
    np.testing.assert_allclose(inputs[1, :, 0, 0], [-1.0, -2.0, -5.0], rtol=1e-6)


def test_an_image_of_the_right_size_is_left_to_the_last_bit(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (8, 8, 3))
    save(tmp_path / "a" / "1.png", pixels)
    inputs, _ = ImageFolderSplit(list_images(tmp_path, ("a",)), 8, *PLAIN).batch(np.array([0]))
    assert np.array_equal(np.round(inputs[0].transpose(1, 2, 0) * 255), pixels)


def test_another_size_is_scaled_by_its_short_side_and_cut_at_the_centre(tmp_path: Path) -> None:
    pixels = np.zeros((8, 24, 3))
    pixels[:, 8:16] = 255
    save(tmp_path / "a" / "wide.png", pixels)
    inputs, _ = ImageFolderSplit(list_images(tmp_path, ("a",)), 4, *PLAIN).batch(np.array([0]))
    assert inputs.shape == (1, 3, 4, 4)
    assert inputs[0, :, :, 1:3].min() > 0.95, "the outer thirds are cut off"
    assert inputs.mean() > 0.9


@pytest.mark.parametrize("mode", ["L", "RGBA", "P", "1", "CMYK"])
def test_every_kind_of_pixel_becomes_three_colours(tmp_path: Path, mode: str) -> None:
    (tmp_path / "a").mkdir()
    image = Image.fromarray(np.full((4, 4, 3), 255, np.uint8)).convert(mode)
    image.save(tmp_path / "a" / ("1.tif" if mode == "CMYK" else "1.png"))
    inputs, _ = ImageFolderSplit(list_images(tmp_path, ("a",)), 4, *PLAIN).batch(np.array([0]))
    assert inputs.shape == (1, 3, 4, 4)
    assert inputs.min() > 0.99


def test_the_memory_of_decoded_images_is_bounded_and_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = make_images(tmp_path, splits=("train",)) / "train"
    everything = np.arange(8)
    expected, _ = ImageFolderSplit(list_images(folder, ("dark", "light")), 32, *PLAIN).batch(everything)
    monkeypatch.setattr(image_folder, "CACHE_BYTES", 3 * 3 * 32 * 32)
    split = ImageFolderSplit(list_images(folder, ("dark", "light")), 32, *PLAIN)
    for _ in range(2):
        assert np.array_equal(split.batch(everything)[0], expected)
    assert len(split._cache) == 3


def test_the_fingerprint_sees_names_bytes_and_size(tmp_path: Path) -> None:
    prints = set()
    for number, change in enumerate(("", "pixel", "name", "class", "size")):
        folder = make_images(tmp_path / str(number), splits=("train",)) / "train"
        if change == "pixel":
            save(folder / "dark" / "0.png", np.zeros((32, 32, 3)))
        if change == "name":
            (folder / "dark" / "0.png").rename(folder / "dark" / "00.png")
        if change == "class":
            (folder / "dark" / "3.png").rename(folder / "light" / "4.png")
        prints.add(
            ImageFolderSplit(
                list_images(folder, ("dark", "light")), 16 if change == "size" else 32, *PLAIN
            ).fingerprint()
        )
    assert len(prints) == 5
    again = make_images(tmp_path / "again", splits=("train",)) / "train"
    assert ImageFolderSplit(list_images(again, ("dark", "light")), 32, *PLAIN).fingerprint() in prints


@pytest.mark.parametrize("name", ["val", "validation"])
def test_the_validation_folder_has_two_names(tmp_path: Path, name: str) -> None:
    splits = open_image_folder(make_images(tmp_path, splits=("train", name, "test")), 32, *PLAIN)
    assert list(splits) == ["train", "validation", "test"]
    assert [len(split) for split in splits.values()] == [8, 8, 8]


@pytest.mark.parametrize(
    ("gone", "sentence"),
    [
        ("test/dark", "the class dark is in train and not in test; every split needs the same"),
        ("train/dark", "train holds 1 folder; give one for each class, at least two"),
    ],
)
def test_a_folder_that_is_missing_is_named(tmp_path: Path, gone: str, sentence: str) -> None:
    shutil.rmtree(make_images(tmp_path) / gone)
    with pytest.raises(RequestError, match=sentence):
        open_image_folder(tmp_path, 32, *PLAIN)


def test_a_class_that_training_does_not_know_is_named(tmp_path: Path) -> None:
    save(make_images(tmp_path) / "val" / "grey" / "0.png", np.zeros((32, 32, 3)))
    with pytest.raises(RequestError, match="the class grey is in validation and not in train"):
        open_image_folder(tmp_path, 32, *PLAIN)


@pytest.mark.parametrize("empty", ["test/dark", "val/light"])
def test_a_class_without_images_is_named(tmp_path: Path, empty: str) -> None:
    for file in (make_images(tmp_path) / empty).iterdir():
        file.unlink()
    with pytest.raises(RequestError, match=rf"/{empty} holds no images; put files that end in \.jpg, .* there"):
        open_image_folder(tmp_path, 32, *PLAIN)


@pytest.mark.parametrize("content", [b"", b"no image at all", "truncated"])
def test_an_image_that_cannot_be_read_is_named(tmp_path: Path, content: bytes | str) -> None:
    folder = make_images(tmp_path, splits=("train",)) / "train"
    file = folder / "dark" / "0.png"
    file.write_bytes(file.read_bytes()[:200] if isinstance(content, str) else content)
    split = ImageFolderSplit(list_images(folder, ("dark", "light")), 32, *PLAIN)
    with pytest.raises(RequestError, match=r"dark/0\.png cannot be read as an image .*; replace or remove it"):
        split.batch(np.array([0]))


def test_the_native_side_is_that_of_equal_squares_only(tmp_path: Path) -> None:
    make_images(tmp_path)
    assert native_side(open_image_folder(tmp_path, 224, *PLAIN).values()) == 32
    save(tmp_path / "test" / "dark" / "3.png", np.zeros((32, 40, 3)))
    assert native_side(open_image_folder(tmp_path, 224, *PLAIN).values()) is None


def test_crop_and_flip_only_shifts_and_mirrors_and_obeys_its_generator() -> None:
    images = torch.arange(1.0, 1 + 64 * 2 * 16 * 16).reshape(64, 2, 16, 16)
    changed = crop_and_flip(images, torch.Generator().manual_seed(0))
    assert changed.shape == images.shape
    assert torch.equal(changed, crop_and_flip(images, torch.Generator().manual_seed(0)))
    assert not torch.equal(changed, crop_and_flip(images, torch.Generator().manual_seed(1)))
    mirrored, shifts = 0, set()
    for before, after in zip(images, changed, strict=True):
        row = after[0, 8]
        step = (row[9] - row[8]).item()
        assert abs(step) == 1, "neighbours stay neighbours"
        mirrored += step == -1
        inside = after[after > 0]
        assert torch.isin(inside, before).all(), "pixels come from the same image"
        shifts.add(int((after > 0).any(dim=2).any(dim=0).sum()))
    assert 16 < mirrored < 48
    assert min(shifts) == 14, "an eighth of 16 pixels at most"


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_a_torchvision_model_on_a_folder_keeps_the_contract(tmp_path: Path, rule: Rule) -> None:
    rule(workload(make_images(tmp_path / "lamps", count=16)))


def test_the_settings_and_defaults_of_a_workload_of_images(tmp_path: Path) -> None:
    folder = make_images(tmp_path / "my lamps")
    made = workload(folder)
    assert made.name == "squeezenet1_1-my-lamps"
    assert not made.pretrained
    assert (made.training.epochs, made.training.batch_size, made.training.learning_rate) == (20, 128, 0.01)
    assert made.example_inputs.arrays[0].shape == (1, 3, 32, 32)
    assert made.model()(torch.from_numpy(made.example_inputs.arrays[0])).shape == (1, 2)
    own = workload(folder, epochs=2, batch_size=8, learning_rate=0.5, image_size=48)
    assert (own.training.epochs, own.training.batch_size, own.training.learning_rate) == (2, 8, 0.5)
    assert own.example_inputs.arrays[0].shape == (1, 3, 48, 48)
    for name in ("mobilenet_v3_small", "regnet_y_400mf"):  # the second needs numbers to be made
        assert workload(folder, model=f"torchvision:{name}").training.learning_rate == 0.1


def test_how_else_it_is_trained_may_be_said_and_adamw_has_a_rate_of_its_own(tmp_path: Path) -> None:
    plan = workload(make_images(tmp_path), training={"optimiser": "adamw", "schedule": "cosine", "ema": 0.9}).training
    assert (plan.optimiser, plan.schedule, plan.ema) == ("adamw", "cosine", 0.9)
    assert (plan.learning_rate, plan.weight_decay) == (1e-3, 0.05)


def test_images_of_many_sizes_become_224_and_small_ones_what_the_model_needs(tmp_path: Path) -> None:
    folder = make_images(tmp_path)
    assert workload(folder, model="torchvision:alexnet").example_inputs.arrays[0].shape == (1, 3, 63, 63)
    save(folder / "train" / "dark" / "0.png", np.zeros((40, 50, 3)))
    assert workload(folder).example_inputs.arrays[0].shape == (1, 3, 224, 224)


@pytest.mark.parametrize("name", ["googlenet", pytest.param("inception_v3", marks=pytest.mark.slow)])
def test_models_with_extra_heads_are_plain_classifiers(tmp_path: Path, name: str) -> None:
    made = workload(make_images(tmp_path, count=1), model=f"torchvision:{name}")
    inputs = torch.from_numpy(made.splits["train"].batch(np.arange(2))[0])
    outputs = made.model().train()(inputs)
    assert isinstance(outputs, torch.Tensor)
    assert outputs.shape == (2, 2)


def test_weights_of_the_same_shape_are_taken_over_and_the_head_is_not(tmp_path: Path) -> None:
    settings = read_settings(mapping(make_images(tmp_path)), tmp_path)
    given = {name: torch.full_like(t, 0.5) for name, t in make_network(settings, 1000, 32).state_dict().items()}
    network = make_network(settings, 2, 32)
    head = network.state_dict()["classifier.1.weight"].clone()
    _load_matching(network, given)
    assert torch.equal(network.state_dict()["classifier.1.weight"], head)
    rest = [t for name, t in network.state_dict().items() if not name.startswith("classifier")]
    assert all((t == 0.5).all() for t in rest)


def test_own_weights_are_loaded_and_not_trained_again(tmp_path: Path) -> None:
    folder = make_images(tmp_path / "lamps")
    trained = make_network(read_settings(mapping(folder), folder), 2, 32)
    save_file(trained.state_dict(), tmp_path / "mine.safetensors")
    reference = mapping(folder, weights=str(tmp_path / "mine.safetensors"))
    made = resolve(reference)
    check_contract(made)
    assert made.pretrained
    inputs = torch.from_numpy(made.example_inputs.arrays[0])
    with torch.no_grad():
        assert torch.equal(made.model().eval()(inputs), trained.eval()(inputs))
    before = fingerprint(made, reference)
    (tmp_path / "copy.safetensors").write_bytes((tmp_path / "mine.safetensors").read_bytes())
    copied = mapping(folder, weights=str(tmp_path / "copy.safetensors"))
    assert fingerprint(resolve(copied), copied) == before, "where the file lies does not matter"
    save_file({k: v + 1 for k, v in trained.state_dict().items()}, tmp_path / "mine.safetensors")
    assert fingerprint(made, reference) != before


def test_own_weights_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    folder = make_images(tmp_path / "lamps")
    file = tmp_path / "mine.safetensors"
    for classes, change, sentence in (
        (
            5,
            {},
            r"not fit squeezenet1_1 with 2 classes: classifier\.1\.weight is \(5, 512, 1, 1\) where .*new_head: true$",
        ),
        (2, {"more": torch.zeros(1)}, "the model has no more"),
    ):
        save_file(make_network(read_settings(mapping(folder), folder), classes, 32).state_dict() | change, file)
        with pytest.raises(RequestError, match=sentence):
            workload(folder, weights=str(file))
    save_file({"a": torch.zeros(1)}, file)
    with pytest.raises(RequestError, match=r"it has no features\.0\.weight$"):  # a new head would not help
        workload(folder, weights=str(file))
    file.write_bytes(b"no tensors")
    with pytest.raises(RequestError, match=r"mine\.safetensors cannot be read as safetensors"):
        workload(folder, weights=str(file))


def test_weights_of_other_classes_are_started_from_with_a_new_head(tmp_path: Path) -> None:
    folder, file = make_images(tmp_path / "lamps"), tmp_path / "theirs.safetensors"
    theirs = make_network(read_settings(mapping(folder), folder), 5, 32).state_dict()
    save_file(theirs, file)
    reference = mapping(folder, weights=str(file), new_head=True)
    made = resolve(reference)
    assert not made.pretrained
    assert made.training.learning_rate == 0.01
    own = made.model().state_dict()
    assert all(torch.equal(own[name], theirs[name]) for name in own if not name.startswith("classifier.1"))
    assert own["classifier.1.weight"].shape[0] == 2
    before = fingerprint(made, reference)
    assert before == fingerprint(made, reference), "new weights of the head do not count"
    save_file({name: value + 1 for name, value in theirs.items()}, file)
    assert fingerprint(made, reference) != before
    save_file({name.replace("features.0.", "features.00."): value for name, value in theirs.items()}, file)
    with pytest.raises(RequestError, match=r"it has no features\.0\.weight, and features\.00\.weight is most like it"):
        workload(folder, weights=str(file), new_head=True)
    with pytest.raises(RequestError, match=r"give weights: FILE\.safetensors or FILE"):
        workload(folder, new_head=True)


def test_unknown_models_and_weights_name_the_nearest(tmp_path: Path) -> None:
    folder = make_images(tmp_path)
    with pytest.raises(RequestError, match=r"no classification model 'resnet1' \(did you mean 'resnet18'\?\); it has"):
        workload(folder, model="torchvision:resnet1")
    with pytest.raises(
        RequestError, match=r"squeezenet1_1 has no weights 'IMAGENET' ?.*; it has IMAGENET1K_V1, DEFAULT"
    ):
        workload(folder, weights="IMAGENET").model()


def test_files_that_are_passed_over_are_told(tmp_path: Path) -> None:
    folder = make_images(tmp_path)
    for name in ("a.heic", "b.HEIC", "labels"):
        (folder / "val" / "dark" / name).write_text("no image")
    for name in ("dark/.hidden.png", "dark/.git/a.png", "loose.png"):
        save(folder / "test" / name, np.zeros((32, 32, 3)))
    splits = open_image_folder(folder, 32, *PLAIN)
    assert [len(split) for split in splits.values()] == [8, 8, 8]
    assert splits["train"].notes == ()
    assert splits["validation"].notes == (f"passed over in {folder / 'val'}: 3 files (.heic, without an ending)",)
    assert splits["test"].notes == (
        f"passed over in {folder / 'test'}: 2 hidden files",
        f"passed over in {folder / 'test'}: 1 image outside the folders of the classes",
    )
    notes = check_contract(workload(folder))
    assert notes == (*splits["validation"].notes, *splits["test"].notes)


def test_a_class_of_files_with_unknown_endings_alone_is_named_with_them(tmp_path: Path) -> None:
    folder = make_images(tmp_path)
    for file in (folder / "train" / "dark").iterdir():
        file.rename(file.with_suffix(".heic"))
    with pytest.raises(
        RequestError, match=r"train/dark holds no images, only 4 files \(\.heic\); put files that end in"
    ):
        open_image_folder(folder, 32, *PLAIN)


def test_jfif_is_jpeg(tmp_path: Path) -> None:
    Image.fromarray(np.full((4, 4, 3), 255, np.uint8)).save(tmp_path / "white.jpg")
    (tmp_path / "a").mkdir()
    (tmp_path / "white.jpg").rename(tmp_path / "a" / "white.JFIF")
    assert ImageFolderSplit(list_images(tmp_path, ("a",)), 4, *PLAIN).batch(np.array([0]))[0].min() == 1.0


@pytest.mark.parametrize(("splits", "white"), [(("train", "val", "test"), 4095), (("val", "test"), 1023)])
def test_black_and_white_of_deep_images_are_decided_without_the_test_split(
    tmp_path: Path, splits: tuple[str, ...], white: int
) -> None:
    for split, brightest in (("train", 4095), ("val", 1023), ("test", 65535)):
        for name in ("a", "b") if split in splits else ():
            (tmp_path / split / name).mkdir(parents=True)
            Image.fromarray(np.full((4, 4), brightest, np.uint16)).save(tmp_path / split / name / "1.png")
    assert {split.levels for split in open_image_folder(tmp_path, 4, *PLAIN).values()} == {(0.0, float(white))}


def test_images_without_labels_lie_beside_those_that_train(tmp_path: Path) -> None:
    folder = make_images(tmp_path)
    save(folder / "unlabelled" / "one.png", np.full((32, 32, 3), 51))
    save(folder / "unlabelled" / "deeper" / "two.png", np.full((32, 32, 3), 102))
    splits = open_image_folder(folder, 32, *PLAIN)
    inputs, targets = splits["unlabelled"].batch(np.arange(2))
    assert targets is None
    assert sorted(inputs[:, 0, 0, 0].tolist()) == pytest.approx([0.2, 0.4])
    assert splits["unlabelled"].notes == (f"2 images without labels in {folder / 'unlabelled'}",)
    made = workload(folder)
    check_contract(made)
    assert len(made.splits["unlabelled"]) == 2
    before = made.splits["unlabelled"].fingerprint()
    save(folder / "unlabelled" / "three.png", np.full((32, 32, 3), 153))
    assert workload(folder).splits["unlabelled"].fingerprint() != before


def test_a_test_image_may_not_be_among_those_without_labels(tmp_path: Path) -> None:
    folder = make_images(tmp_path)
    shutil.copytree(folder / "test", folder / "unlabelled")
    with pytest.raises(RequestError, match="unlabelled"):
        check_contract(workload(folder))


def test_a_class_may_be_called_unlabelled_where_the_folder_is_not_divided(tmp_path: Path) -> None:
    for name in ("labelled", "unlabelled"):
        for number in range(8):
            save(tmp_path / name / f"{number}.png", np.full((8, 8, 3), number))
    splits = open_image_folder(tmp_path, 8, *PLAIN)
    assert sorted(splits) == ["test", "train", "validation"]
    assert splits["train"].classes == ("labelled", "unlabelled")
