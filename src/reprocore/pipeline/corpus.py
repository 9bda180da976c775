"""The corpus and the probe that a study asks for."""

from pathlib import Path

from reprocore.data.probe import Probe, build_probe
from reprocore.data.text import load_text
from reprocore.data.tokens import Corpus, encode
from reprocore.study.study import Study


def study_corpus(study: Study, cache: Path) -> Corpus:
    """Return the text of a study as token ids.

    Args:
        study: the resolved study.
        cache: folder for what is downloaded.

    Raises:
        ReprocoreError: the text cannot be had, or is too short to be split.
    """
    source = study.corpus
    text = load_text(
        source.source, path=source.path, url=source.url, sha256=source.sha256, cache=cache
    )
    return encode(text, source.train_fraction)


def study_probe(study: Study, corpus: Corpus) -> Probe:
    """Return the validation characters that every cell of a study predicts.

    Raises:
        ReprocoreError: the validation split is too short.
    """
    probe = study.probe
    return build_probe(corpus, context=probe.lead, positions=probe.positions, block=probe.block)
