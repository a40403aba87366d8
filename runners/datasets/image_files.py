"""Pictures decoded to three colours of 8 bits, whatever mode and bit depth their files have."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from spaces.errors import RequestError

ENDINGS = (".jpg", ".jpeg", ".jfif", ".jpe", ".png", ".bmp", ".webp", ".ppm", ".pgm", ".tif", ".tiff")
HEADERS, LOOKED_AT = 2_000, 64
"""Pictures whose mode is looked at, and how many of those with more than 8 bits are decoded for their brightness."""
MID_GREY = 127

Levels = tuple[float, float]
"""The values that become black and white."""


def decode(file: Path, size: int, levels: Levels | None) -> NDArray[np.uint8]:
    """The picture upright, its short side scaled to ``size`` and its centre cut out: ``(size, size, 3)``.

    Args:
        file: The picture.
        size: In pixels.
        levels: Of a picture with more than 8 bits, as `levels_of` gives them; None where each has its own.

    Raises:
        RequestError: It cannot be read; the file is named.
    """
    with opened(file) as image:
        upright = _in_colour(ImageOps.exif_transpose(image), levels)
        return np.asarray(ImageOps.fit(upright, (size, size), Image.Resampling.BILINEAR))


def levels_of(files: Sequence[Path]) -> Levels | None:
    """Black and white for pictures with one channel of more than 8 bits, as cameras and scanners write them.

    A sensor of 12 bits fills a sixteenth of a file of 16 bits. White is the largest number of the fewest bits that hold
    all values of some pictures: 4095 there, and 1 for fractions. Black is 0, or that number with a minus sign.

    Args:
        files: Some of these are looked at.

    Returns:
        The two values, the same for all pictures, so that a darker one stays darker; None where none has such a mode.

    Raises:
        RequestError: A picture cannot be read.
    """
    deep = []
    for index in _spread(len(files), HEADERS):
        with opened(files[index]) as image:
            if _is_deep(image):
                deep.append(files[index])
    ranges = []
    for index in _spread(len(deep), LOOKED_AT):
        with opened(deep[index]) as image:
            ranges.append(_levels(image))
    return (min(low for low, _ in ranges), max(high for _, high in ranges)) if ranges else None


@contextmanager
def opened(file: Path) -> Iterator[Image.Image]:
    """The picture, of which the first bytes are read.

    Raises:
        RequestError: It is none, or reading it in the block fails.
    """
    try:
        with Image.open(file) as image:
            yield image
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        if isinstance(error, RequestError):
            raise
        raise RequestError(f"{file} cannot be read as an image ({error}); replace or remove it") from error


def _is_deep(image: Image.Image) -> bool:
    return image.mode in ("I", "F") or image.mode.startswith("I;16")


def _spread(count: int, most: int) -> list[int]:
    """Up to ``most`` positions below ``count``, spread evenly."""
    return sorted({position * count // min(most, count) for position in range(min(most, count))})


def _levels(image: Image.Image) -> Levels:
    values = np.nan_to_num(np.asarray(image, np.float64), posinf=0, neginf=0)
    low = float(values.min())
    return (-_largest(-low) if low < 0 else 0.0, _largest(float(values.max())))


def _largest(value: float) -> float:
    """The largest number of the fewest bits that hold ``value``; 1 at least."""
    return float(2 ** max(1, int(np.ceil(value)).bit_length()) - 1)


def _in_colour(image: Image.Image, levels: Levels | None) -> Image.Image:
    if _is_deep(image):
        low, high = levels or _levels(image)
        values = (np.nan_to_num(np.asarray(image, np.float32)) - low) * (255 / (high - low))
        return Image.fromarray(np.clip(np.round(values), 0, 255).astype(np.uint8)).convert("RGB")
    if image.has_transparency_data:
        return _on_ground(image.convert("RGBA"))
    return image.convert("RGB")


def _on_ground(image: Image.Image) -> Image.Image:
    """The picture on white where what is visible is dark, else on black: a drawing keeps its contrast to the ground."""
    pixels = np.asarray(image, np.float32)
    colours, opaque = pixels[..., :3], pixels[..., 3:] / 255
    if (opaque == 1).all():
        return image.convert("RGB")
    brightness = (colours * opaque).sum() / max(1.0, 3 * opaque.sum())
    ground = 0 if brightness > MID_GREY else 255
    return Image.fromarray(np.round(colours * opaque + ground * (1 - opaque)).astype(np.uint8))
