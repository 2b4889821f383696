import math

import torch

from endash.links.general import General, GeneralConfig
from endash.memory import Memory
from endash.parts.contracts import DecoderShape, MemoryShape


def test_it_is_the_bilinear_equation() -> None:
    """Against plain loops in float64."""
    torch.manual_seed(0)
    link = General(
        GeneralConfig(), memory=MemoryShape(3), shape=DecoderShape(2, reads=1, start=0), ports=frozenset({"read"})
    ).double()
    states, query = torch.randn(1, 4, 3, dtype=torch.float64), torch.randn(1, 2, 2, dtype=torch.float64)
    mask = torch.tensor([[True, True, True, False]])
    found = link.read(query, link.open(Memory(states, mask)), 0)
    assert found.weights is not None
    W, V, b = link.key[0].weight, link.value[0].weight, link.value[0].bias
    for j in range(2):
        scores = [float(((W @ states[0, i]) @ query[0, j]).detach()) for i in range(3)]
        total = sum(math.exp(score) for score in scores)
        shares = [math.exp(score) / total for score in scores]
        context = sum(share * (V @ states[0, i] + b) for i, share in enumerate(shares))
        torch.testing.assert_close(found.context[0, j], context)
        torch.testing.assert_close(found.weights[0, 0, j], torch.tensor([*shares, 0.0], dtype=torch.float64))
