"""Errors inside a person's own code, in one sentence with the file and the line."""

import sysconfig
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from socket import gaierror
from typing import Any
from urllib.error import URLError

from spaces.errors import RequestError, in_one_line

OUR_PACKAGES = {"search", "dashboards", "runners", "spaces"}
INSTALLED = {"site-packages", "dist-packages"}
"""Folders of packages that a person did not write."""

_ROOT = Path(__file__).resolve().parents[2]
_NOT_THEIRS = (Path(sysconfig.get_path("stdlib")), *(_ROOT / package for package in OUR_PACKAGES))


@contextmanager
def user_code(doing: str, file: Path | None = None) -> Iterator[None]:
    """Context in which a person's own code runs: what it raises becomes one `RequestError`.

    Args:
        doing: What is being done, such as ``running workload.py``.
        file: Their file, where it is known; the line given is then the last one in its folder.
    """
    try:
        yield
    except RequestError:
        raise
    except (Exception, SystemExit) as error:
        # The text of a syntax error repeats the file and the line.
        said = f"SyntaxError: {error.msg}" if isinstance(error, SyntaxError) else in_one_line(error)
        raise RequestError(f"{doing} failed{_where(error, file)}: {said}{_advice(error)}") from error


def type_of(value: Any) -> str:
    """The type of what a person's code gave, in words."""
    name = type(value).__name__
    return f"an array of {value.dtype}" if name == "ndarray" else name


def _advice(error: BaseException) -> str:
    """What to do where the error, or one behind it, is of the network."""
    seen: list[BaseException] = []
    cause: BaseException | None = error
    while cause is not None and cause not in seen:
        seen.append(cause)
        cause = cause.__cause__ or cause.__context__
    of_network = (URLError, ConnectionError, gaierror)
    if not any(isinstance(each, of_network) or "urlopen error" in str(each) for each in seen):
        return ""
    return "; what it fetches from the network must be here before a search, so fetch it once and read the file"


def _where(error: BaseException, file: Path | None) -> str:
    if isinstance(error, SyntaxError) and error.filename:
        return f" at {error.filename}:{error.lineno}"
    theirs = [frame for frame in traceback.extract_tb(error.__traceback__) if _is_theirs(Path(frame.filename), file)]
    return f" at {theirs[-1].filename}:{theirs[-1].lineno}" if theirs else ""


def _is_theirs(path: Path, file: Path | None) -> bool:
    if not path.is_file() or any(folder in path.parents for folder in _NOT_THEIRS) or INSTALLED & set(path.parts):
        return False
    return file is None or file.parent in path.parents
