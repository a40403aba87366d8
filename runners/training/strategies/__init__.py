"""How workers share the training of one network: one file for each strategy, which declares it as ``STRATEGY``."""

import sys
from importlib import import_module

from runners.training.strategies import single
from runners.training.strategy import Strategy
from spaces.discovery import walk
from spaces.plans import TrainingPlan


def all_strategies() -> dict[str, Strategy]:
    """Every strategy by its name."""
    return walk(sys.modules[__name__], "STRATEGY")


def find_strategy(name: str) -> Strategy:
    """The strategy of that name; only its own file is imported, since some import much of torch."""
    found: Strategy = import_module(module_of(name)).STRATEGY
    return found


def module_of(name: str) -> str:
    """The module that declares the strategy of that name."""
    return f"{__name__}.{name.replace('-', '_')}"


def strategy_of(plan: TrainingPlan) -> Strategy:
    """The strategy of ``plan``; one worker has nothing to share."""
    return single.STRATEGY if plan.workers == 1 else find_strategy(plan.strategy)
