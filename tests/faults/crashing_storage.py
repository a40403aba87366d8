"""A storage of studies whose process dies at a write that is chosen, before or after the write is kept."""

from typing import Any

import optuna

WRITES = (
    "create_new_study",
    "set_study_user_attr",
    "set_study_system_attr",
    "create_new_trial",
    "set_trial_param",
    "set_trial_user_attr",
    "set_trial_system_attr",
    "set_trial_intermediate_value",
    "set_trial_state_values",
)


class Died(BaseException):
    """The process of the driver is gone; nothing in it may handle that."""


class CrashingStorage(optuna.storages.InMemoryStorage):
    """Keeps all that was written, as a database does when the process that uses it dies.

    Attributes:
        left: Writes until the process dies; None where it does not.
        kept: Whether the last of them is kept.
    """

    def __init__(self) -> None:
        super().__init__()
        self.left: int | None = None
        self.kept = True

    def dies_at(self, write: int | None, *, kept: bool = True) -> None:
        """Let the process die at this write from now on, counted from 0."""
        self.left, self.kept = write, kept


def _dying(name: str) -> Any:
    method = getattr(optuna.storages.InMemoryStorage, name)

    def write(self: CrashingStorage, *given: Any, **named: Any) -> Any:
        if self.left is None:
            return method(self, *given, **named)
        self.left -= 1
        if self.left >= 0:
            return method(self, *given, **named)
        if self.kept:
            method(self, *given, **named)
        raise Died(name)

    return write


for _name in WRITES:
    setattr(CrashingStorage, _name, _dying(_name))
