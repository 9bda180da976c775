"""The page: one file to read and to share, from all tables."""


def drawn_cells():
    """The cells of the arms that the page is about."""
    return [cell for cell in PLAN.taken if cell.arm == STUDY.primary_arm(cell.model)]


rule page:
    input:
        forced_if_damaged,
        **{
            name: model_tables(name)
            for name in ("estimates", "cells", "contrasts", "steps", "sensitivity")
            + ("sources", "early", "cross", "strata", "text")
        },
        pairs=all_pairs(),
        # By path: of a rule that names another's output, Snakemake looks up every input there, and
        # of a list that takes time with the square of its length.
        summary=f"{RESULTS}/summary.parquet",
        tuning=f"{RESULTS}/{TUNING_TABLE}" if STUDY.tuning else [],
        audit=f"{RESULTS}/audit.parquet" if STUDY.claims else [],
        continuations=cell_files(drawn_cells(), "continuations.parquet"),
        corpus=f"{RESULTS}/{TOKENS_FILE}",
    output:
        page=report(
            f"{RESULTS}/{PAGE}",
            caption="../report/page.rst",
            category="A page to read",
            labels={"content": "the study on one page"},
        ),
        answer=f"{RESULTS}/{ANSWER}",
    log:
        f"{RESULTS}/logs/page.log",
    params:
        **settings("page"),
        source=source(
            "page.py",
            "reprocore.report.page.write",
            templates=["reprocore.report.page"],
        ),
    script:
        "../scripts/page.py"
