"""Pairs whose true ratio is known by construction: one call repeated k times against the same call once."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from parts.timed_networks import eager_teacher, lowered_teacher, student
from torch import nn

from runners.lowering.torch_predictor import torch_predictor
from runners.measuring.calls import Call


@dataclass(frozen=True)
class Pair:
    """Two calls, of which the baseline takes ``ratio`` times as long as the candidate."""

    name: str
    candidate: Call
    baseline: Call
    ratio: int


def on_one_thread() -> list[Pair]:
    """A network in eager mode, one in a runtime, padded ones, one that lives in cache and one in memory."""
    eager, lowered, small, large = eager_teacher(1), lowered_teacher("onnxruntime", 1), student(), _in_memory()
    return [
        _repeated("eager", eager, 2),
        _repeated("eager", eager, 3),
        _repeated("eager", eager, 5),
        _repeated("onnxruntime", lowered, 3),
        _repeated("padded with work in registers", _padded(eager, _in_registers), 2),
        _repeated("padded with work in memory", _padded(lowered, large), 3),
        _repeated("small, in cache", small, 5),
        _repeated("large, in memory", large, 2),
        _repeated("slow, 40 ms a call", _repeated("", eager, 35).baseline, 2),
    ]


def on_two_threads() -> list[Pair]:
    """The teacher in three runtimes, on two threads."""
    return [
        _repeated("eager", eager_teacher(2), 2),
        _repeated("onnxruntime", lowered_teacher("onnxruntime", 2), 3),
        _repeated("openvino", lowered_teacher("openvino", 2), 3),
    ]


def _repeated(name: str, call: Call, times: int) -> Pair:
    def several() -> None:
        for _ in range(times):
            call()

    return Pair(f"{name}, {times} times", call, several, times)


def _padded(call: Call, padding: Call, count: int = 3) -> Call:
    def padded() -> None:
        call()
        for _ in range(count):
            padding()

    return padded


def _in_registers() -> None:
    hashlib.pbkdf2_hmac("sha256", b"", b"", 300)


def _in_memory() -> Callable[[], object]:
    """A linear layer of 64 MiB of weights, more than the caches of one core hold."""
    predictor = torch_predictor(nn.Linear(4096, 4096), 1)
    inputs = np.random.default_rng(0).standard_normal((1, 4096), dtype=np.float32)
    torch.manual_seed(0)
    return lambda: predictor(inputs)
