"""Describes a compaction in words."""

from storage.gallery.compacting import CompactionReport


def describe_compaction(report: CompactionReport) -> str:
    """Describes what was made and removed, and what there is now."""
    num_shards = sum(built.num_shards for built in report.built)
    num_crops = sum(built.num_crops for built in report.built)
    num_bytes = sum(built.num_bytes for built in report.built)
    return (
        f"made {len(report.built)} indexes from {num_shards} shards ({num_crops} crops, {num_bytes / 1e6:.1f} MB), "
        f"removed {len(report.removed)}; now there are {report.num_indexes}; {report.num_loose} shards are in none"
    )
