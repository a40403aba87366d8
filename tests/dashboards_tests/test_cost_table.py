"""What each member of a front costs, on a terminal of 80 characters."""

import io

from rich.console import Console

from dashboards.cost_table import cost_table


def _shown(document):
    out = io.StringIO()
    Console(file=out, width=80).print(cost_table(document))
    return out.getvalue()


def test_training_loading_size_compute_and_gap_stand_side_by_side(document):
    document["front"][1]["measurement"] |= {
        "accuracy_train": 0.999,
        "train_seconds": 123.4,
        "load_ms": 30.0,
        "size_mib": 12.3456,
        "macs": 41_234_567,
        "parameters": 11_234_567,
    }
    text = _shown(document)
    line = next(line for line in text.splitlines() if line.strip().startswith("17"))
    assert line.split() == ["17", "14.2x", "123", "30", "12.3", "41.2", "11.2M", "99.9", "%", "97.8", "%", "2.1"]
    assert "…" not in text
    assert max(map(len, text.splitlines())) <= 80


def test_what_was_not_measured_is_empty(document):
    document["front"][1]["measurement"] |= {"load_ms": None, "accuracy_test": None}
    line = next(line for line in _shown(document).splitlines() if line.strip().startswith("17"))
    assert line.split() == ["17", "14.2x", "3", "0.282", "0.001", "500"]
