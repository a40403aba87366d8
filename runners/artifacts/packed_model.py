"""The packed file of an exported folder, and the decoder that is shipped with it."""

import shutil
from pathlib import Path
from typing import Any

from runners.packing import decode
from runners.runner import StageFailed

PACKED, DECODER = "model.packed", "decode.py"


def write_packed(packed: Path, folder: Path) -> dict[str, Any]:
    """Copy ``packed`` and its decoder into ``folder``; what the document says of them.

    The decoder is the module with which it was checked. What it restores may be more than the folder has: a folder for
    PyTorch has the network as a program, and the packed file its weights by name.

    Raises:
        StageFailed: It cannot be decoded, or restores another file than the folder has under that name.
    """
    shutil.copyfile(packed, folder / PACKED)
    shutil.copyfile(decode.__file__, folder / DECODER)
    try:
        files, arrays = decode.decode(folder / PACKED)
    except ValueError as error:
        raise StageFailed(str(error)) from error
    beside = [name for name in files if (folder / name).exists()]
    if changed := [name for name in beside if (folder / name).read_bytes() != files[name]]:
        raise StageFailed(f"the packed file restores another {changed[0]} than was exported")
    others = [name for name in files if name not in beside]
    return {"bytes": packed.stat().st_size, "arrays": len(arrays), "restores": beside, "restores_beside": others}
