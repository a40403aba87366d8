"""What code runs when an exported folder is opened or verified, and digests that tell whether it is as it was."""

import hashlib
from pathlib import Path
from typing import Any

from runners.artifacts.document import DOCUMENT, Document
from runners.artifacts.packed_model import DECODER, PACKED
from runners.artifacts.predict_program import REQUIREMENTS
from runners.artifacts.sample import SAMPLE
from runners.backends import find_backend
from runners.workload_loading.image_settings import read_settings
from runners.workload_loading.reference import absolute_reference
from runners.workload_loading.source_files import sources_of

FOR_PEOPLE = ("README.md", "predict.py", REQUIREMENTS, SAMPLE, PACKED, DECODER)
"""Files of the folder that are never opened here."""


def model_code(document: Document) -> tuple[str, ...]:
    """The folder's model files that can run code when they are opened; none where the runtime's files hold none."""
    opened = find_backend(document.runtime.name)
    return tuple(sorted(set(document.files) - set(FOR_PEOPLE))) if opened.runs_code else ()


def workload_code(workload: Any) -> tuple[Path, ...]:
    """The person's own files that run when a workload is made: Python, and a program that a study file names.

    Raises:
        RequestError: The reference cannot be used; nothing is run to find that out.
    """
    reference = absolute_reference(workload, Path.cwd())
    program = None if isinstance(reference, str) else read_settings(reference, Path.cwd()).program
    return (program,) if program else sources_of(reference)


def folder_digest(folder: Path) -> str:
    """SHA-256 of the folder's document, which holds the SHA-256 of every other file."""
    return hashlib.sha256((folder / DOCUMENT).read_bytes()).hexdigest()


def sources_digest(files: tuple[Path, ...]) -> str:
    """SHA-256 over the paths and the bytes of ``files``."""
    digest = hashlib.sha256()
    for file in files:
        digest.update(f"{file}\0{hashlib.sha256(file.read_bytes()).hexdigest()}\0".encode())
    return digest.hexdigest()
