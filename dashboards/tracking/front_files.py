"""The front of a study as files of its run: document, table, CSV and figure."""

import json
from collections.abc import Mapping
from typing import Any

from dashboards.figures.front_history import FrontHistory
from dashboards.figures.front_points import FrontPoints
from dashboards.front_rows import front_csv
from dashboards.report.front_page import figure_html
from dashboards.tracking.front_columns import front_columns
from dashboards.tracking.mlflow_store import MlflowStore
from dashboards.tracking.run_text import study_note

_TABLE = "front_table.json"


def log_front(store: MlflowStore, run_id: str, record: Mapping[str, Any]) -> dict[str, str]:
    """Write the front as table, JSON and page; ``log_table`` would append to the previous table.

    Args:
        store: Where to.
        run_id: The run of the study.
        record: The front ``document``, the ``points`` that the figure shows, and the ``history`` of the front.

    Returns:
        The tags of the run that go with them: its description, and which file is a table.
    """
    client, document, points = store.client, record["document"], FrontPoints.from_json(record["points"])
    history = FrontHistory.from_json(record["history"]) if record.get("history") else None
    client.log_dict(run_id, dict(document), "front.json")
    client.log_text(run_id, front_csv(document), "front.csv")
    client.log_dict(run_id, front_columns(document), _TABLE)
    client.log_text(run_id, figure_html(points, history), "front.html")
    return {
        "mlflow.loggedArtifacts": json.dumps([{"path": _TABLE, "type": "table"}]),
        "mlflow.note.content": study_note(document),
    }
