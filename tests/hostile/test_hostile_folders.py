"""Images and exported folders from anybody: nothing outside of them is opened, no code runs, memory stays in bounds."""

import hashlib
import io
import json
import os
from pathlib import Path
from typing import Any

import pytest
from hostile.limited_reading import Outcome, assert_refused, read_limited
from hostile.payloads import code_pickle, png
from onnx import TensorProto, helper
from PIL import Image

from runners.artifacts.integrity import read_claims
from spaces.errors import RequestError

pytestmark = pytest.mark.faults("hostile file")

FIGURES = {"accuracy": 0.5, "speedup": 1.0, "speedup_ci95": [1.0, 1.0]}


def honest_image() -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (8, 8)).save(file, "png")
    return file.getvalue()


IMAGES = {
    "says-it-is-huge.png": png(60_000, 60_000),
    "bomb.png": png(15_000, 15_000, rows=200),
    "pickle.png": code_pickle(),
    "cut.png": honest_image()[:40],
    "huge.ppm": b"P6 999999999 999999999 255 ",
    "tiff.tif": b"II*\x00\xff\xff\xff\x7f",
    "link-to-a-secret.png": b"",
}
"""Each stands in the place of one image of a folder."""


def image_folder(root: Path, name: str, content: bytes) -> Path:
    """A folder of images with one of these among them; it has the name of that one."""
    folder = root / name
    for category in ("a", "<img src=x onerror=alert(1)>"):
        (folder / category).mkdir(parents=True)
        for number in range(12):
            (folder / category / f"{number}.png").write_bytes(honest_image() + bytes([number]))
    if name == "link-to-a-secret.png":
        (folder / "a" / name).symlink_to("/etc/passwd")
    elif content:
        (folder / "a" / name).write_bytes(content)
    os.mkfifo(folder / "a" / "waits.png")
    return folder


def onnx_model(**where: str) -> bytes:
    """A model that adds a weight, which lies in another file where ``location`` names one."""
    weight = helper.make_tensor("w", TensorProto.FLOAT, [4], [0.0] * 4)
    if where:
        weight.ClearField("float_data")
        weight.data_location = TensorProto.EXTERNAL
        for key, value in where.items():
            weight.external_data.add(key=key, value=value)
    graph = helper.make_graph(
        [helper.make_node("Add", ["input", "w"], ["output"])],
        "g",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, ["batch", 4])],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, ["batch", 4])],
        [weight],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return bytes(made.SerializeToString())


def exported(root: Path, name: str, model: bytes | None = None, **changes: Any) -> Path:
    """An exported folder of this name as it should be, but for what is changed."""
    folder = root / name
    folder.mkdir()
    (folder / "model.onnx").write_bytes(onnx_model() if model is None else model)
    document: dict[str, Any] = {
        "schema_version": 1,
        "runtime": {"name": "onnxruntime", "threads": 1},
        "input": {"name": "input", "dtype": "float32", "shape": ["batch", 4]},
        "claims": FIGURES,
        "measured": {"device": "a machine", "baseline_threads": 1, "seed": 0},
        "origin": {"workload": "synthetic"},
        "files": {"model.onnx": digest(folder / "model.onnx")},
    }
    (folder / "frontrunner.json").write_text(json.dumps({**document, **changes}))
    return folder


def digest(file: Path) -> dict[str, Any]:
    return {"sha256": hashlib.sha256(file.read_bytes()).hexdigest(), "bytes": file.stat().st_size}


def hostile_exports(root: Path) -> list[Path]:
    """Exported folders, each with one thing that it must not have."""
    secret = root / "secret.bin"
    secret.write_bytes(bytes(16))
    folders = [
        exported(root, "weights-outside", onnx_model(location="../secret.bin")),
        exported(root, "weights-of-the-system", onnx_model(location="/etc/passwd", length="16")),
        exported(root, "no-model", code_pickle()),
        exported(root, "file-outside", files={"../secret.bin": digest(secret)}),
        exported(root, "a-billion-threads", runtime={"name": "onnxruntime", "threads": 10**9}),
        exported(root, "unknown-runtime", runtime={"name": "../../x", "threads": 1}),
        exported(root, "endless-input", input={"shape": ["batch", 2**60]}),
        exported(root, "other-schema", schema_version={"a": []}),
    ]
    linked, listed = exported(root, "linked-model"), exported(root, "unlisted-file")
    (linked / "model.onnx").unlink()
    (linked / "model.onnx").symlink_to(secret)
    (listed / "model.onnx.data").write_bytes(b"x")
    long, nested, device, waits = (exported(root, name) for name in ("huge", "nested", "device", "waits"))
    with (long / "frontrunner.json").open("r+b") as file:
        file.truncate(2**33)
    (nested / "frontrunner.json").write_text('{"a":' * 200_000)
    (device / "frontrunner.json").unlink()
    (device / "frontrunner.json").symlink_to("/dev/zero")
    (waits / "frontrunner.json").unlink()
    os.mkfifo(waits / "frontrunner.json")
    return [*folders, linked, listed, long, nested, device, waits]


