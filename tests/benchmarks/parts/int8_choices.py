"""How int8 is quantised in each row of the benchmark of int8."""

from typing import Any

FP32, PLAIN, DEFAULT = "fp32", "plain: min-max, a scale a tensor", "default"
IN_BOTH: dict[str, dict[str, Any]] = {
    DEFAULT: {},
    "percentile": {"int8_range": "percentile"},
    "512 examples": {"int8_examples": 512},
    "a tenth of the layers in float": {"float_share": 0.1},
    "a quarter of the layers in float": {"float_share": 0.25},
    "tuned for 1 epoch": {"quantisation_aware_epochs": 1},
    "tuned for 2 epochs": {"quantisation_aware_epochs": 2},
}
CHOICES: dict[str, dict[str, dict[str, Any]]] = {
    "onnxruntime": {
        FP32: {"numeric_precision": "fp32"},
        PLAIN: {"int8_weights": "per-tensor"},
        **IN_BOTH,
        "mean of minima and maxima": {"int8_range": "mean-min-max"},
        "entropy": {"int8_range": "entropy"},
        "symmetric": {"int8_activations": "symmetric"},
        "reduced range": {"int8_reduced_range": True},
        "graph not prepared": {"int8_preparation": "none"},
        "dynamic": {"int8_quantiser": "onnxruntime-dynamic"},
        "dynamic, a scale a channel": {"int8_quantiser": "onnxruntime-dynamic", "int8_weights": "per-channel"},
        "by NNCF": {"int8_quantiser": "nncf"},
    },
    "openvino": {
        FP32: {"numeric_precision": "fp32"},
        PLAIN: {"int8_range": "min-max", "int8_weights": "per-tensor", "int8_correction": "none"},
        **IN_BOTH,
        "default, a scale a tensor": {"int8_weights": "per-tensor"},
        "no correction": {"int8_correction": "none"},
        "full bias correction": {"int8_correction": "full-bias"},
        "smooth quantisation": {"int8_correction": "smooth-quant"},
        "histogram": {"int8_range": "histogram"},
        "asymmetric": {"int8_activations": "asymmetric"},
        "by ONNX Runtime's tools": {"int8_quantiser": "onnxruntime"},
        "accuracy control": {"accuracy_control": 0.01},
    },
}
"""What each row chooses, by runtime; all that is not fp32 is int8."""
