"""The fused way gives what the plain one gives, forward and backward, as close as bfloat16 comes."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
import torch
from torch import Tensor, nn

from endash.decoders.transformer import TransformerDecoderConfig
from endash.encoders.transformer import TransformerEncoderConfig
from endash.heads import HeadConfig
from endash.links.cross_attention import CrossAttentionConfig
from endash.network import Batch, Network
from endash.objectives.cross_entropy import projected_cross_entropy
from endash.parts import fused as module
from endash.parts.attention import MultiHeadAttention
from endash.parts.dropout import Dropout
from endash.parts.feed_forward import FeedForward
from endash.parts.masks import causal, score_bias
from endash.parts.residual import Residual

pytestmark = pytest.mark.skipif(module.native is None, reason="needs the native module and AVX-512 BF16")
D = 64


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    yield
    torch.set_num_threads(threads)


def values(work: Callable[[], Tensor], tensors: list[Tensor], dtype: torch.dtype) -> list[Tensor]:
    """What `work` gives, and the gradients of the sum of it, each part with a weight of its own."""
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=dtype == torch.bfloat16):
        out = work()
    weights = torch.sin(torch.arange(float(out.numel()))).view(out.shape)
    return [out.detach().float(), *torch.autograd.grad((out.float() * weights).sum(), tensors)]


def check(work: Callable[[], Tensor], tensors: list[Tensor], monkeypatch: pytest.MonkeyPatch) -> None:
    """Hold the fused way to float32: it may be little further from it than the plain way in bfloat16 is."""
    fast = values(work, tensors, torch.bfloat16)
    monkeypatch.setattr(module, "native", None)
    plain, precise = values(work, tensors, torch.bfloat16), values(work, tensors, torch.float32)
    assert not all(map(torch.equal, fast, plain))  # it is another way
    for number, (found, usual, wanted) in enumerate(zip(fast, plain, precise, strict=True)):
        # Another rounding or two, each to 8 bits.
        assert (found - wanted).norm() <= 1.7 * (usual - wanted).norm() + 0.01 * wanted.norm(), number


@pytest.mark.parametrize("by_torch", [False, True])
@pytest.mark.parametrize("rows", [1, 2, 13, 14, 15, 31, 513, 1100])
@pytest.mark.parametrize("sizes", [(32, 32), (64, 480), (480, 64)])
def test_products_are_those_of_float64(
    rows: int, sizes: tuple[int, int], by_torch: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_by_torch", by_torch)
    inputs, outputs = sizes
    x, weight, back = (
        torch.randn(shape).bfloat16() for shape in ((rows, inputs), (outputs, inputs), (inputs, outputs))
    )
    bias, shown, grad = (torch.randn(shape).bfloat16() for shape in ((outputs,), (rows, outputs), (rows, outputs)))
    straight, turned = x.double() @ weight.double().t(), x.double() @ back.double()
    near = {"rtol": 2**-7, "atol": 2**-5}  # sums in float32, one or two roundings to bfloat16 of numbers up to 100

    def close(found: Tensor, wanted: Tensor) -> None:
        torch.testing.assert_close(found.double(), wanted, **near)

    close(module.product(x, weight, bias, transposed=True), straight + bias)
    close(module.product(x, weight, bias, transposed=True, relu=True), (straight + bias).relu())
    close(module.product(x, back, transposed=False), turned)
    close(module.product(x, back, transposed=False, shown=shown), turned * (shown > 0))
    sums, totals = torch.ones(outputs, inputs), torch.ones(outputs)
    module.add_gradient(grad, x, sums, totals)
    precise = {} if by_torch else {"rtol": 1e-4, "atol": 1e-4}  # not rounded to bfloat16 on the way
    torch.testing.assert_close(sums.double(), 1 + grad.double().t() @ x.double(), **{**near, "atol": 0.5, **precise})
    torch.testing.assert_close(totals.double(), 1 + grad.double().sum(0), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("by_torch", [False, True])
def test_relu_leaves_what_is_no_number(by_torch: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_by_torch", by_torch)
    x, weight = torch.ones(15, 32).bfloat16(), torch.ones(64, 32).bfloat16()
    x[3, 5], weight[40] = torch.nan, -1
    found, wanted = module.product(x, weight, transposed=True, relu=True), (x @ weight.t()).relu()
    assert torch.equal(found.isnan(), wanted.isnan())
    assert torch.equal(found.nan_to_num(), wanted.nan_to_num())


@pytest.mark.parametrize("place", ["pre", "post"])
@pytest.mark.parametrize("length", [1, 7])
def test_residual_and_feed_forward(place: str, length: int, monkeypatch: pytest.MonkeyPatch) -> None:
    around = Residual(D, norm=place, dropout=0.0)  # type: ignore[arg-type]
    inner = FeedForward(D, 2 * D, activation="relu")
    nn.init.normal_(around.norm.weight)
    nn.init.normal_(around.norm.bias)
    x = torch.randn(3, length, D, requires_grad=True)
    check(lambda: around(x, inner), [x, *around.parameters(), *inner.parameters()], monkeypatch)


@pytest.mark.parametrize("kv_heads", [4, 2])
@pytest.mark.parametrize("rotary", [False, True])
@pytest.mark.parametrize("length", [1, 9, 37])
def test_attention(kv_heads: int, rotary: bool, length: int, monkeypatch: pytest.MonkeyPatch) -> None:
    attention = MultiHeadAttention(128, 128, heads=4, kv_heads=kv_heads)
    mask = torch.arange(length) < torch.tensor([[length], [max(1, length - 3)]])
    bias = score_bias(mask[:, None, None] & causal(length), torch.float32)
    x = torch.randn(2, length, 128, requires_grad=True)
    check(lambda: attention.attend_to_itself(x, bias, rotary=rotary).context, [x, *attention.parameters()], monkeypatch)


def test_a_row_with_nothing_to_read_gets_zeros() -> None:
    attention = MultiHeadAttention(D, D, heads=4, kv_heads=4)
    nn.init.zeros_(attention.output.bias)
    bias = score_bias(torch.zeros(1, 1, 1, 5, dtype=torch.bool), torch.float32)
    x = torch.randn(1, 5, D, requires_grad=True)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        context = attention.attend_to_itself(x, bias, rotary=False).context
    assert context.abs().max() == 0
    assert torch.isfinite(torch.autograd.grad(context.sum(), x)[0]).all()


@pytest.mark.parametrize("tokens", [1, 700])
def test_cross_entropy(tokens: int, monkeypatch: pytest.MonkeyPatch) -> None:
    hidden, weight = torch.randn(tokens, D, requires_grad=True), torch.randn(64, D, requires_grad=True)
    bias, target = torch.randn(64, requires_grad=True), torch.randint(64, (tokens,))

    def loss() -> Tensor:
        found = projected_cross_entropy(hidden, weight, bias, target, label_smoothing=0.1)
        return torch.stack([found.total, found.total + found.nll / tokens])

    check(loss, [hidden, weight, bias], monkeypatch)


def test_dropout_keeps_its_share_and_its_scale_and_has_the_gradient_of_what_was_kept() -> None:
    x, dropout = torch.ones(100, 64, requires_grad=True), Dropout(0.25)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        out = dropout(x)
    (grad,) = torch.autograd.grad(out.float().sum(), x)
    assert out.unique().tolist() == [0.0, pytest.approx(4 / 3, rel=4e-3)]
    assert torch.equal(grad, out.float())
    assert (out == 0).float().mean() == pytest.approx(0.25, abs=0.03)  # of 6400 draws: six deviations


def test_what_is_dropped_before_a_norm_has_no_gradient_and_the_seed_decides() -> None:
    around = Residual(D, norm="post", dropout=0.5)
    x, added = torch.zeros(9, D), torch.randn(9, D, requires_grad=True)

    def made() -> Tensor:
        torch.manual_seed(4)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            (grad,) = torch.autograd.grad((around(x, lambda _: added) * torch.randn(9, D)).sum(), added)
        return grad

    assert (made() == 0).float().mean() == pytest.approx(0.5, abs=0.13)  # of 576 draws: six deviations
    assert torch.equal(made(), made())


def network() -> Network:
    torch.manual_seed(2)
    shape = {"width": D, "layers": 2, "heads": 2, "feed_forward": 128, "dropout": 0.0}
    return Network(
        TransformerEncoderConfig.model_validate({**shape, "positions": "rotary"}),
        CrossAttentionConfig(heads=4),
        TransformerDecoderConfig.model_validate({**shape, "norm": "post"}),
        head=HeadConfig(tie="all"),
        source_size=64,
        target_size=64,
    )


def batch() -> Batch:
    source, target = torch.randint(4, 64, (2, 6, 9), generator=torch.Generator().manual_seed(3))
    source[2:, 5:], target[4:, 6:] = 0, 0
    return Batch(source, target)


def test_a_whole_network_has_the_gradients_of_the_plain_one(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = network()
    check(lambda: whole.loss(batch(), label_smoothing=0.1).total, list(whole.parameters()), monkeypatch)


def test_gradients_are_added_to_those_that_stand() -> None:
    found = []
    for standing in (None, 0.5):
        whole = network()
        for parameter in whole.parameters():
            parameter.grad = None if standing is None else torch.full_like(parameter, standing)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            whole.loss(batch(), label_smoothing=0.1).total.backward()
        found.append([parameter.grad - (standing or 0.0) for parameter in whole.parameters()])
    assert all(torch.allclose(one, other, atol=1e-6) for one, other in zip(*found, strict=True))


def test_ids_of_32_bits_are_read_as_what_they_are() -> None:
    table, tokens = torch.randn(9, D, requires_grad=True), torch.tensor([[3, 8, 3]], dtype=torch.int32)
    (grad,) = torch.autograd.grad(module.embed(tokens, table, 2.0).float().sum(), table)
    assert grad[:, 0].tolist() == [0, 0, 0, 4, 0, 0, 0, 0, 2]


def test_a_kept_copy_is_what_products_read() -> None:
    layer = nn.Linear(D, D)
    module.keep_copy(layer.weight, torch.zeros(D, D, dtype=torch.bfloat16))
    module.keep_copy(layer.bias, torch.ones(D, dtype=torch.bfloat16))
    assert (module.linear(torch.randn(2, D), layer) == 1).all()
    module.keep_copy(layer.weight, None)
    assert not (module.linear(torch.randn(2, D), layer) == 1).all()
