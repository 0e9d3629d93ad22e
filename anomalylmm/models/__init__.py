"""Adapters of model libraries, one a file; importing this package loads none of them."""

import os

# Threads that wait for each other sleep instead of spinning, unless the user says otherwise. While other programs use
# the cores, spinning took more than half of a search's processor time. OpenMP reads this when torch is imported.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
