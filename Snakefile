"""How much do a model's predictions change when it is trained again with another seed?

snakemake --cores 8                                       the full study, config/config.yaml
snakemake --cores 2 --configfile config/quick.yaml        a small one
"""

from snakemake.utils import min_version

min_version("9.10")

if not workflow.configfiles:

    configfile: "config/config.yaml"


include: "workflow/rules/common.smk"
include: "workflow/rules/corpus.smk"


# In a partial study the cells are given and nothing may train.
if not STUDY.partial:

    include: "workflow/rules/train.smk"


include: "workflow/rules/compare.smk"
include: "workflow/rules/summarise.smk"
include: "workflow/rules/figures.smk"
include: "workflow/rules/audit.smk"


# On a cluster these run where Snakemake does: seconds long, and `corpus` needs the network.
localrules:
    corpus,
    probe,
    summarise,
    across,
    audit,
    draw_model,
    draw_study,


rule all:
    default_target: True
    input:
        f"{RESULTS}/summary.parquet",
        f"{RESULTS}/across/ratios.parquet",
        rules.audit.output,
        study_figures(),
        model_figures,
        # Each cell by name: one that was deleted is made again.
        [cell_file(cell, name) for cell in TAKEN for name in CELL_FILES],


# Told in study.json. Jobs read this file too, but Snakemake starts them without these.
onstart:
    told(RUN.begin)


onsuccess:
    told(RUN.end, "success")


onerror:
    told(RUN.end, "failure")
    name_failed_cells()
