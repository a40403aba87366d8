"""Whatever mode and bit depth a picture has, it arrives upright and with its contrast."""

import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from runners.datasets.image_files import decode, levels_of
from runners.datasets.image_folder import open_image_folder
from spaces.errors import RequestError

RAMP = np.linspace(0, 1, 16).reshape(4, 4)
"""From black to white."""


def saved(folder: Path, image: Image.Image, name: str, **options: Any) -> Path:
    image.save(folder / name, **options)
    return folder / name


def brightness(file: Path) -> Any:
    return decode(file, 4, levels_of([file])).astype(float).mean(axis=2) / 255


@pytest.mark.parametrize(
    ("array", "name"),
    [
        (RAMP * 65535, "sixteen.png"),
        (RAMP * 65535, "sixteen.tif"),
        (RAMP * 4095, "twelve.png"),
        (RAMP * 1023, "ten.tif"),
    ],
)
def test_sixteen_bits_of_any_sensor_keep_their_contrast(tmp_path: Path, array: Any, name: str) -> None:
    file = saved(tmp_path, Image.fromarray(np.round(array).astype(np.uint16)), name)
    np.testing.assert_allclose(brightness(file), RAMP, atol=0.005)


def png_of_sixteen_bits(channels: Any, kind: int) -> bytes:
    """A PNG file as its standard describes it: Pillow writes no colours of 16 bits."""

    def chunk(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in channels)
    head = struct.pack(">IIBBBBB", channels.shape[1], channels.shape[0], 16, kind, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        chunk(*part) for part in ((b"IHDR", head), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    )


@pytest.mark.parametrize(("kind", "channels"), [(2, 3), (4, 2), (6, 4)])
def test_colours_of_sixteen_bits_keep_their_contrast(tmp_path: Path, kind: int, channels: int) -> None:
    values = np.repeat(np.round(RAMP * 65535)[..., None], channels, axis=2)
    if channels in (2, 4):
        values[..., -1] = 65535
    (tmp_path / "a.png").write_bytes(png_of_sixteen_bits(values, kind))
    np.testing.assert_allclose(brightness(tmp_path / "a.png"), RAMP, atol=0.005)


@pytest.mark.parametrize("values", [RAMP, RAMP * 255, RAMP * 2**20, RAMP * 2 - 1])
def test_numbers_of_thirty_two_bits_keep_their_contrast(tmp_path: Path, values: Any) -> None:
    for dtype in (np.float32, np.int32) if values.max() > 1 else (np.float32,):
        file = saved(tmp_path, Image.fromarray(values.astype(dtype)), "deep.tif")
        found = brightness(file)
        assert found.max() - found.min() > 0.45
        assert (np.diff(found.ravel()) >= 0).all()


@pytest.mark.parametrize("mode", ["1", "L", "P", "LA", "RGBA", "CMYK", "YCbCr", "RGB"])
def test_every_other_mode_keeps_black_and_white(tmp_path: Path, mode: str) -> None:
    grey = Image.fromarray(np.repeat([[0, 0, 255, 255]], 4, axis=0).astype(np.uint8))
    name = {"CMYK": "a.tif", "YCbCr": "a.tif"}.get(mode, "a.png")
    found = brightness(saved(tmp_path, grey.convert("RGB").convert(mode), name))
    assert found[:, :2].max() < 0.02
    assert found[:, 2:].min() > 0.98


@pytest.mark.parametrize("colour", [0, 255])
@pytest.mark.parametrize("under", [0, 255])
def test_a_drawing_on_nothing_stands_out_from_its_ground(tmp_path: Path, colour: int, under: int) -> None:
    pixels = np.full((4, 4, 4), (under, under, under, 0), np.uint8)
    pixels[:, :2] = (colour, colour, colour, 255)
    found = brightness(saved(tmp_path, Image.fromarray(pixels), "a.png"))
    assert abs(found[:, 0] - found[:, 3]).min() > 0.9
    assert abs(found[0, 0] - colour / 255) < 0.01


def test_a_photograph_is_turned_as_its_camera_says(tmp_path: Path) -> None:
    pixels = np.zeros((4, 4), np.uint8)
    pixels[0] = 255
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by 90 degrees
    found = brightness(saved(tmp_path, Image.fromarray(pixels), "a.png", exif=exif))
    assert found[:, 3].min() == 1
    assert found[:, 0].max() == 0


def test_one_white_level_holds_for_a_whole_folder_and_is_told(tmp_path: Path) -> None:
    for split in ("train", "val", "test"):
        for name, level in (("dark", 500), ("light", 4000)):
            (tmp_path / split / name).mkdir(parents=True)
            saved(tmp_path / split / name, Image.fromarray(np.full((4, 4), level, np.uint16)), "deep.png")
            saved(tmp_path / split / name, Image.new("RGBA", (4, 4), (9, 9, 9, 255)), "flat.png")
    splits = open_image_folder(tmp_path, 4, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0))
    dark, _, light, _ = splits["val" if "val" in splits else "validation"].batch(np.arange(4))[0].mean(axis=(1, 2, 3))
    assert (dark, light) == pytest.approx((500 / 4095, 4000 / 4095), abs=0.003)
    assert splits["test"].notes == ("in images of more than 8 bits 0 becomes black and 4095 white",)


def test_a_corrupt_image_is_found_before_a_search_begins(tmp_path: Path) -> None:
    for split in ("train", "val", "test"):
        for name in ("a", "b"):
            (tmp_path / split / name).mkdir(parents=True)
            saved(tmp_path / split / name, Image.effect_noise((32, 32), 50), "0.png")
    broken = tmp_path / "train" / "b" / "1.png"
    broken.write_bytes((tmp_path / "train" / "b" / "0.png").read_bytes()[:300])
    with pytest.raises(RequestError, match=r"train/b/1\.png cannot be read as an image .*; replace or remove it"):
        open_image_folder(tmp_path, 8, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0))["train"].fingerprint()
