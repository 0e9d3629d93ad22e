"""How tests start programs that must hear Ctrl-C."""

import signal


def hear_ctrl_c() -> None:
    """Undoes that a shell lets programs in the background ignore Ctrl-C; a ``preexec_fn``."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
