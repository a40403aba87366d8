"""Errors inside a person's own code, told in one sentence with the file and the line."""

import sysconfig
import traceback
from pathlib import Path
from types import TracebackType

from spaces.errors import RequestError, in_one_line

_HERE = Path(__file__).resolve().parents[2]
_OURS = tuple(_HERE / own for own in ("search", "dashboards", "runners", "spaces"))
_NOT_THEIRS = (Path(sysconfig.get_path("stdlib")), *_OURS)
_INSTALLED = {"site-packages", "dist-packages"}


class UserCode:
    """Context in which a person's own code runs: what it raises becomes one `RequestError`.

    Args:
        doing: What was being done, such as ``running workload.py``.
        file: Their file, where it is known; the line given is then the last one in its folder.
    """

    def __init__(self, doing: str, file: Path | None = None) -> None:
        self.doing = doing
        self.file = file

    def __enter__(self) -> None:
        return None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None or isinstance(error, RequestError) or not isinstance(error, (Exception, SystemExit)):
            return
        where = self._where(error, trace)
        # The text of a syntax error repeats the file and the line.
        said = f"SyntaxError: {error.msg}" if isinstance(error, SyntaxError) else in_one_line(error)
        raise RequestError(f"{self.doing} failed{where}: {said}") from error

    def _where(self, error: BaseException, trace: TracebackType | None) -> str:
        if isinstance(error, SyntaxError) and error.filename:
            return f" at {error.filename}:{error.lineno}"
        frames = traceback.extract_tb(trace)
        theirs = [frame for frame in frames if self._is_theirs(frame.filename)]
        return f" at {theirs[-1].filename}:{theirs[-1].lineno}" if theirs else ""

    def _is_theirs(self, filename: str) -> bool:
        path = Path(filename)
        if not path.is_file() or any(folder in path.parents for folder in _NOT_THEIRS) or _INSTALLED & set(path.parts):
            return False
        return self.file is None or self.file.parent in path.parents
