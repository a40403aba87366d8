"""Records survive crashes, incomplete lines and damaged files."""

import json

import pytest

from dashboards.tracking.spool import Sent, Spool, read_run_ids, read_sent

pytestmark = pytest.mark.faults("torn write")


def _kinds(spool):
    return [record.get("kind") for record, _ in spool.unsent()]


def _fill(folder, *kinds, address="here"):
    spool = Spool(folder, address)
    for kind in kinds:
        spool.append({"kind": kind})
    return spool


def test_what_was_appended_is_there_after_a_crash(tmp_path):
    _fill(tmp_path, "a", "b")  # never closed
    assert _kinds(Spool(tmp_path, "here")) == ["a", "b"]


def test_an_incomplete_last_line_is_the_only_loss(tmp_path):
    _fill(tmp_path, "a", "b").close()
    path = tmp_path / "records.jsonl"
    path.write_bytes(path.read_bytes()[:-5])
    again = _fill(tmp_path, "c")
    assert _kinds(again) == ["a", None, "c"]
    assert again.unsent()[-1][1] == path.stat().st_size


def test_a_whole_record_without_its_newline_is_kept(tmp_path):
    _fill(tmp_path, "a").close()
    path = tmp_path / "records.jsonl"
    path.write_bytes(path.read_bytes()[:-1])
    assert _kinds(_fill(tmp_path, "b")) == ["a", "b"]


def test_what_was_sent_is_remembered_for_its_address_alone(tmp_path):
    spool = _fill(tmp_path, "a", "b")
    spool.sent_until(spool.unsent()[0][1], {7: "run-7"})
    assert _kinds(Spool(tmp_path, "here")) == ["b"]
    assert Spool(tmp_path, "here").sent.runs == {7: "run-7"}
    assert _kinds(Spool(tmp_path, "elsewhere")) == ["a", "b"]


def test_run_ids_can_be_read_by_any_process(tmp_path):
    assert read_run_ids(tmp_path / "nowhere") == {}
    spool = _fill(tmp_path, "a")
    spool.sent_until(spool.unsent()[0][1], {3: "run-3"})
    assert read_run_ids(tmp_path) == {3: "run-3"}


def test_a_record_writes_its_own_run_alone(tmp_path):
    spool = _fill(tmp_path, *"abc")
    runs, sizes = {}, []
    for number, (_, end) in enumerate(spool.unsent()):
        runs[number] = f"run-{number}"
        spool.sent_until(end, runs)
        sizes.append(((tmp_path / "runs.jsonl").stat().st_size, (tmp_path / "sent.json").stat().st_size))
    first, second, third = sizes
    assert third[0] - second[0] == second[0] - first[0] == first[0]
    assert first[1] == second[1] == third[1]
    assert read_run_ids(tmp_path) == runs


def test_runs_of_an_earlier_version_and_a_line_that_a_crash_left_incomplete_lose_no_other_run(tmp_path):
    spool = _fill(tmp_path, "a", "b")
    ends = [end for _, end in spool.unsent()]
    (tmp_path / "sent.json").write_text(json.dumps({"address": "here", "offset": ends[0], "runs": {"1": "one"}}))
    (tmp_path / "runs.jsonl").write_text('[2, "tw')
    again = Spool(tmp_path, "here")
    again.sent_until(ends[1], {3: "three"})
    assert read_run_ids(tmp_path) == Spool(tmp_path, "here").sent.runs == {1: "one", 3: "three"}


def test_runs_of_another_address_are_forgotten(tmp_path):
    spool = _fill(tmp_path, "a")
    spool.sent_until(spool.unsent()[0][1], {1: "one"})
    moved = Spool(tmp_path, "elsewhere")
    moved.sent_until(moved.unsent()[0][1], {2: "two"})
    assert read_run_ids(tmp_path) == {2: "two"}
    moved.send_again()
    assert read_run_ids(tmp_path) == {}


@pytest.mark.parametrize(
    "damage", ["", "{", "[]", '{"address": "here"}', '{"address": "here", "offset": 1, "runs": 3}']
)
def test_a_damaged_sent_file_means_that_nothing_was_sent(tmp_path, damage):
    spool = _fill(tmp_path, "a")
    spool.sent_until(spool.unsent()[0][1], {})
    (tmp_path / "sent.json").write_text(damage)
    assert read_sent(tmp_path) == Sent()
    assert _kinds(Spool(tmp_path, "here")) == ["a"]


def test_a_sent_file_with_an_impossible_offset_means_that_nothing_was_sent(tmp_path):
    spool = _fill(tmp_path, "a")
    spool.sent_until(10_000, {})
    assert _kinds(Spool(tmp_path, "here")) == ["a"]


def test_a_line_that_could_not_be_written_completely_is_removed(tmp_path, monkeypatch):
    spool = _fill(tmp_path, "a")
    before = (tmp_path / "records.jsonl").read_bytes()

    def full(descriptor):
        raise OSError("no space left on device")

    monkeypatch.setattr("dashboards.tracking.spool.os.fsync", full)
    with pytest.raises(OSError, match="no space"):
        spool.append({"kind": "b"})
    assert (tmp_path / "records.jsonl").read_bytes() == before


def test_a_refused_record_is_kept_with_its_reason(tmp_path):
    spool = _fill(tmp_path, "a")
    spool.refuse({"kind": "a"}, "too long")
    assert json.loads((tmp_path / "refused.jsonl").read_text()) == {"reason": "too long", "record": {"kind": "a"}}
