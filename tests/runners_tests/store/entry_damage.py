"""Ways in which an entry of the stage store goes bad on a disk, one of them at random."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np

Damage = Callable[[Path, np.random.Generator], None]


def flip_a_bit(entry: Path, random: np.random.Generator) -> None:
    file = _some_file(entry, random)
    content = bytearray(file.read_bytes())
    content[random.integers(len(content))] ^= 1 << random.integers(8)
    file.write_bytes(content)


def cut_short(entry: Path, random: np.random.Generator) -> None:
    file = _some_file(entry, random)
    os.truncate(file, random.integers(file.stat().st_size))


def lengthen(entry: Path, random: np.random.Generator) -> None:
    with _some_file(entry, random).open("ab") as file:
        file.write(random.bytes(random.integers(1, 9)))


def swap_two_files(entry: Path, random: np.random.Generator) -> None:
    one, other = random.choice(["files/weights.bin", "files/deeper/model.xml", "manifest.json"], 2, replace=False)
    (entry / one).rename(entry / "aside")
    (entry / other).rename(entry / one)
    (entry / "aside").rename(entry / other)


def take_another_entry(entry: Path, random: np.random.Generator) -> None:
    shutil.rmtree(entry)
    shutil.copytree(entry.parents[3] / "foreign", entry)


def take_the_manifest_of_another_entry(entry: Path, random: np.random.Generator) -> None:
    shutil.copy(entry.parents[3] / "foreign" / "manifest.json", entry / "manifest.json")


def change_a_figure(entry: Path, random: np.random.Generator) -> None:
    """One digit for another: it stays good JSON of the right shape."""
    manifest = entry / "manifest.json"
    content = bytearray(manifest.read_bytes())
    digits = [place for place, byte in enumerate(content) if chr(byte).isdigit()]
    place = digits[random.integers(len(digits))]
    content[place] = ord("0") + (content[place] - ord("0") + random.integers(1, 10)) % 10
    manifest.write_bytes(content)


def edit_the_manifest(entry: Path, random: np.random.Generator) -> None:
    manifest = entry / "manifest.json"
    document = json.loads(manifest.read_bytes())
    part = str(random.choice(["key", "schema", "result", "seconds", "origin", "files", "made"]))
    worthless = ["other", None, [], {}, -1, {"files/../../escape": "0" * 64}]
    document["manifest"][part] = worthless[random.integers(len(worthless))]
    manifest.write_bytes(json.dumps(document, sort_keys=True, separators=(",", ":")).encode())


def write_nonsense(entry: Path, random: np.random.Generator) -> None:
    nonsense = [
        b"",
        b"{}",
        b"null",
        b"[]",
        b'"',
        b"\0" * 50,
        b"[" * 100_000,
        b'{"a":' * 50_000,
        b"9" * 5_000,
        b"\xff\xfe",
    ]
    (entry / "manifest.json").write_bytes(nonsense[random.integers(len(nonsense))])


def remove_a_file(entry: Path, random: np.random.Generator) -> None:
    _some_file(entry, random).unlink()


def add_a_file(entry: Path, random: np.random.Generator) -> None:
    (entry / str(random.choice(["foreign", "files/foreign", "files/deeper/.hidden"]))).write_text("x")


def put_a_link_in_place(entry: Path, random: np.random.Generator) -> None:
    """To a file with the same content, to nothing, or to itself."""
    file = _some_file(entry, random)
    twin = entry.parents[3] / f"twin-{random.integers(2**60)}"
    file.rename(twin)
    file.symlink_to([twin, "nowhere", file.name][random.integers(3)])


def put_a_folder_in_place(entry: Path, random: np.random.Generator) -> None:
    file = _some_file(entry, random)
    file.unlink()
    file.mkdir()


def put_a_pipe_in_place(entry: Path, random: np.random.Generator) -> None:
    file = _some_file(entry, random)
    file.unlink()
    os.mkfifo(file)


def put_a_file_in_place_of_the_entry(entry: Path, random: np.random.Generator) -> None:
    shutil.rmtree(entry)
    entry.write_text("x")


def put_a_link_in_place_of_the_entry(entry: Path, random: np.random.Generator) -> None:
    twin = entry.parents[3] / f"twin-{random.integers(2**60)}"
    entry.rename(twin)
    entry.symlink_to(twin)


def empty_the_entry(entry: Path, random: np.random.Generator) -> None:
    shutil.rmtree(entry)
    entry.mkdir()


def nest_folders(entry: Path, random: np.random.Generator) -> None:
    os.makedirs(entry / "files" / "/".join("d" * 30))
    (entry / "files" / "/".join("d" * 30) / "x").write_text("x")


ALL: tuple[Damage, ...] = (
    flip_a_bit,
    cut_short,
    lengthen,
    swap_two_files,
    take_another_entry,
    take_the_manifest_of_another_entry,
    change_a_figure,
    edit_the_manifest,
    write_nonsense,
    remove_a_file,
    add_a_file,
    put_a_link_in_place,
    put_a_folder_in_place,
    put_a_pipe_in_place,
    put_a_file_in_place_of_the_entry,
    put_a_link_in_place_of_the_entry,
    empty_the_entry,
    nest_folders,
)
OFTEN: tuple[Damage, ...] = (flip_a_bit, cut_short, change_a_figure, edit_the_manifest, swap_two_files)


def damage(entry: Path, random: np.random.Generator) -> str:
    """Damage ``entry`` once and say how; the everyday ways more often."""
    ways = ALL + OFTEN * 3
    way = ways[random.integers(len(ways))]
    way(entry, random)
    return way.__name__


def _some_file(entry: Path, random: np.random.Generator) -> Path:
    return entry / str(random.choice(["manifest.json", "files/weights.bin", "files/deeper/model.xml"]))
