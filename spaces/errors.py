"""The two ways in which work ends early: the request was wrong, or the work failed."""


class RequestError(ValueError):
    """The request cannot be carried out as given; the message is one sentence for the person who typed it.

    The message says what was given, what is allowed and what to do. The command line prints it alone and
    exits with 2.
    """


class WorkFailed(RuntimeError):
    """The request was fine and the work failed; the command line prints the message and exits with 1."""


def in_one_line(error: BaseException, limit: int = 300) -> str:
    """What ``error`` says in one line, with its kind in front unless it is one of the two above.

    Of a message longer than ``limit`` characters the beginning and the end are kept: some libraries say the cause
    first and others last.
    """
    said = " ".join(str(error).split())
    if len(said) > limit:
        said = f"{said[: limit // 2]} ... {said[-limit // 2 :]}"
    if isinstance(error, (RequestError, WorkFailed)):
        return said or "no message"
    kind = type(error).__name__
    return f"{kind}: {said.removeprefix(f'{kind}: ')}" if said else kind
