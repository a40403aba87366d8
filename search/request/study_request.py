"""The settings of a study as one checked record, whether they came from a study file, from options or from both."""

import re
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, ValidationInfo, field_serializer, field_validator

from runners.measuring.measurement import QUANTITIES
from runners.metric import NEAR, QualityMetric
from runners.workload_loading.image_settings import read_settings
from runners.workload_loading.reference import absolute_reference
from search.objectives.constraint import Constraint, allowed_quantities
from search.request.locations import Locations, absolute_url
from search.request.serving_use import ServingUse, parse_use
from search.request.setting_schemas import (
    MAX_OBJECTIVES,
    MOST,
    NAME_PATTERN,
    Constraints,
    Duration,
    Location,
    Name,
    Objectives,
    Serve,
    Space,
    WorkloadReference,
)
from search.request.space_file import absolute_space, space_document
from search.request.units import parse_duration
from spaces.given_path import given_path
from spaces.search_space import SearchSpace
from spaces.setting_error import SettingError, did_you_mean
from spaces.space_document import tries_everything

DEFAULT_BOUND = Constraint("accuracy_drop", "<=", NEAR)
"""The bound of a search with a time budget where none is asked for."""
RELATIVE_BOUND = Constraint("accuracy_drop_share", "<=", NEAR)
"""The same where the workload's metric is no fraction: one percent of the baseline's value."""


