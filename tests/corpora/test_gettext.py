"""PO and MO files."""

import gzip
from pathlib import Path

import polib
import pytest

from endash.corpora import BadLine, Record, readers, translate_file
from endash.errors import CorpusError

PO = r"""# A comment that stays
msgid ""
msgstr ""
"Content-Type: text/plain; charset=UTF-8\n"
"Plural-Forms: nplurals=2; plural=(n != 1);\n"

#: src/a.c:12
msgctxt "menu"
msgid "Open"
msgstr "Öffnen"

#, c-format
msgid "%d file"
msgid_plural "%d files"
msgstr[0] "%d Datei"
msgstr[1] "%d Dateien"

#, fuzzy
msgid "Close"
msgstr "Beenden"

msgid "Save"
msgstr ""

msgid "%d line"
msgid_plural "%d lines"
msgstr[0] ""
msgstr[1] ""

#~ msgid "Gone"
#~ msgstr "Weg"
"""
PAIRS = [("Open", "Öffnen"), ("%d file", "%d Datei"), ("%d files", "%d Dateien")]


def read(kind: str, path: Path) -> list[Record | BadLine]:
    return list(readers.build(readers.config(kind).model_validate({"path": str(path)})).read())


def pairs(found: list[Record | BadLine]) -> list[tuple[str, str]]:
    return [(item.source, item.target) for item in found if isinstance(item, Record)]


def put(path: Path, content: str | bytes) -> Path:
    content = content.encode() if isinstance(content, str) else content
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return path


@pytest.mark.parametrize("name", ["de.po", "de.po.gz"])
def test_po_reads_what_is_translated(tmp_path: Path, name: str) -> None:
    path = put(tmp_path / name, PO)
    found = read("po", path)
    assert pairs(found) == PAIRS
    assert found[0].where == f"{path}:7"


@pytest.mark.parametrize("name", ["de.mo", "de.mo.gz"])
def test_mo_reads_the_same_pairs(tmp_path: Path, name: str) -> None:
    path = put(tmp_path / name, polib.pofile(PO).to_binary())
    assert sorted(pairs(read("mo", path))) == sorted(PAIRS)


def test_a_language_with_one_form_gives_the_plural(tmp_path: Path) -> None:
    path = put(tmp_path / "zh.po", 'msgid "%d file"\nmsgid_plural "%d files"\nmsgstr[0] "%d 个文件"\n')
    assert pairs(read("po", path)) == [("%d files", "%d 个文件")]


def test_po_lines_end_at_line_feeds_only(tmp_path: Path) -> None:
    path = put(tmp_path / "de.po", 'msgid "a\u2028b"\nmsgstr "c\x85d"\n')
    assert pairs(read("po", path)) == [("a\u2028b", "c\x85d")]


def test_po_honours_its_charset_and_names_bytes_outside_it(tmp_path: Path) -> None:
    latin = PO.replace("UTF-8", "ISO-8859-1").encode("latin-1")
    assert pairs(read("po", put(tmp_path / "latin.po", latin))) == PAIRS
    path = put(tmp_path / "wrong.po", PO.encode("latin-1"))
    bad, *_ = read("po", path)
    assert isinstance(bad, BadLine)
    assert (bad.where, bad.reason) == (f"{path}:7", "byte 0xd6 does not belong to the file's encoding")
    with pytest.raises(CorpusError, match="charset=KLINGON is unknown: write UTF-8"):
        read("po", put(tmp_path / "odd.po", PO.replace("UTF-8", "KLINGON")))


def test_what_is_no_po_or_mo_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=r"x.po is not a PO file: Syntax error.*line 1"):
        read("po", put(tmp_path / "x.po", "hello there\n"))
    for content in (b"hello there, this is no catalogue", polib.pofile(PO).to_binary()[:40], b""):
        with pytest.raises(CorpusError, match=r"x.mo is not an MO file, or is cut short: make it anew with msgfmt"):
            read("mo", put(tmp_path / "x.mo", content))


@pytest.mark.parametrize("name", ["out.po", "out.po.gz"])
def test_translating_po_fills_what_is_empty_and_keeps_the_rest(tmp_path: Path, name: str) -> None:
    path, out = put(tmp_path / "de.po", PO), tmp_path / name
    asked: list[str] = []

    def translate(texts: list[str]) -> list[str]:
        asked.extend(texts)
        return [text.upper() for text in texts]

    done = translate_file(str(path), str(out), translate)
    assert (done.translated, done.kept) == (3, 4)
    assert asked == ["Save", "%d line", "%d lines"]
    text = (gzip.decompress(out.read_bytes()) if name.endswith("gz") else out.read_bytes()).decode()
    expected = PO.replace('"Save"\nmsgstr ""', '"Save"\nmsgstr "SAVE"')
    expected = expected.replace('msgstr[0] ""\nmsgstr[1] ""', 'msgstr[0] "%D LINE"\nmsgstr[1] "%D LINES"')
    assert text == expected


