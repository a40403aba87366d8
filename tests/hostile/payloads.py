"""What the hostile files are made of: pickles that run code, archives that unpack to more than memory, long headers."""

import io
import pickle
import struct
import zipfile
import zlib
from pathlib import Path

PROOF = "proof-that-code-ran"
"""A file of this name is made where a payload's code runs."""


class RunsCode:
    """Something whose unpickling makes the file `PROOF` in the current folder."""

    def __reduce__(self) -> tuple[object, ...]:
        return exec, (f"open({PROOF!r}, 'w').close()",)


def code_pickle() -> bytes:
    """A pickle that runs code when it is read."""
    return pickle.dumps(RunsCode())


def zeros_in_zip(names: dict[str, bytes], mebibytes: int) -> bytes:
    """A ZIP archive whose members begin with the bytes given and go on with so many MiB of zeros each."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as packed:
        for name, start in names.items():
            with packed.open(name, "w", force_zip64=True) as member:
                member.write(start)
                for _ in range(mebibytes):
                    member.write(bytes(2**20))
    return archive.getvalue()


def npy_header(shape: str, kind: str = "<f4", text: str | None = None) -> bytes:
    """The header of a ``.npy`` file, whose shape is any text."""
    head = (text or f"{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}").encode() + b"\n"
    return b"\x93NUMPY\x02\x00" + struct.pack("<I", len(head)) + head


def safetensors_file(header: bytes, length: int | None = None, data: bytes = b"") -> bytes:
    """A safetensors file with any header, and any length of it."""
    return struct.pack("<Q", len(header) if length is None else length) + header + data


def png(width: int, height: int, rows: int = 0) -> bytes:
    """A grey PNG that says it is so large, with so many rows of black."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    packer, packed = zlib.compressobj(1), b""
    for _ in range(rows):
        packed += packer.compress(bytes(width + 1))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", packed + packer.flush()) + chunk(b"IEND", b"")


def write(folder: Path, files: dict[str, bytes]) -> list[Path]:
    """The files, made in ``folder``."""
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return [folder / name for name in files]
