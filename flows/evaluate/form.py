"""The form of an evaluation in the Prefect UI."""

from pathlib import Path

from pydantic import Field

from flows.evaluate.benchmark.files import CAPTIONS
from flows.evaluate.benchmark.records import BenchmarkName
from flows.evaluate.running import EvaluationRequest
from flows.settings.forms import StoreForm, at


class EvaluateForm(StoreForm):
    """The benchmark to measure on, and the variants to compare."""

    benchmark: BenchmarkName = Field(
        "rendered",
        title="Benchmark",
        description="rendered is made by this project; pab, ucc and pab-2026 are your own copies of research data",
        json_schema_extra=at(1),
    )
    root: str = Field(
        title="Folder",
        description="Folder of the benchmark on the machine that runs the flow; it is never written to",
        min_length=1,
        json_schema_extra=at(2),
    )
    split: str = Field(
        "test",
        title="Split",
        description="Folder under annotation; choose settings on validation, never on test",
        min_length=1,
        json_schema_extra=at(3),
    )
    captions: str = Field(
        CAPTIONS,
        title="Captions",
        description="Key of the sentences used as queries; captions_held_out of the rendered benchmark has unseen wordings",
        min_length=1,
        json_schema_extra=at(4),
    )
    limit: int = Field(
        0,
        title="Queries",
        description="Maximum number of queries, drawn with a fixed seed; 0 for all",
        ge=0,
        json_schema_extra=at(5),
    )
    variants: list[str] = Field(
        default_factory=list,
        title="Variants",
        description="Names or groups (stages, presets, N, slots) of variants; empty for all",
        json_schema_extra=at(6),
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
