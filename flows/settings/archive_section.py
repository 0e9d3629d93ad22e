"""The section ``archive`` of the settings."""

import re
from typing import Annotated

from pathspec import GitIgnoreSpec
from pydantic import Field, field_validator

from flows.settings.sections import Seconds, Section, Unit


class ArchiveSettings(Section):
    """Which files of an archive are footage, and where those of a remote one are copied to."""

    exclude: tuple[str, ...] = Field(
        (),
        description="patterns of files and folders to leave out, written as in .gitignore, besides the built-in ones",
    )
    include: tuple[str, ...] = Field(
        (), description="patterns of files to read even if they are left out or have no known extension"
    )
    follow_links_out: bool = Field(False, description="also read files that links outside the archive lead to")
    settle_seconds: Seconds = Field(
        60.0,
        ge=0,
        le=86_400,
        description="files changed this recently are left to a later run, unless all were, as in a copy; 0: read all",
    )

    wait_seconds: Seconds = Field(
        20.0,
        gt=0,
        le=3600,
        description="time that the server of a remote archive has for each answer, or for 8 MiB of a video, where a "
        "person waits: in searches and at the review desk; other work asks three times, for a minute each",
    )
    scratch: str = Field(
        "/var/tmp",  # noqa: S108 - what is made there can be opened by this user only
        min_length=1,
        description="folder on a local disk for copies of remote videos; each is removed when it has been decoded",
    )
    scratch_gib: Annotated[float, Unit("GiB")] = Field(
        20.0, gt=0, description="maximum size of these copies together, of all processes of a user"
    )

    @field_validator("exclude", "include")
    @classmethod
    def _check_patterns(cls, patterns: tuple[str, ...]) -> tuple[str, ...]:
        for pattern in patterns:
            try:
                GitIgnoreSpec.from_lines([pattern])
            except (ValueError, re.error) as error:
                raise ValueError(f"{pattern!r} is not a pattern as in .gitignore ({error}); correct it") from error
        return patterns
