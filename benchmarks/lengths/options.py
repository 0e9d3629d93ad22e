"""The settings that all points of a run are indexed with."""

import argparse
from pathlib import Path

from flows.settings.model import Settings, load_settings

PROFILE = "pocket"


def add_settings(parser: argparse.ArgumentParser) -> None:
    """Adds the options that decide how indexing is done."""
    parser.add_argument("--settings", type=Path, help=f"laid over the profile {PROFILE}")
    parser.add_argument("--fps", type=float, help="frames looked at per second of video (default: the profile's)")


def build_settings(own: Path | None, fps: float | None) -> Settings:
    """Reads the settings; the usual camera patterns hold, because these archives follow them."""
    overrides = {"decode": {"sample_fps": fps}} if fps else {}
    return load_settings(PROFILE, own, cameras=(), **overrides)
