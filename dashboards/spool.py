"""Records that survive a crash: written here first, sent from here later, in order and once."""

import json
import os
import threading
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from io import FileIO
from itertools import accumulate, islice
from pathlib import Path
from typing import Any

Record = dict[str, Any]


@dataclass(frozen=True)
class Sent:
    """What has been sent of a spool.

    Attributes:
        address: Where to; what was sent to one address says nothing about another.
        offset: Bytes of the records' file that are done with.
        runs: Run id of every trial sent so far.
    """

    address: str = ""
    offset: int = 0
    runs: Mapping[int, str] = field(default_factory=dict)


class Spool:
    """A folder with records that one process appends to and one thread of it sends.

    ``records.jsonl`` holds one record a line; a record is on disk when `append` returns. ``sent.json`` says how far
    sending got. ``refused.jsonl`` keeps what the receiver would not take.

    Args:
        folder: Made where it is missing.
        address: Where records are sent to. If ``sent.json`` is of another address, sending begins anew.
    """

    def __init__(self, folder: Path, address: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self._lock = threading.Lock()
        self._path = folder / "records.jsonl"
        self._records = self._path.open("ab", buffering=0)
        self._end = _end_the_torn_line(self._path, self._records)
        sent = read_sent(folder)
        self._sent = sent if sent.address == address and sent.offset <= self._end else Sent(address)

    @property
    def sent(self) -> Sent:
        """What has been sent."""
        return self._sent

    def append(self, record: Mapping[str, Any]) -> None:
        """Put a record on disk; what is not JSON becomes text.

        Raises:
            OSError: The disk is full or gone.
        """
        line = json.dumps(record, separators=(",", ":"), default=str).encode() + b"\n"
        with self._lock:
            try:
                if self._records.write(line) != len(line):
                    raise OSError(f"no room to write to {self._path}")
                os.fsync(self._records.fileno())
            except OSError:
                self._records.truncate(self._end)
                raise
            self._end += len(line)

    def pending(self) -> bool:
        """Whether there is anything left to send."""
        return self._sent.offset < self._end

    def unsent(self) -> list[tuple[Record, int]]:
        """The records left to send, each with the offset after it; of a line that is no record, an empty one."""
        with self._lock:
            size = self._end - self._sent.offset
        with self._path.open("rb") as file:
            file.seek(self._sent.offset)
            lines = file.read(size).splitlines(keepends=True)
        ends = accumulate(map(len, lines), initial=self._sent.offset)
        return [(_parsed(line), end) for line, end in zip(lines, islice(ends, 1, None), strict=True)]

    def sent_until(self, offset: int, runs: Mapping[int, str]) -> None:
        """Remember on disk that all before ``offset`` is done with, and the runs known by now."""
        self._remember(replace(self._sent, offset=offset, runs=dict(runs)))

    def send_anew(self) -> None:
        """Forget what has been sent: the receiver has lost it."""
        self._remember(Sent(self._sent.address))

    def refuse(self, record: Record, reason: str) -> None:
        """Keep a record that the receiver will never take, with the reason."""
        with (self.folder / "refused.jsonl").open("a") as file:
            file.write(json.dumps({"reason": reason, "record": record}) + "\n")

    def close(self) -> None:
        """Close the file; may be called twice."""
        self._records.close()

    def _remember(self, sent: Sent) -> None:
        temporary = self.folder / "sent.json.new"
        with temporary.open("w") as file:
            json.dump(asdict(sent), file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, self.folder / "sent.json")
        self._sent = sent


def read_sent(folder: Path) -> Sent:
    """What has been sent of the spool in ``folder``: nothing where there is no spool. Any process may ask."""
    try:
        found = json.loads((folder / "sent.json").read_text())
        return Sent(found["address"], found["offset"], {int(trial): run for trial, run in found["runs"].items()})
    except FileNotFoundError:
        return Sent()
    except (ValueError, KeyError, TypeError, AttributeError):  # damaged: sending again does no harm
        return Sent()


def read_run_ids(spool_folder: Path) -> dict[int, str]:
    """MLflow's run id of every trial sent so far, by trial; empty where there is no spool."""
    return dict(read_sent(spool_folder).runs)


def _end_the_torn_line(path: Path, records: FileIO) -> int:
    """End the line that a crash may have left open, so that the next record begins its own; gives the file's size."""
    size = path.stat().st_size
    if not size:
        return 0
    with path.open("rb") as file:
        file.seek(-1, os.SEEK_END)
        whole = file.read(1) == b"\n"
    return size if whole else size + (records.write(b"\n") or 0)


def _parsed(line: bytes) -> Record:
    """The record of a line; an empty one for what a crash left of one."""
    try:
        record = json.loads(line)
    except ValueError:
        return {}
    return record if isinstance(record, dict) else {}
