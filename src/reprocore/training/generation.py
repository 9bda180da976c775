"""Text drawn from a trained model."""

import numpy as np
import torch
from torch import nn

from reprocore.data.tokens import decode
from reprocore.errors import ReprocoreError


@torch.no_grad()
def sample(
    model: nn.Module,
    symbols: tuple[str, ...],
    context: int,
    *,
    prompt: str,
    length: int,
    temperature: float,
    seed: int,
) -> str:
    """Return `prompt` continued by `length` characters drawn from the model.

    Args:
        model: maps token ids [1, T] to logits [1, T, V]; in evaluation mode.
        symbols: the character of each id.
        context: characters that the model can see.
        prompt: at least one character, all of them in `symbols`.
        length: characters to draw.
        temperature: above 0; below 1 favours the likely ones.
        seed: of the draws.

    Raises:
        ReprocoreError: an empty prompt, or a character that the corpus does not have.
    """
    ids = {symbol: index for index, symbol in enumerate(symbols)}
    unknown = sorted(set(prompt) - set(ids))
    if unknown or not prompt:
        what = f"character {unknown[0]!r} is not in the corpus" if unknown else "is empty"
        raise ReprocoreError(f"prompt: {what}; allowed: {''.join(symbols)!r}")
    random = np.random.default_rng(seed)
    tokens = [ids[character] for character in prompt]
    for _ in range(length):
        logits = model(torch.tensor([tokens[-context:]]))[0, -1].double() / temperature
        cumulative = torch.softmax(logits, dim=-1).cumsum(0).numpy()
        drawn = int(np.searchsorted(cumulative, random.random() * cumulative[-1], side="right"))
        tokens.append(min(drawn, len(symbols) - 1))
    return decode(np.array(tokens), symbols)
