"""Records are sent in order, also after outages and refusals."""

import json
import logging
import time

import pytest

from dashboards.tracking.spool import Spool
from dashboards.tracking.spool_writer import Refused, SpoolWriter

pytestmark = pytest.mark.faults("mlflow away")


class Ledger:
    """A receiver that lists what it takes; a test makes it unreachable or lets it refuse a record."""

    def __init__(self):
        self.taken = []
        self.runs = {}
        self.away = False
        self.refuses = None
        self.connected = 0

    def connect(self):
        self.connected += 1
        if self.away:
            raise ConnectionError("nobody is there")
        return self

    def take(self, record, superseded):
        if self.away:
            raise ConnectionError("nobody is there")
        if record["n"] == self.refuses:
            raise Refused("never")
        self.taken.append((record["n"], superseded))
        self.runs[record["n"]] = f"run-{record['n']}"


def _write(tmp_path, ledger, *numbers):
    spool = Spool(tmp_path, "here")
    for number in numbers:
        spool.append({"kind": "k", "n": number})
    return spool, SpoolWriter(spool, ledger.connect)


def test_records_arrive_in_order_and_the_runs_are_kept(tmp_path):
    ledger = Ledger()
    spool, writer = _write(tmp_path, ledger, 1, 2, 3)
    assert writer.close(10)
    assert ledger.taken == [(1, True), (2, True), (3, False)]
    assert spool.sent.runs == {1: "run-1", 2: "run-2", 3: "run-3"}
    assert not Spool(tmp_path, "here").pending()


def test_a_writer_that_is_held_sends_nothing_before_it_is_flushed(tmp_path):
    ledger = Ledger()
    spool = Spool(tmp_path, "here")
    writer = SpoolWriter(spool, ledger.connect, held=True)
    for number in (1, 2):
        spool.append({"kind": "k", "n": number})
        writer.wake()
    time.sleep(0.2)
    assert ledger.connected == 0
    assert writer.flush(10)
    assert writer.close(10)
    assert [number for number, _ in ledger.taken] == [1, 2]


def test_a_writer_that_is_closed_while_it_is_held_leaves_the_records_to_the_next(tmp_path):
    ledger = Ledger()
    spool = Spool(tmp_path, "here")
    spool.append({"kind": "k", "n": 1})
    assert not SpoolWriter(spool, ledger.connect, held=True).close(10)
    assert ledger.connected == 0
    assert SpoolWriter(Spool(tmp_path, "here"), ledger.connect).close(10)
    assert [number for number, _ in ledger.taken] == [1]


def test_an_outage_is_one_warning_and_nothing_is_lost(tmp_path, caplog):
    ledger = Ledger()
    ledger.away = True
    with caplog.at_level(logging.WARNING):
        _, writer = _write(tmp_path, ledger, 1, 2)
        assert not writer.flush(2.5)
        assert ledger.connected > 1
        assert [record.getMessage() for record in caplog.records] == (
            ["MLflow cannot be reached, records wait in the spool: nobody is there"]
        )
        ledger.away = False
        assert writer.close(10)
    assert [number for number, _ in ledger.taken] == [1, 2]


def test_records_that_are_left_at_closing_are_sent_by_the_next_writer(tmp_path):
    ledger = Ledger()
    ledger.away = True
    _, writer = _write(tmp_path, ledger, 1, 2)
    assert not writer.close(0.2)
    ledger.away = False
    assert SpoolWriter(Spool(tmp_path, "here"), ledger.connect).close(10)
    assert [number for number, _ in ledger.taken] == [1, 2]


def test_a_refused_record_is_sent_twice_and_then_written_to_its_own_file(tmp_path):
    ledger = Ledger()
    ledger.refuses = 2
    _, writer = _write(tmp_path, ledger, 1, 2, 3)
    assert writer.close(10)
    assert [number for number, _ in ledger.taken] == [1, 3]
    assert ledger.connected == 2
    assert json.loads((tmp_path / "refused.jsonl").read_text())["record"]["n"] == 2


def test_an_incomplete_line_is_skipped(tmp_path):
    Spool(tmp_path, "here").append({"kind": "k", "n": 1})
    with (tmp_path / "records.jsonl").open("a") as file:
        file.write('{"kind": "k", "n"')
    ledger = Ledger()
    _, writer = _write(tmp_path, ledger, 2)
    assert writer.close(10)
    assert [number for number, _ in ledger.taken] == [1, 2]
