"""A folder of images with fewer of them to train on."""

import shutil
from pathlib import Path


def first_images(source: Path, folder: Path, images: int) -> Path:
    """A copy of ``source`` in ``folder`` with fewer training images, as many of each class; one that is there is kept.

    Args:
        source: A folder with train, val and test, in each a folder for every class.
        folder: Where it is copied to.
        images: How many training images it has together.
    """
    if folder.exists():
        return folder
    classes = sorted(one for one in (source / "train").iterdir() if one.is_dir())
    for name in ("val", "test"):
        shutil.copytree(source / name, folder / name)
    for one in classes:
        (folder / "train" / one.name).mkdir(parents=True)
        for file in sorted(one.iterdir())[: images // len(classes)]:
            shutil.copy(file, folder / "train" / one.name)
    return folder
