"""Whether a search times trainings, and where it cannot."""

from search.request.study_request import StudyRequest
from spaces.environment import Environment
from spaces.errors import RequestError
from spaces.plans import TRAINING_SPEED


def times_training(request: StudyRequest, machine: Environment) -> bool:
    """Whether trainings are timed for ``request``.

    The seconds of a training that cannot be taken apart into steps are those that were spent on it.

    Raises:
        RequestError: Its throughput is asked for, and nothing is trained step by step.
    """
    wanted = set(TRAINING_SPEED) & set(request.quantities)
    reason = _why_not(request, machine)
    if "train_throughput_per_s" in wanted and reason:
        raise RequestError(f"train_throughput_per_s: {reason}; leave it out of the objectives and constraints")
    return bool(wanted) and reason is None


def _why_not(request: StudyRequest, machine: Environment) -> str | None:
    if machine.cannot_train:
        return machine.cannot_train
    if machine.own_fit:
        return "the workload has a training loop of its own (fit), whose steps cannot be timed"
    return "nothing is trained in a space that is tried as a whole" if request.everything else None
