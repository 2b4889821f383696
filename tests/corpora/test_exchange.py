"""TMX and XLIFF: pairs in, and files that keep all but the target."""

import gzip
from pathlib import Path

import pytest
from lxml import etree

from endash.corpora import BadLine, Record, readers, translate_file
from endash.corpora.segments import fill, flatten
from endash.corpora.xml import drop, parse, rewrite
from endash.errors import CorpusError

TMX = """<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE tmx SYSTEM "tmx14.dtd">
<!-- kept -->
<tmx version="1.4">
  <header srclang="en-US" datatype="plaintext"><note>n &amp; m</note></header>
  <body>
    <!-- also kept -->
    <tu tuid="1">
      <tuv xml:lang="en-US"><seg>Press <bpt i="1">&lt;b&gt;</bpt>OK<ept i="1">&lt;/b&gt;</ept> &amp; wait</seg></tuv>
      <tuv xml:lang="de-DE"><seg><hi>OK</hi> drücken</seg></tuv>
    </tu>
    <tu tuid="2"><tuv xml:lang="EN-US"><seg>Alone</seg></tuv></tu>
    <tu tuid="3"><tuv xml:lang="en-US"><seg>x</seg></tuv><tuv xml:lang="de-DE"/></tu>
  </body>
</tmx>
"""
XLIFF_1 = """<?xml version="1.0" encoding="UTF-8"?>
<xliff xmlns="urn:oasis:names:tc:xliff:document:1.2" xmlns:my="urn:my" version="1.2">
  <file original="a.c" source-language="en" target-language="de" datatype="plaintext">
    <header><note>kept</note></header>
    <body>
      <trans-unit id="1" my:key="k">
        <source>Open <g id="1">the <x id="2"/> file</g></source>
        <note>why</note>
      </trans-unit>
      <group id="frozen" translate="no"><trans-unit id="2"><source>Endash</source></trans-unit></group>
      <trans-unit id="3"><source>Close</source><target>Schließen</target></trans-unit>
      <trans-unit id="4"><source>New</source><target state="new">New</target></trans-unit>
    </body>
  </file>
</xliff>
"""
XLIFF_2 = """<?xml version="1.0" encoding="UTF-8"?>
<xliff xmlns="urn:oasis:names:tc:xliff:document:2.0" version="2.0" srcLang="en" trgLang="de">
  <file id="f"><unit id="1">
    <segment><source>One <pc id="1">two</pc></source></segment>
    <segment state="final"><source>Three</source><target>Drei</target></segment>
  </unit></file>
</xliff>
"""


def read(kind: str, path: Path, **settings: object) -> list[Record | BadLine]:
    return list(readers.build(readers.config(kind).model_validate({"path": str(path), **settings})).read())


def pairs(found: list[Record | BadLine]) -> list[tuple[str, str]]:
    return [(item.source, item.target) for item in found if isinstance(item, Record)]


def put(path: Path, content: str) -> Path:
    path.write_bytes(gzip.compress(content.encode()) if path.suffix == ".gz" else content.encode())
    return path


def shout(texts: list[str]) -> list[str]:
    return [text.replace("Press", "PRESS").replace("Open", "ÖFFNE").replace("One", "EINS") for text in texts]


@pytest.mark.parametrize("name", ["m.tmx", "m.tmx.gz"])
@pytest.mark.parametrize("settings", [{}, {"source": "en", "target": "de"}, {"source": "en_us", "target": "de-DE"}])
def test_tmx_gives_the_units_with_both_languages(tmp_path: Path, name: str, settings: dict[str, object]) -> None:
    path = put(tmp_path / name, TMX)
    first, bad = read("tmx", path, **settings)
    assert first == Record("Press <b>OK</b> & wait", "OK drücken", f"{path}:8")
    assert bad == BadLine(f"{path}:13", "a tuv without a seg")


