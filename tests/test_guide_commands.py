"""The commands that the guides mark with ``run`` succeed, on a short study of the front page's own example."""

import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from guides import GUIDES, ROOT, Block, example, shell_lines, words
from search_tests.command import COMMAND, frontrunner

SHORT = ("--study", "digits", "--trials", "2")
"""The study has the name that the guides use, and holds the baseline and one candidate."""

MARKED = [(file, block, line) for file in GUIDES for block, line in shell_lines(file.read_text(encoding="utf-8"))]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the front page's workload file and a study of it in the default home."""
    folder = tmp_path_factory.mktemp("guides")
    (folder / "workload.py").write_text(example(ROOT / "README.md", "workload.py"), encoding="utf-8")
    done = frontrunner("search", "--workload", "workload.py", *SHORT, cwd=folder, timeout_s=480)
    assert done.returncode == 0, done.stderr
    return folder


def run(command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """A command of a guide, in ``folder``, with this environment's programs."""
    (program, *arguments), target = words(command)
    found = {"frontrunner": str(COMMAND), "python": sys.executable}[program]
    done = subprocess.run([found, *arguments], cwd=folder, capture_output=True, text=True, timeout=240, check=False)
    if target:
        (folder / target).write_text(done.stdout, encoding="utf-8")
    return done


def to_run() -> list[str]:
    """The commands to run, each once, those that make the exported folder before those that read it."""
    marked = list(dict.fromkeys(line for _, block, line in MARKED if block.marker == "run"))
    return sorted(marked, key=lambda line: "fast" in line and "export" not in line)


def failures(commands: list[str], folder: Path) -> list[str]:
    """The commands that fail, each with the end of what it said."""
    ended = ((command, run(command, folder)) for command in commands)
    return [f"{command}: {done.stderr[-600:]}" for command, done in ended if done.returncode]


def test_the_front_pages_example_is_searched_exported_and_asked(folder: Path) -> None:
    assert failures(to_run(), folder) == []


def test_a_command_that_fails_is_found(tmp_path: Path) -> None:
    assert len(failures(["frontrunner front digits", "frontrunner init there", "python there/none.py"], tmp_path)) == 2


@pytest.mark.parametrize(("_file", "block", "line"), [m for m in MARKED if m[1].marker == "not run"])
def test_what_is_not_run_says_why(_file: Path, block: Block, line: str) -> None:
    assert block.said, line
    for word in shlex.split(block.said.replace("'", "")):
        assert not word.startswith("tests/") or (ROOT / word.rstrip(";,.")).is_file()
