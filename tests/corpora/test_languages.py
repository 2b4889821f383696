"""Which language a corpus is translated into, as its name or the file itself says."""

from pathlib import Path

import pytest

from endash.corpora import CorpusConfig, Record, guess_reader, readers, target_language
from endash.corpora.scripts import is_chinese, known_language

PO = 'msgid ""\nmsgstr "Content-Type: text/plain; charset=UTF-8\\nLanguage: zh_CN\\n"\n\nmsgid "a"\nmsgstr "门"\n'
XLIFF = """<xliff version="1.2"><file source-language="en" target-language="zh-Hans"><body>
<trans-unit id="1"><source>a</source><target>b</target></trans-unit></body></file></xliff>"""
TMX = """<tmx version="1.4"><header srclang="en"/><body><tu><tuv xml:lang="en-GB"><seg>a</seg></tuv>
<tuv xml:lang="zh-CN"><seg>b</seg></tuv></tu></body></tmx>"""


@pytest.mark.parametrize(
    ("name", "content", "asked", "language"),
    [
        ("a.po", PO, "", "zh_CN"),
        ("a.po", PO.replace("zh_CN", "xx"), "", None),
        ("a.po", PO.replace("Language: zh_CN\\n", ""), "", None),
        ("a.xlf", XLIFF, "", "zh-Hans"),
        ("a.xlf", XLIFF.replace(' target-language="zh-Hans"', ""), ":en,de", "de"),
        ("a.tmx", TMX, "", "zh-CN"),
        ("a.tmx", TMX, ":en,zh", "zh"),
        ("a.tsv", "en\tzh\na\tb\n", "", "zh"),
        ("a.tsv", "source\ttarget\na\tb\n", "", None),
        ("a.tsv", "a\tb\n", ":0,1", None),
    ],
)
def test_the_target_s_language(tmp_path: Path, name: str, content: str, asked: str, language: str | None) -> None:
    (tmp_path / name).write_text(content, encoding="utf-8")
    assert readers.build(guess_reader(f"{tmp_path / name}{asked}")).target_language() == language


def test_a_file_s_name_ends_in_its_language() -> None:
    assert known_language("runs/news.zh-Hans.gz") == "zh-Hans"
    assert known_language("news.txt") is None


def test_chinese_is_known_by_its_script() -> None:
    assert is_chinese(["门是红色的 {name}"])
    assert not is_chinese(["the door", "门"])
    assert not is_chinese(["42", ""])


def test_the_readers_of_records_tell_their_language_and_else_their_letters(tmp_path: Path) -> None:
    table = readers.config("tsv")
    german, japanese, unnamed = (table(path="x.tsv", source="en", target=name) for name in ("de", "ja", "b"))
    english, chinese = Record("a", "the door"), Record("a", "门")
    assert target_language([english], CorpusConfig(train=(japanese,))) == "ja"
    assert target_language([english], CorpusConfig(train=(german,), test=(unnamed, japanese))) == "ja"
    assert target_language([english], CorpusConfig(train=(german,), test=(unnamed,))) == "de"
    assert target_language([english], CorpusConfig(train=(german, japanese))) is None
    assert target_language([chinese], CorpusConfig(train=(unnamed,))) == "zh"
    assert target_language([chinese]) == "zh"
    gone = readers.config("po")(path=str(tmp_path / "gone.po"))
    assert target_language([english], CorpusConfig(train=(gone,))) is None


def test_each_family_has_the_language_of_its_own_reader() -> None:
    table = readers.config("tsv")
    corpus = CorpusConfig(
        train=tuple(
            table(path="x.tsv", source="en", target=code, prompt=f"{code}: {{source}}", family=code)
            for code in ("de", "ja")
        )
    )
    some = [Record("a", "b", family=code) for code in ("de", "ja")]
    assert [target_language([one], corpus) for one in some] == ["de", "ja"]
    assert target_language(some, corpus) is None