MODELS = {
    "weights-outside.onnx": onnx_model(location="../../../../../../../../etc/passwd", length="16"),
    "weights-of-the-system.onnx": onnx_model(location="/etc/passwd", length="16"),
    "pickle.onnx": code_pickle(),
    "entities.xml": b'<?xml version="1.0"?><!DOCTYPE net [<!ENTITY a SYSTEM "file:///etc/passwd">]><net>&a;</net>',
    "lol.xml": b'<!DOCTYPE net [<!ENTITY a "aaaaaaaaaa">'
    + b"".join(b'<!ENTITY a%d "%s">' % (n, b"&a%d;" % (n - 1) * 10 if n else b"&a;" * 10) for n in range(12))
    + b"]><net>&a11;</net>",
    "pickle.pt": code_pickle(),
    "pickle.pt2": code_pickle(),
}

EXPORTS = (
    *("weights-outside", "weights-of-the-system", "no-model", "file-outside", "a-billion-threads", "unknown-runtime"),
    *("endless-input", "other-schema", "linked-model", "unlisted-file", "huge", "nested", "device", "waits"),
)


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], Outcome]:
    """What came of each, by reader and name; the honest ones are among them."""
    root = tmp_path_factory.mktemp("folders")
    made: dict[str, list[Path]] = {}
    for reader in ("images", "exported", "models"):
        (root / reader).mkdir()
    made["images"] = [image_folder(root / "images", name, content) for name, content in IMAGES.items()]
    made["images"].append(image_folder(root / "images", "honest", b""))
    made["exported"] = [*hostile_exports(root / "exported"), exported(root / "exported", "honest")]
    for name, content in MODELS.items():
        (root / "models" / name).write_bytes(content)
    (root / "models" / "honest.onnx").write_bytes(onnx_model())
    made["models"] = [root / "models" / name for name in (*MODELS, "honest.onnx")]
    return read_limited(made, root)


@pytest.mark.parametrize("name", IMAGES)
def test_a_hostile_image_is_refused_in_one_sentence(outcomes: dict[tuple[str, str], Outcome], name: str) -> None:
    assert_refused(outcomes["images", name], name)


@pytest.mark.parametrize("name", EXPORTS)
def test_a_hostile_export_is_refused_in_one_sentence(outcomes: dict[tuple[str, str], Outcome], name: str) -> None:
    assert_refused(outcomes["exported", name], name)


@pytest.mark.parametrize("name", MODELS)
def test_a_hostile_model_file_is_refused_in_one_sentence(outcomes: dict[tuple[str, str], Outcome], name: str) -> None:
    assert_refused(outcomes["models", name], name)


@pytest.mark.parametrize(("reader", "name"), [("images", "honest"), ("exported", "honest"), ("models", "honest.onnx")])
def test_an_honest_one_is_read(outcomes: dict[tuple[str, str], Outcome], reader: str, name: str) -> None:
    assert outcomes[reader, name].kind == "read", outcomes[reader, name]


def test_a_document_that_is_too_large_is_not_read(tmp_path: Path) -> None:
    """The limit of memory of the other tests would refuse it too."""
    folder = exported(tmp_path, "export")
    with (folder / "frontrunner.json").open("r+b") as file:
        file.truncate(2**25)
    with pytest.raises(RequestError, match="is larger than 16 MiB"):
        read_claims(folder)


def test_the_document_alone_decides_no_file_outside(tmp_path: Path) -> None:
    """The honest folder is refused as soon as its one file is another."""
    folder = exported(tmp_path, "export")
    read_claims(folder)
    (folder / "model.onnx").write_bytes(onnx_model() + b" ")
    with pytest.raises(RequestError, match="was changed after it was written"):
        read_claims(folder)
