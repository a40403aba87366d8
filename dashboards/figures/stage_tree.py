"""The stage tree: which trials shared which stages, and what that saved."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from dashboards.figures.style import FAINT, INK, PATTERNS, SERIES, empty, finish, safe, translucent
from dashboards.formatting import configuration_text, stage_name
from dashboards.time_left import duration

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

_ORDER = ("teacher", "transforming", "training", "compressing", "quantising", "lowering", "packing", "measuring")
"""The stages of a candidate in their order, as far as it is always the same; a screening's own are left out."""
_SCREENING_ALONE = ("settling",)
_LEAST_SHARE = 1 / 160
"""Branches that hold a smaller share of the trials are drawn together with their neighbours."""

_STRIPES = {"fgcolor": translucent(INK, 0.22), "solidity": 0.15}
"""How the patterns look that tell stages apart without colours."""


@dataclass
class Node:
    """A stage that one or several trials went through.

    Attributes:
        stage: Its name.
        trials: The trials that needed it.
        seconds: What it took, once; 0 where that is not known.
        branches: What came after it.
        text: The choices by which it differs from its neighbours.
    """

    stage: str
    trials: list[int]
    seconds: float = 0.0
    branches: dict[str, "Node"] = field(default_factory=dict)
    text: str = ""

    @property
    def saved_s(self) -> float:
        """Seconds that its trials would have taken more without sharing, its branches included."""
        own = (len(self.trials) - 1) * self.seconds if self.stage else 0.0
        return own + sum(branch.saved_s for branch in self.branches.values())

    @property
    def stages(self) -> tuple[int, int]:
        """How many stages its trials needed, and how many were carried out."""
        below = [branch.stages for branch in self.branches.values()]
        needed, done = len(self.trials) if self.stage else 0, 1 if self.stage else 0
        return needed + sum(one for one, _ in below), done + sum(one for _, one in below)


def stage_tree(document: Mapping[str, Any]) -> Node:
    """The tree of the complete trials; its root is no stage.

    Args:
        document: A report document: the front document with ``all`` its trials and their ``history``.
    """
    trials = [trial for trial in document.get("history", {}).get("trials", ()) if trial["stages"]]
    configurations = {trial["trial"]: trial["configuration"] for trial in document.get("all", ())}
    shared = {stage: seconds for stage, _, seconds in document.get("history", {}).get("shared_times", ())}
    plain = (document.get("baseline") or {}).get("configuration", {})
    root = Node("", [trial["trial"] for trial in trials])
    for trial in trials:
        node = root
        for stage, key in _in_order(trial["stages"]):
            node = node.branches.setdefault(key, Node(stage, []))
            node.trials.append(trial["trial"])
            took = trial["seconds"].get(stage) or (shared.get(stage, 0.0) if stage == "teacher" else 0.0)
            node.seconds = max(node.seconds, took)
    _name(root, configurations, plain, {})
    return root


def _in_order(stages: Mapping[str, str]) -> list[tuple[str, str]]:
    """The stages of a trial as its artifact was made; a trial that was timed untrained has them in another order."""
    kept = [(stage, key) for stage, key in stages.items() if stage not in _SCREENING_ALONE]
    known = {stage: rank for rank, stage in enumerate(_ORDER)}
    return sorted(kept, key=lambda one: known.get(one[0], known["training"]))


def summary(document: Mapping[str, Any]) -> str:
    """How many stages were needed and carried out, and how long the others would have taken; empty where unknown."""
    tree = stage_tree(document)
    needed, done = tree.stages
    if not needed:
        return ""
    teachers_s = sum((len(one.trials) - 1) * one.seconds for one in tree.branches.values() if one.stage == "teacher")
    teacher = f" ({duration(teachers_s)} of it for the teacher)" if teachers_s >= 0.1 else ""
    saved = f", which would have taken {duration(tree.saved_s)} more{teacher}" if tree.saved_s >= 0.1 else ""
    return f"The trials needed {needed} stages; {done} were carried out, and {needed - done} were shared{saved}."


