"""Benchmarks of the project; none of them is part of the installed library."""

from anomalylmm import offline

offline.switch_off()  # before a benchmark imports a library that would send something
