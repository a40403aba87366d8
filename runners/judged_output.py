"""The one tensor of a network's outputs that is judged."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from typing import Any

from spaces.errors import RequestError

Output = str | int | Callable[[Any], Any] | None
"""Which output is judged: a key or attribute, an index, a function of the outputs, or None for the only tensor."""


def chosen_output(outputs: Any, output: Output) -> Any:
    """The one of ``outputs`` that ``output`` names.

    Raises:
        RequestError: There is no such output.
    """
    if output is None:
        return outputs
    if callable(output):
        return output(outputs)
    try:
        if isinstance(output, int):
            return _in_order(outputs)[output]
        if isinstance(outputs, Mapping):
            return outputs[output]
        # A network may give several outputs while it is trained and the judged one alone later.
        return outputs if hasattr(outputs, "dtype") else getattr(outputs, output)
    except (LookupError, AttributeError) as error:
        raise RequestError(f"its model has no output {output!r}: it answers with {outputs_text(outputs)}") from error


def outputs_text(outputs: Any) -> str:
    """What a network answered with, in words: the kind, and the shapes by name or index."""
    if outputs is None:
        return "None (its forward returns nothing)"
    if hasattr(outputs, "dtype"):
        return f"a tensor of shape {tuple(outputs.shape)}"
    named = _named(outputs)
    if not named:
        return f"an object of type {type(outputs).__name__}"
    parts = (("" if isinstance(name, int) else f"{name!r} ") + _shape_text(value) for name, value in named.items())
    shown = ", ".join(parts)
    return f"a {type(outputs).__name__} of {shown}"


def how_to_choose(outputs: Any) -> str:
    """How a person says which of ``outputs`` is judged, such as ``output='logits'``."""
    named = _named(outputs)
    if not named:
        return "give a tensor, or say with output= of the Workload how to get it from that"
    first = next((name for name, value in named.items() if hasattr(value, "dtype")), next(iter(named)))
    return f"say which is judged, such as output={first!r} of the Workload"


def _named(outputs: Any) -> dict[Any, Any]:
    """The outputs by key, field name or index; those that are None are left out."""
    if isinstance(outputs, Mapping):
        found: dict[Any, Any] = dict(outputs)
    elif is_dataclass(outputs):
        found = {field.name: getattr(outputs, field.name) for field in fields(outputs)}
    elif hasattr(outputs, "_asdict"):
        found = outputs._asdict()
    elif isinstance(outputs, (tuple, list)):
        found = dict(enumerate(outputs))
    else:
        found = {}
    return {name: value for name, value in found.items() if value is not None}


def _in_order(outputs: Any) -> Sequence[Any]:
    if hasattr(outputs, "dtype"):
        raise LookupError("one tensor")
    return outputs if isinstance(outputs, (tuple, list)) else tuple(_named(outputs).values())


def _shape_text(value: Any) -> str:
    return str(tuple(value.shape)) if hasattr(value, "shape") else type(value).__name__