class StudyRequest(BaseModel):
    """All settings of a study, checked; every path is absolute, and what is None has a default elsewhere.

    Each setting has the description that an editor shows for its key, from `search.request.study_schema`, and a schema
    of what its validator takes.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)

    study: str | None = Field(None, description="Name of the study. By default it is named after the workload.")
    workload: str | dict[str, Any] = Field(
        "digits", description="A built-in workload, FILE.py, FILE.py:NAME, package.module:NAME, or model and data."
    )
    space: str | dict[str, Any] = Field("cpu", description="A preset, FILE.yaml, or each choice with its values.")
    trials: int = Field(
        18, description="Number of trials, the baseline included. By default the space post-training is tried whole."
    )
    timeout: float | None = Field(
        None, description="Seconds, or 90s, 30m, 1h30m: no new trial starts after it (post-training: none is timed)."
    )
    time_budget: float | None = Field(
        None,
        description="Seconds, or 90s, 30m, 1h30m, that the whole search may take, the final measurement included. "
        "Without other objectives and constraints the search then looks for the fastest model that loses at most "
        "0.01 of accuracy, or one percent of a metric that is no fraction, in any number of trials.",
    )
    sampler: Literal["gain", "tpe", "nsga2", "gp", "random"] = Field(
        "gain", description="The sampler that proposes candidates."
    )
    from_study: str | None = Field(None, description="An earlier study of the same workload, whose trials are used.")
    objectives: tuple[str, ...] = Field(
        ("accuracy", "speedup"), description="One to three measured quantities to optimise."
    )
    constraints: tuple[Constraint, ...] = Field(
        (), description="Bounds that a trial must satisfy, such as latency_p90_ms<=5."
    )
    serve: ServingUse | None = Field(
        None,
        description="For which use all is timed, such as batch=8,threads=2: the inputs of one call and its threads. By "
        "default a call has one input, and its threads are searched.",
    )
    seed: int = Field(0, description="Seed of all random numbers.")
    home: str | None = Field(None, description="Folder that everything is kept in.")
    storage: str | None = Field(None, description="URL of the database that keeps the study.")
    tracking_uri: str | None = Field(None, description="Where MLflow keeps its runs.")
    stage_store: str | None = Field(None, description="Folder or URL that keeps the results of stages.")
    address: str | None = Field(None, description="Ray cluster to run on, as HOST:PORT.")
    measure_on: str | None = Field(
        None,
        description="Nodes of the cluster that measure: accelerator_type:NAME, or a label as KEY=VALUE.",
    )
    train_with: str | None = Field(
        None,
        description="What each training worker asks of its node: gpus=0.5,memory_gib=8,accelerator_type=A10G, or some.",
    )
    _bound_by_default: bool = PrivateAttr(False)
    _space_file: Path | None = PrivateAttr(None)

    @property
    def trial_limit(self) -> int | None:
        """The number of trials after which the search ends, or None where the time budget or the space ends it."""
        ends_otherwise = self.time_budget is not None or self.everything
        return self.trials if "trials" in self.model_fields_set or not ends_otherwise else None

    @property
    def everything(self) -> bool:
        """Whether every configuration of the space is tried once."""
        return tries_everything(space_document(self.space, self.quantities))

    def expected_trials(self, space: SearchSpace) -> int | None:
        """How many trials the study will have in ``space``, or None where only the time budget ends it."""
        if self.trial_limit is None and self.everything:
            return sum(1 for _ in space.configurations())
        return self.trial_limit

    @property
    def quantities(self) -> tuple[str, ...]:
        """The measured quantities that are optimised or bounded."""
        return (*self.objectives, *(constraint.quantity for constraint in self.constraints))

    @property
    def space_file(self) -> Path | None:
        """The study file in which the choices of the space stand, where that is known."""
        return self._space_file

    def with_space_in(self, study_file: Path | None) -> "StudyRequest":
        """The same request, whose space was written in ``study_file``."""
        made = self.model_copy()
        made._space_file = study_file
        return made

    def with_default_bound(self) -> "StudyRequest":
        """The same request, whose last constraint, `DEFAULT_BOUND`, nobody asked for."""
        made = self.model_copy()
        made._bound_by_default = True
        return made

    def for_metric(self, metric: QualityMetric) -> "StudyRequest":
        """The same request for a workload with this metric: a bound that nobody asked for suits its unit."""
        if not self._bound_by_default or metric.is_fraction:
            return self
        return self.model_copy(update={"constraints": (*self.constraints[:-1], RELATIVE_BOUND)})

    @property
    def locations(self) -> Locations:
        """Where the search keeps its files and where it runs."""
        return Locations(**{name: getattr(self, name) for name in Locations.__annotations__})

    def budgets(self) -> dict[str, Any]:
        """The settings that may change when a study is continued: how long it runs, and how it finds candidates."""
        names = ("timeout", "time_budget", "sampler", "from_study")
        return {"trials": self.trial_limit, **{name: getattr(self, name) for name in names}}

    @property
    def study_name(self) -> str:
        """The name that was given, or one after the workload: ``digits``, the file's name, or model and folder."""
        if self.study:
            return self.study
        if isinstance(self.workload, dict):
            return _as_name(read_settings(self.workload, Path.cwd()).name)
        return _as_name(Path(self.workload.partition(".py")[0]).name)

    @field_validator("study", "from_study", mode="before", json_schema_input_type=Name)
    @classmethod
    def _check_study(cls, given: object) -> object:
        if given is not None and not (isinstance(given, str) and re.fullmatch(NAME_PATTERN, given)):
            raise SettingError(
                "give a name of letters, digits, '.', '_' and '-', at most 100 of them, the first neither '.' nor '-'"
            )
        return given

    @field_validator("workload", mode="before", json_schema_input_type=WorkloadReference)
    @classmethod
    def _check_workload(cls, given: Any, info: ValidationInfo) -> object:
        return absolute_reference(given, _base(info))

    @field_validator("space", mode="before", json_schema_input_type=Space)
    @classmethod
    def _check_space(cls, given: Any, info: ValidationInfo) -> object:
        return absolute_space(given, _base(info))

    @field_validator("trials", mode="before", json_schema_input_type=Annotated[int, Field(ge=1, le=MOST)])
    @classmethod
    def _check_trials(cls, given: object) -> object:
        return _whole(given, 1)

    @field_validator("seed", mode="before", json_schema_input_type=Annotated[int, Field(ge=0, le=MOST)])
    @classmethod
    def _check_seed(cls, given: object) -> object:
        return _whole(given, 0)

    @field_validator("sampler", mode="before")
    @classmethod
    def _check_sampler(cls, given: object) -> object:
        known = get_args(cls.model_fields["sampler"].annotation)
        if given not in known:
            raise SettingError(f"unknown sampler; allowed are {', '.join(known)}{did_you_mean(str(given), known)}")
        return given

    @field_validator("timeout", "time_budget", mode="before", json_schema_input_type=Duration)
    @classmethod
    def _check_duration(cls, given: object) -> object:
        return None if given is None else parse_duration(given)

    @field_validator("objectives", mode="before", json_schema_input_type=Objectives)
    @classmethod
    def _check_objectives(cls, given: object) -> object:
        names = as_tuple(given)
        for index, name in enumerate(names):
            if not isinstance(name, str) or name not in QUANTITIES:
                raise SettingError(f"unknown quantity; {allowed_quantities(name)}", (index,))
            if name in names[:index]:
                raise SettingError("is given twice; name different quantities", (index,))
        if not 1 <= len(names) <= MAX_OBJECTIVES:
            raise SettingError(f"give 1 to {MAX_OBJECTIVES} quantities, not {len(names)}")
        return names

    @field_validator("serve", mode="before", json_schema_input_type=Serve)
    @classmethod
    def _check_serve(cls, given: object) -> object:
        return None if given is None else parse_use(given)

    @field_validator("constraints", mode="before", json_schema_input_type=Constraints)
    @classmethod
    def _check_constraints(cls, given: object) -> object:
        return tuple(_constraint(index, item) for index, item in enumerate(as_tuple(given)))

    @field_validator(*Locations.__annotations__, mode="before", json_schema_input_type=Location)
    @classmethod
    def _check_location(cls, given: object, info: ValidationInfo) -> object:
        if given is None:
            return None
        if not isinstance(given, str) or not given.strip():
            raise SettingError("give a folder" if info.field_name == "home" else "give an address as text")
        return given if info.field_name in ("address", "measure_on", "train_with") else _absolute_location(given, info)

    @field_serializer("serve")
    def _write_serve(self, use: ServingUse | None) -> dict[str, int] | None:
        return use.to_json() if use else None

    @field_serializer("constraints")
    def _write_constraints(self, constraints: tuple[Constraint, ...]) -> list[str]:
        return [str(constraint) for constraint in constraints]


def as_tuple(given: object) -> tuple[Any, ...]:
    """The items of a list; a single value may be written without brackets."""
    return tuple(given) if isinstance(given, (list, tuple)) else (given,)


def _whole(given: object, least: int) -> int:
    if not isinstance(given, int) or isinstance(given, bool) or not least <= given <= MOST:
        raise SettingError(f"give a whole number, {least} or more")
    return given


def _base(info: ValidationInfo) -> Path:
    """The folder that relative paths start from."""
    base: Path = (info.context or {}).get("base", Path.cwd())
    return base


def _constraint(index: int, given: object) -> Constraint:
    if isinstance(given, Constraint):
        return given
    try:
        return Constraint.parse(str(given))
    except SettingError as error:
        raise SettingError(str(error), (index,)) from error


def _absolute_location(given: str, info: ValidationInfo) -> str:
    """A path, or the path inside a URL of SQLite, made absolute; any other URL as it is."""
    if info.field_name in ("home", "stage_store") and "://" not in given:
        return str(given_path(given, _base(info)))
    return absolute_url(given, _base(info))


def _as_name(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]+", "-", text).lstrip(".-")[:100] or "study"
