"""The usage statistics that libraries would send: off, unless the person asks for them."""

import os
import sys

SWITCHES = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
}


def disable_telemetry() -> None:
    """Switch off what Ray, MLflow, OpenVINO and NNCF would send; call it before importing any of them.

    A variable that is set already keeps its value, and ``FRONTRUNNER_TELEMETRY=1`` switches nothing off. Child
    processes inherit the variables but not the blocked import, so each calls this itself.
    """
    if os.environ.get("FRONTRUNNER_TELEMETRY") == "1":
        return
    for name, value in SWITCHES.items():
        os.environ.setdefault(name, value)
    # OpenVINO and NNCF have no variable; where they cannot import this package both use stubs that send nothing.
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
