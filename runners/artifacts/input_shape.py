"""One input shape that suits two models, from the shapes in their files and the one that a person asked for."""

from collections.abc import Mapping, Sequence

from runners.artifacts.model_file import Shape
from spaces.errors import RequestError


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
