"""What no task reads: each refusal says what was given, and what to give."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from endash.corpora import Record
from endash.errors import CorpusError, LongTextError, ModelError, RecipeError, TextError, TrainingError
from endash.evaluation.entities import spans
from endash.label_model import LabelModel
from endash.tasks import Task
from endash.tasks.captioning import CaptioningTask
from endash.training.preparation import prepare, records_of
from task_models import LABELS, TEXTS, build, recipe, sound

LONG = "the door is red " * 30


@pytest.mark.parametrize(
    ("kind", "given", "message"),
    [
        ("generation", 3, "3 is no text: give a text"),
        ("classification", ("a", "b"), r"\('a', 'b'\) is no text"),
        ("inference", "a", r"'a' is no pair: give \(premise, hypothesis\), or a line with a tab"),
        ("inference", "", "'' is no pair"),
        ("inference", "a\tb\tc", r"'a\\tb\\tc' is no pair"),
        ("inference", "a\t ", r"'a\\t ' has an empty hypothesis: give both"),
        ("inference", ("", "b"), r"\('', 'b'\) has an empty premise: give both"),
        ("inference", 3, "3 is no pair"),
        ("inference", ("a", 3), r"\('a', 3\) is no pair"),
        ("tagging", 3, "3 is no word: give a tuple of words"),
        ("tagging", ("a", 3), "3 is no word"),
        ("tagging", ("a", " "), "' ' is no word"),
        ("dialogue", 3, r"3 is no turn of a conversation: give pairs \(speaker, text\)"),
        ("dialogue", ["ab"], "'ab' is no turn of a conversation"),
        (
            "dialogue",
            ("customer", "hi"),
            "'customer' is no turn .*; one conversation is a tuple of pairs, and a list holds",
        ),
        ("dialogue", [("customer", "hi", "there")], r"\('customer', 'hi', 'there'\) is no turn"),
        ("speech-recognition", "", "'' names no file: give the path of one"),
        ("speech-recognition", 3, "3 names no file"),
        ("speech-recognition", "here", "'here' is a folder: give the path of a file in it"),
        ("speech-recognition", "gone.wav", "no file 'gone.wav' in .: did you mean 'no.wav'"),
        ("speech-recognition", "no.wav", "no.wav cannot be read as audio"),
        ("captioning", "no.wav", "no.wav is no picture that can be read"),
    ],
)
def test_what_is_no_source_is_refused(kind: str, given: Any, message: str) -> None:
    pytest.importorskip("soundfile")
    pytest.importorskip("PIL")
    Path("here").mkdir()
    Path("no.wav").write_text("no sound")
    with pytest.raises(CorpusError, match=message):
        recipe(kind).does.record(given)


def test_what_is_given_is_cut_where_an_error_shows_it() -> None:
    with pytest.raises(CorpusError, match=r"^'a{59}… is no pair"):
        recipe("inference").does.record("a" * 1000)


@pytest.mark.parametrize(
    ("kind", "record", "message"),
    [
        ("classification", Record("a", ""), "the label is empty"),
        ("classification", Record("a", "x", targets=("x", "y")), "2 labels, and one is asked for"),
        ("inference", Record("a\nb", "", sources=("a", "b")), "the label is empty"),
        ("inference", Record("a", "x"), "1 text for a premise and a hypothesis: name two columns"),
        ("tagging", Record("a b", "", sources=("a", "b"), targets=("O",)), "1 tag for 2 words"),
        ("tagging", Record("a", "", sources=("a",), targets=("O", "O")), "2 tags for 1 word"),
        ("tagging", Record("a b", "", sources=("a", ""), targets=("O", "O")), "word 2 of 2 is empty"),
        ("tagging", Record("a b", "", sources=("a", "b"), targets=("O", "")), "tag 2 of 2 is empty"),
        (
            "tagging",
            Record("It is red", "O O O"),
            "the tag 'O O O' has white space in it: give a list of words and a list",
        ),
        ("tagging", Record("It is red", "O"), "the word 'It is red' has white space in it: give a list of words"),
        (
            "tagging",
            Record("a", "", sources=("a",), targets=("O\u3000O",)),
            "the tag 'O\\u3000O' has white space in it",
        ),
        ("speech-recognition", Record("a.wav", "a"), "'a.wav' is in no folder or archive: say where the files are"),
    ],
)
def test_a_record_that_cannot_be_learned_from_says_why(kind: str, record: Record, message: str) -> None:
    reason = recipe(kind).does.fault(record)
    assert reason is not None
    assert reason.startswith(message)


def test_a_word_of_a_list_may_have_white_space() -> None:
    """As 10 000 has in treebanks."""
    assert recipe("tagging").does.fault(Record("10 000", "NUM", sources=("10 000",), targets=("NUM",))) is None


@pytest.mark.parametrize("tag", ["B-", "I-", "B", "o", "X-loc", "-loc"])
def test_what_is_no_bio_tag_is_a_fault_as_to_entity_f1(tag: str) -> None:
    reason = recipe("tagging", 'task.scheme="bio"').does.fault(Record("a", "", sources=("a",), targets=(tag,)))
    assert reason == f"the tag {tag!r} is none of scheme = 'bio': O, B-… and I-…"
    with pytest.raises(CorpusError, match=f"'{tag}' is no BIO tag"):
        spans([tag])


@pytest.mark.parametrize("kind", LABELS)
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("head.tie=target", "writes no text, and head.tie is of what does: leave it out"),
        ("head.pointer=true", "and head.pointer is of what does"),
        ("decoding.beam=3", "and decoding.beam is of what does"),
        ('distillation={ teacher = "x" }', r"and a teacher of \[distillation\] does: leave it out"),
        ('trained={ decoder = "x" }', "and has no decoder: leave trained.decoder out"),
        ("text.joint=true", "text.joint = true shares one vocabulary"),
    ],
)
def test_no_setting_of_what_writes_text_is_ignored(kind: str, change: str, message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        recipe(kind, change)


def test_what_a_labeller_goes_by_may_be_set() -> None:
    assert recipe("tagging", "decoding.batch_tokens=100", 'trained={ encoder = "x" }').decoding.batch_tokens == 100


@pytest.mark.parametrize("kind", ["speech-recognition", "captioning"])
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("text.joint=false", "text.joint = false asks for a vocabulary of the source, which is no text"),
        ('distillation={ teacher = "x" }', r"\[distillation\] has a teacher translate texts, and the sources here are"),
    ],
)
def test_no_setting_of_texts_goes_with_signals(kind: str, change: str, message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        recipe(kind, change)


@pytest.mark.parametrize(
    ("kind", "change", "message"),
    [
        (
            "speech-recognition",
            'frontend={ kind = "image" }',
            "reads samples, .* reads pixels: set frontend.kind = 'audio'",
        ),
        (
            "captioning",
            'frontend={ kind = "features" }',
            "reads pixels, .* reads features: set frontend.kind = 'image'",
        ),
        (
            "captioning",
            'frontend={ kind = "image", channels = 1 }',
            "frontend.channels = 1, and pictures are read in 3",
        ),
        (
            "captioning",
            "task.side=513",
            "side = 513 is more than the 512 .* task.side = 512, or raise .*max_side to 33",
        ),
    ],
)
def test_a_frontend_reads_what_its_task_gives(kind: str, change: str, message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        recipe(kind, change)


def test_a_pair_that_is_too_long_is_left_out_of_a_training_and_counted() -> None:
    pairs = "".join(f"{a}\t{b}\t{'same' if a == b else 'other'}\n" for a in TEXTS for b in TEXTS)
    Path("given.tsv").write_text(f"premise\thypothesis\tlabel\n{pairs}a\t{LONG}\tother\n", encoding="utf-8")
    told: list[str] = []
    made = recipe("inference", "corpus.split.valid=0.3")
    prepared = prepare(made, Path("run"), say=told.append)
    assert len(prepared.train) + len(prepared.valid) == len(TEXTS) ** 2
    assert "  1 too long as source" in "\n".join(told).splitlines()


def test_a_recording_that_no_batch_has_room_for_is_left_out_of_a_training_and_counted() -> None:
    pytest.importorskip("soundfile", reason="audio is read by soundfile")
    Path("sounds").mkdir()
    for number in range(9):
        Path(f"sounds/{number}.wav").write_bytes(sound(0.3 + number % 2))
    rows = "".join(f"{number}.wav\t{TEXTS[0][:5]}\n" for number in range(9))
    Path("given.tsv").write_text(f"file\tword\n{rows}", encoding="utf-8")
    told: list[str] = []
    made = recipe("speech-recognition", "corpus.split.valid=0.3", "training.batch_tokens=31")  # of 0.04 seconds each
    prepared = prepare(made, Path("run"), say=told.append)
    assert len(prepared.train) + len(prepared.valid) == 9
    shorter = made.changed(["training.batch_tokens=30"])
    prepared = prepare(shorter, Path("run"), say=told.append)
    assert len(prepared.train) + len(prepared.valid) == 5
    assert " left out: more source positions than training.batch_tokens = 30" in "\n".join(told)
    with pytest.raises(
        TrainingError, match=r"(?s)no example is left in the train .*\nraise training\.batch_tokens, loosen"
    ):
        prepare(made.changed(["training.batch_tokens=3"]), Path("run"), say=told.append)
    longer = rows.replace("\n", " is in a house by the lake\n")
    Path("given.tsv").write_text(f"file\tword\n{longer}", encoding="utf-8")
    with pytest.raises(
        TrainingError, match=r"\nset head\.ctc = 0, or raise text\.size for fewer target tokens, loosen"
    ):
        prepare(made.changed(["frontend.hop=0.029", "text.size=300"]), Path("other"), say=told.append)


def test_a_training_reads_a_picture_once(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("pictures").mkdir()
    for number in range(9):
        Path(f"pictures/{number}.png").write_bytes(b"a picture")
    rows = "".join(f"{number}.png\t{TEXTS[number % 4]}\n" for number in range(9))
    Path("given.tsv").write_text(f"file\tcaption\n{rows}", encoding="utf-8")
    asked: list[str] = []

    def read(self: Task, data: bytes, name: str) -> Any:
        asked.append(name)
        return np.full((16, 16, 3), 7, np.uint8)

    monkeypatch.setattr(CaptioningTask, "read", read)
    prepared = prepare(recipe("captioning", "corpus.split.valid=0.3"), Path("run"), say=lambda _: None)
    assert len(prepared.train) + len(prepared.valid) == 9
    assert sorted(asked) == [f"{number}.png" for number in range(9)]


def test_a_pair_that_is_too_long_is_refused_by_its_place() -> None:
    model = build("inference")
    assert isinstance(model, LabelModel)
    for ask in (model, model.predict):
        with pytest.raises(LongTextError, match=r"^text 2: a text of \d+ tokens, and this model takes 40: shorten it"):
            ask([("a", "b"), (LONG, "b")])


def test_a_record_that_is_no_pair_is_refused() -> None:
    model = build("inference")
    assert isinstance(model, LabelModel)
    for ask in (model.answer, model.encode):
        with pytest.raises(
            CorpusError, match=r"'only a premise' is no pair: give a record with sources = \(premise, hyp"
        ):
            ask([Record("only a premise", "")])


def test_no_signal_has_no_memory() -> None:
    with pytest.raises(ModelError, match="no sound or picture is given"):
        build("speech-recognition").encode([])


def test_one_source_in_place_of_many_is_refused() -> None:
    model = build("classification")
    assert isinstance(model, LabelModel)
    with pytest.raises(TextError, match="a list of texts is needed"):
        model.predict("the door")


def test_a_label_that_the_train_part_has_not_says_what_to_do() -> None:
    model = build("classification")
    record = Record("a", "yess", "x.tsv:3")
    with pytest.raises(
        CorpusError, match=r"^x.tsv:3: .*'yess' .*did you mean 'yes'\? .*; give the train part records of it"
    ):
        list(model.task.examples([record], model.codec))


def test_a_label_that_only_what_is_split_off_has_is_known(tmp_path: Path) -> None:
    rows = [f"{word} {number}\t{'yes' if number % 2 else 'no'}" for number, word in enumerate("abcdefghijklmnopqrst")]
    (tmp_path / "given.tsv").write_text("\n".join(["text\tlabel", *rows, "u rare\trare"]) + "\n", encoding="utf-8")
    told = []
    for share in (0.3, 0.5, 0.7):  # the rare one is in another part by the share
        made = recipe("classification", f"corpus.split.valid={share}", f"corpus.train.path={tmp_path / 'given.tsv'}")
        prepared = prepare(made, tmp_path / str(share), say=lambda _: None)
        assert prepared.codec.target.names == ("no", "rare", "yes")  # type: ignore[union-attr]
        told.append(any(record.target == "rare" for record in records_of(prepared.valid)))
    assert set(told) == {False, True}


@pytest.mark.parametrize("kind", LABELS)
def test_one_label_for_all_is_nothing_to_learn(kind: str) -> None:
    made = recipe(kind)
    targets = ("O", "O") if kind == "tagging" else ()
    records = [Record(f"a {word}", "O", sources=("a", word), targets=targets) for word in TEXTS[0].split()]
    with pytest.raises(CorpusError, match=r"^'O' is the only label of the train part, .*: give it records of others"):
        made.does.vocabulary(lambda: records, made.text)


def test_what_is_too_long_is_answered_by_its_sentences_only_where_that_is_an_answer() -> None:
    text = "the door is red. " * 12
    model = build("generation")
    for ask in (lambda: model.answer([Record(text, "")]), lambda: model.translate([text]), lambda: model.check([text])):
        with pytest.raises(LongTextError, match="this model takes 40: it begins 'the door is red"):
            ask()
    assert model.answer([Record("the door is red.", "")])


def test_a_recording_is_read_when_it_is_named() -> None:
    pytest.importorskip("soundfile")
    Path("a.wav").write_bytes(sound())
    record = recipe("speech-recognition").does.record(Path("a.wav"))
    assert (record.source, recipe("speech-recognition").does.signal(record).shape) == ("a.wav", (2400,))
