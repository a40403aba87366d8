"""The numbers of a trial under the names that MLflow shows.

MLflow draws a chart for each metric, in sections named by what stands before a slash. The quantities themselves have no
section; the ends of their intervals are in ``ci95/``, what was noticed while timing in ``timing/``, what was seen of
the machine in ``system/`` (which MLflow shows on a page of its own), and the curves of the training in ``training/``.
"""

from collections.abc import Mapping
from typing import Any

from dashboards.tracking.mlflow_store import Curve, is_finite

_TIMING = ("outliers", "baseline_outliers", "warm_up_s")


def summary_metrics(measurement: Mapping[str, Any]) -> dict[str, float]:
    """The finite numbers of a measurement by metric name, without those that say what another one says.

    ``NAME_ci95`` becomes ``ci95/NAME_low`` and ``ci95/NAME_high``. Numbers are rounded; ``front.json`` has all digits.
    """
    left = {name: value for name, value in measurement.items() if not _is_repeated(name, measurement)}
    found: dict[str, Any] = {}
    for name, value in left.items():
        if name.endswith("_ci95"):
            ends = zip(("low", "high"), value or (), strict=False)
            found |= {f"ci95/{name.removesuffix('_ci95')}_{end}": number for end, number in ends}
        elif name == "machine":
            found |= _machine(value or {})
        else:
            found[f"timing/{name}" if name in _TIMING else name] = value
    return {name: _rounded(value) for name, value in found.items() if is_finite(value)}


def training_curves(accuracies: Mapping[Any, float], losses: Mapping[Any, float]) -> dict[str, Curve]:
    """The curves of a training by the epochs trained: the loss minimised, and the accuracy on the validation split.

    An epoch has no accuracy where no rung is: to evaluate there would make each training longer.

    Args:
        accuracies: By number of epochs, which JSON turns into text.
        losses: The mean of each epoch, likewise.
    """
    curves = {"training/accuracy_validation_at_rungs": accuracies, "training/loss_train": losses}
    return {name: {int(epochs): one for epochs, one in curve.items()} for name, curve in curves.items() if curve}


def _rounded(value: float) -> float:
    """Six digits, which is more than was measured; a count keeps all of its own."""
    return float(value) if isinstance(value, int) else float(f"{value:.6g}")


def _is_repeated(name: str, measurement: Mapping[str, Any]) -> bool:
    value = measurement[name]
    return (name == "batch" and value == 1) or (name == "stored_mib" and value == measurement.get("size_mib"))


def _machine(state: Mapping[str, Any]) -> dict[str, Any]:
    """The numbers of `runners.measuring.device_state.device_state`."""
    found = {"system/load_1m": state.get("load_1m")}
    if clocks := state.get("cpu_mhz"):
        found |= {"system/cpu_slowest_mhz": clocks[0], "system/cpu_fastest_mhz": clocks[1]}
    for number, accelerator in enumerate(state.get("accelerators", ())):
        clocked = (name for name in ("sm_mhz", "memory_mhz") if name in accelerator)
        found |= {f"system/accelerator_{number}_{name}": accelerator[name] for name in clocked}
    return found
