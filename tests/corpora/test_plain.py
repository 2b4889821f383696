"""Plain text, which is its own target: lines, or a column of a table."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from pydantic import ValidationError

from endash.corpora import BadLine, Record, readers


def read(path: Path, **settings: object) -> list[Record | BadLine]:
    config = readers.config("plain").model_validate_json(json.dumps({"path": str(path), **settings}))
    return list(readers.build(config).read())


def test_plain_text_is_its_own_target(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"\xef\xbb\xbfone \r\n\n  \ntwo\n\xff\n")
    one, two, bad = read(path)
    assert one == Record("one ", "one ", f"{path}:1")
    assert two == Record("two", "two", f"{path}:4")
    assert str(bad).startswith(f"{path}:5: byte 0xff at position 1 is not UTF-8")


@pytest.mark.parametrize(
    ("name", "content", "column", "texts"),
    [
        ("a.tsv", "en\tde\na\tb\nbroken\nc\t\ne\tf\n", "de", ["b", "f"]),
        ("a.tsv", "a\tb\n", 0, ["a"]),
        ("a.jsonl", '{"t": ["a", "b"]}\n{"t": "c", "target": 1}\n{"n": 1}\n', "t", ["a b", "c"]),
    ],
)
def test_a_column_is_plain_text_too(tmp_path: Path, name: str, content: str, column: object, texts: list[str]) -> None:
    (tmp_path / name).write_text(content)
    found = [item for item in read(tmp_path / name, column=column) if isinstance(item, Record)]
    assert [item.source for item in found] == [item.target for item in found] == texts
    assert not any(item.parts[1:] for item in found)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"path": "a.tsv.gz"}, 'a.tsv.gz is a table: name the column that holds the texts, as in column = "text"'),
        ({"path": "a.txt", "column": "de"}, r"column = 'de', and a.txt is no table \(.tsv or .jsonl\): leave it out"),
        ({"path": "a.jsonl", "column": 0}, "column = 0: name a field of JSON objects"),
        ({"path": "a.tsv", "column": -1}, "column = -1: .* number a column of a TSV file from 0"),
        ({"path": "a.tsv", "column": True}, "true is no column"),
    ],
)
def test_a_column_has_to_be_one(settings: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        readers.config("plain").model_validate_json(json.dumps(settings))
