"""Text from a trained model: the likeliest, or drawn."""

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from reprocore.data.probe import Probe, prompts
from reprocore.data.tokens import Corpus, decode
from reprocore.errors import ReprocoreError

# What a cell writes: how many continuations, how many characters of the probe's text stand before
# each, and its length. Longer prompts cost more; see docs/decisions/0005.
PROMPTS, PROMPT_LENGTH, CONTINUATION_LENGTH = 32, 64, 64


def continuations(
    model: nn.Module, corpus: Corpus, probe: Probe, context: int
) -> dict[str, list[Any]]:
    """Return the columns of `CONTINUATIONS_SCHEMA`: greedy continuations of the probe's text.

    The prompts stand right before blocks of the probe and are the same for all cells of a study,
    but that a model of shorter context sees their last `context` characters only.

    Args:
        model: maps token ids [C, T] to logits [C, T, V]; in evaluation mode.
        corpus: that the model has learned.
        probe: of that corpus.
        context: characters that the model can see.
    """
    positions, inputs = prompts(corpus, probe, min(context, PROMPT_LENGTH), PROMPTS)
    begun = torch.from_numpy(inputs).to(next(model.parameters()).device)
    written = likeliest(model, begun, context, CONTINUATION_LENGTH).cpu().numpy()
    return {
        "position": positions.tolist(),
        "continuation": [decode(tokens, corpus.symbols) for tokens in written],
    }


@torch.no_grad()
def likeliest(model: nn.Module, prompts: Tensor, context: int, length: int) -> Tensor:
    """Return the greedy continuations of prompts, int64 [C, length].

    Args:
        model: maps token ids [C, T] to logits [C, T, V]; in evaluation mode.
        prompts: int64 [C, P], P at least 1, on the device of the model.
        context: characters that the model can see.
        length: characters to append to each prompt, one after another.
    """
    tokens = prompts
    for _ in range(length):
        following = model(tokens[:, -context:])[:, -1].argmax(dim=-1, keepdim=True)
        tokens = torch.cat([tokens, following], dim=1)
    return tokens[:, prompts.shape[1] :]


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
