"""An ONNX file opened by ONNX Runtime."""

from typing import Any


def session_options(threads: int, graph_level: str = "all") -> Any:
    """Options of a session of ONNX Runtime; ``predict.py`` of an exported folder holds the source of this function.

    Numbers below 1e-38 count as zero.

    Args:
        threads: Threads of one call on a processor.
        graph_level: How far the graph is optimised: ``all``, ``extended``, ``basic`` or ``disabled``.
    """
    import onnxruntime

    levels = {"disabled": "DISABLE_ALL", "basic": "ENABLE_BASIC", "extended": "ENABLE_EXTENDED", "all": "ENABLE_ALL"}
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = getattr(onnxruntime.GraphOptimizationLevel, f"ORT_{levels[graph_level]}")
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 4
    # Idle threads spin for a while after a call, and would take the cores from whatever is timed next.
    options.add_session_config_entry("session.force_spinning_stop", "1")
    options.add_session_config_entry("session.set_denormal_as_zero", "1")
    return options


def open_session(path: Any, threads: int, graph_level: str = "all", provider: str = "cpu") -> Any:
    """The file at ``path`` as a session of ONNX Runtime; what is wrong with it is raised and not printed.

    ``predict.py`` of an exported folder holds the source of this function, too.

    Args:
        path: The file.
        threads: As in `session_options`.
        graph_level: As in `session_options`.
        provider: What computes: ``cpu``, ``cuda``, ``tensorrt``, ``openvino`` or ``coreml``.

    Raises:
        OSError: The provider cannot be used here.
    """
    import onnxruntime

    providers = {"cpu": "CPU", "cuda": "CUDA", "tensorrt": "Tensorrt", "openvino": "OpenVINO", "coreml": "CoreML"}
    wanted = f"{providers[provider]}ExecutionProvider"
    if wanted not in onnxruntime.get_available_providers():
        raise OSError(f"the installed ONNX Runtime has no {wanted}")
    session = onnxruntime.InferenceSession(str(path), session_options(threads, graph_level), providers=[wanted])
    if wanted not in session.get_providers():  # as for want of a library; it goes on with the processor then
        raise OSError(f"ONNX Runtime cannot load its {wanted} here")
    return session
