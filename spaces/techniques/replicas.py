"""Serving replicas: how many processes serve at the same time, and with how many threads each."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from spaces.configuration import Scalar, is_whole_number
from spaces.environment import Environment
from spaces.model_context import ModelContext
from spaces.technique import Earlier, Parameter, Stage, Technique


class Replicas(Technique):
    """Replicas and threads: many replicas give more throughput, many threads give a lower latency.

    The neutral number of threads is that of the baseline, which is timed at each number when a study begins. More
    threads are not always faster: on a machine of two cores a small network in eager mode took 1.4 ms on two threads
    when alone and 4 to 300 ms beside other processes, but 1.9 and 2.1 ms on one thread.
    """

    name = "replicas"
    stage = Stage.SERVE
    parameters = (
        Parameter(
            "replicas", (1, 2), 1, "a whole number from 1", "replicas={}", affects=("throughput_per_s", "energy_mj")
        ),
        Parameter("threads", (1,), 1, "a whole number from 1", "threads={}"),
    )

    def choices(self, parameter: Parameter, environment: Environment) -> tuple[Scalar, ...]:
        if parameter.name == "threads" and environment.call_threads is not None:
            return (environment.call_threads,)
        return _powers_of_two(environment.cpu_cores)

    def neutral(self, parameter: Parameter, environment: Environment) -> Scalar:
        return environment.baseline_threads if parameter.name == "threads" else parameter.neutral

    def accepts(self, parameter: Parameter, value: Scalar) -> bool:
        return is_whole_number(value) and value >= 1

    def unsupported(
        self, parameter: Parameter, value: Scalar, earlier: Earlier, environment: Environment
    ) -> str | None:
        wanted = environment.call_threads
        if parameter.name == "threads" and wanted is not None and value != wanted:
            return f"all is timed with {wanted} threads, as --serve asks for"
        busy = int(value) * (int(earlier.choices.get("replicas", 1)) if parameter.name == "threads" else 1)
        if busy > environment.cpu_cores:
            return f"needs {busy} cores, and there are {environment.cpu_cores}"
        return None

    def apply(self, subject: Any, settings: Mapping[str, Scalar], context: ModelContext | None) -> Any:
        return replace(subject, **{name: int(value) for name, value in settings.items()})


def _powers_of_two(cores: int) -> tuple[int, ...]:
    """1, 2, 4, ... up to ``cores``, and ``cores`` itself."""
    powers = [2**k for k in range(cores.bit_length()) if 2**k <= cores]
    return tuple(dict.fromkeys([*powers, cores]))


TECHNIQUE = Replicas()
