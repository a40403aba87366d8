"""What others do to the cores on which something is timed, seen while it is timed.

Other programs in this system are seen by the scheduler's own counts: how long a thread that could run had to wait for a
core (`waited_s`), and how much of the cores others used (`CoreUse`).

Other virtual machines on the same host are not, but for one thing: a host may put two virtual cores on one physical
core, for seconds or minutes. Each then runs as fast as before while the other is idle, and at half that speed while
both are busy: a network on two threads takes twice as long, one on a single thread does not. `CoreSharing` sees it
by calling a fixed computation on one core and on both.
"""

import hashlib
import math
import os
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

TICKS_PER_S = os.sysconf("SC_CLK_TCK")
SHARED = 1.3
"""Two cores that make each other slower by more than this factor are one. A core that serves two takes 1.5 to 1.9 times
as long here; two cores take 1.00 to 1.16 times as long, and lower clocks with two busy cores are of the same size."""


def waited_s(tasks: Path = Path("/proc/self/task")) -> float:
    """Seconds that all threads of this process were ready to run and waited for a core; 0 where nothing counts them.

    From ``schedstat`` of Linux (Documentation/scheduler/sched-stats.rst), second field, in nanoseconds.
    """
    total = 0
    for task in os.listdir(tasks) if tasks.is_dir() else ():
        try:
            total += int((tasks / task / "schedstat").read_bytes().split()[1])
        except (OSError, IndexError):  # a thread that has just ended, or a kernel that does not count
            continue
    return total / 1e9


@dataclass(frozen=True)
class Taken:
    """Shares of the time of some cores.

    Attributes:
        by_programs: What other programs of this system used, and what the host took.
        by_host: What the host took for others (steal).
    """

    by_programs: float = 0.0
    by_host: float = 0.0


class CoreUse:
    """What share of some cores others take, from now on.

    Args:
        cores: The cores.
        stat: The kernel's count for each core.
    """

    def __init__(self, cores: Sequence[int], stat: Path = Path("/proc/stat")) -> None:
        self._cores, self._stat = {f"cpu{core}" for core in cores}, stat
        self._begin = self._read()

    def taken(self) -> Taken:
        """What others took since the beginning; nothing where that is not known."""
        passed, busy, stolen, own = (now - then for now, then in zip(self._read(), self._begin, strict=True))
        return Taken(max(0.0, (busy - own) / passed), stolen / passed) if passed > 0 else Taken()

    def _read(self) -> tuple[float, float, float, float]:
        """Seconds so far: all time of the cores, the busy part of it, the stolen part, and that of this process."""
        lines = self._stat.read_text().splitlines() if self._stat.exists() else []
        counts = [list(map(int, line.split()[1:9])) for line in lines if line.split()[0] in self._cores]
        total = sum(map(sum, counts))
        idle = sum(idle + waiting for _, _, _, idle, waiting, *_ in counts)
        stolen = sum(count[7] for count in counts)
        return total / TICKS_PER_S, (total - idle) / TICKS_PER_S, stolen / TICKS_PER_S, time.process_time()


class CoreSharing:
    """Tells whether two cores that count as two are one physical core now.

    Each core is compared with one other. Hyperthreads that the system knows as such are left out: they always share.
    Beside a busy program a core is slow alone too, so the shortest time that each core ever took alone is what counts.

    Args:
        topology: Where the system says which cores are hyperthreads of one.
    """

    def __init__(self, topology: Path = Path("/sys/devices/system/cpu")) -> None:
        self._topology = topology
        self._alone_s: dict[int, float] = {}

    def __call__(self, cores: Sequence[int]) -> bool:
        """Whether two of ``cores`` are one now; it takes 4 ms for each pair."""
        pairs = [pair for pair in zip(cores[::2], cores[1::2], strict=False) if not self._are_siblings(*pair)]
        return any(self._slowdown(*pair) > SHARED for pair in pairs)

    def _slowdown(self, *pair: int) -> float:
        """How much longer a computation takes on either core of a pair while both are busy."""
        for core in pair:
            self._alone_s[core] = min(self._alone_s.get(core, math.inf), _medians_s([core])[core])
        together = _medians_s(pair)
        return max(together[core] / self._alone_s[core] for core in pair)

    def _are_siblings(self, one: int, other: int) -> bool:
        def core_of(cpu: int) -> Any:
            file = self._topology / f"cpu{cpu}/topology/thread_siblings_list"
            return file.read_text() if file.exists() else cpu

        return bool(core_of(one) == core_of(other))


def _medians_s(cores: Sequence[int]) -> dict[int, float]:
    """Median seconds of a computation of some 50 microseconds in registers, by core, on all ``cores`` at once."""
    medians: dict[int, float] = {}

    def run(core: int) -> None:
        os.sched_setaffinity(0, {core})  # of this thread alone
        times = []
        for _ in range(12):
            begin = time.perf_counter()
            hashlib.pbkdf2_hmac("sha256", b"", b"", 300)  # it lets other threads of Python run
            times.append(time.perf_counter() - begin)
        medians[core] = float(np.median(times))

    threads = [threading.Thread(target=run, args=(core,)) for core in cores]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return medians


@dataclass(frozen=True)
class Others:
    """What others do to the cores of this process; a test gives functions of its own.

    Attributes:
        waited_s: As `waited_s`.
        cores_are_shared: As `CoreSharing`.
        core_use: As `CoreUse`.
        cores: On which this process may run.
    """

    waited_s: Callable[[], float] = waited_s
    cores_are_shared: Callable[[Sequence[int]], bool] = field(default_factory=CoreSharing)
    core_use: Callable[[Sequence[int]], CoreUse] = CoreUse
    cores: Callable[[], Sequence[int]] = lambda: sorted(os.sched_getaffinity(0))
