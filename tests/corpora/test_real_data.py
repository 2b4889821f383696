"""The readers on the files that they were written for, where these are at hand: how many records, and no bad line."""

from __future__ import annotations

import json
from typing import Any

import pytest

from endash.corpora import Record, readers
from shared import shared

CAPTIONS = [f"caption{number}" for number in range(1, 6)]
FILES: list[tuple[str, dict[str, Any], int]] = [
    ("dialogue/stc3_helpdesk/train.en.jsonl.gz", {"kind": "dialogue"}, 3088),
    ("dialogue/stc3_helpdesk/train.zh.jsonl.gz", {"kind": "dialogue"}, 6787),
    ("dialogue/sgd/dev_split.jsonl.gz", {"kind": "dialogue"}, 17807),
    ("dialogue/crosswoz_zh/val.jsonl.gz", {"kind": "dialogue"}, 4229),
    ("nli/sick/train.tsv.gz", {"kind": "tsv", "source": ["premise", "hypothesis"], "target": "label"}, 4500),
    ("tagging/wnut17/train.jsonl.gz", {"kind": "jsonl", "source": "tokens", "target": "tags"}, 3394),
    ("generation/e2e_nlg/train_from_devset.jsonl.gz", {"kind": "jsonl", "source": "mr", "target": "refs"}, 463),
    ("translation/libreoffice_help/en-de.train.tsv.gz", {"kind": "plain", "column": "de"}, 24788),
    (
        "caption/flickr8k_1000/train.tsv.gz",
        {"kind": "tsv", "source": "file", "target": CAPTIONS, "files": "train.tar"},
        700,
    ),
    (
        "speech/fsdd/train.tsv.gz",
        {"kind": "tsv", "source": "file", "target": "word", "files": "train.tar.gz", "leave": {"speaker": ["theo"]}},
        1800,
    ),
]


@pytest.mark.parametrize(("path", "settings", "count"), FILES, ids=[path for path, _, _ in FILES])
def test_every_line_is_a_record(path: str, settings: dict[str, Any], count: int) -> None:
    table = shared(path)
    settings = settings | {"path": str(table)}
    if "files" in settings:
        settings["files"] = str(table.parent / settings["files"])
    found = list(readers.build(readers.config(settings["kind"]).model_validate_json(json.dumps(settings))).read())
    assert [item for item in found if not isinstance(item, Record)] == []
    assert len(found) == count
    for record in found[:20]:
        assert isinstance(record, Record)
        assert record.media is None or len(record.media.read()) > 1000  # type: ignore[union-attr]
