"""A call in a thread that lasts."""

import signal
import subprocess
import threading
import time
from functools import partial

import pytest

from runners.processes.lasting_thread import LastingThread
from runners.processes.parent_death import die_with_parent_process


def test_it_gives_what_the_call_returns_or_raises() -> None:
    def fail() -> None:
        raise TimeoutError("not in time")

    assert LastingThread(lambda: threading.current_thread() is threading.main_thread()).result() is False
    with pytest.raises(TimeoutError, match="not in time"):
        LastingThread(fail).result()


def test_a_process_that_dies_with_its_parent_lives_until_the_thread_is_closed() -> None:
    thread = LastingThread(partial(subprocess.Popen, ["sleep", "60"], preexec_fn=die_with_parent_process))
    process = thread.result()
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(0.5)
    thread.close()
    thread.close()
    assert process.wait(10) == -signal.SIGKILL


def test_a_signal_handler_can_raise_while_the_result_is_waited_for() -> None:
    def handle(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, handle)
    thread = LastingThread(partial(time.sleep, 30))
    try:
        begin = time.monotonic()
        signal.setitimer(signal.ITIMER_REAL, 0.2)
        with pytest.raises(KeyboardInterrupt):
            thread.result()
        assert time.monotonic() - begin < 20
    finally:
        signal.signal(signal.SIGALRM, before)
        thread.close()
