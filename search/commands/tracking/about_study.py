"""What it takes to run a study again: its study file, the command, the versions and the data."""

import platform
import re
import shlex
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

import optuna
import yaml

from runners.machine.device import usable_cores
from search.commands.reopened import given_settings
from search.study.attributes import BUDGETS, ENVIRONMENT, FACTS, SETTINGS
from spaces.credentials import without_credentials


def about_study(study: optuna.Study) -> dict[str, Any]:
    """``command``, ``study_file``, ``environment`` and ``data`` of ``study``, as plain JSON types."""
    facts = study.user_attrs[FACTS]
    return {
        "command": command_line(),
        "study_file": study_file(study),
        "environment": environment(study),
        "data": {
            "name": facts["name"],
            "fingerprint": facts["fingerprint"],
            "source": study.user_attrs[SETTINGS]["workload"],
            "examples": facts.get("examples") or {},
        },
    }


def study_file(study: optuna.Study) -> str:
    """The study file that asks for ``study``: all of its settings, whatever part of them options gave."""
    budgets = {name: value for name, value in study.user_attrs[BUDGETS].items() if value is not None}
    return yaml.safe_dump({"study": study.study_name, **given_settings(study), **budgets}, sort_keys=False)


def command_line() -> str:
    """The command that runs, without passwords; empty where it is not the command line of this program."""
    program, *words = sys.argv
    if Path(program).name not in ("frontrunner", "__main__.py"):
        return ""
    return shlex.join(["frontrunner", *map(without_credentials, words)])


def environment(study: optuna.Study) -> dict[str, Any]:
    """The machine and the versions of the packages that this program needs, those that are installed."""
    return {
        "device": study.user_attrs[ENVIRONMENT]["device"],
        "platform": platform.platform(),
        "cores": usable_cores(),
        "python": platform.python_version(),
        "packages": dict(_packages()),
    }


def _packages() -> Iterator[tuple[str, str]]:
    for line in ("frontrunner", *(metadata.requires("frontrunner") or ())):
        name = re.split(r"[^\w.-]", line, maxsplit=1)[0]
        try:
            yield name, metadata.version(name)
        except metadata.PackageNotFoundError:  # of an extra
            continue
