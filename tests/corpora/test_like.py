"""A reader's settings for another file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from endash.config import Config
from endash.corpora import Record, guess_reader, like, readers
from endash.errors import CorpusError


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("b.tsv", "b.tsv.gz", "b.jsonl", "b.xlf", "b.txt", "b.en", "b.de", "b.mo", "b.whl", "b.dat"):
        (tmp_path / name).touch()
    (tmp_path / "folder").mkdir()
    return tmp_path


def settings(kind: str, **given: Any) -> Config:
    return readers.config(kind).model_validate_json(
        json.dumps({"path": "/far/a.tsv", **given} if kind != "lines" else given)
    )


PAIR = {"source": ["premise", "hypothesis"], "target": "label", "prompt": "Does it follow? {source}"}


@pytest.mark.parametrize("path", ["b.tsv", "b.tsv.gz", "/nowhere/b.tsv"])
def test_a_table_has_its_columns_and_prompt_but_not_its_rows(path: str) -> None:
    rows = {"key": "id", "keep": {"speaker": ["theo"]}, "leave": {"word": ["one"]}, "times": 3}
    assert like(settings("tsv", **PAIR, **rows), path) == settings("tsv", **PAIR, path=path)


@pytest.mark.parametrize(("kind", "other"), [("tsv", "jsonl"), ("jsonl", "tsv")])
def test_a_table_of_the_other_kind_has_the_same_names(kind: str, other: str) -> None:
    assert like(settings(kind, **PAIR, path=f"/far/a.{kind}"), f"b.{other}") == settings(
        other, **PAIR, path=f"b.{other}"
    )


def test_columns_by_number_are_those_of_a_table_with_tabs() -> None:
    config = settings("tsv", source=0, target=1, header=False)
    assert like(config, "b.tsv") == config.model_copy(update={"path": "b.tsv"})
    with pytest.raises(CorpusError, match=r"b.jsonl cannot be read as the model's corpus was: source = 0 is a number"):
        like(config, "b.jsonl")


def test_files_are_where_they_were_or_elsewhere() -> None:
    config = settings("tsv", source="file", files="/far/a.tar")
    assert like(config, "b.tsv").files == "/far/a.tar"  # type: ignore[attr-defined]
    assert like(config, "b.tsv", files="b.tar").files == "b.tar"  # type: ignore[attr-defined]
    for path, reader in (("b.tsv", settings("tsv")), ("b.tsv:file,word", config), ("b.txt", settings("po"))):
        with pytest.raises(CorpusError, match=r"files = 'b.tar': the sources of b.* are texts, .*: leave it out"):
            like(reader, path, files="b.tar")


def test_columns_that_the_path_names_are_taken() -> None:
    named = guess_reader("b.tsv:en,de")
    assert like(settings("tsv", source="a", target="b"), "b.tsv:en,de") == named
    asked = {"prompt": PAIR["prompt"], "family": "it"}
    assert like(settings("tsv", **PAIR, family="it"), "b.tsv:en,de") == named.model_copy(update=asked)


def test_what_has_no_prompt_is_refused_where_the_model_is_asked_by_one() -> None:
    with pytest.raises(
        CorpusError, match=r"b.mo: the model's sources are made by a prompt .*: give a file of .tsv or .jsonl"
    ):
        like(settings("tsv", **PAIR), "b.mo")
    with pytest.raises(CorpusError, match=r"b.tsv:0,1 cannot be read as the model's corpus was: .*header = false"):
        like(settings("tsv", **PAIR | {"prompt": "{premise}?"}), "b.tsv:0,1")


@pytest.mark.parametrize(
    ("config", "path"),
    [
        (settings("dialogue", path="/far/a.jsonl", replier="B", turns=3, key=""), "b.jsonl"),
        (settings("plain", path="/far/a.txt"), "b.txt"),
        (settings("plain", path="/far/a.txt"), "b.en"),
        (settings("plain", column="de"), "b.jsonl"),
        (settings("mo", path="/far/a.mo"), "b.mo"),
        (settings("xliff", path="/far/a.xliff.gz", source="en", target="de"), "b.xlf"),
        (settings("catalogue", path="/far/folder", source="en", target="de"), "b.whl"),
        (settings("catalogue", path="/far/a.whl", source="en", target="de"), "folder"),
        (settings("jsonl", path="/far/a.dat"), "b.dat"),
    ],
)
def test_every_other_format_keeps_its_settings(config: Config, path: str) -> None:
    assert like(config, path) == config.model_copy(update={"path": path})


def test_a_dialogue_to_measure_needs_no_id() -> None:
    talk = {"turns": [{"speaker": "customer", "text": "Hi."}, {"speaker": "agent", "text": "Hello!"}]}
    Path("b.jsonl").write_text(json.dumps(talk), encoding="utf-8")
    [record] = readers.build(like(settings("dialogue", path="/far/a.jsonl"), "b.jsonl")).read()
    assert isinstance(record, Record)
    assert record.target == "Hello!"


@pytest.mark.parametrize(
    ("kind", "path"),
    [("tsv", "b.xlf"), ("tsv", "b.en,b.de"), ("lines", "b.en,b.de"), ("lines", "b.xlf"), ("po", "b.mo")],
)
def test_another_format_is_guessed(kind: str, path: str) -> None:
    config = settings("lines", source="a.en", target="a.de") if kind == "lines" else settings(kind)
    assert like(config, path) == guess_reader(path)


@pytest.mark.parametrize(("kind", "path"), [("dialogue", "b.tsv"), ("tsv", "b.txt")])
def test_what_cannot_be_read_so_is_refused(kind: str, path: str) -> None:
    with pytest.raises(CorpusError):
        like(settings(kind, path="/far/a.jsonl" if kind == "dialogue" else "/far/a.tsv"), path)
