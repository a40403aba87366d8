"""A changed network called once, to see whether it still runs."""

from collections.abc import Sequence
from typing import Any

from spaces.errors import WorkFailed, in_one_line


def require_runs(network: Any, example: Sequence[Any], problem: str) -> None:
    """Call ``network`` in eval mode with a tensor for each input.

    Raises:
        WorkFailed: It raises an error; the sentence begins with ``problem``, and the error follows.
    """
    import torch

    try:
        with torch.no_grad():
            network.eval()(*example)
    except Exception as error:
        raise WorkFailed(f"{problem} ({in_one_line(error, 160)})") from error
