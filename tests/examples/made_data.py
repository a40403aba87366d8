"""Writes the files that examples read: a folder of pictures, and a table."""

from pathlib import Path

import numpy as np
from PIL import Image


def make_flowers(folder: Path) -> None:
    """Yellow and blue blossoms on green, 60 of each, not divided into splits."""
    random = np.random.default_rng(0)
    rows, columns = np.mgrid[:32, :32]
    for name, colour in (("daffodil", (230, 200, 30)), ("gentian", (40, 60, 220))):
        (folder / "flowers" / name).mkdir(parents=True)
        for number in range(60):
            picture = random.normal((60, 120, 50), 25, (32, 32, 3))
            row, column = random.integers(10, 22, 2)
            picture[(rows - row) ** 2 + (columns - column) ** 2 < 60] = colour
            pixels = np.clip(picture, 0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(folder / "flowers" / name / f"{number}.png")


def make_houses(folder: Path) -> None:
    """A table of 600 houses, whose price follows from size, age, rooms and kind."""
    random = np.random.default_rng(0)
    area, age, rooms = random.uniform(30, 200, 600), random.uniform(0, 90, 600), random.integers(1, 7, 600)
    kinds = random.choice(["flat", "house", "farm"], 600)
    worth = np.select([kinds == "flat", kinds == "house"], [3.0, 2.0], 1.0)
    price = area / 100 * worth - age / 60 + rooms / 10 + random.normal(0, 0.1, 600)
    lines = zip(area.round(1), age.round(1), rooms, kinds, price.round(3), strict=True)
    table = ["area,age,rooms,kind,price", *(",".join(map(str, line)) for line in lines)]
    (folder / "houses.csv").write_text("\n".join(table))
