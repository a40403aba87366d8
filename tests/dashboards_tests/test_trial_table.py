"""The table of all trials: the fastest first, each with its intervals, then what failed or cannot run, and why."""

import io

from rich.console import Console

from dashboards.trial_table import trial_table

OFF = [{"choice": "runtime", "value": "tensorrt", "reason": "needs an NVIDIA accelerator"}]


def told(document, trials, width=150):
    out = io.StringIO()
    Console(file=out, width=width).print(trial_table(document, trials, OFF, width))
    return out.getvalue()


def a_study_of_everything(member):
    baseline = member(0, 0.986, 1.0, threads=2)
    fast = member(1, 0.981, 6.1, runtime="openvino", numeric_precision="int8", threads=1)
    slow = member(2, 0.986, 2.0, runtime="onnxruntime", threads=2)
    fast["measurement"]["accuracy_drop_ci95"] = [-0.004, 0.011]
    failed = {**member(3, 0.9, 1.0, runtime="torchscript", threads=2), "measurement": {}}
    for trial in (baseline, fast, slow, failed):
        trial |= {"state": "complete", "failure": None, "searched": None}
    failed |= {"state": "failed", "failure": "lowering: no such operator"}
    document = {
        "study": "s",
        "workload": "w",
        "metric": "agreement",
        "trials": 4,
        "failed": 1,
        "everything": True,
        "resolution": 0.02,
        "baseline": baseline,
        "front": [fast, slow],
    }
    return document, [baseline, fast, slow, failed]


def test_every_row_has_its_intervals_or_its_reason(member):
    lines = told(*a_study_of_everything(member)).splitlines()
    rows = [line for line in lines if line.split() and line.split()[0] in ("0", "1", "2", "3", "off")]
    assert [row.split()[0] for row in rows] == ["1", "2", "0", "3", "off"]  # the fastest first
    fast, slow, baseline, failed, off = rows
    assert "6.10x" in fast
    assert "5.70-6.60" in fast
    assert "98.1 %" in fast
    assert "0.5 (-0.4 to 1.1)" in fast
    assert "openvino, int8, 1 thread" in fast
    assert "onnxruntime, fp32, 2 threads" in slow
    assert "*" in slow
    assert "baseline: PyTorch eager, fp32, 2 threads" in baseline
    assert "*" not in baseline
    assert "failed" in failed
    assert "torchscript, fp32, 2 threads: lowering: no such operator" in failed
    assert "runtime tensorrt: needs an NVIDIA accelerator" in off
    head = next(line for line in lines if "speedup" in line)
    assert "agreement" in head
    assert "differences in speed below 2 % are not significant" in "\n".join(lines)


def test_no_number_is_cut_on_a_narrow_terminal(member):
    for width in (80, 100):
        text = told(*a_study_of_everything(member), width=width)
        assert "…" not in text
        assert "0.5 (-0.4 to 1.1)" in text
        assert "5.70-6.60" in text
