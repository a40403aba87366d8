"""Sparse weights that stay packed in memory until a product needs them, where a runtime's kernels unpack them."""

from spaces.configuration import Scalar
from spaces.environment import Environment
from spaces.runtime_option import RuntimeOption
from spaces.technique import Earlier, Parameter

LEAST = 0.5
"""Share of zeros from which OpenVINO packs the weights of a layer; with fewer, unpacking costs more than it saves."""


class SparseDecompression(RuntimeOption):
    """OpenVINO's sparse weights decompression, whose kernel is for products of 8 bits on CPUs with AMX."""

    name = "sparse_decompression"
    speed_depends_on_weights = True  # on which are zero
    parameters = (
        Parameter("sparse_decompression", (False, True), False, "true or false", "unpacked={}", only_where_named=True),
    )

    def accepts(self, parameter: Parameter, value: Scalar) -> bool:
        return isinstance(value, bool)

    def unsupported(
        self, parameter: Parameter, value: Scalar, earlier: Earlier, environment: Environment
    ) -> str | None:
        if not value:
            return None
        if "amx_int8" not in environment.cpu_flags:
            return "OpenVINO's kernel for sparse weights needs a CPU with AMX (amx_int8), which this one has not"
        if earlier.choices.get("numeric_precision") != "int8":
            return "OpenVINO's kernel for sparse weights is for int8"
        if float(earlier.choices.get("weight_sparsity", 0.0)) < LEAST:
            return f"fewer than {LEAST:.0%} of the weights are zero, so unpacking them costs more than it saves"
        return None


TECHNIQUE = SparseDecompression()
