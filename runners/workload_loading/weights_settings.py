"""The weights of a workload without Python: from the library, or out of a file, with its head or a new one."""

import re
from pathlib import Path

from spaces.given_path import given_path
from spaces.setting_error import SettingError

TORCHVISION, TIMM = "torchvision", "timm"
NAMES = r"[A-Z][A-Z0-9_]*"
"""The names of weights that a library offers."""
FILES = (".safetensors", ".pt", ".pth", ".bin", ".ckpt")
"""What the name of a file with weights ends in."""


def read_weights_setting(given: object, model: str, base: Path, program: bool) -> str | None:
    """The ``weights`` of a workload without Python: a name of downloads, an absolute file, or None.

    Args:
        given: What was written.
        model: The model, as it is written.
        base: The folder that relative paths start from.
        program: Whether the model is a program, which has its weights.
    """
    if given is None:
        return None
    at = ("weights",)
    if program:
        raise SettingError("a program comes with its weights; leave this out", at)
    if isinstance(given, str) and given.endswith(FILES):
        file = path_setting(given, base, at)
        if not file.is_file():
            raise SettingError(f"there is no file {file}; give a file with weights, or DEFAULT", at)
        return str(file)
    named = isinstance(given, str) and re.fullmatch(NAMES, given)
    if named and (model.startswith(TORCHVISION) or (model.startswith(TIMM) and given == "DEFAULT")):
        return str(given)
    starts = {TORCHVISION: "DEFAULT or another name of torchvision's weights to start from, or ", TIMM: "DEFAULT, or "}
    raise SettingError(
        f"give {starts.get(model.partition(':')[0], '')}FILE.safetensors or FILE.pt with your own"
        " (safetensors.torch.save_file(model.state_dict(), FILE) writes one)",
        at,
    )


def read_new_head(given: object, weights: str | None) -> bool:
    """Whether the file of ``weights`` is started from without its head."""
    at = ("new_head",)
    if not isinstance(given, bool):
        raise SettingError("give true or false", at)
    if given and not (weights or "").endswith(FILES):
        raise SettingError(
            "give weights: FILE.safetensors or FILE.pt beside it; weights by name get a new head by themselves",
            at,
        )
    return given


def path_setting(given: str, base: Path, at: tuple[str, ...]) -> Path:
    """A path that a person wrote, made absolute; ``at`` is where it stands in the file."""
    try:
        return given_path(given, base)
    except SettingError as error:
        raise SettingError(str(error), at) from error
