"""Every technique keeps the contract, and for each rule a technique that breaks it is rejected."""

from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any, ClassVar

import pytest
import torch
from spaces_tests import technique_contract as contract
from spaces_tests.technique_contract import RULES, Rule
from torch import nn

from spaces.configuration import Scalar
from spaces.environment import Environment
from spaces.model_context import ModelContext
from spaces.plans import TrainingPlan
from spaces.space_document import all_techniques
from spaces.steps import Change, Step, Train
from spaces.technique import Earlier, Parameter, Stage, Technique

Settings = Mapping[str, Scalar]


@pytest.mark.usefixtures("uncompiled")
@pytest.mark.parametrize("technique", all_techniques(), ids=lambda technique: technique.name)
@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_every_technique_keeps_every_rule(rule: Rule, technique: Technique) -> None:
    rule(technique, all_techniques())


class Sound(Technique):
    """Keeps every rule: trains longer. The broken ones below differ from it, or from `SoundCrop`, in one point."""

    name = "longer_training"
    stage = Stage.TRAIN
    parameters: ClassVar[tuple[Parameter, ...]] = (Parameter("epochs_factor", (1, 2), 1, "1 or 2"),)

    def apply(self, subject: Any, settings: Settings, context: ModelContext | None) -> Any:
        return replace(subject, epochs=subject.epochs * int(settings["epochs_factor"]))


class SoundCrop(Technique):
    """Keeps every rule: halves the first layer's weights."""

    name = "halved_weights"
    stage = Stage.PRUNE
    parameters = (Parameter("halved_weights", (0, 1), 0, "0 or 1"),)

    def apply(self, subject: Any, settings: Settings, context: ModelContext | None) -> Any:
        with torch.no_grad():
            subject[0].weight.mul_(0.5)
        return subject


class TakenName(Sound):
    parameters = (Parameter("student_width", (1, 2), 1, "1 or 2"),)

    def apply(self, subject: Any, settings: Settings, context: ModelContext | None) -> Any:
        return replace(subject, epochs=subject.epochs * int(settings["student_width"]))


class NoParameters(Sound):
    parameters = ()


class UnsupportedNeutral(Sound):
    def unsupported(self, parameter: Parameter, value: Scalar, earlier: Earlier, environment: Environment) -> str:
        return "needs a machine that nobody has"


class RefusedNeutral(Sound):
    def accepts(self, parameter: Parameter, value: Scalar) -> bool:
        return value == 2


class RefusedChoice(Sound):
    def accepts(self, parameter: Parameter, value: Scalar) -> bool:
        return value == 1


class AcceptsAnything(Sound):
    def accepts(self, parameter: Parameter, value: Scalar) -> bool:
        return True


class UnchangedPlan(Sound):
    def apply(self, subject: Any, settings: Settings, context: ModelContext | None) -> Any:
        return subject


class UnchangedForOneValue(Sound):
    parameters = (Parameter("epochs_factor", (1, 2, 3), 1, "1 to 3"),)

    def apply(self, subject: Any, settings: Settings, context: ModelContext | None) -> Any:
        return subject if settings["epochs_factor"] == 3 else super().apply(subject, settings, context)


class UnchangedNetwork(SoundCrop):
    def apply(self, subject: Any, settings: Settings, context: ModelContext | None) -> Any:
        return subject


class AnotherKindOfPlan(Sound):
    def apply(self, subject: Any, settings: Settings, context: ModelContext | None) -> Any:
        return asdict(super().apply(subject, settings, context))


class OtherOutputs(SoundCrop):
    def apply(self, subject: Any, settings: Settings, context: ModelContext | None) -> Any:
        subject[8] = nn.Linear(16, 3)
        return subject


class LooksAhead(Sound):
    def unsupported(
        self, parameter: Parameter, value: Scalar, earlier: Earlier, environment: Environment
    ) -> str | None:
        return "int8 trains badly" if earlier.choices.get("numeric_precision") == "int8" else None


class LooksAheadForRelevance(Sound):
    def relevant(self, parameter: Parameter, earlier: Earlier, environment: Environment) -> bool:
        return "runtime" not in earlier.choices


class LooksAtItself(Sound):
    def relevant(self, parameter: Parameter, earlier: Earlier, environment: Environment) -> bool:
        return earlier.choices.get("epochs_factor", 1) == 1


class Misspells(Sound):
    def relevant(self, parameter: Parameter, earlier: Earlier, environment: Environment) -> bool:
        return earlier.choices.get("student_widht", 1.0) != 1.0


class LooksAheadAfterOneChoice(Sound):
    def unsupported(
        self, parameter: Parameter, value: Scalar, earlier: Earlier, environment: Environment
    ) -> str | None:
        if earlier.choices.get("channel_pruning", 0.0) == 0.75:
            earlier.choices.get("runtime")
        return None


def _with_reason(reason: Any) -> type[Technique]:
    class BadReason(Sound):
        def unsupported(
            self, parameter: Parameter, value: Scalar, earlier: Earlier, environment: Environment
        ) -> str | None:
            return None if value == 1 else reason

    return BadReason


