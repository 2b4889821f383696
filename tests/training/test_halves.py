"""Models that begin with halves that were trained before."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

import task_models
from endash.errors import ModelError, RecipeError
from endash.model import Model
from endash.recipe import Recipe
from endash.training import train
from endash.training.halves import Halves

NOUNS, STATES = ("lamp", "door", "fan", "garden", "window", "kitchen", "cellar", "roof"), ("new", "old", "red", "warm")
PAIRS = [(f"the {noun} is {state}", f"das {noun} war {state}") for noun in NOUNS for state in STATES]
PAIRS += [(f"{target}?", f"{source}?") for source, target in PAIRS]
RECIPE = """
name = "tiny"
corpus = { train = { kind = "tsv", path = "pairs.tsv", source = "en", target = "de" }, split = { valid = 0.2 } }
text = { size = 330, joint = false }
encoder = { kind = "gru", width = 16, layers = 1, dropout = 0.0 }
link = { kind = "cross-attention", heads = 2 }
decoder = { kind = "gru", width = 16, layers = 1, dropout = 0.0 }
head = { tie = "target" }
training = { max_steps = 2, warmup = 1, learning_rate = 0.01, batch_tokens = 256, metric = "loss", average = 1, precision = "float32" }
"""
STILL = ("training.max_steps=1", "training.learning_rate=1e-12", "training.weight_decay=0")


@pytest.fixture(autouse=True)
def corpus() -> None:
    Path("pairs.tsv").write_text("\n".join(["en\tde", *map("\t".join, PAIRS)]), encoding="utf-8")


def trained(out: str, *changes: str) -> Model:
    return Model.load(train(Recipe.parse(RECIPE, changes), out, progress="quiet").model)


def parameters(model: Model, *rooms: str) -> dict[str, torch.Tensor]:
    return {name: one for name, one in model.network.state_dict().items() if name.partition(".")[0] in rooms}


def test_two_halves_meet_with_their_vocabularies_and_the_link_between_is_named(
    capsys: pytest.CaptureFixture[str],
) -> None:
    one = trained("one", "seed=3", "text.size=320")
    two = trained("two", "link.kind=additive", 'link={kind="additive"}')
    capsys.readouterr()
    both = trained("both", *STILL, "trained.encoder=one", "trained.decoder=two")
    told = capsys.readouterr().err
    assert "the link 'cross-attention' between the encoder of " in told
    assert "is untrained" in told
    assert (len(both.codec.source), len(both.codec.target)) == (len(one.codec.source), len(two.codec.target))
    assert both.codec.source.model == one.codec.source.model
    assert both.codec.target.model == two.codec.target.model
    for half, rooms in ((one, ("source_embedding", "encoder")), (two, ("target_embedding", "head"))):
        torch.testing.assert_close(parameters(both, *rooms), parameters(half, *rooms), atol=1e-6, rtol=0)


def test_a_whole_model_goes_on_as_it_was() -> None:
    old = trained("old", "text.joint=true", "head.tie=all")
    new = trained("new", *STILL, "text.joint=true", "head.tie=all", "trained.encoder=old", "trained.decoder=old")
    rooms = ("source_embedding", "target_embedding", "encoder", "decoder", "link", "head")
    torch.testing.assert_close(parameters(new, *rooms), parameters(old, *rooms), atol=1e-6, rtol=0)
    texts = [source for source, _ in PAIRS[:5]]
    assert new.codec.source is new.codec.target
    assert new(texts) == old(texts)


def test_a_whole_model_brings_what_its_encoder_tells_by_itself() -> None:
    old = trained("old", "head.ctc=0.3")
    both = trained("both", *STILL, "trained.encoder=old", "trained.decoder=old", "head.ctc=0.5")
    torch.testing.assert_close(parameters(both, "ctc"), parameters(old, "ctc"), atol=1e-6, rtol=0)
    assert parameters(both, "ctc")


def test_one_half_alone_leaves_the_other_new_and_warns_of_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    old = trained("old")
    capsys.readouterr()
    new = trained("new", *STILL, "trained.encoder=old", "seed=9")
    assert "untrained" not in capsys.readouterr().err
    assert new.codec.source.model == old.codec.source.model
    torch.testing.assert_close(parameters(new, "encoder"), parameters(old, "encoder"), atol=1e-6, rtol=0)
    assert not torch.allclose(new.network.target_embedding.weight, old.network.target_embedding.weight, atol=1e-3)


def test_what_is_true_of_no_vocabulary_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    trained("old", "text.size=320")
    whole = ("trained.encoder=old", "trained.decoder=old")
    with pytest.raises(RecipeError, match=r"text\.size = 330, and no vocabulary is learned: .* set text\.size = 320"):
        trained("new", *whole)
    with pytest.raises(RecipeError, match=r"text\.model = 'bpe', and no .* set text\.model = 'unigram'"):
        Halves(Recipe.parse(RECIPE, [*whole, "text.size=320", "text.model=bpe"]))
    capsys.readouterr()
    train(Recipe.parse(RECIPE, [*STILL, *whole, "text.size=320"]), "whole", progress="plain")
    assert "taking the vocabulary over: none is learned" in capsys.readouterr().err.splitlines()
    train(Recipe.parse(RECIPE, [*STILL, "trained.encoder=old"]), "half", progress="plain")
    assert "learning the vocabulary" in capsys.readouterr().err.splitlines(), "of the target"


def test_labels_read_off_a_trained_encoder_have_its_vocabulary() -> None:
    trained("old", "text.placeholders=false")
    Path("given.tsv").write_text("text\tlabel\nthe lamp\tthing\nis red\tstate\n", encoding="utf-8")
    changes = ('encoder={ kind = "gru", width = 16, layers = 1 }', "trained.encoder=old")
    with pytest.raises(RecipeError, match=r"text\.size = 400, .* set text\.size = 330"):
        Halves(task_models.recipe("classification", *changes))
    Halves(task_models.recipe("classification", *changes, "text.size=330"))


def test_a_run_that_goes_on_keeps_what_it_learned_since() -> None:
    trained("old")
    settings = ("trained.encoder=old", "trained.decoder=old")
    first = trained("new", *settings)
    recipe = Recipe.parse(RECIPE, [*settings, "training.max_steps=3"])
    Path("old").rename("moved")  # it is needed no more
    second = Model.load(train(recipe, "new", resume=True, progress="quiet").model)
    assert not torch.equal(first.network.target_embedding.weight, second.network.target_embedding.weight)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (("encoder.layers=2",), "was trained with encoder.layers = 1, and this recipe has 2: take its setting over"),
        (("text.placeholders=false",), "was trained with text.placeholders = True, and this recipe has False"),
        (("text.joint=true",), "the trained halves have two: set text.joint = false"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(changes: tuple[str, ...], said: str) -> None:
    trained("old")
    with pytest.raises(RecipeError, match=said):
        Halves(Recipe.parse(RECIPE, ["trained.encoder=old", *changes]))


def test_an_encoder_brings_a_frontend_that_hears_or_sees_as_it_did() -> None:
    task_models.write("speech-recognition", Path("ears"))
    task_models.write("captioning", Path("eyes"))
    for kind, change, said in (
        ("speech-recognition", "frontend.hop=0.02", r"frontend\.hop = 0\.01, and this recipe has 0\.02"),
        ("speech-recognition", "frontend.rate=16000", r"frontend\.rate = 8000, and this recipe has 16000"),
        ("captioning", "frontend.patch=8", r"frontend\.patch = 16, and this recipe has 8"),
    ):
        folder = "ears" if kind == "speech-recognition" else "eyes"
        with pytest.raises(RecipeError, match=said):
            Halves(task_models.recipe(kind, f"trained.encoder={folder}", change))
        Halves(task_models.recipe(kind, f"trained.decoder={folder}", change))
    Halves(
        task_models.recipe(
            "speech-recognition", "trained.encoder=ears", "frontend.hide_time=0.1", "frontend.hide_mels=0.1"
        )
    )
    Halves(task_models.recipe("captioning", "trained.encoder=eyes", "frontend.crop=0.1", "frontend.mirror=true"))


def test_a_folder_that_is_no_model_is_named() -> None:
    with pytest.raises(ModelError, match="nowhere: there is no such model"):
        Halves(Recipe.parse(RECIPE, ["trained.decoder=nowhere"]))


def test_paths_start_from_the_recipe(tmp_path: Path) -> None:
    (tmp_path / "recipes").mkdir()
    Path("recipes/mine.toml").write_text(f'{RECIPE}\ntrained = {{ encoder = "../old" }}\n', encoding="utf-8")
    found = Recipe.load("recipes/mine.toml").trained.encoder
    assert Path(str(found)).resolve() == tmp_path / "old"


def test_a_part_that_the_new_model_has_no_place_for_is_told() -> None:
    decoder = 'decoder={kind="transformer",width=16,layers=1,heads=2,feed_forward=16}'
    trained("old", decoder)
    halves = Halves(Recipe.parse(RECIPE, ["trained.decoder=old", decoder, 'link={kind="prefix"}']))
    model = Model.build(halves.recipe, halves.models["decoder"].codec)
    told = list(halves.give(model))
    lost = set(parameters(halves.models["decoder"], "decoder")) - {*parameters(model, "decoder")}
    assert len(told) == len(lost) == 2  # the norm around the read: a prefix is read by self-attention
    assert all("around_link" in one and "has no place in this model" in one for one in told)


def test_a_decoder_that_does_not_read_is_no_decoder_that_does() -> None:
    trained("old")
    halves = Halves(Recipe.parse(RECIPE, ["trained.decoder=old", 'link={kind="state"}']))
    model = Model.build(halves.recipe, halves.models["decoder"].codec)
    with pytest.raises(
        RecipeError, match=r"its decoder.output.weight is \(16, 32\), and this recipe asks for \(16, 16\)"
    ):
        list(halves.give(model))
