"""A signal ends the command with 128 + its number and one sentence, after its clean-up, and leaves nothing running."""

import os
import pty
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest
from runners_tests.process_ends import ends_within

pytestmark = pytest.mark.faults("signal")

ROOT = Path(__file__).resolve().parents[2]
SAID = {signal.SIGINT: "interrupted", signal.SIGTERM: "stopped by SIGTERM", signal.SIGHUP: "stopped by SIGHUP"}

BEGIN = """
import os, signal, subprocess, sys, time
import search.stop_signals as module
from search.stop_signals import Stopped, stop_signals

def ready():
    print("ready", flush=True)
    time.sleep(60)
"""


@contextmanager
def program(text: str, **options: Any) -> Iterator["subprocess.Popen[str]"]:
    """A program that handles signals as the command line does and has printed that it is ready."""
    defaults = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "preexec_fn": _default_signals}
    running = subprocess.Popen([sys.executable, "-c", BEGIN + text], cwd=ROOT, text=True, **{**defaults, **options})
    try:
        assert running.stdout is not None
        assert running.stdout.readline() == "ready\n"
        yield running
    finally:
        for process in [*psutil.Process(running.pid).children(recursive=True)] if running.poll() is None else []:
            process.kill()
        running.kill()
        running.wait()


def _default_signals() -> None:
    for number in SAID:  # whoever runs the tests may have some of them ignored
        signal.signal(number, signal.SIG_DFL)


@pytest.mark.parametrize("number", SAID)
def test_before_anything_was_begun_a_signal_ends_the_process_at_once(number: signal.Signals) -> None:
    with program("stop_signals.install()\ntry:\n    ready()\nfinally:\n    print('unwound')") as running:
        running.send_signal(number)
        assert running.communicate(timeout=20) == ("", f"frontrunner: {SAID[number]}; nothing was begun\n")
    assert running.returncode == 128 + number


@pytest.mark.parametrize("number", SAID)
def test_inside_of_a_block_it_cleans_up_and_says_what_is_left(number: signal.Signals) -> None:
    text = """
stop_signals.install()
try:
    with stop_signals.cleaning_up("nothing was begun"):
        stop_signals.leaves("`frontrunner resume mine` continues the study")
        try:
            ready()
        finally:
            print("cleaned up", flush=True)
except Stopped:
    stop_signals.end()
"""
    with program(text) as running:
        running.send_signal(number)
        out, said = running.communicate(timeout=20)
    assert out == "cleaned up\n"
    assert said == f"frontrunner: {SAID[number]}; `frontrunner resume mine` continues the study\n"
    assert running.returncode == 128 + number


def test_after_the_last_block_nothing_is_said_of_what_is_left() -> None:
    with program("stop_signals.install()\nwith stop_signals.cleaning_up('x'):\n    pass\nready()") as running:
        running.send_signal(signal.SIGTERM)
        assert running.communicate(timeout=20)[1] == "frontrunner: stopped by SIGTERM\n"


HANGS = """
module.DEADLINE_S = {deadline}
stop_signals.install()
with stop_signals.cleaning_up("left"):
    child = subprocess.Popen(["sleep", "60"], start_new_session=True)
    try:
        ready()
    finally:
        print(child.pid, flush=True)
        time.sleep(60)
"""


def test_a_clean_up_that_takes_too_long_is_ended_with_everything_that_was_started() -> None:
    with program(HANGS.format(deadline=1.5)) as running:
        running.send_signal(signal.SIGTERM)
        out, said = running.communicate(timeout=20)
    assert (running.returncode, said) == (143, "frontrunner: stopped by SIGTERM; left\n")
    assert ends_within(5, int(out))


def test_a_second_signal_ends_it_at_once_with_the_code_of_the_first() -> None:
    with program(HANGS.format(deadline=50)) as running:
        running.send_signal(signal.SIGTERM)
        assert running.stdout is not None
        child = int(running.stdout.readline())
        time.sleep(0.6)
        running.send_signal(signal.SIGINT)
        assert running.wait(20) == 143
    assert ends_within(5, child)


def test_the_same_signal_to_the_process_and_to_its_group_counts_once() -> None:
    with program(HANGS.format(deadline=1.5), start_new_session=True) as running:
        running.send_signal(signal.SIGTERM)
        time.sleep(0.1)
        begin = time.monotonic()
        os.killpg(running.pid, signal.SIGTERM)
        assert running.wait(20) == 143
        assert time.monotonic() - begin > 0.9


def test_a_main_thread_in_a_long_call_is_no_hindrance() -> None:
    """A call into C that does not come back: no handler written in Python runs in the main thread."""
    text = """
import threading
module.DEADLINE_S = 1.5
stop_signals.install()
with stop_signals.cleaning_up("left"):
    signal.pthread_sigmask(signal.SIG_BLOCK, module.SIGNALS)  # another thread takes the signal: the lock is not left
    held = threading.Lock()
    held.acquire()
    threading.Timer(0.5, print, ["ready"], {"flush": True}).start()  # once the main thread is in the call
    held.acquire()
"""
    with program(text) as running:
        running.send_signal(signal.SIGTERM)
        assert running.wait(20) == 143


def test_a_signal_that_was_ignored_stays_ignored_as_under_nohup() -> None:
    def ignore() -> None:
        _default_signals()
        signal.signal(signal.SIGHUP, signal.SIG_IGN)

    with program("stop_signals.install()\nready()", preexec_fn=ignore) as running:
        running.send_signal(signal.SIGHUP)
        time.sleep(0.5)
        assert running.poll() is None
        running.send_signal(signal.SIGTERM)
        assert running.wait(20) == 143


def test_a_signal_to_a_forked_child_is_none_to_its_parent() -> None:
    text = """
stop_signals.install()
child = os.fork()
if child == 0:
    time.sleep(60)
time.sleep(0.3)
os.kill(child, signal.SIGTERM)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGTERM
assert not stop_signals.arrived
ready()
"""
    with program(text) as running:
        time.sleep(0.3)
        assert running.poll() is None


def test_a_closed_terminal_does_not_keep_the_clean_up_from_its_end(tmp_path: Path) -> None:
    """Printing on a terminal that is gone raises an error."""
    text = f"""
stop_signals.install()
try:
    with stop_signals.cleaning_up("left"):
        try:
            ready()
        finally:
            print("on the terminal", file=sys.stderr, flush=True)
            open({str(tmp_path / "cleaned")!r}, "w").close()
except Stopped:
    stop_signals.end()
"""
    terminal, theirs = pty.openpty()
    with program(text, stderr=theirs) as running:
        os.close(theirs)
        os.close(terminal)
        running.send_signal(signal.SIGHUP)
        assert running.wait(20) == 129
    assert (tmp_path / "cleaned").exists()


@pytest.mark.parametrize("became", ["RequestError('a package is missing')", "OSError('interrupted')", "SystemExit(1)"])
def test_whatever_error_the_signal_became_the_command_ends_with_its_code(became: str) -> None:
    text = f"""
from search import cli
from spaces.errors import RequestError
def app(*arguments, **options):
    with stop_signals.cleaning_up("left"):
        try:
            ready()
        except Stopped:
            raise {became} from None
cli.app = app
cli.main()
"""
    with program(text) as running:
        running.send_signal(signal.SIGINT)
        assert running.communicate(timeout=20)[1] == "frontrunner: interrupted; left\n"
    assert running.returncode == 130
