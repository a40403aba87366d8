"""The two errors that end a command: the request was wrong, or the work failed."""


class RequestError(ValueError):
    """The request is wrong; the message is one sentence on what was given, what is allowed and what to do.

    The command line prints only this sentence and exits with 2.
    """


class WorkFailed(RuntimeError):
    """The request was right and the work failed; the command line prints the message and exits with 1."""


def in_one_line(error: BaseException, limit: int = 300) -> str:
    """The message of ``error`` in one line, after the name of its class unless it is one of the two above.

    A message of more than ``limit`` characters loses its middle: some libraries give the cause first, others last.
    """
    said = " ".join(str(error).split())
    if len(said) > limit:
        said = f"{said[: limit // 2]} ... {said[-limit // 2 :]}"
    if isinstance(error, (RequestError, WorkFailed)):
        return said or "no message"
    kind = type(error).__name__
    return f"{kind}: {said.removeprefix(f'{kind}: ')}" if said else kind
