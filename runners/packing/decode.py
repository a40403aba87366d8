"""Restores the files of a model: python decode.py model.packed FOLDER. It needs Python and NumPy, nothing else."""

import bisect
import hashlib
import io
import json
import lzma
import sys
from pathlib import Path
from typing import Any

import numpy as np


def decode(path: Path, limit: int = 2**33) -> tuple[dict[str, bytes], dict[str, Any]]:
    """The files as bytes, and the arrays in them, by name; a ValueError where it is damaged or they exceed `limit`."""
    data, files, arrays = Path(path).read_bytes(), {}, {}
    if data[:8] != b"FRPACK1\n" or hashlib.sha256(data[40:]).digest() != data[8:40]:
        raise ValueError(f"{path} is cut short, damaged or no packed model; fetch it again")
    stream = io.BytesIO(data[40:])
    for entry in json.loads(inflate(stream, 2**26)):
        limit, end = limit - entry["bytes"], 0
        for begin, count, size, *_ in entry["coded"]:
            end = begin + count * size if begin >= end and count >= 0 and size in (1, 2, 4, 8) else 2**64
        if limit < 0 or end > entry["bytes"]:
            raise ValueError(f"{path} holds more than the limit of bytes, or arrays beyond their file")
        whole, plain = np.zeros(entry["bytes"], np.uint8), np.ones(entry["bytes"], bool)
        for begin, count, size, *lengths in entry["coded"]:
            book, table, words = (stream.read(n * width) for n, width in zip(lengths, (size, 4, 4), strict=True))
            found = symbols(np.frombuffer(words, "<u4").tolist(), np.frombuffer(table, "<u4").tolist(), count)
            values = np.frombuffer(book + bytes(size), f"<u{size}")[found]  # shared ones; the others follow
            values[found == lengths[0]] = np.frombuffer(inflate(stream, count * size), values.dtype)
            whole[begin : begin + count * size], plain[begin : begin + count * size] = values.view(np.uint8), False
        whole[plain] = np.frombuffer(inflate(stream, entry["bytes"]), np.uint8)
        for name, kind, shape, begin in entry["arrays"]:
            arrays[name] = np.frombuffer(whole, kind, int(np.prod(shape)), begin).reshape(shape)
        files[entry["name"]] = whole.tobytes()
    return files, arrays


def inflate(stream: io.BytesIO, most: int) -> bytes:
    packed = stream.read(int.from_bytes(stream.read(4), "little"))
    return lzma.LZMADecompressor(lzma.FORMAT_ALONE, 2**27).decompress(packed, most) if packed else b""


def symbols(words: list[int], table: list[int], count: int) -> Any:
    """Numbers that asymmetric numeral systems (Duda, arXiv 1311.2540) wrote, each as often as `table` says of 2**24."""
    starts, state, found = [0, *np.cumsum(table).tolist()], 0, np.zeros(count, np.uint16)
    if starts[-1] != 2**24:
        raise ValueError("the frequencies in the packed file do not add up; use the decoder that came with it")
    for index in range(count if len(table) > 1 else 0):
        while state < 2**32 and words:
            state = state << 32 | words.pop()
        found[index] = symbol = bisect.bisect_right(starts, state % 2**24) - 1
        state = (state >> 24) * table[symbol] + state % 2**24 - starts[symbol]
    if state or words:
        raise ValueError("the packed file was not written as it is read; use the decoder that came with it")
    return found


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("give the packed file and a folder: python decode.py model.packed FOLDER")
    try:
        for file, content in decode(Path(sys.argv[1]))[0].items():
            if Path(file).suffix in (".py", ".pyc", ".pyd", ".so"):  # Python would import it from there
                sys.exit(f"{file} is a program and no model, so it is not written")
            (Path(sys.argv[2]) / Path(file).name).write_bytes(content)
    except (OSError, ValueError) as error:
        sys.exit(str(error))
