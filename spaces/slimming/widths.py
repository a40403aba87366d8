"""How many channels each group of coupled layers keeps; it imports torch only when called."""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Any

from spaces.slimming.layers import FEWEST_CHANNELS, channels, kept_channels
from spaces.slimming.sensitivity import shares_by_error

UNIFORM, GLOBAL, ISOMORPHIC, SENSITIVITY = "uniform", "global", "isomorphic", "sensitivity"
SCOPES = (UNIFORM, GLOBAL, ISOMORPHIC, SENSITIVITY)
"""Ways to share out what is kept over the layers, see `kept_shares`."""


@dataclass(frozen=True, eq=False)
class ScoredGroup:
    """Channels of coupled layers that can only leave together.

    Attributes:
        group: All of them, as torch-pruning finds it.
        scores: A score for each channel, more for what should stay; where the layers have groups of channels that have
            to stay equally large, for each channel of one of these.
        parts: The number of these groups of channels; 1 where there are none.
    """

    group: Any
    scores: Any
    parts: int

    @property
    def layer(self) -> Any:
        """The layer that computes the channels."""
        return self.group[0].dep.target.module

    @property
    def kind(self) -> Hashable:
        """The same for two groups that couple the same types of layers in the same order."""
        return tuple((type(dep.target.module), dep.handler.__name__) for dep, _ in self.group)

    def least(self, number: int) -> list[int]:
        """The places of the ``number`` channels with the lowest scores, of each part of the layer."""
        import torch

        found = torch.topk(self.scores, number, largest=False).indices.tolist()
        return sorted(place + part * len(self.scores) for part in range(self.parts) for place in found)

    def removed(self, keep: float, multiple: int | None) -> int:
        """How many of the scored channels leave where about a share ``keep`` stays.

        Widths are rounded as `kept_channels` does; of a grouped convolution each group keeps a whole number instead.
        """
        given, groups, scored = channels(self.layer), int(getattr(self.layer, "groups", 1)), len(self.scores)
        if groups not in (1, given):
            given //= groups
            kept = max(1, int(given * keep + 0.5))
        else:
            kept = kept_channels(given, keep, multiple)
        # Half a channel more keeps float error from taking one away.
        return scored - max(1, int(scored * (kept + 0.5) / given)) if kept < given else 0


def kept_shares(
    groups: Sequence[ScoredGroup], keep: float, scope: str, error: Callable[[ScoredGroup, int], float]
) -> list[float]:
    """The share of its channels that each of ``groups`` keeps, so that about ``keep`` of all channels together stay.

    Args:
        groups: All that can be made narrower.
        keep: Share of channels kept, above 0 and below 1.
        scope: ``uniform``: each group keeps ``keep``. ``global``: the scores of all groups are compared.
            ``isomorphic``: those of groups of the same kind are (Fang et al., arXiv 2407.04616). ``sensitivity``: each
            group loses as much as costs the outputs the same, see `shares_by_error`.
        error: How far the outputs are off where as many channels of one group leave.
    """
    if scope == UNIFORM or not groups:
        return [keep] * len(groups)
    if scope == SENSITIVITY:
        sizes = [len(group.scores) for group in groups]
        return shares_by_error(sizes, keep, lambda place, removed: error(groups[place], removed))
    kinds = [group.kind if scope == ISOMORPHIC else None for group in groups]
    shares: dict[int, float] = {}
    for kind in dict.fromkeys(kinds):
        places = [place for place, own in enumerate(kinds) if own == kind]
        shares.update(zip(places, _ranked([groups[place].scores for place in places], keep), strict=True))
    return [shares[place] for place in range(len(groups))]


def _ranked(scores: Sequence[Any], keep: float) -> list[float]:
    """The share that each layer keeps where the highest of all ``scores`` stay; its own highest four always do."""
    import torch

    lifted = []
    for own in scores:
        raised = own.clone().double()
        raised[torch.topk(own, min(FEWEST_CHANNELS, len(own))).indices] = torch.inf
        lifted.append(raised)
    every = torch.cat(lifted)
    fewest = int(every.isinf().sum())
    kept = torch.zeros(len(every))
    kept[torch.topk(every, max(fewest, round(keep * len(every)))).indices] = 1
    return [float(own.mean()) for own in torch.split(kept, [len(own) for own in scores])]
