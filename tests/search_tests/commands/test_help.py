"""The help texts are true and complete."""

import pytest
import typer

from search.cli import app
from search.request.read_request import merge

COMMANDS = typer.main.get_command(app).commands  # type: ignore[attr-defined]
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
