"""The attributes that a search writes to a study and its trials are those that are listed, no more and no fewer."""

import ast
import importlib
from pathlib import Path

import pytest

from search.study import attributes

ROOT = Path(__file__).resolve().parents[3]
LISTED = {value for name, value in vars(attributes).items() if name.isupper()}


def written_attributes(file: Path) -> set[str]:
    """The names of the attributes that the code in ``file`` sets; of a numbered one what stands before the number."""
    calls = [node for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))) if isinstance(node, ast.Call)]
    setters = [c for c in calls if isinstance(c.func, ast.Attribute) and c.func.attr == "set_user_attr"]
    return {_value_of(call.args[0], file) for call in setters}


def _value_of(name: ast.expr, file: Path) -> str:
    if isinstance(name, ast.JoinedStr):
        name = name.values[0]
    if isinstance(name, ast.FormattedValue):
        name = name.value
    if isinstance(name, ast.Constant):
        return str(name.value)
    module = importlib.import_module(".".join(file.relative_to(ROOT).with_suffix("").parts))
    return str(eval(ast.unparse(name), vars(module)))


def test_every_attribute_that_is_written_is_listed_and_the_other_way_round() -> None:
    written: set[str] = set().union(*(written_attributes(file) for file in (ROOT / "search").rglob("*.py")))
    assert written == LISTED


@pytest.mark.parametrize("line", ['study.set_user_attr("new", 1)', 'study.set_user_attr(f"new:{1}", 1)'])
def test_an_attribute_that_is_not_listed_is_found(line: str, tmp_path: Path) -> None:
    (tmp_path / "planted.py").write_text(line)
    assert not written_attributes(tmp_path / "planted.py") <= LISTED
