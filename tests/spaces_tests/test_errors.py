"""An error of any library becomes one line that a person can read."""

import pytest

from spaces.errors import RequestError, WorkFailed, in_one_line


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (ValueError("two\n  lines"), "ValueError: two lines"),
        (ValueError(), "ValueError"),
        (RuntimeError("RuntimeError: said twice"), "RuntimeError: said twice"),
        (RequestError("--to x: it exists\nalready"), "--to x: it exists already"),
        (WorkFailed(""), "no message"),
    ],
)
def test_an_error_is_told_in_one_line_with_its_kind_where_it_is_not_our_own(error: Exception, line: str) -> None:
    assert in_one_line(error) == line


def test_a_long_message_keeps_its_beginning_and_its_end() -> None:
    line = in_one_line(ValueError("the start " + "x" * 1000 + " the cause"), limit=40)
    assert line.startswith("ValueError: the start ")
    assert line.endswith(" the cause")
    assert len(line) <= len("ValueError:  ... ") + 40
