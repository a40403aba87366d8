"""Nothing is sent unless the person asks for it, and saying so costs no import."""

import json
import os
import subprocess
import sys

REPORT = """
import json, os, sys
from runners.machine.telemetry import disable_telemetry
disable_telemetry()
heavy = [name for name in ("torch", "ray", "mlflow", "openvino", "nncf", "numpy") if name in sys.modules]
import openvino
import openvino.tools.ovc.telemetry_utils as used
names = ("RAY_USAGE_STATS_ENABLED", "MLFLOW_DISABLE_TELEMETRY", "DO_NOT_TRACK")
print(json.dumps({"heavy": heavy, "sends": used.tm.__name__ == "openvino_telemetry",
                  "environment": {name: os.environ.get(name) for name in names}}))
"""


def _report(**environment: str) -> dict[str, object]:
    names = ("RAY_USAGE_STATS_ENABLED", "MLFLOW_DISABLE_TELEMETRY", "DO_NOT_TRACK", "FRONTRUNNER_TELEMETRY")
    plain = {name: value for name, value in os.environ.items() if name not in names}
    result = subprocess.run(
        [sys.executable, "-c", REPORT], env={**plain, **environment}, capture_output=True, text=True, check=True
    )
    return dict(json.loads(result.stdout))


def test_everything_is_switched_off_without_importing_anything_heavy() -> None:
    report = _report()
    assert report["heavy"] == []
    assert report["sends"] is False
    assert report["environment"] == {
        "RAY_USAGE_STATS_ENABLED": "0",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "DO_NOT_TRACK": "true",
    }


def test_a_variable_that_is_set_keeps_its_value() -> None:
    report = _report(RAY_USAGE_STATS_ENABLED="1")
    assert report["environment"]["RAY_USAGE_STATS_ENABLED"] == "1"  # type: ignore[index]


def test_one_variable_leaves_everything_as_the_libraries_have_it() -> None:
    report = _report(FRONTRUNNER_TELEMETRY="1")
    assert report["sends"] is True
    assert report["environment"] == dict.fromkeys(report["environment"])  # type: ignore[call-overload]
