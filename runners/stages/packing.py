"""Pack the artifact into the file in which it is stored and sent, and see that it can be restored from there."""

from typing import Any

from runners.artifacts.packed_model import PACKED
from runners.packing.decode import decode
from runners.packing.encode import encode
from runners.runner import StageFailed
from runners.stages.job import StageJob


def run(job: StageJob) -> dict[str, Any]:
    """Write `PACKED`. Figure: ``stored_mib``, its size.

    Raises:
        StageFailed: What is restored from it is not the artifact.
    """
    files = {file.name: file for file in sorted(job.parent.folder.iterdir())}
    path = job.folder / PACKED
    path.write_bytes(encode(files))
    if decode(path)[0] != {name: file.read_bytes() for name, file in files.items()}:
        raise StageFailed("the packed file does not restore the artifact bit by bit")
    return {"stored_mib": path.stat().st_size / 2**20}
