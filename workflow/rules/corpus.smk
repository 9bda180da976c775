"""The text as token ids, and the characters on which all models are compared."""


def corpus_text(_wildcards):
    return [STUDY.corpus.path] if STUDY.corpus.source == "file" else []


rule corpus:
    input:
        corpus_text,
    output:
        f"{RESULTS}/corpus/tokens.parquet",
    log:
        f"{RESULTS}/logs/corpus.log",
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        settings=settings("corpus"),
        source=source("corpus.py", "reprocore.data.tokens"),
    script:
        "../scripts/corpus.py"


rule probe:
    input:
        rules.corpus.output,
    output:
        f"{RESULTS}/corpus/probe.parquet",
    log:
        f"{RESULTS}/logs/probe.log",
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        settings=settings("probe"),
        source=source("probe.py", "reprocore.data.tokens"),
    script:
        "../scripts/probe.py"
