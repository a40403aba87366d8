"""The timing resolution of a study: the smallest relative difference in speed that is significant on its machine.

It is found by timing the baseline against itself.
"""

from search.driver.search_context import SearchContext
from search.study.attributes import TIMING_RESOLUTION


def measure_timing_resolution(search: SearchContext) -> bool:
    """Measure the timing resolution and keep it with the study: once, or by every driver anew until it is trusted.

    Args:
        search: The study and what it needs; the runner has nothing else to do.

    Returns:
        Whether anything is known now that was not before.
    """
    study, observer = search.study, search.observer
    known = study.user_attrs.get(TIMING_RESOLUTION, {})
    if "resolution" in known and not known["unstable"]:
        return False
    occasion = known.get("occasion", -1) + 1
    task = search.chains.calibrating(study.study_name, occasion)
    observer.stage_started(0, task.stage)
    outcome = search.run_alone(task)
    observer.stage_ended(0, task.stage, outcome.seconds, outcome.from_store)
    if outcome.failure:
        observer.note(f"how small a difference may be believed is not known: {outcome.failure}")
        study.set_user_attr(TIMING_RESOLUTION, {**known, "unstable": outcome.failure, "occasion": occasion})
        return False
    study.set_user_attr(TIMING_RESOLUTION, {**outcome.result, "occasion": occasion})
    return True
