"""What a person asks for, from a study file, from flags, or from both; flags win."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, ValidationError, ValidationInfo, field_serializer, field_validator

from runners.measuring.measurement import QUANTITIES
from runners.workload_loading.reference import absolute_reference
from search.objectives.constraint import Constraint
from search.request.space_file import absolute_space
from search.request.units import parse_duration
from search.request.yaml_file import KeyPath, YamlFile, read_yaml
from spaces.errors import RequestError
from spaces.setting_error import SettingError, did_you_mean, unknown_key

MOST_OBJECTIVES = 3
UNLIMITED = 1_000_000
FASTEST = ["speedup"]
BAR = ["accuracy_drop<=0.01"]
"""What a time budget is for, unless something else is asked for: the fastest model above a bar."""
FLAGS = {"objectives": "--objective", "constraints": "--constraint", "from_study": "--from"}
"""Flags that are not named like the setting; the others are, with ``-`` for ``_``."""


class StudyRequest(BaseModel):
    """All the settings of a study, checked; every path is absolute.

    Attributes:
        study: Name of the study; None is named after the workload.
        workload: A reference that `runners.workload_loading.reference.resolve` understands.
        space: Name of a preset, an absolute path of a YAML file, or ``{parameter: [values]}``.
        trials: Number of candidates.
        timeout: Seconds after which no new candidate begins, or None.
        time_budget: Seconds that the whole search may take, final measurement included, or None. Without other wishes
            it then looks for the fastest candidate within one point of the baseline, in any number of trials.
        sampler: What proposes candidates.
        from_study: Name of an earlier study of the same workload, whose trials are made use of, or None.
        objectives: Names of one to three measured quantities.
        constraints: Bounds that a candidate must keep.
        seed: Seed of everything random.
        home: Folder that everything is kept in, or None for the usual one.
        storage: URL of the database that keeps the study, or None for one in ``home``.
        tracking_uri: Where MLflow keeps runs, or None for ``home``.
        stage_store: Folder or URI that keeps the results of stages, or None for ``home``.
        address: Ray cluster to run on, or None for this machine.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)

    study: str | None = None
    workload: str | dict[str, Any] = "digits"
    space: str | dict[str, Any] = "cpu"
    trials: int = 18
    timeout: float | None = None
    time_budget: float | None = None
    sampler: Literal["gain", "tpe", "nsga2", "gp", "random"] = "gain"
    from_study: str | None = None
    objectives: tuple[str, ...] = ("accuracy", "speedup")
    constraints: tuple[Constraint, ...] = ()
    seed: int = 0
    home: str | None = None
    storage: str | None = None
    tracking_uri: str | None = None
    stage_store: str | None = None
    address: str | None = None

    @property
    def most_trials(self) -> int:
        """Trials that the study shall have at most; a time budget alone sets no number."""
        return self.trials if self.time_budget is None or "trials" in self.model_fields_set else UNLIMITED

    def budgets(self) -> dict[str, Any]:
        """How far the search goes and how it looks for candidates: what may change when a study goes on."""
        given = {"trials": self.trials if "trials" in self.model_fields_set or self.time_budget is None else None}
        names = ("timeout", "time_budget", "sampler", "from_study")
        return {**given, **{name: getattr(self, name) for name in names}}

    @property
    def study_name(self) -> str:
        """The name given, or one after the workload: ``digits``, the file's name, or model and folder of images."""
        if self.study:
            return self.study
        if isinstance(self.workload, dict):
            parts = (self.workload["model"].partition(":")[2], Path(self.workload["data"]["imagefolder"]).name)
            return _as_name("-".join(parts))
        return _as_name(Path(self.workload.partition(".py")[0]).name)

    @field_validator("study", "from_study", mode="before")
    @classmethod
    def _check_study(cls, given: object) -> object:
        if given is not None and not (isinstance(given, str) and re.fullmatch(r"[A-Za-z0-9._-]{1,100}", given)):
            raise SettingError("give a name of letters, digits, '.', '_' and '-', at most 100 of them")
        return given

    @field_validator("workload", mode="before")
    @classmethod
    def _check_workload(cls, given: Any, info: ValidationInfo) -> object:
        return absolute_reference(given, _base(info))

    @field_validator("space", mode="before")
    @classmethod
    def _check_space(cls, given: Any, info: ValidationInfo) -> object:
        return absolute_space(given, _base(info))

    @field_validator("trials", "seed", mode="before")
    @classmethod
    def _check_whole(cls, given: object, info: ValidationInfo) -> object:
        least = 1 if info.field_name == "trials" else 0
        if not isinstance(given, int) or isinstance(given, bool) or not least <= given < 2**32:
            raise SettingError(f"give a whole number, {least} or more")
        return given

    @field_validator("sampler", mode="before")
    @classmethod
    def _check_sampler(cls, given: object) -> object:
        known = get_args(cls.model_fields["sampler"].annotation)
        if given not in known:
            raise SettingError(f"unknown sampler; allowed are {', '.join(known)}{did_you_mean(str(given), known)}")
        return given

    @field_validator("timeout", "time_budget", mode="before")
    @classmethod
    def _check_timeout(cls, given: object) -> object:
        return None if given is None else parse_duration(given)

    @field_validator("objectives", mode="before")
    @classmethod
    def _check_objectives(cls, given: object) -> object:
        names = _list(given)
        for index, name in enumerate(names):
            if name not in QUANTITIES:
                near = did_you_mean(name, QUANTITIES)
                raise SettingError(f"unknown quantity; allowed are {', '.join(QUANTITIES)}{near}", (index,))
            if name in names[:index]:
                raise SettingError("is given twice; name different quantities", (index,))
        if not 1 <= len(names) <= MOST_OBJECTIVES:
            raise SettingError(f"give 1 to {MOST_OBJECTIVES} quantities, not {len(names)}")
        return names

    @field_validator("constraints", mode="before")
    @classmethod
    def _check_constraints(cls, given: object) -> object:
        return tuple(_constraint(index, item) for index, item in enumerate(_list(given)))

    @field_validator("home", "stage_store", "storage", "tracking_uri", "address", mode="before")
    @classmethod
    def _check_place(cls, given: object, info: ValidationInfo) -> object:
        if given is None:
            return None
        if not isinstance(given, str) or not given.strip():
            raise SettingError("give a folder" if info.field_name == "home" else "give an address as text")
        return given if info.field_name == "address" else _absolute_place(given, info)

    @field_serializer("constraints")
    def _write_constraints(self, constraints: tuple[Constraint, ...]) -> list[str]:
        return [str(constraint) for constraint in constraints]


