"""How far a search is: a live display on a terminal, plain lines elsewhere, and nothing on stdout either way."""

import sys
import time
from collections.abc import Callable
from types import TracebackType
from typing import Protocol, Self, TextIO

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

_REFRESHES_PER_S = 2  # a display that works harder would disturb what is being timed


class Progress(Protocol):
    """What a search tells of itself while it runs; also a context manager, which leaves the terminal as it was."""

    def started(self, trials_total: int, trials_done: int) -> None:
        """It began, or goes on with ``trials_done`` trials done before; no total (0) is as many as the time allows."""

    def stage_started(self, trial: int | None, stage: str) -> None:
        """A stage of a trial began; None is a candidate that is timed untrained, before a trial is chosen."""

    def stage_ended(self, trial: int | None, stage: str, seconds: float, from_store: bool) -> None:
        """It ended, after ``seconds``; ``from_store`` where its result was there already."""

    def trial_ended(self, trial: int, line: str) -> None:
        """A trial ended; ``line`` says what came of it."""

    def front_is(self, hypervolume: float, size: int, best: str) -> None:
        """The front has ``size`` members; ``best`` is worth a line."""

    def note(self, text: str) -> None:
        """Something that a person should know."""

    def ended(self) -> None:
        """It is over; may be called twice."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


def make_progress(stream: TextIO | None = None, quiet: bool = False) -> Progress:
    """A live display where ``stream`` is a terminal that can show one, else plain lines.

    Args:
        stream: Where it writes; stderr unless given.
        quiet: Write nothing but notes.
    """
    stream = sys.stderr if stream is None else stream
    console = Console(file=stream)
    if quiet or not console.is_terminal or console.is_dumb_terminal:
        return PlainProgress(stream, quiet)
    return LiveProgress(console)


class _Count:
    """How many trials are done, and from the pace of this session how long the rest may take.

    The first trial of a study tells no pace: it trains the teacher too, and starts all that the others find running.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._start = self._pace_from = clock()
        self.total = self.done = self._before = 0

    def begin(self, total: int, done: int) -> None:
        self._start = self._pace_from = self._clock()
        self.total, self.done, self._before = total, done, done

    def one_more(self) -> None:
        self.done += 1
        if self.done == 1:
            self._before, self._pace_from = 1, self._clock()

    def elapsed_s(self) -> float:
        return self._clock() - self._start

    def left_s(self) -> float | None:
        """Seconds left, or None before a trial that tells a pace has ended, or where there is no total."""
        fresh = self.done - self._before
        if not fresh or not self.total:
            return None
        return (self._clock() - self._pace_from) / fresh * max(0, self.total - self.done)

    def text(self) -> str:
        """``3 of 18``, or ``3`` where there is no total."""
        return f"{self.done} of {self.total}" if self.total else str(self.done)


class PlainProgress:
    """One line for each thing that happened; stages that took no time are left out."""

    def __init__(self, stream: TextIO, quiet: bool = False, clock: Callable[[], float] = time.monotonic) -> None:
        self._stream = stream
        self._quiet = quiet
        self._count = _Count(clock)

    def started(self, trials_total: int, trials_done: int) -> None:
        self._count.begin(trials_total, trials_done)
        many = f"{trials_total} trials" if trials_total else "as many trials as the time allows"
        self._say(many + (f", {trials_done} of them done before" if trials_done else ""))

    def stage_started(self, trial: int | None, stage: str) -> None:
        """Nothing: the line comes when it has ended."""

    def stage_ended(self, trial: int | None, stage: str, seconds: float, from_store: bool) -> None:
        if not from_store:
            self._say(f"{whose(trial)}: {stage} took {duration(seconds)}")

    def trial_ended(self, trial: int, line: str) -> None:
        self._count.one_more()
        left = self._count.left_s()
        rest = f", about {duration(left)} left" if left else ""
        self._say(f"trial {trial}: {line}  [{self._count.text()}{rest}]")

    def front_is(self, hypervolume: float, size: int, best: str) -> None:
        self._say(front_text(hypervolume, size, best))

    def note(self, text: str) -> None:
        print(text, file=self._stream, flush=True)

    def ended(self) -> None:
        """Nothing is left to do."""

    def _say(self, line: str) -> None:
        if not self._quiet:
            print(line, file=self._stream, flush=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.ended()


class LiveProgress:
    """Ended trials scroll by above; below stand the bar, the stages that run, and the front."""

    def __init__(self, console: Console, clock: Callable[[], float] = time.monotonic) -> None:
        self._console = console
        self._clock = clock
        self._count = _Count(clock)
        self._stages: dict[tuple[int | None, str], float] = {}
        self._front = ""
        self._live = Live(
            console=console,
            get_renderable=self._view,
            refresh_per_second=_REFRESHES_PER_S,
            transient=True,
            redirect_stdout=sys.stdout.isatty(),  # where stdout is a file or a pipe, what is printed belongs there
        )

    def started(self, trials_total: int, trials_done: int) -> None:
        self._count.begin(trials_total, trials_done)

    def stage_started(self, trial: int | None, stage: str) -> None:
        self._stages[trial, stage] = self._clock()

    def stage_ended(self, trial: int | None, stage: str, seconds: float, from_store: bool) -> None:
        self._stages.pop((trial, stage), None)

    def trial_ended(self, trial: int, line: str) -> None:
        self._count.one_more()
        self._stages = {key: since for key, since in self._stages.items() if key[0] != trial}
        self._print(f"trial {trial:>3}  {line}")

    def front_is(self, hypervolume: float, size: int, best: str) -> None:
        self._front = front_text(hypervolume, size, best)

    def note(self, text: str) -> None:
        self._print(text, style="dim")

    def ended(self) -> None:
        self._live.stop()

    def _print(self, line: str, style: str = "") -> None:
        self._console.print(Text(line, style=style), soft_wrap=True)

    def _view(self) -> RenderableType:
        now, width = self._clock(), self._console.width
        stages = sorted(self._stages.copy().items(), key=lambda item: item[1])
        lines = [Text(f"  {whose(trial, 3)}  {stage}  {duration(now - since)}") for (trial, stage), since in stages]
        front = [Text(f"  {self._front}", style="green")] if self._front else []
        for line in (*lines, *front):
            line.truncate(width - 1, overflow="ellipsis")
        return Group(*([self._bar()] if self._count.total else []), *lines, *front)

    def _bar(self) -> Table:
        left = self._count.left_s()
        rest = f"about {duration(left)} left" if left is not None else f"{duration(self._count.elapsed_s())} so far"
        grid = Table.grid(padding=(0, 1))
        bar = ProgressBar(self._count.total or 1, self._count.done, width=max(8, min(40, self._console.width - 42)))
        grid.add_row(Text(f"{self._count.text()} trials", style="bold"), bar, Text(rest))
        return grid

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.ended()


def whose(trial: int | None, digits: int = 0) -> str:
    """``trial 7``, its number in ``digits`` places, or ``screening`` for a candidate that is only timed."""
    return "screening" if trial is None else f"trial {trial:>{digits or 1}}"


def front_text(hypervolume: float, size: int, best: str) -> str:
    """The front in a line."""
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
