"""YAML files of plain data, read strictly, with the line of each key."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from spaces.errors import RequestError

MAX_BYTES = 1024 * 1024
MAX_DEPTH = 20

KeyPath = tuple[str | int, ...]


@dataclass(frozen=True)
class YamlFile:
    """The content of a YAML file.

    Attributes:
        name: Path of the file as it was given.
        data: Dictionaries, lists, strings, finite numbers, true, false and None.
        lines: The line number, from 1, of each key and each list item, by its path of keys and positions.
    """

    name: str
    data: Any
    lines: Mapping[KeyPath, int] = field(default_factory=dict)

    def place(self, at: KeyPath) -> str:
        """``file:line`` of the value at the path ``at``, or of the nearest value around it."""
        while at and at not in self.lines:
            at = at[:-1]
        return f"{self.name}:{self.lines.get(at, 1)}"


class _Loader(yaml.SafeLoader):
    """PyYAML's loader with the plain scalars of YAML 1.2.

    PyYAML reads YAML 1.1, in which ``on`` is true, ``1:30`` is 90, ``010`` is 8 and ``1e-3`` is a string.
    """


_SCALARS: dict[str, tuple[re.Pattern[str], list[str]]] = {
    "null": (re.compile(r"^(null|Null|NULL|~|)$"), ["n", "N", "~", ""]),
    "bool": (re.compile(r"^(true|True|TRUE|false|False|FALSE)$"), list("tTfF")),
    "int": (re.compile(r"^[-+]?(0|[1-9][0-9]*)$"), list("-+0123456789")),
    "float": (
        re.compile(r"^[-+]?(\.[0-9]+|(0|[1-9][0-9]*)\.[0-9]*|(0|[1-9][0-9]*)(?=[eE]))([eE][-+]?[0-9]+)?$"),
        list("-+.0123456789"),
    ),
}
_Loader.yaml_implicit_resolvers = {}
for _kind, (_pattern, _first) in _SCALARS.items():
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_kind}", _pattern, _first)


def read_yaml(path: Path | str) -> YamlFile:
    """The content of a file with one document of plain data.

    Raises:
        RequestError: The file cannot be read, is larger than 1 MiB, is not valid YAML, repeats a key, or uses
            tags, anchors, aliases or a second document; it names the file and the line.
    """
    name = str(path)
    text = _text(name, Path(path))
    try:
        _check_events(name, text)
        node = yaml.compose(text, Loader=_Loader)
    except yaml.YAMLError as error:
        raise RequestError(_syntax_problem(name, text, error)) from error
    lines: dict[KeyPath, int] = {}
    return YamlFile(name, _plain(name, node, (), lines) if node else None, lines)


def _text(name: str, path: Path) -> str:
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise RequestError(f"{name} cannot be read ({error.strerror}); give a YAML file") from error
    if len(raw) > MAX_BYTES:
        raise RequestError(f"{name} is larger than 1 MiB; a file of settings is not")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise RequestError(f"{name}:{line}: not UTF-8 text; save the file as UTF-8") from error


def _check_events(name: str, text: str) -> None:
    """Raise `RequestError` for tags, anchors, aliases, deep nesting and a second document, before data is built."""
    documents = depth = 0
    for event in yaml.parse(text, Loader=_Loader):
        where = f"{name}:{event.start_mark.line + 1 if event.start_mark else 1}"
        if isinstance(event, yaml.DocumentStartEvent):
            documents += 1
        elif isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if documents > 1:
            raise RequestError(f"{where}: a second document starts here; keep one in a file")
        if depth > MAX_DEPTH:
            raise RequestError(f"{where}: nested deeper than {MAX_DEPTH} levels; settings are not")
        if getattr(event, "anchor", None) is not None:
            raise RequestError(f"{where}: anchors and aliases (& and *) are not allowed; write the value out")
        if getattr(event, "tag", None) is not None:
            raise RequestError(f"{where}: the tag {event.tag!r} is not allowed; write a plain value")  # type: ignore[attr-defined]


def _syntax_problem(name: str, text: str, error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    line = mark.line if mark else text.count("\n", 0, getattr(error, "position", 0))  # of a character not allowed
    where = f"{name}:{line + 1}"
    problem = getattr(error, "problem", None) or getattr(error, "reason", None) or "it cannot be parsed"
    return f"{where}: not valid YAML: {problem}"


def _plain(name: str, node: yaml.Node, at: KeyPath, lines: dict[KeyPath, int]) -> Any:
    lines.setdefault(at, node.start_mark.line + 1)
    if isinstance(node, yaml.MappingNode):
        return _mapping(name, node, at, lines)
    if isinstance(node, yaml.SequenceNode):
        return [_plain(name, item, (*at, index), lines) for index, item in enumerate(node.value)]
    return _scalar(f"{name}:{node.start_mark.line + 1}", node)


def _mapping(name: str, node: yaml.MappingNode, at: KeyPath, lines: dict[KeyPath, int]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key_node, value_node in node.value:
        line = key_node.start_mark.line + 1
        key = key_node.value
        if not isinstance(key, str):
            kind = "dictionary" if isinstance(key_node, yaml.MappingNode) else "list"
            raise RequestError(f"{name}:{line}: a key must be a word, not a {kind}; put quotes round it")
        if key_node.tag.rpartition(":")[2] != "str":
            raise RequestError(f"{name}:{line}: a key must be a word, not {key!r}; put quotes round it")
        if key in found:
            raise RequestError(
                f"{name}:{line}: {key!r} is given twice, first on line {lines[(*at, key)]}; keep one of them"
            )
        lines[(*at, key)] = line
        found[key] = _plain(name, value_node, (*at, key), lines)
    return found


def _scalar(where: str, node: yaml.Node) -> Any:
    kind = node.tag.rpartition(":")[2]
    if kind == "null":
        return None
    if kind == "bool":
        return node.value.lower() == "true"
    if kind not in ("int", "float"):
        return node.value
    if len(node.value) > 400 or not math.isfinite(float(node.value)):
        raise RequestError(f"{where}: the number is too large; give a smaller one")
    return int(node.value) if kind == "int" else float(node.value)
