"""An error that is no fault of the program has an exit code and one line; any other is raised."""

import errno

import pytest
import typer

from search.exit_codes import LONGEST, explain
from spaces.errors import RequestError, WorkFailed


@pytest.mark.parametrize(
    ("error", "code", "sentence"),
    [
        (RequestError("--seed -1: give 0 or more"), 2, "--seed -1: give 0 or more"),
        (WorkFailed("the disk is full"), 1, "the disk is full"),
        (typer.Abort(), 130, "interrupted"),
        (
            OSError(errno.ENAMETOOLONG, "File name too long", "/tmp/" + "a" * 300),
            2,
            f"/tmp/{'a' * 55}...: the path is too long; give a shorter one",
        ),
        (RequestError("there is no file a\nb\x1b[2J\udc80é"), 2, r"there is no file a\nb\x1b[2J\udc80é"),
    ],
)
def test_what_is_no_fault_of_the_program(error: Exception, code: int, sentence: str) -> None:
    assert explain(error) == (code, sentence)


def test_a_long_sentence_keeps_its_beginning_and_its_end() -> None:
    _, sentence = explain(RequestError(f"begins {'x' * 10_000} ends"))
    assert sentence.startswith("begins xx")
    assert sentence.endswith("xx ends")
    assert len(sentence) < LONGEST + 10


def test_any_other_error_is_raised() -> None:
    with pytest.raises(KeyError):
        explain(KeyError("a"))
