"""What the guides say exists: commands parse; files, names, flags and links are there."""

import importlib
import re
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import typer
from command_line import COMMAND, flags_of, subcommands
from guides import (
    FOLDERS,
    GUIDES,
    LANGUAGES,
    ROOT,
    anchors,
    blocks,
    inline_code,
    links,
    prose,
    shell_lines,
    words,
)

PLACES = (*FOLDERS, "tests", ".ci")
EXTRAS = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
SOURCES = "\n".join(file.read_text() for folder in FOLDERS for file in (ROOT / folder).rglob("*.py"))

FLAGS = {flag for command in subcommands(COMMAND).values() for flag in flags_of(command)}


def parse_error(arguments: list[str], command: Any = COMMAND, parent: Any = None) -> str | None:
    """Why the command line does not take these arguments, or None; nothing is run.

    What answers while it is parsed is left out, as ``--install-completion`` would write to the files of this account.
    """
    answering = {flag for parameter in command.params if parameter.callback for flag in parameter.opts} | {"--help"}
    left = [word for word in arguments if word not in answering]
    if answering & set(arguments) and not left:
        return None
    try:
        context = command.make_context(command.name or "frontrunner", left, parent=parent)
        rest = [*getattr(context, "_protected_args", []), *context.args]
        if rest and hasattr(command, "resolve_command"):
            _, inner, left = command.resolve_command(context, rest)
            return parse_error(left, inner, context)
    except typer.BadParameter.__mro__[1] as error:
        return str(error)
    return None


def command_error(command: str) -> str | None:
    """What is wrong with one shell command of a guide, or None."""
    parts, _ = words(command)
    program, *arguments = parts
    if program == "frontrunner":
        return parse_error(arguments)
    if program == "python":
        return _python_error(arguments)
    if program == "pip":
        return _extra_error(command)
    if program == "ray" and "--" in arguments:  # submits what follows
        return command_error(command.partition(" -- ")[2])
    return None if program == ".ci/run" else f"{program} is no program that the guides may use"


def _python_error(arguments: list[str]) -> str | None:
    if arguments[:2] == ["-m", "pytest"]:
        return None
    if arguments[0] == "-m":
        file = ROOT / f"{arguments[1].replace('.', '/')}.py"
    elif arguments[0].startswith(PLACES):
        file = ROOT / arguments[0]
    else:
        return None  # a program that an earlier command wrote
    if not file.is_file():
        return f"there is no {file.relative_to(ROOT)}"
    unknown = [word for word in arguments[1:] if word.startswith("--") and f'"{word}"' not in file.read_text()]
    return f"{file.name} has no {unknown[0]}" if unknown else None


def _extra_error(command: str) -> str | None:
    unknown = set(re.findall(r"frontrunner\[(\w+)\]", command)) - set(EXTRAS)
    return f"there is no extra {unknown.pop()}" if unknown else None


def problems_of_blocks(text: str) -> list[str]:
    """Blocks that nothing checks, and commands that the command line does not take."""
    found = []
    for block in blocks(text):
        if block.marker == "command":
            continue
        if block.language not in LANGUAGES:
            found.append(f"line {block.line}: say what the block holds: {', '.join(LANGUAGES)}")
        if block.language == "sh" and block.marker != "run" and not (block.marker == "not run" and block.said):
            found.append(f"line {block.line}: mark the commands `<!-- run -->` or `<!-- not run: REASON -->`")
        if block.language == "python" and block.marker != "example":
            found.append(f"line {block.line}: mark the code `<!-- example: NAME -->` and let a test run it")
    if re.search(r"^\n {4}\S", prose(text), re.MULTILINE):
        found.append("an indented block, which nothing checks; put it between fences")
    errors = ((line, command_error(line)) for _, line in shell_lines(text))
    return found + [f"{line}: {error}" for line, error in errors if error]


def problems_of_inline_code(text: str) -> list[str]:
    """Commands, flags, files, names and variables between backticks that do not exist."""
    found = []
    for code in inline_code(text):
        first = code.split()[0]
        error = None
        if first in ("frontrunner", "python", "pip") and len(code.split()) > 1:
            error = command_error(code)
            error = None if error and error.startswith("Missing") else error  # named, not written out
        elif first.startswith("--") and first not in FLAGS:
            error = "no command has this flag"
        elif re.fullmatch(r"(search|spaces|runners|dashboards)(\.\w+)+", code):
            error = _name_error(code)
        elif re.fullmatch(rf"({'|'.join(map(re.escape, PLACES))})/[\w./]*", code) and "NAME" not in code:
            error = None if (ROOT / code).exists() else "there is no such file"
        elif re.fullmatch(r"FRONTRUNNER_\w+(=\w+)?", code) and code.split("=")[0] not in SOURCES:
            error = "nothing reads this variable"
        found += [f"{code}: {error}"] if error else []
    return found


