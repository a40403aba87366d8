"""The guides leave nothing out: every technique, backend, key, quantity, command and flag is named in them."""

import re
from dataclasses import fields
from pathlib import Path
from typing import Any, get_args

import pytest
from command_line import COMMAND, flags_of, subcommands
from guides import FOLDERS, GUIDES, ROOT, blocks, example, inline_code

from runners.backends import all_backends
from runners.measuring.measurement import QUANTITIES
from runners.workload import Workload
from runners.workload_loading.image_settings import KEYS
from runners.workload_loading.reference import built_in_names
from search.request.read_request import from_yaml
from search.request.space_file import check_choices
from search.request.study_request import StudyRequest
from search.request.yaml_file import read_yaml
from spaces.space_document import all_techniques, preset_names


def guide(folder: str) -> str:
    """The text of a folder's guide."""
    return (ROOT / folder / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("folder", FOLDERS)
def test_a_guide_names_every_file_and_folder_beside_it(folder: str) -> None:
    inside = {f"{folder}/{path.name}{'/' * path.is_dir()}" for path in (ROOT / folder).glob("[!_.]*")}
    assert inside - {f"{folder}/README.md"} <= set(inline_code(guide(folder)))


@pytest.mark.parametrize("technique", all_techniques(), ids=lambda technique: technique.name)
def test_every_technique_has_a_card(technique: Any) -> None:
    (card,) = re.findall(rf"^### {technique.name}\n(.*?)(?=^##)", guide("spaces"), re.MULTILINE | re.DOTALL)
    assert re.findall(r"^- \*\*(What|Helps|Hurts|Source)", card, re.MULTILINE) == ["What", "Helps", "Hurts", "Source"]
    assert {parameter.name for parameter in technique.parameters} <= set(inline_code(card))


def test_every_preset_is_named() -> None:
    assert re.findall(r"^\| `([\w-]+)` \|", guide("spaces").partition("## Presets")[2], re.MULTILINE) == [
        *preset_names()
    ]


def test_every_backend_is_named_with_its_precisions() -> None:
    table = guide("runners").partition("\n## Backends")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| `(\w+)` \| [^|]* \| ([\w, ]+) \|", table, re.MULTILINE)
    assert dict(rows) == {name: ", ".join(backend.precisions) for name, backend in all_backends().items()}


def test_every_workload_and_every_field_of_one_is_named() -> None:
    named = set(inline_code(guide("runners")))
    assert set(built_in_names()) <= named
    assert {field.name for field in fields(Workload)} <= named


def test_every_key_of_a_study_file_is_named() -> None:
    table = guide("search").partition("## The study file")[2].partition("\n| quantity |")[0]
    keys = {key for row in re.findall(r"^\| (.*?) \|", table, re.MULTILINE) for key in re.findall(r"`([\w.]+)`", row)}
    nested = {f"workload.{key}" for key in KEYS if key != "data"} | {"workload.data.imagefolder", "workload.data.split"}
    assert keys == set(StudyRequest.model_fields) | nested
    assert set(get_args(StudyRequest.model_fields["sampler"].annotation)) <= set(inline_code(table))


def test_every_quantity_is_named_with_its_direction() -> None:
    table = guide("search").partition("\n| quantity |")[2].partition("\n\n")[0]
    rows = [
        (re.findall(r"`(\w+)`", names), better)
        for names, better in re.findall(r"^\| (`.*?) \|.*\| (\w+) \|$", table, re.MULTILINE)
    ]
    directions = {"more": "maximize", "less": "minimize"}
    assert {name: directions[better] for names, better in rows for name in names} == {
        name: quantity.direction for name, quantity in QUANTITIES.items()
    }


def test_every_command_and_flag_is_named() -> None:
    rows = re.findall(r"^\| (`frontrunner .*)$", guide("search"), re.MULTILINE)
    shared = set(
        re.findall(r"--[\w-]+", guide("search").partition("| `frontrunner init")[2].partition("| exit code")[0])
    )
    for path, command in subcommands(COMMAND).items():
        (row,) = [
            row
            for row in rows
            if row.startswith("`" + " ".join(path.split()[:2])) and row[1 + len(" ".join(path.split()[:2]))] in "` "
        ]
        assert path.split()[-1] in row
        assert flags_of(command) - {"--help"} <= set(re.findall(r"--[\w-]+", row)) | shared


def test_every_example_in_yaml_is_accepted(tmp_path: Path) -> None:
    (tmp_path / "workload.py").write_text(example(ROOT / "README.md", "workload.py"))
    (tmp_path / "flowers").mkdir()
    (tmp_path / "backbone.safetensors").touch()
    parameters = {parameter.name for technique in all_techniques() for parameter in technique.parameters}
    written = [block for file in GUIDES for block in blocks(file.read_text()) if block.language == "yaml"]
    assert len(written) >= 3
    for block in written:
        (tmp_path / "file.yaml").write_text(block.content)
        data = read_yaml(tmp_path / "file.yaml").data
        check_choices(data) if set(data) <= parameters else from_yaml(tmp_path / "file.yaml")
