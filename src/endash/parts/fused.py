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


def _load() -> Any:
    try:
        module = importlib.import_module("endash._native").training
    except (ImportError, AttributeError):
        return None
    return module if module.available() else None


native: Any = _load()


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


def linear(x: Tensor, layer: nn.Linear, *, relu: bool = False) -> Tensor:
    """``layer(x)``, or ``relu(layer(x))``; (…, D) → (…, D')."""
    if relu and layer.out_features % _LANES:
        return linear(x, layer).relu_()
    out: Tensor = _Linear.apply(x.to(torch.bfloat16), layer.weight, layer.bias, relu)  # type: ignore[no-untyped-call]
    return out


class _Linear(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, relu: bool) -> Tensor:
        matrix = in_products(weight)
        out = nn.functional.linear(x, matrix, in_products(bias))
        ctx.parameters, ctx.relu = (weight, bias), relu
        ctx.save_for_backward(x, matrix, *((out.relu_(),) if relu else ()))
        return out

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        x, matrix, *out = ctx.saved_tensors
        grad = grads[0].contiguous()
        if ctx.relu:
            through = torch.empty_like(grad)
            native.relu_backward(out[0].data_ptr(), grad.data_ptr(), through.data_ptr(), grad.numel())
            grad = through
        rows = grad.view(-1, grad.shape[-1])
        (weight, give), (bias, give_bias) = map(gradient_place, ctx.parameters)
        product = torch.mm(rows.t(), x.reshape(-1, x.shape[-1]))
        native.add_up(product.data_ptr(), weight.data_ptr(), product.numel(), 1.0)
        native.add_rows(rows.data_ptr(), bias.data_ptr(), *rows.shape, 0, 1.0)
        return torch.mm(rows, matrix).view(x.shape), give, give_bias, None


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
