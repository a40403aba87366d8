"""Where a search keeps things and where it runs."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from search.home import Home


@dataclass(frozen=True)
class Places:
    """The places of a search, with every default settled."""

    home: Home
    storage: str
    tracking: str
    stages: str
    address: str | None

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> "Places":
        """From the flags ``home``, ``storage``, ``tracking_uri``, ``stage_store`` and ``address``."""
        home = Home.find(given.get("home"))
        return cls(
            home,
            given.get("storage") or home.storage,
            given.get("tracking_uri") or home.tracking,
            str(given.get("stage_store") or home.stages),
            given.get("address"),
        )

    def to_json(self) -> dict[str, str]:
        """What a study that goes on needs to know."""
        return {"tracking": self.tracking, "stages": self.stages, "home": str(self.home.path)}
