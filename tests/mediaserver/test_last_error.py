"""Why encoders were refused or lost, for the owners of streams."""

from __future__ import annotations

from mediaserver.live.last_error import MAX_STREAMS, LastError, LastErrors


def test_newest_error_of_each_stream_is_kept() -> None:
    times = iter([10.0, 20.0, 30.0])
    errors = LastErrors(lambda: next(times))
    errors.note("a", "first")
    errors.note("b", "other")
    errors.note("a", "second")
    assert errors.get("a") == LastError(30.0, "second")
    assert errors.get("b") == LastError(20.0, "other")
    assert errors.get("c") is None


def test_number_of_streams_is_bounded() -> None:
    errors = LastErrors(lambda: 0.0)
    for number in range(MAX_STREAMS + 5):
        errors.note(str(number), "lost")
    assert errors.get("4") is None
    assert errors.get("5") is not None
