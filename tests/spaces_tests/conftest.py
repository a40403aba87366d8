"""What the tests of techniques share."""

import pytest


@pytest.fixture(scope="session")
def uncompiled() -> None:
    """NNCF rounds with PyTorch's own operations: to compile its extension takes a minute."""
    from nncf.torch.quantization import extensions
    from nncf.torch.quantization.reference import torch_executor

    class Uncompiled:
        Quantize_forward = staticmethod(torch_executor.forward)
        Quantize_backward = staticmethod(torch_executor.backward)

    extensions.QuantizedFunctionsCPU._loaded_namespace = Uncompiled
