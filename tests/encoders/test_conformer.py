from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from endash.encoders.conformer import ConformerConfig, ConformerEncoder, _Convolution

SMALL = {"width": 8, "heads": 2, "feed_forward": 12, "layers": 1, "kernel": 3, "dropout": 0.0}
MASK = torch.tensor([[True] * 6, [True, True, True, False, False, False]])


def test_the_convolution_is_that_of_a_slow_loop() -> None:
    torch.manual_seed(0)
    module, x = _Convolution(4, 5), torch.randn(1, 6, 4)
    inner = x[0] @ module.inner.weight.T + module.inner.bias
    gated = inner[:, :4] * torch.sigmoid(inner[:, 4:])
    rows = []
    for t in range(6):
        total = module.depthwise.bias.clone()
        for k in range(5):
            if 0 <= t + k - 2 < 6:
                total = total + module.depthwise.weight[:, 0, k] * gated[t + k - 2]
        normed = (total - total.mean()) / (total.var(unbiased=False) + 1e-5).sqrt()
        rows.append((normed * torch.sigmoid(normed)) @ module.output.weight.T + module.output.bias)
    found = module(x, torch.ones(1, 6, dtype=torch.bool))[0]
    torch.testing.assert_close(found, torch.stack(rows), rtol=1e-4, atol=1e-5)  # float32 sums behind a norm


def test_a_layer_is_the_equations_of_the_paper() -> None:
    torch.manual_seed(0)
    encoder = ConformerEncoder(ConformerConfig(**SMALL)).eval()
    layer, x = encoder.layers[0], torch.randn(1, 6, 8)
    mask = torch.ones(1, 6, dtype=torch.bool)

    def swish_feed_forward(part: nn.Module, values: Tensor) -> Tensor:
        inner = part.inner(values)
        return part.output(inner * torch.sigmoid(inner))

    bias = torch.zeros(1, 1, 1, 6)
    y = x + 0.5 * swish_feed_forward(layer.before, layer.around_before.norm(x))
    y = y + layer.attention.attend_to_itself(layer.around_attention.norm(y), bias, rotary=True).context
    y = y + layer.convolution(layer.around_convolution.norm(y), mask)
    y = layer.norm(y + 0.5 * swish_feed_forward(layer.after, layer.around_after.norm(y)))
    torch.testing.assert_close(encoder(x, mask).states, y, rtol=1e-5, atol=1e-5)  # the same sums


def test_what_stands_in_padding_is_not_read_by_the_convolution() -> None:
    torch.manual_seed(0)
    encoder, x = ConformerEncoder(ConformerConfig(**SMALL)).eval(), torch.randn(2, 6, 8)
    other = torch.where(MASK[:, :, None], x, torch.full_like(x, 7.0))
    assert torch.equal(encoder(other, MASK).states[MASK], encoder(x, MASK).states[MASK])


def test_a_shift_of_the_source_shifts_the_states() -> None:
    """Positions are relative alone: what is read twice, further right, gives what it gave, where nothing else is in reach."""
    torch.manual_seed(0)
    encoder, x = ConformerEncoder(ConformerConfig(**SMALL)).eval(), torch.randn(1, 4, 8)
    left = encoder(torch.cat([x, torch.zeros(1, 3, 8)], 1), torch.tensor([[True] * 4 + [False] * 3])).states[:, :4]
    right = encoder(torch.cat([torch.zeros(1, 3, 8), x], 1), torch.tensor([[False] * 3 + [True] * 4])).states[:, 3:]
    torch.testing.assert_close(left, right, rtol=1e-4, atol=1e-5)  # angles of other positions, in float32


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kernel": 4}, r"encoder\.kernel = 4 has no middle position: use 3 or 5"),
        ({"heads": 3}, r"encoder\.heads = 3 does not divide width = 8: use 1"),
    ],
)
def test_settings_that_do_not_fit_are_refused(change: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ConformerConfig.model_validate({**SMALL, **change})
