"""An ONNX file opened by ONNX Runtime on the CPU."""

from pathlib import Path
from typing import Any


def open_session(path: Path, threads: int) -> Any:
    """The file at ``path`` as a session of ONNX Runtime; what is wrong with it is raised and not printed."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 4
    # Idle threads spin for a while after a call, and would take the cores from whatever is timed next.
    options.add_session_config_entry("session.force_spinning_stop", "1")
    options.add_session_config_entry("session.set_denormal_as_zero", "1")  # see runners.machine.denormals
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
