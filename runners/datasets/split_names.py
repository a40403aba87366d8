"""The names that a split may have, of a folder, of an array in a file, or in a CSV file."""

SPLIT_NAMES = {"train": ("train",), "validation": ("val", "validation", "valid"), "test": ("test",)}
"""For each split its names; where there are several, the first counts."""


def split_of(name: str) -> str:
    """The split that ``name`` stands for, or the name itself where it stands for none."""
    return next((split for split, names in SPLIT_NAMES.items() if name in names), name)