def test_tmx_says_which_languages_there_are(tmp_path: Path) -> None:
    path = put(tmp_path / "m.tmx", TMX)
    with pytest.raises(CorpusError, match=r"no unit holds both en-US and dk: .*allowed: EN-US, de-DE, en-US"):
        read("tmx", path, target="dk")
    put(path, TMX.replace('srclang="en-US"', 'srclang="*all*"'))
    with pytest.raises(
        CorpusError, match=r"m.tmx:8: the header names no source language: name both, as in .*m.tmx:en,de"
    ):
        read("tmx", path)
    put(path, TMX.replace("</tu>", '<tuv xml:lang="fr"><seg>OK</seg></tuv></tu>', 1))
    with pytest.raises(CorpusError, match="has several target languages, de-DE, fr: name both"):
        read("tmx", path)


def test_translating_a_tmx_changes_nothing_but_the_target(tmp_path: Path) -> None:
    path, out = put(tmp_path / "m.tmx", TMX), tmp_path / "out.tmx"
    assert translate_file(f"{path}:en,de", str(out), shout).translated == 3
    expected = (
        TMX.replace("<hi>OK</hi> drücken", 'PRESS <bpt i="1">&lt;b&gt;</bpt>OK<ept i="1">&lt;/b&gt;</ept> &amp; wait')
        .replace("<seg>Alone</seg></tuv></tu>", '<seg>Alone</seg></tuv><tuv xml:lang="de"><seg>Alone</seg></tuv></tu>')
        .replace('<tuv xml:lang="de-DE"/>', '<tuv xml:lang="de-DE"><seg>x</seg></tuv>')
        .replace('<!DOCTYPE tmx SYSTEM "tmx14.dtd">\n<!-- kept -->', '<!-- kept -->\n<!DOCTYPE tmx SYSTEM "tmx14.dtd">')
    )
    assert out.read_text() == expected


def test_translating_a_tmx_into_no_named_language_is_refused(tmp_path: Path) -> None:
    put(tmp_path / "m.tmx", TMX.replace("de-DE", "en-US"))
    with pytest.raises(CorpusError, match="unit 1: which language to translate to"):
        translate_file(str(tmp_path / "m.tmx"), str(tmp_path / "out.tmx"), shout)
    assert not (tmp_path / "out.tmx").exists()


def test_xliff_1_reads_what_is_translated(tmp_path: Path) -> None:
    path = put(tmp_path / "a.xlf.gz", XLIFF_1)
    assert read("xliff", path) == [Record("Close", "Schließen", f"{path}:11")]
    assert pairs(read("xliff", path, source="en", target="de")) == [("Close", "Schließen")]
    with pytest.raises(CorpusError, match=r"holds en → de, and not any → fr: ask for what it holds"):
        read("xliff", path, target="fr")


def test_translating_xliff_1_sets_targets_and_keeps_the_rest(tmp_path: Path) -> None:
    path, out = put(tmp_path / "a.xlf", XLIFF_1), tmp_path / "b.xlf"
    done = translate_file(str(path), str(out), shout)
    assert (done.translated, done.kept) == (2, 1)
    expected = XLIFF_1.replace(
        "file</g></source>\n",
        'file</g></source>\n        <target state="translated">ÖFFNE <g id="1">the <x id="2"/> file</g></target>\n',
    ).replace('<target state="new">New', '<target state="translated">New')
    assert out.read_text() == expected


def test_xliff_2_works_by_segment(tmp_path: Path) -> None:
    path, out = put(tmp_path / "a.xliff", XLIFF_2), tmp_path / "b.xliff"
    assert pairs(read("xliff", path)) == [("Three", "Drei")]
    assert translate_file(str(path), str(out), shout).kept == 1
    assert out.read_text() == XLIFF_2.replace(
        "<segment><source>One", '<segment state="translated"><source>One'
    ).replace("two</pc></source>", 'two</pc></source><target>EINS <pc id="1">two</pc></target>')
    put(path, XLIFF_2.replace(' trgLang="de"', ""))
    with pytest.raises(CorpusError, match="names no target language: name both"):
        translate_file(str(path), str(out), shout)
    translate_file(f"{path}:en,fr", str(out), shout)
    assert 'trgLang="fr"' in out.read_text()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("<tmx><body></tmx>", r"m.tmx:1: not well-formed XML: Opening and ending tag mismatch"),
        ("", r"m.tmx:\d: not well-formed XML"),
        ("<html></html>", "begins with <html>, and a tmx file with <tmx>: name its kind"),
        ('<!DOCTYPE tmx [<!ENTITY e "x">]><tmx>&e;</tmx>', "declares entities of its own, which are not expanded"),
    ],
)
def test_broken_xml_is_refused_with_its_line(tmp_path: Path, content: str, message: str) -> None:
    with pytest.raises(CorpusError, match=message):
        read("tmx", put(tmp_path / "m.tmx", content), source="en", target="de")


