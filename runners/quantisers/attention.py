"""Whether a graph has attention, whose masked scores have no range."""

from typing import Any

PASSING = ("Cast", "Dropout", "Reshape", "Transpose", "Where", "Identity")
"""Operations that may stand between the softmax of attention and the product with the values."""


def has_attention(graph: Any) -> bool:
    """Whether an ONNX graph multiplies the result of a softmax with something, as attention does."""
    softmaxes = {name for node in graph.node if node.op_type == "Softmax" for name in node.output}
    for node in graph.node:
        if node.op_type in PASSING and softmaxes & set(node.input):
            softmaxes |= set(node.output)
    return any(node.op_type == "MatMul" and softmaxes & set(node.input) for node in graph.node)
