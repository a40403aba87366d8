"""The baseline in words: how it is called and how long a call takes; and what costs nothing beside it."""

from collections.abc import Mapping
from typing import Any

from dashboards.formatting import interval_text, times


def baseline_text(baseline: Mapping[str, Any]) -> str:
    """``PyTorch eager, fp32, 2 threads, 1.41 ms``: the baseline, a member of the front document.

    Where a call has several inputs, their number stands before the time.
    """
    measurement = baseline["measurement"]
    arithmetic = measurement.get("arithmetic") or "fp32"
    call = f"PyTorch eager, {arithmetic}, {threads_text(baseline['configuration'].get('threads', 1))}"
    call += batch_text(measurement)
    return f"{call}, {measurement['latency_p50_ms']:.3g} ms" if "latency_p50_ms" in measurement else call


def batch_text(measurement: Mapping[str, Any]) -> str:
    """``, batch 8`` where a call has several inputs, else nothing."""
    batch = measurement.get("batch", 1)
    return f", batch {batch}" if batch != 1 else ""


def runtime_alone_text(document: Mapping[str, Any]) -> str:
    """``runtime alone: 3.10x (95 % 3.05-3.16), onnxruntime, 2 threads (trial 4)``; empty where nothing was measured.

    It is the fastest trial with nothing trained, fp32 and the given weights. One that was not timed again at the end
    of a finished search says so.

    Args:
        document: The front document.
    """
    alone = document.get("runtime_alone")
    if not alone:
        return ""
    measurement, configuration = alone["measurement"], alone["configuration"]
    low, high = measurement.get("speedup_ci95") or (None, None)
    interval = f" (95 % {interval_text(low, high)})" if low is not None else ""
    call = f"{configuration.get('runtime', 'eager')}, {threads_text(configuration.get('threads', 1))}"
    final = document.get("status") == "finished" and not document.get("everything")
    searched_only = final and not alone.get("searched")
    doubts = [
        *(["measured during the search only"] if searched_only else []),
        *(["unstable"] if measurement.get("unstable") else []),
    ]
    text = f"runtime alone: {times(measurement['speedup'])}x{interval}, {call} (trial {alone['trial']})"
    return "; ".join([text, *doubts])


def throughput_text(baseline: Mapping[str, Any]) -> str:
    """``throughput of the baseline: 830 per s, with 2 replicas on 1 thread each``; empty where that is not known."""
    served = baseline["measurement"].get("served_with")
    if not served:
        return ""
    replicas = f"{served['replicas']} replica{'s' if served['replicas'] != 1 else ''}"
    each = " each" if served["replicas"] != 1 else ""
    rate = f"{baseline['measurement']['throughput_per_s']:,.0f} per s"
    batch = batch_text(baseline["measurement"])
    return f"throughput of the baseline: {rate}, with {replicas} on {threads_text(served['threads'])}{each}{batch}"


def threads_text(threads: Any) -> str:
    """``1 thread``, ``2 threads``."""
    return f"{threads} thread" if threads == 1 else f"{threads} threads"


def choice_text(chosen: Mapping[str, Any]) -> str:
    """Which number of threads is the baseline's, and how fast it is with each of the others.

    Args:
        chosen: ``threads``, and ``by_threads`` with the ``speedup`` of each number over the fewest, its
            ``speedup_ci95`` and why it is ``unstable``.
    """
    said = f"the baseline is PyTorch eager on {threads_text(chosen['threads'])}"
    others = [
        _compared(int(n), timing) for n, timing in chosen["by_threads"].items() if timing["speedup_ci95"] != [1, 1]
    ]
    return f"{said} ({'; '.join(others)})" if others else said


def _compared(threads: int, timing: Mapping[str, Any]) -> str:
    low, high = timing["speedup_ci95"]
    doubt = f", unstable: {timing['unstable']}" if timing["unstable"] else ""
    return f"{threads_text(threads)}: {times(timing['speedup'])}x as fast as 1 (95 % {interval_text(low, high)}){doubt}"
