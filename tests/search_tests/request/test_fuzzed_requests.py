"""Whatever a study file and flags hold, a request is taken, or refused with exit code 2 and one sentence."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from search_tests.request.fuzzed import argument, search_flags, study_files

from runners.workload_loading.reference import check_workload_reference
from search.cli import app
from search.exit_codes import LONGEST, explain
from search.request.read_request import from_yaml
from search.request.space_file import space_document
from search.request.study_request import StudyRequest
from search.request.study_schema import study_schema
from search.request.yaml_file import read_yaml
from spaces.errors import RequestError

FEW, MANY = 100, 2_000
fuzz = settings(deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck))
VALIDATOR = Draft202012Validator(study_schema())


def begin(request: StudyRequest, **_: Any) -> None:
    """What a search does with a request before it opens anything."""
    check_workload_reference(request.workload)
    space_document(request.space, request.quantities)
    assert request.study_name
    assert request.budgets()
    assert request.locations.with_environment().studies


@pytest.fixture(scope="module", autouse=True)
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The current folder, with what a request may name; no search is started from it."""
    folder = tmp_path_factory.mktemp("fuzzed")
    (folder / "images").mkdir()
    for name, content in {"net.py": "", "w.safetensors": "", "space.yaml": "student_width: [1.0, 0.5]\n"}.items():
        (folder / name).write_text(content)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setattr("search.commands.search.run_search", begin)
        patch.setattr("search.commands.dry_run.show_plan", begin)
        yield folder


def answer(*words: str) -> tuple[int, str]:
    """The exit code and the sentence of ``frontrunner WORDS``; what would be a traceback is raised."""
    try:
        app(list(words), prog_name="frontrunner", standalone_mode=False)
    except SystemExit as end:
        return int(end.code or 0), ""
    except Exception as error:
        return explain(error)
    return 0, ""


def require_sentence(code: int, sentence: str) -> None:
    """Raise AssertionError unless nothing was wrong, or it is told in one sentence with exit code 2."""
    assert code in (0, 2)
    assert bool(sentence) == (code == 2)
    assert sentence.isprintable()
    assert len(sentence) <= 2 * LONGEST  # where every character is written out
    assert "Traceback" not in sentence


def check_file(folder: Path, content: bytes) -> None:
    """Search with a study file that holds ``content``; what is taken is valid by the JSON schema too."""
    (folder / "study.yaml").write_bytes(content)
    code, sentence = answer("search", "study.yaml")
    require_sentence(code, sentence)
    if code == 0:
        assert list(VALIDATOR.iter_errors(read_yaml("study.yaml").data)) == []
    else:
        assert "study.yaml" in sentence


def check_flags(folder: Path, content: bytes, words: list[str]) -> None:
    """Search with a study file and flags."""
    (folder / "study.yaml").write_bytes(content)
    require_sentence(*answer("search", "study.yaml", *words))
    require_sentence(*answer("search", *words))


COMMANDS = [
    "resume",
    "studies",
    "front",
    "export",
    "verify",
    "time",
    "cache",
    "cache list",
    "cache prune",
    "cache limit",
]
plain = argument.filter(lambda word: not set(word) & set("/\\~:") and not word.startswith("."))
others = st.tuples(
    st.sampled_from(COMMANDS),
    st.lists(
        st.one_of(
            plain,
            st.sampled_from(
                ["--json", "--all", "--csv", "--to", "--pick", "--within", "--home", "--shape", "--batch", "--threads"]
            ),
            st.sampled_from(["--older-than", "--trials", "--timeout", "--register", "1,3,32", "5GiB", "7d", "2", "-1"]),
        ),
        max_size=5,
    ),
)


def check_other(command: str, words: list[str]) -> None:
    """Any other command, in a folder without a home."""
    require_sentence(*answer(*command.split(), *words))


@settings(fuzz, max_examples=FEW)
@given(content=study_files)
def test_some_study_files(folder: Path, content: bytes) -> None:
    check_file(folder, content)


@settings(fuzz, max_examples=FEW)
@given(content=study_files, words=search_flags)
def test_some_flags(folder: Path, content: bytes, words: list[str]) -> None:
    check_flags(folder, content, words)


