"""Which images of a folder belong to which split, and to which class."""

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from runners.datasets.division import SHARES, divide
from runners.datasets.division_file import Row, read_division
from runners.datasets.image_files import ENDINGS
from runners.datasets.split_names import SPLIT_NAMES
from runners.workload import UNLABELLED
from spaces.errors import RequestError

Division = Path | int
"""A file that `runners.datasets.division_file` reads, or the seed by which a folder that is not divided is."""


@dataclass(frozen=True)
class ImageList:
    """The images of one split.

    Attributes:
        folder: What their names count from.
        classes: The names of the classes, in the order of the targets.
        files: The images.
        targets: The position in ``classes`` of each, int64.
        notes: A sentence each on what was passed over and how the folder was divided.
    """

    folder: Path
    classes: tuple[str, ...]
    files: tuple[Path, ...]
    targets: NDArray[np.int64]
    notes: tuple[str, ...] = ()

    def names(self) -> list[str]:
        """The file of each image below ``folder``."""
        return [file.relative_to(self.folder).as_posix() for file in self.files]

    def part(self, positions: NDArray[np.int64], *notes: str) -> "ImageList":
        """The images at ``positions``."""
        files = tuple(self.files[position] for position in positions)
        return replace(self, files=files, targets=self.targets[positions], notes=(*self.notes, *notes))


def find_images(folder: Path, division: Division = 0) -> dict[str, ImageList]:
    """The images of each split below ``folder``.

    The folder holds ``train``, ``val`` (or ``validation``) and ``test``, each with a folder for every class. Where only
    ``test`` is missing, half of ``val`` is taken for it; where ``val`` is, 15 % of ``train``, and 15 % for ``test`` if
    that is missing too. Where it holds the class folders alone, 70 % of each class train, 15 % validate, 15 % test.
    Without ``train`` nothing is drawn, and nothing can be trained.

    Args:
        folder: An absolute path.
        division: How to divide what is not divided: a seed, or a file as `runners.datasets.division_file` describes it.

    Raises:
        RequestError: There are fewer than two classes, a split has other classes, or a class has no images.
    """
    if isinstance(division, Path):
        return _as_written(folder, division)
    parts = {split: part for split, names in SPLIT_NAMES.items() if (part := _split_folder(folder, names))}
    if not parts:
        whole = list_images(folder, _classes(folder))
        told = ", ".join(f"{share:.0%} {split}" for split, share in SHARES.items())
        note = f"{folder} is not divided: of each class {told}, and the rest trains, drawn with seed {division}"
        return _divided(whole, "train", SHARES, division, note)
    if parts.keys() == {"test"}:
        raise RequestError(
            f"{folder} has no folder val; give train, val and test, or the folders of the classes alone, which are "
            "then divided"
        )
    classes = _same_classes(folder, parts)
    found = {split: list_images(part, classes) for split, part in parts.items()}
    if "train" not in parts:
        return found
    if "validation" in parts and "test" not in parts:
        note = f"{folder} has no test: half of {parts['validation'].name} is taken, drawn with seed {division}"
        found |= _divided(found["validation"], "validation", {"test": 0.5}, division, note)
    elif "validation" not in parts:
        shares = {split: share for split, share in SHARES.items() if split not in parts}
        told = " and ".join(f"{share:.0%} {split}" for split, share in shares.items())
        note = f"of the images in {parts['train']}, {told} are taken from each class, drawn with seed {division}"
        found |= _divided(found["train"], "train", shares, division, note)
    return {split: found[split] for split in SPLIT_NAMES}


def list_images(folder: Path, classes: Sequence[str]) -> ImageList:
    """All images of ``folder/class/*``; deeper folders count to their class.

    Raises:
        RequestError: A class has no images.
    """
    files: list[Path] = []
    targets: list[int] = []
    others: list[Path] = []
    for target, name in enumerate(classes):
        inside = sorted(path for path in (folder / name).rglob("*") if path.is_file())
        kinds = [_is_image(path, folder) for path in inside]
        images = [path for path, is_image in zip(inside, kinds, strict=True) if is_image]
        passed_over = [path for path, is_image in zip(inside, kinds, strict=True) if not is_image]
        if not images:
            only = f", only {_counted(passed_over, folder)}" if passed_over else ""
            raise RequestError(
                f"{folder / name} holds no images{only}; put files that end in {', '.join(ENDINGS)} there, or remove "
                "the folder"
            )
        files += images
        targets += [target] * len(images)
        others += passed_over
    loose = [path for path in sorted(folder.iterdir()) if path.is_file()]
    others += [path for path in loose if not _is_image(path, folder)]
    notes = []
    if others:
        notes.append(f"passed over in {folder}: {_counted(others, folder)}")
    if images := [path for path in loose if _is_image(path, folder)]:
        notes.append(f"passed over in {folder}: {_number(len(images), 'image')} outside the folders of the classes")
    return ImageList(folder, tuple(classes), tuple(files), np.array(targets, dtype=np.int64), tuple(notes))


