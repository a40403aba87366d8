"""Measured values and configurations as text."""

from dashboards.formatting import configuration_text, interval_text, percent, times


def test_only_what_differs_from_the_baseline_is_named():
    plain = {"student_width": 1.0, "runtime": "eager"}
    assert configuration_text({"student_width": 0.5, "runtime": "eager", "threads": 2}, plain) == (
        "width=0.5, threads=2"
    )
    assert configuration_text(plain, plain) == "as the baseline"


def test_a_speedup_has_at_least_two_significant_digits():
    assert [times(ratio) for ratio in (32.04, 9.876, 1.0, 0.1, 0.00342)] == ["32.0", "9.88", "1.00", "0.10", "0.0034"]
    assert interval_text(13.84, 14.7) == "13.8-14.7"


def test_what_is_not_known_is_empty():
    assert (percent(None), interval_text(None, None)) == ("", "")
    assert percent(0.9814) == "98.1 %"
