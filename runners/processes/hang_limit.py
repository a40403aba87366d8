"""How long a process that serves others may do nothing before it ends itself."""

import faulthandler
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from runners.processes.progress import tell_progress_to


@contextmanager
def ended_where_it_hangs(limit_s: float) -> Iterator[None]:
    """Context in which this process ends with exit code 1 once it has done nothing for ``limit_s``.

    `runners.processes.progress.report_progress` starts the time anew. The timer is a thread of C, since a library
    that hangs may hold Python's lock; it writes where every thread was to the standard error.
    """
    start = partial(faulthandler.dump_traceback_later, limit_s, exit=True, file=2)
    start()
    tell_progress_to(start)
    try:
        yield
    finally:
        faulthandler.cancel_dump_traceback_later()
        tell_progress_to(None)