def from_yaml(path: Path | str) -> dict[str, Any]:
    """The settings that a study file gives, checked; its paths are relative to its own folder.

    Raises:
        RequestError: One sentence that names the file and the line, on the first thing that is wrong.
    """
    file = read_yaml(path)
    if not isinstance(file.data, dict) or not file.data:
        raise RequestError(f"{file.name} holds no settings; allowed are {', '.join(StudyRequest.model_fields)}")
    for key, value in file.data.items():
        if key not in StudyRequest.model_fields:
            raise RequestError(_in_file(file, key, unknown_key(key, StudyRequest.model_fields), file.data))
        if value is None:
            raise RequestError(f"{file.place((key,))}: {key} has no value; give one or remove the line")
    try:
        request = _validate(file.data, Path(path).resolve().parent)
    except ValidationError as error:
        first = min(error.errors(), key=lambda e: file.lines.get((e["loc"][0],), 0))
        raise RequestError(_in_file(file, str(first["loc"][0]), _problem(first), file.data)) from error
    return {key: getattr(request, key) for key in file.data}


def merge(file_values: Mapping[str, Any], flag_values: Mapping[str, Any]) -> StudyRequest:
    """The request made of a study file's settings and the flags, which win; the rest is at its default.

    Args:
        file_values: What `from_yaml` gave; empty without a study file.
        flag_values: Settings by name; None and empty lists are flags that were not given.

    Raises:
        RequestError: One sentence that names the flag.
    """
    flags = {key: value for key, value in flag_values.items() if value is not None and value not in ([], ())}
    asked = {**file_values, **flags}
    if "time_budget" in asked:
        asked = _within_time(asked)
    try:
        return _validate(asked, Path.cwd())
    except ValidationError as error:
        first = error.errors()[0]
        key = str(first["loc"][0])
        name = FLAGS.get(key, f"--{key.replace('_', '-')}") if key in flags else key
        problem = _problem(first)
        given = _shown(asked.get(key), problem.at)
        raise RequestError(f"{name}{given}: {problem}") from error


def _within_time(asked: Mapping[str, Any]) -> dict[str, Any]:
    """The request with what a time budget is for: something must say how accurate a model has to be."""
    objectives = _list(asked.get("objectives", FASTEST))
    constraints = _list(asked.get("constraints", ()))
    barred = any("accuracy" in str(named) for named in (*objectives, *constraints))
    return {**asked, "objectives": objectives, "constraints": constraints if barred else (*constraints, *BAR)}


def _validate(values: Mapping[str, Any], base: Path) -> StudyRequest:
    return StudyRequest.model_validate(dict(values), context={"base": base})


def _problem(error: Any) -> SettingError:
    """The refusal behind a validation error of pydantic, which keeps the exception of a validator."""
    cause = error.get("ctx", {}).get("error")
    if isinstance(cause, SettingError):
        return cause
    return SettingError(str(cause), whole=True) if isinstance(cause, RequestError) else SettingError(error["msg"])


def _in_file(file: YamlFile, key: str, problem: SettingError, values: Mapping[str, Any]) -> str:
    place = file.place((key, *problem.at))
    if problem.whole:
        return f"{place}: {problem}"
    setting = ".".join([key, *(part for part in problem.at if isinstance(part, str))])
    return f"{place}: {setting}{_shown(values[key], problem.at)}: {problem}"


def _shown(given: Any, at: KeyPath) -> str:
    """What the person wrote, with a blank in front; nothing where it is too long to repeat."""
    for part in at:
        given = given[part]
    written = ", ".join(map(str, given)) if isinstance(given, (list, tuple)) else str(given)
    if isinstance(given, dict) or given == [] or len(written) > 120:
        return ""
    quoted = isinstance(given, str) and (written.isdigit() or not written)
    return f" {written!r}" if quoted or " " in written else f" {written}"


def _base(info: ValidationInfo) -> Path:
    base: Path = (info.context or {}).get("base", Path.cwd())
    return base


def _list(given: object) -> tuple[Any, ...]:
    """A single value may be written without brackets."""
    return tuple(given) if isinstance(given, (list, tuple)) else (given,)


def _constraint(index: int, given: object) -> Constraint:
    if isinstance(given, Constraint):
        return given
    try:
        return Constraint.parse(str(given))
    except SettingError as error:
        raise SettingError(str(error), (index,)) from error


def _absolute_place(given: str, info: ValidationInfo) -> str:
    """A path, or the path inside a URL of SQLite, made absolute; any other URL as it is."""
    sqlite = re.fullmatch(r"(sqlite:///)(?!/)(?!:memory:)(.+)", given)
    if sqlite:
        return f"{sqlite[1]}{(_base(info) / sqlite[2]).resolve()}"
    if info.field_name in ("home", "stage_store") and "://" not in given:
        return str((_base(info) / Path(given).expanduser()).resolve())
    return given


def _as_name(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]+", "-", text)[:100]
