"""A small corpus, and the digest that names a text."""

import hashlib

import numpy as np

from reprocore.data.tokens import Corpus, encode


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def small_corpus(size: int = 1000) -> Corpus:
    letters = np.random.default_rng(0).integers(97, 123, size).astype(np.uint8)
    return encode(letters.tobytes().decode(), 0.5)
