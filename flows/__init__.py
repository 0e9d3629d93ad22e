"""Settings, composition root, commands and Prefect flows."""

from anomalylmm import offline

offline.switch_off()  # must happen before Prefect is imported
