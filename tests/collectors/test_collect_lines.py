"""What `farola collect` prints of a poll and of the collector's time."""

from __future__ import annotations

from collectors.availability_commands import _length
from collectors.commands import _line, _note_odd, _refusals
from collectors.poll import Refused, Summary


def summary(*refused: Refused, late: int = 0) -> Summary:
    return Summary(
        devices=3, answered=1, timed_out=2, skipped=0, points=4, duration_s=1.0, cpu_s=0.1,
        late=late, lag_s=0.0, not_answered=(), partial=(), down=(), refused=refused,
    )  # fmt: skip


def test_one_is_not_many():
    assert _line(summary(late=1)).endswith(", 1 poll late")
    assert _line(summary(late=2)).endswith(", 2 polls late")
    assert "late" not in _line(summary())


def test_who_refuses_is_told_by_reason_the_commonest_first():
    assert _refusals([Refused("ap-1", "unknown user")]) == (
        "1 device lives but refuses to tell us anything: unknown user: ap-1"
    )
    told = [Refused("ap-0", "unknown user"), *(Refused(f"b-{i}", "wrong key") for i in range(23))]
    first, second = _refusals(told).split("; ")
    assert first.startswith("24 live but refuse to tell us anything: wrong key: b-0, b-1")
    assert first.endswith("b-19 and 3 more")
    assert second == "unknown user: ap-0"
    many = _refusals([Refused(f"ap-{i}", f"reason {i}") for i in range(9)])
    assert many.endswith("reason 4: ap-4; 4 for other reasons")


def test_who_refuses_is_told_when_it_changes(capsys):
    told: set[str] = set()

    def said(*refused: Refused) -> int:
        _note_odd(summary(*refused), told)
        return capsys.readouterr().err.count("refuse")

    one, other = Refused("ap-1", "wrong key"), Refused("ap-2", "wrong key")
    assert [said(one), said(one), said(one, other), said(), said(one)] == [1, 0, 1, 0, 1]


def test_a_short_time_is_told_in_seconds():
    assert (_length(35.2), _length(119), _length(3_600)) == (
        "35 seconds", "119 seconds", "60 minutes",
    )  # fmt: skip
