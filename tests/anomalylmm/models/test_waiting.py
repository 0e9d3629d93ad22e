"""How the threads of model libraries wait for each other."""

import os
import subprocess
import sys

import pytest


@pytest.mark.parametrize(("given", "policy"), [(None, "passive"), ("active", "active")])
def test_waiting_threads_leave_the_cores_to_others_unless_the_user_wants_them_to_spin(
    given: str | None, policy: str
) -> None:
    """The policy must be set, and torch not yet imported, when the first adapter is about to import it."""
    kept = {name: value for name, value in os.environ.items() if name != "OMP_WAIT_POLICY"}
    question = "import anomalylmm.models, os, sys; print(os.environ['OMP_WAIT_POLICY'], 'torch' in sys.modules)"
    ran = subprocess.run(
        [sys.executable, "-c", question],
        env=kept | ({"OMP_WAIT_POLICY": given} if given else {}),
        capture_output=True,
        text=True,
        check=True,
    )
    assert ran.stdout.split() == [policy, "False"]
