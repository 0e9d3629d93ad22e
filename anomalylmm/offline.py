"""Switches off whatever the dependencies would send home, and the identifiers they would write; imports none of them.

Most libraries read these switches only once, when they are imported, so this runs when ``anomalylmm`` or ``flows`` is
imported. Child processes inherit the environment.
"""

import os
import sys
from collections.abc import Callable, Mapping
from types import ModuleType

TRUE = ("1", "true", "yes")  # the words that every one of these libraries understands
FALSE = ("0", "false", "no")
SWITCHES: Mapping[str, str] = {
    "DO_NOT_TRACK": "1",  # events of Prefect's library
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",  # heartbeats of Prefect's server, and analytics of its pages
    "PREFECT_TELEMETRY_ENABLE_RESOURCE_METRICS": "false",  # use of processor and memory by each run
    "ORT_DISABLE_TELEMETRY": "1",  # ONNX Runtime from 1.32 on, with identifiers in ~/.cache/Microsoft and TMPDIR/.ses
    "HF_HUB_DISABLE_TELEMETRY": "1",  # huggingface_hub, its downloader hf_xet, and transformers
    "TRANSFORMERS_OFFLINE": "1",  # the hub is asked where `allow_network` allows it, and by nothing else
    "YOLO_OFFLINE": "true",  # events of ultralytics, and look-ups by which it finds out whether there is a network
    "RAY_USAGE_STATS_ENABLED": "0",  # what Ray's head tells of the cluster
    "YOLO_AUTOINSTALL": "false",  # ultralytics' calls of pip
}
OPENVINO_TELEMETRY = "openvino_telemetry"  # sends when openvino is imported; has no switch but a file in ~/intel
PREFECT_ANALYTICS = "prefect._internal.analytics"  # writes ~/.prefect/.sdk_telemetry/device_id with DO_NOT_TRACK, too
LIBRARIES = ("ONNX Runtime", "OpenVINO", "Prefect", "Ray", "huggingface_hub", "transformers", "ultralytics")


class _Silent(ModuleType):
    """Stands in for a module that only sends: each of its functions does nothing and gives False."""

    def __getattr__(self, name: str) -> Callable[..., bool]:
        if name.startswith("__"):
            raise AttributeError(name)
        return lambda *_, **__: False


def switch_off() -> None:
    """Sets the switches that the user has not set, and replaces two packages that switches don't keep quiet.

    OpenVINO has a stand-in of its own for its telemetry and uses it where the import fails. Prefect imports its
    analytics at each use, so that it is never too late to replace them.
    """
    for name, value in SWITCHES.items():
        if not os.environ.get(name):
            os.environ[name] = value
    if OPENVINO_TELEMETRY not in sys.modules:
        sys.modules[OPENVINO_TELEMETRY] = None  # type: ignore[assignment]  # which makes an import fail
    sys.modules[PREFECT_ANALYTICS] = _Silent(PREFECT_ANALYTICS)


def find_switched_on() -> list[str]:
    """Names what is still on in this process: variables that the user set, or a package imported earlier."""
    found = [name for name, value in SWITCHES.items() if not _agrees(os.environ.get(name, ""), value)]
    return found + [OPENVINO_TELEMETRY] * (sys.modules.get(OPENVINO_TELEMETRY) is not None)


def forbids_hub() -> bool:
    """Whether the user's ``HF_HUB_OFFLINE`` keeps the hub from being asked, whatever the settings allow."""
    return os.environ.get("HF_HUB_OFFLINE", "").lower() in (*TRUE, "on")


def _agrees(value: str, wanted: str) -> bool:
    return value.strip().lower() in (TRUE if wanted in TRUE else FALSE)
