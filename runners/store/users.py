"""Who uses a stage store now, on the machines that share its folder."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from runners.machine.file_locks import is_locked, locked_file


@dataclass(frozen=True)
class User:
    """A process that uses the store.

    Attributes:
        began: Since when, in seconds since 1970 by the clock of the file system.
        name: What it uses the store for; empty where that is no matter for people.
    """

    began: float
    name: str


@dataclass(frozen=True)
class Users:
    """The users of a store, each with a file in ``folder`` that is locked as long as its process lives."""

    folder: Path

    @contextmanager
    def register(self, name: str) -> Iterator[str]:
        """Be a user until the block ends or this process dies.

        Yields:
            The name of this user's file.

        Raises:
            OSError: The file cannot be made.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        user = uuid.uuid4().hex
        with locked_file(self.folder / user, name):
            yield user

    def alive(self, user: str) -> bool:
        """Whether the process of the user with this file lives; True where that cannot be told."""
        return is_locked(self.folder / user)

    def living(self) -> list[User]:
        """The users whose processes live, the first that began first; the files of the others are removed."""
        found = []
        for path in sorted(self.folder.glob("[!.]*")):
            with suppress(OSError):  # it ended just now, or is another account's
                if self.alive(path.name):
                    found.append(User(path.stat().st_mtime, path.read_text()))
                else:
                    path.unlink()
        return sorted(found, key=lambda user: user.began)
