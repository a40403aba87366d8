"""A study as one document with everything that a report shows: its front, its trials, how it went, what mattered."""

from collections.abc import Mapping
from typing import Any

import optuna

from search.explain.importance import importances
from search.front.course import front_course
from search.front.front_document import all_trials, front_document
from search.front.history import history
from search.study.attributes import BUDGETS, ENVIRONMENT, EXPLAINED, FACTS, SETTINGS
from spaces.environment import Environment
from spaces.space_document import make_space

Document = dict[str, Any]


def report_document(
    study: optuna.Study, run_ids: Mapping[int, str] | None = None, *, importance: bool = True
) -> Document:
    """The front document of ``study`` with what else is known of it, as plain JSON types.

    Beside the front document and ``all`` its trials it has the ``history`` (`search.front.history`), the ``course``
    (`search.front.course`), the ``importance`` of the choices for ``speed`` and ``accuracy``
    (`search.explain.importance`), the ``explanations`` of trials that were explained, and the
    ``settings``, ``budgets`` and ``facts`` with which it was made.

    Args:
        study: A study that `search.study.study.make_study` made.
        run_ids: MLflow's run of each trial.
        importance: Whether to find the ``importance``, which takes seconds; without it the key is missing.
    """
    attributes = study.user_attrs
    explained = [found for name, found in attributes.items() if name.startswith(f"{EXPLAINED}:")]
    return {
        **front_document(study, run_ids),
        **all_trials(study, run_ids),
        "history": history(study),
        "course": front_course(study),
        **({"importance": _importance(study)} if importance else {}),
        "explanations": sorted(explained, key=lambda one: int(one["trial"])),
        "settings": attributes[SETTINGS],
        "budgets": attributes.get(BUDGETS, {}),
        "facts": {name: attributes[FACTS].get(name) for name in ("examples", "input_shape", "training")},
    }


def _importance(study: optuna.Study) -> Document:
    environment = Environment.from_json(study.user_attrs[ENVIRONMENT])
    space = make_space(study.user_attrs[SETTINGS]["space"], environment)
    return {name: one.to_json() for name, one in importances(study, space).items()}
