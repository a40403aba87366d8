"""A version of a model in MLflow's registry, in words."""

from dataclasses import dataclass

CHAMPION = "champion"
"""The alias of the best version."""


@dataclass(frozen=True)
class Registered:
    """A version of a registered model.

    Attributes:
        name: The registered model.
        version: The number of the new version.
        champion: The number of the version that has the alias now.
        reason: Why the alias did not move, or an empty string.
    """

    name: str
    version: str
    champion: str
    reason: str = ""

    def in_words(self) -> str:
        """One sentence for a person."""
        said = f"registered version {self.version} of {self.name} (models:/{self.name}/{self.version})"
        if not self.reason:
            return f"{said}; it is the {CHAMPION}"
        return f"{said}; the {CHAMPION} stays version {self.champion}: {self.reason}"
