"""Input resolution: the network sees smaller pictures; they are resized inside of it."""

from collections.abc import Mapping
from typing import Any

from spaces.configuration import Scalar, is_number
from spaces.errors import WorkFailed
from spaces.model_context import ModelContext
from spaces.technique import Parameter, Stage, Technique


class InputResolution(Technique):
    """The resolution multiplier of MobileNets (Howard et al., arXiv 1704.04861): the cost falls with its square."""

    name = "input_resolution"
    stage = Stage.PRUNE
    parameters = (
        Parameter(
            "input_resolution",
            (1.0, 0.75, 0.5),
            1.0,
            "the share of the sides of a picture, above 0 and up to 1",
            "resolution={}",
            only_where_named=True,
        ),
    )

    def accepts(self, parameter: Parameter, value: Scalar) -> bool:
        return is_number(value) and 0 < value <= 1

    def apply(self, subject: Any, settings: Mapping[str, Scalar], context: ModelContext | None) -> Any:
        from spaces.network_changes.pictures import picture_size
        from spaces.network_changes.trial_call import require_runs

        assert context is not None
        share = float(settings["input_resolution"])
        if any(place is not None for place in context.dynamic):
            raise WorkFailed("pictures are resized from one size to another, and those of this workload may differ")
        _, *size = picture_size(context.example, "input_resolution")
        smaller = [max(1, int(share * side + 0.5)) for side in size]
        if smaller == size:
            raise WorkFailed(f"{share:g} of pictures of {size[0]}x{size[1]} is that size again; give a smaller share")
        context.record.update({"size": size, "smaller": smaller})
        network = self.rebuild(subject, context.record)
        instead = f"{smaller[0]}x{smaller[1]} in place of {size[0]}x{size[1]}"
        require_runs(network, context.example, f"the network does not take pictures of {instead}")
        return network

    def rebuild(self, network: Any, record: Mapping[str, Any]) -> Any:
        from spaces.network_changes.resized_input import with_resized_input

        return with_resized_input(network, tuple(record["size"]), tuple(record["smaller"]))


TECHNIQUE = InputResolution()
