"""``frontrunner time`` on real models, and its messages for models that it cannot time."""

import os
import signal
import subprocess
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
import torch
from runners_tests.process_ends import ends_within
from search_tests.command import COMMAND, document, frontrunner
from torch import nn

from runners.artifacts.comparison import Comparison, ComparisonRequest, compare_files, difference
from runners.inputs import ExampleInputs
from runners.lowering.onnx_export import export
from runners.measuring.paired_timing import PairedTiming
from runners.runner import StageFailed
from search.commands.time import TimeOptions, TimeResult, difference_sentence, parse_shape, time_files
from spaces.errors import RequestError, WorkFailed

EXAMPLE = np.zeros((1, 16), np.float32)
JIT: Any = torch.jit


class Never(nn.Module):
    """Never returns."""

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        while bool(inputs.sum() < 1e9):
            inputs = inputs * 0.5
        return inputs


class NotANumber(nn.Module):
    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        return inputs * float("nan")


class Random(nn.Module):
    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        return inputs + torch.rand_like(inputs)


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a ``small`` and a ``big`` network of 16 inputs and 4 outputs, and some that fail."""
    folder = tmp_path_factory.mktemp("models")
    torch.manual_seed(0)
    small = nn.Sequential(nn.Linear(16, 8), nn.ReLU(), nn.Linear(8, 4)).eval()
    big = nn.Sequential(nn.Linear(16, 1000), nn.ReLU(), nn.Linear(1000, 1000), nn.ReLU(), nn.Linear(1000, 4)).eval()
    inputs = torch.from_numpy(EXAMPLE)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        export(small, ExampleInputs.of(EXAMPLE), folder / "small.onnx")
        JIT.trace(small, inputs).save(folder / "small.pt")
        torch.export.save(torch.export.export(big, (inputs,)), folder / "big.pt2")
        for odd in (Never, NotANumber, Random):
            JIT.script(odd()).save(folder / f"{odd.__name__}.ts")
    torch.save(small.state_dict(), folder / "weights.pt")
    (folder / "bad.onnx").write_text("hello")
    (folder / "bad.pt2").write_text("hello")
    (folder / "model.h5").write_text("hello")
    return folder


def _time(models: Path, *arguments: object) -> Any:
    return frontrunner(
        "time", *arguments, "--budget", "0.3", cwd=models, timeout_s=60, FRONTRUNNER_LEASES=str(models / "leases")
    )


def test_a_tiny_network_is_found_faster_than_a_big_one_whose_shape_the_other_file_tells(models: Path) -> None:
    found = document(_time(models, "big.pt2", "small.pt", "--json"))
    assert (found["model_a"], found["model_b"]) == ("big.pt2", "small.pt")
    assert 1 < found["speedup_ci95"][0] <= found["speedup"] <= found["speedup_ci95"][1]
    assert found["latency_p50_ms"]["a"] > found["latency_p50_ms"]["b"]
    assert found["blocks"] >= 3
    assert set(found["outliers"]) == {"a", "b"}
    assert "load_1m" in found["machine"]
    assert (found["threads"], found["batch"], found["input_shape"]) == (1, 1, [1, 16])
    assert found["difference"] > 0.01
    assert found["output_shape"] == {"a": [1, 4], "b": [1, 4]}
    assert found["device"]


def test_one_network_in_two_files_answers_alike_and_the_person_gets_a_sentence(models: Path) -> None:
    done = _time(models, "small.pt", "small.onnx", "--batch", "3")
    assert done.returncode == 0, done.stderr
    first, second = done.stdout.strip().splitlines()
    assert "small.onnx is " in first
    assert "x as fast as small.pt (95 % " in first
    assert "ms a call, 1 thread each, batch 3, " in first
    assert second == "their outputs are the same" or float(second.split(" of the largest")[0].split()[-1]) < 1e-5


REFUSED = {
    "file that is not there": (["none.onnx", "small.pt"], 2, ["none.onnx", "does not exist"]),
    "folder that is no export": ([".", "small.pt"], 2, ["frontrunner.json"]),
    "unknown suffix": (["small.pt", "model.h5"], 2, ["model.h5", ".onnx", ".pt2"]),
    "damaged file": (["bad.onnx", "small.pt"], 2, ["bad.onnx", "cannot be opened"]),
    "damaged archive": (["small.pt", "bad.pt2"], 2, ["bad.pt2", "damaged"]),
    "weights alone": (["weights.pt", "small.onnx"], 2, ["weights.pt", "TorchScript", "jit.save"]),
    "no shape told": (["small.pt", "small.pt"], 2, ["small.pt does not tell its", "--shape"]),
    "batch beside a shape": (
        ["small.pt", "small.pt", "--shape", "1,16", "--batch", "2"],
        2,
        ["--shape fixes the batch"],
    ),
    "wrong shape": (["small.pt", "small.onnx", "--shape", "1,many"], 2, ["--shape 1,many"]),
    "shape that the file does not take": (["small.pt", "small.onnx", "--shape", "1,9"], 2, ["--shape 1,9", "?,16"]),
    "batch that the file does not take": (
        ["big.pt2", "small.pt", "--batch", "2"],
        2,
        ["--batch 2", "big.pt2 fixes the batch at 1"],
    ),
    "too many threads": (["small.pt", "small.onnx", "--threads", "4000"], 2, ["--threads 4000", "cores"]),
    "wrong time": (["small.pt", "small.onnx", "--budget", "soon"], 2, ["--budget soon", "30m"]),
    "model that fails": (["small.pt", "small.pt", "--shape", "1,9"], 1, ["small.pt fails", "1,9", "cannot be mult"]),
    "outputs that are no numbers": (["small.onnx", "NotANumber.ts"], 1, ["NotANumber.ts", "NaN"]),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_model_that_cannot_be_timed_gets_one_sentence(
    case: str, models: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FRONTRUNNER_LEASES", str(models / "leases"))
    monkeypatch.chdir(models)
    (a, b, *options), code, words = REFUSED[case]
    flags = dict(zip(options[::2], options[1::2], strict=True))
    with pytest.raises(RequestError if code == 2 else WorkFailed) as refusal:
        time_files(
            Path(a),
            Path(b),
            TimeOptions(
                shape=flags.get("--shape"),
                batch=int(flags["--batch"]) if "--batch" in flags else None,
                threads=int(flags.get("--threads", 1)),
                budget=flags.get("--budget", "0.3"),
            ),
            None,
            as_json=False,
        )
    (line,) = str(refusal.value).splitlines()
    assert [word for word in words if word not in line] == [], line
    out, errors = capfd.readouterr()
    assert out == ""
    assert [text for text in errors.splitlines() if not text.startswith("timing ")] == []


@pytest.mark.parametrize("case", ["unknown suffix", "model that fails"])
def test_the_command_ends_with_the_documented_code(case: str, models: Path) -> None:
    arguments, code, words = REFUSED[case]
    done = _time(models, *arguments)
    assert (done.returncode, done.stdout) == (code, "")
    line = done.stderr.strip().splitlines()[-1]
    assert [word for word in words if word not in line] == [], line


def test_threads_below_1_are_refused_by_the_command(models: Path) -> None:
    done = _time(models, "small.pt", "small.onnx", "--threads", "0")
    assert (done.returncode, done.stdout) == (2, "")
    assert "--threads" in done.stderr


def test_a_model_that_hangs_is_ended_and_named(models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FRONTRUNNER_LEASES", str(models / "leases"))
    with pytest.raises(StageFailed, match=r"did nothing for 4 s .*running .*Never\.ts"):
        compare_files(ComparisonRequest(models / "small.onnx", models / "Never.ts", budget_s=0.2), timeout_s=4)


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (signal.SIGINT, "interrupted"),
        (signal.SIGTERM, "stopped by SIGTERM"),
        (signal.SIGHUP, "stopped by SIGHUP"),
    ],
)
def test_a_signal_ends_a_timing_with_a_word_and_leaves_nothing_behind(
    number: signal.Signals, said: str, models: Path
) -> None:
    command = [COMMAND, "time", "small.onnx", "Never.ts"]
    options: dict[str, Any] = {
        "cwd": models,
        "env": {**os.environ, "FRONTRUNNER_LEASES": str(models / "leases")},
        "preexec_fn": lambda: signal.signal(number, signal.SIG_DFL),  # a shell may have it ignored
    }
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, **options) as timing:
        assert timing.stderr is not None
        assert timing.stderr.readline().startswith("timing small.onnx and Never.ts for about 10 s")
        begun = psutil.Process(timing.pid)
        deadline = time.monotonic() + 60
        while len(left := begun.children(recursive=True)) < 3 and time.monotonic() < deadline:
            time.sleep(0.1)  # the server of fresh processes, its tracker, and the process that times
        timing.send_signal(number)
        assert timing.stderr.readlines()[-1] == f"frontrunner: {said}\n"
    assert timing.returncode == 128 + number
    assert [ends_within(10, process.pid) for process in left] == [True] * 3


def test_outputs_that_change_and_shapes_that_differ_are_warnings(models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FRONTRUNNER_LEASES", str(models / "leases"))
    found = compare_files(ComparisonRequest(models / "small.onnx", models / "Random.ts", budget_s=0.2))
    assert found.unsteady == ("b",)
    assert found.difference is None
    assert "1,4 and 1,16" in difference_sentence(found)
    told = TimeResult("Small", "Random", 1, "", found).warnings()
    assert any("Random gives different outputs" in warning for warning in told)
    assert "the models are not equivalent: their outputs differ in shape: 1,4 and 1,16" in told


def test_names_are_looked_up_in_the_folder_that_the_person_is_in(
    models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FRONTRUNNER_LEASES", str(models / "leases"))
    (tmp_path / "here.onnx").write_bytes((models / "small.onnx").read_bytes())
    compare_files(ComparisonRequest(models / "small.onnx", models / "small.onnx", budget_s=0.1))
    monkeypatch.chdir(tmp_path)
    here = ComparisonRequest(Path("here.onnx"), Path("here.onnx"), budget_s=0.1)
    assert compare_files(here).difference == 0


def _found(speedup: float, low: float, high: float, unstable: str = "") -> Comparison:
    timing = PairedTiming(
        speedup=speedup,
        speedup_ci95=(low, high),
        latency_p50_ms=0.51,
        latency_p90_ms=0.6,
        latency_p99_ms=None,
        baseline_p50_ms=1.75,
        blocks=12,
        outliers=4,
        baseline_outliers=3,
        warm_up_s=0.0,
        unstable=unstable,
        machine={},
    )
    return Comparison(timing, ((1, 16),), (1, 4), (1, 4), 0.0, ())


def _sentence(speedup: float, low: float, high: float) -> str:
    return TimeResult("A", "B", 1, "", _found(speedup, low, high)).speed_sentence()


def test_the_sentence_calls_a_model_faster_or_slower_only_where_the_interval_leaves_out_1() -> None:
    known = TimeResult("A.pt2", "B.onnx", 2, "a machine", _found(3.42, 3.38, 3.46)).speed_sentence()
    assert known == (
        "B.onnx is 3.42x as fast as A.pt2 (95 % 3.38-3.46): "
        "0.51 ms against 1.75 ms a call, 2 threads each, batch 1, a machine"
    )
    assert _sentence(1.01, 0.98, 1.03).startswith("no difference can be shown: B is 1.01x")
    assert not _sentence(0.5, 0.4, 0.6).startswith("no difference")
    assert "B is 0.00034x as fast as A (95 % 0.00031-0.00036)" in _sentence(3.4e-4, 3.1e-4, 3.6e-4)


def test_an_unstable_timing_is_a_warning_with_its_reason() -> None:
    busy = TimeResult("A", "B", 1, "", _found(2, 1, 3, "the machine was busy"))
    assert busy.warnings() == ["the speedup is unstable: the machine was busy"]
    assert TimeResult("A", "B", 1, "", _found(2, 1, 3)).warnings() == []


def test_the_difference_is_a_share_of_the_largest_output() -> None:
    assert difference(np.array([1.0, -8.0]), np.array([3.0, -8.0])) == 0.25
    assert difference(np.zeros(2), np.zeros(2)) == 0.0
    assert difference(np.zeros(2), np.zeros(3)) is None


def test_a_shape_is_whole_numbers_above_0() -> None:
    assert parse_shape("1, 3,32,32") == (1, 3, 32, 32)
    for wrong in ("", "1,,3", "1,0", "-1,3", "1x3"):
        with pytest.raises(RequestError, match="--shape"):
            parse_shape(wrong)
