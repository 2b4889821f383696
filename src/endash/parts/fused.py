"""The fused way of training: parts that take several operations at once, in bfloat16, on one thread of a CPU.

Each function here says in plain PyTorch what it computes, and does it by the native module (native/train_*.cpp), forward and
backward, with a fraction of the passes over memory. The parts ask `fused` and take their plain way where it says no: without
a native module, without AVX-512 BF16, in float32, on several threads, where no gradient is asked for. No recipe chooses.

Shapes: N rows (of any leading dimensions), D width, V vocabulary.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from endash.parts.precision import product_precision

_LANES = 64  # numbers for which a mask is drawn together
_PANEL = 32  # columns multiplied together


def _load() -> Any:
    try:
        module = importlib.import_module("endash._native").training
    except (ImportError, AttributeError):
        return None
    return module if module.available() else None


native: Any = _load()
_by_torch = native is not None and native.has_matrix_unit()  # where oneDNN's products are the faster ones


def fused(x: Tensor) -> bool:
    """Whether parts that are given `x` take the fused way."""
    return (
        native is not None
        and torch.is_grad_enabled()
        and x.device.type == "cpu"
        and product_precision(x) == torch.bfloat16
        and torch.get_num_threads() == 1
    )


def in_products(parameter: Tensor) -> Tensor:
    """A parameter in bfloat16: the copy that `keep_copy` has of it, or a new one."""
    copy: Tensor | None = getattr(parameter, "copy_for_products", None)
    return parameter.detach().to(torch.bfloat16) if copy is None else copy


def keep_copy(parameter: Tensor, copy: Tensor | None) -> None:
    """Have products with `parameter` read `copy`, which whoever changes the parameter keeps up to date; None: no longer."""
    if copy is not None:
        parameter.copy_for_products = copy  # type: ignore[attr-defined]
    elif hasattr(parameter, "copy_for_products"):
        del parameter.copy_for_products


def gradient_place(parameter: Tensor) -> tuple[Tensor, Tensor | None]:
    """Where a backward pass adds up the gradient of a parameter in float32, and what it returns for it then.

    That is `parameter.grad` itself where it stands, as autograd would add to it, and nothing is left to return.
    """
    grad = parameter.grad if parameter.is_leaf else None
    if grad is not None and grad.dtype == torch.float32 and grad.is_contiguous():
        return grad, None
    place = torch.zeros(parameter.shape)
    return place, place


def product(
    x: Tensor,
    matrix: Tensor,
    bias: Tensor | None = None,
    *,
    transposed: bool,
    relu: bool = False,
    shown: Tensor | None = None,
) -> Tensor:
    """``x @ matrix.T`` (transposed) or ``x @ matrix``, plus `bias`, all in bfloat16; (…, I) → (…, O).

    With `relu` what is below zero is zero; with `shown`, as large as the product, what `shown` has not above zero.
    """
    if _by_torch:
        out = nn.functional.linear(x, matrix if transposed else matrix.t(), bias)
        out = out.relu_() if relu else out
        return out if shown is None else out.mul_(shown > 0)
    outputs, inputs = matrix.shape if transposed else matrix.shape[::-1]
    out = x.new_empty(*x.shape[:-1], outputs)
    native.product(
        x.data_ptr(),
        matrix.data_ptr(),
        transposed,
        out.data_ptr(),
        (x.numel() // inputs, inputs, outputs),
        (0 if bias is None else bias.data_ptr(), relu, 0 if shown is None else shown.data_ptr()),
    )
    return out


def add_gradient(grad: Tensor, x: Tensor, weight: Tensor, bias: Tensor) -> None:
    """Add ``grad.T @ x`` to `weight`, (O, I) in float32, and the sum of `grad` over its rows to `bias`; (…, O), (…, I)."""
    outputs, inputs = weight.shape
    if _by_torch:
        rows = grad.reshape(-1, outputs)
        weight.add_(rows.t() @ x.reshape(-1, inputs))
        bias.add_(rows.sum(0, dtype=torch.float32))
        return
    shape = grad.numel() // outputs, outputs, inputs
    native.add_gradient(grad.data_ptr(), x.data_ptr(), weight.data_ptr(), bias.data_ptr(), shape)


def multiplies(*weights: Tensor) -> bool:
    """Whether products with matrices of these sizes are computed here."""
    return all(size % _PANEL == 0 for weight in weights for size in weight.shape)


def linear(x: Tensor, layer: nn.Linear) -> Tensor:
    """``layer(x)``; (…, I) → (…, O)."""
    if not multiplies(layer.weight):
        return layer(x)  # type: ignore[no-any-return]
    out: Tensor = _Linear.apply(x.to(torch.bfloat16), layer.weight, layer.bias)  # type: ignore[no-untyped-call]
    return out


class _Linear(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        x, matrix = x.contiguous(), in_products(weight)
        ctx.parameters = weight, bias
        ctx.save_for_backward(x, matrix)
        return product(x, matrix, in_products(bias), transposed=True)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        (x, matrix), grad = ctx.saved_tensors, grads[0].contiguous()
        (weight, give), (bias, give_bias) = map(gradient_place, ctx.parameters)
        add_gradient(grad, x, weight, bias)
        return product(grad, matrix, transposed=False), give, give_bias


def feed_forward(x: Tensor, inner: nn.Linear, outer: nn.Linear) -> Tensor:
    """``outer(relu(inner(x)))``; (…, D) → (…, D)."""
    parameters = inner.weight, inner.bias, outer.weight, outer.bias
    out: Tensor = _FeedForward.apply(x.to(torch.bfloat16), *parameters)  # type: ignore[no-untyped-call]
    return out


class _FeedForward(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, *parameters: Tensor) -> Tensor:
        first, first_bias, second, second_bias = map(in_products, parameters)
        x = x.contiguous()
        hidden = product(x, first, first_bias, transposed=True, relu=True)
        ctx.parameters = parameters
        ctx.save_for_backward(x, hidden, first, second)
        return product(hidden, second, second_bias, transposed=True)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        (x, hidden, first, second), grad = ctx.saved_tensors, grads[0].contiguous()
        places, given = zip(*map(gradient_place, ctx.parameters), strict=True)
        add_gradient(grad, hidden, *places[2:])
        grad = product(grad, second, transposed=False, shown=hidden)
        add_gradient(grad, x, *places[:2])
        return product(grad, first, transposed=False), *given


def embed(tokens: Tensor, weight_VD: Tensor, scale: float) -> Tensor:
    """``embedding(tokens, weight) * scale``; token ids (…) → (…, D)."""
    vectors: Tensor = _Embed.apply(tokens, weight_VD, scale)  # type: ignore[no-untyped-call]
    return vectors


class _Embed(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, tokens: Tensor, weight: Tensor, scale: float) -> Tensor:
        ctx.save_for_backward(tokens)
        ctx.weight, ctx.scale = weight, scale
        return nn.functional.embedding(tokens, in_products(weight)).mul_(scale)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        (tokens,), grad = ctx.saved_tensors, grads[0].contiguous()
        place, give = gradient_place(ctx.weight)
        tokens = tokens.long().contiguous()
        native.add_rows(grad.data_ptr(), place.data_ptr(), tokens.numel(), grad.shape[-1], tokens.data_ptr(), ctx.scale)
        return None, give, None


def fits(width: int) -> bool:
    """Whether rows of this width can be dropped from and normed here."""
    return width % _LANES == 0


def drop(x: Tensor, probability: float, *, onto: Tensor | None = None) -> Tensor:
    """``dropout(x)``, or ``onto + dropout(x)``; both (…, D)."""
    dropped: Tensor = _Drop.apply(x.to(torch.bfloat16), onto, min(round(256 * probability), 255))  # type: ignore[no-untyped-call]
    return dropped


class _Drop(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, onto: Tensor | None, dropped: int) -> Tensor:
        x, out = x.contiguous(), torch.empty_like(x, memory_format=torch.contiguous_format)
        keep = torch.empty(x.numel() // _LANES, dtype=torch.int64)
        base = 0 if onto is None else onto.contiguous().data_ptr()
        native.drop_forward(x.data_ptr(), base, out.data_ptr(), keep.data_ptr(), x.numel(), _seed(), dropped)
        ctx.save_for_backward(keep)
        ctx.dropped, ctx.onto = dropped, onto is not None
        return out

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        (keep,), grad = ctx.saved_tensors, grads[0].contiguous()
        out = torch.empty_like(grad)
        native.drop_backward(grad.data_ptr(), out.data_ptr(), keep.data_ptr(), grad.numel(), ctx.dropped)
        return out, grad if ctx.onto else None, None


def norm(x: Tensor, layer: nn.LayerNorm, *, added: Tensor | None = None, dropout: float = 0.0) -> Tensor:
    """``layer(x)``, or ``layer(x + dropout(added))``; all (…, D)."""
    dropped = 0 if added is None else min(round(256 * dropout), 255)
    added = None if added is None else added.to(torch.bfloat16)
    out: Tensor = _Norm.apply(x.to(torch.bfloat16), added, layer.weight, layer.bias, dropped, layer.eps)  # type: ignore[no-untyped-call]
    return out


class _Norm(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, x: Tensor, added: Tensor | None, weight: Tensor, bias: Tensor, dropped: int, epsilon: float
    ) -> Tensor:
        x, width = x.contiguous(), x.shape[-1]
        added = None if added is None else added.contiguous()
        out, normal = (torch.empty_like(x, memory_format=torch.contiguous_format) for _ in range(2))
        rates = torch.empty(x.numel() // width)
        keep = torch.empty(0 if added is None else x.numel() // _LANES, dtype=torch.int64)
        tensors = weight.detach().float(), bias.detach().float(), normal, rates, keep
        ctx.save_for_backward(*tensors)
        ctx.settings, ctx.parameters = (len(rates), width, dropped, epsilon), (weight, bias)
        ctx.added = added is not None
        seed, base = (0, 0) if added is None else (_seed(), added.data_ptr())
        of = _norm_of(tensors, ctx.settings)
        native.norm_forward(of, x.data_ptr(), base, out.data_ptr(), seed)
        return out

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        grad = grads[0].contiguous()
        (weight, give), (bias, give_bias) = map(gradient_place, ctx.parameters)
        grad_x, grad_added = torch.empty_like(grad), torch.empty_like(grad) if ctx.added else None
        to = 0 if grad_added is None else grad_added.data_ptr()
        of = _norm_of(ctx.saved_tensors, ctx.settings)
        native.norm_backward(of, grad.data_ptr(), grad_x.data_ptr(), to, weight.data_ptr(), bias.data_ptr())
        return grad_x, grad_added, give, give_bias, None, None


def _norm_of(tensors: Sequence[Tensor], settings: tuple[Any, ...]) -> Any:
    return native.norm(*(tensor.data_ptr() for tensor in tensors), *settings)


def _seed() -> int:
    """Drawn from torch's generator, so that its state and seed decide what is dropped."""
    return int(torch.empty((), dtype=torch.int64).random_().item())
