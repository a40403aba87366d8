"""The description of the machine counts only what this process may use."""

import os
from pathlib import Path

import pytest
import torch

from runners.backends import all_backends
from runners.machine import device
from runners.machine.device import describe, usable_cores
from spaces.environment import Environment


@pytest.fixture(scope="module")
def here() -> Environment:
    return describe(all_backends())


def test_the_description_names_the_hardware_and_not_the_host(here: Environment) -> None:
    assert f"{here.cpu_cores} core" in here.device
    assert "GiB" in here.device
    assert os.uname().nodename not in here.device


def test_every_backend_is_described(here: Environment) -> None:
    assert {name: facts.precisions for name, facts in here.backends.items()} == {
        name: backend.precisions for name, backend in all_backends().items()
    }


def test_the_description_survives_json(here: Environment) -> None:
    assert Environment.from_json(here.to_json()) == here


@pytest.mark.parametrize(
    ("itself", "hip", "capability"), [(True, None, (9, 0)), (False, None, (9, 0)), (True, "6.4", ())]
)
def test_an_accelerator_is_described_with_what_it_computes_itself(
    itself: bool, hip: str | None, capability: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A GPU of AMD is called cuda, too, and its capability is no compute capability of NVIDIA."""
    monkeypatch.setattr(torch.accelerator, "current_accelerator", lambda check_available: torch.device("cuda"))
    monkeypatch.setattr(torch.accelerator, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda index: f"Accelerator {index}")
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation=True: including_emulation or itself)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda: (9, 0))
    monkeypatch.setattr(torch.version, "hip", hip)
    found = describe(all_backends())
    assert found.device.endswith("2 x Accelerator 0")
    assert (found.accelerators, found.accelerator, found.accelerator_bf16) == (2, "cuda", itself)
    assert found.accelerator_capability == capability
    assert {name for name, facts in found.backends.items() if facts.on_accelerator} >= {"eager", "torchscript"}
    assert not found.backends["onnxruntime"].on_accelerator


def test_cores_outside_the_affinity_are_not_counted() -> None:
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(allowed)})
    try:
        assert usable_cores() == 1
    finally:
        os.sched_setaffinity(0, allowed)


def _many_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(16)))


def _write(root: Path, **files: str) -> Path:
    for name, text in files.items():
        path = root / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


@pytest.mark.parametrize(
    ("files", "cores"),
    [
        ({}, 16),
        ({"cpu.max": "max 100000\n"}, 16),
        ({"cpu.max": "350000 100000\n"}, 3),
        ({"cpu.max": "50000 100000\n"}, 1),
        ({"pod/cpu.max": "400000 100000\n", "pod/job/cpu.max": "max 100000\n"}, 4),
        ({"pod/cpu.max": "400000 100000\n", "pod/job/cpu.max": "200000 100000\n"}, 2),
        ({"other/cpu.max": "100000 100000\n"}, 16),
        ({"cpu.max": "garbled"}, 16),
        ({"cpu.max": "200000 x"}, 16),
    ],
)
def test_the_quota_of_every_enclosing_control_group_counts(
    files: dict[str, str], cores: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _many_cores(monkeypatch)
    given = {"proc/self/cgroup": "0::/pod/job\n", **{f"sys/fs/cgroup/{name}": text for name, text in files.items()}}
    assert usable_cores(_write(tmp_path, **given)) == cores


@pytest.mark.parametrize(("quota", "cores"), [("-1", 16), ("500000", 5)])
def test_the_quota_of_version_1_counts_too(
    quota: str, cores: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _many_cores(monkeypatch)
    given = {
        "proc/self/cgroup": "4:memory:/x\n3:cpu,cpuacct:/pod\n",
        "sys/fs/cgroup/cpu/pod/cpu.cfs_quota_us": quota,
        "sys/fs/cgroup/cpu/pod/cpu.cfs_period_us": "100000",
    }
    assert usable_cores(_write(tmp_path, **given)) == cores


def test_flags_are_read_on_both_architectures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device, "_text", lambda _: "processor : 0\nflags : fpu avx2 avx512f amx_int8\nflags : fpu\n")
    assert device._flags() == ("avx2", "avx512f", "amx_int8")
    monkeypatch.setattr(device, "_text", lambda _: "Features : fp asimd asimddp i8mm bf16\n")
    assert device._flags() == ("bf16", "i8mm", "asimddp")
    monkeypatch.setattr(device, "_text", lambda _: "")
    assert device._flags() == ()


def test_a_missing_package_comes_with_the_words_that_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    real = device.find_spec
    monkeypatch.setattr(device, "find_spec", lambda name: None if name == "torch_pruning" else real(name))
    assert describe(all_backends()).missing == {"torch_pruning": "needs `pip install 'torch-pruning'`"}


def test_a_backend_without_its_package_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    from runners import backend

    real = backend.find_spec
    monkeypatch.setattr(backend, "find_spec", lambda name: None if name == "openvino" else real(name))
    backends = describe(all_backends()).backends
    assert backends["openvino"].unsupported == "needs `pip install 'openvino'`"
    assert backends["eager"].unsupported is None
