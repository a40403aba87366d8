"""Which slow libraries a workload's code imports is read out of its files, which are not run."""

from pathlib import Path

import pytest

from runners.workload_loading.imported_libraries import SLOW, slow_libraries


def test_the_imports_of_a_file_and_of_those_beside_it_are_found_and_nothing_is_run(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("import layers\nfrom torchvision.models import resnet18\nraise SystemExit\n")
    (tmp_path / "layers.py").write_text("def load():\n    from sklearn import datasets\n")
    assert slow_libraries(f"{tmp_path / 'mine.py'}:WORKLOAD") == ("torchvision", "sklearn")


def test_a_mapping_needs_torchvision_and_a_built_in_workload_nothing() -> None:
    assert slow_libraries({"model": "torchvision:resnet18", "data": {"imagefolder": "flowers"}}) == ("torchvision",)
    assert slow_libraries("digits") == ()


@pytest.mark.parametrize("reference", ["no_such_module:WORKLOAD", "broken.py", "/nowhere/mine.py"])
def test_what_cannot_be_read_needs_nothing(reference: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "broken.py").write_text("import torchvision\ndef (\n")
    assert slow_libraries(reference) == ()


def test_only_some_libraries_are_named() -> None:
    assert "torch" not in SLOW, "the server of fresh processes imports it anyway"
