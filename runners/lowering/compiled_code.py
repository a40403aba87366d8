"""What the backends share that compile to machine code: whether there is a compiler, and for what instructions."""

import os
import shutil

COMPILERS = ("g++", "clang++")


def no_compiler() -> str | None:
    """Why PyTorch's compiler cannot make machine code for processors here, or None."""
    compiler = os.environ.get("CXX")
    if any(map(shutil.which, (compiler,) if compiler else COMPILERS)):
        return None
    return "needs a C++ compiler, such as that of `sudo apt install g++`"


def require_instructions(needed: str) -> None:
    """Refuse code that was compiled for other instructions than this processor has; ``predict.py`` holds its source.

    Args:
        needed: What `torch.backends.cpu.get_cpu_capability` gave where it was compiled.

    Raises:
        OSError: The processor lacks them.
    """
    import torch

    here, order = torch.backends.cpu.get_cpu_capability(), ("DEFAULT", "AVX2", "AVX512")
    known = needed in order and here in order
    if needed != here and not (known and order.index(needed) < order.index(here)):
        raise OSError(f"the model was compiled for {needed}, and this processor has {here}; lower it again here")
