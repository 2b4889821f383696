"""Labels off the memory of every encoder that the registry lists: one suite, and a task of each kind that is learned.

Tolerances are those of `test_conformance`.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import pytest
import torch
from test_conformance import CLOSE, SMALL, TINY_BERT, WIDTH, V, small
from torch import Tensor

from endash.combination import why_not_labels
from endash.encoders import encoders
from endash.heads import Each
from endash.labelling import Labeller
from endash.memory import Memory
from endash.network import Batch
from endash.parts.contracts import PartConfig

LABELS = 5
SOURCE = torch.tensor([[5, 6, 7, 8, 9, 3], [10, 11, 3, 0, 0, 0], [12, 13, 14, 3, 0, 0]])
HYPOTHESIS = torch.tensor([[5, 9, 3, 0], [20, 3, 0, 0], [12, 13, 14, 3]])
WORD_TARGET, PLACES = torch.tensor([[5, 9, 6], [7, 0, 0], [8, 5, 0]]), torch.tensor([[1, 3, 5], [2, 0, 0], [1, 3, 0]])
TARGET = torch.tensor([[5], [9], [7]])


@dataclass(frozen=True)
class Labelling:
    """What is labelled, off which encoder."""

    encoder: PartConfig
    each: Each
    joins: int = 0

    def __str__(self) -> str:
        return f"{self.encoder.kind}–{self.each}{'–joined' if self.joins else ''}"

    def build(self) -> Labeller:
        torch.manual_seed(0)
        return Labeller(self.encoder, labels=LABELS, each=self.each, source_size=V, passages=self.joins).eval()

    def batch(self) -> Batch:
        """Three rows of unlike lengths."""
        if self.each == "word":
            return Batch(SOURCE, WORD_TARGET, places=PLACES)
        return Batch(SOURCE, TARGET, (HYPOTHESIS,) * self.joins)


def every(**settings: Any) -> list[Labelling]:
    """Each encoder with each kind of label that can be read off its memory."""
    kinds: tuple[tuple[Each, int], ...] = (("source", 0), ("source", 1), ("word", 0))
    found = [small(encoders.config(kind), **settings) for kind in encoders]
    return [
        Labelling(encoder, each, joins)
        for encoder in found
        for each, joins in kinds
        if why_not_labels(encoder, None, each=each, joins=joins) is None
    ]


def over(labellings: list[Labelling]) -> Any:
    missing = find_spec("transformers") is None
    mark = pytest.mark.skipif(missing, reason="transformers is not installed")
    return pytest.mark.parametrize(
        "labelling",
        [pytest.param(one, marks=mark) if one.encoder.kind == "pretrained" else one for one in labellings],
        ids=str,
    )


EVERY = every(**WIDTH, **SMALL)
each = over(EVERY)


def rows(of: Batch, numbers: list[int]) -> Batch:
    """These rows, without the padding that they do not need."""

    def cut(tokens: Tensor) -> Tensor:
        return tokens[numbers][:, : max(1, int((tokens[numbers] != 0).sum(1).max()))]

    assert isinstance(of.source, Tensor)
    places = None if of.places is None else cut(of.places)
    return Batch(cut(of.source), cut(of.target), tuple(map(cut, of.passages)), places)


def test_every_encoder_but_the_variational_one_is_here() -> None:
    assert {one.encoder.kind for one in EVERY} == set(encoders) - {"variational"}
    assert len(EVERY) == 3 * (len(encoders) - 1)


@each
@torch.no_grad()
def test_padding_and_other_rows_change_nothing(labelling: Labelling) -> None:
    network, batch = labelling.build(), labelling.batch()
    together = network(batch)
    for number in range(3):
        alone = rows(batch, [number])
        asked = alone.target[0] != 0
        torch.testing.assert_close(together[number, : len(asked)][asked], network(alone)[0], **CLOSE)


@each
@torch.no_grad()
def test_a_permuted_batch_gives_a_permuted_result(labelling: Labelling) -> None:
    network, batch = labelling.build(), labelling.batch()
    order = [2, 0, 1]
    torch.testing.assert_close(network(rows(batch, order)), network(batch)[order], **CLOSE)


@each
@torch.no_grad()
def test_an_empty_source_is_finite_and_leaves_the_others_alone(labelling: Labelling) -> None:
    network, batch = labelling.build(), labelling.batch()
    assert isinstance(batch.source, Tensor)
    whole, passages = network(batch), batch.passages
    for number in range(1 + len(passages)):
        parts = [batch.source.clone(), *(passage.clone() for passage in passages)]
        parts[number][1] = 0
        scores = network(Batch(parts[0], batch.target, tuple(parts[1:]), batch.places))
        assert scores.isfinite().all()
        torch.testing.assert_close(scores[[0, 2]], whole[[0, 2]], **CLOSE)
        if labelling.each == "source":
            assert not torch.allclose(scores[1], whole[1])


@each
def test_every_parameter_gets_a_gradient(labelling: Labelling) -> None:
    network = labelling.build().train()
    network.loss(labelling.batch(), label_smoothing=0.1).total.backward()
    missing = [name for name, one in network.named_parameters() if one.grad is None or not one.grad.any()]
    # a softmax is blind to what all its scores share, so a key's bias has no effect; a bridge starts a decoder
    assert not [name for name in missing if "key" not in name]


@each
@torch.no_grad()
def test_saved_parameters_give_equal_scores(labelling: Labelling) -> None:
    network, copy, batch = labelling.build(), labelling.build(), labelling.batch()
    for parameter in copy.parameters():
        torch.nn.init.zeros_(parameter)
    copy.load_state_dict(network.state_dict())
    assert torch.equal(copy(batch), network(batch))
    assert [name for name in network.state_dict() if name.startswith("head")] == [
        *(["head.hidden.weight", "head.hidden.bias"] if labelling.joins else []),
        "head.project.weight",
        "head.project.bias",
    ]
    tops = {name.partition(".")[0] for name in network.state_dict()}
    embeds = labelling.encoder.reads == "vectors"
    marks = {"segment_embedding"} if embeds and labelling.joins else set()
    assert tops == {"encoder", "head"} | ({"source_embedding"} if embeds else set()) | marks


@each
@torch.no_grad()
def test_the_order_of_joined_sources_and_all_of_a_source_tell(labelling: Labelling) -> None:
    network, batch = labelling.build(), labelling.batch()
    assert isinstance(batch.source, Tensor)
    changed = batch.source.clone()
    changed[0, 2] = 30
    assert not torch.allclose(network(Batch(changed, batch.target, batch.passages, batch.places))[0], network(batch)[0])
    if labelling.joins:
        swapped = network(Batch(batch.passages[0], batch.target, (batch.source,)))
        assert not torch.allclose(swapped, network(batch))


@each
@torch.no_grad()
def test_a_stored_memory_gives_the_same_labels(labelling: Labelling, tmp_path: Any) -> None:
    network, batch = labelling.build(), labelling.batch()
    memory = network.encode(batch.source, batch.passages)
    memory.save(tmp_path / "memory")
    assert torch.equal(network.scores(Memory.load(tmp_path / "memory"), batch.places), network(batch))


FIRST, LETTERS, LONGEST, ROWS, STEPS, EVERY_STEPS = 5, 12, 6, 64, 600, 25
BERT = TINY_BERT | {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 4, "intermediate_size": 64}
LEARNING = SMALL | {"width": 32, "layers": 1, "feed_forward": 64, "heads": 4, "architecture": json.dumps(BERT)}
Draw = Callable[[torch.Generator], Batch]


def letters(random: torch.Generator) -> Tensor:
    """Rows of 2 to 6 letters, which end in eos."""
    lengths = torch.randint(2, LONGEST + 1, (ROWS, 1), generator=random)
    drawn = torch.randint(FIRST, FIRST + LETTERS, (ROWS, LONGEST + 1), generator=random)
    place = torch.arange(LONGEST + 1)
    return torch.where(place < lengths, drawn, torch.where(place == lengths, 3, 0))


def first_letters(random: torch.Generator) -> Batch:
    """The label is the kind of the first letter."""
    source = letters(random)
    return Batch(source, FIRST + source[:, :1] % 3)


def premises(random: torch.Generator) -> Batch:
    """The label tells whether one letter, of three kinds, stands in the source: the hypothesis names it."""
    source = letters(random)
    asked = source.gather(1, torch.randint(2, (ROWS, 1), generator=random))
    other = torch.randint(FIRST, FIRST + LETTERS, (ROWS, 1), generator=random)
    hypothesis = torch.where(torch.rand(ROWS, 1, generator=random) < 0.5, asked, other)
    held = (source == hypothesis).any(1, keepdim=True)
    return Batch(source, FIRST + held.long(), (hypothesis,))


def words(random: torch.Generator) -> Batch:
    """Words of two letters, whose label is the kind of the second; the label stands at the first."""
    source = letters(random)
    count = (source >= FIRST).sum(1, keepdim=True) // 2
    number = torch.arange(LONGEST // 2)
    kind = FIRST + source[:, 1 : 2 * len(number) : 2] % 3
    return Batch(source, torch.where(number < count, kind, 0), places=torch.where(number < count, 1 + 2 * number, 0))


def share_right(network: Labeller, batch: Batch) -> float:
    with torch.no_grad():
        found = network.eval()(batch).argmax(-1) + FIRST
    asked = batch.target != 0
    return float((found == batch.target)[asked].float().mean())


TASKS: dict[tuple[Each, int], Draw] = {("source", 0): first_letters, ("source", 1): premises, ("word", 0): words}


@over([one for one in every(**LEARNING) if one.encoder.kind in {"transformer", "gru", "pretrained"}])
def test_a_task_of_each_kind_is_learned(labelling: Labelling) -> None:
    torch.manual_seed(1)
    draw = TASKS[labelling.each, labelling.joins]
    settings = {"labels": 3, "each": labelling.each, "passages": labelling.joins, "source_size": FIRST + LETTERS}
    network = Labeller(labelling.encoder, **settings)
    optimizer = torch.optim.AdamW(network.parameters(), lr=4e-3)
    learning, asking = torch.Generator().manual_seed(2), torch.Generator().manual_seed(3)
    right = 0.0
    for step in range(STEPS):
        optimizer.zero_grad()
        network.train().loss(draw(learning), label_smoothing=0.0).total.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        if step % EVERY_STEPS == EVERY_STEPS - 1 and (right := share_right(network, draw(asking))) >= 0.98:
            break
    assert right >= 0.98