@pytest.mark.parametrize(
    ("translation", "content"),
    [
        ('<g id="1">a</g> b <x id="2"/>', '<g id="1">a</g> b <x id="2"/>'),
        ('<x id="2"/> and <g id="1">a %s b', '<x id="2"/> and a <ph id="3">%s</ph> b'),  # a wrapper that never closes
        ("</g>a < b & c", "a &lt; b &amp; c"),
        ("%s %s", '<ph id="3">%s</ph> %s'),  # there is one to put in, the other is text
        ("nothing left", "nothing left"),
    ],
)
def test_fill_puts_inline_elements_back_and_stays_well_formed(translation: str, content: str) -> None:
    source = etree.fromstring('<source>See <g id="1">this <x id="2"/></g>, <ph id="3">%s</ph>.</source>')
    segment = flatten(source)
    assert segment.text == 'See <g id="1">this <x id="2"/></g>, %s.'
    target = etree.fromstring("<target>old <g/></target>")
    fill(target, translation, segment.inlines)
    assert etree.tostring(target, encoding="unicode") == f"<target>{content}</target>"
    fill(target, segment.text, segment.inlines)
    assert etree.tostring(target) == etree.tostring(source).replace(b"source", b"target")


def test_elements_are_freed_as_they_are_read(tmp_path: Path) -> None:
    unit = '<tu><tuv xml:lang="en"><seg>{0}</seg></tuv><tuv xml:lang="de"><seg>{0}</seg></tuv></tu>'
    head, tail = '<tmx version="1.4"><header srclang="en"/><body>', "</body></tmx>"
    path = put(tmp_path / "big.tmx", head + "".join(unit.format("x" * 200 + str(i)) for i in range(5000)) + tail)
    held = []
    for event, element in parse(str(path), root="tmx"):
        if event == "end" and element.tag == "tu":
            held.append(len(element.getparent()))
            drop(element)
    assert len(held) == 5000
    assert max(held) < 200  # the parser reads 32 kB ahead, which is some 70 units


def test_an_element_that_cannot_be_written_again_is_refused(tmp_path: Path) -> None:
    path = put(tmp_path / "a.xlf", XLIFF_1.replace("urn:my", "urn: my"))
    with pytest.raises(CorpusError, match=r"a.xlf:2: <xliff> cannot be written again: Invalid namespace URI"):
        translate_file(str(path), str(tmp_path / "b.xlf"), shout)


def test_translate_of_the_nearest_element_holds(tmp_path: Path) -> None:
    path = put(tmp_path / "a.xlf", XLIFF_1.replace('<trans-unit id="2">', '<trans-unit id="2" translate="yes">'))
    assert translate_file(str(path), str(tmp_path / "b.xlf"), shout).translated == 3


def test_elements_are_freed_as_they_are_rewritten(tmp_path: Path) -> None:
    path = put(
        tmp_path / "big.tmx", "<tmx><body>" + "".join(f"<tu>{'x' * 500}{i}</tu>" for i in range(5000)) + "</body></tmx>"
    )
    held = []
    edit = lambda element, parent: held.append(len(parent)) if element.tag == "tu" else None  # noqa: E731
    assert sum(1 for _ in rewrite(str(path), root="tmx", containers=frozenset(("tmx", "body")), edit=edit)) > 5000
    assert max(held) < 200


def test_tmx_takes_the_very_language_before_a_variety_of_it(tmp_path: Path) -> None:
    path = put(tmp_path / "m.tmx", TMX.replace("<tuv", '<tuv xml:lang="en-GB"><seg>British</seg></tuv><tuv', 1))
    assert pairs(read("tmx", path, source="en-US", target="de"))[0][0].startswith("Press")
    assert pairs(read("tmx", path, source="en", target="de"))[0][0] == "British"
    put(path, path.read_text().replace("en-US", "en"))
    assert pairs(read("tmx", path, source="en", target="de"))[0][0].startswith("Press")
