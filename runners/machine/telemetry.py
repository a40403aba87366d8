"""Usage statistics of the libraries underneath stay off, unless the person asks for them."""

import os
import sys

WISHES = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
}


def silence() -> None:
    """Switch off what Ray, MLflow, OpenVINO and NNCF would send; call it before importing any of them.

    A variable that is set already keeps its value, and ``FRONTRUNNER_TELEMETRY=1`` leaves everything as the
    libraries have it. Child processes inherit the variables but not the blocked import, so each calls this itself.
    """
    if os.environ.get("FRONTRUNNER_TELEMETRY") == "1":
        return
    for name, value in WISHES.items():
        os.environ.setdefault(name, value)
    # OpenVINO and NNCF have no switch; without this package both fall back to their own stubs.
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
