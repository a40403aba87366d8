"""The thread that sends the records of a spool, in order, and tries again until the receiver answers."""

import logging
import textwrap
import threading
import time
from collections.abc import Callable, Mapping
from typing import Protocol

from dashboards.tracking.spool import Record, Spool

_log = logging.getLogger(__name__)
_FIRST_PAUSE_S, _LONGEST_PAUSE_S, _URGENT_PAUSE_S = 0.5, 30.0, 1.0


class Refused(Exception):
    """The receiver answers and rejects this record; sending it again later would not help."""


class Receiver(Protocol):
    """Takes the records; taking a record twice is the same as taking it once."""

    @property
    def runs(self) -> Mapping[int, str]:
        """The run of each trial that was taken."""

    def take(self, record: Record, superseded: bool) -> None:
        """Take one record; ``superseded`` where a later one of the same kind is already waiting.

        Raises:
            Refused: It will never take this one.
            Exception: Anything else means that it cannot be reached.
        """


class SpoolWriter:
    """Sends a spool's records in a daemon thread.

    A receiver that cannot be reached is tried again, at growing intervals. After any failure a new connection is made,
    because the answer to a record that was taken can be lost. A record that is refused twice goes to `Spool.refuse`.

    Args:
        spool: The records.
        connect: Gives a receiver, or raises where it cannot be reached; called in the thread.
        held: Whether nothing is sent before `flush`: what is measured meanwhile is disturbed by nothing.
    """

    def __init__(self, spool: Spool, connect: Callable[[], Receiver], *, held: bool = False) -> None:
        self._spool = spool
        self._held = held
        self._connect = connect
        self._receiver: Receiver | None = None
        self._changed = threading.Condition()
        self._urgent = False
        self._closed = False
        self._refused_at = -1
        self._thread = threading.Thread(target=self._run, name="frontrunner-tracking", daemon=True)
        self._thread.start()

    def wake(self) -> None:
        """Let the thread send new records."""
        with self._changed:
            self._changed.notify_all()

    def flush(self, timeout_s: float) -> bool:
        """Wait up to ``timeout_s`` until all records are sent; whether they are."""
        with self._changed:
            self._urgent, self._held = True, False
            self._changed.notify_all()
            done = self._changed.wait_for(lambda: not self._spool.pending() or self._closed, timeout_s)
            self._urgent = False
        return done and not self._spool.pending()

    def close(self, timeout_s: float) -> bool:
        """Send records for up to ``timeout_s``, then stop; whether all are sent. The others stay in the spool.

        A writer that is still held sends none.
        """
        end = time.monotonic() + timeout_s
        done = not self._spool.pending() if self._held else self.flush(timeout_s)
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._thread.join(max(0.1, end - time.monotonic()))
        return done

    def _run(self) -> None:
        pause = _FIRST_PAUSE_S
        while self._wait_for_work():
            try:
                self._send()
                pause = _FIRST_PAUSE_S
            except Exception as error:  # no error of a database or server may end the search; the records wait
                self._receiver = None
                self._warn(error, first=pause == _FIRST_PAUSE_S)
                self._rest(pause)
                pause = min(2 * pause, _LONGEST_PAUSE_S)

    def _wait_for_work(self) -> bool:
        with self._changed:
            self._changed.wait_for(lambda: (self._spool.pending() and not self._held) or self._closed)
            return not self._closed

    def _send(self) -> None:
        receiver = self._receiver = self._receiver or self._connect()  # connecting can call `Spool.send_again`
        waiting = self._spool.unsent()
        last = {record.get("kind"): number for number, (record, _) in enumerate(waiting)}
        for number, (record, end) in enumerate(waiting):
            if self._closed:
                return
            if record and not self._taken(receiver, record, last[record.get("kind")] > number, end):
                return
            self._spool.sent_until(end, receiver.runs)
            self.wake()

    def _taken(self, receiver: Receiver, record: Record, superseded: bool, end: int) -> bool:
        """Whether the receiver took or finally refused a record; if not, it is sent again on a new connection."""
        try:
            receiver.take(record, superseded)
        except Refused as refusal:
            if self._refused_at != end:
                self._refused_at, self._receiver = end, None
                return False
            _log.warning("MLflow refused a record, which is kept in the spool: %s", refusal)
            self._spool.refuse(record, str(refusal))
        return True

    def _warn(self, error: Exception, first: bool) -> None:
        """Warn once until the receiver answers again."""
        text = textwrap.shorten(str(error) or type(error).__name__, 120, placeholder="...")
        level = logging.WARNING if first else logging.DEBUG
        _log.log(level, "MLflow cannot be reached, records wait in the spool: %s", text)

    def _rest(self, pause: float) -> None:
        """Wait for ``pause`` seconds; shorter where `flush` waits for the records, and not at all when closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self._urgent, pause)
            if self._urgent:
                self._changed.wait_for(lambda: self._closed, min(pause, _URGENT_PAUSE_S))
