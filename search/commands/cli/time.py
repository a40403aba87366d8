"""The options of ``frontrunner time``; like `search.cli` it imports nothing heavy."""

from pathlib import Path
from typing import Annotated

from typer import Argument, Option

from search.commands.options import HomeOption, JsonOption, TrustOption

Text = str | None
Number = int | None


def time_models(
    model_a: Annotated[Path, Argument(metavar="MODEL_A", help="Exported folder or model file.")],
    model_b: Annotated[Path, Argument(metavar="MODEL_B", help="The model that is compared with MODEL_A.")],
    shape: Annotated[
        Text, Option(metavar="SIZES", help="Input shape, batch first, such as 1,3,32,32. [default: the models']")
    ] = None,
    batch: Annotated[
        Number, Option(metavar="N", min=1, help="Inputs of one call. [default: the models' fixed batch, or 1]")
    ] = None,
    threads: Annotated[int, Option(metavar="N", min=1, help="Threads of one call.")] = 1,
    budget: Annotated[str, Option(metavar="TIME", help="How long to measure, such as 10s or 1m.")] = "10s",
    seed: Annotated[int, Option(metavar="N", min=0, help="Seed of the input and of the order of the calls.")] = 0,
    trust: TrustOption = False,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Time two models in turn: how much faster is B than A?

    Models are exported folders, .onnx, TorchScript (.pt, .ts, .torchscript), torch.export (.pt2) and OpenVINO (.xml)
    files that take one float32 tensor. TorchScript and .pt2 files can run code: give only files that you trust. An
    exported folder with such a file is opened with --trust, or if it is as this home exported it.
    """
    from search.commands.time import TimeOptions, time_files
    from search.request.locations import Home

    options = TimeOptions(shape, batch, threads, budget, seed)
    time_files(model_a, model_b, options, None if trust else Home.find(home), as_json=json)
