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

from dashboards.time_left import TrialCount, duration

_REFRESHES_PER_S = 2  # a higher rate would disturb the measurements
_MOST_STAGES = 8
"""Stages under way that are shown: some searches have all of theirs under way at once."""


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
        self._trials = TrialCount(clock)
        self._stages: dict[tuple[int | None, str], float] = {}
        self._working: tuple[str, float] | None = None
        self._front = ""
        self._final = True
        self._live = Live(
            console=self._console,
            get_renderable=self._view,
            refresh_per_second=_REFRESHES_PER_S,
            transient=True,
            redirect_stdout=sys.stdout.isatty(),  # a stdout that is a file or a pipe gets what is printed there
        )

    def working(self, text: str) -> None:
        """What ``text`` says is being done, before the search starts; a terminal shows how long it has taken."""
        self._working = text, self._clock()
        if not self._is_live:
            self._print(text)

    def started(self, total: int | None, done: int, final: bool = True) -> None:
        """The search started.

        Args:
            total: How many trials there will be; None is as many as the time allows.
            done: How many of them are finished already.
            final: Whether the front is measured once more at the end.
        """
        self._trials.start(total, done)
        self._final = final
        self._working = None
        if not self._is_live:
            number = "as many trials as the time allows" if total is None else f"{total} trial{'s' * (total != 1)}"
            then = "at the end the front is measured once more" if final else "each is measured once"
            first = "first the model itself is made and timed, then the candidates; " if not done else ""
            self._print(number + (f", {done} of them done before" if done else "") + f": {first}{then}")

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
            left = self._trials.left_text()
            rest = f", {left}" if left else ""
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
        shown = stages[:_MOST_STAGES]
        lines = [Text(f"  {_owner(trial, 3)}  {stage}  {duration(now - since)}") for (trial, stage), since in shown]
        lines += [Text(f"  and {len(stages) - len(shown)} more", style="dim")] if len(stages) > len(shown) else []
        if self._working:
            lines.insert(0, Text(f"{self._working[0]}  {duration(now - self._working[1])}"))
        front = [Text(f"  {self._front}", style="green")] if self._front else []
        after = [Text(f"  {self.next_text()}", style="dim")] if stages else []
        for line in (*lines, *after, *front):
            line.truncate(width - 1, overflow="ellipsis")
        return Group(*([self._bar(self._trials.total)] if self._trials.total else []), *lines, *after, *front)

    def next_text(self) -> str:
        """What comes after the stages that run, and between what times the trials will likely be done."""
        trials, running = {trial for trial, _ in self._stages if trial is not None}, {name for _, name in self._stages}
        finally_measured = "the front is measured once more" if self._final else "the result"
        if "final" in running:
            return "next: the result"
        if not self._trials.done:
            if "teacher" in running:
                return "next: the model is timed with each number of threads"
            return f"next: {'the baseline, trial 0' if 'calibrating' in running else 'the first candidates'}"
        if self._trials.total is None:
            return f"next: more trials while there is time, then {finally_measured}"
        more = max(0, self._trials.total - self._trials.done - len(trials))
        likely = self._trials.likely_text()
        begun = f"next: {more} more {'trial' if more == 1 else 'trials'}, then " if more else "next: "
        return f"{begun}{finally_measured}{f'; {likely}' if likely else ''}"

    def _bar(self, total: int) -> Table:
        left_s = self._trials.left_s()
        rest = f"about {duration(left_s)} left" if left_s else f"{duration(self._trials.elapsed_s())} so far"
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


def _owner(trial: int | None, width: int = 0) -> str:
    """``trial 7``, its number padded to ``width``, or ``screening`` for a candidate that is timed untrained."""
    return "screening" if trial is None else f"trial {trial:>{width or 1}}"


def front_text(hypervolume: float, size: int, best: str) -> str:
    """The front in one line."""
    points = "1 point" if size == 1 else f"{size} points"
    return f"front: {points}, hypervolume {hypervolume:.4g}" + (f", fastest {best}" if best else "")
