"""A study request from a study file and from options of the command line; options override the file."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from search.request.known_keys import misplaced
from search.request.study_request import DEFAULT_BOUND, StudyRequest, as_tuple
from search.request.yaml_file import KeyPath, YamlFile, read_yaml
from spaces.errors import RequestError
from spaces.setting_error import SettingError, unknown_key

BUDGET_OBJECTIVES = ("speedup",)
BUDGET_CONSTRAINTS = (str(DEFAULT_BOUND),)
"""What a search with a time budget looks for by default: the fastest model that is accurate enough."""
OPTIONS = {"objectives": "--objective", "constraints": "--constraint", "from_study": "--from"}
"""Options that are not named like the setting; the others are, with ``-`` for ``_``."""


def from_yaml(path: Path | str) -> dict[str, Any]:
    """The checked settings of a study file; relative paths in it start from its own folder.

    Raises:
        RequestError: The first wrong setting; one sentence that names the file and the line.
    """
    file = read_yaml(path)
    if not isinstance(file.data, dict) or not file.data:
        raise RequestError(f"{file.name} holds no settings; allowed are {', '.join(StudyRequest.model_fields)}")
    for key, value in file.data.items():
        if key not in StudyRequest.model_fields:
            raise RequestError(_in_file(file, key, unknown_key(key, StudyRequest.model_fields)))
        if value is None:
            raise RequestError(f"{file.place((key,))}: {key} has no value; give one or remove the line")
    try:
        request = _validate(file.data, Path(path).resolve().parent)
    except ValidationError as error:
        first = min(error.errors(), key=lambda e: file.lines.get((e["loc"][0],), 0))
        raise RequestError(_in_file(file, str(first["loc"][0]), _problem(first))) from error
    return {key: getattr(request, key) for key in file.data}


def merge(file_values: Mapping[str, Any], option_values: Mapping[str, Any]) -> StudyRequest:
    """The request made of a study file's settings and the options, which override them; other settings have defaults.

    Args:
        file_values: What `from_yaml` gave; empty without a study file.
        option_values: Settings by name; None and empty lists are options that were not given.

    Raises:
        RequestError: A setting is wrong; one sentence that names the option.
    """
    options = {key: value for key, value in option_values.items() if value is not None and value not in ([], ())}
    values = {**file_values, **options}
    given = as_tuple(values.get("constraints", ()))
    if "time_budget" in values:
        values = _with_accuracy_bound(values)
    try:
        request = _validate(values, Path.cwd())
        return request.with_default_bound() if len(request.constraints) > len(given) else request
    except ValidationError as error:
        first = error.errors()[0]
        key = str(first["loc"][0])
        name = OPTIONS.get(key, f"--{key.replace('_', '-')}") if key in options else key
        problem = _problem(first)
        raise RequestError(f"{name}{_shown(values.get(key), problem.at)}: {problem}") from error


def _with_accuracy_bound(values: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of a search with a time budget; where none names the accuracy, a bound on it is added."""
    objectives = as_tuple(values.get("objectives", BUDGET_OBJECTIVES))
    constraints = as_tuple(values.get("constraints", ()))
    bounded = any("accuracy" in str(name) for name in (*objectives, *constraints))
    constraints = constraints if bounded else (*constraints, *BUDGET_CONSTRAINTS)
    return {**values, "objectives": objectives, "constraints": constraints}


def _validate(values: Mapping[str, Any], base: Path) -> StudyRequest:
    return StudyRequest.model_validate(dict(values), context={"base": base})


def _problem(error: Any) -> SettingError:
    """The error that a validator raised, out of pydantic's error that carries it."""
    cause = error.get("ctx", {}).get("error")
    if isinstance(cause, SettingError):
        return cause
    return SettingError(str(cause), whole=True) if isinstance(cause, RequestError) else SettingError(error["msg"])


def _in_file(file: YamlFile, key: str, problem: SettingError) -> str:
    """The sentence on a wrong setting below ``key``, or on the unknown ``key`` itself, with file and line."""
    place = file.place((key, *problem.at))
    if problem.whole:
        *inside, name = (str(part) for part in (key, *problem.at))
        return f"{place}: {misplaced(name, '.'.join(inside)) or problem}"
    setting = ".".join([key, *(part for part in problem.at if isinstance(part, str))])
    return f"{place}: {setting}{_shown(file.data[key], problem.at)}: {problem}"


def _shown(given: Any, at: KeyPath) -> str:
    """What the person wrote, with a blank in front; nothing where it is too long to repeat."""
    for part in at:
        if isinstance(given, (list, tuple)) and isinstance(part, int):  # one value needs no brackets
            given = given[part]
        elif isinstance(given, dict) and isinstance(part, str):
            given = given.get(part)
    written = ", ".join(map(str, given)) if isinstance(given, (list, tuple)) else str(given)
    if given is None or isinstance(given, dict) or given == [] or len(written) > 120:
        return ""
    quoted = isinstance(given, str) and (written.isdigit() or not written)
    return f" {written!r}" if quoted or " " in written or not written.isprintable() else f" {written}"
