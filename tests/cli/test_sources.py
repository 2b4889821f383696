"""A corpus that a command is given, read as the recipe of the model reads its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from endash.cli.sources import corpus_of
from endash.errors import CorpusError
from task_models import build

FAMILIES = """corpus.train=[
 {kind="tsv",path="a.tsv",source="mr",target="text",family="table"},
 {kind="tsv",path="a.tsv",source="en",target="de",prompt="German: {source}"},
 {kind="tsv",path="b.tsv",source="mr",target="text",prompt="say: {source}"},
]"""


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("a.tsv", "b.tsv", "c.tsv"):
        Path(name).write_text("mr\ttext\ten\tde\nm\tt\te\td\n", encoding="utf-8")


def test_of_several_readers_the_one_of_the_file_or_the_columns_is_taken() -> None:
    recipe = build("generation", FAMILIES.replace("\n", "")).recipe
    for path, family in (
        ("b.tsv", "say:"),
        ("a.tsv:mr,text", "table"),
        ("a.tsv:en,de", "German:"),
        ("c.tsv:en,de", "German:"),
    ):
        (reader,) = corpus_of(path, recipe).test
        assert family in (reader.family, (reader.prompt or "").split(" ")[0])  # type: ignore[attr-defined]
        assert reader.path == path.split(":")[0]  # type: ignore[attr-defined]


@pytest.mark.parametrize("path", ["a.tsv", "c.tsv", "c.tsv:mr,text"])
def test_which_of_several_families_is_meant_is_asked(path: str) -> None:
    with pytest.raises(CorpusError, match=r"has the families .*table, and it cannot be told which .* as .\.tsv:en,de"):
        corpus_of(path, build("generation", FAMILIES.replace("\n", "")).recipe)


def test_columns_of_no_family_are_taken_as_they_stand(capsys: pytest.CaptureFixture[str]) -> None:
    (reader,) = corpus_of("c.tsv:mr,de", build("generation", FAMILIES.replace("\n", "")).recipe).test
    assert reader.prompt is None  # type: ignore[attr-defined]
    assert "asked as they stand, with no prompt of the families German:, say:, table" in capsys.readouterr().err


def test_readers_that_ask_alike_are_one() -> None:
    same = FAMILIES.replace("\n", "").replace(',family="table"', "").replace('prompt="German: {source}"', "times=2")
    (reader,) = corpus_of("a.tsv", build("generation", same).recipe).test
    assert reader.source == "mr"  # type: ignore[attr-defined]
