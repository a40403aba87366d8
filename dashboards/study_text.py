"""What a study is, in words: its name, its workload, where and when it was searched."""

from collections.abc import Iterator, Mapping
from typing import Any

Document = Mapping[str, Any]


def study_title(document: Document) -> str:
    """``digits: 18 trials on AMD EPYC, 2 cores, 2026-11-30``: its name, and where and when it was searched."""
    return f"{study_name(document)}: {where_text(document)}"


def study_name(document: Document) -> str:
    """The name of the study, and that of the workload unless it is the same."""
    study, workload = document["study"], document.get("workload") or ""
    return study if workload in ("", study) else f"{study} (workload {workload})"


def where_text(document: Document) -> str:
    """``18 trials on AMD EPYC, 2 cores, 2026-11-30``."""
    device = f" on {document['device']}" if document.get("device") else ""
    return f"{trials_text(document)}{device}{f', {date_text(document)}' if date_text(document) else ''}"


def trials_text(document: Document) -> str:
    """``18 trials (2 failed)``: how many have ended, and how many were stopped, failed or are infeasible."""
    counts = {"stopped early": "stopped", "failed": "failed", "measured and infeasible": "infeasible"}
    parts = [f"{document[name]} {words}" for words, name in counts.items() if document.get(name)]
    number = f"{document['trials']} trial{'s' * (document['trials'] != 1)}"
    return number + (f" ({', '.join(parts)})" if parts else "")


def date_text(document: Document) -> str:
    """``2026-11-30``: the day of the last result; empty where that is not known."""
    return str(document.get("ended") or document.get("begun") or "")[:10]


def status_notes(document: Document) -> Iterator[str]:
    """What a reader has to know first: that a search goes on, was stopped, or has nothing on its front."""
    if document.get("status") == "running":
        yield "The search is not finished: what is shown may still change."
    elif document.get("status") not in (None, "finished"):
        yield f"The search was {document['status']} before its end: the front was not measured again."
    if not document["front"] and document.get("constraints"):
        yield f"No trial satisfies every constraint ({', '.join(document['constraints'])})."
