"""The knee of a front: the member nearest to what would be best in every objective."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from search.objectives.loss_table import losses
from search.objectives.objective import Objective

Member = Mapping[str, Any]


def knee(members: Sequence[Member], objectives: Sequence[Objective], baseline: Mapping[str, Any]) -> Member:
    """The one of ``members`` nearest to the ideal point, each objective scaled to its range over the members.

    At the ideal point every objective is at its best over the members. A member whose timing is unstable is given only
    where all are unstable.

    Args:
        members: Members of a front as the front document has them, at least one.
        objectives: What is optimised.
        baseline: The measurement of the baseline.
    """
    members = [member for member in members if not member["unstable"]] or members
    points = np.array([losses(objectives, member["measurement"], baseline) for member in members])
    spread = np.ptp(points, axis=0)
    scaled = (points - points.min(axis=0)) / np.where(spread > 0, spread, 1)
    return members[int(np.linalg.norm(scaled, axis=1).argmin())]
