"""A real process, stopped and continued by signals while the stopwatch runs in it."""

import json
import signal
import subprocess
import sys
import time

TIMED = """
import json, sys, time
from runners.measuring.stopwatch import TimingSettings, time_pair

def call():
    end = time.perf_counter() + 0.001
    while time.perf_counter() < end:
        pass

print("begun", flush=True)
timing = time_pair(call, call, TimingSettings(budget_s=2.0, seed=0))
print(json.dumps(timing.to_json()))
"""


def test_a_process_that_is_paused_in_the_middle_of_a_run_keeps_its_number() -> None:
    with subprocess.Popen([sys.executable, "-c", TIMED], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "begun\n"
        time.sleep(1.0)
        process.send_signal(signal.SIGSTOP)
        time.sleep(1.0)
        process.send_signal(signal.SIGCONT)
        timing = json.loads(process.stdout.readline())
    low, high = timing["speedup_ci95"]
    assert low <= 1 <= high
    assert high / low < 1.3
