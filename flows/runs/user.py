"""Who uses the program."""

import getpass


def current_user() -> str:
    """Names who is logged in."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"
