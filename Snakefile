"""`snakemake` in this folder runs workflow/Snakefile; both give the same plan."""


include: "workflow/Snakefile"
