"""Tasks whose sources are files: what becomes of one that is broken, or too short to be heard."""

from __future__ import annotations

from pathlib import Path

import pytest
from made import ENCODER, MADE, sound

from endash.corpora import Record
from endash.corpora.media import Media
from endash.errors import CorpusError
from endash.model import Model
from endash.recipe import Recipe
from endash.training.preparation import prepare, records_of

pytest.importorskip("soundfile", reason="audio is read by soundfile")


def test_a_recording_of_which_nothing_is_heard_is_a_fault(tmp_path: Path) -> None:
    task = Recipe.parse(MADE["speech-recognition"](tmp_path)).does
    for name, seconds in (("long.wav", 0.5), ("short.wav", 0.05)):
        (tmp_path / name).write_bytes(sound(seconds, 440))
    (tmp_path / "broken.wav").write_bytes(sound(0.5, 440)[:2000])
    heard, short, broken = (
        Record(str(tmp_path / name), "", media=Media(str(tmp_path), name))
        for name in ("long.wav", "short.wav", "broken.wav")
    )
    assert task.fault(heard) is None
    assert task.fault(short) == (
        f"{tmp_path / 'short.wav'} is too short, 400 samples: not one position of a memory comes of it; leave it out"
    )
    with pytest.raises(CorpusError, match=r"broken\.wav is cut off"):
        task.signal(broken)
    with pytest.raises(CorpusError, match=r"short\.wav is too short"):
        task.record(tmp_path / "short.wav")


def test_an_encoder_that_hears_takes_the_place_of_the_frontend(tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers", reason="the pretrained encoder is read by transformers")
    of_layers = {"conv_dim": [8, 8], "conv_kernel": [10, 8], "conv_stride": [10, 8], "num_feat_extract_layers": 2}
    of_places = {"num_conv_pos_embeddings": 4, "num_conv_pos_embedding_groups": 2}
    sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 24}
    config = transformers.Wav2Vec2Config(**of_layers, **of_places, **sizes)
    transformers.Wav2Vec2Model(config).save_pretrained(tmp_path / "wav2vec2")
    encoder = f'encoder = {{ kind = "pretrained", folder = "{tmp_path / "wav2vec2"}" }}'
    lines = MADE["speech-recognition"](tmp_path).replace(ENCODER, encoder).splitlines()
    recipe = Recipe.parse("\n".join(line for line in lines if not line.startswith("frontend")))
    assert recipe.frontend is None
    assert Recipe.parse(recipe.to_toml()) == recipe
    prepared = prepare(recipe, tmp_path / "run", say=lambda _: None)
    records = records_of(prepared.valid)
    answers = Model.build(recipe, prepared.codec).answer(records)
    assert len(answers) == len(records) > 2
