"""What answers at once imports nothing heavy: the version, every help text, and completion for the shell."""

import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest
from command_line import COMMAND, subcommands

ROOT = Path(__file__).resolve().parents[2]
HEAVY = {"torch", "ray", "mlflow", "optuna", "numpy", "yaml", "sqlalchemy", "sklearn", "torchvision", "PIL"}
PROGRAM = """
import sys, typer.completion
from search.__main__ import main
typer.completion._get_shell_name = lambda: "bash"  # the tests may run in no shell
for words in INVOCATIONS:
    sys.argv = ["frontrunner", *words]
    try:
        main()
    except SystemExit as end:
        assert not end.code, words
print(sorted(HEAVY & set(sys.modules)), file=sys.stderr)
"""


def answers(*invocations: list[str], **environment: str) -> str:
    """What the commands print one after the other in one process, once it is clear that nothing heavy was imported."""
    program = PROGRAM.replace("INVOCATIONS", repr(invocations)).replace("HEAVY", repr(HEAVY))
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stderr.strip() == "[]"
    return done.stdout


def test_the_version_and_every_help_text_are_light() -> None:
    helps = [[*path.split()[1:], "--help"] for path in subcommands(COMMAND)]
    shown = answers(["--version"], ["--help"], *helps)
    assert shown.startswith(f"frontrunner {version('frontrunner')}\n")
    assert shown.count("Usage: frontrunner") == len(helps) + 1


def test_completion_is_a_script_for_the_shell_that_asks_and_is_light() -> None:
    script = answers(["--show-completion"])
    assert "complete -o default -F _frontrunner_completion frontrunner" in script
    assert subprocess.run(["bash", "-n"], input=script, text=True).returncode == 0


@pytest.mark.parametrize(
    ("typed", "completed"),
    [("frontrunner verif", ["verify"]), ("frontrunner search --time", ["--timeout", "--time-budget"])],
)
def test_completing_a_word_is_light(typed: str, completed: list[str]) -> None:
    asked = {"_FRONTRUNNER_COMPLETE": "complete_bash", "COMP_WORDS": typed, "COMP_CWORD": str(typed.count(" "))}
    assert answers([], **asked).split() == completed
