"""Columns of tables as the parts of a source, as several targets, as keys, as files, and in prompts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from endash.corpora import BadLine, Corpus, CorpusConfig, Media, Record, readers
from endash.corpora.keys import source_key
from endash.errors import CorpusError

SICK = "id\tpremise\thypothesis\tlabel\n7\tA man sings.\tNobody sings.\tCONTRADICTION\n8\tA dog runs.\t \tNEUTRAL\n"


def read(kind: str, **settings: object) -> list[Record | BadLine]:
    config = readers.config(kind).model_validate_json(json.dumps({"kind": kind, **settings}))
    return list(readers.build(config).read())


def tsv(folder: Path, content: str, **settings: object) -> list[Record | BadLine]:
    (folder / "a.tsv").write_text(content, encoding="utf-8")
    return read("tsv", path=str(folder / "a.tsv"), **settings)


def jsonl(folder: Path, *objects: object, **settings: object) -> list[Record | BadLine]:
    (folder / "a.jsonl").write_text("\n".join(map(json.dumps, objects)), encoding="utf-8")
    return read("jsonl", path=str(folder / "a.jsonl"), **settings)


def reasons(found: list[Record | BadLine]) -> list[str]:
    return [f"{item.where.rpartition(':')[2]}: {item.reason}" for item in found if isinstance(item, BadLine)]


def records(found: list[Record | BadLine]) -> list[Record]:
    assert not reasons(found)
    return [item for item in found if isinstance(item, Record)]


def test_one_column_is_a_text_and_has_no_parts(tmp_path: Path) -> None:
    [record] = records(tsv(tmp_path, "source\ttarget\na b\tc\n"))
    assert record == Record("a b", "c", f"{tmp_path}/a.tsv:2")
    assert (record.parts, record.references) == (("a b",), ("c",))


def test_several_columns_are_parts_a_line_each(tmp_path: Path) -> None:
    found = tsv(tmp_path, SICK, source=["premise", "hypothesis"], target="label")
    record = found[0]
    assert isinstance(record, Record)
    assert record.source == "A man sings.\nNobody sings."
    assert record.parts == record.sources == ("A man sings.", "Nobody sings.")
    assert (record.target, record.targets, record.references) == ("CONTRADICTION", (), ("CONTRADICTION",))
    assert reasons(found) == ["3: column 'hypothesis' is empty, and it is one of several"]


def test_several_target_columns_are_all_right(tmp_path: Path) -> None:
    [record] = records(tsv(tmp_path, "file\tone\ttwo\na.jpg\tA dog.\tThe dog.\n", source="file", target=["one", "two"]))
    assert (record.target, record.references) == ("A dog.", ("A dog.", "The dog."))


def test_a_list_is_parts_with_spaces_between(tmp_path: Path) -> None:
    lines = [{"tokens": ["Hi", "there"], "tags": ["O", "B"]}, {"tokens": ["Ja"], "tags": ["O"]}]
    two, one = records(jsonl(tmp_path, *lines, source="tokens", target="tags"))
    assert (two.source, two.sources, two.target, two.targets) == ("Hi there", ("Hi", "there"), "O", ("O", "B"))
    assert (one.source, one.sources, one.targets) == ("Ja", ("Ja",), ("O",))


def test_lists_and_texts_stand_beside_each_other(tmp_path: Path) -> None:
    line = {"history": ["Hi.", "Hello!"], "question": "Who?", "best": "I.", "others": ["Me.", "It is I."]}
    found = jsonl(tmp_path, line, source=["history", "question"], target=["best", "others"])
    assert records(found)[0].parts == ("Hi.", "Hello!", "Who?")
    assert records(found)[0].source == "Hi. Hello!\nWho?"
    assert records(found)[0].references == ("I.", "Me.", "It is I.")


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ([], "the field 'tokens' is an empty list"),
        (["a", ""], "entry 2 of the field 'tokens' is empty"),
        (["a", "b", 3], "entry 3 of the field 'tokens' holds the number 3, and not text: write \"3\""),
        ([["a"]], "entry 1 of the field 'tokens' holds a list, and not text: write a text in quotation marks"),
        (["a", "\ud83d"], "entry 2 of the field 'tokens' holds \\ud83d, half a character"),
        (None, "the field 'tokens' holds null, and not text: write a text in quotation marks"),
        ({"a": 1}, "the field 'tokens' holds an object, and not text: write a text in quotation marks"),
        (True, "the field 'tokens' holds true, and not text: write \"true\""),
        (0.5, "the field 'tokens' holds the number 0.5, and not text: write \"0.5\""),
    ],
)
def test_what_is_no_text_nor_a_list_of_texts_is_bad(tmp_path: Path, value: object, reason: str) -> None:
    found = jsonl(tmp_path, {"tokens": value, "tags": ["O"]}, source="tokens", target="tags")
    assert reasons(found) == [f"1: {reason}"]


def test_a_key_is_taken_as_it_stands(tmp_path: Path) -> None:
    [first, *_] = tsv(tmp_path, SICK, source="premise", target="label", key="id")
    assert isinstance(first, Record)
    assert first.key == "7"
    good, *bad = jsonl(
        tmp_path,
        *({"source": "a", "target": "b", "id": value} for value in (7, "", None, ["x"])),
        {"source": "a", "target": "b"},
        key="id",
    )
    assert isinstance(good, Record)
    assert good.key == "7"
    assert reasons(bad) == [
        "2: the key 'id' is empty",
        "3: the key 'id' holds null, and neither text nor a whole number",
        "4: the key 'id' holds a list, and neither text nor a whole number",
        "5: no field 'id': allowed: source, target",
    ]


def test_records_of_one_key_stay_together(tmp_path: Path) -> None:
    rows = "".join(f"{number % 40}\tword {chr(97 + number % 26)}{number}\tx\n" for number in range(400))
    (tmp_path / "a.tsv").write_text(f"talk\tsource\ttarget\n{rows}")
    train = {"kind": "tsv", "path": str(tmp_path / "a.tsv"), "key": "talk"}
    settings = CorpusConfig.model_validate_json(json.dumps({"train": train, "split": {"valid": 0.3}}))
    parts = [{record.key for record in Corpus(settings, part)} for part in ("train", "valid")]  # type: ignore[arg-type]
    assert not parts[0] & parts[1]
    assert len(parts[0] | parts[1]) == 40


SPEECH = "file\tspeaker\tword\n1.wav\ttheo\tone\n2.wav\tyweweler\ttwo\n3.wav\ttheo\tthree\n4.wav\tjackson\tfour\n"


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"keep": {"speaker": ["theo"]}}, ["one", "three"]),
        ({"leave": {"speaker": ["theo"]}}, ["two", "four"]),
        ({"keep": {"speaker": ["theo", "jackson"]}, "leave": {"word": ["one"]}}, ["three", "four"]),
    ],
)
def test_rows_are_chosen_by_value(tmp_path: Path, settings: dict[str, Any], words: list[str]) -> None:
    found = records(tsv(tmp_path, SPEECH, source="file", target="word", **settings))
    assert [record.target for record in found] == words


def test_a_value_that_no_row_has_is_refused(tmp_path: Path) -> None:
    message = (
        r"leave.speaker = 'thoe', and no row of .*a.tsv has that there: did you mean 'theo'\? allowed: jackson, theo"
    )
    with pytest.raises(CorpusError, match=message):
        tsv(tmp_path, SPEECH, source="file", target="word", leave={"speaker": ["jackson", "thoe"]})
    with pytest.raises(CorpusError, match=r"no column 'voice': .*allowed: file, speaker, word"):
        tsv(tmp_path, SPEECH, source="file", target="word", keep={"voice": ["theo"]})


def test_objects_are_chosen_by_numbers_and_by_lists_too(tmp_path: Path) -> None:
    lines = [
        {"source": "a", "target": "A", "n": 1, "in": ["x", "y"]},
        {"source": "b", "target": "B", "n": 2, "in": ["y"]},
        {"source": 5, "target": "C", "n": 3, "in": []},
    ]
    assert [record.source for record in records(jsonl(tmp_path, *lines, keep={"n": ["2"]}))] == ["b"]
    found = jsonl(tmp_path, *lines, leave={"in": ["x"]})
    assert [item.source for item in found if isinstance(item, Record)] == ["b"]
    assert reasons(found) == ["3: the field 'source' holds the number 5, and not text: write \"5\""]


def test_columns_are_numbers_where_there_is_no_header(tmp_path: Path) -> None:
    found = tsv(
        tmp_path,
        "1\ta\tb\tx\n2\tc\td\ty\n",
        header=False,
        source=[1, 2],
        target=3,
        key=0,
        leave={"0": ["2"]},
        prompt="{1}, {2}: {3}?",
    )
    assert [(record.source, record.target, record.key) for record in records(found)] == [("a, b: x?", "x", "1")]


def test_the_source_names_a_file(tmp_path: Path) -> None:
    folder = tmp_path / "sounds"
    folder.mkdir()
    for name in ("1.wav", "2.wav", "4.wav"):
        (folder / name).write_bytes(name.encode())
    found = tsv(tmp_path, SPEECH + "\ttheo\tfive\n", source="file", target="word", files=str(folder))
    first = found[0]
    assert isinstance(first, Record)
    assert first.media == Media(str(folder), "1.wav")
    assert first.media.read() == b"1.wav"
    assert (first.source, first.key) == ("1.wav", "sounds/1.wav"), "the letters of 1.wav and 2.wav are the same"
    assert reasons(found)[0] == f"4: no file '3.wav' in {folder}: did you mean '4.wav'?"
    assert reasons(found)[1].startswith("6: no file ''")
    listed = jsonl(tmp_path, {"source": ["1.wav"], "target": "x"}, files=str(folder))
    assert reasons(listed) == ["1: the source is a list, and not the name of one file"]
    [told] = records(
        tsv(tmp_path, SPEECH, source="file", target="word", files=str(folder), keep={"word": ["one"]}, key="speaker")
    )
    assert told.key == "theo"
    absolute = tsv(tmp_path, f"file\tword\n{folder}/1.wav\tone\n", source="file", target="word", files=str(folder))
    assert [record.key for record in records(absolute)] == ["sounds/1.wav"], "it is held out under either name"


def test_a_missing_archive_stops_all(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=r"train.tar: no such file"):
        tsv(tmp_path, SPEECH, source="file", target="word", files=str(tmp_path / "train.tar"))


def test_a_prompt_puts_the_source_together(tmp_path: Path) -> None:
    prompt = "Does {{it}} follow? {premise} / {hypothesis} ({label})"
    found = tsv(tmp_path, SICK, source=["premise", "hypothesis"], target="label", prompt=prompt)
    record = found[0]
    assert isinstance(record, Record)
    assert record.source == "Does {it} follow? A man sings. / Nobody sings. (CONTRADICTION)"
    assert (record.sources, record.target, record.family) == ((), "CONTRADICTION", "Does {it} follow?")
    assert record.key == source_key("A man sings.\nNobody sings.")
    assert reasons(found) == ["3: column 'hypothesis' is empty, and it is in the prompt"]


def test_a_sentence_is_held_out_whatever_is_asked_of_it(tmp_path: Path) -> None:
    table = "en\tde\tcs\nThe door {x}.\tDie Tür.\tDveře.\n!\t!\t!\n"
    keys = {
        record.key
        for settings in ({"target": "de", "prompt": "de: {source}"}, {"target": "cs", "prompt": "cs: {en}", "key": ""})
        for record in records(tsv(tmp_path, table, source="en", **settings))
    }
    assert keys == {"thedoor", "!"}


@pytest.mark.parametrize(
    ("settings", "family"),
    [
        ({"prompt": "de: {source}"}, "de:"),
        ({"prompt": "{source} in German"}, "source"),
        ({"prompt": "de: {source}", "family": "translation"}, "translation"),
        ({"family": "echo"}, "echo"),
        ({}, ""),
    ],
)
def test_records_are_told_apart_by_their_prompt(tmp_path: Path, settings: dict[str, Any], family: str) -> None:
    assert [record.family for record in records(tsv(tmp_path, "source\ttarget\na\tb\n", **settings))] == [family]


def test_what_a_prompt_names_has_to_be_there(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=r"a.tsv:1: no column 'premis': did you mean 'premise'\?"):
        tsv(tmp_path, SICK, source="premise", target="label", prompt="{premis}")
    found = jsonl(
        tmp_path, {"source": "a", "target": "b"}, {"source": "a", "target": "b", "n": 1}, prompt="{source} {n}"
    )
    assert reasons(found) == [
        "1: no field 'n': allowed: source, target",
        "2: the field 'n' holds the number 1, and not text: write \"1\"",
    ]


def test_an_empty_source_fills_no_prompt(tmp_path: Path) -> None:
    found = tsv(tmp_path, "source\ttarget\n \tb\n", prompt="de: {source}")
    assert reasons(found) == ["2: column 'source' is empty, and it is in the prompt"]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"source": []}, "an empty list names no column"),
        ({"source": 1.5}, "1.5 is no column: give its name, or a list of names"),
        ({"source": ["a", True]}, "true is no column"),
        ({"target": ""}, '"" is no column'),
        ({"source": ["a", 1]}, "source = 1 is a number: name the header's column, or set header = false"),
        ({"key": 1}, "key = 1 is a number"),
        (
            {"header": False, "source": 0, "target": 1, "keep": {"speaker": ["x"]}},
            "keep = 'speaker' with header = false",
        ),
        ({"header": False, "source": 0, "target": 1, "prompt": "{en}"}, "prompt = 'en' with header = false"),
        ({"keep": {"speaker": []}}, r"speaker = \[\] names no value"),
        ({"files": "x.tar", "source": ["a", "b"]}, "files = 'x.tar': one column names the file"),
        (
            {"files": "x.tar", "prompt": "{a}"},
            "files = 'x.tar': the source is a file, and there is no text for a prompt",
        ),
        ({"prompt": "no braces"}, "prompt = 'no braces' names no column: put the source into it"),
        ({"prompt": "{a"}, r"prompt = '\{a': .*; a brace that is text is written twice, \{\{"),
        ({"prompt": "a {}"}, "braces hold the name of a column and nothing else"),
        ({"prompt": "{a!r}"}, "braces hold the name of a column and nothing else"),
        ({"prompt": "{a:>3}"}, "braces hold the name of a column and nothing else"),
        ({"times": 0}, "greater than or equal to 1"),
    ],
)
def test_settings_that_cannot_be_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        readers.config("tsv").model_validate_json(json.dumps({"path": "x.tsv", **settings}))


def test_fields_have_names() -> None:
    with pytest.raises(ValidationError, match="target = 0 is a number, and the fields of an object have names"):
        readers.config("jsonl").model_validate({"path": "x", "source": "a", "target": 0})


def test_a_column_that_stands_twice_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=r"a.tsv:1: the column 'target' stands there twice"):
        tsv(tmp_path, "source\ttarget\ttarget\na\tb\tc\n")


@pytest.mark.parametrize("kind", ["tsv", "jsonl"])
@pytest.mark.parametrize(
    ("setting", "value"),
    [("source", ["a", "b"]), ("target", ["a"]), ("key", "id"), ("keep", {"a": ["b"]}), ("prompt", "{a}"), ("times", 2)],
)
def test_what_is_for_reading_alone_is_not_written(tmp_path: Path, kind: str, setting: str, value: object) -> None:
    config = readers.config(kind).model_validate_json(json.dumps({"path": f"{tmp_path}/a", setting: value}))
    with pytest.raises(CorpusError, match=rf"a: {setting} = .* is for reading alone: .*: leave it out"):
        next(readers.build(config).jobs())


def test_a_list_is_not_translated(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"source": ["a"]}')
    config = readers.config("jsonl").model_validate({"path": f"{tmp_path}/a.jsonl"})
    with pytest.raises(CorpusError, match=r"a.jsonl:1: the field 'source' holds a list, and not text.*: mend the line"):
        next(readers.build(config).jobs())