def stage_tree_figure(document: Mapping[str, Any]) -> "Figure":
    """Stages from top to bottom, each as wide as the number of trials that went through it."""
    import plotly.graph_objects as go

    tree = stage_tree(document)
    if not tree.trials:
        return empty("No trial is complete, so there are no stages that trials could share.")
    blocks: list[tuple[str, str, Node, str]] = []
    _collect(tree, "", "study", len(tree.trials), blocks)
    names = [name for name, _ in _in_order({node.stage: "" for _, _, node, _ in blocks if node.stage})]
    colours = {name: translucent(SERIES[index % len(SERIES)], 0.35) for index, name in enumerate(names)}
    patterns = {name: PATTERNS[index % len(PATTERNS)] for index, name in enumerate(names)}
    figure = go.Figure(
        go.Icicle(
            ids=[own for own, *_ in blocks],
            parents=[parent for _, parent, *_ in blocks],
            labels=[label for *_, label in blocks],
            values=[len(node.trials) for _, _, node, _ in blocks],
            branchvalues="total",
            sort=False,
            tiling={"orientation": "v", "pad": 1},
            pathbar={"visible": False},
            marker={
                "colors": [colours.get(node.stage, FAINT) for _, _, node, _ in blocks],
                "line": {"color": "white", "width": 1},
                "pattern": {
                    "shape": [patterns.get(node.stage, "") for _, _, node, _ in blocks],
                    "bgcolor": [colours.get(node.stage, FAINT) for _, _, node, _ in blocks],
                    **_STRIPES,
                },
            },
            textfont={"color": INK},
            hovertext=[_hover(node) for _, _, node, _ in blocks],
            hoverinfo="text",
            root={"color": "white"},
        )
    )
    for name in names:  # the legend, as narrow blocks have no room for a name
        look = {"color": colours[name], "pattern": {"shape": patterns[name], "bgcolor": colours[name], **_STRIPES}}
        figure.add_trace(go.Bar(x=[None], y=[None], name=safe(stage_name(name)), marker=look))
    text, hidden = {"minsize": 10, "mode": "hide"}, {"visible": False}
    margin = {"l": 4, "r": 4, "t": 4, "b": 50}
    return finish(figure, 130 + 58 * (1 + len(names)), margin=margin, uniformtext=text, xaxis=hidden, yaxis=hidden)


def _name(
    node: Node, configurations: Mapping[int, Mapping[str, Any]], plain: Mapping[str, Any], known: Mapping[str, Any]
) -> None:
    """Give each node the choices that all its trials have and that were not told above it."""
    first, *others = [configurations.get(number, {}) for number in node.trials] or [{}]
    common = {n: value for n, value in first.items() if all(one.get(n) == value for one in others)}
    new = {name: value for name, value in common.items() if name not in known}
    node.text = configuration_text(new, plain) if new else ""
    node.text = "" if node.text == "as the baseline" else node.text
    for branch in node.branches.values():
        _name(branch, configurations, plain, common)


def _collect(node: Node, parent: str, own: str, total: int, blocks: list[tuple[str, str, Node, str]]) -> None:
    label = (stage_name(node.stage) or "all trials") + (f" x{len(node.trials)}" if len(node.trials) > 1 else "")
    blocks.append((own, parent, node, f"{safe(label)}<br>{safe(node.text)}".removesuffix("<br>")))
    narrow = [branch for branch in node.branches.values() if len(branch.trials) < total * _LEAST_SHARE]
    for key, branch in node.branches.items():
        if branch not in narrow or len(narrow) == 1:
            _collect(branch, own, f"{own}/{key}", total, blocks)
    if len(narrow) > 1:
        stages = {branch.stage for branch in narrow}
        stage = narrow[0].stage if len(stages) == 1 else ""
        several = Node(stage, [number for branch in narrow for number in branch.trials])
        blocks.append((f"{own}/others", own, several, f"{len(narrow)} branches {safe(stage_name(stage))}".rstrip()))


def _hover(node: Node) -> str:
    if not node.stage:
        return f"{len(node.trials)} complete trials"
    lines = [
        f"<b>{safe(stage_name(node.stage))}</b>",
        *([safe(node.text)] if node.text else []),
        f"trials {_numbers(node.trials)}",
    ]
    if node.seconds:
        lines.append(f"took {duration(node.seconds)}")
    if node.seconds and len(node.trials) > 1:
        lines.append(f"shared, which saved {duration((len(node.trials) - 1) * node.seconds)}")
    return "<br>".join(lines)


def _numbers(trials: Sequence[int]) -> str:
    shown = ", ".join(map(str, trials[:12]))
    return f"{shown} and {len(trials) - 12} more" if len(trials) > 12 else shown
