"""Optuna's tables of trials, version `REVISION` of its schema, and all of a study's trials read from them at once."""

import json
from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime
from functools import lru_cache
from math import isfinite
from typing import Any

from optuna.distributions import BaseDistribution, json_to_distribution
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    DateTime,
    Enum,
    Float,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    select,
)

REVISION = "v3.2.0.a"
"""What Optuna calls the schema that is described here; another one is left to Optuna's own storage."""

_schema = MetaData()
STUDIES = Table("studies", _schema, Column("study_id", Integer, primary_key=True))
TRIALS = Table(
    "trials",
    _schema,
    Column("trial_id", Integer, primary_key=True),
    Column("number", Integer),
    Column("study_id", Integer),
    Column("state", Enum(TrialState)),
    Column("datetime_start", DateTime),
    Column("datetime_complete", DateTime),
)
PARAMETERS = Table(
    "trial_params",
    _schema,
    Column("param_id", Integer, primary_key=True),
    Column("trial_id", Integer),
    Column("param_name", String),
    Column("param_value", Float),
    Column("distribution_json", Text),
)
VALUES = Table(
    "trial_values",
    _schema,
    Column("trial_value_id", Integer, primary_key=True),
    Column("trial_id", Integer),
    Column("objective", Integer),
    Column("value", Float),
    Column("value_type", Enum("FINITE", "INF_POS", "INF_NEG", name="trialvaluetype")),
)
INTERMEDIATE = Table(
    "trial_intermediate_values",
    _schema,
    Column("trial_intermediate_value_id", Integer, primary_key=True),
    Column("trial_id", Integer),
    Column("step", Integer),
    Column("intermediate_value", Float),
    Column("intermediate_value_type", Enum("FINITE", "INF_POS", "INF_NEG", "NAN", name="trialintermediatevaluetype")),
)


def _attributes(of: str, kind: str) -> Table:
    return Table(
        f"{of}_{kind}_attributes",
        _schema,
        Column(f"{of}_{kind}_attribute_id", Integer, primary_key=True),
        Column(f"{of}_id", Integer),
        Column("key", String),
        Column("value_json", Text),
    )


USER, SYSTEM = _attributes("trial", "user"), _attributes("trial", "system")
OF_STUDY = _attributes("study", "user")
_NUMBERS = {"INF_POS": float("inf"), "INF_NEG": float("-inf"), "NAN": float("nan")}


def read_trials(connection: Connection, which: ColumnElement[bool]) -> list[FrozenTrial]:
    """The trials for which ``which``, a condition on `TRIALS`, holds, in the order of their ids.

    A query for each table, however many trials there are. A trial that is finished is read whole: what belongs to it
    was written before its state.
    """
    found = connection.execute(select(TRIALS).where(which).order_by(TRIALS.c.trial_id)).all()
    if not found:
        return []
    parameters: defaultdict[int, dict[str, Any]] = defaultdict(dict)
    distributions: defaultdict[int, dict[str, BaseDistribution]] = defaultdict(dict)
    for trial, name, value, distribution_json in _children(connection, PARAMETERS, which):
        distribution = distributions[trial][name] = _distribution(distribution_json)
        parameters[trial][name] = distribution.to_external_repr(value)
    user, system, values, intermediate = (
        _by_trial(_children(connection, table, which)) for table in (USER, SYSTEM, VALUES, INTERMEDIATE)
    )
    return [
        FrozenTrial(
            number=row.number,
            state=row.state,
            value=None,
            values=[_number(*values[trial][objective]) for objective in sorted(values[trial])] or None,
            datetime_start=from_utc(row.datetime_start),
            datetime_complete=from_utc(row.datetime_complete),
            params=parameters[trial],
            distributions=distributions[trial],
            user_attrs={key: json.loads(text) for key, (text,) in user[trial].items()},
            system_attrs={key: json.loads(text) for key, (text,) in system[trial].items()},
            intermediate_values={step: _number(*value) for step, value in intermediate[trial].items()},
            trial_id=trial,
        )
        for row in found
        for trial in (row.trial_id,)
    ]


def _children(connection: Connection, table: Table, which: ColumnElement[bool]) -> Iterable[Any]:
    """All but the key of the rows of ``table`` that belong to such trials, in the order in which they were written."""
    key, *wanted = table.c
    rows = select(*wanted).join(TRIALS, TRIALS.c.trial_id == table.c.trial_id).where(which).order_by(key)
    return connection.execute(rows)


def _by_trial(rows: Iterable[Any]) -> defaultdict[int, dict[Any, tuple[Any, ...]]]:
    """Rows of (trial, key, the rest) as ``{trial: {key: rest}}``."""
    found: defaultdict[int, dict[Any, tuple[Any, ...]]] = defaultdict(dict)
    for trial, key, *rest in rows:
        found[trial][key] = tuple(rest)
    return found


@lru_cache(maxsize=4096)
def _distribution(text: str) -> BaseDistribution:
    """A study has few distributions, each of them written with every trial."""
    return json_to_distribution(text)


def _number(value: float | None, kind: str) -> float:
    return _NUMBERS[kind] if value is None else value


def stored_number(value: float) -> dict[str, float | str | None]:
    """A trial's value as `VALUES` has it: a database cannot be trusted with an infinite number."""
    kind = "FINITE" if isfinite(value) else "INF_POS" if value > 0 else "INF_NEG"
    return {"value": value if kind == "FINITE" else None, "value_type": kind}


def new_trial(trial_id: int, number: int, begun: datetime | None) -> FrozenTrial:
    """A running trial of which nothing is known yet."""
    return FrozenTrial(
        number=number,
        state=TrialState.RUNNING,
        value=None,
        datetime_start=begun,
        datetime_complete=None,
        params={},
        distributions={},
        user_attrs={},
        system_attrs={},
        intermediate_values={},
        trial_id=trial_id,
    )


def from_utc(moment: datetime | None) -> datetime | None:
    """Local time, as a `FrozenTrial` has it, of what a table has."""
    return moment.replace(tzinfo=UTC).astimezone().replace(tzinfo=None) if moment else None
