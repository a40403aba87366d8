"""How small a difference in speed may be believed in a study, found by timing its baseline against itself."""

from search.driver.machine_baseline import MachineBaselines
from search.driver.search_context import SearchContext


def find_timing_resolution(search: SearchContext, baselines: MachineBaselines) -> bool:
    """Find it out and keep it with the study, once, or by every driver anew until it is trusted.

    Args:
        search: The study and what it needs; the runner has nothing else to do.
        baselines: Learns what was seen of the machine.

    Returns:
        Whether anything is known now that was not before.
    """
    study, observer = search.study, search.observer
    known = study.user_attrs.get("calibration", {})
    if "resolution" in known and not known["unstable"]:
        return False
    occasion = known.get("occasion", -1) + 1
    observer.stage_started(0, "calibrating")
    outcome = baselines.carry_out_alone(search.runner, search.chains.calibrating(study.study_name, occasion))
    observer.stage_ended(0, "calibrating", outcome.seconds, outcome.from_store)
    if outcome.failure:
        observer.note(f"how small a difference may be believed is not known: {outcome.failure}")
        study.set_user_attr("calibration", {**known, "unstable": outcome.failure, "occasion": occasion})
        return False
    study.set_user_attr("calibration", {**outcome.result, "occasion": occasion})
    return True
