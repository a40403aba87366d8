"""The JSON schema of a study file, by which editors complete keys and mark what is wrong."""

from typing import Any

from search.request.study_request import StudyRequest

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def study_schema() -> dict[str, Any]:
    """The JSON schema of a study file.

    It is made of the definitions by which a study file is checked, so whatever a search takes is valid by it. A search
    also looks for files and folders, which a schema cannot.
    """
    schema = StudyRequest.model_json_schema()
    settings = {
        name: {key: value for key, value in setting.items() if key != "title" and (key, value) != ("default", None)}
        for name, setting in schema["properties"].items()
    }
    return {
        "$schema": DIALECT,
        "title": "Study file of Frontrunner",
        "type": "object",
        "properties": settings,
        "additionalProperties": False,
        "minProperties": 1,
    }
