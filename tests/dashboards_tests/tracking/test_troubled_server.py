"""A tracking server that answers errors, or does not answer: the search is not kept, and no record is lost."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from dashboards.tracking.mlflow_store import RunLocation
from dashboards.tracking.tracker import Tracker, TrialResult

pytestmark = pytest.mark.faults("mlflow away")

PLAIN = {"student_width": 1.0, "runtime": "eager"}
RECORDS = 30


class Troubled(ThreadingHTTPServer):
    """Answers every request with an error, or keeps it waiting until ``over`` is set."""

    def __init__(self, *, waits: bool) -> None:
        self.asked, self.over = threading.Event(), threading.Event()
        troubled = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                troubled.asked.set()
                if waits:
                    troubled.over.wait(30)
                self.send_error(503)

            do_POST = do_GET

            def log_message(self, *details: object) -> None:
                """Print nothing."""

        super().__init__(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()


@pytest.fixture(params=["errors", "silence"])
def server(request: pytest.FixtureRequest) -> Iterator[Troubled]:
    with Troubled(waits=request.param == "silence") as server:
        yield server
        server.over.set()
        server.shutdown()


def test_nothing_waits_for_a_server_in_trouble_and_the_records_are_there_afterwards(
    server: Troubled, tmp_path: Path, home: Path, caplog: pytest.LogCaptureFixture
) -> None:
    tracker = Tracker(RunLocation("s", "e", f"http://127.0.0.1:{server.server_port}"), tmp_path / "spool")
    tracker.study_started({"trials": RECORDS})
    assert server.asked.wait(60), "MLflow has asked, and has no good answer"
    for number in range(RECORDS):
        tracker.trial_finished(TrialResult(number, PLAIN, failure="it failed"))
    assert not server.over.is_set()
    assert not tracker.close(0.1)
    assert len([record for record in caplog.records if "records wait in the spool" in record.getMessage()]) <= 1
    server.over.set()
    again = Tracker(RunLocation("s", "e", f"sqlite:///{home}/mlflow.db", str(home / "mlartifacts")), tmp_path / "spool")
    again.study_ended("finished")
    assert again.flush(120)
    assert again.close(10)
    assert sorted(again.run_ids()) == list(range(RECORDS))
    import mlflow

    client = mlflow.MlflowClient(f"sqlite:///{home}/mlflow.db")
    (experiment,) = [each for each in client.search_experiments() if each.name == "e"]
    runs = client.search_runs([experiment.experiment_id], max_results=1000)
    assert len(runs) == RECORDS + 1, "each once, below the run of the study"
    assert "RUNNING" not in {run.info.status for run in runs}
