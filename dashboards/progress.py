"""How far a search is, on stderr: a live display on a terminal, one line for each event elsewhere."""

import sys
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self, TextIO

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

_REFRESHES_PER_S = 2  # a higher rate would disturb the measurements


def plain_console(stream: TextIO) -> Console:
    """A console that writes text to ``stream``; a notebook, which calls itself a terminal, gets lines alone."""
    in_notebook = Console(file=stream).is_jupyter
    return Console(file=stream, force_jupyter=False, force_terminal=False if in_notebook else None)


class Progress:
    """Shows the events of a search while it runs; a context manager that leaves the terminal as it was.

    On a terminal, lines of finished trials scroll above a display with a bar, the running stages and the front.
    Elsewhere each event is a line; stages whose result was in the store are left out.

    Args:
        stream: Where it writes; stderr by default.
        clock: The time in seconds.
    """

    def __init__(self, stream: TextIO | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self._console = plain_console(sys.stderr if stream is None else stream)
        self._is_live = self._console.is_terminal and not self._console.is_dumb_terminal
        self._clock = clock
        self._trials = _TrialCount(clock)
        self._stages: dict[tuple[int | None, str], float] = {}
        self._front = ""
        self._live = Live(
            console=self._console,
            get_renderable=self._view,
            refresh_per_second=_REFRESHES_PER_S,
            transient=True,
            redirect_stdout=sys.stdout.isatty(),  # a stdout that is a file or a pipe gets what is printed there
        )

    def started(self, total: int | None, done: int) -> None:
        """The search started, with ``done`` finished trials of ``total``; None is as many as the time allows."""
        self._trials.start(total, done)
        if not self._is_live:
            number = "as many trials as the time allows" if total is None else f"{total} trials"
            self._print(number + (f", {done} of them done before" if done else ""))

    def stage_started(self, trial: int | None, stage: str) -> None:
        """A stage of a trial started; None is a candidate that is timed untrained, before it is a trial."""
        self._stages[trial, stage] = self._clock()

    def stage_ended(self, trial: int | None, stage: str, seconds: float, from_store: bool) -> None:
        """A stage ended after ``seconds``; ``from_store`` where its result was in the store."""
        self._stages.pop((trial, stage), None)
        if not self._is_live and not from_store:
            self._print(f"{_owner(trial)}: {stage} took {duration(seconds)}")

    def trial_ended(self, trial: int, line: str) -> None:
        """A trial ended with the result that ``line`` describes."""
        self._trials.add()
        self._stages = {key: since for key, since in self._stages.items() if key[0] != trial}
        if self._is_live:
            self._print(f"trial {trial:>3}  {line}")
        else:
            left_s = self._trials.left_s()
            rest = f", about {duration(left_s)} left" if left_s else ""
            self._print(f"trial {trial}: {line}  [{self._trials.text()}{rest}]")

    def front_is(self, hypervolume: float, size: int, best: str) -> None:
        """The front has ``size`` members; ``best`` describes its fastest."""
        self._front = front_text(hypervolume, size, best)
        if not self._is_live:
            self._print(self._front)

    def note(self, text: str) -> None:
        """Print a line that a person should read."""
        self._print(text, style="dim")

    def end_display(self) -> None:
        """Take the live display away, so that something else can be printed; later events are plain lines."""
        self._live.stop()
        self._is_live = False

    def _print(self, line: str, style: str = "") -> None:
        self._console.print(Text(line, style=style), soft_wrap=True)

    def _view(self) -> RenderableType:
        now, width = self._clock(), self._console.width
        stages = sorted(self._stages.copy().items(), key=lambda item: item[1])
        lines = [Text(f"  {_owner(trial, 3)}  {stage}  {duration(now - since)}") for (trial, stage), since in stages]
        front = [Text(f"  {self._front}", style="green")] if self._front else []
        for line in (*lines, *front):
            line.truncate(width - 1, overflow="ellipsis")
        return Group(*([self._bar(self._trials.total)] if self._trials.total else []), *lines, *front)

    def _bar(self, total: int) -> Table:
        left_s = self._trials.left_s()
        rest = f"{duration(self._trials.elapsed_s())} so far" if left_s is None else f"about {duration(left_s)} left"
        grid = Table.grid(padding=(0, 1))
        bar = ProgressBar(total, self._trials.done, width=max(8, min(40, self._console.width - 42)))
        grid.add_row(Text(f"{self._trials.text()} trials", style="bold"), bar, Text(rest))
        return grid

    def __enter__(self) -> Self:
        if self._is_live:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()


class _TrialCount:
    """The number of finished trials, and an estimate of the time that the others will take.

    The estimate is the mean time of the trials of this session. It leaves out the first trial of a study, which
    trains the teacher too.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self.total: int | None = None
        self.start(None, 0)

    def start(self, total: int | None, done: int) -> None:
        self._started = self._first_started = self._clock()
        self.total, self.done, self._before = total, done, done

    def add(self) -> None:
        self.done += 1
        if self.done == 1:
            self._before, self._first_started = 1, self._clock()

    def elapsed_s(self) -> float:
        return self._clock() - self._started

    def left_s(self) -> float | None:
        """Estimated seconds until all trials are done, or None where nothing can be estimated."""
        counted = self.done - self._before
        if not counted or self.total is None:
            return None
        return (self._clock() - self._first_started) / counted * max(0, self.total - self.done)

    def text(self) -> str:
        """``3 of 18``, or ``3`` where there is no total."""
        return str(self.done) if self.total is None else f"{self.done} of {self.total}"


def _owner(trial: int | None, width: int = 0) -> str:
    """``trial 7``, its number padded to ``width``, or ``screening`` for a candidate that is timed untrained."""
    return "screening" if trial is None else f"trial {trial:>{width or 1}}"


def front_text(hypervolume: float, size: int, best: str) -> str:
    """The front in one line."""
    points = "1 point" if size == 1 else f"{size} points"
    return f"front: {points}, hypervolume {hypervolume:.4g}" + (f", best {best}" if best else "")


def duration(seconds: float) -> str:
    """``0.4 s``, ``12 s``, ``3 min 05 s`` or ``2 h 10 min``."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
