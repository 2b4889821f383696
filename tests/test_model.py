"""A tiny model with random parameters: what it writes means nothing, and how it is handled must hold all the same."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

import endash
from endash.errors import LongTextError, MemoryMismatchError, ModelError, RecipeError, TextError
from endash.memory import Memory
from endash.model import Model
from endash.reading import Reading
from endash.text import Codec
from tiny_model import PAIRS, TEXTS, build, trained_codec

STATE = ['link={kind="state"}', 'decoder={kind="gru",width=16,layers=1}']


@pytest.fixture(scope="module")
def codec() -> Codec:
    return trained_codec()


@pytest.fixture(scope="module")
def model(codec: Codec) -> Model:
    return build(codec)


@pytest.fixture(scope="module")
def retrieving(codec: Codec) -> Model:
    return build(codec, "retrieval={passages=2}")


def test_texts_are_answered_in_their_order(model: Model) -> None:
    alone = [model(text) for text in TEXTS]
    assert model(TEXTS) == alone
    assert model(TEXTS, batch_tokens=1) == alone
    assert len(set(alone)) > 1


def test_a_list_gives_a_list_and_a_text_a_text(model: Model) -> None:
    assert isinstance(model("on"), str)
    assert model(["on"]) == [model("on")]
    assert model([]) == []
    assert model.decode(model.encode([])) == []
    assert model.score([], []) == []


def test_encoding_goes_in_batches_and_keeps_the_order(retrieving: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    texts = ["on", "The door is open and the light is off.", "", "The fan is on."] * 40
    encode = retrieving.encode_read
    sizes: list[int] = []
    told: list[int] = []

    def counting(readings: list[Reading]) -> Memory:
        sizes.append(len(readings))
        return encode(readings)

    small = retrieving.recipe.decoding.replace(batch_tokens=200)
    monkeypatch.setattr(retrieving, "encode_read", counting)
    monkeypatch.setattr(retrieving, "recipe", retrieving.recipe.model_copy(update={"decoding": small}))
    memory = retrieving.encode(texts, progress=told.append)
    assert told == sizes
    assert len(sizes) > 5
    assert memory.sources == tuple(texts)
    alone = retrieving.encode([texts[1]])
    assert torch.allclose(memory.states[5][memory.mask[5]], alone.states[0][alone.mask[0]], atol=1e-5)  # float32 sums
    assert retrieving.decode(memory)[:4] == retrieving.decode(retrieving.encode(texts[:4]))


def test_white_space_comes_back_as_it_is(model: Model) -> None:
    texts = ["", "  \t ", "on", "\n"]
    assert model(texts) == ["", "  \t ", model("on"), "\n"]
    assert model.decode(model.encode(texts)) == model(texts)


def test_a_long_text_is_split_at_its_sentences_and_put_together_again(model: Model) -> None:
    first, second = "The door is open and warm and old and new.", "The garden is cold and red and the roof is green."
    text = f"{first}  {second}\n"
    (found,) = model.translate([text], alignment=True)[0]
    one, two = (model.translate([part], alignment=True)[0][0] for part in (first, second))
    assert found.text == f"{one.text}  {two.text}\n"
    assert found.score == pytest.approx(one.score + two.score, abs=1e-4)
    assert found.tokens == one.tokens + two.tokens
    words = len(first.split())
    behind = len(f"{one.text}  x".split()) - 1
    assert found.alignment == one.alignment + tuple((i + words, j + behind) for i, j in two.alignment)


def test_search_ends_where_the_decoder_s_learned_positions_do(codec: Codec) -> None:
    learned = build(codec, "decoder.positions=learned", "decoder.max_length=40")
    memory = learned.encode(["The door is open and the light is off."])
    found = learned.search(memory, learned.recipe.decoding.replace(max_extra=300, beam=1))
    assert len(found[0][0].tokens) <= 40


def test_a_sentence_that_is_too_long_is_refused_by_its_beginning(model: Model) -> None:
    text = "The door " + "and the door " * 30
    with pytest.raises(
        LongTextError, match=r"^text 2: a sentence is too long .* text\.max_length = 40; it begins 'The door and the"
    ):
        model(["on", text])
    with pytest.raises(LongTextError) as told:
        model.check(["on", "off", text])
    assert told.value.row == 2
    for call in (lambda: model.encode(["on", text]), lambda: model.score(["on", text], ["a", "b"])):
        with pytest.raises(TextError, match=r"^text 2: \d+ tokens, and this model takes 40: it begins 'The door and"):
            call()


@pytest.mark.parametrize("overrides", [[], STATE, ["retrieval={passages=2}"], ["head={pointer=true}"]])
def test_the_score_of_what_was_written_is_its_hypothesis_score(codec: Codec, overrides: list[str]) -> None:
    model, compared = build(codec, *overrides), 0
    with torch.no_grad():
        model.network.head.bias[3] += 9  # so that sentences end
    config = model.recipe.decoding.replace(beam=8, n_best=8)
    for source, found in zip(TEXTS[:2], model.search(model.encode(TEXTS[:2]), config), strict=True):
        memory = model.encode([source])
        for one in found:
            if one.finished:
                assert one.score == pytest.approx(
                    float(model.watch(memory, one.tokens).scores.sum()), abs=1e-3
                )  # float32 sums
                compared += 1
    assert compared
    texts = [target for _, target in PAIRS[:3]]
    sources = [source for source, _ in PAIRS[:3]]
    memory = model.encode(sources[:1])
    tokens = model.codec.encode_target(texts[0], ())[:-1]
    scores = model.score(sources, texts)
    assert scores[0] == pytest.approx(float(model.watch(memory, tokens).scores.sum()), abs=1e-3)
    assert scores == pytest.approx([model.score([s], [t])[0] for s, t in zip(sources, texts, strict=True)], abs=1e-3)


def test_scores_need_a_target_each(model: Model) -> None:
    with pytest.raises(ModelError, match="2 sources and 1 targets: give one target for each source"):
        model.score(["a", "b"], ["c"])


def test_n_best_come_best_first(model: Model) -> None:
    (found,) = model.translate(["The door is open."], beam=4, n_best=3, length_penalty=0.0)
    assert len(found) == 3
    assert [one.score for one in found] == sorted((one.score for one in found), reverse=True)
    assert len({one.tokens for one in found}) == 3
    with pytest.raises(RecipeError, match="n_best = 3 is more than beam = 2"):
        model.translate(["on"], n_best=3)
    for ask in (lambda: model("on", n_best=2), lambda: model.decode(model.encode(["on"]), n_best=2)):
        with pytest.raises(
            RecipeError, match=r"n_best = 2: this gives the best text of each source alone: model\.translate"
        ):
            ask()


@pytest.mark.parametrize("search", [{}, {"search": "sample", "seed": 3}])
def test_random_parameters_keep_the_placeholders_of_a_source(model: Model, search: dict[str, object]) -> None:
    texts = ["The {noun} is %s.", "on", "{a} {b} {a}", "<b>open</b> {x} now"]
    decoding = {"search": "sample", "seed": 3} if search else {}
    wanted = [["%s", "{noun}"], [], ["{a}", "{a}", "{b}"], ["</b>", "<b>", "{x}"]]
    for text, hypotheses in zip(wanted, model.translate(texts, **decoding), strict=True):
        assert sorted(t for t in hypotheses[0].tokens if t[0] in "{%<" and not t.startswith("<0x")) == text


def test_words_are_aligned_row_by_row(model: Model) -> None:
    together = model.translate(TEXTS, alignment=True)
    for text, (found,) in zip(TEXTS, together, strict=True):
        assert found.alignment == model.translate([text], alignment=True)[0][0].alignment
        words = len(text.split())
        assert all(0 <= i < words and 0 <= j < len(found.text.split()) for i, j in found.alignment)


def test_a_link_that_reads_nothing_has_no_alignment(codec: Codec) -> None:
    with pytest.raises(ModelError, match=r"link\.kind = 'state' reads no source positions, so there is no alignment"):
        build(codec, *STATE).translate(["on"], alignment=True)


def test_a_memory_is_decoded_by_another_process(retrieving: Model, tmp_path: Path) -> None:
    retrieving.save(tmp_path / "model")
    retrieving.encode([*TEXTS, "The {noun} is %s.", ""]).save(tmp_path / "memory")
    wanted = retrieving([*TEXTS, "The {noun} is %s.", ""])
    code = "import endash, json; print(json.dumps(endash.load('model').decode(endash.Memory.load('memory'))))"
    path = str(Path(endash.__file__).parents[1])
    environment = os.environ | {"PYTHONPATH": path, "OMP_NUM_THREADS": "1"}
    run = [sys.executable, "-c", code]
    done = subprocess.run(run, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True)
    import json

    assert json.loads(done.stdout) == wanted


def test_a_memory_larger_than_a_batch_is_decoded_in_several(model: Model) -> None:
    memory = model.encode(TEXTS)
    assert model.decode(memory, batch_tokens=1) == model.decode(memory) == model(TEXTS)


def test_rows_of_like_lengths_are_decoded_together(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    lengths: list[list[int]] = []

    def search(memory: Memory, *more: Any, **named: Any) -> Any:
        lengths.append(memory.mask.sum(1).tolist())
        return Model.search(model, memory, *more, **named)

    monkeypatch.setattr(model, "search", search)
    model.decode(model.encode(["on", TEXTS[1], "on", TEXTS[3], "on"]), batch_tokens=60)
    assert [len(batch) for batch in lengths] != [1] * 5
    assert [length for batch in lengths for length in batch] == sorted(
        (n for one in lengths for n in one), reverse=True
    )


def test_the_memory_of_another_model_is_refused(codec: Codec, model: Model) -> None:
    memory = build(codec, seed=1).encode(["on"])
    with pytest.raises(
        MemoryMismatchError, match=r"comes from another encoder \(origin '\w{32}', this model's is '\w{32}"
    ):
        model.decode(memory)
    unknown = Memory(memory.states, memory.mask, tokens=memory.tokens)
    with pytest.raises(MemoryMismatchError, match=r"origin 'unknown', .*: decode it with the model that encoded it"):
        model.decode(unknown)
    bare = replace(model.encode(["on"]), tokens=None)
    with pytest.raises(
        MemoryMismatchError, match="without its sources' texts and tokens cannot be decoded: encode it with"
    ):
        model.decode(bare)


def test_near_pairs_are_joined_to_a_memory(retrieving: Model) -> None:
    memory = retrieving.encode(["The door is open.", "♞"])
    assert memory.segments is not None
    assert set(memory.segments[0, memory.mask[0]].tolist()) == {0, 1, 2}
    assert set(memory.segments[1, memory.mask[1]].tolist()) == {0}  # nothing is near
    assert len(retrieving(["The door is open.", "♞"])) == 2


def test_one_text_where_a_list_is_needed_is_refused(model: Model) -> None:
    for call in (model.encode, model.translate):
        with pytest.raises(TextError, match=r"a list of texts is needed, and this is one text: write \['door'\]"):
            call("door")


def test_progress_counts_every_text_once(model: Model) -> None:
    done: list[int] = []
    model.translate(["ba", "", "do ba", "  "], beam=1, progress=done.append)
    assert sum(done) == 4


def test_the_origin_follows_the_parameters(model: Model) -> None:
    before = model.origin
    assert model.origin == before
    with torch.no_grad():
        next(model.network.encoder.parameters()).mul_(2)
        assert model.origin != before
        next(model.network.encoder.parameters()).mul_(0.5)
    assert model.origin == before


@pytest.mark.parametrize("change", ["fused step", "data", "dtype"])
def test_no_change_of_the_encoder_escapes_the_origin(codec: Codec, change: str) -> None:
    model = build(codec)
    before, encoder = model.origin, model.network.encoder
    if change == "fused step":
        for parameter in encoder.parameters():
            parameter.grad = torch.ones_like(parameter)
        torch.optim.AdamW(encoder.parameters(), fused=True).step()
    elif change == "data":
        next(encoder.parameters()).data += 1
    else:
        encoder.to(torch.bfloat16)
    assert model.origin != before


def test_texts_of_unlike_lengths_are_encoded_in_several_batches_and_in_their_order(retrieving: Model) -> None:
    widths: list[int] = []
    hook = retrieving.network.encoder.register_forward_pre_hook(lambda _, given: widths.append(given[0].shape[1]))
    recipe = retrieving.recipe
    retrieving.recipe = recipe.model_copy(update={"decoding": recipe.decoding.replace(batch_tokens=20)})
    texts = ["on", *TEXTS, "", "off"]
    memory = retrieving.encode(texts)
    retrieving.recipe = recipe
    hook.remove()
    assert len(set(widths[::3])) > 2  # each source is followed by its two passages
    assert memory.sources == tuple(texts)
    for row, text in enumerate(texts):
        one, alone = memory.select([row]).trim(), retrieving.encode([text]).trim()
        assert one.tokens is not None
        assert alone.tokens is not None
        assert torch.equal(one.tokens, alone.tokens)
        torch.testing.assert_close(one.states, alone.states, rtol=1e-5, atol=1e-5)  # float32 sums in another order
    assert retrieving.decode(memory) == retrieving(texts)


def test_one_encoder_under_two_links_has_one_origin_where_both_read_the_same_of_it(codec: Codec) -> None:
    model = build(codec)
    others = [build(codec, f"link={{kind='{kind}'}}", seed=1) for kind in ("dot", "layerwise")]
    for other in others:
        for name in ("encoder", "source_embedding"):
            getattr(other.network, name).load_state_dict(getattr(model.network, name).state_dict())
    assert [other.origin == model.origin for other in others] == [True, False]
    with pytest.raises(MemoryMismatchError, match="comes from another encoder"):  # which kept no layers
        others[1].decode(model.encode(["on"]))
