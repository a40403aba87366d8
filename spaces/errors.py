"""The two ways in which work ends early: the request was wrong, or the work failed."""


class RequestError(ValueError):
    """The request cannot be carried out as given; the message is one sentence for the person who typed it.

    The message says what was given, what is allowed and what to do. The command line prints it alone and
    exits with 2.
    """


class WorkFailed(RuntimeError):
    """The request was fine and the work failed; the command line prints the message and exits with 1."""
