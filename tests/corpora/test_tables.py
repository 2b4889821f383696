"""The readers of tables, aligned lines and JSON lines, and what they say about broken files."""

import gzip
import json
from pathlib import Path

import pytest

from endash.corpora import BadLine, Record, readers
from endash.errors import CorpusError


def read(kind: str, **settings: object) -> list[Record | BadLine]:
    return list(readers.build(readers.config(kind).model_validate({"kind": kind, **settings})).read())


def write(path: Path, content: str | bytes) -> str:
    content = content.encode() if isinstance(content, str) else content
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return str(path)


@pytest.mark.parametrize("name", ["pairs.tsv", "pairs.tsv.gz"])
def test_tsv_takes_columns_by_name_and_leaves_the_text_alone(tmp_path: Path, name: str) -> None:
    path = write(tmp_path / name, '\ufeffid\tde\ten\r\n1\t"Hallo"\t Hi \u2028there \r\n\r\n2\tJa\tYes')
    assert read("tsv", path=path, source="en", target="de") == [
        Record(" Hi \u2028there ", '"Hallo"', f"{path}:2"),
        Record("Yes", "Ja", f"{path}:4"),
    ]


def test_tsv_takes_columns_by_number_where_there_is_no_header(tmp_path: Path) -> None:
    path = write(tmp_path / "pairs.tsv", "a\tA\nb\tB\tmore\nc\n")
    first, second, third = read("tsv", path=path, source=0, target=1, header=False)
    assert (first, second) == (Record("a", "A", f"{path}:1"), Record("b", "B", f"{path}:2"))
    assert str(third) == f"{path}:3: 1 columns, and column 1 is asked for (the first is 0): 'c'"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"source": 0, "target": 1}, "source = 0 is a number: name the header's column, or set header = false"),
        ({"source": "en", "target": 1, "header": False}, "source = 'en' with header = false: give the column's number"),
        ({"source": 0, "target": -1, "header": False}, "target = -1 with header = false"),
    ],
)
def test_tsv_refuses_names_without_a_header_and_numbers_with_one(settings: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        readers.config("tsv").model_validate({"path": "x.tsv", **settings})


def test_a_wrong_column_lists_the_header_with_the_nearest_first(tmp_path: Path) -> None:
    path = write(tmp_path / "pairs.tsv", "english\tgerman\nHi\tHallo\n")
    with pytest.raises(
        CorpusError, match=r"pairs.tsv:1: no column 'englsh': did you mean 'english'\? allowed: english, german"
    ):
        read("tsv", path=path, source="englsh", target="german")


def test_a_row_with_another_number_of_columns_is_bad(tmp_path: Path) -> None:
    path = write(tmp_path / "pairs.tsv", "en\tde\nHi\tHal\tlo\n")
    assert read("tsv", path=path, source="en", target="de") == [
        BadLine(f"{path}:2", "3 columns where the header has 2", "Hi\tHal\tlo")
    ]


def test_an_empty_tsv_and_an_unreadable_header_are_refused(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="is empty: its first line should name the columns"):
        read("tsv", path=write(tmp_path / "empty.tsv", ""))
    with pytest.raises(
        CorpusError, match=r"latin.tsv:1: byte 0xe4 at position 3 is not UTF-8.*the header cannot be read"
    ):
        read("tsv", path=write(tmp_path / "latin.tsv", "sp\xe4t\tde\n".encode("latin-1")))


def test_a_byte_in_another_encoding_is_a_bad_line_with_its_place(tmp_path: Path) -> None:
    path = write(tmp_path / "pairs.tsv", b"en\tde\nlate\tsp\xe4t\nyes\tja\n")
    assert read("tsv", path=path, source="en", target="de") == [
        BadLine(f"{path}:2", "byte 0xe4 at position 8 is not UTF-8", "late\tsp\\xe4t"),
        Record("yes", "ja", f"{path}:3"),
    ]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 8, "is not UTF-8 text: .* if it is another format, name its kind"),
        ("en\tde\n".encode("utf-16"), "is UTF-16, and UTF-8 is needed: iconv -f UTF-16 -t UTF-8"),
        (gzip.compress(b"en\tde\n"), r"pairs.tsv is gzip: rename it to .*pairs.tsv.gz"),
    ],
)
def test_a_file_that_is_no_text_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    with pytest.raises(CorpusError, match=message):
        read("tsv", path=write(tmp_path / "pairs.tsv", content))


