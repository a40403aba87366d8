"""Packs the files of an artifact: weights that share few values as numbers of these values, coded by how often each
occurs (Han et al., arXiv 1510.00149); all other bytes by LZMA.
"""

import hashlib
import json
import lzma
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runners.packing.arrays import Located, arrays_in
from runners.processes.progress import report_progress

MAGIC = b"FRPACK1\n"
MOST_VALUES = 4096
"""Values that the codebook of an array has at most, the most frequent ones."""
FEWEST = 64
"""Numbers in an array that is worth a codebook."""
WHOLE = 2**24
"""What the numbers of how often each symbol occurs add up to, for the coder."""


def encode(files: Mapping[str, Path]) -> bytes:
    """A packed file from which `runners.packing.decode.decode` restores ``files``, byte by byte.

    Args:
        files: The files by the name that they are given; what has arrays lies beside the files that it refers to.
    """
    header, body = [], b""
    for name, file in files.items():
        content = np.fromfile(file, np.uint8)
        plain, arrays, coded = np.ones(len(content), bool), arrays_in(file), []
        for array in arrays:
            report_progress()
            if (pair := _coded(content[array.begin : array.end], array)) is not None:
                coded.append(pair[0])
                body += pair[1]
                plain[array.begin : array.end] = False
        body += deflated(content[plain].tobytes())
        header.append({"name": name, "bytes": len(content), "coded": coded, "arrays": arrays})
    payload = deflated(json.dumps(header, separators=(",", ":")).encode()) + body
    return MAGIC + hashlib.sha256(payload).digest() + payload


def deflated(content: bytes) -> bytes:
    """``content`` packed by LZMA, after the length of that."""
    if not content:
        return bytes(4)
    packed = lzma.compress(content, lzma.FORMAT_ALONE, preset=9 | lzma.PRESET_EXTREME)
    return len(packed).to_bytes(4, "little") + packed


def _coded(content: NDArray[np.uint8], array: Located) -> tuple[list[int], bytes] | None:
    """How an array is coded, as the header says it, and the bytes of it; None where that is no smaller."""
    numbers = content.view(f"<u{array.size}")
    if len(numbers) < FEWEST:
        return None
    values, inverse, counts = np.unique(numbers, return_inverse=True, return_counts=True)
    # A value in the codebook takes its own bytes and four for how often it occurs, else its own each time.
    shared = counts * array.size > array.size + 4
    if not shared.any():
        return None
    shared[np.argsort(-counts, kind="stable")[MOST_VALUES:]] = False
    found = np.where(shared, shared.cumsum() - 1, shared.sum())[inverse].astype(np.int32)
    book, others = values[shared], numbers[found == shared.sum()]
    table = _table(np.bincount(found, minlength=len(book)))
    words = _words(found, table)
    content_coded = book.tobytes() + table.astype("<u4").tobytes() + words.tobytes() + deflated(others.tobytes())
    if len(content_coded) >= len(content):
        return None
    return [array.begin, len(numbers), array.size, len(book), len(table), len(words)], content_coded


def _table(counts: NDArray[Any]) -> NDArray[np.int64]:
    """Whole numbers above 0 in proportion to ``counts`` that add up to `WHOLE`."""
    table: NDArray[np.int64] = 1 + counts.astype(np.int64) * (WHOLE - len(counts)) // counts.sum()
    table[counts.argmax()] += WHOLE - table.sum()
    return table


def _words(found: NDArray[np.int32], table: NDArray[np.int64]) -> NDArray[np.uint32]:
    """``found`` as a stack of words of an asymmetric numeral system; none where there is one symbol."""
    if len(table) < 2:
        return np.zeros(0, np.uint32)
    import constriction

    coder = constriction.stream.stack.AnsCoder()
    # The coder gives each symbol one more than its share of what is left then, so these come out as in the table.
    categorical = constriction.stream.model.Categorical((table - 1).astype(np.float64), perfect=False)
    coder.encode_reverse(found, categorical)
    words: NDArray[np.uint32] = coder.get_compressed()
    return words
