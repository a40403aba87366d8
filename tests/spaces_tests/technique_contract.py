"""The contract of a technique as rules: each raises AssertionError for a technique that breaks it.

A rule takes the technique and all techniques in the order in which they act, the one under test among them.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from spaces_tests.environments import ENVIRONMENTS, LAPTOP
from spaces_tests.small_network import make_network
from torch import nn

from runners.lowering.recipe import set_recipe
from runners.lowering.weights import load_network, save_network
from spaces.configuration import Scalar
from spaces.environment import Environment
from spaces.model_context import ModelContext
from spaces.plans import LoweringPlan, ServingPlan, TrainingPlan
from spaces.steps import Change, Train
from spaces.technique import Earlier, Parameter, Stage, Technique

Rule = Callable[[Technique, Sequence[Technique]], None]

NOT_CHOICES: tuple[Any, ...] = (None, [], {}, float("nan"))


def names_are_its_own(technique: Technique, order: Sequence[Technique]) -> None:
    """It has parameters, and no other technique has one of the same name."""
    assert technique.parameters, f"{technique.name} has no parameters"
    names = [parameter.name for one in order for parameter in one.parameters]
    for parameter in technique.parameters:
        assert re.fullmatch(r"[a-z][a-z0-9_]*", parameter.name), f"{parameter.name!r} is no lower_case name"
        assert names.count(parameter.name) == 1, f"the name {parameter.name!r} is taken"


def neutral_is_accepted_and_supported(technique: Technique, order: Sequence[Technique]) -> None:
    """The neutral values are supported on every machine, so that the teacher can be measured."""
    for place, environment in ENVIRONMENTS.items():
        for parameter in technique.parameters:
            neutral = technique.neutral(parameter, environment)
            assert technique.accepts(parameter, neutral), f"{parameter.name} does not accept its neutral {neutral!r}"
            for changed in (False, True):
                reason = technique.unsupported(parameter, neutral, Earlier({}, changed), environment)
                assert reason is None, f"neutral {parameter.name} is unsupported on {place}: {reason}"


def default_choices_are_accepted(technique: Technique, order: Sequence[Technique]) -> None:
    """Each default choice is accepted in a study file; a value that is not a choice is refused."""
    for environment in ENVIRONMENTS.values():
        for parameter in technique.parameters:
            choices = technique.choices(parameter, environment)
            assert choices, f"{parameter.name} offers nothing"
            assert len(set(choices)) == len(choices), f"{parameter.name} offers a value twice"
            refused = [value for value in choices if not technique.accepts(parameter, value)]
            assert not refused, f"{parameter.name} offers {refused[0]!r} and does not accept it"
    for parameter in technique.parameters:
        for junk in NOT_CHOICES:
            assert not technique.accepts(parameter, junk), f"{parameter.name} accepts {junk!r}"


def a_change_is_visible(technique: Technique, order: Sequence[Technique]) -> None:
    """Each setting but the neutral one changes its subject: a setting without effect wastes a trial."""
    for settings in _settings(technique):
        before, after = _applied(technique, settings)
        assert _described(after) != _described(before), f"{technique.name} changes nothing with {settings}"


def the_kind_of_subject_stays(technique: Technique, order: Sequence[Technique]) -> None:
    """A plan stays a plan of its type; a network keeps the shape of its outputs."""
    for settings in _settings(technique):
        before, after = _applied(technique, settings)
        if technique.changes_network:
            assert _outputs(after).shape == _outputs(before).shape, f"{settings} changes the shape of the outputs"
        else:
            assert type(after) is type(before), f"{technique.name} makes a {type(after).__name__} of a plan"


def steps_change_the_network(technique: Technique, order: Sequence[Technique]) -> None:
    """Its steps change the network at least once, and what trains between them trains at least one epoch."""
    if not technique.changes_network:
        return
    for settings in _settings(technique):
        steps = technique.steps(settings)
        assert any(isinstance(step, Change) for step in steps), f"{technique.name} never changes the network"
        for step in steps:
            if isinstance(step, Train):
                no_epoch = step.epochs is not None and step.epochs < 1
                assert not no_epoch, f"{technique.name} trains for {step.epochs} epochs"


def only_earlier_choices_are_read(technique: Technique, order: Sequence[Technique]) -> None:
    """`unsupported` and `relevant` read only choices that exist and are drawn before their own."""
    for parameter, before in _with_earlier(technique, order):
        for choices in _histories(before):
            earlier = Earlier(_Watched(choices, {p.name for _, p in before}), model_changed=True)
            for environment in ENVIRONMENTS.values():
                technique.relevant(parameter, earlier, environment)
                for value in technique.choices(parameter, environment):
                    technique.unsupported(parameter, value, earlier, environment)


def reasons_are_one_sentence(technique: Technique, order: Sequence[Technique]) -> None:
    """A reason is one line of text, or None; it is not empty and not another true value."""
    for parameter, before in _with_earlier(technique, order):
        for choices in _histories(before):
            for environment in ENVIRONMENTS.values():
                for value in technique.choices(parameter, environment):
                    reason = technique.unsupported(parameter, value, Earlier(choices, True), environment)
                    assert reason is None or _is_sentence(reason), f"{parameter.name} {value}: no sentence: {reason!r}"


def the_seed_decides(technique: Technique, order: Sequence[Technique]) -> None:
    """The same network, settings and seed give the same result, whatever random numbers were drawn before."""
    for settings in _settings(technique):
        _, first = _applied(technique, settings)
        torch.manual_seed(2)
        _, second = _apply(technique, settings)
        assert _described(first) == _described(second), f"{technique.name} gives another result for the same seed"


def the_result_can_be_stored(technique: Technique, order: Sequence[Technique]) -> None:
    """A changed network is saved as tensors and layer sizes, so its layers and tensors keep their names, or the
    technique records what it did and does it again.
    """
    if not technique.changes_network:
        return
    for settings in _settings(technique):
        _, network = _applied(technique, settings)
        with TemporaryDirectory() as folder:
            save_network(network, Path(folder))
            try:
                again = load_network(make_network, Path(folder))
            except Exception as error:
                raise AssertionError(f"what {technique.name} makes cannot be loaded again: {error}") from error
        same = torch.allclose(_outputs(again), _outputs(network), atol=1e-5)
        assert same, f"what {technique.name} makes gives other outputs once it is stored"


RULES: tuple[Rule, ...] = (
    names_are_its_own,
    neutral_is_accepted_and_supported,
    default_choices_are_accepted,
    a_change_is_visible,
    the_kind_of_subject_stays,
    steps_change_the_network,
    only_earlier_choices_are_read,
    reasons_are_one_sentence,
    the_seed_decides,
    the_result_can_be_stored,
)


class _Watched(Mapping[str, Scalar]):
    """The earlier choices; reading another name raises an error."""

    def __init__(self, choices: Mapping[str, Scalar], known: set[str]) -> None:
        self._choices = choices
        self._known = known

    def __getitem__(self, name: str) -> Scalar:
        assert name in self._known, f"looks at {name!r}, which is not an earlier choice"
        return self._choices[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._choices)

    def __len__(self) -> int:
        return len(self._choices)


def _with_earlier(
    technique: Technique, order: Sequence[Technique]
) -> Iterator[tuple[Parameter, list[tuple[Technique, Parameter]]]]:
    """Each parameter of ``technique`` with everything that is drawn before it."""
    axes = [(one, parameter) for one in order for parameter in one.parameters]
    for index, (one, parameter) in enumerate(axes):
        if one is technique:
            yield parameter, axes[:index]


def _histories(before: list[tuple[Technique, Parameter]]) -> Iterator[dict[str, Scalar]]:
    """No choices; all neutral; and all neutral except one value of one parameter."""
    neutral = {parameter.name: one.neutral(parameter, LAPTOP) for one, parameter in before}
    yield {}
    yield neutral
    for one, parameter in before:
        for value in one.choices(parameter, LAPTOP):
            yield {**neutral, parameter.name: value}


def _settings(technique: Technique) -> Iterator[dict[str, Scalar]]:
    """For each value of each parameter that is not neutral: the others neutral too, or else the first values of those
    before it with which it is drawn.
    """
    neutral = {parameter.name: technique.neutral(parameter, LAPTOP) for parameter in technique.parameters}
    for index, parameter in enumerate(technique.parameters):
        before = technique.parameters[:index]
        offered = [dict.fromkeys((neutral[p.name], *technique.choices(p, LAPTOP))) for p in before]
        chosen = [dict(zip([p.name for p in before], values, strict=True)) for values in product(*offered)]
        drawn = (own for own in chosen if technique.relevant(parameter, Earlier(own, model_changed=True), LAPTOP))
        earlier = next(drawn, {})
        for value in technique.choices(parameter, LAPTOP):
            if value != neutral[parameter.name]:
                yield {**neutral, **earlier, parameter.name: value}


def _applied(technique: Technique, settings: Mapping[str, Scalar]) -> tuple[Any, Any]:
    """A subject before and after the technique, made once for all rules, which leave both as they are."""
    return _kept(technique, tuple(settings.items()))


@cache
def _kept(technique: Technique, settings: tuple[tuple[str, Scalar], ...]) -> tuple[Any, Any]:
    torch.manual_seed(1)
    return _apply(technique, dict(settings))


def _apply(technique: Technique, settings: Mapping[str, Scalar]) -> tuple[Any, Any]:
    """A subject before and after the technique."""
    if not technique.changes_network:
        plan = _plan(technique.stage, LAPTOP)
        return plan, technique.apply(plan, settings, None)
    context = ModelContext(
        (_example(),), seed=3, initial=make_network, calibration=lambda count: [(_example(),)] * min(count, 4)
    )
    changed = technique.apply(_network(), settings, context)
    set_recipe(changed, [{"technique": technique.name, "record": context.record}] if context.record else [])
    return _network(), changed


def _plan(stage: Stage, environment: Environment) -> TrainingPlan | LoweringPlan | ServingPlan:
    if stage is Stage.TRAIN:
        return TrainingPlan()
    return ServingPlan() if stage is Stage.SERVE else LoweringPlan()


def _network() -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return make_network().eval()


def _example() -> torch.Tensor:
    return torch.linspace(-1, 1, 64).reshape(1, 1, 8, 8)


def _outputs(network: nn.Module) -> torch.Tensor:
    with torch.no_grad():
        return network.eval()(_example())  # type: ignore[no-any-return]


def _described(subject: Any) -> Any:
    """The values that are compared between subjects: the fields of a plan, the tensors of a network."""
    if not isinstance(subject, nn.Module):
        return subject
    return [(name, tuple(tensor.shape), tensor.flatten().tolist()) for name, tensor in subject.state_dict().items()]


def _is_sentence(reason: object) -> bool:
    if not isinstance(reason, str):
        return False
    return len(reason.split()) >= 2 and reason == reason.strip() and not re.search(r"\n|\.\s+\S|\.$", reason)
