"""The course of a search: the front and its hypervolume after each trial, in the order in which they ended."""

from typing import Any

import optuna

from search.front.live_front import LiveFront
from search.objectives.constraint import Constraint
from search.objectives.objective import find_objectives
from search.study.attributes import SETTINGS
from search.study.study import metric_of, record, resolution_of


def front_course(study: optuna.Study) -> list[dict[str, Any]]:
    """A step for each complete trial of ``study``, by the measurements during the search.

    A step has the ``trial``, the seconds from the beginning of the first trial until it ended: ``at``, the
    ``hypervolume`` with it, and where it changed the ``front``, as numbers of trials, the fastest first; else None.
    """
    settings = study.user_attrs[SETTINGS]
    objectives = find_objectives(settings["objectives"], metric_of(study.user_attrs))
    constraints = [Constraint.parse(text) for text in settings["constraints"]]
    front = LiveFront(objectives, constraints, resolution_of(study.user_attrs))
    ended = [trial for trial in study.get_trials(deepcopy=False) if trial.datetime_complete and trial.datetime_start]
    begun = min((trial.datetime_start for trial in ended if trial.datetime_start), default=None)
    course, before = list[dict[str, Any]](), list[int]()
    for trial in sorted(ended, key=lambda one: (one.datetime_complete, one.number)):
        known = record(trial)
        if known.state != "complete" or begun is None or trial.datetime_complete is None:
            continue
        front.add(known)
        members = [member.number for member in front.members]
        at = round((trial.datetime_complete - begun).total_seconds(), 3)
        changed = members if members != before else None
        course.append({"trial": known.number, "at": at, "hypervolume": front.hypervolume, "front": changed})
        before = members
    return course
