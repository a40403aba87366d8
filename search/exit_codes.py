"""The exit code of a command that ends with an error, and the sentence that it prints."""

import errno
import os
import sys

import typer

from spaces.errors import RequestError, WorkFailed

LONGEST = 2_000
"""Characters of a sentence about an error."""
LONGEST_PATH = 60
"""Characters shown of a path that is too long."""


def require_current_folder() -> None:
    """Exit with 2 where the current folder was removed: paths cannot be found then, and some libraries crash."""
    try:
        os.getcwd()
    except FileNotFoundError:
        print("frontrunner: the current folder was removed; change into one that exists", file=sys.stderr)
        sys.exit(2)


def printable(sentence: str) -> str:
    """The sentence in one line of at most `LONGEST` characters, as names that are given in a request may hold anything.

    What breaks a line or moves a cursor is written out, and what is too long loses its middle.
    """
    short = sentence if len(sentence) <= LONGEST else f"{sentence[: LONGEST // 2]} ... {sentence[-LONGEST // 2 :]}"
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in short)


def explain(error: BaseException) -> tuple[int, str]:
    """Exit code, and sentence in one line, for an error that is no fault of this program; any other is raised."""
    match error:
        case RequestError():
            return 2, printable(str(error))
        case WorkFailed():
            return 1, printable(str(error))
        case typer.TyperException():  # wrong usage, found by typer itself
            context = getattr(error, "ctx", None)
            command = context.command_path if context else "frontrunner"
            problem = printable(error.format_message()).rstrip(".")
            return 2, f"{problem}; `{command} --help` lists what is allowed"
        case OSError(errno=errno.ENAMETOOLONG):  # only a request can name what no file can be called
            return 2, f"{printable(str(error.filename))[:LONGEST_PATH]}...: the path is too long; give a shorter one"
        case typer.Abort():
            return 130, "interrupted"
    raise error
