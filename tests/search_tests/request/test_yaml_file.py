"""YAML is read as plain data with line numbers, and whatever settings do not need is refused."""

from pathlib import Path
from typing import Any

import pytest

from search.request.yaml_file import MAX_BYTES, read_yaml
from spaces.errors import RequestError


def written(folder: Path, text: str | bytes) -> Path:
    path = folder / "file.yaml"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def test_data_and_lines_are_given_back(tmp_path: Path) -> None:
    file = read_yaml(written(tmp_path, "# note\na: 1\nb:\n  - x\n  - {c: 2.5,\n     d: true}\ne: null\n"))
    assert file.data == {"a": 1, "b": ["x", {"c": 2.5, "d": True}], "e": None}
    assert file.lines == {(): 2, ("a",): 2, ("b",): 3, ("b", 0): 4, ("b", 1): 5, ("b", 1, "c"): 5, ("b", 1, "d"): 6} | {
        ("e",): 7
    }
    assert file.place(("b", 1, "d")) == f"{tmp_path / 'file.yaml'}:6"
    assert file.place(("b", 9, "unknown")).endswith(":3"), "the nearest thing around it"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("on", "on"), ("no", "no"), ("true", True), ("1:30", "1:30"), ("010", "010"), ("1e-3", 0.001), ("-2", -2),
        ("30m", "30m"), ("2024-01-01", "2024-01-01"), ("~", None), ("'5'", "5"), (".5", 0.5), ("1.", 1.0),
        ("0x1f", "0x1f"),
        (".inf", ".inf"), (".nan", ".nan"), ("<=", "<="), ("|\n  two\n  lines\n", "two\nlines\n"), ("5.5e2", 550.0),
    ],
)  # fmt: skip
def test_scalars_are_what_they_look_like(tmp_path: Path, text: str, value: Any) -> None:
    read = read_yaml(written(tmp_path, f"key: {text}")).data["key"]
    assert read == value
    assert type(read) is type(value)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("a: 1\nb: 2\na: 3\n", r"file\.yaml:3: 'a' is given twice, first on line 1; keep one of them"),
        ("o:\n  a: 1\n  a: 1\n", r":3: 'a' is given twice, first on line 2"),
        ("a: &x 1\nb: 2\n", r":1: anchors and aliases"),
        ("a: 1\nb: *x\n", r":2: anchors and aliases"),
        (
            "a: 1\nb: !!python/object/apply:os.system [ls]\n",
            r":2: the tag .*apply:os\.system' is not allowed",
        ),
        ("a: !mine 1\n", r":1: the tag '!mine' is not allowed"),
        ("a: 1\n---\nb: 2\n", r":2: a second document starts here"),
        ("a: 1\n\tb: 2\n", r":2: not valid YAML: found character"),
        ("a: [1, 2\nb: 3\n", r":2: not valid YAML: "),
        ("1: a\n", r":1: a key must be a word, not '1'"),
        ("[a]: b\n", r":1: a key must be a word"),
        ("a: 1\nb: 1e999\n", r":2: the number is too large"),
        ("a: " + "9" * 5000, r":1: the number is too large"),
        ("a: " + "[" * 30 + "]" * 30, r":1: nested deeper than 20 levels"),
        ("a: " + "[" * 100_000, r":1: nested deeper than 20 levels"),
        (b"a: 1\nb: \xff\n", r":2: not UTF-8 text"),
        (b"a: \x00\n", "not valid YAML: special characters are not allowed"),
        (b"a: 1\nb: \x07\n", r":2: not valid YAML: special characters are not allowed"),
        ("a: 1\n[b, c]: 2\n", r":2: a key must be a word, not a list; put quotes round it$"),
        ("a: 1\n{b: c}: 2\n", r":2: a key must be a word, not a dictionary; put quotes round it$"),
        ("a: 1\n? - b\n: 2\n", r":2: a key must be a word, not a list"),
        ("a: 1\n2: 3\n", r":2: a key must be a word, not '2'; put quotes round it$"),
        (b"#" * (MAX_BYTES + 1), "is larger than 1 MiB"),
    ],
)
def test_whatever_settings_do_not_need_is_refused(tmp_path: Path, text: str | bytes, sentence: str) -> None:
    with pytest.raises(RequestError, match=sentence) as refusal:
        read_yaml(written(tmp_path, text))
    assert "\n" not in str(refusal.value)


def test_a_file_that_cannot_be_read_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match=r"none\.yaml cannot be read \(No such file or directory\)"):
        read_yaml(tmp_path / "none.yaml")
    with pytest.raises(RequestError, match=r"cannot be read \(Is a directory\)"):
        read_yaml(tmp_path)


def test_an_empty_file_is_none_and_a_byte_order_mark_is_skipped(tmp_path: Path) -> None:
    assert read_yaml(written(tmp_path, "# nothing\n")).data is None
    assert read_yaml(written(tmp_path, b"\xef\xbb\xbfa: 1")).data == {"a": 1}


def test_a_large_file_within_the_cap_is_read(tmp_path: Path) -> None:
    text = "".join(f"key{number}: {number}\n" for number in range(2000))
    assert read_yaml(written(tmp_path, text)).lines[("key1999",)] == 2000
