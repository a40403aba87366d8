"""How a local Ray instance is started: at the loopback address, with the cores that this process may use, and so that
signals stay this process's own.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest
from search_tests.command import eventually
from search_tests.listening import is_loopback, listeners

from runners.executors.local_instance import make_cleanup
from runners.machine.device import describe, usable_cores
from spaces.errors import RequestError


def test_ray_is_imported_so_that_a_local_instance_has_the_loopback_address() -> None:
    script = "import runners.executors.ray, ray\nprint(ray.util.get_node_ip_address())"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "127.0.0.1"


def test_ray_is_offered_as_many_cores_as_the_machine_is_described_with(monkeypatch: pytest.MonkeyPatch) -> None:
    """A measurement asks for all the cores of the description: with more on offer, something would run beside it."""
    from runners.executors import ray as executor

    given: dict[str, Any] = {}
    monkeypatch.setattr(executor.ray, "init", given.update)
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(allowed)})
    try:
        executor._connect(None, make_cleanup())
    finally:
        os.sched_setaffinity(0, allowed)
    assert given["num_cpus"] == 1
    monkeypatch.setattr("runners.machine.device._quota", lambda folder: 1.5)
    executor._connect(None, make_cleanup())
    assert given["num_cpus"] == usable_cores() == describe({}).cpu_cores == 1


SIGNALLED = """
import os, signal, sys, threading, time
from pathlib import Path
import psutil
arrived = []
signal.signal(signal.SIGTERM, handle := lambda number, frame: arrived.append(time.monotonic()))
from runners.executors.ray import RayRunner

def send():
    while True:
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(0.1)

threading.Thread(target=send, daemon=True).start()
begin = time.monotonic()
runner = RayRunner(sys.argv[1])
assert signal.getsignal(signal.SIGTERM) is handle
started = psutil.Process().children(recursive=True)
assert {"raylet", "gcs_server"} <= {process.name() for process in started}, started
assert os.getpgid(0) not in {os.getpgid(process.pid) for process in started}
runner.close()
assert not [process for process in psutil.wait_procs(started, 10)[1]]
assert len(arrived) > 3
"""


def test_signals_reach_this_process_while_ray_starts_and_afterwards_and_none_of_rays_processes(tmp_path: Path) -> None:
    """SIGTERM every tenth of a second; Ray would put handlers of its own in place, in Python and in C++."""
    long = tmp_path / ("a" * 100)
    long.mkdir()
    done = subprocess.run(
        [sys.executable, "-c", SIGNALLED, str(tmp_path / "stages")],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "TMPDIR": str(long), "HOME": str(tmp_path / "none" / "home")},
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_an_error_of_any_class_that_ray_raises_when_it_starts_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    from runners.executors import ray as executor

    def fail(**options: Any) -> None:
        raise Exception("The current node timed out during startup.\nSee the logs.")

    monkeypatch.setattr(executor.ray, "init", fail)
    with pytest.raises(RequestError, match=r"Ray cannot be started .* timed out during startup. See the logs"):
        executor.RayRunner("stages")


@pytest.mark.parametrize("variable", ["TMPDIR", "RAY_TMPDIR"])
def test_a_folder_of_temporary_files_that_is_not_there_is_named_before_ray_starts(
    variable: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from runners.executors import ray as executor

    monkeypatch.setenv(variable, str(tmp_path / "none"))
    with pytest.raises(RequestError, match=f"{variable}={tmp_path}/none: cannot be written"):
        executor.RayRunner("stages")


def test_a_folder_that_is_named_for_ray_and_too_long_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from runners.executors import ray as executor

    long = tmp_path / ("a" * 100)
    long.mkdir()
    monkeypatch.setenv("RAY_TMPDIR", str(long))
    with pytest.raises(RequestError, match=r"RAY_TMPDIR=.*a: is too long for sockets; .* at most \d\d characters"):
        executor.RayRunner("stages")


@pytest.mark.parametrize("name", ["runners.py", "spaces/__init__.py"])
def test_a_file_that_would_hide_our_packages_from_rays_processes_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text("")
    monkeypatch.chdir(tmp_path)
    from runners.executors.ray import RayRunner

    with pytest.raises(RequestError, match=r"has the name of a package of Frontrunner's.*search from another folder"):
        RayRunner(tmp_path / "store")


IDLE = """
import os, sys, time
from runners.executors.ray import RayRunner, ray
runner = RayRunner(sys.argv[1])

@ray.remote(num_cpus=1)
def who():
    time.sleep(0.5)
    return os.getpid()

def workers():
    return set(ray.get([who.remote() for _ in range(runner.slots)]))

@ray.remote(num_cpus=runner.slots)
def measure():
    time.sleep(4)

before = workers()
ray.get(measure.remote())
print(workers() == before)
runner.close()
"""


def test_a_worker_that_idles_while_another_measures_stays_with_what_it_imported(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", IDLE, str(tmp_path / "stages")], capture_output=True, text=True, check=False, timeout=120
    )
    assert done.stdout.strip() == "True", done.stderr


OWN = """
import json, os, sys, time
from runners.executors.ray import RayRunner, ray
runner = RayRunner(sys.argv[1])
where = ray.get_runtime_context().gcs_address
print(json.dumps([str(runner._cleanup.folder), where, os.environ["RAY_AUTH_TOKEN"]]), flush=True)
time.sleep(120)
"""
INTRUDER = "import sys, ray; ray.init(sys.argv[1]); print('let in', flush=True)"


@pytest.mark.faults("listening")
def test_an_instance_lets_in_nobody_without_its_token_and_leaves_nothing_when_its_driver_is_killed(
    tmp_path: Path,
) -> None:
    driver = subprocess.Popen([sys.executable, "-c", OWN, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    try:
        assert driver.stdout is not None
        folder, address, token = json.loads(driver.stdout.readline())
        assert Path(folder).stat().st_mode & 0o777 == 0o700, "nobody else reads its logs or opens its sockets"
        started = psutil.Process(driver.pid).children(recursive=True)
        found = {each for process in started for each in listeners(process)}
        assert {"raylet", "gcs_server"} <= {name for name, _ in found}
        assert [(name, host) for name, host in found if not is_loopback(host)] == []
        assert token not in " ".join(" ".join(process.cmdline()) for process in started)
        assert _asks(address, RAY_AUTH_MODE="token", RAY_AUTH_TOKEN="0" * 32) == "Unauthenticated"
        assert _asks(address, RAY_AUTH_MODE="token", RAY_AUTH_TOKEN=token) == "let in"
    finally:
        driver.kill()
        driver.wait()
    assert psutil.wait_procs(started, 10)[1] == []
    assert eventually(lambda: not Path(folder).exists(), 10)


def _asks(address: str, **environment: str) -> str:
    """What comes first of a process that connects to the instance: that it was let in, or that it was not."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("RAY_AUTH")}
    settings = {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0", "HOME": "/nonexistent", **environment}
    intruder = subprocess.Popen(
        [sys.executable, "-c", INTRUDER, address],
        env={**own, **settings},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        assert intruder.stdout is not None
        for line in intruder.stdout:
            for answer in ("Unauthenticated", "let in"):
                if answer in line:
                    return answer
        return "neither"
    finally:
        intruder.kill()
        intruder.wait()


def test_an_environment_in_which_ray_asks_for_no_token_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from runners.executors.ray import RayRunner

    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    with pytest.raises(RequestError, match=r"RAY_AUTH_MODE=disabled: every account .* unset it, or give --address"):
        RayRunner(tmp_path / "store")
