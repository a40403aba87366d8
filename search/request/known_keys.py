"""The keys that a study file may have, and where in it each belongs."""

from runners.workload_loading.image_settings import KEYS
from search.request.study_request import StudyRequest
from spaces.space_document import all_techniques


def misplaced(key: str, inside: str) -> str:
    """The sentence on a key that is known in another place of a study file; empty where it is not.

    Args:
        key: The key.
        inside: The setting that holds it; empty for a key of the file itself.
    """
    places = {
        "": tuple(StudyRequest.model_fields),
        "workload": KEYS,
        "space": tuple(parameter.name for technique in all_techniques() for parameter in technique.parameters),
    }
    known = [place for place, keys in places.items() if key in keys]
    if not known or inside in known:
        return ""
    there = f"under {known[0]}" if known[0] else "at the top of the study file, without indentation"
    return f"the key {key!r} does not belong {f'in {inside}' if inside else 'here'}; write it {there}"