@settings(fuzz, max_examples=FEW)
@given(asked=others)
def test_some_other_commands(asked: tuple[str, list[str]]) -> None:
    check_other(*asked)


@pytest.mark.slow
@settings(fuzz, max_examples=MANY)
@given(content=study_files)
def test_many_study_files(folder: Path, content: bytes) -> None:
    check_file(folder, content)


@pytest.mark.slow
@settings(fuzz, max_examples=MANY)
@given(content=study_files, words=search_flags)
def test_many_flags(folder: Path, content: bytes, words: list[str]) -> None:
    check_flags(folder, content, words)


BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{new}: &{new} [{', '.join([f'*{old}'] * 9)}]\n" for old, new in zip("abcdefgh", "bcdefghi", strict=True)
)
FILES = {
    "a YAML bomb": (BOMB, r"study\.yaml:1: anchors and aliases"),
    "a Windows path": (
        "workload: C:\\models\\net.py",
        r"study\.yaml:1: there is no file C:\\models\\net\.py",
    ),
    "a Windows path in quotes": ('workload: "C:\\models\\net.py"', r"study\.yaml:1: not valid YAML: .*escape"),
    "nothing": ("", r"holds no settings"),
    "comments alone": ("# nothing\n\n", r"holds no settings"),
    "binary": (bytes(range(256)), r"study\.yaml"),
    "a picture": (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + bytes(200), r"study\.yaml:1: not UTF-8 text"),
    "10 MB": (b"seed: 1\n" * 1_300_000, r"larger than 1 MiB"),
    "one long line": ("study: " + "x" * 1_000_000, r"study\.yaml:1: study: give a name"),
    "a long key": ("? " + "x" * 900_000 + "\n: 1", r"study\.yaml:1: unknown key 'x+\.\.\.x+'"),
    "many keys": ("".join(f"k{n}: 1\n" for n in range(5_000)), r"study\.yaml:1: unknown key 'k0'"),
    "a list": ("- study: a", r"holds no settings"),
    "a word": ("digits", r"holds no settings"),
    "CRLF and a mistake": ("seed: 1\r\ntrails: 5\r\n", r"study\.yaml:2: unknown key 'trails'"),
    "old Mac lines": ("seed: 1\rtrails: 5\r", r"study\.yaml:2: unknown key 'trails'"),
    "UTF-16": ("seed: 1".encode("utf-16"), r"study\.yaml:1: not UTF-8 text"),
    "a merge": ("<<: {seed: 1}", r"study\.yaml:1: unknown key '<<'"),
    "a key twice": ("seed: 1\nseed: 2", r"study\.yaml:2: 'seed' is given twice, first on line 1"),
    "a key twice inside": ("space:\n  runtime: all\n  runtime: eager", r"study\.yaml:3: 'runtime' is given twice"),
    "code": ("seed: !!python/object/apply:os.system [ls]", r"study\.yaml:1: the tag"),
    "a line break in a path": ('workload: "a\\nb.py"', r"study\.yaml:1: there is no file a\\nb\.py"),
    "a NUL in a path": ('home: "a\\0b"', r"study\.yaml:1: home 'a\\x00b': cannot be looked for \(embedded null byte\)"),
}


@pytest.mark.parametrize("case", FILES)
def test_a_strange_study_file_is_refused_with_its_line(case: str, folder: Path) -> None:
    content, sentence = FILES[case]
    (folder / "study.yaml").write_bytes(content.encode() if isinstance(content, str) else content)
    code, said = answer("search", "study.yaml")
    require_sentence(code, said)
    assert code == 2
    with pytest.raises(RequestError, match=sentence):
        raise RequestError(said)


def test_a_folder_and_what_is_not_there_are_no_study_file(folder: Path) -> None:
    assert answer("search", "images") == (2, "images cannot be read (Is a directory); give a YAML file")
    assert answer("search", "gone.yaml")[1].startswith("gone.yaml cannot be read (No such file or directory)")
    assert answer("search", "x" * 300)[0] == 2


def test_a_right_request_is_taken(folder: Path) -> None:
    (folder / "study.yaml").write_text("workload: net.py\nspace: space.yaml\nobjectives: macs\n")
    assert from_yaml("study.yaml")["objectives"] == ("macs",)
    assert answer("search", "study.yaml", "--trials", "3") == (0, "")
