"""Ways to serve one exported folder, each under requests that arrive at several rates."""

import random
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runners.inputs import Arrays
from runners.load_testing.load_curve import LoadCurve, LoadPoint, ServingWay
from runners.machine.lease import device_lease
from runners.measuring.paired_timing import CALLS_FOR_P99
from runners.serving.program import Program, deadline, started

PROGRAM = "runners.load_testing.replica_process"
SHARES = (0.1, 0.3, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
"""Rates that are tried where none are given, as shares of the capacity of each way to serve."""
ROUNDS = 3
"""How often each rate is tried, each time with other arrivals."""
CAPACITY_S = 0.5
"""How long the capacity of a way to serve is measured."""
LONGEST_S = 30.0
"""No rate is tried for longer than this at once; a slow model then has too few requests for a 99th percentile."""


@dataclass(frozen=True)
class LoadRequest:
    """What is tried.

    Attributes:
        folder: An exported folder.
        inputs: The inputs of one call with as many requests as the largest batch of ``ways``.
        ways: The ways to serve.
        rates_per_s: The rates; where there are none, `SHARES` of the capacity of each way.
        budget_s: About how long the requests arrive in all; longer where a rate has too few of them else.
        seed: Of the arrivals and of the order.
    """

    folder: Path
    inputs: Arrays
    ways: tuple[ServingWay, ...]
    rates_per_s: tuple[float, ...] = ()
    budget_s: float = 60.0
    seed: int = 0


@dataclass
class _Server:
    """One way to serve with its programs; ``latencies`` of each rate in seconds, an array for each round."""

    way: ServingWay
    programs: list[Program]
    capacity_per_s: float = 0.0
    latencies: dict[float, list[NDArray[np.float64]]] = field(default_factory=dict)

    def ask(self, **order: Any) -> list[dict[str, Any]]:
        """The answers of all programs, which are at work at once."""
        for program in self.programs:
            program.tell(order)
        end = deadline()
        return [program.answer(end) for program in self.programs]

    def curve(self) -> LoadCurve:
        """What it gave."""
        points = [LoadPoint.of(rate, self.latencies[rate]) for rate in sorted(self.latencies)]
        return LoadCurve(self.way, self.capacity_per_s, tuple(points))


def measure_load(
    request: LoadRequest,
    *,
    waiting: Callable[[], None] | None = None,
    progress: Callable[[float], None] = lambda left_s: None,
) -> list[LoadCurve]:
    """Serve ``request.folder`` in each way, and let requests arrive at each rate whether it is ready or not.

    Requests are a Poisson process, divided at random among the replicas. The machine is held while it measures, and the
    ways and rates take turns in random order.

    Args:
        request: What is tried.
        waiting: Called where something else on this machine is measured or trained first.
        progress: Called before each turn with the seconds that are left.

    Raises:
        RequestError: No lease can be taken.
        StageFailed: A replica cannot load the folder, crashed or hung.
    """
    with device_lease(exclusive=True, waiting=waiting), _all_started(request) as servers:
        for server in servers:
            answers = server.ask(rate_per_s=None, seconds=CAPACITY_S)
            server.capacity_per_s = sum(answer["capacity_per_s"] for answer in answers)
        _take_turns(request, servers, progress)
    return [server.curve() for server in servers]


@contextmanager
def _all_started(request: LoadRequest) -> Iterator[list[_Server]]:
    with tempfile.TemporaryDirectory() as folder, ExitStack() as ends:
        np.savez(f"{folder}/inputs.npz", *request.inputs)
        order = {"folder": str(request.folder.absolute()), "inputs": f"{folder}/inputs.npz", "seed": request.seed}
        servers = []
        for number, way in enumerate(request.ways):
            logs = Path(folder) / str(number)
            logs.mkdir()
            orders = [{**order, **asdict(way), "replica": replica} for replica in range(way.replicas)]
            servers.append(_Server(way, ends.enter_context(started(PROGRAM, orders, logs))))
        end = deadline()
        for program in [program for server in servers for program in server.programs]:
            program.answer(end)
        yield servers


def _take_turns(request: LoadRequest, servers: list[_Server], progress: Callable[[float], None]) -> None:
    turns = [
        (rate, server, number)
        for number in range(ROUNDS)
        for server in servers
        for rate in request.rates_per_s or [share * server.capacity_per_s for share in SHARES]
    ]
    random.Random(request.seed).shuffle(turns)
    share_s = request.budget_s / len(turns)
    seconds = [min(LONGEST_S, max(share_s, 1.1 * CALLS_FOR_P99 / ROUNDS / rate)) for rate, _, _ in turns]
    for turn, (rate, server, number) in enumerate(turns):
        progress(sum(seconds[turn:]))
        answers = server.ask(rate_per_s=rate, seconds=seconds[turn], round=number)
        latencies = [value for answer in answers for value in answer["latencies_s"]]
        server.latencies.setdefault(rate, []).append(np.array([np.inf if one is None else one for one in latencies]))
    progress(0.0)
