"""The sections of a report, each from the report document alone: HTML with the places of figures, and the figures."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from dashboards.figures.explanation_figure import synergy_figure, waterfall_figure
from dashboards.figures.front_figure import draw
from dashboards.figures.front_history import front_history_figure
from dashboards.figures.front_points import front_points
from dashboards.figures.hypervolume import hypervolume_figure
from dashboards.figures.importance import importance_figure
from dashboards.figures.measured_trials import measured_trials
from dashboards.figures.parallel_coordinates import parallel_coordinates_figure
from dashboards.figures.rungs import rungs_figure
from dashboards.figures.slices import slices_figure
from dashboards.figures.stage_tree import stage_tree_figure
from dashboards.figures.stage_tree import summary as stage_summary
from dashboards.figures.timeline import timeline, timeline_figure
from dashboards.figures.trade_offs import trade_offs_figure
from dashboards.report.front_page import HISTORY_CAPTION, HISTORY_HEADING
from dashboards.report.page import escaped, placeholder
from dashboards.report.tables import configurations_table, front_table, measured_list, trials_table

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

Document = Mapping[str, Any]
EMPTY_HISTORY: Document = {"trials": [], "screened": [], "shared_times": []}


@dataclass
class Section:
    """One section of the report.

    Attributes:
        name: A word by which the page links to it.
        heading: Its heading.
        html: What stands below the heading.
        figures: The figures by the names of their places.
    """

    name: str
    heading: str
    html: str = ""
    figures: dict[str, "Figure"] = field(default_factory=dict)

    def text(self, *sentences: str, style: str = "") -> None:
        """Add a paragraph; empty sentences are left out."""
        kept = " ".join(filter(None, sentences))
        self.html += f"<p{f' class={style}' if style else ''}>{escaped(kept)}</p>\n" if kept else ""

    def figure(self, name: str, figure: "Figure", heading: str = "", caption: str = "") -> None:
        """Add a figure with a heading above and a caption below it."""
        self.figures[name] = figure
        self.html += f"<h3>{escaped(heading)}</h3>\n" if heading else ""
        self.html += placeholder(name, figure, heading or self.heading) + "\n"
        self.html += f'<p class="soft">{escaped(caption)}</p>\n' if caption else ""


def sections(document: Document) -> Iterator[Section]:
    """The sections in the order in which they are read."""
    yield _front(document)
    yield _winners(document)
    yield _measured(document)
    if len(document["objectives"]) > 2:
        yield _trade_offs(document)
    yield _choices(document)
    yield _explanations(document)
    yield _course(document)
    yield _trials(document)
    yield _reproduce(document)


def _front(document: Document) -> Section:
    section = Section("front", "The front")
    points = front_points(document, measured_trials(document))
    caption = "Point at a dot to see its whole configuration. Bars are 95 % intervals; an open dot is a member that "
    caption += "cannot be told apart from a better one."
    section.figure("front-figure", draw(points), caption=caption)
    return section


def _winners(document: Document) -> Section:
    section = Section("winners", "The winning configurations")
    section.html += front_table(document)
    section.text("Choices in which they differ from the baseline, one column for each member, the fastest first:")
    section.html += configurations_table(document)
    return section


def _measured(document: Document) -> Section:
    section = Section("measured", "How they were measured")
    section.html += measured_list(document)
    how = "Each candidate is timed in one process with the baseline, in turns whose order is random; the speedup is a "
    section.text(how + "ratio within these turns, with a 95 % bootstrap interval.", _final_text(document))
    return section


def _final_text(document: Document) -> str:
    """Whether and how the front was measured again at the end."""
    if document.get("everything"):
        return ""
    if any(member.get("searched") for member in document["front"]):
        again = "At the end the front was timed once more in fresh processes, and evaluated on the test split, which "
        return again + "nothing else uses."
    only = "The front was not measured once more: its figures are those of the search, of which the best tend to look "
    return only + "better than they are."


def _trade_offs(document: Document) -> Section:
    section = Section("trade-offs", "Trade-offs")
    section.figure("trade-offs-figure", trade_offs_figure(document), caption="Every two objectives against each other.")
    return section


def _choices(document: Document) -> Section:
    section = Section("choices", "Which choices mattered")
    if "importance" in document:
        doubts = {found["doubt"] for found in document["importance"].values() if found["doubt"]}
        section.figure(
            "importance-figure",
            importance_figure(document),
            caption="fANOVA; the thin lines span what is found again on resampled trials. "
            + "".join(f"To be read with care: {doubt}." for doubt in sorted(doubts)),
        )
    else:
        section.text("How much each choice mattered takes seconds to find, and the search did not. This finds it:")
        command = document.get("commands", {}).get("report", f"frontrunner report {document['study']} --to report.html")
        section.html += _commands([command])
    section.figure("slices-figure", slices_figure(document), "Each choice alone", "A column for each value.")
    caption = "A line from top to bottom is a trial. The better end of an objective is on the right."
    section.figure("parallel-figure", parallel_coordinates_figure(document), "All choices together", caption)
    return section


def _explanations(document: Document) -> Section:
    section = Section("explained", "What each choice gives")
    explained = document.get("explanations", ())
    for one in explained:
        number = one["trial"]
        section.figure(f"waterfall-{number}", waterfall_figure(one), f"Trial {number}: {one['text']}")
        synergy = synergy_figure(one)
        if synergy is not None:
            caption = "Above 1, the two give more together than the product of what each gives alone; * marks what is "
            section.figure(f"synergy-{number}", synergy, "Two choices together", caption + "certain.")
    if not explained:
        section.text("No trial was explained yet; this takes each choice of one back alone, and times what results:")
        command = document.get("commands", {}).get("explain", f"frontrunner explain {document['study']}")
        section.html += _commands([command])
    return section


def _course(document: Document) -> Section:
    section, history = Section("course", "How the search went"), document.get("history") or EMPTY_HISTORY
    section.figure("hypervolume-time", hypervolume_figure(document, "time"), "Hypervolume over time")
    section.figure("hypervolume-trials", hypervolume_figure(document, "trials"), "Hypervolume over trials")
    section.figure("history-figure", front_history_figure(document), HISTORY_HEADING, HISTORY_CAPTION)
    section.figure("rungs-figure", rungs_figure(document), "Who was stopped where")
    section.figure("tree-figure", stage_tree_figure(document), "What trials shared", stage_summary(document))
    caption = timeline(history).summary()
    section.figure("timeline-figure", timeline_figure(history), "Where the time went", caption)
    return section


def _trials(document: Document) -> Section:
    section = Section("trials", "All trials")
    section.html += trials_table(document)
    return section


def _reproduce(document: Document) -> Section:
    section, commands = Section("reproduce", "Reproduce it"), document.get("commands", {})
    if commands.get("study_file"):
        section.text("The study file, to be saved as study.yaml:")
        section.html += _commands(commands["study_file"].splitlines())
        section.text("Search with it, on the same kind of machine:")
        section.html += _commands([commands["search"]])
    section.text("Export a member of the front as a folder that runs by itself:")
    section.html += _commands(commands.get("exports", ()) or [f"frontrunner export {document['study']} --to exported"])
    return section


def _commands(lines: Sequence[str]) -> str:
    return f"<pre>{escaped(chr(10).join(lines))}</pre>\n"
