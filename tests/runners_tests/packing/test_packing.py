"""What is packed is restored bit by bit by a short decoder that needs NumPy alone, and damage is refused."""

import hashlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from safetensors.numpy import save_file

from runners.packing import decode as decoder
from runners.packing.arrays import arrays_in
from runners.packing.decode import decode
from runners.packing.encode import deflated, encode

pytest.importorskip("constriction", reason="needs `pip install 'frontrunner[packing]'`")


def _arrays() -> dict[str, NDArray[Any]]:
    """One of each kind: shared values, sparse, dense, one value, few bits, both zeros, none, and a single number."""
    random = np.random.default_rng(0)
    book = random.standard_normal(15).astype(np.float32)
    shared = np.where(random.random((40, 50)) < 0.1, random.choice(book, (40, 50)), np.float32(0))
    dense = random.standard_normal((30, 40)).astype(np.float32)
    return {
        "shared": shared,
        "sparse": np.where(random.random((30, 40)) < 0.1, dense, np.float32(0)),
        "dense": dense,
        "zeros": np.zeros((10, 10), np.float32),
        "int8": random.integers(-3, 4, (64, 64)).astype(np.int8),
        "signed": np.where(random.random(500) < 0.5, np.float32(0), np.float32(-0.0)),
        "halves": shared.astype(np.float16),
        "empty": np.zeros((0, 3), np.float32),
        "number": np.array(2.5, np.float32),
    }


def _same(given: NDArray[Any], expected: NDArray[Any]) -> bool:
    return given.shape == expected.shape and given.dtype == expected.dtype and given.tobytes() == expected.tobytes()


def _onnx(path: Path) -> Path:
    weights = [numpy_helper.from_array(array, name) for name, array in _arrays().items()]
    value = helper.make_tensor_value_info("input", TensorProto.FLOAT, ["batch", 40])
    output = helper.make_tensor_value_info("output", TensorProto.FLOAT, ["batch", 50])
    node = helper.make_node("MatMul", ["input", "shared"], ["output"])
    onnx.save(helper.make_model(helper.make_graph([node], "all", [value], [output], weights)), path)
    return path


def _safetensors(path: Path) -> Path:
    save_file(_arrays(), path)
    return path


@pytest.fixture
def packed(tmp_path: Path) -> Path:
    path = tmp_path / "model.packed"
    path.write_bytes(encode({"w.safetensors": _safetensors(tmp_path / "w.safetensors")}))
    return path


@pytest.mark.parametrize(("name", "write"), [("m.onnx", _onnx), ("w.safetensors", _safetensors)])
def test_files_and_arrays_come_back_bit_by_bit(name: str, write: Any, tmp_path: Path) -> None:
    file, other = write(tmp_path / name), tmp_path / "settings.json"
    other.write_text("{}")
    path = tmp_path / "model.packed"
    path.write_bytes(encode({name: file, "settings.json": other}))
    files, arrays = decode(path)
    assert files == {name: file.read_bytes(), "settings.json": b"{}"}
    expected = {key: array for key, array in _arrays().items() if key in arrays}
    assert expected.keys() >= _arrays().keys() - {"empty"}
    assert all(_same(arrays[key], array) for key, array in expected.items())


def test_openvino_files_are_known_by_their_graph(tmp_path: Path) -> None:
    import openvino

    openvino.save_model(openvino.convert_model(_onnx(tmp_path / "m.onnx")), tmp_path / "model.xml", False)
    found = arrays_in(tmp_path / "model.bin")
    assert [array.shape for array in found] == [(50, 40)]  # it turns the weights of a product round
    path = tmp_path / "model.packed"
    path.write_bytes(encode({"model.bin": tmp_path / "model.bin", "model.xml": tmp_path / "model.xml"}))
    files, arrays = decode(path)
    assert files["model.bin"] == (tmp_path / "model.bin").read_bytes()
    assert _same(next(iter(arrays.values())), _arrays()["shared"].T)


def test_files_of_other_runtimes_are_packed_whole(tmp_path: Path) -> None:
    weights, path = tmp_path / "model.ncnn.bin", tmp_path / "model.packed"
    weights.write_bytes(np.zeros(1000, np.float32).tobytes())
    path.write_bytes(encode({weights.name: weights}))
    assert decode(path) == ({weights.name: weights.read_bytes()}, {})


def test_a_codebook_has_so_many_values_at_most_where_all_occur_as_often(tmp_path: Path) -> None:
    numbers = {"index": np.tile(np.arange(66_000), 2)}
    save_file(numbers, tmp_path / "w.safetensors")
    path = tmp_path / "model.packed"
    path.write_bytes(encode({"w": tmp_path / "w.safetensors"}))
    assert _same(decode(path)[1]["index"], numbers["index"])


