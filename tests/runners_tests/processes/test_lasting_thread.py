"""A call in a thread that lasts."""

import signal
import subprocess
import sys
import threading
from functools import partial
from pathlib import Path

import pytest

from runners.processes.lasting_thread import LastingThread
from runners.processes.parent_death import die_with_parent_process

ROOT = Path(__file__).resolve().parents[3]


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
    """In a process of its own: libraries that other tests have loaded here need not survive an interrupted wait."""
    program = (
        "import signal, time\n"
        "from functools import partial\n"
        "from runners.processes.lasting_thread import LastingThread\n"
        "thread = LastingThread(partial(time.sleep, 30))\n"
        "signal.signal(signal.SIGALRM, signal.default_int_handler)\n"
        "signal.setitimer(signal.ITIMER_REAL, 0.2)\n"
        "try:\n"
        "    thread.result()\n"
        "except KeyboardInterrupt:\n"
        "    print('interrupted')\n"
    )
    ended = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=20)
    assert ended.stdout.strip() == "interrupted", ended.stderr