def test_a_missing_file_names_the_nearest_in_its_folder(tmp_path: Path) -> None:
    write(tmp_path / "train.en-de.tsv", "")
    with pytest.raises(CorpusError, match=r"train.ende.tsv: no such file in .*: did you mean '.*train.en-de.tsv'\?"):
        read("tsv", path=str(tmp_path / "train.ende.tsv"))
    with pytest.raises(CorpusError, match=r"no such file, nor is there a folder '.*nowhere': check the path"):
        read("tsv", path=str(tmp_path / "nowhere" / "x.tsv"))
    with pytest.raises(CorpusError, match="is a folder, and a file is needed"):
        read("tsv", path=str(tmp_path))


def test_gz_that_is_not_gzip_or_cut_short_is_refused(tmp_path: Path) -> None:
    (tmp_path / "plain.tsv.gz").write_text("en\tde\n")
    with pytest.raises(CorpusError, match=r"plain.tsv.gz is named .gz and is not gzip .*: rename it without .gz"):
        read("tsv", path=str(tmp_path / "plain.tsv.gz"))
    packed = gzip.compress(b"en\tde\n" + b"".join(b"%d\tx\n" % i for i in range(5000)))
    (tmp_path / "short.tsv.gz").write_bytes(packed[: len(packed) // 2])
    with pytest.raises(CorpusError, match=r"short.tsv.gz is a broken gzip file .*: fetch or pack it again"):
        read("tsv", path=str(tmp_path / "short.tsv.gz"), source="en", target="de")


def test_lines_pairs_by_number_and_keeps_blank_ones(tmp_path: Path) -> None:
    source, target = write(tmp_path / "a.en", "one\n\nthree\n"), write(tmp_path / "a.de.gz", "eins\n\ndrei")
    assert [(r.source, r.target) for r in read("lines", source=source, target=target) if isinstance(r, Record)] == [
        ("one", "eins"),
        ("", ""),
        ("three", "drei"),
    ]


def test_lines_of_different_number_name_both_counts(tmp_path: Path) -> None:
    short, long = write(tmp_path / "a.en", "1\n2\n3\n"), write(tmp_path / "a.de", "1\n2\n3\n4\n5\n")
    with pytest.raises(CorpusError, match=r"a.en has 3 lines and .*a.de has 5"):
        read("lines", source=short, target=long)
    with pytest.raises(CorpusError, match=r"a.de has 5 lines and .*a.en has 3"):
        read("lines", source=long, target=short)


def test_a_bad_line_on_either_side_keeps_the_others_aligned(tmp_path: Path) -> None:
    source, target = write(tmp_path / "a.en", b"1\n\xff\n3\n4\n"), write(tmp_path / "a.de", b"1\n2\n\xff\n4\n")
    found = read("lines", source=source, target=target)
    assert [item.where for item in found if isinstance(item, BadLine)] == [f"{source}:2", f"{target}:3"]
    assert [(r.source, r.target) for r in found if isinstance(r, Record)] == [("1", "1"), ("4", "4")]


def test_jsonl_takes_two_fields_and_says_why_a_line_is_bad(tmp_path: Path) -> None:
    lines = [
        json.dumps({"en": "a\nb", "de": "A", "n": 1}),
        "",
        '{"en": "x"',
        "[1]",
        '{"en": "x", "d": "y"}',
        '{"en": 5, "de": "y"}',
        '{"en": "\\ud83d", "de": "y"}',
    ]
    path = write(tmp_path / "pairs.jsonl.gz", "\n".join(lines))
    record, *bad = read("jsonl", path=path, source="en", target="de")
    assert record == Record("a\nb", "A", f"{path}:1")
    assert all(isinstance(line, BadLine) for line in bad)
    reasons = [line.reason for line in bad if isinstance(line, BadLine)]
    assert reasons[0].startswith("not JSON: Expecting ',' delimiter")
    assert reasons[1:] == [
        "a list, and not an object with fields",
        "no field 'de': did you mean 'd'? allowed: d, en",
        "the field 'en' holds the number 5, and not text: write \"5\"",
        "the field 'en' holds \\ud83d, half a character",
    ]
