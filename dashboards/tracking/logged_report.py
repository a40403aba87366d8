"""The report of a study as a file of its run in MLflow, which a page that shows less does not replace."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from dashboards.tracking.mlflow_store import MlflowStore

REPORT = "report.html"
_WHOLE_OF = "frontrunner.report_of"
"""The tag that says of which trials a whole report was logged."""


def log_whole_report(store: MlflowStore, run_id: str, page: str, document: Mapping[str, Any]) -> None:
    """Write the ``page`` of a report ``document`` that has all, in the place of an earlier one."""
    store.client.log_text(run_id, page, REPORT)
    store.client.set_tag(run_id, _WHOLE_OF, _trials_of(document))


def has_whole_report(store: MlflowStore, run_id: str, document: Mapping[str, Any]) -> bool:
    """Whether the run has a whole report of the same trials as the report ``document``, measured as they are there."""
    tags = store.client.get_run(run_id).data.tags
    return bool(tags.get(_WHOLE_OF) == _trials_of(document))


def _trials_of(document: Mapping[str, Any]) -> str:
    """A digest of the trials with their states and figures."""
    trials = [[one["trial"], one["state"], one["measurement"]] for one in document["all"]]
    return hashlib.sha256(json.dumps(trials, sort_keys=True).encode()).hexdigest()[:16]
