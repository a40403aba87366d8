"""A file system in this process that fails when it is told to."""

import threading
from collections.abc import Callable
from typing import Any

from fsspec import register_implementation
from fsspec.implementations.memory import MemoryFileSystem

Fault = Callable[[str, str], BaseException | None]
"""From the name of an operation and its path to what it raises, or None."""


class FlakyFiles(MemoryFileSystem):
    """Memory, with ``fault`` asked before everything; ``log`` is what was asked for."""

    protocol = "flaky"
    store: dict[str, Any] = {}  # noqa: RUF012 - the class's own, as in the parent
    pseudo_dirs = [""]  # noqa: RUF012
    fault: Fault | None = None
    log: list[tuple[str, str]] = []  # noqa: RUF012
    lock = threading.RLock()

    @classmethod
    def _strip_protocol(cls, path: Any) -> Any:
        return super()._strip_protocol(str(path).replace("flaky://", "memory://"))

    def _ask(self, operation: str, path: str) -> None:
        FlakyFiles.log.append((operation, path))
        error = FlakyFiles.fault(operation, path) if FlakyFiles.fault else None
        if error is not None:
            raise error

    def cat_file(self, path: str, *arguments: Any, **options: Any) -> Any:
        self._ask("read", path)
        with self.lock:
            return super().cat_file(path, *arguments, **options)

    def pipe_file(self, path: str, *arguments: Any, **options: Any) -> Any:
        self._ask("write", path)
        with self.lock:
            return super().pipe_file(path, *arguments, **options)

    def put_file(self, local: str, path: str, *arguments: Any, **options: Any) -> Any:
        self._ask("upload", path)
        return super().put_file(local, path, *arguments, **options)

    def get_file(self, path: str, *arguments: Any, **options: Any) -> Any:
        self._ask("download", path)
        return super().get_file(path, *arguments, **options)

    def rm(self, path: str, *arguments: Any, **options: Any) -> Any:
        self._ask("remove", path)
        with self.lock:
            return super().rm(path, *arguments, **options)

    def find(self, path: str, *arguments: Any, **options: Any) -> Any:
        self._ask("find", path)
        with self.lock:
            return super().find(path, *arguments, **options)


register_implementation("flaky", FlakyFiles, clobber=True)
