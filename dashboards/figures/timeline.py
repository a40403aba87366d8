"""The timeline of a search: which stages ran when and side by side, and where nothing ran."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dashboards.figures.style import PATTERNS, SERIES, empty, finish, safe
from dashboards.formatting import stage_name
from dashboards.time_left import duration

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

PAUSE_S = 600.0
"""A longer time in which nothing ran is cut out, as between a search and its continuation; it is told below."""
_MOST_BARS = 2500
_LANE_PX, _HIGHEST_PX = 46, 1200


@dataclass(frozen=True)
class Bar:
    """A stage that ran.

    Attributes:
        stage: Its name.
        began: When, in seconds since the first stage, without pauses.
        seconds: How long.
        owner: For which trial, in words.
        lane: How many others ran already when it began, at most: bars of one lane follow each other.
    """

    stage: str
    began: float
    seconds: float
    owner: str
    lane: int = 0


@dataclass(frozen=True)
class Timeline:
    """All stages of a search.

    Attributes:
        bars: In the order in which they began.
        paused_s: Seconds of pauses that were cut out.
    """

    bars: tuple[Bar, ...]
    paused_s: float = 0.0

    @property
    def lanes(self) -> int:
        """How many stages ran side by side, at most."""
        return 1 + max((bar.lane for bar in self.bars), default=-1)

    @property
    def seconds(self) -> float:
        """From the first beginning to the last end."""
        return max((bar.began + bar.seconds for bar in self.bars), default=0.0)

    def summary(self) -> str:
        """How long it took, how busy the lanes were, and what took most; empty where nothing is known."""
        if not self.bars:
            return ""
        by_stage: dict[str, float] = {}
        for bar in self.bars:
            by_stage[bar.stage] = by_stage.get(bar.stage, 0.0) + bar.seconds
        worked = sum(by_stage.values())
        longest = sorted(by_stage, key=lambda stage: -by_stage[stage])[:3]
        shares = ", ".join(f"{stage_name(stage)} {100 * by_stage[stage] / worked:.0f} %" for stage in longest)
        side = f"at most {self.lanes} stages ran side by side" if self.lanes > 1 else "one stage ran after the other"
        busy = f"and {100 * worked / (self.seconds * self.lanes):.0f} % of that room was used" if self.seconds else ""
        paused = f"; pauses of {duration(self.paused_s)} in all are cut out" if self.paused_s else ""
        return f"{duration(self.seconds)} in all; {side}, {busy}. Most time went into {shares}{paused}."


def timeline(history: Mapping[str, Any]) -> Timeline:
    """The stages of a search in lanes.

    Args:
        history: What `search.front.history` gives.
    """
    found = sorted(_stages(history), key=lambda bar: bar.began)
    shifted, paused_s = _without_pauses(found)
    ends: list[float] = []
    bars = []
    for bar in shifted:
        lane = next((index for index, end in enumerate(ends) if end <= bar.began + 0.02), len(ends))
        ends[lane : lane + 1] = [bar.began + bar.seconds]
        bars.append(Bar(bar.stage, bar.began, bar.seconds, bar.owner, lane))
    return Timeline(tuple(bars), paused_s)


def timeline_figure(history: Mapping[str, Any]) -> "Figure":
    """A bar for each stage that ran, in lanes; white is idle. Of very many, bars in a row are drawn as one."""
    import plotly.graph_objects as go

    shown = timeline(history)
    if not shown.bars:
        return empty("It was not recorded when the stages of this study ran.")
    scale, unit = (60.0, "min") if shown.seconds >= 180 else (1.0, "s")
    bars = _merged(shown)
    stages = sorted({bar.stage for bar in bars}, key=lambda stage: -sum(b.seconds for b in bars if b.stage == stage))
    figure = go.Figure()
    for index, stage in enumerate(stages):
        of_stage = [bar for bar in bars if bar.stage == stage]
        pattern = {"shape": PATTERNS[index % len(PATTERNS)], "fgcolor": "white", "size": 6, "solidity": 0.35}
        figure.add_trace(
            go.Bar(
                orientation="h",
                base=[round(bar.began / scale, 4) for bar in of_stage],
                x=[round(bar.seconds / scale, 4) for bar in of_stage],
                y=[bar.lane + 1 for bar in of_stage],
                width=0.8,
                name=safe(stage_name(stage)),
                marker={"color": SERIES[index % len(SERIES)], "pattern": pattern, "line": {"width": 0}},
                hovertext=[f"{bar.owner}: {stage_name(stage)}, {duration(bar.seconds)}" for bar in of_stage],
                hoverinfo="text",
            )
        )
    lanes = {"tickvals": list(range(1, shown.lanes + 1)), "range": [shown.lanes + 0.6, 0.4], "showgrid": False}
    return finish(
        figure,
        190 + min(_LANE_PX * shown.lanes, max(_HIGHEST_PX, 12 * shown.lanes)),
        barmode="overlay",
        xaxis={"title": {"text": f"time since the search began, {unit}"}, "range": [0, shown.seconds / scale * 1.01]},
        yaxis={"title": {"text": "side by side"}, **lanes},
    )


def _stages(history: Mapping[str, Any]) -> Iterator[Bar]:
    for stage, began, seconds in history["shared_times"]:
        yield Bar(stage, began, seconds, "the study")
    for trial in history["trials"]:
        yield from (Bar(stage, began, seconds, f"trial {trial['trial']}") for stage, began, seconds in trial["times"])
    for screened in history["screened"]:
        yield from (Bar(stage, began, seconds, "a screening") for stage, began, seconds in screened["times"])


def _without_pauses(bars: Sequence[Bar]) -> tuple[list[Bar], float]:
    """``bars`` moved together where nothing ran for longer than `PAUSE_S`, and how much was cut out in all."""
    moved, end, cut = list[Bar](), 0.0, 0.0
    for bar in bars:
        if moved and bar.began - end > PAUSE_S:
            cut += bar.began - end
        end = max(end, bar.began + bar.seconds)
        moved.append(Bar(bar.stage, bar.began - cut, bar.seconds, bar.owner))
    return moved, cut


def _merged(shown: Timeline) -> list[Bar]:
    """The bars; where there are more than `_MOST_BARS`, those of one stage that nearly touch in their lane as one."""
    if len(shown.bars) <= _MOST_BARS:
        return list(shown.bars)
    near, last, merged = shown.seconds / 800, dict[int, Bar](), list[Bar]()
    for bar in shown.bars:
        before = last.get(bar.lane)
        if before and before.stage == bar.stage and bar.began - (before.began + before.seconds) < near:
            merged.remove(before)
            whole = bar.began + bar.seconds - before.began
            bar = Bar(bar.stage, before.began, whole, "several trials", bar.lane)
        last[bar.lane] = bar
        merged.append(bar)
    return merged
