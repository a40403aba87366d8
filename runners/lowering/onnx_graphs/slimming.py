"""An ONNX file simplified by onnxslim (https://github.com/inisis/OnnxSlim) before ONNX Runtime reads it."""

import contextlib
import io
import tempfile
from pathlib import Path
from typing import Any

from runners.lowering.onnx_files import require_one_file
from runners.runner import StageFailed
from spaces.errors import in_one_line


def slim(path: Path, graph_level: str) -> None:
    """Let onnxslim fold constants, and merge or leave out operators, in the ONNX file at ``path``.

    Args:
        path: The file, which is written anew.
        graph_level: How far ONNX Runtime optimises the graph afterwards, as in `onnx_session.open_session`.

    Raises:
        StageFailed: onnxslim fails on this network, its weights are in another file, or ONNX Runtime makes the same
            graph of the file with and without it, so that the trial would repeat another.
    """
    import onnx
    import onnxslim

    require_one_file(path, "onnxslim writes the graph")
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            before = _optimised(path, graph_level)
            onnx.save(onnxslim.slim(onnx.load(path)), path)
            after = _optimised(path, graph_level)
    except Exception as error:
        raise StageFailed(f"onnxslim cannot simplify this network ({in_one_line(error)})") from error
    if before == after:
        raise StageFailed("onnxslim changes nothing in what ONNX Runtime makes of it: the trial would repeat another")


def _optimised(path: Path, graph_level: str) -> list[Any]:
    """What ONNX Runtime makes of the file: operators and their attributes, sorted."""
    import onnx
    import onnxruntime

    from runners.lowering.onnx_session import session_options

    with tempfile.TemporaryDirectory() as place:
        options = session_options(1, graph_level)
        options.optimized_model_filepath = str(Path(place) / "optimised.onnx")
        onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        graph = onnx.load(options.optimized_model_filepath).graph
    return sorted(
        (node.domain, node.op_type, sorted(str(attribute) for attribute in node.attribute)) for node in graph.node
    )
