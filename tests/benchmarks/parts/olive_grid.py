"""What Olive's pass of quantisation writes, at each point of the search space that Olive gives it for processors.

Olive's ``OnnxQuantization`` calls ONNX Runtime's tools; read in the code of olive-ai 0.13.
"""

import contextlib
import io
import sys
from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Any
from unittest import mock

from runners.backends.onnxruntime import OnnxRuntime
from runners.inputs import Arrays
from runners.lowering.calibration import CALIBRATION_IMAGES, calibration_rows
from runners.measuring.opening import Artifact
from runners.measuring.pair import evaluate_artifact
from runners.quantisers.of_onnxruntime import Examples, quiet
from runners.stages.evaluating import accuracies_to_json
from runners.workload_loading.reference import resolve

FORMATS = (("QDQ", "int8"), ("QDQ", "uint8"), ("QOperator", "uint8"))
"""The form of the graph, and the numbers of weights and activations; Olive has no other pairs."""
METHODS = ("MinMax", "Percentile", "Entropy")
OPTIONS = {"per_channel": "a scale a channel", "reduce_range": "reduced range", "quant_preprocess": "prepared"}


def olive_points() -> Iterator[tuple[str, dict[str, Any]]]:
    """The settings of each point with its name: 16 of dynamic quantisation, and 72 of static."""
    for chosen in product((False, True), repeat=len(OPTIONS)):
        options = dict(zip(OPTIONS, chosen, strict=True))
        words = [word for name, word in OPTIONS.items() if options[name]]
        for number in ("int8", "uint8"):
            yield _named("dynamic", number, *words), {"quant_mode": "dynamic", "precision": number, **options}
        for (form, number), method in product(FORMATS, METHODS):
            settings = {
                "precision": number,
                "activation_type": number,
                "quant_format": form,
                "calibrate_method": method,
            }
            yield _named(form, number, method, *words), {"quant_mode": "static", **settings, **options}


def olive_artifacts(workload: Any, plain: Path, place: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """The figures of what Olive makes of a network at each point, with the ``folder`` or why it ``failed``, by name.

    Args:
        workload: Its reference; calibration takes as many examples of it as a search does.
        plain: The folder of the network's artifact for ONNX Runtime in fp32.
        place: Where the files are written.
    """
    calibration = calibration_rows(resolve(workload), 0, CALIBRATION_IMAGES)
    for number, (name, settings) in enumerate(olive_points()):
        print(f"onnxruntime, {name}", file=sys.stderr, flush=True)
        folder = place / str(number)
        folder.mkdir(parents=True)
        file = folder / OnnxRuntime.artifact
        try:
            quantise_by_olive(plain / OnnxRuntime.artifact, calibration, settings, file)
            found = evaluate_artifact(workload, Artifact(folder, OnnxRuntime.name, threads=1), ("validation", "test"))
        except Exception as error:
            yield name, {"chosen": settings, "failed": f"{type(error).__name__}: {error}"}
            continue
        assert found is not None
        size_mib = file.stat().st_size / 2**20
        yield name, {"chosen": settings, "folder": folder, "size_mib": size_mib, **accuracies_to_json(found)}


def quantise_by_olive(source: Path, calibration: Sequence[Arrays], settings: Mapping[str, Any], output: Path) -> None:
    """Write the ONNX file ``source`` as Olive quantises it with the ``settings`` of a point to ``output``."""
    import onnx
    from olive.model import ONNXModelHandler
    from olive.passes.olive_pass import create_pass_from_dict
    from olive.passes.onnx import quantization

    names = [each.name for each in onnx.load(source).graph.input]
    given = {**settings, "data_config": {"name": "calibration", "type": "DummyDataContainer"}}
    quantise = create_pass_from_dict(quantization.OnnxQuantization, given, disable_search=True)
    examples = Examples(names, calibration)
    replaced = mock.patch.object(quantization, "get_calibration_dataloader", return_value=examples)
    with replaced, contextlib.redirect_stdout(io.StringIO()), quiet():
        quantise.run(ONNXModelHandler(str(source)), str(output))


def _named(*words: str) -> str:
    return f"Olive: {', '.join(words)}"
