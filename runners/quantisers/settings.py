"""The settings of quantisation to int8 after training."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any


@dataclass(frozen=True)
class QuantisationSettings:
    """How a trained network is quantised to int8; ``default`` is what the quantiser itself takes.

    Attributes:
        quantiser: ``nncf``; ``onnxruntime``, both with fixed ranges that are found on calibration examples; or
            ``onnxruntime-dynamic``, which finds the ranges of activations again at each call.
        range: How the range of an activation is found: ``min-max`` over all examples; ``mean-min-max``, the mean of
            those of each example; ``percentile``; ``entropy``, by least divergence of the quantised distribution; or
            ``histogram``, by least error of the quantised values.
        activations: ``symmetric`` or ``asymmetric`` about zero.
        weights: One scale ``per-channel`` or ``per-tensor``.
        depthwise: Whether activations before a depthwise convolution get a scale ``per-channel``, or ``per-tensor`` as
            others do.
        reduced_range: Whether weights take 7 bits, for CPUs whose 8-bit products overflow.
        preparation: ``fused``: the graph is optimised before it is quantised, with fused operators of ONNX Runtime;
            ``none``: it is quantised as it was exported.
        correction: ``none``, ``fast-bias`` or ``full-bias``: correct the biases by the mean error of each layer;
            ``smooth-quant``: move outliers of activations into the weights, and correct biases.
        accuracy_control: Largest share of the calibration examples that may be answered otherwise than in floating
            point; layers go back to it, one after another, until that holds (see `Agreement` for other outputs than
            class scores). 0 leaves all as it was quantised.
        kept: Names of the nodes that stay in floating point.
    """

    quantiser: str = "nncf"
    range: str = "default"
    activations: str = "default"
    weights: str = "default"
    depthwise: str = "default"
    reduced_range: bool = False
    preparation: str = "default"
    correction: str = "default"
    accuracy_control: float = 0.0
    kept: tuple[str, ...] = ()

    @classmethod
    def of(cls, settings: Mapping[str, Any]) -> "QuantisationSettings":
        """The settings among those of a stage; other keys may stand beside."""
        return cls(**{each.name: settings[each.name] for each in fields(cls) if each.name in settings})
