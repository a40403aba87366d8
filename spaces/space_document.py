"""Search spaces as they are written: ``{parameter: [values]}``, in a preset, a file or a study file."""

from collections.abc import Mapping
from importlib.resources import files

from spaces import techniques as techniques_folder
from spaces.configuration import Scalar
from spaces.discovery import walk
from spaces.environment import Environment
from spaces.errors import RequestError
from spaces.search_space import Axis, SearchSpace
from spaces.setting_error import did_you_mean
from spaces.technique import Parameter, Technique

POST_TRAINING = "post-training"
"""The preset in which nothing is trained, so that there is time to try all of it."""
OTHERS = "*"
"""In a preset, every choice that it does not name."""


def all_techniques() -> tuple[Technique, ...]:
    """All techniques of the folder ``spaces/techniques``, in the order of their stages, then of their names."""
    return tuple(sorted(walk(techniques_folder, "TECHNIQUE").values(), key=lambda t: (t.stage, t.name)))


def find_technique(name: str) -> Technique:
    """The technique of that name.

    Raises:
        RequestError: There is none.
    """
    found = {technique.name: technique for technique in all_techniques()}
    if name not in found:
        raise RequestError(f"unknown technique {name!r}; allowed are {', '.join(found)}")
    return found[name]


def make_space(document: Mapping[str, object], environment: Environment) -> SearchSpace:
    """A search space from ``{parameter: [values]}``; other parameters keep their neutral value.

    ``"all"`` offers everything that the technique offers by default, ``"every"`` all that there is.

    Raises:
        RequestError: A parameter or value is unknown, a list is empty, or no combination of the values can run.
    """
    known = {p.name: (t, p) for t in all_techniques() for p in t.parameters}
    for name in document:
        if name not in known:
            raise RequestError(f"unknown choice {name!r} in the space; allowed are {', '.join(known)}")
    axes = tuple(
        Axis(technique, parameter, _values(technique, parameter, document, environment))
        for technique, parameter in known.values()
        if parameter.name in document or not parameter.only_where_named
    )
    return SearchSpace(axes, environment)


def _values(
    technique: Technique, parameter: Parameter, document: Mapping[str, object], environment: Environment
) -> tuple[Scalar, ...]:
    neutral = technique.neutral(parameter, environment)
    wanted = document.get(parameter.name, [neutral])
    if wanted == []:
        raise RequestError(f"{parameter.name} has no values; list some of {parameter.allowed}, or write all")
    if wanted == "all":
        return technique.choices(parameter, environment)
    if wanted == "every":
        return technique.every(parameter, environment)
    values = tuple(wanted) if isinstance(wanted, (list, tuple)) else (wanted,)
    for value in values:
        if not technique.accepts(parameter, value):
            near = did_you_mean(value, technique.names(parameter)) if isinstance(value, str) else ""
            raise RequestError(f"{parameter.name} cannot be {value!r}{near}; allowed is {parameter.allowed}")
        if not technique.known_here(parameter, value, environment):
            known = ", ".join(map(str, technique.choices(parameter, environment)))
            raise RequestError(f"{parameter.name} cannot be {value!r}, which is unknown here; known are {known}")
    return tuple(dict.fromkeys(values))


def preset_names() -> tuple[str, ...]:
    """The names of the presets."""
    names = (file.name for file in files("spaces.presets").iterdir())
    return tuple(sorted(name.removesuffix(".yaml") for name in names if name.endswith(".yaml")))


def tries_everything(choices: Mapping[str, object]) -> bool:
    """Whether a search of ``choices`` tries every configuration once: where they are those of `POST_TRAINING`."""
    return dict(choices) == preset_choices(POST_TRAINING)


def preset_choices(name: str) -> dict[str, object]:
    """A preset as ``{parameter: [values]}``; what it has for ``*`` goes for every choice that it does not name.

    Raises:
        RequestError: There is no preset of that name.
    """
    from yaml import safe_load

    written: dict[str, object] = safe_load(preset_text(name))
    others = written.pop(OTHERS, None)
    if others is None:
        return written
    return {**{p.name: others for technique in all_techniques() for p in technique.parameters}, **written}


def preset_text(name: str) -> str:
    """The YAML text of a preset.

    Raises:
        RequestError: There is no preset of that name.
    """
    if name not in preset_names():
        raise RequestError(f"unknown space {name!r}; allowed are {', '.join(preset_names())} or a YAML file")
    return files("spaces.presets").joinpath(f"{name}.yaml").read_text()
