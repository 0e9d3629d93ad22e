"""Makes a shard from one unit of an archive (a piece of one camera's day)."""
