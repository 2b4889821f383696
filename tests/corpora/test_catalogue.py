"""Translations inside a folder or a wheel."""

import json
import zipfile
from pathlib import Path

import polib
import pytest

from endash.corpora import BadLine, Record, readers
from endash.errors import CorpusError

MO = polib.pofile('msgid "Yes"\nmsgstr "Ja"\n\nmsgid "No"\nmsgstr ""\n')
FILES = {
    "app/parts/light/translations/en.json": json.dumps({"title": "Light", "step": {"user": ["On", "Off"]}, "n": 1}),
    "app/parts/light/translations/de.json": json.dumps({"step": {"user": ["An", "Aus"]}, "title": "Licht", "x": "y"}),
    "app/parts/light/translations/zh-Hans.json": json.dumps({"title": "灯"}),
    "app/parts/lonely/translations/de.json": json.dumps({"title": "Allein"}),
    "web/en/menu.json": json.dumps({"open": "Open"}),
    "web/de/menu.json": json.dumps({"open": "Öffnen"}),
    "web/words.en.json": json.dumps({"a": "door"}),
    "web/words.de.json": json.dumps({"a": "Tür"}),
    "app/locale/de/LC_MESSAGES/app.mo": MO.to_binary(),
    "app/locale/de/LC_MESSAGES/app.po": 'msgid "Old"\nmsgstr "Alt"\n',
    "app/locale/zh_Hans/LC_MESSAGES/app.po": 'msgid "Yes"\nmsgstr "是"\n',
    "app/data.json": "{}",
}


@pytest.fixture(params=["folder", "wheel"])
def package(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return make(tmp_path, FILES, wheel=request.param == "wheel")


def make(folder: Path, files: dict[str, str | bytes], *, wheel: bool) -> Path:
    raw = {name: content.encode() if isinstance(content, str) else content for name, content in files.items()}
    if wheel:
        with zipfile.ZipFile(folder / "app.whl", "w") as archive:
            for name, content in raw.items():
                archive.writestr(name, content)
        return folder / "app.whl"
    for name, content in raw.items():
        (folder / "site" / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / "site" / name).write_bytes(content)
    return folder / "site"


def read(path: Path, target: str, **settings: str) -> list[Record | BadLine]:
    config = {"path": str(path), "source": "en", "target": target, **settings}
    return list(readers.build(readers.config("catalogue").model_validate(config)).read())


def test_strings_pair_by_file_and_key(package: Path) -> None:
    found = read(package, "de")
    assert [(item.source, item.target, item.where.split("!")[1]) for item in found if isinstance(item, Record)] == [
        ("Yes", "Ja", "app/locale/de/LC_MESSAGES/app.mo#1"),
        ("Light", "Licht", "app/parts/light/translations/de.json#title"),
        ("On", "An", "app/parts/light/translations/de.json#step.user.0"),
        ("Off", "Aus", "app/parts/light/translations/de.json#step.user.1"),
        ("Open", "Öffnen", "web/de/menu.json#open"),
        ("door", "Tür", "web/words.de.json#a"),
    ]


@pytest.mark.parametrize("target", ["zh-Hans", "zh_hans"])
def test_languages_are_written_with_a_dash_or_an_underscore(package: Path, target: str) -> None:
    found = read(package, target)
    assert [(item.source, item.target) for item in found if isinstance(item, Record)] == [
        ("Yes", "是"),
        ("Light", "灯"),
    ]


def test_a_pattern_chooses_among_the_inner_paths(package: Path) -> None:
    assert [item.where.split("!")[1] for item in read(package, "de", pattern="web/*.json")] == [
        "web/de/menu.json#open",
        "web/words.de.json#a",
    ]


def test_a_language_that_is_not_there_is_refused_with_the_nearest(package: Path) -> None:
    with pytest.raises(
        CorpusError, match=r"no translations from 'en' to 'zh-Hant' at '\*': did you mean 'zh-Hans'\? allowed: .*de, en"
    ):
        read(package, "zh-Hant")
    with pytest.raises(CorpusError, match=r"holds no translations \(.json, .po or .mo\) at 'nowhere/\*'"):
        read(package, "de", pattern="nowhere/*")


def test_a_broken_file_is_one_bad_line(tmp_path: Path) -> None:
    broken = {"b/en.json": b'{"a": "\xe4"}', "b/de.json": '{"a": "x"}', "c/en.json": "{", "c/de.json": "{}"}
    path = make(
        tmp_path,
        {**FILES, **broken, "de/x.mo": b"no", "d/en.json": r'{"k": "\ud800"}', "d/de.json": '{"k": "y"}'},
        wheel=True,
    )
    bad = [item for item in read(path, "de") if isinstance(item, BadLine)]
    assert [(line.where.split("!")[1], line.reason[:30]) for line in bad] == [
        ("b/en.json", "cannot be read as JSON: 'utf-8"),
        ("c/en.json", "cannot be read as JSON: Expect"),
        ("d/de.json#k", "holds \\ud800, half a character"),
        ("de/x.mo", "de/x.mo is not an MO file, or "),
    ]


def test_what_is_no_package_is_refused(tmp_path: Path) -> None:
    (tmp_path / "app.whl").write_text("not a zip")
    with pytest.raises(CorpusError, match="is neither a folder nor a wheel or zip file: File is not a zip file"):
        read(tmp_path / "app.whl", "de")
    with pytest.raises(CorpusError, match=r"no such file in .*: did you mean '.*app.whl'\?"):
        read(tmp_path / "ap.whl", "de")
