"""How fast PyTorch's compiler is beside TorchScript on families of networks, timed in the same blocks on one thread.

    python tests/benchmarks/compiled_families.py                    three families, minutes for each to compile
    python tests/benchmarks/compiled_families.py --family mnasnet   another one
    python tests/benchmarks/compiled_families.py --json             one JSON document on stdout

The networks are those of `parts.family_workloads`, with new weights, in fp32. The stopwatch is the project's own: the
three artifacts are opened in one process and called in turn.
"""

import argparse
import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

from parts.family_workloads import SMALLEST, workload

from runners.backend import Trained
from runners.backends import find_backend
from runners.machine.device import device_line
from runners.measuring.calls import Call
from runners.measuring.stopwatch import TimingSettings, time_interleaved

BASELINE, COMPILERS = "torchscript", ("inductor", "aotinductor")


def main() -> None:
    """Lower, time and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--family", action="append", choices=SMALLEST, metavar="NAME")
    parser.add_argument("--seconds", type=float, default=6.0, help="of timing, for each of the compiled ones")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:1])
    found: dict[str, Any] = {"machine": device_line()}
    for family in options.family or ("resnet", "mobilenet_v2", "vit"):
        found[family] = compare(family, options.seconds)
        print(family, json.dumps(found[family]), file=sys.stderr, flush=True)
    print(json.dumps(found, indent=1) if options.json else as_text(found))


def compare(family: str, budget_s: float) -> dict[str, Any]:
    """The speedup of each compiler over TorchScript, with its interval and what is doubtful about it."""
    made = workload(family)
    network = made.network().eval()
    with tempfile.TemporaryDirectory() as place:

        def opened(runtime: str) -> Call:
            backend, folder = find_backend(runtime), Path(place) / runtime
            folder.mkdir()
            backend.lower(Trained(network, Path, made.example_inputs, "fp32", made.network), folder)
            predictor = backend.open(folder, threads=1, batch=1, build=made.network)
            return lambda: predictor(*made.example_inputs.arrays)

        baseline, *compiled = map(opened, (BASELINE, *COMPILERS))
        timings = time_interleaved(baseline, compiled, TimingSettings(budget_s, 0))
    shown = ("speedup", "speedup_ci95", "blocks", "baseline_p50_ms", "unstable")
    return {
        name: {field: timing.to_json()[field] for field in shown}
        for name, timing in zip(COMPILERS, timings, strict=True)
    }


def as_text(found: dict[str, Any]) -> str:
    """A line for each family and compiler."""
    lines = [f"times as fast as {BASELINE} (95 % interval), on {found['machine']}"]
    for family in found:
        for name in COMPILERS if family != "machine" else ():
            timing = found[family][name]
            low, high = timing["speedup_ci95"]
            doubt = f"; {timing['unstable']}" if timing["unstable"] else ""
            figures = f"{timing['speedup']:.2f} ({low:.2f} to {high:.2f}; {timing['blocks']} blocks{doubt})"
            lines.append(f"{family:16}{name:12} {figures}")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
