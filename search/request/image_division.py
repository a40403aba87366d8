"""Keeps which image of a folder was put into which split, where the folder does not say so itself."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from runners.workload_loading.image_settings import read_settings


def keep_division(workload: str | Mapping[str, Any], file: Path) -> str:
    """Write the division of a folder of images as CSV, which a study file takes as ``split``.

    Args:
        workload: The workload of a study. One in Python divides its data itself, and a folder with train, val and
            test is divided already.
        file: Where to write; its folder is made where it is missing.

    Returns:
        What the person is told; empty where nothing was divided.
    """
    if not isinstance(workload, Mapping):
        return ""
    from runners.datasets.division_file import division_text
    from runners.datasets.image_list import division_rows, find_images, is_divided
    from runners.store.local_files import LocalFiles

    settings = read_settings(workload, Path.cwd())
    images = Path(settings.images)
    if isinstance(settings.division, Path) or is_divided(images):
        return ""
    rows = division_rows(images, find_images(images, settings.division))
    LocalFiles(file.parent).write(file.name, division_text(rows).encode())
    return f"which image is in which split stands in {file}"
