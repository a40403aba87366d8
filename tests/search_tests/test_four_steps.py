"""The preset four-step as a search: the teacher is trained, a student distilled, pruned and trained again."""

from pathlib import Path

import pytest
from search_tests.command import document, frontrunner


@pytest.mark.slow
def test_a_search_of_the_four_steps_gives_small_networks_that_are_about_as_good(tmp_path: Path) -> None:
    asked = ("search", "--workload", "digits", "--space", "four-step", "--trials", "4", "--home", tmp_path, "--json")
    found = document(frontrunner(*asked, cwd=tmp_path, timeout_s=900))
    baseline, candidates = found["baseline"], [one for one in found["front"] if one["trial"]]
    assert candidates
    for one in candidates:
        assert one["configuration"]["train_before_pruning"] is True
        assert one["configuration"]["channel_pruning"] > 0
        assert one["measurement"]["parameters"] < baseline["measurement"]["parameters"] / 5
        assert one["measurement"]["accuracy"] > 0.9
