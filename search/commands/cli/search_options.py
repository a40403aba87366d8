"""The options of ``frontrunner search`` and ``resume``: what is searched, and for how long."""

from typing import Annotated

from typer import Option

# Short names, so that most options fit on one line.
Text = str | None
Texts = list[str] | None
Number = int | None

Study = Annotated[Text, Option(metavar="NAME", help="Name of the study. [default: after the workload]")]
Workload = Annotated[
    Text, Option(metavar="WORKLOAD", help="NAME, FILE.py[:OBJECT] or package.module:OBJECT. [default: digits]")
]
Space = Annotated[
    Text,
    Option(
        metavar="SPACE",
        help="Search space: cpu, edge, four-step, full, gpu, post-training, quick, tpu, or FILE.yaml. [default: cpu]",
    ),
]
Trials = Annotated[
    Number,
    Option(metavar="N", help="Number of trials, the baseline included; all of the space post-training. [default: 18]"),
]
Timeout = Annotated[
    Text, Option(metavar="TIME", help="Start no trial after this time, such as 30m. [default: no limit]")
]
NewTrials = Annotated[Number, Option(metavar="N", help="New number of trials of the study. [default: as before]")]
NewTimeout = Annotated[
    Text, Option(metavar="TIME", help="Start no trial after this time, such as 30m. [default: as before]")
]
TimeBudget = Annotated[
    Text,
    Option(
        metavar="TIME",
        help="End the whole search after this time, such as 10m. By default it then looks for the fastest model that "
        "loses at most 0.01 of accuracy. [default: no limit]",
    ),
]
Sampler = Annotated[Text, Option(metavar="NAME", help="Sampler: gain, tpe, nsga2, gp or random. [default: gain]")]
From = Annotated[Text, Option("--from", metavar="STUDY", help="Use the trials of an earlier study of this workload.")]
Objective = Annotated[
    Texts,
    Option(metavar="QUANTITY", help="Quantity to optimise; give one to three. [default: accuracy, speedup]"),
]
Constraint = Annotated[
    Texts, Option(metavar="BOUND", help='Bound on a measured quantity, such as "latency_p90_ms<=5".')
]
Serve = Annotated[
    Text,
    Option(metavar="USE", help="For which use all is timed, such as batch=8,threads=2. [default: batch=1]"),
]
Seed = Annotated[Number, Option(metavar="N", help="Seed of all random numbers. [default: 0]")]
MeasureOn = Annotated[
    Text,
    Option(
        metavar="NODES",
        help="Nodes of the cluster that measure: accelerator_type:NAME, or a label as KEY=VALUE. [default: any]",
    ),
]
TrainWith = Annotated[
    Text,
    Option(
        metavar="RESOURCES",
        help="What each training worker asks of its node, such as gpus=0.5,memory_gib=8,accelerator_type=A10G.",
    ),
]
DryRun = Annotated[bool, Option("--dry-run", help="Print what would be searched, and start nothing.")]
