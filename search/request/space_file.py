"""The search space of a study: the name of a preset, a YAML file, or choices in the study file itself."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from runners.backends import backend_names
from search.request.yaml_file import read_yaml
from spaces.errors import RequestError
from spaces.given_path import given_path
from spaces.setting_error import SettingError, did_you_mean, unknown_key
from spaces.space_document import all_techniques, preset_choices, preset_names
from spaces.technique import Parameter, Technique

Space = str | Mapping[str, Any]
_KINDS = {bool: "boolean", int: "integer", float: "number", str: "string"}
"""The types of values in a JSON schema."""
WORDS = ("all", "every")
"""What stands for values: all that are offered by default, and all that there are."""


def absolute_space(given: Space, base: Path) -> Space:
    """The same space with an absolute path, so that it can be read from every folder; its choices are checked.

    Args:
        given: Name of a preset, path of a YAML file, or ``{parameter: [values]}``.
        base: The folder from which a relative path starts.

    Raises:
        RequestError: There is no such preset or file, or no technique knows a parameter or a value.
    """
    if isinstance(given, Mapping):
        if not given:
            raise SettingError(f"holds no choices; {_allowed()}")
        check_choices(given)
        return dict(given)
    if not isinstance(given, str):
        raise SettingError(_allowed())
    if given in preset_names():
        return given
    if not given.endswith((".yaml", ".yml")):
        raise SettingError(f"unknown space; {_allowed()}{did_you_mean(given, preset_names())}")
    path = given_path(given, base)
    if not path.is_file():
        raise SettingError(f"there is no file {path}; {_allowed()}")
    _read(path)
    return str(path)


def space_document(space: Space, quantities: Sequence[str] = ()) -> dict[str, Any]:
    """The space as ``{parameter: [values]}``, which `spaces.space_document.make_space` takes.

    Args:
        space: A space that `absolute_space` returned.
        quantities: The measured quantities that are optimised or bounded; parameters of a preset that affect none of
            them are left out. If it is empty, none is left out.

    Raises:
        RequestError: The file cannot be read, or a choice in it is not allowed; the message names file and line.
    """
    if isinstance(space, Mapping):
        return dict(space)
    if space in preset_names():
        document = preset_choices(space)
        parameters = {parameter.name: parameter for owner in all_techniques() for parameter in owner.parameters}
        return {name: values for name, values in document.items() if _is_relevant(parameters[name].affects, quantities)}
    return _read(Path(space))


def _is_relevant(affects: Sequence[str], quantities: Sequence[str]) -> bool:
    return not affects or not quantities or not set(affects).isdisjoint(quantities)


def check_choices(document: Mapping[str, Any]) -> None:
    """Check that a technique knows each parameter and value, whatever this machine supports.

    Raises:
        SettingError: No technique knows one; its ``at`` is the path of the parameter or the value.
    """
    known = {parameter.name: (owner, parameter) for owner in all_techniques() for parameter in owner.parameters}
    for name, given in document.items():
        if name not in known:
            raise unknown_key(name, known, (name,), "the space")
        technique, parameter = known[name]
        names = value_names(technique, parameter)
        values = [] if given in WORDS else given if isinstance(given, (list, tuple)) else [given]
        if not values and given not in WORDS:
            raise SettingError(f"it has no values; list some ({parameter.allowed}), or write every or all", (name,))
        for index, value in enumerate(values):
            at = (name, index) if isinstance(given, (list, tuple)) else (name,)
            if names is not None and value not in names:
                near = did_you_mean(value, (*names, *WORDS)) if isinstance(value, str) else ""
                raise SettingError(f"allowed are {', '.join((*names, 'every'))} and all{near}", at)
            if not isinstance(value, (bool, int, float, str)) or not technique.accepts(parameter, value):
                near = did_you_mean(value, (*technique.names(parameter), *WORDS)) if isinstance(value, str) else ""
                raise SettingError(f"allowed is {parameter.allowed}; every or all in place of a list{near}", at)


def space_schema() -> dict[str, Any]:
    """The JSON schema of a space in a study file: a preset, a YAML file, or choices with their values."""
    choices = {p.name: _choice_schema(technique, p) for technique in all_techniques() for p in technique.parameters}
    return {
        "anyOf": [
            {"enum": list(preset_names())},
            {"type": "string", "pattern": r"\.ya?ml$"},
            {"type": "object", "properties": choices, "additionalProperties": False, "minProperties": 1},
        ]
    }


def _choice_schema(technique: Technique, parameter: Parameter) -> dict[str, Any]:
    """The JSON schema of the values of one parameter: one, a list of them, or a word for all of them."""
    names = value_names(technique, parameter)
    kinds = {_KINDS[type(choice)] for choice in parameter.choices}
    value = {"type": max(kinds)} if names is None else {"enum": list(names)}  # integers are numbers, too
    return {
        "description": f"{technique.name}: {parameter.allowed}; every or all in place of a list",
        "anyOf": [{"enum": list(WORDS)}, value, {"type": "array", "items": value, "minItems": 1}],
    }


def value_names(technique: Technique, parameter: Parameter) -> tuple[str, ...] | None:
    """The values of a parameter that takes names; None for one that takes numbers."""
    if parameter.name == "runtime":  # a technique knows the backends of a machine only
        return backend_names()
    by_name = all(isinstance(choice, str) for choice in parameter.choices)
    takes_choices_alone = type(technique).accepts is Technique.accepts
    return tuple(map(str, parameter.choices)) if by_name and takes_choices_alone else None


def _read(path: Path) -> dict[str, Any]:
    file = read_yaml(path)
    if not isinstance(file.data, dict) or not file.data:
        raise RequestError(f"{file.name} holds no choices; write such as numeric_precision: [fp32, int8]")
    try:
        check_choices(file.data)
    except SettingError as error:
        value = file.data
        for part in error.at:
            value = value[part]
        said = str(error) if error.whole else f"{error.at[0]} {value}: {error}"
        raise RequestError(f"{file.place(error.at)}: {said}") from error
    return file.data


def _allowed() -> str:
    return f"allowed are {', '.join(preset_names())}, FILE.yaml, or choices such as numeric_precision: [fp32, int8]"