def _name_error(name: str) -> str | None:
    module, _, attribute = name.rpartition(".")
    if (ROOT / f"{name.replace('.', '/')}.py").is_file():
        return None
    try:
        return None if hasattr(importlib.import_module(module), attribute) else f"{module} has no {attribute}"
    except ImportError as error:
        return str(error)


def problems_of_links(text: str, folder: Path) -> list[str]:
    """Relative links that lead nowhere, from a guide in ``folder``."""
    found = []
    for target in links(text):
        if re.match(r"https?://", target):
            continue
        path, _, anchor = target.partition("#")
        file = folder / path if path else None
        if file is not None and not file.exists():
            found.append(f"{target}: there is no such file")
        elif anchor and anchor not in anchors(file.read_text(encoding="utf-8") if file else text):
            found.append(f"{target}: there is no such heading")
    return found


@pytest.mark.parametrize("file", GUIDES, ids=lambda file: str(file.relative_to(ROOT)))
@pytest.mark.parametrize("problems", [problems_of_blocks, problems_of_inline_code], ids=lambda check: check.__name__)
def test_what_a_guide_says_can_be_typed(file: Path, problems: Callable[[str], list[str]]) -> None:
    assert problems(file.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("file", GUIDES, ids=lambda file: str(file.relative_to(ROOT)))
def test_the_links_of_a_guide_lead_somewhere(file: Path) -> None:
    assert problems_of_links(file.read_text(encoding="utf-8"), file.parent) == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("```\nfrontrunner studies\n```", "say what the block holds"),
        ("```sh\nfrontrunner studies\n```", "mark the commands"),
        ("<!-- not run -->\n```sh\nfrontrunner studies\n```", "mark the commands"),
        ("```python\nimport spaces\n```", "mark the code"),
        ("Type\n\n    frontrunner studies\n", "an indented block"),
        ("<!-- run -->\n```sh\nfrontrunner studies --loud\n```", "No such option"),
        ("<!-- run -->\n```sh\nfrontrunner study\n```", "No such command"),
        ("<!-- run -->\n```sh\nfrontrunner cache shrink\n```", "No such command"),
        ("<!-- run -->\n```sh\nfrontrunner export digits\n```", "Missing"),
        ("<!-- run -->\n```sh\nfrontrunner ui --port high\n```", "valid integer"),
        ("<!-- run -->\n```sh\npython -m dashboards.painting\n```", "there is no dashboards/painting.py"),
        ("<!-- run -->\n```sh\npython tests/benchmarks/driver.py --loud\n```", "driver.py has no --loud"),
        ("<!-- run -->\n```sh\npip install 'frontrunner[more]'\n```", "there is no extra more"),
        ("<!-- not run: no cluster -->\n```sh\nray job submit -- frontrunner study\n```", "No such command"),
        ("<!-- run -->\n```sh\nmake\n```", "make is no program"),
    ],
)
def test_a_block_that_cannot_be_typed_is_found(text: str, said: str) -> None:
    (found,) = problems_of_blocks(text)
    assert said in found


@pytest.mark.parametrize(
    "code",
    [
        "frontrunner front digits --loud",
        "--loud",
        "search.cli.run",
        "search.painting.paint",
        "search/painting.py",
        "FRONTRUNNER_PAINT",
        "pip install 'frontrunner[more]'",
    ],
)
def test_inline_code_that_does_not_exist_is_found(code: str) -> None:
    (found,) = problems_of_inline_code(f"Use `{code}` for it.")
    assert found.startswith(code)


@pytest.mark.parametrize("target", ["painting.md", "README.md#painting", "#painting"])
def test_a_link_that_leads_nowhere_is_found(target: str) -> None:
    assert len(problems_of_links(f"# Here\n\n[there]({target})", ROOT)) == 1


def test_nothing_answers_while_a_command_is_parsed(capfd: pytest.CaptureFixture[str]) -> None:
    for flags in (["--install-completion"], ["--show-completion"], ["--help"], ["search", "--help"]):
        assert parse_error(flags) is None
    assert capfd.readouterr() == ("", "")


def test_the_front_page_is_short() -> None:
    assert len((ROOT / "README.md").read_text().splitlines()) < 200
