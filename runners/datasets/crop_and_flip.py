"""The plainest augmentation of images: a shifted crop and a mirror, for a whole batch at once."""

import torch
from torch import Tensor
from torch.nn import functional


def crop_and_flip(images: Tensor, generator: torch.Generator) -> Tensor:
    """Shift every image by up to an eighth of its side (4 of 32 pixels) and mirror every second one, at random.

    Args:
        images: ``(n, channels, height, width)``; what moves in from outside is 0, the mean of normalised images.
        generator: Decides shifts and mirrors.

    Returns:
        A new batch of the same shape.
    """
    count, _, height, width = images.shape
    shift_y, shift_x = max(1, round(height / 8)), max(1, round(width / 8))
    padded = functional.pad(images, (shift_x, shift_x, shift_y, shift_y))
    place = generator.device
    rows = torch.arange(height, device=place) + _draw(2 * shift_y + 1, count, generator)
    columns = torch.arange(width, device=place) + _draw(2 * shift_x + 1, count, generator)
    columns = torch.where(_draw(2, count, generator).bool(), columns.flip(1), columns)
    chosen = (torch.arange(count, device=place)[:, None, None], rows[:, :, None], columns[:, None, :])
    cropped = padded.permute(0, 2, 3, 1)[tuple(index.to(images.device) for index in chosen)]
    return cropped.permute(0, 3, 1, 2)


def _draw(below: int, count: int, generator: torch.Generator) -> Tensor:
    return torch.randint(below, (count, 1), generator=generator, device=generator.device)
