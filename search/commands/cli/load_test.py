"""The options of ``frontrunner load-test``; like `search.cli` it imports nothing heavy."""

from pathlib import Path
from typing import Annotated

from typer import Argument, Option

from search.commands.options import HomeOption, JsonOption, TrustOption

Numbers = list[int] | None


def load_test(
    folder: Annotated[Path, Argument(metavar="DIR", help="An exported folder.")],
    rate: Annotated[
        list[float] | None,
        Option(metavar="N", help="Requests a second; repeat for several. [default: 10 % to 100 % of the capacity]"),
    ] = None,
    replicas: Annotated[
        Numbers, Option(metavar="N", min=1, help="Processes; repeat for several. [default: 1, and as many as fit]")
    ] = None,
    threads: Annotated[
        Numbers, Option(metavar="N", min=1, help="Threads of one call; repeat for several. [default: all that fit]")
    ] = None,
    batch: Annotated[
        Numbers, Option(metavar="N", min=1, help="Most requests of one call; repeat for several. [default: 1 and 8]")
    ] = None,
    wait_ms: Annotated[
        list[float] | None,
        Option(
            metavar="MS",
            min=0,
            help="How long the first request of a batch waits for others; repeat for several. [default: 0 and 2]",
        ),
    ] = None,
    p99_ms: Annotated[
        float | None, Option(metavar="MS", min=0, help="Look for the highest rate within this 99th percentile.")
    ] = None,
    budget: Annotated[str, Option(metavar="TIME", help="About how long requests arrive in all.")] = "1m",
    seed: Annotated[int, Option(metavar="N", min=0, help="Seed of the arrivals.")] = 0,
    shape: Annotated[
        str | None, Option(metavar="SIZES", help="Input shape, batch first, such as 1,3,32,32. [default: the folder's]")
    ] = None,
    trust: TrustOption = False,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Show how fast a folder answers requests that arrive.

    Requests arrive at random times whether the model is ready or not, and their latency counts from then on. Each way
    to serve (replicas, threads, batches and how long these are waited for) is tried at each rate.
    """
    from search.commands.load_test import LoadTestOptions, run_load_test
    from search.request.locations import Home

    options = LoadTestOptions(
        replicas=tuple(replicas or ()),
        threads=tuple(threads or ()),
        batches=tuple(batch or ()),
        waits_ms=tuple(wait_ms or ()),
        rates=tuple(rate or ()),
        p99_ms=p99_ms,
        budget=budget,
        seed=seed,
        shape=shape,
    )
    run_load_test(folder, options, None if trust else Home.find(home), as_json=json)
