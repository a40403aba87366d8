"""How fast PyTorch's compiler is beside TorchScript on families of networks, timed in the same blocks.

    python tests/benchmarks/compiled_families.py                           three families, minutes for each to compile
    python tests/benchmarks/compiled_families.py --threads 1 --threads 2   on one thread, and on two
    python tests/benchmarks/compiled_families.py --family mnasnet          another one
    python tests/benchmarks/compiled_families.py --json                    one JSON document on stdout

The networks are those of `parts.family_workloads`, with new weights, in fp32. The stopwatch is the project's own: the
three artifacts are opened in one process, with as many cores as threads, and called in turn.
"""

import argparse
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from parts.compiled_timing import BASELINE, COMPILERS, compare
from parts.family_workloads import SMALLEST, workload

from runners.backend import Trained
from runners.backends import find_backend
from runners.machine.device import device_line
from runners.processes.fresh_process import call_fresh


def main() -> None:
    """Lower, time and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--family", action="append", choices=SMALLEST, metavar="NAME")
    parser.add_argument("--threads", action="append", type=int, metavar="N", help="of one call; 1 by default")
    parser.add_argument("--seconds", type=float, default=6.0, help="of timing, for each of the compiled ones")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    found: dict[str, Any] = {"machine": device_line()}
    for family in options.family or ("resnet", "mobilenet_v2", "vit"):
        with tempfile.TemporaryDirectory() as place:
            folders = lowered(family, Path(place))
            for threads in options.threads or (1,):
                # A process of its own, as threads that exist already stay on their cores.
                timed = call_fresh(compare, family, folders, threads, options.seconds, what="timing")
                found[f"{family}, {threads} thread{'s' * (threads > 1)}"] = timed
                print(family, threads, json.dumps(timed), file=sys.stderr, flush=True)
    print(json.dumps(found, indent=1) if options.json else as_text(found))


def lowered(family: str, place: Path) -> dict[str, Path]:
    """The folder of each artifact, by runtime."""
    made, folders = workload(family), {runtime: place / runtime for runtime in (BASELINE, *COMPILERS)}
    network = made.network().eval()
    for runtime, folder in folders.items():
        folder.mkdir()
        find_backend(runtime).lower(Trained(network, Path, made.example_inputs, "fp32", made.network), folder)
    return folders


def as_text(found: dict[str, Any]) -> str:
    """A line for each family and compiler."""
    lines = [f"times as fast as {BASELINE} (95 % interval), on {found['machine']}"]
    for family in found:
        for name in COMPILERS if family != "machine" else ():
            timing = found[family][name]
            low, high = timing["speedup_ci95"]
            doubt = f"; {timing['unstable']}" if timing["unstable"] else ""
            figures = f"{timing['speedup']:.2f} ({low:.2f} to {high:.2f}; {timing['blocks']} blocks{doubt})"
            lines.append(f"{family:26}{name:12} {figures}")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
