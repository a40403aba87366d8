"""How a local Ray instance is started: at the loopback address, and with the cores that this process may use."""

import os
import subprocess
import sys
from typing import Any

import pytest

from runners.machine.device import describe, usable_cores


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
        executor._connect(None)
    finally:
        os.sched_setaffinity(0, allowed)
    assert given["num_cpus"] == 1
    monkeypatch.setattr("runners.machine.device._quota", lambda folder: 1.5)
    executor._connect(None)
    assert given["num_cpus"] == usable_cores() == describe({}).cpu_cores == 1