def find_unlabelled(folder: Path) -> ImageList | None:
    """The images below ``folder/unlabelled``, beside ``folder/train``, whatever folders they lie in; None without it.

    Raises:
        RequestError: There are none.
    """
    if not (folder / UNLABELLED).is_dir() or not _split_folder(folder, SPLIT_NAMES["train"]):
        return None
    found = list_images(folder, (UNLABELLED,))
    return replace(found, notes=(f"{_number(len(found.files), 'image')} without labels in {folder / UNLABELLED}",))


def is_divided(folder: Path) -> bool:
    """Whether nothing in ``folder`` has to be drawn: it holds all three splits, or none to train on."""
    held = [split for split, names in SPLIT_NAMES.items() if _split_folder(folder, names)]
    return len(held) == len(SPLIT_NAMES) or (bool(held) and "train" not in held)


def division_rows(folder: Path, lists: Mapping[str, ImageList]) -> list[Row]:
    """Which file of ``folder`` belongs where, as `runners.datasets.division_file` keeps it."""
    return [
        Row(file.relative_to(folder).as_posix(), images.classes[target], split)
        for split, images in lists.items()
        for file, target in zip(images.files, images.targets, strict=True)
    ]


def _as_written(folder: Path, division: Path) -> dict[str, ImageList]:
    rows = read_division(division)
    classes = tuple(sorted({row.category for row in rows}))
    if len(classes) < 2:
        raise RequestError(f"{division} names {_number(len(classes), 'class')}; give at least two")
    targets = {name: number for number, name in enumerate(classes)}
    found = {}
    for split in SPLIT_NAMES:
        chosen = [row for row in rows if row.split == split]
        if not chosen and split != "validation":
            continue
        absent = sorted(set(classes) - {row.category for row in chosen})
        if absent:
            raise RequestError(f"{division} has no {split} images of the class {absent[0]}; give some, or leave it out")
        files = tuple(folder / row.file for row in chosen)
        missing = next((file for file in files if not file.is_file()), None)
        if missing:
            raise RequestError(f"{division} names {missing}, which does not exist")
        found[split] = ImageList(folder, classes, files, np.array([targets[row.category] for row in chosen], np.int64))
    listed = {file for images in found.values() for file in images.files}
    left = sum(path not in listed and _is_image(path, folder) and path.is_file() for path in folder.rglob("*"))
    if left:
        note = f"passed over in {folder}: {_number(left, 'image')} that {division.name} does not name"
        found["validation"] = replace(found["validation"], notes=(note,))
    return found


def _divided(whole: ImageList, rest: str, shares: Mapping[str, float], seed: int, note: str) -> dict[str, ImageList]:
    groups = [f"the class {whole.classes[target]} in {whole.folder}" for target in whole.targets]
    parts = divide(whole.names(), groups, rest, shares, seed)
    return {split: whole.part(positions, note) for split, positions in parts.items()}


def _split_folder(folder: Path, names: Iterable[str]) -> Path | None:
    """The folder of a split: one of ``names`` that holds folders. One that holds images is a class of that name."""
    parts = (folder / name for name in names)
    return next((part for part in parts if part.is_dir() and (_class_folders(part) or not any(part.iterdir()))), None)


def _classes(folder: Path) -> tuple[str, ...]:
    found = _class_folders(folder)
    if len(found) < 2:
        raise RequestError(
            f"{folder} holds {_number(len(found), 'folder')}; give one for each class, at least two, or train, val and "
            "test with these in each"
        )
    if above := next((name for name in found if _split_folder(folder / name, SPLIT_NAMES["train"])), None):
        raise RequestError(f"{folder} holds {above}/train, so its folders are no classes; give {folder / above}")
    return found


def _same_classes(folder: Path, parts: Mapping[str, Path]) -> tuple[str, ...]:
    first = next(iter(parts))
    wanted = _class_folders(parts[first])
    if len(wanted) < 2:
        raise RequestError(
            f"{parts[first]} holds {_number(len(wanted), 'folder')}; give one for each class, at least two"
        )
    for split, part in parts.items():
        given = _class_folders(part)
        if given != wanted:
            odd = sorted(set(given) ^ set(wanted))[0]
            has, lacks = (split, first) if odd in given else (first, split)
            raise RequestError(f"{folder}: the class {odd} is in {has} and not in {lacks}; every split needs the same")
    return wanted


def _class_folders(folder: Path) -> tuple[str, ...]:
    return tuple(sorted(path.name for path in folder.iterdir() if path.is_dir() and not path.name.startswith(".")))


def _is_hidden(path: Path, folder: Path) -> bool:
    return f"{os.sep}." in str(path)[len(str(folder)) :]


def _is_image(path: Path, folder: Path) -> bool:
    return path.suffix.lower() in ENDINGS and not _is_hidden(path, folder)


def _counted(files: Sequence[Path], folder: Path) -> str:
    """Such as ``3 files (.txt, .heic) and 1 hidden file``."""
    shown = [path for path in files if not _is_hidden(path, folder)]
    endings = ", ".join(sorted({path.suffix.lower() or "without an ending" for path in shown}))
    told = [f"{_number(len(shown), 'file')} ({endings})"] if shown else []
    hidden = len(files) - len(shown)
    return " and ".join([*told, *([_number(hidden, "hidden file")] if hidden else [])])


def _number(count: int, noun: str) -> str:
    plural = {"class": "classes"}.get(noun, f"{noun}s")
    return f"{count} {noun if count == 1 else plural}"
