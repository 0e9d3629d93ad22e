"""Which files of an archive are not footage, by patterns like those of ``.gitignore``: built-in ones and the user's."""

from pathspec import GitIgnoreSpec

from flows.settings.archive_section import ArchiveSettings

BUILT_IN = (  # in small letters: names are compared without regard to case
    ".*",  # hidden files, .Trash-1000, .snapshot, .stversions, AppleDouble's ._*
    "$recycle.bin",
    "recycled",
    "recycler",
    r"\#recycle",
    "@recycle",
    "@eadir",
    r"\#snapshot",
    "~snapshot",
    "@recently-snapshot",
    "@gmt-*",
    "system volume information",
    "lost+found",
    "found.[0-9][0-9][0-9]",
    "__macosx",
    "*~",
    "~$*",
    "*.tmp",
    "*.temp",
    "*.part",
    "*.partial",
    "*.filepart",
    "*.crdownload",
    "*.download",
)


class LeftOut:
    """The patterns of one run."""

    def __init__(self, settings: ArchiveSettings) -> None:
        self._built_in = GitIgnoreSpec.from_lines(BUILT_IN)
        self._exclude = GitIgnoreSpec.from_lines(settings.exclude)
        self._include = GitIgnoreSpec.from_lines(settings.include)

    def includes(self, path: str) -> bool:
        """Returns whether the user asks to read this file, whatever its name."""
        return self._include.match_file(path)

    def explain(self, path: str, *, is_folder: bool = False) -> str:
        """Explains why a path is left out; empty if it is not. Its folders must have been asked about before."""
        name = path.rpartition("/")[2].lower()
        if pattern := _match(self._built_in, name):
            return f"left out by the built-in pattern {pattern}; to read it, name it in archive.include"
        if pattern := _match(self._exclude, f"{path}/" if is_folder else path):
            return f"left out by the pattern {pattern} of archive.exclude"
        return ""


def _match(spec: GitIgnoreSpec, path: str) -> str:
    """Returns the pattern that excludes a path; empty if none does."""
    found = spec.check_file(path)
    return str(spec.patterns[found.index].pattern) if found.include and found.index is not None else ""
