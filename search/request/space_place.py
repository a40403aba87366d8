"""Where a space was written: the file and the line that a sentence on it names."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from search.request.space_file import Space
from search.request.yaml_file import KeyPath, read_yaml
from spaces.errors import RequestError
from spaces.search_space import EmptySpace
from spaces.space_document import preset_names


@contextmanager
def space_named(space: Space, study_file: Path | None = None) -> Iterator[None]:
    """Put in front of an `EmptySpace` of ``space`` that is raised in the block where the space was written.

    Args:
        space: Name of a preset, path of a YAML file, or ``{parameter: [values]}``.
        study_file: The study file in which the choices stand, where that is known.

    Raises:
        RequestError: In place of the `EmptySpace`.
    """
    try:
        yield
    except EmptySpace as error:
        place = _place(space, study_file, error.at)
        raise RequestError(f"{place}: {error}" if place else str(error)) from error


def _place(space: Space, study_file: Path | None, at: KeyPath) -> str:
    """``file:line`` of the setting at the path ``at`` in ``space``, or the name of the preset; empty if not known."""
    if isinstance(space, Mapping):
        return read_yaml(study_file).place(("space", *at)) if study_file else ""
    return f"space {space}" if space in preset_names() else read_yaml(space).place(at)
