from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
from pydantic import ValidationError

from endash.decoding.config import DecodingConfig
from endash.errors import RecipeError


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"top_k": 5}, "top_k is of search = 'sample', but search = 'beam': remove it or change search"),
        ({"top_p": 0.5, "seed": 0}, "seed, top_p are of search = 'sample', but search = 'beam'"),
        ({"search": "sample", "beam": 5}, "beam is of search = 'beam', but search = 'sample'"),
        ({"beam": 2, "n_best": 3}, "n_best = 3 is more than beam = 2: raise beam to 3, or lower n_best"),
        ({"search": "mask-predict", "lengths": 2, "n_best": 3}, "n_best = 3 is more than lengths = 2: raise lengths"),
        ({"search": "mask-predict", "no_repeat": 3}, "no_repeat is of search = 'beam', but search = 'mask-predict'"),
        ({"search": "mask-predict", "beam": 3}, "beam is of search = 'beam', but search = 'mask-predict'"),
        ({"iterations": 3}, "iterations is of search = 'mask-predict', but search = 'beam'"),
        ({"length_penalty": -1.0}, "greater than or equal to 0"),
        ({"search": "sample", "temperature": 0.0}, "greater than 0"),
        ({"beam": "4"}, "valid integer"),
    ],
)
def test_settings_that_cannot_be_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        DecodingConfig(**settings)
    with pytest.raises(RecipeError, match=message) as error:
        DecodingConfig().replace(**settings)
    assert "decoding" in str(error.value)


def test_an_unknown_setting_is_refused_by_name() -> None:
    with pytest.raises(RecipeError, match=r"decoding\.beams"):
        DecodingConfig().replace(beams=3)


@pytest.mark.parametrize(
    "config",
    [
        DecodingConfig(beam=3),
        DecodingConfig(search="sample", top_k=4),
        DecodingConfig(search="mask-predict", iterations=4),
    ],
)
def test_what_is_saved_is_read_again(config: DecodingConfig) -> None:
    assert DecodingConfig(**config.model_dump()) == config
    assert ("top_k" in config.model_dump()) == (config.search == "sample")
    assert ("no_repeat" in config.model_dump()) == (config.search != "mask-predict")


def test_another_search_leaves_the_fields_of_the_first() -> None:
    beam = DecodingConfig(beam=8, max_extra=3)
    sample = beam.replace(search="sample", seed=7)
    assert (sample.search, sample.seed, sample.max_extra) == ("sample", 7, 3)
    assert sample.replace(search="beam", beam=1).max_extra == 3
    assert beam.replace(no_repeat=3).replace(search="sample").no_repeat == 3
    assert beam.replace(no_repeat=3).replace(search="mask-predict").no_repeat is None


def test_the_quickest_search_is_of_the_same_way_of_writing() -> None:
    for config in (DecodingConfig(), DecodingConfig(search="sample", n_best=3)):
        quick = config.replace(**config.quick())
        assert (quick.search, quick.beam, quick.n_best) == ("beam", 1, 1)
    many = DecodingConfig(search="mask-predict", lengths=7, n_best=3, iterations=4)
    quick = many.replace(**many.quick())
    assert (quick.search, quick.lengths, quick.n_best, quick.iterations) == ("mask-predict", 1, 1, 4)


def test_the_maximum_length_counts_the_end_of_sentence() -> None:
    assert DecodingConfig(max_ratio=1.5, max_extra=4).max_length(3) == 9


def test_no_torch_is_imported() -> None:
    code = "import sys, endash.decoding.config, endash.decoding.hypothesis; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_an_unknown_setting_is_answered_with_the_nearest() -> None:
    with pytest.raises(
        RecipeError, match=r"^decoding\.beem: unknown key; did you mean 'beam'\? allowed: batch_tokens, beam"
    ):
        DecodingConfig().replace(beem=3)
