"""What the machine at hand is, and what can run on it."""

import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path

from runners.backend import Backend
from runners.machine.examination import Examination, examinations
from spaces.environment import BackendFacts, Environment

FLAGS = (
    "avx2",
    "avx_vnni",
    "avx512f",
    "avx512_vnni",
    "avx512_bf16",
    "avx512_fp16",
    "amx_bf16",
    "amx_fp16",
    "amx_int8",
    "bf16",
    "i8mm",
    "asimddp",
    "asimdhp",
)
"""Instruction sets that decide how fast a precision is, as Linux names them on x86 and ARM."""

OPTIONAL = {
    "torch_pruning": "torch-pruning",
    "nncf": "nncf",
    "onnx": "onnx",
    "constriction": "frontrunner[packing]",
}
"""Optional packages by import name, with the name that pip knows."""


def describe(backends: Mapping[str, Backend]) -> Environment:
    """The description of this machine, as far as this process may use it, such as its share of the cores.

    Args:
        backends: The inference runtimes that are known, by name, as `runners.backends.all_backends` gives them.
    """
    examined = examinations(backends)  # they run while torch is imported here
    found = _accelerators()
    return Environment(
        device=_device_line(found.names),
        cpu_cores=usable_cores(),
        cpu_flags=_flags(),
        accelerators=len(found.names),
        accelerator=found.kind,
        accelerator_bf16=found.bf16,
        accelerator_capability=found.capability,
        backends={name: _facts(backend, examined.get(name), found) for name, backend in backends.items()},
        missing={name: f"needs `pip install '{pip}'`" for name, pip in OPTIONAL.items() if find_spec(name) is None},
    )


def device_line() -> str:
    """The one line that names this machine in `describe`."""
    return _device_line(_accelerators().names)


def _device_line(accelerators: Sequence[str]) -> str:
    cores = usable_cores()
    parts = [cpu_name(), f"{cores} core{'s' * (cores != 1)}", f"{memory_gib():.0f} GiB"]
    return ", ".join([*parts, *([f"{len(accelerators)} x {accelerators[0]}"] if accelerators else [])])


def _facts(backend: Backend, examined: Examination | None, accelerators: "_Accelerators") -> BackendFacts:
    """What ``backend`` supports; where it is off for want of something else it was not ``examined``."""
    found = examined.result() if examined else {}
    unsupported, options = (found, {}) if isinstance(found, str) else (backend.unsupported(), found)
    on_accelerator = bool(accelerators.names) and backend.on_accelerator
    facts = BackendFacts(backend.precisions, unsupported, backend.by_default, options, on_accelerator, backend.takes)
    quantiser = str(backend.quantisation.get("quantiser", ""))
    facts = replace(facts, quantiser=quantiser, quantises=backend.quantises, lacks=backend.lacks)
    return replace(facts, skips_layers=backend.skips_layers, runs_all_because=backend.runs_all_because)


def usable_cores(root: Path = Path("/")) -> int:
    """How many cores this process may use: its affinity, or the quota of its control group where that is lower."""
    available = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quotas = [int(limit) for folder in _control_groups(root, "cpu") if (limit := _quota(folder)) is not None]
    return max(1, min([available, *quotas]))


def _control_groups(root: Path, controller: str) -> list[Path]:
    """The folders, of version 1 and 2, of the control groups that hold this process and limit ``controller``."""
    mounted = root / "sys/fs/cgroup"
    folders = [mounted, mounted / controller]
    for line in _text(root / "proc/self/cgroup").splitlines():
        _, controllers, name = line.split(":", 2)
        base = mounted / controller if controllers else mounted
        if not controllers or controller in controllers.split(","):
            inside = base / name.lstrip("/")
            folders += [folder for folder in (inside, *inside.parents) if folder.is_relative_to(base)]
    return folders


def _quota(folder: Path) -> float | None:
    """Cores' worth of time that a control group may use, or None without a limit."""
    quota, _, period = _text(folder / "cpu.max").partition(" ")
    if not period:
        quota, period = _text(folder / "cpu.cfs_quota_us"), _text(folder / "cpu.cfs_period_us")
    limited = quota.strip().isdigit() and period.strip().isdigit() and int(period) > 0
    return int(quota) / int(period) if limited else None


def memory_gib() -> float:
    """Memory that this process may use: the machine's, or the control group's limit where that is lower."""
    import psutil

    files = ("memory.max", "memory.limit_in_bytes")
    limits = [_text(folder / file).strip() for folder in _control_groups(Path("/"), "memory") for file in files]
    return float(min([psutil.virtual_memory().total, *(int(limit) for limit in limits if limit.isdigit())]) / 2**30)


def cpu_name() -> str:
    """The processor's name, as far as the system tells it."""
    named = _cpu_fields("model name")
    return named[0] if named else platform.processor() or platform.machine() or "unknown processor"


def _flags() -> tuple[str, ...]:
    present = {flag for line in _cpu_fields("flags", "Features") for flag in line.split()}
    return tuple(flag for flag in FLAGS if flag in present)


def _cpu_fields(*names: str) -> list[str]:
    """The values of the first of these fields that ``/proc/cpuinfo`` has; none outside Linux."""
    pairs = (line.partition(":") for line in _text(Path("/proc/cpuinfo")).splitlines())
    return [value.strip() for field, _, value in pairs if field.strip() in names and value.strip()][:1]


@dataclass(frozen=True)
class _Accelerators:
    """The accelerators that torch sees: their kind, the name of each, and what the first one computes itself."""

    kind: str = ""
    names: tuple[str, ...] = ()
    bf16: bool = False
    capability: tuple[int, ...] = ()


def _accelerators() -> _Accelerators:
    if find_spec("torch") is None:
        return _Accelerators()
    import torch

    current = torch.accelerator.current_accelerator(check_available=True)
    if current is None:
        return _Accelerators()
    module = torch.get_device_module(current)
    name_of = getattr(module, "get_device_name", lambda index: current.type)
    bf16 = getattr(module, "is_bf16_supported", lambda including_emulation: False)
    names = tuple(str(name_of(index)) for index in range(torch.accelerator.device_count()))
    # AMD's GPUs are of the kind cuda, too, and count their capability in another way.
    nvidia = current.type == "cuda" and torch.version.hip is None
    capability = tuple(module.get_device_capability()) if nvidia else ()
    return _Accelerators(current.type, names, bool(bf16(including_emulation=False)), capability)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
