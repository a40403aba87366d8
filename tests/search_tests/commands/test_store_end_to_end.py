"""A complete search on a stage store at a URL: its results can be exported, and are built again where lost."""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from search_tests.command import document, frontrunner

from runners.store.remote_store import COPIES

pytestmark = pytest.mark.slow  # two whole searches; the store itself is tested in runners_tests/store
STUDY = "workload: synthetic\ntrials: 3\nspace:\n  student_width: [1.0, 0.5]\n  runtime: [eager, onnxruntime]\n"


@dataclass(frozen=True)
class Searched:
    """A finished search.

    Attributes:
        folder: Where its home lies.
        document: Its front.
    """

    folder: Path
    document: dict[str, Any]

    def run(self, *arguments: object) -> Any:
        """Run a command as on a machine whose working copy is in the folder ``copies``."""
        return frontrunner(*arguments, cwd=self.folder, **{COPIES: str(self.folder / "copies")})

    def cache(self, *arguments: object) -> Any:
        """Its document about the remote store."""
        return document(self.run("cache", *arguments, "--stage-store", f"file://{self.folder}/remote", "--json"))


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory) -> Searched:
    folder = tmp_path_factory.mktemp("search")
    (folder / "study.yaml").write_text(STUDY)
    made = Searched(folder, {})
    store = f"file://{folder}/remote"
    done = made.run("search", "study.yaml", "--home", "home", "--stage-store", store, "--json")
    return Searched(folder, document(done))


def test_a_search_keeps_its_results_at_the_url_and_is_no_user_of_them_any_more(searched: Searched) -> None:
    found = searched.cache()
    assert {"teacher", "training", "lowering", "measuring"} <= set(found["stages"])
    assert found["in_use_by"] == []
    assert found["quarantine"]["entries"] == 0
    assert not any((searched.folder / "home" / "stages").rglob("*.json"))


def test_a_front_is_exported_by_a_machine_that_has_nothing_yet_and_evicted_last(searched: Searched) -> None:
    entries = {entry["key"]: entry for entry in searched.cache("list")["entries"]}
    removed = searched.cache("prune", "--to", "32KiB")["removed"]
    left = set(entries) - set(removed)
    assert {entries[key]["stage"] for key in removed} >= {"training"}
    assert "lowering" in {entries[key]["stage"] for key in left}
    shutil.rmtree(searched.folder / "copies")
    done = searched.run("export", "synthetic", "--to", "first", "--home", "home", "--pick", "fastest")
    assert done.returncode == 0, done.stderr


def test_a_front_that_was_lost_is_made_again_by_resume(searched: Searched) -> None:
    searched.cache("prune", "--to", "0")
    assert searched.cache()["entries"] == 0
    export = ("export", "synthetic", "--to", "second", "--home", "home", "--pick", "fastest")
    done = searched.run(*export)
    assert done.returncode == 1
    assert f"`frontrunner resume synthetic --home {searched.folder / 'home'}` builds it again" in done.stderr
    assert not (searched.folder / "second").exists()
    resumed = searched.run("resume", "synthetic", "--home", "home", "--json")
    assert document(resumed)["trials"] == searched.document["trials"]
    assert "making it again" in resumed.stderr
    done = searched.run(*export)
    assert done.returncode == 0, done.stderr
    assert os.listdir(searched.folder / "second")
