"""What is decoded from a store is what is decoded from fresh memories."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import Tensor

import endash
from endash.errors import MemoryMismatchError, TextError
from endash.memory import Memory
from endash.memory_store import MemoryStore, Precision
from endash.model import Model
from endash.retrieval import PairIndex
from tiny_model import PAIRS, TEXTS, build, trained_codec

SOURCES = [*TEXTS, "The {noun} is %s.", "", "  ", "on"]
VARIANTS = {
    "transformer": [],
    "summary alone": ['link={kind="state"}', 'decoder={kind="gru",width=16,layers=1}'],
    "retrieval": ["retrieval={passages=2}"],
    "layers": ['link={kind="layerwise"}', "encoder.layers=2", "decoder.layers=2"],
    "latent": ['encoder={kind="variational",width=8,encoder={kind="lstm",width=16,layers=1}}', 'link={kind="latent"}'],
    "pointer": ["retrieval={passages=2}", "head={pointer=true}"],
}


@pytest.fixture(scope="module", params=VARIANTS)
def model(request: pytest.FixtureRequest) -> Model:
    return build(trained_codec(), *VARIANTS[request.param])


def scores(model: Model, memory: Memory, target: str) -> Tensor:
    return model.watch(memory, model.codec.encode_target(target, ())[:-1]).scores


def test_a_stored_row_scores_to_the_bit_as_the_row_that_was_encoded(model: Model) -> None:
    store = MemoryStore("store")
    for text in TEXTS:
        fresh = model.encode([text])
        store.add(model, [text])
        stored = MemoryStore("store")[model.memory_keys([text])[0]]
        # without padding the two are one; an empty passage is a position of padding, and float32 then sums in another order
        same = {"rtol": 0, "atol": 0} if fresh.mask.all() else {"rtol": 1e-5, "atol": 1e-5}
        torch.testing.assert_close(scores(model, stored, "Das war on."), scores(model, fresh, "Das war on."), **same)
        assert model.decode(stored) == [model(text)]


def test_rows_of_many_writings_are_decoded_together(model: Model) -> None:
    store, wanted = MemoryStore("store"), model(SOURCES)
    store.add(model, SOURCES[2:5])
    store.add(model, SOURCES[:1])
    memory = store.memory(model, SOURCES)
    assert model.decode(memory) == model.decode(store.memory(model, SOURCES)) == wanted
    assert model.decode(store.memory(model, SOURCES[::-1])) == wanted[::-1]
    assert model.decode(Memory.stack([store[key] for key in model.memory_keys(SOURCES)])) == wanted
    target = "Das war offen."
    for row, text in enumerate(SOURCES):
        torch.testing.assert_close(  # float32 sums in another order
            scores(model, memory, target)[row], scores(model, model.encode([text]), target)[0], rtol=1e-4, atol=1e-4
        )


def test_another_process_decodes_what_was_stored(tmp_path: Path) -> None:
    model = build(trained_codec(), *VARIANTS["pointer"])
    model.save("model")
    MemoryStore("store").add(model, SOURCES)
    code = (
        "import endash, json, sys; model = endash.load('model'); store = endash.MemoryStore('store');"
        "print(json.dumps([model.decode(store[key])[0] for key in model.memory_keys(json.loads(sys.argv[1]))]))"
    )
    environment = os.environ | {"PYTHONPATH": str(Path(endash.__file__).parents[1]), "OMP_NUM_THREADS": "1"}
    run = [sys.executable, "-c", code, json.dumps(SOURCES)]
    done = subprocess.run(run, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == model(SOURCES)


def test_a_trained_encoder_meets_no_memory_of_its_past() -> None:
    model, store = build(trained_codec()), MemoryStore("store")
    old = store.memory(model, TEXTS)
    for parameter in model.network.parameters():
        parameter.grad = torch.ones_like(parameter)
    torch.optim.AdamW(model.network.parameters(), lr=0.1, fused=True).step()
    new = store.memory(model, TEXTS)
    assert not torch.allclose(old.states, new.states, atol=0.01)
    assert len(store) == 2 * len(TEXTS)
    assert model.decode(new) == model(TEXTS)
    with pytest.raises(MemoryMismatchError, match="comes from another encoder"):
        model.decode(old)


def test_a_pair_that_was_learned_is_read_and_no_old_memory() -> None:
    model, store, text = build(trained_codec(), "retrieval={passages=2}"), MemoryStore("store"), "The door is open."
    store.add(model, [text, "♞"])
    model.pairs = PairIndex.build([*PAIRS, ("The door is open!", "Die Tür steht offen!")])
    assert store.add(model, [text, "♞"]) == 1  # the other has no pair near it
    assert model.decode(store.memory(model, [text, "♞"])) == model([text, "♞"])


def test_a_text_that_is_too_long_stores_nothing() -> None:
    model, store = build(trained_codec()), MemoryStore("store")
    with pytest.raises(TextError, match=r"^text 2: \d+ tokens, and this model takes 40"):
        store.add(model, ["on", "The door " + "and the door " * 30])
    assert len(store) == 0


@pytest.mark.parametrize(("precision", "step"), [("float16", 2**-11), ("int8", 1 / 254)])
def test_fewer_bits_change_scores_no_more_than_states(precision: Precision, step: float, model: Model) -> None:
    """Of the largest state, float16 loses 2^-11 at most and int8 1/254; at the size of fresh parameters nothing magnifies that."""
    with torch.no_grad():
        for parameter in model.network.parameters():
            parameter.mul_(0.5)
    exact, fewer = model.encode(TEXTS), MemoryStore("store", precision=precision).memory(model, TEXTS)
    with torch.no_grad():
        change = (scores(model, fewer, "Das war offen.") - scores(model, exact, "Das war offen.")).abs().max()
        for parameter in model.network.parameters():
            parameter.mul_(2)
    assert 1e-7 < change < step * exact.states.abs().max()