class IgnoresTheSeed(SoundCrop):
    def apply(self, subject: Any, settings: Settings, context: ModelContext | None) -> Any:
        subject[0].reset_parameters()
        return subject


class WrapsTheNetwork(SoundCrop):
    def apply(self, subject: Any, settings: Settings, context: ModelContext | None) -> Any:
        return nn.Sequential(subject, nn.Linear(4, 4))


class HidesItsChange(SoundCrop):
    """Sets an attribute that the stored sizes do not have."""

    def apply(self, subject: Any, settings: Settings, context: ModelContext | None) -> Any:
        subject[1] = nn.GELU()
        return super().apply(subject, settings, context)


class SoundFactors(SoundCrop):
    """Keeps every rule: computes the last layer by two smaller ones."""

    name = "two_layers"
    parameters = (Parameter("two_layers", (0, 2), 0, "0 or 2"),)

    def apply(self, subject: Any, settings: Settings, context: ModelContext | None) -> Any:
        assert context is not None
        torch.manual_seed(context.seed)
        context.record["rank"] = settings["two_layers"]
        return self.rebuild(subject, context.record)

    def rebuild(self, network: Any, record: Mapping[str, Any]) -> Any:
        network[8] = nn.Sequential(nn.Linear(16, record["rank"]), nn.Linear(record["rank"], 4))
        return network


class NeverRebuilds(SoundFactors):
    def apply(self, subject: Any, settings: Settings, context: ModelContext | None) -> Any:
        assert context is not None
        torch.manual_seed(context.seed)
        changed = SoundFactors().rebuild(subject, {"rank": 2})
        context.record["rank"] = 2
        return changed

    def rebuild(self, network: Any, record: Mapping[str, Any]) -> Any:
        return network


class ChangesNothing(SoundCrop):
    def steps(self, settings: Settings) -> tuple[Step, ...]:
        return (Train(1),)


class TrainsForNoEpoch(SoundCrop):
    def steps(self, settings: Settings) -> tuple[Step, ...]:
        return (Change(settings), Train(0))


BROKEN: list[tuple[Rule, type[Technique]]] = [
    (contract.names_are_its_own, TakenName),
    (contract.names_are_its_own, NoParameters),
    (contract.neutral_is_accepted_and_supported, UnsupportedNeutral),
    (contract.neutral_is_accepted_and_supported, RefusedNeutral),
    (contract.default_choices_are_accepted, RefusedChoice),
    (contract.default_choices_are_accepted, AcceptsAnything),
    (contract.a_change_is_visible, UnchangedPlan),
    (contract.a_change_is_visible, UnchangedForOneValue),
    (contract.a_change_is_visible, UnchangedNetwork),
    (contract.the_kind_of_subject_stays, AnotherKindOfPlan),
    (contract.the_kind_of_subject_stays, OtherOutputs),
    (contract.steps_change_the_network, ChangesNothing),
    (contract.steps_change_the_network, TrainsForNoEpoch),
    (contract.only_earlier_choices_are_read, LooksAhead),
    (contract.only_earlier_choices_are_read, LooksAheadForRelevance),
    (contract.only_earlier_choices_are_read, LooksAtItself),
    (contract.only_earlier_choices_are_read, Misspells),
    (contract.only_earlier_choices_are_read, LooksAheadAfterOneChoice),
    (contract.reasons_are_one_sentence, _with_reason("")),
    (contract.reasons_are_one_sentence, _with_reason(True)),
    (contract.reasons_are_one_sentence, _with_reason("It is slow. Do not use it.")),
    (contract.the_seed_decides, IgnoresTheSeed),
    (contract.the_result_can_be_stored, WrapsTheNetwork),
    (contract.the_result_can_be_stored, HidesItsChange),
    (contract.the_result_can_be_stored, NeverRebuilds),
]


def _among_all(technique: Technique) -> list[Technique]:
    return sorted([*all_techniques(), technique], key=lambda one: (one.stage, one.name))


@pytest.mark.parametrize(("rule", "broken"), BROKEN, ids=lambda one: one.__name__)
def test_a_technique_that_breaks_a_rule_is_rejected_by_it(
    rule: Rule, broken: type[Technique], monkeypatch: pytest.MonkeyPatch
) -> None:
    technique = broken()
    monkeypatch.setattr("runners.lowering.recipe.find_technique", lambda name: technique)
    with pytest.raises(AssertionError):
        rule(technique, _among_all(technique))


@pytest.mark.parametrize("sound", [Sound(), SoundCrop(), SoundFactors()], ids=lambda one: one.name)
def test_the_technique_that_the_broken_ones_are_made_from_keeps_every_rule(
    sound: Technique, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("runners.lowering.recipe.find_technique", lambda name: sound)
    for rule in RULES:
        rule(sound, _among_all(sound))


def test_every_rule_rejects_something() -> None:
    assert {rule for rule, _ in BROKEN} == set(RULES)


def test_a_plan_is_replaced_and_not_changed() -> None:
    plan = TrainingPlan()
    Sound().apply(plan, {"epochs_factor": 2}, None)
    assert plan == TrainingPlan()
