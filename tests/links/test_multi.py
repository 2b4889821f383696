from dataclasses import replace
from typing import Any

import pytest
import torch

from endash.links.dot import DotConfig
from endash.links.latent import LatentConfig
from endash.links.multi import Multi, MultiConfig
from endash.memory import Latent, Memory
from endash.parts.contracts import DecoderShape, MemoryShape

SHAPE: dict[str, Any] = {
    "memory": MemoryShape(4, segments=2),
    "shape": DecoderShape(4, reads=1, start=0),
    "ports": frozenset({"read"}),
}


@pytest.fixture
def parts() -> tuple[Memory, Memory]:
    torch.manual_seed(0)
    source = Memory(torch.randn(2, 3, 4), torch.ones(2, 3, dtype=torch.bool))
    passage = Memory(torch.randn(2, 2, 4), torch.tensor([[True, True], [False, False]]))  # the second row has none
    return source, passage


def read(strategy: Any, memory: Memory, query: torch.Tensor) -> Any:
    torch.manual_seed(1)
    link = Multi(MultiConfig(strategy=strategy, link=DotConfig()), **SHAPE)
    return link, link.read(query, link.open(memory), 0)


def alone(memory: Memory, query: torch.Tensor) -> torch.Tensor:
    scores = (query @ memory.states.transpose(1, 2)).masked_fill(~memory.mask[:, None], -torch.inf)
    return scores.softmax(-1).nan_to_num() @ memory.states


def test_parallel_adds_what_each_part_gives(parts: tuple[Memory, Memory]) -> None:
    source, passage = parts
    query = torch.randn(2, 5, 4)
    _, found = read("parallel", source.join(passage), query)
    torch.testing.assert_close(found.context, alone(source, query) + alone(passage, query))


def test_serial_asks_the_second_with_what_the_first_gave(parts: tuple[Memory, Memory]) -> None:
    source, passage = parts
    query = torch.randn(2, 5, 4)
    first = alone(source, query)
    _, found = read("serial", source.join(passage), query)
    torch.testing.assert_close(found.context, first + alone(passage, query + first))


def test_flat_is_one_reading_of_all(parts: tuple[Memory, Memory]) -> None:
    source, passage = parts
    query = torch.randn(2, 5, 4)
    _, found = read("flat", source.join(passage), query)
    torch.testing.assert_close(found.context, alone(replace(source.join(passage), segments=None), query))


def test_hierarchical_is_a_weighting_and_gives_all_weight_to_the_only_part(parts: tuple[Memory, Memory]) -> None:
    source, passage = parts
    query = torch.randn(2, 5, 4)
    link, found = read("hierarchical", source.join(passage), query)
    contexts = alone(source, query), alone(passage, query)
    scores = [
        link.compare[0](torch.tanh(link.asked[0](query) + link.found[0](context)))[..., 0] for context in contexts
    ]
    share = torch.stack(scores, -1).softmax(-1)
    expected = share[..., :1] * contexts[0] + share[..., 1:] * contexts[1]
    torch.testing.assert_close(found.context[0], expected[0])
    torch.testing.assert_close(found.context[1], contexts[0][1])
    torch.testing.assert_close(found.weights.sum(-1), torch.ones(2, 1, 5))
    assert not found.weights[1, ..., 3:].any()


def test_a_link_without_weights_has_none_here(parts: tuple[Memory, Memory]) -> None:
    z = torch.randn(2, 4)
    link = Multi(MultiConfig(strategy="parallel", link=LatentConfig()), **SHAPE)
    memory = replace(parts[0].join(parts[1]), latent=Latent(z, z, z))
    assert link.read(torch.randn(2, 5, 4), link.open(memory), 0).weights is None
