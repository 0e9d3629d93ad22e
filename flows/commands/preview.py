"""Prints what an index run would read from an archive's names and clocks."""

from flows.commands.common import print_json, say
from flows.index.preview import SOURCES, Preview

MAX_ROWS = 50  # of files passed over


def show_preview(preview: Preview, *, json: bool) -> None:
    """Prints the layouts of an archive, each with a few files, the cameras, and what is unsure."""
    if json:
        print_json(preview)
        return
    for layout in preview.layouts:
        say(f"{layout.pattern}: {layout.num_files} file{'s' if layout.num_files > 1 else ''}")
        for item in layout.examples:
            doubt = f", unsure: {item.clock_doubt}" if item.clock_doubt else ""
            say(f"  {item.path}")
            say(
                f"    camera {item.camera}, starts {item.start_local} {item.time_zone}, "
                f"from {SOURCES[item.clock_source]}{doubt}"
            )
    cameras = ", ".join(f"{name} ({number})" for name, number in sorted(preview.cameras.items()))
    say(f"{preview.num_files} files of {len(preview.cameras)} cameras: {cameras}")
    for passed in preview.passed_over[:MAX_ROWS]:
        say(f"passed over: {passed.path}: {passed.reason}")
    if len(preview.passed_over) > MAX_ROWS:
        say(f"and {len(preview.passed_over) - MAX_ROWS} more files passed over; --json lists all")
    for sentence in preview.unsure or ("nothing",):
        say(f"unsure: {sentence}")
