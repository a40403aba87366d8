"""Denormal numbers count as zero wherever a network is timed, so that its weights do not decide how fast it is.

Numbers below the normal range of float32 (about 1e-38) take a processor many times as long as others. New weights can
lead to them in the activations of a deep network, and weight decay in the weights of a trained one: either could make
one side of a comparison slow.
"""


def flush_denormals() -> None:
    """Let this thread, and those that it starts from now on, take denormal numbers for zero.

    The setting belongs to each thread, and a new thread begins with that of its parent. Call this before PyTorch has
    started its threads, which it does in the first computation that is large enough for several.
    """
    import torch

    torch.set_flush_denormal(True)
