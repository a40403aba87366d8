"""The progress display, on a terminal and elsewhere; it prints nothing on stdout."""

import io
import os
import subprocess
import sys

import pytest
from rich.console import Console

from dashboards.progress import Progress, front_text
from dashboards.time_left import TrialCount, duration

pty = pytest.importorskip("pty")

SEARCH = """
import sys, time
from dashboards.progress import Progress
with Progress() as progress:
    progress.working("inspecting the model")
    time.sleep(0.7)
    progress.started(4, 1)
    progress.note("study [mine]: begins")
    progress.stage_started(1, "training")
    progress.stage_started(2, "measuring")
    time.sleep(0.7)
    progress.stage_ended(1, "training", 1.2, False)
    progress.trial_ended(1, "14.2x, 98.1 %")
    progress.front_is(0.8, 2, "14.2x, 98.1 %")
    time.sleep(0.6)
    END
"""


def _on_a_terminal(end, **environment):
    """Exit code, stderr and stdout of a search whose stderr is a terminal of 80 columns."""
    mine, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", SEARCH.replace("END", end)],
        stdout=subprocess.PIPE,
        stderr=theirs,
        env={**os.environ, "COLUMNS": "80", "LINES": "24", "TERM": "xterm-256color", **environment},
    )
    os.close(theirs)
    seen = b""
    while True:
        try:
            part = os.read(mine, 65536)
        except OSError:  # the other end is closed
            break
        if not part:
            break
        seen += part
    os.close(mine)
    out, _ = process.communicate()
    return process.returncode, seen.decode(), out.decode()


class Clock:
    """A clock that a test sets."""

    now = 0.0

    def __call__(self):
        return self.now


def _tell(progress, clock):
    with progress:
        progress.started(4, 1)
        progress.note("study mine: begins")
        progress.stage_started(2, "training")
        clock.now = 30.0
        progress.stage_ended(2, "training", 65.0, False)
        progress.stage_ended(2, "measuring", 0.0, True)
        progress.trial_ended(2, "14.2x, 98.1 %")
        progress.front_is(0.8123456, 2, "14.2x, 98.1 %")


def test_without_a_terminal_each_event_is_a_line():
    out, clock = io.StringIO(), Clock()
    _tell(Progress(out, clock), clock)
    assert out.getvalue().splitlines() == [
        "4 trials, 1 of them done before: at the end the front is measured once more",
        "study mine: begins",
        "trial 2: training took 1 min 05 s",
        "trial 2: 14.2x, 98.1 %  [2 of 4, about 1 min 00 s left (judged by 1 trial)]",
        "front: 2 points, hypervolume 0.8123, fastest 14.2x, 98.1 %",
    ]


def test_the_estimate_leaves_out_the_first_trial_which_trains_the_teacher_too():
    out, clock = io.StringIO(), Clock()
    progress = Progress(out, clock)
    progress.started(18, 0)
    clock.now = 50.0
    progress.trial_ended(0, "1.00x, 98.3 %")
    clock.now = 56.0
    progress.trial_ended(4, "5.88x, 98.6 %")
    assert out.getvalue().splitlines()[1:] == [
        "trial 0: 1.00x, 98.3 %  [1 of 18]",
        "trial 4: 5.88x, 98.6 %  [2 of 18, about 1 min 36 s left (judged by 1 trial)]",
    ]


def test_a_search_without_a_number_of_trials_counts_them_and_estimates_nothing():
    out = io.StringIO()
    progress = Progress(out)
    progress.started(None, 0)
    progress.trial_ended(0, "1.00x")
    progress.trial_ended(1, "2.00x")
    assert out.getvalue().splitlines() == [
        "as many trials as the time allows: first the model itself is made and timed, then the candidates; at the end "
        "the front is measured once more",
        "trial 0: 1.00x  [1]",
        "trial 1: 2.00x  [2]",
    ]


def test_a_long_line_is_not_broken_and_no_markup_is_read():
    out = io.StringIO()
    Progress(out).note("[bold]" + "x" * 200)
    assert out.getvalue() == "[bold]" + "x" * 200 + "\n"


