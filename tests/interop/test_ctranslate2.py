"""A model that CTranslate2 runs computes the same there; what it cannot express is refused by name."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import torch

import tiny_model
from endash.errors import ModelError
from endash.interop import ctranslate2 as exporting
from endash.interop.ctranslate2 import export_ctranslate2, why_not
from endash.interop.marian import import_marian
from endash.interop.parity import Parity
from endash.model import Model
from endash.recipe import Recipe
from endash.text import Codec
from marian_checkpoints import TEXTS, write

GROUPED = ("encoder.heads=4", "encoder.kv_heads=2", "decoder.heads=4", "decoder.kv_heads=1", "link.heads=4")
MODELS = {
    "as it comes": (),
    "post-norm": ("encoder.norm=post", "decoder.norm=post"),
    "one pre-norm": ("decoder.norm=post",),
    "gelu": ("encoder.activation=gelu", "decoder.activation=gelu"),
    "silu": ("encoder.activation=silu", "decoder.activation=silu"),
    "gated": ("encoder.activation=silu-gated", "decoder.activation=silu-gated"),
    "learned": ("encoder.positions=learned", "decoder.positions=learned"),
    "rotary": ("encoder.positions=rotary", "decoder.positions=rotary"),
    "one rotary": ("decoder.positions=rotary",),
    "grouped": (*GROUPED, "link.kv_heads=2"),
    "grouped in one place": ("link.kv_heads=1",),
    "rotary and grouped": (*GROUPED, "encoder.positions=rotary", "decoder.positions=rotary"),
    "of other depth and heads": ("encoder.layers=3", "decoder.layers=2", "encoder.heads=8"),
    "of other widths": ("head.tie=target", "encoder.width=24", "encoder.feed_forward=20", "decoder.feed_forward=12"),
    "untied": ("head.tie=none",),
}


def need_ctranslate2() -> Any:
    return pytest.importorskip("ctranslate2", reason="pip install ctranslate2, to compare with it")


def drawn(model: Model) -> Model:
    """The model with biases and norms drawn too, which begin at 0 and 1."""
    torch.manual_seed(3)
    with torch.no_grad():
        for parameter in model.network.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return model


@pytest.mark.parametrize("overrides", MODELS.values(), ids=MODELS)
def test_ctranslate2_computes_the_same(overrides: tuple[str, ...], tmp_path: Path) -> None:
    need_ctranslate2()
    model = drawn(tiny_model.build(tiny_model.trained_codec(), *overrides))
    parity = export_ctranslate2(model, tmp_path / "model", tiny_model.TEXTS)
    assert (parity.same, parity.texts) == (4, 4)
    assert parity.difference < 1e-4  # float32 sums in another order, on scores of about 15


def test_two_vocabularies_stay_two(tmp_path: Path) -> None:
    need_ctranslate2()
    overrides = ("text.joint=false", "head.tie=target", "text.placeholders=false")
    codec = Codec.train(lambda: tiny_model.PAIRS, Recipe.parse(tiny_model.RECIPE, overrides).text)
    parity = export_ctranslate2(drawn(tiny_model.build(codec, *overrides)), tmp_path / "model", tiny_model.TEXTS)
    assert parity.same == 4
    assert parity.difference < 1e-4  # as above
    names = {path.name for path in (tmp_path / "model").iterdir()}
    assert {"source_vocabulary.json", "target_vocabulary.json", "text", "README.md"} <= names


def test_an_imported_model_goes_on(tmp_path: Path) -> None:
    need_ctranslate2()
    model = import_marian(write(tmp_path / "checkpoint"), tmp_path / "spm.model")
    parity = export_ctranslate2(model, tmp_path / "out", TEXTS)
    assert parity.same == 4
    assert parity.difference < 1e-4  # as above


def test_the_readme_of_an_export_shows_how_it_is_used(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    need_ctranslate2()
    model = drawn(tiny_model.build(tiny_model.trained_codec()))
    export_ctranslate2(model, tmp_path / "model", tiny_model.TEXTS)
    page = (tmp_path / "model" / "README.md").read_text("utf-8")
    [code] = re.findall(r"```python\n(.*?)```", page, flags=re.DOTALL)
    code = code.replace("FOLDER", str(tmp_path / "model")).replace("…", tiny_model.TEXTS[0])
    code = code.replace('"int8"', '"float32"').replace("[tokens],", "[tokens], max_decoding_length=18,")
    exec(compile(code, "README.md", "exec"), {})
    assert capsys.readouterr().out.rstrip("\n") == model(tiny_model.TEXTS[0])
    assert "Placeholders such as" in page


def test_what_stood_there_stays_until_the_two_are_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    need_ctranslate2()
    model = drawn(tiny_model.build(tiny_model.trained_codec()))
    out = tmp_path / "model"
    export_ctranslate2(model, out, tiny_model.TEXTS)
    former = (out / "model.bin").read_bytes()
    norm = exporting._Filling.norm
    monkeypatch.setattr(
        exporting._Filling, "norm", lambda self, theirs, ours: (norm(self, theirs, ours), theirs.beta.fill(1))
    )
    with pytest.raises(
        ModelError, match="that is more than rounding, so the two are not one model, and nothing was written"
    ):
        export_ctranslate2(model, out, tiny_model.TEXTS)
    assert (out / "model.bin").read_bytes() == former
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_texts_with_placeholders_are_left_out_of_the_comparison(tmp_path: Path) -> None:
    need_ctranslate2()
    model = drawn(tiny_model.build(tiny_model.trained_codec()))
    parity = export_ctranslate2(model, tmp_path / "model", [*tiny_model.TEXTS, "The {door} is open."])
    assert (parity.same, parity.texts) == (4, 4)
    with pytest.raises(ModelError, match="every text to compare with has placeholders"):
        export_ctranslate2(model, tmp_path / "model", ["The {door} is open."])


@pytest.mark.parametrize(
    ("overrides", "reasons"),
    [
        ((), []),
        (("encoder={kind='lstm'}", "head.tie=target"), ["encoder.kind = 'lstm'"]),
        (("encoder.bidirectional=false",), ["encoder.bidirectional = false"]),
        (("decoder={kind='ssru', width=16}",), ["decoder.kind = 'ssru'"]),
        (("link={kind='layerwise', heads=2}",), ["link.kind = 'layerwise'"]),
        (
            ("link={kind='additive'}", "decoder={kind='gru', width=16}"),
            ["link.kind = 'additive'", "decoder.kind = 'gru'"],
        ),
        (("link.heads=4",), ["link.heads = 4 beside decoder.heads = 2"]),
        (("head.pointer=true", "retrieval={passages=1}"), ["head.pointer = true", "[retrieval]"]),
    ],
)
def test_what_cannot_be_expressed_is_named(overrides: tuple[str, ...], reasons: list[str], tmp_path: Path) -> None:
    assert why_not(Recipe.parse(tiny_model.RECIPE, overrides)) == reasons


def test_a_refusal_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pointing = tiny_model.build(tiny_model.trained_codec(), "head.pointer=true")
    with pytest.raises(
        ModelError, match=r"^CTranslate2 cannot express head\.pointer = true: it knows .*; train such a model"
    ):
        export_ctranslate2(pointing, tmp_path / "model", tiny_model.TEXTS)
    monkeypatch.setattr(exporting, "find_spec", lambda name: None)
    with pytest.raises(ModelError, match=r'is not installed: pip install "endash\[ctranslate2\]"'):
        export_ctranslate2(tiny_model.build(tiny_model.trained_codec()), tmp_path / "model", tiny_model.TEXTS)


def test_nothing_else_is_overwritten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exporting, "find_spec", lambda name: object())
    (tmp_path / "letter.txt").write_text("dear")
    with pytest.raises(ModelError, match="is there already and is no model of CTranslate2: export into a new folder"):
        export_ctranslate2(tiny_model.build(tiny_model.trained_codec()), tmp_path, tiny_model.TEXTS)


def test_a_parity_says_its_figures() -> None:
    parity = Parity("peer 1.0", "logits", difference=2e-6, largest=12.34, same=3, texts=4)
    assert str(parity) == (
        "beside peer 1.0: the logits of 4 translations differ by 2.0e-06 at most (they reach 12.3), and 3 of 4 greedy "
        "translations are the same"
    )
    assert parity.check() is parity
    for difference in (0.02, float("nan")):
        with pytest.raises(ModelError, match="more than rounding"):
            Parity("peer 1.0", "logits", difference=difference, largest=12.34, same=4, texts=4).check()
