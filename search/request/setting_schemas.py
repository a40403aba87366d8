"""What each setting of a study file may be, as JSON schema: types for the validators of a study request."""

from collections.abc import Callable, Mapping
from typing import Annotated, Any

from runners.measuring.measurement import QUANTITIES
from runners.workload_loading.image_settings import settings_schema
from search.objectives.constraint import CONSTRAINT_SCHEMA
from search.request.serving_use import SERVE_SCHEMA
from search.request.space_file import space_schema
from search.request.units import DURATION_SCHEMA

MAX_OBJECTIVES = 3
NAME_PATTERN = r"[A-Za-z0-9_][A-Za-z0-9._-]{0,99}"
"""What the name of a study looks like: it can be a file's name, and is never taken for a folder or an option."""
MOST = 2**32 - 1
"""The largest seed that NumPy's generators take, and the largest number of trials."""


class _Schema:
    """What a setting may be as JSON schema, for `pydantic.BaseModel.model_json_schema`.

    Args:
        make: Gives the schema; called when somebody asks for it.
    """

    def __init__(self, make: Callable[[], Mapping[str, Any]]) -> None:
        self._make = make

    def __get_pydantic_json_schema__(self, core_schema: Any, handler: Any) -> dict[str, Any]:
        """The schema, which is pydantic's own way to ask for it."""
        return dict(self._make())


def _one_or_more(schema: Mapping[str, Any], most: int | None = None) -> dict[str, Any]:
    """The schema of a list, or of one value of it without brackets."""
    limits = {} if most is None else {"minItems": 1, "maxItems": most, "uniqueItems": True}
    return {"anyOf": [schema, {"type": "array", "items": schema, **limits}]}


Name = Annotated[str, _Schema(lambda: {"type": "string", "pattern": f"^{NAME_PATTERN}$"})]
WorkloadReference = Annotated[Any, _Schema(lambda: {"anyOf": [{"type": "string", "minLength": 1}, settings_schema()]})]
Space = Annotated[Any, _Schema(space_schema)]
Duration = Annotated[Any, _Schema(lambda: DURATION_SCHEMA)]
Objectives = Annotated[Any, _Schema(lambda: _one_or_more({"enum": list(QUANTITIES)}, MAX_OBJECTIVES))]
Constraints = Annotated[Any, _Schema(lambda: _one_or_more(CONSTRAINT_SCHEMA))]
Serve = Annotated[Any, _Schema(lambda: SERVE_SCHEMA)]
Location = Annotated[str, _Schema(lambda: {"type": "string", "pattern": r"\S"})]
