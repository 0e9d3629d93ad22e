"""The picture of where the processor's time goes: from a drawn archive, with stand-ins for the models."""

from pathlib import Path

from benchmarks.stages import STAGES, Clock, Timed, draw, measure
from tests.drawn import compose_small, write_archive


def test_every_stage_of_a_small_archive_is_measured_and_drawn(tmp_path: Path) -> None:
    archive = write_archive(tmp_path / "archive", decodes=True)
    measured = measure(compose_small(decodes=True), archive)  # type: ignore[arg-type] - a fake one
    assert list(measured) == list(STAGES)
    assert measured["decoding"] > 0
    draw(tmp_path / "stages.png", {"small": measured})
    assert (tmp_path / "stages.png").read_bytes().startswith(b"\x89PNG")


def test_calls_of_a_model_count_for_its_stage_and_give_what_they_gave() -> None:
    clock = Clock()
    model = Timed([3, 1, 2], "index", clock, "joints")
    assert model.index(2) == 2
    assert clock.spent["joints"] > 0
    assert model.count(1) == 1
