"""Inputs that suit two models, from what their files tell and what a person asked for."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runners.artifacts.model_file import FileInput, Shape
from spaces.errors import RequestError


def common_shapes(
    inputs: Mapping[str, Sequence[FileInput]], given: Sequence[int] | None = None, batch: int | None = None
) -> tuple[tuple[int, ...], ...]:
    """The whole shape of each input, the batch first.

    Args:
        inputs: Those in each model's file, by its name.
        given: A whole shape that a person asked for, of the one input.
        batch: The batch that a person asked for; without it the one that is fixed somewhere, or 1.

    Raises:
        RequestError: The models take different inputs, or a size is not known.
    """
    (first, *_), counts = inputs.items(), {len(each) for each in inputs.values()}
    for name, others in inputs.items():
        if [each.kind for each in others] != [each.kind for each in first[1]]:
            raise RequestError(
                f"{first[0]} takes {_kinds_text(first[1])} and {name} {_kinds_text(others)}; give two models that take "
                "the same inputs"
            )
    if counts == {1}:
        return (common_shape({name: each[0].shape for name, each in inputs.items()}, given, batch),)
    if given is not None:
        raise RequestError(
            f"--shape {shape_text(given)}: {first[0]} takes {len(first[1])} inputs, and --shape is that of one; leave "
            "it out"
        )
    everything = [[each[number].shape or () for each in inputs.values()] for number in range(len(first[1]))]
    if any(map(_leave_sizes_free, everything)):
        raise RequestError(
            f"{' and '.join(inputs)} {'leaves' if len(inputs) == 1 else 'leave'} sizes of several inputs free, and "
            "--shape gives that of one input alone; write the model with fixed sizes"
        )
    fixed = {shape[0] for shapes in everything for shape in shapes if shape and shape[0] is not None}
    batch = batch or (fixed.pop() if len(fixed) == 1 else None)
    return tuple(
        common_shape({name: each[number].shape for name, each in inputs.items()}, None, batch)
        for number in range(len(first[1]))
    )


def made_up(kinds: Sequence[str], shapes: Sequence[tuple[int, ...]], seed: int) -> tuple[NDArray[Any], ...]:
    """An array for each input: standard normal numbers, or ones and zeros in turn where they are no floating ones.

    These are token ids of any vocabulary, and a mask that neither keeps nor leaves out everything.
    """
    random = np.random.default_rng(seed)
    return tuple(
        random.standard_normal(shape, dtype=np.float32)
        if kind == "float32"
        else ((np.arange(np.prod(shape)).reshape(shape) + 1) % 2).astype(kind)
        for kind, shape in zip(kinds, shapes, strict=True)
    )


def common_shape(
    shapes: Mapping[str, Shape | None], given: Sequence[int] | None = None, batch: int | None = None
) -> tuple[int, ...]:
    """The whole input shape, the batch first.

    Args:
        shapes: The input shape in each model's file, by its name; None is any size, or an unknown shape.
        given: A whole shape that a person asked for.
        batch: The batch that a person asked for; without it the one that is fixed somewhere, or 1.

    Raises:
        RequestError: A model does not take it, the models differ, or a size is not known.
    """
    known = {name: shape for name, shape in shapes.items() if shape is not None}
    shape: Shape | None = tuple(given) if given is not None else None
    for name, sizes in known.items():
        if shape is not None and not _agree(shape, sizes):
            if given is not None:
                raise RequestError(
                    f"--shape {shape_text(given)}: {name} takes {shape_text(sizes)}; give one that suits it"
                )
            first = next(iter(known))
            raise RequestError(
                f"{first} takes an input of {shape_text(shape)} and {name} one of {shape_text(sizes)}; "
                "give two models that take the same input"
            )
        shape = sizes if shape is None else tuple(x if x is not None else y for x, y in zip(shape, sizes, strict=True))
    if shape is None:
        verb = "does not tell its" if len(shapes) == 1 else "do not tell their"
        raise RequestError(f"{' and '.join(shapes)} {verb} input shape; give it, such as --shape 1,3,32,32")
    fixed_by = "--shape" if given is not None else next((n for n, s in known.items() if s and s[0] is not None), "")
    return _filled(shape, batch, shapes, fixed_by)


def shape_text(shape: Sequence[int | None]) -> str:
    """A shape as a person types it, with ``?`` for a size that is free."""
    return ",".join("?" if size is None else str(size) for size in shape)


def shapes_text(shapes: Sequence[Sequence[int | None]]) -> str:
    """The shapes of all inputs."""
    return " and ".join(map(shape_text, shapes))


def _leave_sizes_free(shapes: Sequence[Shape]) -> bool:
    """Whether a size of one input beside its batch is in none of ``shapes``."""
    known = [shape[1:] for shape in shapes if shape]
    return not known or any(set(sizes) == {None} for sizes in zip(*known, strict=False))


def _kinds_text(inputs: Sequence[FileInput]) -> str:
    return ", ".join(each.kind for each in inputs)


def _agree(one: Shape, other: Shape) -> bool:
    return len(one) == len(other) and all(x == y or None in (x, y) for x, y in zip(one, other, strict=True))


def _filled(shape: Shape, batch: int | None, shapes: Mapping[str, Shape | None], fixed_by: str) -> tuple[int, ...]:
    if not shape:
        raise RequestError("a model that takes a single number has no batch; give one that takes a batch of inputs")
    if batch is not None and shape[0] not in (None, batch):
        raise RequestError(f"--batch {batch}: {fixed_by} fixes the batch at {shape[0]}; leave --batch out")
    first = shape[0] or batch or 1
    rest = tuple(size for size in shape[1:] if size is not None)
    if len(rest) < len(shape) - 1:
        raise RequestError(
            f"{' and '.join(shapes)} leave{'s' * (len(shapes) == 1)} sizes of the input free ({shape_text(shape)}); "
            "give the whole shape, such as --shape 1,3,32,32"
        )
    return (first, *rest)