def test_a_single_plural_form_is_translated_from_the_plural(tmp_path: Path) -> None:
    header = 'msgid ""\nmsgstr "Plural-Forms: nplurals=1; plural=0;\\n"\n\n'
    path = put(tmp_path / "zh.po", header + 'msgid "%d file"\nmsgid_plural "%d files"\nmsgstr[0] ""\n')
    translate_file(str(path), str(path), lambda texts: [f"[{text}]" for text in texts])
    assert 'msgstr[0] "[%d files]"' in path.read_text()


def test_mo_is_not_written(tmp_path: Path) -> None:
    path = put(tmp_path / "de.mo", polib.pofile(PO).to_binary())
    with pytest.raises(
        CorpusError, match="the format 'mo' is only read, and cannot be written: translate a file of jsonl, lines, po"
    ):
        translate_file(str(path), str(tmp_path / "out.mo"), lambda texts: texts)
    assert not (tmp_path / "out.mo").exists()


def test_what_is_written_is_utf_8_and_says_so(tmp_path: Path) -> None:
    path = put(tmp_path / "latin.po", PO.replace("UTF-8", "ISO-8859-1").encode("latin-1"))
    translate_file(str(path), str(path), lambda texts: ["保存"] * len(texts))
    assert "charset=UTF-8" in path.read_text(encoding="utf-8")
    assert ("Save", "保存") in pairs(read("po", path))


def test_a_po_with_a_wrong_byte_anywhere_is_not_rewritten(tmp_path: Path) -> None:
    path = put(tmp_path / "de.po", PO.replace("A comment", "\xe4").encode("latin-1").replace(b"\xd6", b"O"))
    with pytest.raises(CorpusError, match=r"de.po:1: byte 0xe4 does not belong to the file's encoding: mend the line"):
        translate_file(str(path), str(path), lambda texts: texts)


def test_a_translation_has_line_breaks_at_the_ends_where_its_msgid_does(tmp_path: Path) -> None:
    entries = [
        'msgid "\\nfirst\\n\\n"\nmsgstr ""',
        'msgid "plain"\nmsgstr ""',
        'msgid "one\\n"\nmsgid_plural "many\\n"\nmsgstr[0] ""\nmsgstr[1] ""',
    ]
    path = put(
        tmp_path / "a.po", "\n\n".join(['msgid ""\nmsgstr "Content-Type: text/plain; charset=UTF-8\\n"', *entries])
    )
    translate_file(str(path), str(tmp_path / "b.po"), lambda texts: [f"\n{text.strip().upper()}" for text in texts])
    written = {entry.msgid: entry for entry in polib.pofile(str(tmp_path / "b.po"))}
    assert written["\nfirst\n\n"].msgstr == "\nFIRST\n\n"
    assert written["plain"].msgstr == "PLAIN"
    assert written["one\n"].msgstr_plural == {0: "ONE\n", 1: "MANY\n"}


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("wrapped", [True, False])
def test_a_translated_po_is_laid_out_as_it_was(tmp_path: Path, end: str, wrapped: bool) -> None:
    words = "word " * 20 + "."
    long = f'""\n"{"word " * 15}"\n"{"word " * 5}."'
    header = [
        'msgid ""',
        'msgstr ""',
        '"X-Generator: hand\\n"',
        '"Language: de\\n"',
        '"Content-Type: text/plain; charset=UTF-8\\n"',
    ]
    entries = ["", f"msgid {long}" if wrapped else f'msgid "{words}"', 'msgstr "x"', "", 'msgid "new"', 'msgstr ""', ""]
    content = "\n".join([*header, *entries]).replace("\n", end).encode()
    (tmp_path / "a.po").write_bytes(content)
    translate_file(str(tmp_path / "a.po"), str(tmp_path / "b.po"), lambda texts: ["NEU" for _ in texts])
    before, last = content.rsplit(b'msgstr ""', 1)
    assert (tmp_path / "b.po").read_bytes() == before + b'msgstr "NEU"' + last
