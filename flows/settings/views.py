"""How the frames of a camera are looked at: the settings for all cameras, or those of its entry in ``[[cameras]]``."""

from typing import NamedTuple

from flows.clocks.names import strip_suffix
from flows.clocks.patterns import compile_pattern
from flows.settings.model import Settings


class FrameView(NamedTuple):
    """Decode width and tiles."""

    max_width: int  # in pixels; 0: never scaled down
    tiles: int  # in a row; 1: only the whole frame

    def __str__(self) -> str:
        width = f"at most {self.max_width} px wide" if self.max_width else "in full width"
        return f"{width}, in {self.tiles} x {self.tiles} tiles" if self.tiles > 1 else width


class CameraViews:
    """Finds the view of a video by its camera and path."""

    def __init__(self, settings: Settings) -> None:
        """Compiles the patterns of the entries that say something about the view.

        Raises:
            ConfigurationError: A pattern is wrong.
        """
        self.default = FrameView(*settings.view_of(None))
        self._entries = [
            (item.name, compile_pattern(item.pattern, "UTC").regex if item.pattern else None, settings.view_of(item))
            for item in settings.cameras
            if item.max_width is not None or item.tiles is not None
        ]

    def find(self, camera: str, path: str) -> FrameView:
        """Returns the view of the first entry with this name or a pattern that fits the path in the archive."""
        stem = strip_suffix(path)
        for name, regex, view in self._entries:
            if regex.fullmatch(stem) if regex else name == camera:
                return FrameView(*view)
        return self.default
