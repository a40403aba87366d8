"""A person's file is run without windows and without its prints, and says in one sentence what goes wrong."""

import os
import sys
from pathlib import Path

import pytest

from runners.workload_loading.user_module import load_module, quiet
from search.commands.doctor import examine
from spaces.errors import RequestError

LOUD = """
import numpy as np
from torch import nn
from runners.workload import Workload

for number in range(1_000_000):
    print("line", number)

def data():
    print("data")
    pairs = np.random.default_rng(0).normal(size=(3, 6, 4)).astype(np.float32)
    return {name: (part, np.arange(6) % 2) for name, part in zip(("train", "validation", "test"), pairs)}

def model():
    print("model")
    return nn.Linear(4, 2)

WORKLOAD = Workload("loud", model, data)
"""


def written(folder: Path, text: str) -> str:
    (folder / "mine.py").write_text(text)
    return str(folder / "mine.py")


def test_a_million_lines_are_thrown_away_and_json_stays_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("runners.executors.inspection.find_model_limits", lambda *_: ())
    examine(written(tmp_path, LOUD), as_json=True)
    said = capsys.readouterr()
    assert said.out.startswith("{")
    assert said.out.count("\n") == 1
    assert said.err == ""


WINDOWS = {
    "tkinter": ("import tkinter\ntkinter.Tk().mainloop()\n", r"mine\.py:2: TclError: no display"),
    "input": ("name = input('name? ')\n", r"mine\.py:1: EOFError"),
}


@pytest.mark.parametrize("name", WINDOWS)
def test_a_window_or_a_question_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    if name == "tkinter":
        pytest.importorskip("tkinter")
    monkeypatch.setenv("DISPLAY", ":0")
    text, sentence = WINDOWS[name]
    with pytest.raises(RequestError, match=sentence):
        load_module(written(tmp_path, text))
    assert os.environ["DISPLAY"] == ":0"


def test_a_figure_is_drawn_into_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MPLBACKEND", raising=False)
    module = load_module(
        written(tmp_path, "import os\nBACKEND = os.environ['MPLBACKEND']\nSCREEN = os.environ.get('DISPLAY')\n")
    )
    assert (module.BACKEND, module.SCREEN) == ("agg", None)
    assert "MPLBACKEND" not in os.environ
    monkeypatch.setenv("MPLBACKEND", "svg")
    with quiet():
        assert os.environ["MPLBACKEND"] == "svg", "what a person has chosen stays"


def test_a_download_that_fails_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    text = "from urllib.request import urlopen\n\nurlopen('http://127.0.0.1:9/weights.pt')\n"
    with pytest.raises(RequestError, match=r"mine\.py:3: URLError: .*refused.*; what it fetches .* fetch it once"):
        load_module(written(tmp_path, text))
    told = "raise RuntimeError('Tried https://example.org, got <urlopen error timed out>')\n"
    with pytest.raises(RequestError, match=r"mine\.py:1: RuntimeError: Tried .*; what it fetches"):
        load_module(written(tmp_path, told))
    wrapped = (
        "import socket\ntry:\n    socket.create_connection(('127.0.0.1', 9))\n"
        "except OSError as error:\n    raise RuntimeError('no weights') from error\n"
    )
    with pytest.raises(RequestError, match=r"mine\.py:5: RuntimeError: no weights; what it fetches"):
        load_module(written(tmp_path, wrapped))


def test_standard_streams_come_back(tmp_path: Path) -> None:
    before = sys.stdin, sys.stdout
    with pytest.raises(RequestError):
        load_module(written(tmp_path, "print('x')\nraise SystemExit\n"))
    assert (sys.stdin, sys.stdout) == before