def test_shared_values_take_about_the_bits_of_their_entropy(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    weights = random.choice(np.float32([0, 1, -1, 2]), 100_000, p=[0.9, 0.05, 0.03, 0.02])
    save_file({"weights": weights}, tmp_path / "w.safetensors")
    shares = np.unique(weights, return_counts=True)[1] / len(weights)
    entropy = -float((shares * np.log2(shares)).sum()) * len(weights) / 8
    assert len(encode({"w": tmp_path / "w.safetensors"})) < 1.03 * entropy + 300


def test_the_decoder_is_short_and_needs_numpy_alone(packed: Path, tmp_path: Path) -> None:
    source = Path(decoder.__file__).read_text(encoding="utf-8")
    assert len(source.splitlines()) < 72
    folder, copy = tmp_path / "restored", tmp_path / "decode.py"
    folder.mkdir()
    copy.write_text(source, encoding="utf-8")
    bare = (
        "import runpy, sys; sys.argv = ['decode.py', *sys.argv[1:]];"
        "[sys.modules.__setitem__(name, None) for name in ('torch', 'constriction', 'safetensors', 'runners', 'onnx')];"
        f"runpy.run_path({str(copy)!r}, run_name='__main__')"
    )
    subprocess.run([sys.executable, "-I", "-c", bare, packed, folder], check=True, cwd=tmp_path)
    assert (folder / "w.safetensors").read_bytes() == (tmp_path / "w.safetensors").read_bytes()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "give the packed file and a folder: python decode.py model.packed FOLDER"),
        (("model.packed", "."), "is cut short, damaged or no packed model; fetch it again"),
        (("absent", "."), "No such file or directory: 'absent'"),
    ],
)
def test_the_decoder_says_in_one_line_what_is_wrong(arguments: tuple[str, ...], said: str, tmp_path: Path) -> None:
    (tmp_path / "model.packed").write_bytes(b"other")
    command = [sys.executable, decoder.__file__, *arguments]
    ended = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert ended.returncode == 1
    assert ended.stderr.count("\n") == 1
    assert said in ended.stderr


@pytest.mark.parametrize("damage", ["cut short", "a byte changed", "another file", "empty"])
def test_a_damaged_file_is_refused(damage: str, packed: Path) -> None:
    content = packed.read_bytes()
    changed = {
        "cut short": content[:-1],
        "a byte changed": content[:100] + bytes([content[100] ^ 1]) + content[101:],
        "another file": b"PK" + content[2:],
        "empty": b"",
    }
    packed.write_bytes(changed[damage])
    with pytest.raises(ValueError, match="cut short, damaged or no packed model"):
        decode(packed)


def test_no_more_is_restored_than_allowed(packed: Path) -> None:
    with pytest.raises(ValueError, match="more than the limit"):
        decode(packed, limit=1000)


def _packed_by_hand(path: Path, entry: dict[str, Any], body: bytes) -> Path:
    payload = deflated(json.dumps([{"name": "model.bin", "arrays": [], **entry}]).encode()) + body
    path.write_bytes(b"FRPACK1\n" + hashlib.sha256(payload).digest() + payload)
    return path


@pytest.mark.parametrize(
    "coded",
    [[[-(2**40), 2**40, 1]], [[0, 2**40, 0]], [[0, -8, 1]], [[0, 8, 1], [0, 8, 1]]],
    ids=["before the file", "values of no bytes", "fewer than none", "twice the same place"],
)
def test_arrays_that_cannot_be_in_their_file_are_refused(coded: list[list[int]], tmp_path: Path) -> None:
    entry = {"bytes": 8, "coded": [[*array, 1, 1, 0] for array in coded]}
    with pytest.raises(ValueError, match="arrays beyond their file"):
        decode(_packed_by_hand(tmp_path / "model.packed", entry, bytes(32)))


def test_frequencies_that_do_not_add_up_are_refused(tmp_path: Path) -> None:
    body = bytes([1, 2]) + np.array([2**32 - 1, 2**32 - 1, 7], "<u4").tobytes() + bytes(8)
    entry = {"bytes": 2, "coded": [[0, 2, 1, 2, 2, 1]]}
    with pytest.raises(ValueError, match="frequencies"):
        decode(_packed_by_hand(tmp_path / "model.packed", entry, body))


def test_a_program_is_not_written_beside_the_decoder(tmp_path: Path) -> None:
    path = tmp_path / "model.packed"
    (tmp_path / "given").write_text("print('imported')")
    path.write_bytes(encode({"numpy.py": tmp_path / "given"}))
    ended = subprocess.run(
        [sys.executable, decoder.__file__, path, tmp_path], capture_output=True, text=True, check=False
    )
    assert ended.returncode
    assert "numpy.py is a program and no model" in ended.stderr
    assert not (tmp_path / "numpy.py").exists()
