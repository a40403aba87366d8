"""The report document of a study, with the commands that make it again."""

from collections.abc import Mapping
from typing import Any

import optuna
import yaml

from search.commands.hints import explain_command, export_command, report_command
from search.commands.reopened import given_settings
from search.explain.report_document import report_document
from search.front.front_document import Document
from search.request.locations import Locations
from search.study.attributes import BUDGETS

MOST_EXPORTS = 6


def study_report(
    study: optuna.Study, locations: Locations, run_ids: Mapping[int, str], *, importance: bool = True
) -> Document:
    """The report document of ``study`` with its ``commands``; the arguments are those of `report_document`."""
    document = report_document(study, run_ids, importance=importance)
    return {**document, "commands": _commands(study, document, locations)}


def _commands(study: optuna.Study, document: Mapping[str, Any], locations: Locations) -> dict[str, Any]:
    """The commands that make the study, its exports and its explanations again."""
    budgets = {name: value for name, value in study.user_attrs.get(BUDGETS, {}).items() if value is not None}
    settings = {name: value for name, value in given_settings(study).items() if value not in ([], None)}
    made = {"study": study.study_name, **settings, **budgets}
    numbers = [member["trial"] for member in document["front"]][:MOST_EXPORTS]
    exports = [export_command(study.study_name, locations, "--pick", str(number)) for number in numbers]
    explained = next((n for n in numbers if n), None)
    return {
        "study_file": yaml.safe_dump(made, sort_keys=False, allow_unicode=True, width=100),
        "search": "frontrunner search study.yaml",
        "exports": exports,
        "explain": explain_command(study.study_name, locations, explained),
        "report": report_command(study.study_name, locations),
    }
