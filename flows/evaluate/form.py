"""What the Prefect UI asks before an evaluation."""

from pathlib import Path

from pydantic import Field

from flows.evaluate.benchmark.files import CAPTIONS
from flows.evaluate.benchmark.records import BenchmarkName
from flows.evaluate.running import EvaluationRequest
from flows.settings.forms import StoreForm


class EvaluateForm(StoreForm):
    """Which benchmark to measure on, and what to compare."""

    benchmark: BenchmarkName = Field(
        "rendered",
        title="Benchmark",
        description="rendered: made by this project; pab, ucc and pab-2026: your own copy of the research data",
    )
    root: str = Field(
        title="Folder",
        description="Folder of the benchmark on the machine that runs the flow; it is only read",
        min_length=1,
    )
    split: str = Field(
        "test",
        title="Split",
        description="Folder under annotation; choose settings by validation, never by test",
        min_length=1,
    )
    captions: str = Field(
        CAPTIONS,
        title="Captions",
        description="Key of the sentences asked; captions_held_out of the rendered benchmark has unseen phrasings",
        min_length=1,
    )
    limit: int = Field(0, title="Queries", description="At most so many, drawn by a fixed seed; 0 for all", ge=0)
    variants: list[str] = Field(
        default_factory=list,
        title="Variants",
        description="Names or groups (stages, presets, N, slots) of the ablation; empty for all",
    )

    def request(self) -> EvaluationRequest:
        """Says what to evaluate; the report goes into the store."""
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
