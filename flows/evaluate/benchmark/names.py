"""The names that the command line offers for a benchmark; imports nothing, so that help is quick."""

from typing import Literal

BenchmarkName = Literal["rendered", "pab", "ucc", "pab-2026"]
CAPTIONS = "caption"  # key of the sentences that a query is made from
