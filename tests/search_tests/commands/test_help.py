"""The help texts are true and complete."""

import re
import shlex
from importlib.metadata import version
from pathlib import Path

import pytest
import typer
from command_line import COMMAND, subcommands
from search_tests.command import frontrunner
from typer.testing import CliRunner

from search.cli import app
from search.request.read_request import merge

GROUP = typer.main.get_command(app)
COMMANDS = GROUP.commands  # type: ignore[attr-defined]
REQUEST = merge({}, {})
DEFAULTS = {
    "workload": REQUEST.workload,
    "space": REQUEST.space,
    "trials": REQUEST.trials,
    "sampler": REQUEST.sampler,
    "objective": ", ".join(REQUEST.objectives),
    "seed": REQUEST.seed,
}


@pytest.mark.parametrize("option", DEFAULTS)
def test_a_default_in_the_help_of_search_is_that_of_a_request(option: str) -> None:
    (text,) = (parameter.help for parameter in COMMANDS["search"].params if parameter.name == option)
    assert text.endswith(f"[default: {DEFAULTS[option]}]")


@pytest.mark.parametrize("command", COMMANDS)
def test_every_option_and_argument_has_a_sentence(command: str) -> None:
    for parameter in COMMANDS[command].params:
        assert parameter.help.split(" [default")[0].endswith("."), parameter.name


HELP = [(), *((command,) for command in COMMANDS), *(("cache", command) for command in COMMANDS["cache"].commands)]


@pytest.mark.parametrize("width", [80, 120])
@pytest.mark.parametrize("command", HELP, ids=" ".join)
def test_a_help_text_is_cut_nowhere_and_uses_the_width_and_names_no_type_of_python(
    command: tuple[str, ...], width: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    shown = CliRunner().invoke(app, [*command, "--help"]).output
    usage, rest = shown.split("\n", 1)
    assert usage.startswith("Usage: ")
    assert "..." not in rest
    options = rest.partition("Options:")[2]
    assert [word for word in ("<str>", "<int", "<path>", "<list", "<float") if word in options] == []
    assert max(map(len, shown.splitlines())) <= width
    assert len(shown.splitlines()) <= 50


@pytest.mark.parametrize("path", subcommands(COMMAND))
def test_a_help_text_has_an_example_that_can_be_typed(path: str) -> None:
    shown = CliRunner().invoke(app, [*path.split()[1:], "--help"]).output
    (typed,) = re.findall(r"^ *Example: (.*)$", shown, re.MULTILINE)
    assert typed.startswith(path)
    arguments = shlex.split(typed.partition(" > ")[0].removeprefix(path))
    subcommands(COMMAND)[path].make_context(path, arguments)


def test_the_help_names_the_home_folder_version_and_completion(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = CliRunner().invoke(app, ["--help"]).output
    assert [word for word in ("FRONTRUNNER_HOME", "--version", "--show-completion") if word not in shown] == []
    assert len(shown.splitlines()) <= 33


def test_the_version_is_that_of_the_package_and_nothing_else_is_printed() -> None:
    done = frontrunner("--version", cwd=Path())
    assert (done.returncode, done.stdout, done.stderr) == (0, f"frontrunner {version('frontrunner')}\n", "")


def test_a_shell_can_complete_the_name_of_a_command() -> None:
    asked = {"_FRONTRUNNER_COMPLETE": "complete_bash", "COMP_WORDS": "frontrunner verif", "COMP_CWORD": "1"}
    assert frontrunner(cwd=Path(), **asked).stdout.split() == ["verify"]
