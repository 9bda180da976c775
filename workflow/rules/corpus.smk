"""The text as token ids, and the characters on which all models are compared."""


def corpus_text(_wildcards):
    return [STUDY.corpus.path] if STUDY.corpus.source == "file" else []


rule corpus:
    input:
        forced_if_damaged,
        corpus_text,
    output:
        tokens=f"{RESULTS}/{TOKENS_FILE}",
    log:
        f"{RESULTS}/logs/corpus.log",
    params:
        **settings("corpus"),
        source=source("corpus.py", "reprocore.pipeline.corpus", layers=CELL_LAYERS),
    script:
        "../scripts/corpus.py"


rule probe:
    input:
        forced_if_damaged,
        tokens=rules.corpus.output.tokens,
    output:
        probe=f"{RESULTS}/{PROBE_FILE}",
    log:
        f"{RESULTS}/logs/probe.log",
    params:
        **settings("probe"),
        source=source("probe.py", "reprocore.pipeline.corpus", layers=CELL_LAYERS),
    script:
        "../scripts/probe.py"
