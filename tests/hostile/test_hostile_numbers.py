"""Weights, arrays and tables from anybody: no code runs, memory stays in bounds, each is refused in one sentence."""

import io
import json

import numpy as np
import pytest
import torch
from hostile.limited_reading import Outcome, assert_refused, read_limited
from hostile.payloads import RunsCode, code_pickle, npy_header, safetensors_file, write, zeros_in_zip

pytestmark = pytest.mark.faults("hostile file")

TERABYTES = "(1099511627776, 16)"


def saved(content: object, **how: object) -> bytes:
    """What `torch.save` writes of it."""
    file = io.BytesIO()
    torch.save(content, file, **how)
    return file.getvalue()


def arrays(**content: np.ndarray) -> bytes:
    """What NumPy writes of arrays by their names; of objects it writes a pickle."""
    file = io.BytesIO()
    np.savez(file, **content)
    return file.getvalue()


def tensors(**about: object) -> bytes:
    """The header of a safetensors file."""
    return json.dumps(about).encode()


WEIGHTS = {
    "code-in-a-state-dict.pt": saved({"weight": RunsCode()}),
    "code-in-the-old-format.pt": saved({"weight": RunsCode()}, _use_new_zipfile_serialization=False),
    "code-in-a-bare-pickle.pt": code_pickle(),
    "code-under-another-name.safetensors": code_pickle(),
    "names-outside.pt": zeros_in_zip({"../../x/data.pkl": code_pickle(), "/x/version": b"3"}, 0),
    "zip-bomb.pt": zeros_in_zip({"archive/data.pkl": b"\x80\x02", "archive/version": b"3"}, 400),
    "header-of-an-exbibyte.safetensors": safetensors_file(b"{}", 2**60),
    "header-of-4-GiB.safetensors": safetensors_file(b"{}", 2**32),
    "nested-header.safetensors": safetensors_file(b'{"a":' * 100_000),
    "terabytes.safetensors": safetensors_file(
        tensors(weight={"dtype": "F32", "shape": [2**40, 16], "data_offsets": [0, 2**46]})
    ),
    "offsets-outside.safetensors": safetensors_file(
        tensors(weight={"dtype": "F32", "shape": [2, 2], "data_offsets": [2**40, 2**40 + 16]}), data=bytes(16)
    ),
    "wraps-around.safetensors": safetensors_file(
        tensors(weight={"dtype": "F32", "shape": [2**63, 2, 2], "data_offsets": [0, 16]}), data=bytes(16)
    ),
}

ARRAYS = {
    "objects.npz": arrays(inputs=np.array([RunsCode()], dtype=object), targets=np.zeros(1)),
    "terabytes.npz": zeros_in_zip({"inputs.npy": npy_header(TERABYTES), "targets.npy": npy_header("(1,)")}, 0),
    "zip-bomb.npz": zeros_in_zip({"inputs.npy": npy_header("(100, 1048576)"), "targets.npy": npy_header("(1,)")}, 400),
    "negative.npz": zeros_in_zip({"inputs.npy": npy_header("(-1, 2)"), "targets.npy": npy_header("(1,)")}, 0),
    "code-in-a-header.npz": zeros_in_zip({"inputs.npy": npy_header("", text="__import__('os').mkdir('x')")}, 0),
    "nested-header.npz": zeros_in_zip({"inputs.npy": npy_header("", text="(" * 9_000 + ")" * 9_000)}, 0),
    "names-outside.npz": zeros_in_zip({"../../inputs.npy": npy_header("(1,)") + bytes(4)}, 0),
    "pickle.npz": code_pickle(),
    "terabytes.safetensors": WEIGHTS["terabytes.safetensors"],
}

TABLES = {
    "one-cell.csv": b"x,y\n" + b'"' + b"a" * 2**20 + b'",1\n',
    "zeros.csv": bytes(2**20),
    "pickle.csv": code_pickle(),
    "columns.csv": b"," * 200_000 + b"\n" + b"," * 200_000,
}

DIVISIONS = {
    "outside.csv": b"file,class,split\n../../x.png,a,train\n",
    "absolute.csv": b"file,class,split\n/etc/passwd,a,train\n",
    "one-cell.csv": b"file,class,split\n" + b"a" * 2**20 + b",a,train\n",
    "zeros.csv": b"file,class,split\n" + bytes(2**20),
}

CASES = {"weights": WEIGHTS, "arrays": ARRAYS, "table": TABLES, "division": DIVISIONS}


HONEST = {
    "weights": {"honest.pt": saved(torch.nn.Linear(2, 2).state_dict())},
    "arrays": {"honest.npz": arrays(inputs=np.zeros((40, 2), np.float32), targets=np.arange(40) % 2)},
    "table": {"honest.csv": b"x,y\n" + b"".join(b"%d,%d\n" % (number, number % 2) for number in range(40))},
    "division": {"honest.csv": b"file,class,split\na/1.png,a,train\n"},
}
"""What the same readers take under the same limits; else these could be why all others are refused."""


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], Outcome]:
    """What came of each file, by reader and name."""
    folder = tmp_path_factory.mktemp("numbers")
    made = {}
    for reader, files in CASES.items():
        (folder / reader).mkdir()
        made[reader] = write(folder / reader, files | HONEST[reader])
    return read_limited(made, folder)


@pytest.mark.parametrize(("reader", "name"), [(reader, name) for reader, files in CASES.items() for name in files])
def test_a_hostile_file_is_refused_in_one_sentence(
    outcomes: dict[tuple[str, str], Outcome], reader: str, name: str
) -> None:
    assert_refused(outcomes[reader, name], name)


@pytest.mark.parametrize(("reader", "name"), [(reader, name) for reader, files in HONEST.items() for name in files])
def test_an_honest_file_is_read(outcomes: dict[tuple[str, str], Outcome], reader: str, name: str) -> None:
    assert outcomes[reader, name].kind == "read", outcomes[reader, name]
