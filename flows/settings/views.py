"""How the frames of a camera are looked at: the settings for all cameras, or those of its entry in ``[[cameras]]``."""

from typing import NamedTuple

from flows.clocks.names import strip_suffix
from flows.clocks.patterns import compile_pattern
from flows.settings.model import Settings


class FrameView(NamedTuple):
    """Decode width, tiles, and the size at which the detector sees a frame or a tile."""

    max_width: int  # in pixels; 0: never scaled down
    tiles: int  # in a row; 1: only the whole frame
    image_size: int  # longer side in pixels

    def __str__(self) -> str:
        width = f"at most {self.max_width} px wide" if self.max_width else "in full width"
        tiles = f", in {self.tiles} x {self.tiles} tiles" if self.tiles > 1 else ""
        return f"{width}{tiles}, seen at {self.image_size} px"

    def motion_parts(self, usual_size: int) -> int:
        """Returns into how many parts in a row the search for motion divides a frame; 1: it looks at all of it.

        Half as small people need twice as many, whether tiles or a larger picture show them to the detector.
        """
        return self.tiles * max(1, round(self.image_size / usual_size))


class CameraViews:
    """Finds the view of a video by its camera and path."""

    def __init__(self, settings: Settings) -> None:
        """Compiles the patterns of the entries that say something about the view.

        Raises:
            ConfigurationError: A pattern is wrong.
        """
        self.default = FrameView(*settings.view_of(None))
        self._entries = [
            (
                item.name,
                compile_pattern(item.pattern, "UTC").regex if item.pattern else None,
                FrameView(*settings.view_of(item)),
            )
            for item in settings.cameras
            if {item.max_width, item.tiles, item.image_size} != {None}
        ]

    @property
    def all(self) -> tuple[FrameView, ...]:
        """The views of all entries, and the usual one."""
        return (self.default, *(view for *_, view in self._entries))

    def find(self, camera: str, path: str) -> FrameView:
        """Returns the view of the first entry with this name or a pattern that fits the path in the archive."""
        stem = strip_suffix(path)
        for name, regex, view in self._entries:
            if regex.fullmatch(stem) if regex else name == camera:
                return view
        return self.default
