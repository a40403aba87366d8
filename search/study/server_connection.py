"""Connections to a database server wait while the server is away, as when it is restarted, and say so."""

import sys
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sqlalchemy import Dialect, Engine

LONGEST_AWAY_S = 600.0
"""How long a server is waited for that was there before."""
EVERY_S = 1.0
"""Pause between two attempts."""


def wait_while_away(engine: "Engine", name: str) -> None:
    """Let ``engine`` wait for up to `LONGEST_AWAY_S` wherever its server takes no connection from now on.

    To be called once the server has answered: a wrong address or password is then refused at once. The engine needs
    ``pool_pre_ping``, so that it sees that a connection was lost while nobody used it. A transaction that is under way
    when the server goes is not repeated: it raises as before.

    Args:
        engine: It has connected before.
        name: What the server is called on stderr; without a password.
    """
    from sqlalchemy import event

    event.listen(engine, "do_connect", _WaitingConnector(name))


class _WaitingConnector:
    """Makes the connections of an engine; said once for each time that the server is away, whichever thread waits."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._is_away = False

    def __call__(self, dialect: "Dialect", record: Any, arguments: Sequence[Any], named: dict[str, Any]) -> Any:
        """A connection of the database's own driver.

        Raises:
            Exception: That of the driver, where the server is away for longer than `LONGEST_AWAY_S`.
        """
        driver: Any = dialect.dbapi
        deadline = time.monotonic() + LONGEST_AWAY_S
        while True:
            try:
                connection = dialect.connect(*arguments, **named)
            except (driver.OperationalError, driver.InterfaceError) as error:
                if time.monotonic() > deadline:
                    raise
                self._say_away(error)
                time.sleep(EVERY_S)
            else:
                self._say_back()
                return connection

    def _say_away(self, error: Exception) -> None:
        if not self._is_away:
            self._is_away = True
            reason = " ".join(str(error).split())[:200]
            print(f"waiting for the database: {self._name} takes no connection ({reason})", file=sys.stderr)

    def _say_back(self) -> None:
        if self._is_away:
            self._is_away = False
            print(f"the database is there again: {self._name}", file=sys.stderr)
