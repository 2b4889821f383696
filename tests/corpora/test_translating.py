"""Files translated in their own format, whole or not at all."""

import gzip
import os
import threading
from pathlib import Path

import pytest

from endash.corpora import TranslatedFile, translate_file
from endash.errors import CorpusError, LongTextError


def shout(texts: list[str]) -> list[str]:
    return [text.upper() + "\n!" for text in texts]


@pytest.mark.parametrize(
    ("name", "given", "content", "expected"),
    [
        ("a.txt", "a.txt", "one\r\n\n  \ntwo", "ONE !\r\n\n  \nTWO !\n"),
        ("a.en", "a.en", "one\n", "ONE !\n"),
        ("a.tsv", "a.tsv", "en\n\none\n", "en\ttarget\n\none\tONE !\n"),
        ("a.tsv", "a.tsv:en,de", "de\tid\ten\nx\t1\tone\n\t2\t\n", "de\tid\ten\nONE !\t1\tone\n\t2\t\n"),
        ("a.tsv", "a.tsv:0,2", "one\tx\n", "one\tx\tONE !\n"),
        ("a.jsonl", "a.jsonl:en,de", '{"en": "ä", "n": 1}\n\n', '{"en": "ä", "n": 1, "de": "Ä\\n!"}\n\n'),
        ("a.jsonl", "a.jsonl", '{"de": "x", "source": "a"}', '{"de": "x", "source": "a", "target": "A\\n!"}\n'),
    ],
)
@pytest.mark.parametrize("packed", [False, True])
def test_formats_keep_their_structure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, name: str, given: str, content: str, expected: str, packed: bool
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / name).write_bytes(content.encode())
    out = "out" + Path(name).suffix + (".gz" if packed else "")
    translate_file(given, out, shout)
    written = (tmp_path / out).read_bytes()
    assert (gzip.decompress(written) if packed else written).decode() == expected


def test_texts_come_in_batches_and_blank_ones_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("".join(f"{i}\n\n" for i in range(1100)))
    sizes = []

    def translate(texts: list[str]) -> list[str]:
        sizes.append(len(texts))
        return texts

    assert translate_file(str(path), str(path), translate, batch=100) == TranslatedFile(1100, 0)
    assert max(sizes) <= 100
    assert sum(sizes) == 1100
    assert path.read_text() == "".join(f"{i}\n\n" for i in range(1100))


