"""Quantisation to int8 by NNCF, with QuantizeLinear / DequantizeLinear nodes as OpenVINO fuses them."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from runners.inputs import Arrays, network_batch
from runners.machine.telemetry import disable_telemetry
from runners.quantisers.accuracy_control import Agreement
from runners.quantisers.attention import has_attention
from runners.quantisers.settings import QuantisationSettings

RANGES = {
    "min-max": "MINMAX",
    "mean-min-max": "MEAN_MINMAX",
    "percentile": "MEAN_QUANTILE",
    "histogram": "HISTOGRAM",
}
"""NNCF's range estimators by name; there is none for entropy."""
SMOOTHING = 0.5
"""Share of the outliers of activations that smooth quantisation moves into the weights of a convolution."""


def load_nncf() -> Any:
    """NNCF, which then sends nothing and says nothing but errors."""
    disable_telemetry()
    # It imports a module of torch that warns where a CUDA compiler is found without a GPU.
    logging.getLogger("torch.utils.cpp_extension").setLevel(logging.ERROR)
    import nncf

    nncf.set_log_level(logging.ERROR)
    return nncf


def quantise(onnx_path: Path, calibration: Sequence[Arrays], output_path: Path, settings: QuantisationSettings) -> None:
    """Write the int8 form of ``onnx_path``, which is float32, to ``output_path``.

    Without settings, weights get one scale a channel, activations one a tensor and before depthwise convolutions one a
    channel, and biases are corrected by the fast method. In attention NNCF's settings for transformers leave the scores
    in floating point: where padding is masked they are minus infinity, which has no range. With the plain settings a
    small transformer encoder with a mask fell from 88 to 64 % on `tests/examples/text.py`; with these it stays at 88 %.
    """
    nncf = load_nncf()
    import onnx

    model = onnx.load(onnx_path)
    names = [each.name for each in model.graph.input]
    inputs = [dict(zip(names, map(network_batch, example), strict=True)) for example in calibration]
    smooths = settings.correction == "smooth-quant"
    presets = {"symmetric": nncf.QuantizationPreset.PERFORMANCE, "asymmetric": nncf.QuantizationPreset.MIXED}
    options = {
        "subset_size": len(inputs),
        "preset": presets.get(settings.activations),
        "model_type": nncf.ModelType.TRANSFORMER if smooths or has_attention(model.graph) else None,
        "fast_bias_correction": settings.correction != "full-bias",
        "ignored_scope": nncf.IgnoredScope(names=list(settings.kept)),
    }
    if settings.accuracy_control:
        quantised = nncf.quantize_with_accuracy_control(
            model,
            nncf.Dataset(inputs),
            nncf.Dataset(range(len(inputs)), inputs.__getitem__),
            Agreement(model, inputs),
            max_drop=settings.accuracy_control,
            advanced_quantization_parameters=_advanced(settings),
            **options,
        )
    else:
        quantised = nncf.quantize(model, nncf.Dataset(inputs), advanced_parameters=_advanced(settings), **options)
    onnx.save(quantised, output_path)


def _advanced(settings: QuantisationSettings) -> Any:
    from nncf import OverflowFix
    from nncf.quantization.advanced_parameters import (
        AdvancedQuantizationParameters,
        AdvancedSmoothQuantParameters,
        QuantizationParameters,
    )
    from nncf.quantization.range_estimator import RangeEstimatorParametersSet

    one_scale = QuantizationParameters(per_channel=False)
    chosen: dict[str, Any] = {"disable_bias_correction": settings.correction == "none"}
    if settings.range != "default":
        estimator = getattr(RangeEstimatorParametersSet, RANGES[settings.range])
        chosen["activations_range_estimator_params"] = estimator
    if settings.weights == "per-tensor":
        chosen["weights_quantization_params"] = one_scale
    if settings.depthwise == "per-tensor":
        chosen["activations_quantization_params"] = one_scale
    if settings.reduced_range:
        chosen["overflow_fix"] = OverflowFix.ENABLE
    if settings.correction == "smooth-quant":
        chosen["smooth_quant_alphas"] = AdvancedSmoothQuantParameters(convolution=SMOOTHING)
    return AdvancedQuantizationParameters(**chosen)
