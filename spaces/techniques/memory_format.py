"""Memory format: in which order the values of an image lie in memory."""

from spaces.runtime_option import RuntimeOption
from spaces.technique import Parameter


class MemoryFormat(RuntimeOption):
    """Weights and activations of convolutions with the channels of a pixel side by side, as many kernels read them."""

    name = "memory_format"
    parameters = (
        Parameter(
            "memory_format",
            ("contiguous", "channels_last"),
            "contiguous",
            "one of contiguous, channels_last",
            "{}",
            only_where_named=True,
        ),
    )


TECHNIQUE = MemoryFormat()
