"""The rows of the table of techniques: a setting of each, and the partners that are tried with it."""

from collections.abc import Mapping

from spaces.configuration import Scalar

Setting = Mapping[str, Scalar]

WIDTH: Setting = {"student_width": 0.5}
DISTILLED: Setting = {**WIDTH, "distillation_weight": 0.7, "distillation_temperature": 4.0}
PRUNED: Setting = {"channel_pruning": 0.75}
RUN_OTHERWISE: dict[str, Setting] = {
    "torchscript": {"runtime": "torchscript"},
    "onnxruntime": {"runtime": "onnxruntime"},
    "openvino": {"runtime": "openvino"},
    "bf16": {"numeric_precision": "bf16"},
    "int8 in onnxruntime": {"numeric_precision": "int8", "runtime": "onnxruntime"},
    "int8 in openvino": {"numeric_precision": "int8", "runtime": "openvino"},
    "int8 in onnxruntime, trained": {
        "numeric_precision": "int8",
        "runtime": "onnxruntime",
        "quantisation_aware_epochs": 1,
    },
}
"""Rows that run the same network in another way."""
CHANGED: dict[str, Setting] = {
    "half the width": WIDTH,
    "half the width, distilled": DISTILLED,
    "half the width, layers compared": {**DISTILLED, "distillation_method": "features"},
    "a quarter of the width, by an assistant": {**DISTILLED, "student_width": 0.25, "distillation_assistant": 0.5},
    "half the depth": {"student_depth": 0.5},
    "half the width and the depth": {**WIDTH, "student_depth": 0.5},
    "shufflenet_v2_x0_5, small stem": {"student": "shufflenet_v2_x0_5", "student_stem": "small"},
    "mobilenet_v3_small, small stem": {"student": "mobilenet_v3_small", "student_stem": "small"},
    "half the resolution": {"input_resolution": 0.5},
    "two early exits": {"early_exits": 2, "exit_accuracy_loss": 0.01},
    "3/4 of channels pruned": PRUNED,
    "3/4 of channels pruned, by Taylor": {**PRUNED, "pruning_criterion": "taylor"},
    "3/4 of channels pruned, one ranking": {**PRUNED, "pruning_scope": "global"},
    "3/4 of channels pruned, two steps": {**PRUNED, "pruning_steps": 2},
    "half the blocks removed": {"block_pruning": 0.5},
    "low rank, 80 % of energy": {"low_rank": 0.8},
    "90 % sparse": {"weight_sparsity": 0.9},
    "90 % sparse, lottery ticket": {"weight_sparsity": 0.9, "sparsity_method": "lottery"},
    "16 shared values": {"weight_clusters": 16},
    "90 % sparse, 16 shared values": {"weight_sparsity": 0.9, "weight_clusters": 16},
    "four steps": {**DISTILLED, "train_before_pruning": True, "channel_pruning": 0.5},
}
"""Rows that change the network or its weights."""
ROWS: dict[str, Setting] = {**RUN_OTHERWISE, **CHANGED}


def partners_of(row: str) -> dict[str, Setting]:
    """The partners that are tried with ``row``. They are rows of the other kind: two of one kind do the same work."""
    names = (
        ("openvino", "int8 in openvino") if row in CHANGED else ("half the width, distilled", "3/4 of channels pruned")
    )
    return {name: ROWS[name] for name in names}
