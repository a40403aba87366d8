"""The commands that the guides mark with ``run`` succeed, on a short study of the front page's own example."""

import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from guides import GUIDES, ROOT, Block, shell_lines, words
from search_tests.command import COMMAND
from search_tests.whole_search import EXPORT, Searched

MARKED = [(file, block, line) for file in GUIDES for block, line in shell_lines(file.read_text(encoding="utf-8"))]


def run(command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """A command of a guide, in ``folder``, with this environment's programs."""
    (program, *arguments), target = words(command)
    found = {"frontrunner": str(COMMAND), "python": sys.executable}[program]
    done = subprocess.run([found, *arguments], cwd=folder, capture_output=True, text=True, timeout=240, check=False)
    if target:
        (folder / target).write_text(done.stdout, encoding="utf-8")
    return done


def to_run() -> list[str]:
    """The commands to run, each once, but for the export, which has been done."""
    marked = list(dict.fromkeys(line for _, block, line in MARKED if block.marker == "run"))
    marked.remove(EXPORT)
    return marked


def failures(commands: list[str], folder: Path) -> list[str]:
    """The commands that fail, each with the end of what it said."""
    ended = ((command, run(command, folder)) for command in commands)
    return [f"{command}: {done.stderr[-600:]}" for command, done in ended if done.returncode]


def test_the_front_pages_example_is_searched_exported_and_asked(searched: Searched, exported: Path) -> None:
    assert exported.parent == searched.folder
    assert failures(to_run(), searched.folder) == []


def test_a_command_that_fails_is_found(tmp_path: Path) -> None:
    assert len(failures(["frontrunner front digits", "frontrunner init there", "python there/none.py"], tmp_path)) == 2


@pytest.mark.parametrize(("_file", "block", "line"), [m for m in MARKED if m[1].marker == "not run"])
def test_what_is_not_run_says_why(_file: Path, block: Block, line: str) -> None:
    assert block.said, line
    for word in shlex.split(block.said.replace("'", "")):
        assert not word.startswith("tests/") or (ROOT / word.rstrip(";,.")).is_file()
