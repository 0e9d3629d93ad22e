"""A fall as the ground truth of a rendered archive has it."""

from benchmarks.rendered.scoring import Event

FALL = Event(
    event_id="e1",
    camera="gate",
    video="a.mp4",
    behavior="falling",
    anomaly=True,
    start_seconds=2.0,
    stop_seconds=3.0,
    boxes=((2.0, (10, 10, 50, 90)), (2.5, (10, 10, 50, 90)), (3.0, (10, 50, 90, 90))),
)
