"""What tracking adds to the wall time of a search, with an MLflow server that is some milliseconds away.

    python tests/benchmarks/tracking.py [--trials 20] [--seconds 4] [--away-ms 50] [--pairs 3]

A search is played: a child process computes a fixed amount for each trial, as a worker does, while this process tells
what happened as the driver does, live fronts and final measurement included, and at the end waits until MLflow has
all. The same is played without tracking, in turn, in pairs. A proxy holds each piece of data back on its way to the
server and from it. Printed are the ratios of wall times, and, as a busy machine disturbs those, where the time went:
how long the driver was held up by telling and by the wait at the end, and how much processor time sending took.
"""

import argparse
import asyncio
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from dashboards import guarded_server
from dashboards.tracking.mlflow_store import RunLocation
from dashboards.tracking.pace import Pace
from dashboards.tracking.tracker import Tracker, TrialResult
from dashboards.ui import command, free_port

sys.path.append(str(Path(__file__).resolve().parents[1]))
from dashboards_tests.small_study import make_document, make_member

WORK = "import sys, numpy as np\nx = np.ones((300, 300))\nfor _ in range(int(sys.argv[1])): x = x @ x * 0 + 1"


def main() -> None:
    """Play the pairs and print what was measured."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--trials", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=4.0, help="of one trial, about")
    parser.add_argument("--away-ms", type=float, default=50.0, help="there and back")
    parser.add_argument("--pairs", type=int, default=3)
    chosen = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"
    with tempfile.TemporaryDirectory() as place, tempfile.TemporaryFile() as output:
        port = free_port(5300)
        server = guarded_server.start(command(Path(place), port), os.environ, output)
        try:
            _measure(chosen, delayed(port, chosen.away_ms / 2000), Path(place))
        finally:
            assert server.stdin is not None
            server.stdin.close()
            server.wait()


def _measure(chosen: argparse.Namespace, port: int, place: Path) -> None:
    uri = f"http://127.0.0.1:{port}"
    _play(chosen.trials, 1, _Told(uri, place / "spool-warm"))  # the server makes its tables, MLflow is imported
    loops = _loops(chosen.seconds)
    ratios = []
    for pair in range(chosen.pairs):
        told = _Told(uri, place / f"spool-{pair}")
        order = [("with", told), ("without", _Nothing())]
        walls = {name: _play(chosen.trials, loops, to) for name, to in (order if pair % 2 else reversed(order))}
        ratios.append(walls["with"] / walls["without"])
        share = 100 * (told.held_s + told.end_s) / walls["with"]
        print(
            f"pair {pair}: {walls['with']:.1f} s with, {walls['without']:.1f} s without, ratio {ratios[-1]:.3f}; "
            f"held up {told.held_s:.2f} s while telling and {told.end_s:.2f} s at the end, {share:.2f} %; "
            f"sending took {told.sending_s:.2f} s of a processor",
            flush=True,
        )
    print(f"median ratio of {chosen.pairs} pairs: {statistics.median(ratios):.3f}")


class _Nothing:
    """No tracking."""

    def trial(self, number: int) -> None:
        """A trial ended."""

    def end(self) -> None:
        """The search ended."""


class _Told(_Nothing):
    """Tells a tracker what a driver tells it, and sums up how long that takes.

    Attributes:
        held_s: Seconds that the driver spent on telling while the search went on.
        end_s: Seconds from the end of the last trial until MLflow had all.
        sending_s: Processor seconds of the whole process besides.
    """

    def __init__(self, uri: str, spool: Path) -> None:
        self.held_s = self.end_s = 0.0
        self._cpu = time.process_time()
        self._trials: list[dict[str, Any]] = []
        self._pace = Pace()
        self._tracker = Tracker(RunLocation(spool.name, "benchmark", uri), spool)
        self._tracker.study_started({"seed": 0})

    @property
    def sending_s(self) -> float:
        """Processor time of this process since it began."""
        return time.process_time() - self._cpu

    def trial(self, number: int) -> None:
        """A trial ended, and every third changes the front."""
        begin = time.perf_counter()
        member = make_member(number, 0.98 - 0.001 * number, 1.0 + number, runtime="openvino", student_width=0.5)
        self._trials.append(member)
        result = TrialResult(number, member["configuration"], member["measurement"], hypervolume=0.01 * number)
        self._tracker.trial_finished(result)
        if number % 3 == 0 and self._pace.is_due():
            with self._pace:
                self._tracker.front_changed(self._document(), self._trials, live=True)
        self.held_s += time.perf_counter() - begin

    def end(self) -> None:
        """The last front, measured again, is sent before a search ends."""
        begin = time.perf_counter()
        self._tracker.front_changed(self._document(), [{**trial, "searched": {}} for trial in self._trials])
        self._tracker.study_ended("finished")
        assert self._tracker.close(120)
        self.end_s = time.perf_counter() - begin

    def _document(self) -> dict[str, Any]:
        front = self._trials[1:]
        return make_document() | {"baseline": self._trials[0], "front": front, "trials": len(self._trials), "knee": 1}


def _play(trials: int, loops: int, to: _Nothing) -> float:
    begin = time.perf_counter()
    for number in range(trials):
        subprocess.run([sys.executable, "-c", WORK, str(loops)], check=True)
        to.trial(number)
    to.end()
    return time.perf_counter() - begin


def _loops(seconds: float) -> int:
    begin = time.perf_counter()
    subprocess.run([sys.executable, "-c", WORK, "200"], check=True)
    return max(1, int(200 * seconds / (time.perf_counter() - begin)))


def delayed(port: int, one_way_s: float) -> int:
    """The port of a proxy to ``port`` of this machine that holds everything back by ``one_way_s`` in each direction."""
    ready: list[int] = []
    known = threading.Event()

    async def pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        loop = asyncio.get_running_loop()
        with suppress(ConnectionError):
            while piece := await reader.read(1 << 16):
                loop.call_later(one_way_s, writer.write, piece)
        loop.call_later(one_way_s, writer.close)

    async def connect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            there, to = await asyncio.open_connection("127.0.0.1", port)
        except ConnectionError:
            writer.close()
            return
        await asyncio.gather(pipe(reader, to), pipe(there, writer))

    async def serve() -> None:
        server = await asyncio.start_server(connect, "127.0.0.1", 0)
        ready.append(server.sockets[0].getsockname()[1])
        known.set()
        await server.serve_forever()

    threading.Thread(target=lambda: asyncio.run(serve()), daemon=True).start()
    known.wait()
    return ready[0]


if __name__ == "__main__":
    main()
