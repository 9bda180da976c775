"""Causal attention with dropout of its weights, forward and backward.

Written out, because PyTorch's own has no fast path with dropout on the CPU and draws from the
global generator. Queries are taken in blocks of time that read no key behind their end, so that
half of the products with the future, or more, are never computed; see
docs/decisions/0004-attention-and-dropout.md.
"""

import math
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor

# Queries per block: fewer compute less of the future, in smaller and so slower products.
QUERIES = 64


def causal_attention(
    heads: Tensor, future: Tensor, mask: Callable[[torch.Size, torch.dtype], Tensor] | None
) -> Tensor:
    """Return softmax(q kᵀ / √D) v over the past, its weights multiplied by masks.

    Args:
        heads: queries, keys and values [3, N, T, D], N = batch · heads.
        future: [T, T] or larger: -inf above the diagonal, else 0.
        mask: gives a dropout mask of a shape and dtype; None for none.

    Returns:
        [N, T, D], of the dtype of `heads`.
    """
    masks = []
    if mask is not None:
        count, time = heads.shape[1:3]
        shapes = (torch.Size((count, end - start, end)) for start, end in _blocks(time))
        masks = [mask(shape, heads.dtype) for shape in shapes]
    mixed: Tensor = _CausalAttention.apply(heads, future, *masks)
    return mixed


def _blocks(time: int) -> Iterator[tuple[int, int]]:
    for start in range(0, time, QUERIES):
        yield start, min(start + QUERIES, time)


def _product(left: Tensor, right: Tensor, factor: float) -> Tensor:
    """Return factor · left @ right, [N, ·, ·]."""
    return torch.baddbmm(left.new_empty(1, 1, 1), left, right, beta=0, alpha=factor)


def _add_product(total: Tensor, left: Tensor, right: Tensor, kept: int, factor: float = 1) -> None:
    """Set `total` to kept · total + factor · left @ right; what is not kept may be anything."""
    torch.baddbmm(total, left, right, beta=kept, alpha=factor, out=total)


class _CausalAttention(torch.autograd.Function):
    """With scores s, P their softmax, M a mask, D = P ⊙ M and O = D v.

    For the gradient G of O: dv = Dᵀ G and ds = D ⊙ (G vᵀ) - P · rowsum(G ⊙ O), as in Dao et al.
    2022, appendix B.
    """

    @staticmethod
    def forward(ctx: Any, heads: Tensor, future: Tensor, *masks: Tensor) -> Tensor:
        query, key, value = heads
        mixed = torch.empty_like(query)
        saved = []
        for index, (start, end) in enumerate(_blocks(query.shape[1])):
            weights = _product(query[:, start:end], key[:, :end].mT, _scale(query))
            weights[:, :, start:].add_(future[: end - start, : end - start])
            torch.softmax(weights, dim=-1, out=weights)
            dropped = masks[index].mul_(weights) if masks else weights
            torch.bmm(dropped, value[:, :end], out=mixed[:, start:end])
            saved += [weights, dropped]
        ctx.save_for_backward(heads, mixed, *saved)
        return mixed

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        heads, mixed, *saved = ctx.saved_tensors
        query, key, value = heads
        (gradient,) = gradients
        found = torch.empty_like(heads)
        d_query, d_key, d_value = found
        row_sums = (gradient * mixed).sum(dim=-1, keepdim=True)
        # The last block first: it reads all keys, so that the others add to what it gave.
        for index, (start, end) in reversed([*enumerate(_blocks(query.shape[1]))]):
            weights, dropped = saved[2 * index : 2 * index + 2]
            rows, queries, before = gradient[:, start:end], query[:, start:end], slice(end)
            kept = 0 if end == query.shape[1] else 1
            _add_product(d_value[:, before], dropped.mT, rows, kept)
            d_scores = torch.bmm(rows, value[:, before].mT).mul_(dropped)
            d_scores.addcmul_(weights, row_sums[:, start:end], value=-1)
            _add_product(d_query[:, start:end], d_scores, key[:, before], 0, _scale(query))
            _add_product(d_key[:, before], d_scores.mT, queries, kept, _scale(query))
        return found, *(None for _ in ctx.needs_input_grad[1:])


def _scale(query: Tensor) -> float:
    return 1 / math.sqrt(query.shape[-1])
