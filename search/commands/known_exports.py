"""The exported folders that a home wrote itself, which are opened without asking as long as nothing in them changed."""

import json
from collections.abc import Sequence
from pathlib import Path

from runners.artifacts.document import Document
from runners.artifacts.integrity import read_claims
from runners.artifacts.trust import folder_digest, model_code, sources_digest, workload_code
from runners.store.local_files import LocalFiles
from search.request.locations import Home
from spaces.errors import RequestError


def remember(home: Home, folder: Path) -> None:
    """Note in ``home`` what ``folder`` and the code of its workload are now; the folder was just exported."""
    files = workload_code(read_claims(folder).origin.workload)
    note = {"folder": str(folder.absolute()), "sources": sources_digest(files)}
    LocalFiles(home.exports).write(folder_digest(folder), json.dumps(note).encode() + b"\n")


def require_trusted(folder: Path, document: Document, home: Home, workload: Sequence[Path] = ()) -> list[str]:
    """What runs when ``folder`` is opened, where ``home`` exported it and nothing of it changed since.

    Args:
        folder: An exported folder whose files were checked.
        document: Its document.
        home: The home that may have exported it.
        workload: The Python files of its workload, where they run too.

    Raises:
        RequestError: It can run code, and this home did not export it so.
    """
    found = code_of(folder, document, workload)
    if found and not _is_known(home, folder, tuple(workload)):
        raise RequestError(
            f"{folder} runs code ({', '.join(found)}), and it is not as the home {home.path} exported it; "
            "add --trust if you trust that code, or name the home that exported it with --home"
        )
    return found


def code_of(folder: Path, document: Document, workload: Sequence[Path] = ()) -> list[str]:
    """The files that run or can run code when ``folder`` is opened, those of its ``workload`` first."""
    return [*map(str, workload), *(str(folder / name) for name in model_code(document))]


def _is_known(home: Home, folder: Path, workload: tuple[Path, ...]) -> bool:
    try:
        note = json.loads((home.exports / folder_digest(folder)).read_text(encoding="utf-8"))
        return not workload or note["sources"] == sources_digest(workload)
    except (FileNotFoundError, ValueError, KeyError, TypeError):  # none, or it was cut
        return False
