"""What to try next, and the command line.

`search_study`, `load_front` and what belongs to them, for notebooks and scripts, come from `search.notebook`, which is
imported when one of them is asked for: the command line has to start at once.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from search.notebook import Front, RequestError, StudyRequest, WorkFailed, load_front, search_study

__all__ = ["Front", "RequestError", "StudyRequest", "WorkFailed", "load_front", "search_study"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        return getattr(import_module("search.notebook"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
