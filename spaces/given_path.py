"""A path that a person wrote, made absolute."""

from pathlib import Path

from spaces.setting_error import SettingError


def given_path(given: str | Path, base: Path) -> Path:
    """The absolute path that ``given`` names, whether there is something or not.

    Args:
        given: A path; ``~`` in front of it is the person's home folder.
        base: The folder from which a relative path starts.

    Raises:
        SettingError: Nothing can have that name, as where it is too long, or nothing there may be looked at.
    """
    try:
        path = (base / Path(given).expanduser()).resolve()
        path.exists()
    except (OSError, ValueError, RuntimeError) as error:
        raise SettingError(
            f"cannot be looked for ({getattr(error, 'strerror', None) or error}); give another path"
        ) from error
    return path
