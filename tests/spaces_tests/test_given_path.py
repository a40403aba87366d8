"""A path that a person wrote becomes absolute, or is one sentence."""

from pathlib import Path

import pytest

from spaces.given_path import given_path
from spaces.setting_error import SettingError


def test_a_relative_path_starts_from_the_folder_that_is_given(tmp_path: Path) -> None:
    assert given_path("a/../b.yaml", tmp_path) == tmp_path / "b.yaml"
    assert given_path("~/b.yaml", tmp_path) == Path.home().resolve() / "b.yaml"
    assert given_path("/b.yaml", tmp_path) == Path("/b.yaml")


@pytest.mark.parametrize("given", ["a\0b", "x" * 300, "~nobody-of-that-name/x"])
def test_a_name_that_nothing_can_have_is_refused(given: str, tmp_path: Path) -> None:
    with pytest.raises(SettingError, match=r"^cannot be looked for \(.*\); give another path$"):
        given_path(given, tmp_path)
