"""The form of an evaluation in the Prefect UI."""

from pathlib import Path

from pydantic import Field

from flows.evaluate.benchmark.names import CAPTIONS, BenchmarkName
from flows.evaluate.running import EvaluationRequest
from flows.settings.forms import StoreForm


class EvaluateForm(StoreForm):
    """The benchmark to measure on, and the variants to compare."""

    benchmark: BenchmarkName = Field(
        "rendered",
        title="Benchmark",
        description="rendered is made by this project; pab, ucc and pab-2026 are your own copies of research data",
    )
    root: str = Field(
        title="Folder",
        description="Folder of the benchmark on the machine that runs the flow; it is never written to",
        min_length=1,
    )
    split: str = Field(
        "test",
        title="Split",
        description="Folder under annotation; choose settings on validation, never on test",
        min_length=1,
    )
    captions: str = Field(
        CAPTIONS,
        title="Captions",
        description="Key of the sentences used as queries; captions_held_out (rendered) has unseen wordings",
        min_length=1,
    )
    limit: int = Field(0, title="Queries", description="Most queries, drawn with a fixed seed; 0: all", ge=0)
    variants: list[str] = Field(
        default_factory=list,
        title="Variants",
        description="Names or groups (stages, presets, options, N, slots) of variants; empty for all",
    )

    def request(self) -> EvaluationRequest:
        """Builds the request; the report is written into the store."""
        return EvaluationRequest(
            benchmark=self.benchmark,
            root=Path(self.root),
            out=Path(self.store) / "evaluations" / f"{self.benchmark}-{self.split}",
            split=self.split,
            captions=self.captions,
            limit=self.limit or None,
            variants=tuple(self.variants),
            settings_file=Path(self.settings_file).name,
        )
