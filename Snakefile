"""`snakemake` in this folder runs workflow/Snakefile; both give the same plan."""


include: "workflow/Snakefile"


# The default target of an included file does not count.
workflow.default_target = "all"
