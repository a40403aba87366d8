"""The front of a study as files of its run: document, table, CSV, figure and picture."""

import json
import logging
from collections.abc import Mapping
from typing import Any

from dashboards.figures.front_history import FrontHistory
from dashboards.figures.front_points import FrontPoints
from dashboards.front_rows import front_csv
from dashboards.report.front_page import figure_html
from dashboards.tracking.front_columns import front_columns
from dashboards.tracking.front_png import front_png
from dashboards.tracking.mlflow_store import MlflowStore
from dashboards.tracking.run_text import study_note
from spaces.errors import in_one_line

_TABLE, _PICTURE = "front_table.json", "front.png"
_log = logging.getLogger(__name__)


def log_front(store: MlflowStore, run_id: str, record: Mapping[str, Any]) -> dict[str, str]:
    """Write the front as table, JSON, page and picture; ``log_table`` would append to the previous table.

    Args:
        store: Where to.
        run_id: The run of the study.
        record: The front ``document``, the ``points`` that the figure shows, and the ``history`` of the front.

    Returns:
        The tags of the run that go with them: its description, and which file is a table.
    """
    document, points = record["document"], FrontPoints.from_json(record["points"])
    history = FrontHistory.from_json(record["history"]) if record.get("history") else None
    files = {
        "front.json": json.dumps(document, indent=2).encode(),
        "front.csv": front_csv(document).encode(),
        _TABLE: json.dumps(front_columns(document)).encode(),
        "front.html": figure_html(points, history).encode(),
        **_picture(points),
    }
    store.log_files(run_id, files)
    address = f"get-artifact?path={_PICTURE}&run_uuid={run_id}" if _PICTURE in files else ""
    return {
        "mlflow.loggedArtifacts": json.dumps([{"path": _TABLE, "type": "table"}]),
        "mlflow.note.content": study_note(document, address),
    }


def _picture(points: FrontPoints) -> dict[str, bytes]:
    """The picture by its name; none where it cannot be drawn, as a search goes on without it."""
    try:
        return {_PICTURE: front_png(points)}
    except Exception as error:
        _log.warning("the front has no picture in MLflow: %s", in_one_line(error))
        return {}
