from __future__ import annotations

from pathlib import Path

import pytest

from endash.training.journal import Journal, read


def test_lines_are_added_and_those_of_a_lost_stretch_are_cut(tmp_path: Path) -> None:
    with Journal(tmp_path, step=0, warn=print) as journal:
        journal.write("train", 1, {"loss": 2.0, "gone": None})
        journal.write("valid", 2, {"loss": 1.5, "bleu": 3.0})
        journal.write("train", 3, {"loss": 1.0})
        journal.write("final", 2, {"averaged": [1, 2]})
    assert len(read(tmp_path / "metrics.jsonl")) == 4
    with Journal(tmp_path, step=2, warn=print) as journal:
        journal.write("train", 3, {"loss": 1.25})
    assert read(tmp_path / "metrics.jsonl") == [
        {"kind": "train", "step": 1, "loss": 2.0},
        {"kind": "valid", "step": 2, "loss": 1.5, "bleu": 3.0},
        {"kind": "train", "step": 3, "loss": 1.25},
    ]


def test_tensorboard_holds_the_same(tmp_path: Path) -> None:
    from tensorboardX.proto.event_pb2 import Event
    from tensorboardX.record_writer import RecordWriter  # noqa: F401  (the format below is its)

    with Journal(tmp_path, step=0, warn=print) as journal:
        journal.write("valid", 7, {"loss": 1.5})
    (path,) = (tmp_path / "tensorboard").glob("events.*")
    content, events = path.read_bytes(), []
    while content:  # length (8 bytes), its checksum (4), the event, its checksum (4)
        size = int.from_bytes(content[:8], "little")
        events.append(Event.FromString(content[12 : 12 + size]))
        content = content[16 + size :]
    scalars = [(event.step, value.tag, value.simple_value) for event in events for value in event.summary.value]
    assert scalars == [(7, "valid/loss", 1.5)]


def test_a_missing_file_has_no_lines(tmp_path: Path) -> None:
    assert read(tmp_path / "metrics.jsonl") == []


def test_without_room_for_tensorboard_the_record_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    told: list[str] = []
    with Journal(tmp_path, step=0, warn=told.append) as journal:
        journal.write("train", 1, {"loss": 2.0})
        monkeypatch.setattr("tensorboardX.record_writer.RecordWriter.flush", full)
        journal.write("train", 2, {"loss": 1.0})
        journal.write("train", 3, {"loss": 0.5})
    assert [row["loss"] for row in read(tmp_path / "metrics.jsonl")] == [2.0, 1.0, 0.5]
    (line,) = told
    assert "No space left on device" in line
    assert "without TensorBoard" in line


def test_a_tensorboard_that_cannot_be_begun_stops_no_run(tmp_path: Path) -> None:
    (tmp_path / "tensorboard").write_text("in the way")
    told: list[str] = []
    with Journal(tmp_path, step=0, warn=told.append) as journal:
        journal.write("train", 1, {"loss": 2.0})
    assert len(read(tmp_path / "metrics.jsonl")) == len(told) == 1
