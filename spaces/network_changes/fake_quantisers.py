"""Fake quantisers, with which a network is trained: put in by NNCF, made again, and written as ONNX."""

import contextlib
import io
import json
import logging
import os
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from inspect import Parameter as SignatureParameter
from inspect import Signature
from typing import Any

COMPILING_S = 300
"""Seconds that NNCF may take to compile its extension, once on a machine; its own limit of 60 is too low where other
processes use the cores. It takes the extension of torch 45 to 80 s on two cores."""


def insert_quantisers(network: Any, examples: Sequence[Any]) -> tuple[Any, dict[str, Any]]:
    """A network that rounds weights and activations to 8 bits as int8 does, and passes gradients on as if it did not.

    The ranges are those of the examples, and are trained with the weights (Jain et al., arXiv 1903.08066). Weights are
    symmetric with a scale a channel. Activations are unsigned with one scale and a zero point, whatever their sign: of
    the forms that NNCF offers it is the one that both ONNX runtimes run in int8. With symmetric activations, or a scale
    a channel before depthwise convolutions, ONNX Runtime took 2 to 4 times as long on a MobileNetV2 at 64x64 on one
    thread, and OpenVINO about as long.

    Args:
        network: A ``torch.nn.Module`` in eval mode; it becomes the part ``network`` of the result's copy.
        examples: A tuple with a tensor for each input, each of one example.

    Returns:
        The new network, and where its quantisers are and of what kind, in plain JSON types, for `rebuild_quantisers`.
    """
    nncf, inputs = _nncf(), len(examples[0])
    from nncf.quantization.advanced_parameters import QuantizationParameters

    kind = nncf.ModelType.TRANSFORMER if _calls_attention(network, examples[0]) else None
    with contextlib.redirect_stdout(io.StringIO()):  # NNCF draws progress bars on it
        quantised = nncf.quantize(
            _holder(inputs)(network),
            nncf.Dataset(examples),
            preset=nncf.QuantizationPreset.MIXED,
            subset_size=len(examples),
            model_type=kind,
            advanced_parameters=nncf.AdvancedQuantizationParameters(
                activations_quantization_params=QuantizationParameters(per_channel=False)
            ),
        )
    return quantised.eval(), {"inputs": inputs, **json.loads(json.dumps(nncf.torch.get_config(quantised)))}


def rebuild_quantisers(network: Any, config: Mapping[str, Any]) -> Any:
    """``network`` with the quantisers that ``config`` describes; the values of their tensors are set afterwards."""
    return _nncf().torch.load_from_config(_holder(config["inputs"])(network), dict(config))


def write_quantisers(network: Any) -> Any:
    """``network`` with operations of ONNX in place of its quantisers, changed in place.

    Nothing but `torch.onnx.export` can run it.
    """
    _nncf()
    from nncf.torch.quantization.layers import BaseQuantizer

    for name, layer in list(network.named_modules()):
        if isinstance(layer, BaseQuantizer):
            network.set_submodule(name, _written()(layer))
    return network


@cache
def _nncf() -> Any:
    os.environ.setdefault("NNCF_EXTENSION_LOAD_TIMEOUT", str(COMPILING_S))
    # NNCF imports a module of torch that warns where a CUDA compiler is found without a GPU.
    logging.getLogger("torch.utils.cpp_extension").setLevel(logging.ERROR)
    import nncf
    import nncf.torch

    nncf.set_log_level(logging.ERROR)
    return nncf


@cache
def _holder(inputs: int) -> Any:
    """A network that calls another one with so many inputs.

    NNCF keeps its quantisers as a part of the network that it is given, and a `Sequential` would call that part; and
    it rounds those inputs alone that have a name.
    """
    from torch import nn

    class Holder(nn.Module):
        def __init__(self, network: nn.Module) -> None:
            super().__init__()
            self.network = network

        def forward(self, *inputs: Any) -> Any:
            return self.network(*inputs)

    names = ("self", *(f"input_{number}" for number in range(inputs)))
    named = Signature([SignatureParameter(name, SignatureParameter.POSITIONAL_OR_KEYWORD) for name in names])
    Holder.forward.__signature__ = named  # type: ignore[attr-defined]
    return Holder


@cache
def _written() -> Callable[[Any], Any]:
    import torch

    class Written(torch.nn.Module):
        """``QuantizeLinear`` and ``DequantizeLinear`` with the scale and the zero point of a trained quantiser."""

        scale: torch.Tensor
        zero_point: torch.Tensor

        def __init__(self, quantiser: Any) -> None:
            super().__init__()
            lowest, _, scale, zero_point = quantiser.get_parameters_for_torch_fq()
            kind = torch.int8 if lowest < 0 else torch.uint8
            shape = () if scale.numel() == 1 else scale.shape
            self.register_buffer("scale", scale.detach().reshape(shape))
            self.register_buffer("zero_point", zero_point.detach().reshape(shape).to(kind))
            self.axis = max(range(len(quantiser.scale_shape)), key=lambda axis: quantiser.scale_shape[axis])
            # Of weights -128 is left out, so that the range is symmetric; ONNX has no word for that.
            limits = quantiser.get_input_low_input_high() if quantiser.narrow_range else None
            self.limits = None if limits is None else tuple(limit.detach() for limit in limits)

        def forward(self, values: torch.Tensor) -> torch.Tensor:
            if self.limits is not None:
                values = torch.clamp(values, *self.limits)
            steps = self.scale, self.zero_point
            attributes: dict[str, Any] = {"axis": self.axis}
            shape = values.shape
            whole = torch.onnx.ops.symbolic(
                "QuantizeLinear", (values, *steps), attributes, dtype=self.zero_point.dtype, shape=shape
            )
            return torch.onnx.ops.symbolic(
                "DequantizeLinear", (whole, *steps), attributes, dtype=values.dtype, shape=shape
            )

    return Written


def _calls_attention(network: Any, example: Any) -> bool:
    """Whether ``network`` multiplies the result of a softmax with something, as attention does."""
    import torch
    from torch.overrides import TorchFunctionMode

    found: list[bool] = []
    softmaxes: dict[int, Any] = {}

    class Watch(TorchFunctionMode):
        def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            result = function(*args, **(kwargs or {}))
            name = getattr(function, "__name__", "")
            reads = any(id(each) in softmaxes for each in args)
            if name == "softmax" or (name == "dropout" and reads):
                softmaxes[id(result)] = result
            elif name == "scaled_dot_product_attention" or (name in ("matmul", "bmm", "baddbmm", "einsum") and reads):
                found.append(True)
            return result

    with torch.inference_mode(), Watch():
        network(*example)
    return bool(found)
