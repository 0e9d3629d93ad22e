"""Text-based search for persons by their behavior in video archives."""

from anomalylmm import caches, offline

__version__ = "0.1.0"

offline.switch_off()
caches.direct_libraries()
