"""Where arrays lie in the files of an artifact: what is known of a few formats; other files have none."""

import json
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple


class Located(NamedTuple):
    """An array in a file.

    Attributes:
        name: Its name there.
        kind: Its type as NumPy writes it, little-endian; unsigned numbers stand for what NumPy does not have.
        shape: Its shape.
        begin: Its first byte in the file.
    """

    name: str
    kind: str
    shape: tuple[int, ...]
    begin: int

    @property
    def size(self) -> int:
        """Bytes of one value."""
        return int(self.kind[-1])

    @property
    def end(self) -> int:
        """The byte after its last one."""
        return self.begin + math.prod(self.shape) * self.size


def arrays_in(file: Path) -> list[Located]:
    """The arrays in ``file`` in their order, none of which overlap."""
    reader = READERS.get(file.suffix)
    found: list[Located] = []
    for array in sorted(reader(file), key=lambda one: one.begin) if reader else ():
        if array.end > array.begin and (not found or array.begin >= found[-1].end):
            found.append(array)
    return found


SAFETENSORS = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2", "I64": "<i8", "I32": "<i4", "I16": "<i2"}
SAFETENSORS = {**SAFETENSORS, "I8": "|i1", "U8": "|u1", "BOOL": "|u1"}
OPENVINO = {"f32": "<f4", "f16": "<f2", "bf16": "<u2", "i64": "<i8", "i32": "<i4", "i8": "|i1", "u8": "|u1"}


def _safetensors(file: Path) -> Iterator[Located]:
    content = file.read_bytes()
    begin = 8 + int.from_bytes(content[:8], "little")
    for name, tensor in json.loads(content[8:begin]).items():
        if name != "__metadata__" and tensor["dtype"] in SAFETENSORS:
            shape, offset = tuple(tensor["shape"]), tensor["data_offsets"][0]
            yield Located(name, SAFETENSORS[tensor["dtype"]], shape, begin + offset)


def _onnx(file: Path) -> Iterator[Located]:
    import numpy as np
    import onnx

    content, begin = file.read_bytes(), 0
    for tensor in onnx.load(file).graph.initializer:
        # The graph is written in this order, after its nodes.
        place = content.find(tensor.raw_data, begin) if tensor.raw_data else -1
        kind = np.dtype(onnx.helper.tensor_dtype_to_np_dtype(tensor.data_type))
        if place >= 0 and math.prod(tensor.dims) * kind.itemsize == len(tensor.raw_data):
            known = kind.str if kind.kind in "fiub" else f"<u{kind.itemsize}"
            yield Located(tensor.name, known, tuple(tensor.dims), place)
            begin = place + len(tensor.raw_data)


def _openvino(file: Path) -> Iterator[Located]:
    from xml.etree import ElementTree

    graph = file.with_suffix(".xml")
    if not graph.is_file():  # another runtime's file, such as that of ncnn
        return
    for layer in ElementTree.parse(graph).iter("layer"):
        data = layer.find("data") if layer.get("type") == "Const" else None
        if data is not None and data.get("element_type") in OPENVINO:
            shape = tuple(int(size) for size in (data.get("shape") or "").split(",") if size.strip())
            yield Located(
                str(layer.get("name")), OPENVINO[str(data.get("element_type"))], shape, int(data.get("offset", 0))
            )


READERS: dict[str, Callable[[Path], Iterator[Located]]] = {
    ".safetensors": _safetensors,
    ".onnx": _onnx,
    ".bin": _openvino,
}
"""By the suffix of a file."""
