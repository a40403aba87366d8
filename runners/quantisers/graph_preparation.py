"""Optimise an ONNX graph before it is quantised, so that more of it is quantised and less stands between."""

from pathlib import Path
from typing import Any

KEPT_APART = ("ConvActivationFusion", "ConvAddActivationFusion", "GemmActivationFusion", "MatMulScaleFusion")
"""Optimisers of ONNX Runtime that make operators which its quantiser leaves in floating point."""


def prepare(onnx_path: Path, folder: Path, *, fused: bool) -> Path:
    """Write the optimised graph of ``onnx_path`` into ``folder``, and give its path.

    A mean over a picture becomes a global average pool, which ONNX Runtime has in int8. With ``fused`` an activation
    that was exported as several operators, such as SiLU, becomes one of ONNX Runtime's: between quantised tensors it
    would no longer find that pattern. OpenVINO reads these operators too.
    """
    import onnxruntime

    pooled, prepared = folder / "pooled.onnx", folder / "prepared.onnx"
    _pool_means(onnx_path, pooled)
    levels = onnxruntime.GraphOptimizationLevel
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.graph_optimization_level = levels.ORT_ENABLE_EXTENDED if fused else levels.ORT_ENABLE_BASIC
    options.optimized_model_filepath = str(prepared)
    providers = ["CPUExecutionProvider"]
    onnxruntime.InferenceSession(str(pooled), options, providers=providers, disabled_optimizers=list(KEPT_APART))
    return prepared


def _pool_means(source: Path, target: Path) -> None:
    from onnxscript import ir
    from onnxscript.rewriter import pattern, rewrite

    def mean(op: Any, x: Any, axes: Any) -> Any:
        return op.ReduceMean(x, axes, keepdims=1, _allow_other_attributes=True)

    def pool(op: Any, x: Any, axes: Any) -> Any:
        return op.GlobalAveragePool(x)

    def is_over_a_picture(context: Any, x: Any, axes: Any) -> bool:
        found = ir.convenience.get_const_tensor(axes)
        if found is None or x.shape is None or len(x.shape) != 4:
            return False
        return sorted(int(axis) % 4 for axis in found.numpy().flatten()) == [2, 3]

    rule = pattern.RewriteRule(mean, pool, is_over_a_picture)
    ir.save(rewrite(ir.load(source), pattern_rewrite_rules=[rule]), target)
