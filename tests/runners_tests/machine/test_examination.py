"""A runtime that is installed and broken is told, and never drawn."""

import re
from pathlib import Path

import pytest

from runners.backends import all_backends
from runners.machine import examination
from runners.machine.device import describe
from runners.machine.examination import Examination
from runners.machine.optional_software import optional_software
from spaces.space_document import make_space
from spaces.unavailable import unavailable

BACKEND = """
class Stand:
    def examine(self):
        {body}
BACKEND = Stand()
"""


@pytest.fixture(autouse=True)
def forgotten() -> None:
    """What was found of the runtimes before this test is forgotten, and what this test finds too."""
    examination._examination.cache_clear()
    yield
    examination._examination.cache_clear()


@pytest.mark.parametrize(
    ("body", "found"),
    [
        ("print('loaded'); return {'provider': ('cpu', 'cuda')}", {"provider": ("cpu", "cuda")}),
        ("raise ImportError('libx.so.1: no such file')", "board .*its import fails .*ImportError: libx.so.1: no such"),
        ("import os; os.abort()", r"board is installed, and its import fails \(SIGABRT\); install it again"),
        ("import time; time.sleep(60)", "board is installed, and its import did not end in 1 s"),
    ],
)
def test_an_examination_answers_or_says_why_not(
    body: str, found: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a_stand.py").write_text(BACKEND.format(body=body))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    if "sleep" in body:
        monkeypatch.setattr(examination, "TIMEOUT_S", 1.0)
    result = Examination("a_stand", "board").result()
    if isinstance(found, str):
        assert isinstance(result, str)
        assert re.match(found, result)
    else:
        assert result == found


def test_a_broken_runtime_is_off_with_what_it_raised_and_never_drawn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "openvino").mkdir()
    (tmp_path / "openvino" / "__init__.py").write_text("raise ImportError('libtbb.so.12: cannot open shared object')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    here = describe(all_backends())
    reason = here.backends["openvino"].unsupported
    assert reason == (
        "openvino is installed, and its import fails (ImportError: libtbb.so.12: cannot open shared object); "
        "install it again"
    )
    assert here.backends["onnxruntime"].unsupported is None
    space = make_space({"runtime": ["eager", "openvino"]}, here)
    assert [configuration["runtime"] for configuration in space.configurations()] == ["eager"]
    assert [(entry.value, entry.reason) for entry in unavailable(space)] == [("openvino", reason)]


def test_every_runtime_is_listed_with_its_version_and_the_command_that_installs_it() -> None:
    found = {software.package: software for software in optional_software(all_backends())}
    runtimes = {backend.packages[0] for backend in all_backends().values()} - {"torch"}
    assert runtimes <= set(found)
    assert found["ncnn"].install == "pip install 'frontrunner[ncnn]'"
    assert "phones and boards" in found["ncnn"].purpose
    assert found["onnxruntime"].installed
    assert all(software.install.startswith("pip install '") for software in found.values())
