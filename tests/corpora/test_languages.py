"""Which language a corpus is translated into, as its name or the file itself says."""

from pathlib import Path

import pytest

from endash.corpora import guess_reader, readers
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
