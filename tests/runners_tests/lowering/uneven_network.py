"""A network of which one layer loses nearly all that int8 loses."""

import torch
from torch import nn


class Uneven(nn.Module):
    """Three convolutions; a channel that the second reads, behind a pooling, is a thousand times as large as others."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second, self.third = nn.Conv2d(3, 8, 3), nn.Conv2d(8, 8, 3, padding=1), nn.Conv2d(8, 8, 1)
        self.last = nn.Linear(8, 4)
        with torch.no_grad():
            self.first.weight[0].mul_(1000)
            self.second.weight[:, 0].div_(1000)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        inside = torch.max_pool2d(torch.relu(self.first(x)), 2)
        inside = torch.relu(self.second(inside))
        return self.last(torch.relu(self.third(inside) + inside).mean((2, 3)))
