"""Real searches that a signal stops: in time, with a sentence, with nothing left running, and to be resumed."""

import os
import random
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from search_tests.command import SMALL_STUDY, RunningSearch, document, eventually, frontrunner

pytestmark = pytest.mark.faults("signal")

CODES = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGHUP: 129}
LONGEST_S = 10.0


@dataclass(frozen=True)
class Ending:
    """How a search ended after it was sent a signal.

    Attributes:
        code: Its exit code.
        seconds: From the signal to its end.
        sentence: The last line on its stderr.
        left: The command lines of the processes that are there a moment after its end.
    """

    code: int
    seconds: float
    sentence: str
    left: list[str]


def stop(search: RunningSearch, number: signal.Signals, *, group: bool = False) -> Ending:
    """Send the signal to a running search, or to its process group."""
    begin = time.monotonic()
    (os.killpg if group else os.kill)(search.process.pid, number)
    code = search.process.wait(60)
    seconds = time.monotonic() - begin
    eventually(lambda: not search.living(), 3)
    left = [" ".join(process.cmdline()) for process in search.living()]
    return Ending(code, seconds, search.said.strip().splitlines()[-1], left)


@pytest.fixture
def small(tmp_path: Path) -> Iterator[RunningSearch]:
    (tmp_path / "small.yaml").write_text(SMALL_STUDY)
    search = RunningSearch(("search", "small.yaml", "--home", "home"), tmp_path)
    yield search
    search.end()


@pytest.mark.parametrize("number", CODES)
def test_while_ray_starts_a_signal_ends_the_search_and_ray_and_nothing_was_begun(
    small: RunningSearch, number: signal.Signals
) -> None:
    small.wait_until_said("inspecting")
    assert eventually(lambda: any("gcs_server" in process.name() for process in small.living()), 60)
    ended = stop(small, number)
    assert (ended.code, ended.left) == (CODES[number], [])
    assert ended.sentence.endswith("; nothing was begun")
    assert ended.seconds < LONGEST_S
    assert "Traceback" not in small.said


@pytest.mark.slow
def test_sigterm_to_the_whole_group_in_a_trial_as_by_timeout_is_an_orderly_end(small: RunningSearch) -> None:
    small.wait_until_said("teacher took")
    ended = stop(small, signal.SIGTERM, group=True)
    assert (ended.code, ended.left) == (143, [])
    resume = f"`frontrunner resume small --home {small.cwd}/home` continues the study"
    assert ended.sentence == f"frontrunner: stopped by SIGTERM; {resume}"
    assert ended.seconds < LONGEST_S
    studies = document(frontrunner("studies", "--home", "home", "--json", cwd=small.cwd))["studies"]
    assert [study["status"] for study in studies] == ["interrupted"]


@pytest.mark.slow
@pytest.mark.parametrize("number", CODES)
def test_at_ten_random_moments_a_signal_ends_a_search_that_can_be_resumed(
    number: signal.Signals, tmp_path: Path
) -> None:
    """Prints a line for each moment; ``-s`` shows them as they come."""
    moments = random.Random(int(number))
    failures = []
    for attempt in range(int(os.environ.get("MOMENTS", "10"))):
        folder = tmp_path / str(attempt)
        folder.mkdir()
        moment = moments.uniform(1, 30)
        line, good = _one_moment(folder, number, moment, attempt)
        print(line, flush=True)
        failures += [] if good else [line]
    assert failures == []


def _one_moment(folder: Path, number: signal.Signals, moment: float, seed: int) -> tuple[str, bool]:
    """What happened, as a line of a table, and whether it was right."""
    (folder / "small.yaml").write_text(f"{SMALL_STUDY}seed: {seed}\n")
    search = RunningSearch(("search", "small.yaml", "--home", "home"), folder)
    try:
        time.sleep(moment)
        phase = (search.said.strip().splitlines() or ["it imports"])[-1][:40]
        if search.process.poll() is not None:
            return f"{number.name} {moment:5.1f} s: had ended", search.process.returncode == 0
        ended = stop(search, number)
        begun = "frontrunner resume small" in ended.sentence
        again = ["resume", "small"] if begun else ["search", "small.yaml"]
        resumed = frontrunner(*again, "--home", "home", "--json", cwd=folder, timeout_s=600)
        trials = document(resumed)["trials"] if resumed.returncode == 0 else None
        good = (ended.code, ended.left, trials) == (CODES[number], [], 3)
        good = good and ended.seconds < LONGEST_S and "Traceback" not in search.said
        good = good and (begun or "nothing was begun" in ended.sentence)
        line = (
            f"{number.name:7} {moment:5.1f} s [{phase:40}]: {ended.code} after {ended.seconds:4.1f} s, "
            f"left {ended.left}, {again[0]} {resumed.returncode} with {trials} trials | {ended.sentence[:60]}"
        )
        return line if good else f"{line}\n{search.said}\n{resumed.stderr}", good
    finally:
        search.end()
