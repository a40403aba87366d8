"""The thread that sends what is in a spool, in order, for as long as it takes."""

import logging
import textwrap
import threading
import time
from collections.abc import Callable, Mapping
from typing import Protocol

from dashboards.spool import Record, Spool

_log = logging.getLogger(__name__)
_FIRST_PAUSE_S, _LONGEST_PAUSE_S, _URGENT_PAUSE_S = 0.5, 30.0, 1.0


class Refused(Exception):
    """The receiver is there and will not take this record; trying again later would not help."""


class Receiver(Protocol):
    """Who takes the records. Taking one twice is the same as taking it once."""

    @property
    def runs(self) -> Mapping[int, str]:
        """The run of every trial taken so far."""

    def take(self, record: Record, superseded: bool) -> None:
        """Take one record; ``superseded`` where a later one of its kind is waiting already.

        Raises:
            Refused: It will never take this one.
            Exception: Anything else is taken for a receiver that is away.
        """


class SpoolWriter:
    """Sends a spool's records in a daemon thread.

    A receiver that is away is tried again, at growing intervals; after any failure it is connected to anew, since
    the answer to something that was done may have been lost. A record that it refuses twice is kept aside.

    Args:
        spool: Where the records are.
        connect: Gives a receiver, or raises where it is away; called in the thread.
    """

    def __init__(self, spool: Spool, connect: Callable[[], Receiver]) -> None:
        self._spool = spool
        self._connect = connect
        self._receiver: Receiver | None = None
        self._changed = threading.Condition()
        self._urgent = False
        self._closed = False
        self._refused_at = -1
        self._thread = threading.Thread(target=self._run, name="frontrunner-tracking", daemon=True)
        self._thread.start()

    def wake(self) -> None:
        """Say that there is something to send."""
        with self._changed:
            self._changed.notify_all()

    def flush(self, timeout_s: float) -> bool:
        """Wait until all is sent; whether it is, within the time."""
        with self._changed:
            self._urgent = True
            self._changed.notify_all()
            done = self._changed.wait_for(lambda: not self._spool.pending() or self._closed, timeout_s)
            self._urgent = False
        return done and not self._spool.pending()

    def close(self, timeout_s: float) -> bool:
        """Send what can be sent within the time, then stop; whether all is sent. What is not stays in the spool."""
        end = time.monotonic() + timeout_s
        done = self.flush(timeout_s)
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
            except Exception as error:  # whatever it is, the records wait and the search goes on
                self._receiver = None
                self._complain(error, first=pause == _FIRST_PAUSE_S)
                self._rest(pause)
                pause = min(2 * pause, _LONGEST_PAUSE_S)

    def _wait_for_work(self) -> bool:
        with self._changed:
            self._changed.wait_for(lambda: self._spool.pending() or self._closed)
            return not self._closed

    def _send(self) -> None:
        receiver = self._receiver = self._receiver or self._connect()  # which may have had the spool sent anew
        waiting = self._spool.unsent()
        last = {record.get("kind"): number for number, (record, _) in enumerate(waiting)}
        for number, (record, end) in enumerate(waiting):
            if self._closed:
                return
            if record and not self._taken(receiver, record, last[record.get("kind")] > number, end):
                return
            self._spool.sent_until(end, {**self._spool.sent.runs, **receiver.runs})
            self.wake()

    def _taken(self, receiver: Receiver, record: Record, superseded: bool, end: int) -> bool:
        """Whether a record is done with; if not, it is to be tried once more on a fresh connection."""
        try:
            receiver.take(record, superseded)
        except Refused as refusal:
            if self._refused_at != end:
                self._refused_at, self._receiver = end, None
                return False
            _log.warning("tracking refused a record, which is kept in the spool: %s", refusal)
            self._spool.refuse(record, str(refusal))
        return True

    def _complain(self, error: Exception, first: bool) -> None:
        """Say it once for as long as the receiver is away."""
        text = textwrap.shorten(str(error) or type(error).__name__, 120, placeholder="...")
        _log.log(logging.WARNING if first else logging.DEBUG, "tracking is away, records wait in the spool: %s", text)

    def _rest(self, pause: float) -> None:
        """Wait, for a shorter time where somebody waits for the records, and not at all on closing."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self._urgent, pause)
            if self._urgent:
                self._changed.wait_for(lambda: self._closed, min(pause, _URGENT_PAUSE_S))