def test_an_interrupted_translation_leaves_what_was_there(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("one\n" * 2000)
    (tmp_path / "out.txt").write_text("before")
    calls = []

    def stop(texts: list[str]) -> list[str]:
        calls.append(texts)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return texts

    with pytest.raises(KeyboardInterrupt):
        translate_file(str(tmp_path / "a.txt"), str(tmp_path / "out.txt"), stop)
    assert (tmp_path / "out.txt").read_text() == "before"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.txt", "out.txt"]


@pytest.mark.parametrize(
    ("given", "out", "message"),
    [
        ("a.doc", "b.doc", r"a.doc: files named .doc are not translated: plain lines are FILE.txt"),
        (
            "a.tsv",
            "b.jsonl",
            r"a.tsv is translated into a file of the same format, and b.jsonl is named otherwise: name it \*.tsv",
        ),
        (
            "bad.txt",
            "b.txt",
            r"bad.txt:2: byte 0xe4 at position 1 is not UTF-8: .*: mend the line, nothing was written",
        ),
        ("bad.jsonl", "b.jsonl", r"bad.jsonl:2: not JSON: .*: mend the line, nothing was written"),
        ("bad.tsv", "b.tsv", r"bad.tsv:2: 1 columns where the header has 2: .*: mend the line, nothing was written"),
        ("a.tsv:fr,de", "b.tsv", r"a.tsv:1: no column 'fr': allowed: de, en"),
        ("a.tsv", "nowhere/b.tsv", r"nowhere/b.tsv cannot be written: No such file or directory"),
        ("none.txt", "b.txt", r"none.txt: no such file in"),
        (
            "bad.txt:en,de",
            "b.txt",
            r"bad.txt:en,de: plain text has no columns or languages to name: give its path alone",
        ),
        ("a.tsv", "folder.tsv", r"folder.tsv is a folder, and a file is to be written: name a file in it"),
    ],
)
def test_what_cannot_be_translated_is_refused_and_nothing_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: str, out: str, message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    files = {"a.doc": b"", "a.tsv": b"en\tde\na\tb\n", "bad.txt": b"a\n\xe4\n", "bad.jsonl": b'{"source": "x"}\n{\n'}
    for name, content in (files | {"bad.tsv": b"en\tde\nx\n"}).items():
        (tmp_path / name).write_bytes(content)
    (tmp_path / "folder.tsv").mkdir()
    before = sorted(tmp_path.iterdir())
    with pytest.raises(CorpusError, match=message):
        translate_file(given, out, shout)
    assert sorted(tmp_path.iterdir()) == before


def test_a_link_is_written_through_and_permissions_stay(tmp_path: Path) -> None:
    (tmp_path / "real.txt").write_text("old")
    (tmp_path / "real.txt").chmod(0o640)
    (tmp_path / "link.txt").symlink_to("real.txt")
    (tmp_path / "a.txt").write_text("new")
    translate_file(str(tmp_path / "a.txt"), str(tmp_path / "link.txt"), lambda texts: texts)
    assert (tmp_path / "link.txt").is_symlink()
    assert (tmp_path / "real.txt").read_text() == "new\n"
    assert (tmp_path / "real.txt").stat().st_mode & 0o777 == 0o640


def test_a_pipe_is_read_as_a_file_is(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.txt")
    writer = threading.Thread(target=lambda: (tmp_path / "a.txt").write_text("one\ntwo\n"))
    writer.start()
    assert translate_file(str(tmp_path / "a.txt"), str(tmp_path / "b.txt"), shout).translated == 2
    writer.join()


def test_a_pipe_is_written_into(tmp_path: Path) -> None:
    (tmp_path / "in.txt").write_text("a\n", encoding="utf-8")
    os.mkfifo(tmp_path / "out.txt")
    reading = os.open(tmp_path / "out.txt", os.O_RDONLY | os.O_NONBLOCK)
    try:
        translate_file(str(tmp_path / "in.txt"), str(tmp_path / "out.txt"), lambda texts: [t.upper() for t in texts])
        assert os.read(reading, 100) == b"A\n"
    finally:
        os.close(reading)
    assert (tmp_path / "out.txt").is_fifo()


LONG = "long " * 9


@pytest.mark.parametrize(
    ("name", "content", "where"),
    [
        ("a.txt", f"one\n\n{LONG}\n", "a.txt:3"),
        ("a.tsv", f"source\none\n\n{LONG}\n", "a.tsv:4"),
        ("a.jsonl", f'{{"source": "one"}}\n{{"source": "{LONG}"}}\n', "a.jsonl:2"),
        ("a.po", f'msgid "one"\nmsgstr ""\n\nmsgid "{LONG}"\nmsgstr ""\n', "a.po:4"),
        (
            "a.xlf",
            '<xliff version="1.2"><file target-language="de"><body>\n<trans-unit id="1"><source>one</source></trans-unit>\n'
            f'<trans-unit id="2"><source>{LONG}</source></trans-unit></body></file></xliff>',
            "a.xlf:3",
        ),
    ],
)
def test_a_text_that_is_too_long_is_named_before_anything_is_translated(
    tmp_path: Path, name: str, content: str, where: str
) -> None:
    (tmp_path / name).write_text(content, encoding="utf-8")
    translated: list[str] = []

    def check(texts: list[str]) -> None:
        for row, text in enumerate(texts):
            if len(text) > 30:
                raise LongTextError(row, "9 tokens, and 8 are allowed")

    def translate(texts: list[str]) -> list[str]:
        translated.extend(texts)
        return texts

    with pytest.raises(CorpusError, match=f"{where}: 9 tokens, and 8 are allowed: nothing was written$"):
        translate_file(str(tmp_path / name), str(tmp_path / f"out{name[1:]}"), translate, check=check, batch=1)
    assert translated == []
    assert os.listdir(tmp_path) == [name]


@pytest.mark.parametrize("name", ["notes.md", "notes"])
def test_a_file_of_no_known_format_says_how_plain_lines_are_named(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("one\n", encoding="utf-8")
    with pytest.raises(
        CorpusError,
        match=r"plain lines are FILE\.txt, or FILE\.en by their language; other formats are \.jsonl, \.po, \.tmx, \.tsv, \.xlf",
    ):
        translate_file(str(tmp_path / name), str(tmp_path / f"{name}.out"), shout)
