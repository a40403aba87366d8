"""The guides as tests read them: fenced blocks with their markers, commands, links, headings and inline code."""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

FOLDERS = ("search", "spaces", "runners", "dashboards")

GUIDES = sorted([*ROOT.glob("*.md"), *(ROOT / folder / "README.md" for folder in FOLDERS)])

LANGUAGES = ("sh", "python", "yaml", "text")
"""What a fenced block may hold; the two commands of the front page have a marker in place of a language."""

_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_MARKER = re.compile(r"<!-- ([a-z ]+)(?:: (.*?))? -->\n$")


@dataclass(frozen=True)
class Block:
    """One fenced block.

    Attributes:
        language: The word behind the fence, or an empty string.
        content: The lines inside.
        marker: What the comment on the line before says it is (``run``, ``not run``, ``example``, ``command``).
        said: What follows the colon in that comment: a reason or a name.
        line: Where it begins, from 1.
    """

    language: str
    content: str
    marker: str
    said: str
    line: int


def blocks(text: str) -> list[Block]:
    """The fenced blocks of a guide, in order."""
    found = []
    for match in _FENCE.finditer(text):
        marker = _MARKER.search(text[: match.start()])
        named, said = (marker[1], marker[2] or "") if marker else ("", "")
        found.append(Block(match[1], match[2], named, said, text.count("\n", 0, match.start()) + 1))
    return found


def prose(text: str) -> str:
    """A guide without its fenced blocks and comments."""
    return re.sub(r"<!--.*?-->", "", _FENCE.sub("", text), flags=re.DOTALL)


def inline_code(text: str) -> list[str]:
    """What stands between single backticks outside fenced blocks."""
    return re.findall(r"`([^`\n]+(?:\n[^`\n]+)?)`", prose(text))


def shell_lines(text: str) -> Iterator[tuple[Block, str]]:
    """Each line of each block of shell commands."""
    for block in blocks(text):
        if block.language == "sh":
            yield from ((block, line) for line in block.content.splitlines())


def words(command: str) -> tuple[list[str], str | None]:
    """A command's words, and the file that its output goes to."""
    command, _, target = command.partition(" > ")
    return shlex.split(command), target.strip() or None


def links(text: str) -> list[str]:
    """The targets of links and images."""
    return re.findall(r"\]\(([^)\s]+)\)", prose(text))


def anchors(text: str) -> set[str]:
    """What a link may name behind ``#``: headings as GitHub spells them."""
    headings = re.findall(r"^#+ (.*)$", prose(text), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def example(guide: Path, name: str) -> str:
    """The content of the one block of ``guide`` that is marked as the example ``name``."""
    text = guide.read_text(encoding="utf-8")
    (found,) = [block.content for block in blocks(text) if (block.marker, block.said) == ("example", name)]
    return found
