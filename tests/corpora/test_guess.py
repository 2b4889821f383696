"""Readers guessed from what a user types."""

import gzip
from pathlib import Path

import pytest

from endash.corpora import guess_reader, guessed_columns, readers
from endash.errors import CorpusError


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("a.tmx", "a.tmx.gz", "a.xlf", "a.XLIFF.gz", "a.po", "a.mo.gz", "a.whl", "x,y.en", "x,y.de", "a.doc"):
        (tmp_path / name).touch()
    (tmp_path / "a.tsv").write_text("en\tde\n")
    (tmp_path / "named.tsv").write_text("id\tsource\ttarget\n")
    (tmp_path / "many.tsv").write_text("id\ten\tde\n")
    (tmp_path / "one.tsv").write_text("en\n")
    (tmp_path / "a.jsonl.gz").write_bytes(gzip.compress(b'\n{"n": 1, "en": "x", "de": "y"}\n'))
    (tmp_path / "folder").mkdir()
    return tmp_path


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("a.tsv", {"kind": "tsv", "source": "en", "target": "de", "header": True}),
        ("named.tsv", {"source": "source", "target": "target"}),
        ("one.tsv", {"source": "en", "target": "target"}),
        ("many.tsv:en,de", {"path": "many.tsv", "source": "en", "target": "de"}),
        ("many.tsv:2,1", {"source": 2, "target": 1, "header": False}),
        ("a.jsonl.gz", {"kind": "jsonl", "source": "en", "target": "de"}),
        ("a.tmx", {"kind": "tmx", "source": None, "target": None}),
        ("a.tmx.gz:en,de", {"kind": "tmx", "path": "a.tmx.gz", "source": "en", "target": "de"}),
        ("a.xlf", {"kind": "xliff"}),
        ("a.XLIFF.gz", {"kind": "xliff"}),
        ("a.po", {"kind": "po"}),
        ("a.mo.gz", {"kind": "mo"}),
        ("a.whl:en,de", {"kind": "catalogue", "path": "a.whl", "source": "en", "target": "de"}),
        ("folder:en,de", {"kind": "catalogue", "path": "folder"}),
        ("a.po,a.xlf", {"kind": "lines", "source": "a.po", "target": "a.xlf"}),
        ("x,y.en,x,y.de", {"kind": "lines", "source": "x,y.en", "target": "x,y.de"}),
    ],
)
def test_the_suffix_says_the_reader(given: str, expected: dict[str, object]) -> None:
    found = guess_reader(given).model_dump()
    assert found | expected == found


def test_names_beside_the_path_win() -> None:
    found = guess_reader("many.tsv:en,de", "de", "en")
    assert (found.source, found.target) == ("de", "en")  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("many.tsv", r"many.tsv has the columns id, en, de: name source and target, as in many.tsv:en,de"),
        ("a.doc", r"a.doc: a corpus of the format '.doc' is not known: allowed: FILE.tsv, FILE.jsonl"),
        ("b.doc", r"b.doc: no such file in .*: did you mean 'a.doc'"),
        ("b.tsv", r"b.tsv: no such file in .*: did you mean 'a.tsv'"),
        ("x,y.en,x,y.fr", r"no such file"),
        ("a.po:en,de", r"a.po:en,de: a .po file has no columns or languages to name: give its path alone"),
        ("a.whl", r"a.whl: name two languages, as in a.whl:en,de"),
        ("x,y.en", r"a corpus of the format '.en' is not known: allowed: .*FILE.en,FILE.de for aligned lines"),
    ],
)
def test_what_cannot_be_guessed_is_refused_with_what_to_type(given: str, message: str) -> None:
    with pytest.raises(CorpusError, match=message):
        guess_reader(given)


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("a.tsv", "The door.\tDie Tür.\nx\ty\n", "taking 'The door.' for the source and 'Die Tür.' for the target; "),
        ("a.tsv", "The door.\nx\n", "taking 'The door.' for the source and 'target' for the target; "),
        ("a.jsonl", '{"en": "x", "de": "y"}\n', "taking 'en' for the source and 'de' for the target; "),
        ("a.tsv", "source\ttarget\nx\ty\n", None),
        ("a.tsv:en,de", "en\tde\nx\ty\n", None),
        ("a.po", "", None),
        ("a.en", "x\n", None),
    ],
)
def test_columns_that_are_guessed_are_told(tmp_path: Path, name: str, content: str, told: str | None) -> None:
    (tmp_path / name.partition(":")[0]).write_text(content, encoding="utf-8")
    found = guessed_columns(str(tmp_path / name))
    assert (found or "None").removeprefix(f"{tmp_path / name}: ").startswith(str(told))
    assert (":0,1 if line 1 is a row already" in str(found)) == (told is not None and name == "a.tsv")


def test_a_missing_column_may_be_a_missing_header(tmp_path: Path) -> None:
    (tmp_path / "a.tsv").write_text("The door.\tDie Tür.\n", encoding="utf-8")
    with pytest.raises(
        CorpusError, match=r"no column 'en': .*; if line 1 is a row already: header = false and numbers"
    ):
        next(readers.build(guess_reader(f"{tmp_path / 'a.tsv'}:en,de")).read())
