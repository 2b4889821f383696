import torch
from torch import nn

from endash.links.layers import Layerwise, LayerwiseConfig, Mixed, MixedConfig
from endash.memory import Memory
from endash.parts.contracts import DecoderShape, MemoryShape

SHAPE = {"memory": MemoryShape(6, depth=2), "shape": DecoderShape(4, reads=2, start=0), "ports": frozenset({"read"})}


def memory() -> Memory:
    torch.manual_seed(0)
    layers = torch.randn(2, 3, 6), 5 * torch.randn(2, 3, 6)
    return Memory(layers[1], torch.ones(2, 3, dtype=torch.bool), layers=layers)


def test_layerwise_reads_the_normalised_layer_of_its_number() -> None:
    link, of = Layerwise(LayerwiseConfig(heads=2), **SHAPE), memory()
    for read, layer in zip(link.read_from(of), of.layers, strict=True):
        torch.testing.assert_close(read, nn.functional.layer_norm(layer, (6,)))


def test_mixed_reads_a_mean_to_begin_with_and_then_what_its_shares_say() -> None:
    link, of = Mixed(MixedConfig(heads=2), **SHAPE), memory()
    normed = torch.stack([nn.functional.layer_norm(layer, (6,)) for layer in of.layers])
    torch.testing.assert_close(torch.stack(list(link.read_from(of))), normed.mean(0).expand(2, 2, 3, 6))
    with torch.no_grad():
        link.shares[1, 0] = 100
    first, second = link.read_from(of)
    torch.testing.assert_close(first, normed.mean(0))
    torch.testing.assert_close(second, normed[0])
