"""Write the page of the study."""

from reprocore.pipeline.jobs import job
from reprocore.report.page.tables import TABLES
from reprocore.report.page.write import write_page

with job(snakemake) as study:
    inputs = snakemake.input
    # A list where there are several files, a text where there is one.
    files = {
        name: [found] if isinstance(found := inputs[name], str) else list(found) for name in TABLES
    }
    output = snakemake.output
    write_page(study, files, inputs.corpus, inputs.continuations, output.page, output.answer)
