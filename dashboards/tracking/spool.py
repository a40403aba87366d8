"""Records on disk that wait to be sent: a crash loses none, and each is sent in order."""

import json
import os
import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from io import FileIO
from itertools import accumulate, islice
from pathlib import Path
from typing import Any

Record = dict[str, Any]


@dataclass(frozen=True)
class Sent:
    """How far the records of a spool were sent.

    Attributes:
        address: The address that they were sent to.
        offset: Bytes of the file of records that were sent or refused.
        runs: Run id of each trial that was sent.
    """

    address: str = ""
    offset: int = 0
    runs: Mapping[int, str] = field(default_factory=dict)


class Spool:
    """A folder of records to which one process appends, and which one thread of it sends.

    ``records.jsonl`` holds one record a line; a record is on disk when `append` returns. ``sent.json`` says how far
    they were sent and where to, and ``runs.jsonl`` holds a trial and its run a line. ``refused.jsonl`` holds the
    records that the receiver refused.

    Args:
        folder: Created where it is missing.
        address: Where records are sent. If ``sent.json`` names another address, all records are sent again.
    """

    def __init__(self, folder: Path, address: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self._lock = threading.Lock()
        self._path = folder / "records.jsonl"
        self._records = self._path.open("ab", buffering=0)
        self._end = _end_last_line(self._path, self._records)
        sent = read_sent(folder)
        is_same = sent.address == address and sent.offset <= self._end
        self._sent = sent if is_same else Sent(address)
        self._written: dict[int, str] | None = _read_runs(folder) if is_same else None

    @property
    def sent(self) -> Sent:
        """How far the records were sent."""
        return self._sent

    def append(self, record: Mapping[str, Any]) -> None:
        """Write a record to disk; values that are not JSON become text.

        Raises:
            OSError: The record cannot be written.
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
        """Whether there are records to send."""
        return self._sent.offset < self._end

    def unsent(self) -> list[tuple[Record, int]]:
        """The records to send, each with the offset after it; a line that cannot be read is an empty record."""
        with self._lock:
            size = self._end - self._sent.offset
        with self._path.open("rb") as file:
            file.seek(self._sent.offset)
            lines = file.read(size).splitlines(keepends=True)
        ends = accumulate(map(len, lines), initial=self._sent.offset)
        return [(_parsed(line), end) for line, end in zip(lines, islice(ends, 1, None), strict=True)]

    def sent_until(self, offset: int, runs: Mapping[int, str]) -> None:
        """Store on disk that all records before ``offset`` were sent, and ``runs`` beside those known before."""
        self._store(replace(self._sent, offset=offset, runs={**self._sent.runs, **runs}))

    def send_again(self) -> None:
        """Send all records again, because the receiver has lost them."""
        self._written = None
        self._store(Sent(self._sent.address))

    def refuse(self, record: Record, reason: str) -> None:
        """Write a record that the receiver refused to its own file, with the reason."""
        with (self.folder / "refused.jsonl").open("a") as file:
            file.write(json.dumps({"reason": reason, "record": record}) + "\n")

    def close(self) -> None:
        """Close the file; may be called twice."""
        self._records.close()

    def _store(self, sent: Sent) -> None:
        self._write_runs(sent.runs)
        temporary = self.folder / "sent.json.new"
        with temporary.open("w") as file:
            json.dump({"address": sent.address, "offset": sent.offset}, file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, self.folder / "sent.json")
        self._sent = sent

    def _write_runs(self, runs: Mapping[int, str]) -> None:
        """Append the runs that ``runs.jsonl`` does not hold; those of another address are removed from it."""
        written = self._written or {}
        new = sorted(runs.items() - written.items())
        if not new and self._written is not None:
            return
        with (self.folder / "runs.jsonl").open("ab" if self._written else "wb") as file:
            file.write(b"".join(b"\n" + json.dumps(line).encode() for line in new))  # ends a line that is incomplete
            file.flush()
            os.fsync(file.fileno())
        self._written = {**written, **dict(new)}


def read_sent(folder: Path) -> Sent:
    """How far the records in ``folder`` were sent: nothing where there is no spool. Any process may ask."""
    try:
        found = json.loads((folder / "sent.json").read_text())
        earlier = {int(trial): run for trial, run in found.get("runs", {}).items()}  # as earlier versions kept them
        return Sent(found["address"], found["offset"], {**earlier, **_read_runs(folder)})
    except (FileNotFoundError, ValueError, KeyError, TypeError, AttributeError):
        return Sent()  # where the file is damaged all records are sent again, which changes nothing


def read_run_ids(spool_folder: Path) -> dict[int, str]:
    """MLflow's run id of each trial that was sent, by trial; empty where there is no spool."""
    return dict(read_sent(spool_folder).runs)


def _read_runs(folder: Path) -> dict[int, str]:
    """The runs in ``runs.jsonl``, by trial; a line that cannot be read is left out."""
    path = folder / "runs.jsonl"
    runs = {}
    for line in path.read_bytes().splitlines() if path.exists() else ():
        with suppress(ValueError, TypeError):
            trial, run = json.loads(line)
            runs[int(trial)] = str(run)
    return runs


def _end_last_line(path: Path, records: FileIO) -> int:
    """End a line that a crash left incomplete, so that the next record starts a new one; gives the file's size."""
    size = path.stat().st_size
    if not size:
        return 0
    with path.open("rb") as file:
        file.seek(-1, os.SEEK_END)
        whole = file.read(1) == b"\n"
    return size if whole else size + (records.write(b"\n") or 0)


def _parsed(line: bytes) -> Record:
    """The record of a line; an empty one where the line cannot be read."""
    try:
        record = json.loads(line)
    except ValueError:
        return {}
    return record if isinstance(record, dict) else {}
