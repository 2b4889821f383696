"""A model's way to the native core, and back to PyTorch: the same text, and one line that says which way it was."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
import torch

from endash.decoding.config import DecodingConfig
from endash.decoding.hypothesis import Found
from endash.errors import ModelError, RecipeError
from endash.model import Model
from endash.shortlist import Shortlist
from tiny_model import TEXTS, build, trained_codec

SLOTTED = [*TEXTS, "The {name} is %d and <b>open</b>."]


@pytest.fixture
def model() -> Model:
    return build(trained_codec())


@pytest.mark.parametrize(
    "overrides",
    [
        (),
        ('link={kind="layerwise",heads=2}', 'decoder={kind="ssru",width=16,layers=1,feed_forward=16}'),
        ('link={kind="multi",strategy="flat",link={kind="cross-attention",heads=2}}', "retrieval={passages=2}"),
        ('link={kind="prefix"}', 'head={tie="none"}'),
    ],
)
def test_both_ways_lead_to_the_same_text(overrides: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    model = build(trained_codec(), *overrides)
    searches = ({}, {"beam": 1}, {"beam": 4, "n_best": 3}, {"search": "sample", "seed": 7, "n_best": 2})
    native = [model.translate(SLOTTED, **search) for search in searches]
    decoded = model.decode(model.encode(SLOTTED), beam=3)
    assert "native core" in model.describe_path()
    assert "PyTorch" not in model.describe_path()
    monkeypatch.setenv("ENDASH_NATIVE", "off")
    assert "PyTorch, for the native core: ENDASH_NATIVE=off" in model.describe_path()
    for search, found in zip(searches, native, strict=True):
        for row, other in zip(found, model.translate(SLOTTED, **search), strict=True):
            assert [one.text for one in row] == [one.text for one in other]
            assert [one.score for one in row] == pytest.approx([one.score for one in other], abs=1e-3)  # float32 sums
    assert model.decode(model.encode(SLOTTED), beam=3) == decoded


def test_what_pytorch_leaves_without_effect_is_told(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENDASH_NATIVE", "off")
    assert "without precision = 'int8', prune = 2.0" in model.describe_path(precision="int8", prune=2.0)


def test_what_the_core_cannot_do_goes_by_pytorch() -> None:
    gru = build(trained_codec(), 'link={kind="state"}', 'decoder={kind="gru",width=16,layers=1}')
    assert "it has no decoder.kind = 'gru'" in gru.describe_path()
    assert gru("on")


@pytest.mark.parametrize("asked", ["sse2", "AVX2", "on"])
def test_a_wrong_wish_is_the_user_s_mistake(asked: str, model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENDASH_NATIVE", asked)
    with pytest.raises(RecipeError, match=f"ENDASH_NATIVE='{asked}': use off, avx512, avx2, plain, or leave it unset"):
        model("on")


def test_an_instruction_set_that_is_not_here_is_told(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    from endash import _native

    monkeypatch.setattr(_native, "instruction_sets", lambda: ["plain C++"])
    monkeypatch.setenv("ENDASH_NATIVE", "avx512")
    with pytest.raises(RecipeError, match="ENDASH_NATIVE='avx512': this machine has plain C"):
        model("on")


@pytest.mark.parametrize("precision", ["float32", "int8"])
def test_parameters_that_have_changed_in_place_are_packed_anew(precision: str, model: Model) -> None:
    other = build(trained_codec(), seed=1)
    before, expected = model(TEXTS, precision=precision), other(TEXTS, precision=precision)
    assert before != expected
    core = model.path.core(model.recipe.decoding.replace(precision=precision))
    assert model(TEXTS, precision=precision) == before
    assert model.path.core(model.recipe.decoding.replace(precision=precision)) is core
    with torch.no_grad():
        for parameter, new in zip(model.network.parameters(), other.network.parameters(), strict=True):
            parameter.copy_(new)
    assert model(TEXTS, precision=precision) == expected
    for parameter in model.network.parameters():
        parameter.data = parameter.data * 0.5  # at another place
    model.network.head.bias.data[:] += torch.arange(len(model.network.head.bias))
    assert model(TEXTS, precision=precision) != expected


def test_broken_parameters_are_told(model: Model) -> None:
    model.network.target_embedding.weight.data[:] = float("nan")
    with pytest.raises(ModelError, match="the model's scores are not finite: are the parameters broken"):
        model(TEXTS)


def test_many_threads_translate_at_once(model: Model) -> None:
    texts = [f"The {noun} is {state}." for noun in ("door", "light", "fan") for state in ("on", "off", "open", "old")]
    expected = model(texts)

    def some(number: int) -> bool:
        order = np.random.default_rng(number).permutation(len(texts))
        return model([texts[i] for i in order]) == [expected[i] for i in order]

    with ThreadPoolExecutor(16) as threads:
        assert all(threads.map(some, range(32)))


def with_shortlist(model: Model) -> set[int]:
    """Gives the model lists; what may be written for any text of TEXTS."""
    size, special = model.codec.size_target, 5 + model.codec.target.slots
    offsets = np.arange(model.codec.size_source + 1, dtype=np.int32) * 2
    lists = np.stack([np.arange(model.codec.size_source), np.arange(model.codec.size_source) + 7], 1) % (size - special)
    model.shortlist = Shortlist(
        np.arange(special, dtype=np.int32), offsets, (np.sort(lists, 1) + special).astype(np.int32).ravel()
    )
    return set(range(special))


def by_served(model: Model, sources: list[list[int]], config: DecodingConfig) -> list[list[Found]]:
    core = model.path.core(config)
    return list(model.path.served.find_each(core, sources, config, rows=range(len(sources))))


@pytest.mark.parametrize("search", [{"beam": 1}, {"beam": 4}])
@pytest.mark.parametrize("precision", ["float32", "bfloat16", "int8"])
def test_a_shortlist_is_kept_to(precision: str, search: dict[str, int], model: Model) -> None:
    with_shortlist(model)
    assert model.shortlist is not None
    config = model.recipe.decoding.replace(precision=precision, shortlist=True, **search)
    sources = [one.tokens for one in model.codec.encode_sources(SLOTTED)]
    found = by_served(model, sources, config)
    for source, row in zip(sources, found, strict=True):
        assert set(row[0].tokens) <= set(model.shortlist.of(source).tolist())
    free = by_served(model, sources, config.replace(shortlist=False))
    assert [row[0].tokens for row in free] != [row[0].tokens for row in found]
    if precision != "float32":
        return
    # a memory, which PyTorch has encoded in float32, has its source's list as well
    assert model.decode(model.encode(SLOTTED), precision=precision, shortlist=True, **search) == model(
        SLOTTED, precision=precision, shortlist=True, **search
    )


def test_a_shortlist_that_is_not_there_is_told(model: Model) -> None:
    with pytest.raises(ModelError, match=r"decoding\.shortlist = true, and this model has no shortlist"):
        model("on", shortlist=True)


def test_parameters_that_change_take_no_answer_from_another_caller(model: Model) -> None:
    def change() -> None:
        with torch.no_grad():
            model.network.head.bias[7] += 0.01

    with ThreadPoolExecutor(4) as callers:
        for round_of in [callers.submit(model, TEXTS * 5) for _ in range(20)]:
            change()
            assert len(round_of.result(60)) == 5 * len(TEXTS)


@pytest.mark.parametrize(
    "overrides",
    [
        (),
        ('link={kind="layerwise",heads=4,kv_heads=2}',),
        ('link={kind="mixed",heads=1}', 'decoder={kind="ssru",width=16,layers=2,feed_forward=16}'),
    ],
    ids=str,
)
def test_words_are_aligned_alike(overrides: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    model = build(trained_codec(), *overrides)
    how: dict[str, Any] = {"alignment": True, "beam": 3, "n_best": 2}
    by_core = model.translate(SLOTTED, **how)
    monkeypatch.setenv("ENDASH_NATIVE", "off")
    by_torch = model.translate(SLOTTED, **how)
    assert [[one.alignment for one in row] for row in by_core] == [[one.alignment for one in row] for row in by_torch]
    assert any(one.alignment for row in by_core for one in row)


@pytest.mark.parametrize("native", ["", "off"])
def test_a_link_that_reads_no_positions_aligns_none(native: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENDASH_NATIVE", native)
    with pytest.raises(ModelError, match=r"link.kind = 'prefix' reads no source positions"):
        build(trained_codec(), 'link={kind="prefix"}').translate(TEXTS, alignment=True)


def test_pytorch_multiplies_in_bfloat16_where_that_is_asked_for(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENDASH_NATIVE", "off")
    assert model.describe_path(precision="bfloat16").startswith("PyTorch with products in bfloat16, for")
    brief, exact = (
        [model.translate([text], precision=precision, beam=1, max_ratio=0.0, max_extra=1)[0][0].score for text in TEXTS]
        for precision in ("bfloat16", "float32")
    )
    assert brief != exact
    assert brief == pytest.approx(exact, abs=0.3)
