"""What each node of a cluster says of itself before the first trial, and what is refused by it."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from runners.executors.cluster.node_software import installed, require_same
from runners.executors.cluster.workload_folder import unpack
from runners.store.shared_mark import why_not_reached
from runners.workload_loading.reference import resolve
from spaces.credentials import without_credentials
from spaces.errors import RequestError, in_one_line

CLOCKS_MAY_DIFFER_S = 60.0


@dataclass(frozen=True)
class Question:
    """What nodes are asked.

    Attributes:
        workload: The reference of the workload that each shall load; None is none.
        folder: The files of the workload, packed.
        store: The stage store, a folder or a URL.
        mark: What the search left there; None where the store is not asked for.
    """

    workload: Any = None
    folder: bytes | None = None
    store: str = ""
    mark: str | None = None


@dataclass(frozen=True)
class NodeReport:
    """What a node says.

    Attributes:
        software: What is installed there, as `installed` gives it.
        not_loaded: Why the workload cannot be loaded there, or None.
        not_reached: Why the stage store is not reached from there, or None.
        clock_s: Its time when it had found all that out, in seconds since 1970.
    """

    software: Mapping[str, str]
    not_loaded: str | None
    not_reached: str | None
    clock_s: float


def make_report(question: Question) -> NodeReport:
    """The report of the machine on which this is called."""
    not_reached = why_not_reached(question.store, question.mark) if question.mark else None
    return NodeReport(installed(), _why_not_loaded(question), not_reached, time.time())


def _why_not_loaded(question: Question) -> str | None:
    if question.workload is None:
        return None
    try:
        resolve(unpack(question.workload, question.folder))
    except Exception as error:
        return in_one_line(error)
    return None


def require_ready(reports: Mapping[str, NodeReport | str | None], question: Question) -> None:
    """Raise `RequestError` where a node cannot work for the search, for the first reason that holds of any.

    The reasons are looked for in this order: other software, a stage store that it does not reach, a workload that it
    cannot load.

    Args:
        reports: Those of the nodes by their addresses; or why there is none, where our packages are not there; None of
            a node that did not answer, which is passed over.
        question: What they were asked.
    """
    answers = {name: said for name, said in reports.items() if said is not None}
    require_same(
        installed(), {name: said if isinstance(said, str) else said.software for name, said in answers.items()}
    )
    known = {name: said for name, said in answers.items() if not isinstance(said, str)}
    for name, said in known.items():
        if said.not_reached:
            raise RequestError(
                f"--stage-store {without_credentials(question.store)}: node {name} does not reach it "
                f"({said.not_reached}); name a folder that every node has under this path, or a URL such as "
                "s3://BUCKET/FOLDER"
            )
    cannot = {name: said.not_loaded for name, said in known.items() if said.not_loaded}
    if cannot:
        name, reason = next(iter(cannot.items()))
        which = "no node of the cluster can" if len(cannot) == len(known) else f"node {name} cannot"
        raise RequestError(
            f"--workload: {which} load it ({reason}); what it needs beside its own folder has to be on every node"
        )


def notes_on(reports: Mapping[str, NodeReport | str | None], asked_s: float, answered_s: float) -> tuple[str, ...]:
    """A sentence for each node that did not answer, or whose clock is off by more than `CLOCKS_MAY_DIFFER_S`.

    Args:
        reports: As `require_ready` takes them.
        asked_s: When they were asked, by this machine's clock.
        answered_s: When all had answered.
    """
    notes = (_note(name, said, asked_s, answered_s) for name, said in reports.items() if not isinstance(said, str))
    return tuple(note for note in notes if note)


def _note(name: str, said: NodeReport | None, asked_s: float, answered_s: float) -> str | None:
    if said is None:
        waited_s = answered_s - asked_s
        return f"node {name} did not answer within {waited_s:.0f} s, so what is there is seen only when a stage begins"
    off_s = max(0.0, said.clock_s - answered_s) + min(0.0, said.clock_s - asked_s)
    if abs(off_s) <= CLOCKS_MAY_DIFFER_S:
        return None
    return (
        f"the clock of node {name} is {abs(off_s) / 60:.0f} minutes {'ahead' if off_s > 0 else 'behind'}; no result "
        "depends on it, but databases, object stores and logins may refuse a clock that is off"
    )
