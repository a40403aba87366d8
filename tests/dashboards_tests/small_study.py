"""A small study with a known front, as the front document and its trials."""

from typing import Any

from runners.measuring.measurement import Measurement

PLAIN = {"student_width": 1.0, "channel_pruning": 0.0, "numeric_precision": "fp32", "runtime": "eager"}


def make_member(
    trial: int, accuracy: float, speedup: float, test: float | None = None, unstable: str = "", **choices: Any
) -> dict[str, Any]:
    """A member of the front document, with a measurement as the runners write it."""
    measurement = Measurement(
        accuracy=accuracy,
        accuracy_ci95=(accuracy - 0.01, accuracy + 0.01),
        accuracy_drop=0.986 - accuracy,
        accuracy_test=test,
        speedup=speedup,
        speedup_ci95=(speedup - 0.4, speedup + 0.5),
        latency_p50_ms=8 / speedup,
        latency_p90_ms=10 / speedup,
        throughput_per_s=100 * speedup,
        load_ms=30.0,
        size_mib=4.0 / speedup,
        macs=1000,
        parameters=500,
        peak_memory_mib=200.0,
        train_seconds=3.0,
        unstable=unstable,
    )
    return {
        "trial": trial,
        "configuration": {**PLAIN, **choices},
        "measurement": measurement.to_json(),
        "unstable": bool(unstable),
        "run_id": f"run-{trial}",
    }


def make_document() -> dict[str, Any]:
    """The front document of a study whose front has three members besides the baseline, in no order."""
    return {
        "study": "digits-1",
        "status": "finished",
        "workload": "digits",
        "device": "cpu",
        "trials": 6,
        "objectives": [
            {"name": "accuracy", "direction": "maximize", "unit": "fraction"},
            {"name": "speedup", "direction": "maximize", "unit": "x"},
        ],
        "hypervolume": 0.87,
        "knee": 17,
        "baseline": make_member(0, 0.986, 1.0, 0.984),
        "front": [
            make_member(4, 0.986, 4.0, 0.985, runtime="openvino"),
            make_member(17, 0.981, 14.2, 0.978, runtime="openvino", numeric_precision="int8"),
            make_member(9, 0.94, 32.0, 0.93, runtime="openvino", numeric_precision="int8", student_width=0.25),
        ],
    }


def make_trials(document: dict[str, Any]) -> list[dict[str, Any]]:
    """All complete trials of that study: one more than its front and its baseline."""
    return [document["baseline"], make_member(2, 0.95, 2.0, student_width=0.5), *document["front"]]


def make_report(document: dict[str, Any], trials: list[dict[str, Any]]) -> dict[str, Any]:
    """A report document of `make_document` and `make_trials`, with one trial that was stopped and one that failed."""
    stages = {"teacher": "a", "lowering": "b", "measuring": "c"}
    complete = [{**trial, "searched": None, "state": "complete", "failure": None} for trial in trials]
    others = [
        {**make_member(n, 0.9, 1.0), "measurement": None, "searched": None, "state": state, "failure": why}
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
