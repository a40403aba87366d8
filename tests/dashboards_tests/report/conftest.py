"""A report document: the front document with all its trials, how the search went, and what mattered."""

from typing import Any

import pytest


@pytest.fixture
def report(document: dict[str, Any], trials: list[dict[str, Any]], member: Any) -> dict[str, Any]:
    """The study of the other fixtures with one trial that was stopped and one that failed."""
    stages = {"teacher": "a", "lowering": "b", "measuring": "c"}
    complete = [{**trial, "searched": None, "state": "complete", "failure": None} for trial in trials]
    others = [
        {**member(n, 0.9, 1.0), "measurement": None, "searched": None, "state": state, "failure": why}
        for n, state, why in ((5, "stopped", "others did better"), (6, "failed", "lowering: <b>no</b>"))
    ]
    history = [
        {
            "trial": one["trial"],
            "state": one["state"],
            "began": 10.0 * place,
            "ended": 10.0 * place + 9,
            "times": [["lowering", 10.0 * place, 2.0], ["measuring", 10.0 * place + 2, 6.0]],
            "seconds": {"lowering": 2.0, "measuring": 6.0},
            "accuracies": {1: 0.5, 2: 0.9} if one["trial"] in (2, 5, 9) else {},
            "levels": [1, 2, 4],
            "stages": {**stages, "measuring": f"m{place}"} if one["state"] == "complete" else {},
        }
        for place, one in enumerate([*complete, *others])
    ]
    shares = {"runtime": {"share": 0.7, "range": [0.5, 0.8]}, "student_width": {"share": 0.3, "range": [0.1, 0.4]}}
    steps = [(0, 0.0, [0]), (2, 0.1, [0, 2]), (4, 0.4, [4]), (17, 0.8, [17, 4]), (9, 0.87, [9, 17, 4])]
    return {
        **document,
        "knee": 17,
        "begun": "2026-11-30T12:00:00",
        "ended": "2026-11-30T12:22:16",
        "all": [*complete, *others],
        "off": [{"choice": "runtime", "value": "ncnn", "reason": "not installed"}],
        "history": {"trials": history, "screened": [], "shared_times": [["teacher", 0.0, 5.0]]},
        "course": [
            {"trial": n, "at": 10.0 * place, "hypervolume": volume, "front": front}
            for place, (n, volume, front) in enumerate(steps)
        ],
        "importance": {quantity: {"choices": shares, "trials": 5, "doubt": ""} for quantity in ("speed", "accuracy")},
        "explanations": [],
        "commands": {
            "study_file": "study: digits\n",
            "search": "frontrunner search study.yaml",
            "exports": ["frontrunner export"],
        },
    }
