"""When, and again: settings, the composition root, commands and Prefect flows."""

from anomalylmm import offline

offline.switch_off()  # before a module of this package imports Prefect
