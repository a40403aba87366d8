"""Unstructured sparsity: single weights of the trained network are set to zero, and the others are trained on."""

from collections.abc import Iterator, Mapping
from typing import Any

from spaces.configuration import Scalar, is_number
from spaces.environment import Environment
from spaces.errors import WorkFailed
from spaces.model_context import ModelContext
from spaces.steps import Change, Rewind, Step, Train
from spaces.technique import Earlier, Parameter, Stage, Technique

UNSTRUCTURED, TWO_OF_FOUR = "unstructured", "2:4"
METHODS = ("magnitude", "lottery", "splice", "movement")
RAMP = (0.0, 0.42, 0.70, 0.88)
"""Shares of the sparsity before each of the epochs in which movement pruning raises it: a cubic schedule, as in Sanh et
al. (arXiv 2005.07683). In the first one the scores alone are found."""


class WeightSparsity(Technique):
    """Masks on weights that hold while the network is trained on, and four ways of finding them.

    Magnitude: Han et al. (arXiv 1506.02626). Lottery tickets with rewinding: Frankle & Carbin (arXiv 1803.03635),
    Frankle et al. (arXiv 1912.05671). Splicing: Guo et al. (arXiv 1608.04493). Movement: Sanh et al. (arXiv
    2005.07683). How many weights each layer keeps: Lee et al. (arXiv 2010.07611).
    """

    name = "sparsity"  # before `weight_clusters` of the same stage
    stage = Stage.COMPRESS
    needs = ("constriction",)
    packs = True
    parameters = (
        Parameter(
            "weight_sparsity",
            (0.0, 0.5, 0.8, 0.9, 0.95),
            0.0,
            "the share of weights that are zero, from 0 to below 1",
            "sparse={}",
            only_where_named=True,
        ),
        Parameter(
            "sparsity_pattern",
            (UNSTRUCTURED, TWO_OF_FOUR),
            UNSTRUCTURED,
            f"{UNSTRUCTURED}, or '{TWO_OF_FOUR}' in quotes, without which YAML reads a number",
            "{}",
            only_where_named=True,
        ),
        Parameter(
            "sparsity_method", METHODS, METHODS[0], f"one of {', '.join(METHODS)}", "by {}", only_where_named=True
        ),
    )

    def accepts(self, parameter: Parameter, value: Scalar) -> bool:
        if parameter.name != "weight_sparsity":
            return value in parameter.choices
        return is_number(value) and 0 <= value < 1

    def relevant(self, parameter: Parameter, earlier: Earlier, environment: Environment) -> bool:
        if parameter.name == "weight_sparsity":
            return True
        share = earlier.choices.get("weight_sparsity")
        if parameter.name == "sparsity_pattern":
            return share == 0.5
        return bool(share) and earlier.choices.get("sparsity_pattern") != TWO_OF_FOUR

    def unsupported(
        self, parameter: Parameter, value: Scalar, earlier: Earlier, environment: Environment
    ) -> str | None:
        if value == TWO_OF_FOUR and environment.accelerator_capability < (8, 0):
            return "kernels for two of four weights need an NVIDIA GPU of compute capability 8.0 or higher"
        if value == "lottery" and earlier.skips_layers:
            return "the early weights, to which it goes back, are those of the network without its early exits"
        return None

    def steps(self, settings: Mapping[str, Scalar]) -> tuple[Step, ...]:
        share, method = float(settings["weight_sparsity"]), settings.get("sparsity_method", METHODS[0])
        if settings.get("sparsity_pattern") == TWO_OF_FOUR:
            return Change({"weight_sparsity": share, "sparsity_pattern": TWO_OF_FOUR}), Train()
        if method == "lottery":
            return tuple(step for each in _halving(share) for step in (_mask(each), Rewind(), Train()))
        if method == "movement":
            raised = [step for each in RAMP for step in (_mask(each * share, "movement"), Train(1))]
            return (*raised, _mask(share, "movement"), Train(), Change({"removed": True}))
        return _mask(share, "splice" if method == "splice" else "fixed"), Train()

    def apply(self, subject: Any, settings: Mapping[str, Scalar], context: ModelContext | None) -> Any:
        from spaces.network_changes.parametrisations import remove_parametrisations
        from spaces.network_changes.weight_masks import kept_counts, largest, mask_of, maskable, put_mask

        assert context is not None
        if settings.get("removed"):
            remove_parametrisations(subject)
            return subject
        share, kind = float(settings["weight_sparsity"]), str(settings.get("mask", "fixed"))
        layers = maskable(subject)
        if settings.get("sparsity_pattern") == TWO_OF_FOUR:
            return _two_of_four(subject, layers, context)
        kept = kept_counts(layers, share) if layers else {}
        if share and sum(kept.values()) == sum(layer.weight.numel() for layer in layers.values()):
            raise WorkFailed(f"a share of {share:g} is less than one weight of its convolutions and linear layers")
        if all(mask_of(layer) is None for layer in layers.values()):
            context.record.update({"mask": kind, "layers": list(layers)})
        for name, layer in layers.items():
            scores = getattr(mask_of(layer), "scores", None)
            put_mask(layer, kind, largest(layer.weight.detach().abs() if scores is None else scores, kept[name]))
        return subject

    def rebuild(self, network: Any, record: Mapping[str, Any]) -> Any:
        from spaces.network_changes.weight_masks import rebuild_masks

        rebuild_masks(network, record["mask"], record["layers"])
        return network


def _two_of_four(network: Any, layers: Mapping[str, Any], context: ModelContext) -> Any:
    from spaces.network_changes.weight_masks import put_mask, two_of_four

    fitting = {name: layer for name, layer in layers.items() if layer.weight.shape[1] % 4 == 0}
    if not fitting:
        raise WorkFailed("no convolution or linear layer has a multiple of four inputs, as two of four weights need it")
    context.record.update({"mask": "fixed", "layers": list(fitting)})
    for layer in fitting.values():
        put_mask(layer, "fixed", two_of_four(layer.weight.detach()))
    return network


def _mask(share: float, kind: str = "fixed") -> Change:
    return Change({"weight_sparsity": share, "mask": kind})


def _halving(share: float) -> Iterator[float]:
    """Shares that leave half, a quarter, ... of the weights, then ``share``: the rounds before it are shared by all."""
    left = 0.5
    while 1 - left < share:
        yield 1 - left
        left /= 2
    yield share


TECHNIQUE = WeightSparsity()
