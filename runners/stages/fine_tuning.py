"""Train a network between two changes of it: no other trial competes with it there."""

from runners.stages.training import run

__all__ = ["run"]