def test_a_terminal_gets_a_live_display_that_disappears_at_the_end():
    code, seen, out = _on_a_terminal("print('the result')")
    assert (code, out) == (0, "the result\n")
    assert "study [mine]: begins" in seen
    assert "trial   1  training  " in seen
    assert "trial   2  measuring  " in seen
    assert "inspecting the model  0." in seen  # and how long it has taken
    assert "2 of 4 trials" in seen
    assert "left" in seen
    assert "front: 2 points" in seen
    assert seen.rindex("\x1b[?25h") > seen.rindex("\x1b[?25l")  # the cursor is shown again


@pytest.mark.parametrize("end", ["raise KeyboardInterrupt", "raise RuntimeError('broken')"])
def test_the_terminal_is_restored_when_it_ends_badly(end):
    code, seen, _ = _on_a_terminal(end)
    assert code != 0
    shown = seen.rindex("\x1b[?25h")
    assert shown > seen.rindex("\x1b[?25l")
    assert "Traceback" in seen[shown:]


def test_a_terminal_that_cannot_move_its_cursor_gets_plain_lines():
    _, seen, _ = _on_a_terminal("pass", TERM="dumb")
    assert "\x1b" not in seen
    assert "inspecting the model\r\n" in seen
    assert "trial 1: 14.2x, 98.1 %  [2 of 4" in seen


def test_durations_and_fronts_read_well():
    told = [duration(seconds) for seconds in (0.04, 12.3, 59.7, 185, 7800)]
    assert told == ["0.0 s", "12 s", "1 min 00 s", "3 min 05 s", "2 h 10 min"]
    assert front_text(0.5, 1, "") == "front: 1 point, hypervolume 0.5"


def test_an_estimate_says_between_what_times_it_lies_once_three_trials_show_how_they_vary():
    clock = Clock()
    count = TrialCount(clock)
    count.start(12, 0)
    for clock.now in (50.0, 60.0, 72.0):
        count.add()
    assert count.likely_s() is None, "two gaps show little"
    clock.now = 80.0
    count.add()
    low, high = count.likely_s()
    assert count.left_s() == pytest.approx(80.0)
    assert (low, high) == pytest.approx((80 - 21.7, 80 + 21.7), abs=0.3)
    assert count.left_text() == "about 1 min 20 s left (58 s to 1 min 42 s)"
    assert count.likely_text() == "likely 58 s to 1 min 42 s for the trials"


def test_the_estimate_of_trials_that_all_take_the_same_is_sure():
    clock = Clock()
    count = TrialCount(clock)
    count.start(10, 0)
    for clock.now in range(10, 60, 10):
        count.add()
    assert count.likely_s() == (50.0, 50.0)


@pytest.mark.parametrize(
    ("running", "done", "text"),
    [
        ([(0, "teacher")], 0, "next: the model is timed with each number of threads"),
        ([(0, "calibrating")], 0, "next: the baseline, trial 0"),
        ([(0, "measuring")], 0, "next: the first candidates"),
        ([(3, "training"), (4, "training"), (None, "measuring")], 3, "next: 5 more trials, then the front is measured"),
        ([(9, "measuring")], 9, "next: the front is measured once more"),
        ([(0, "final")], 10, "next: the result"),
    ],
)
def test_what_comes_next_is_told(running, done, text):
    progress = Progress(io.StringIO())
    progress.started(10, done)
    for trial, stage in running:
        progress.stage_started(trial, stage)
    assert progress.next_text().startswith(text)


def test_a_search_without_a_final_measurement_ends_with_its_result():
    progress = Progress(io.StringIO())
    progress.started(None, 1, final=False)
    progress.stage_started(1, "measuring")
    assert progress.next_text() == "next: more trials while there is time, then the result"


def test_of_many_stages_under_way_the_first_are_shown():
    out = io.StringIO()
    progress = Progress(out)
    for trial in range(12):
        progress.stage_started(trial, "lowering")
    Console(file=out, width=80).print(progress._view())
    shown = out.getvalue()
    assert shown.count("lowering") == 8
    assert "and 4 more" in shown
