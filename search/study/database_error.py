"""What a database says when it fails."""


def said(error: Exception) -> str:
    """The words of the database's own driver where there are any, in one line of at most 200 characters."""
    return " ".join(str(getattr(error, "orig", None) or error).split())[:200]
