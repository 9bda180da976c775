"""The command `compare`: groups of files of predictions, from the arguments to what is printed."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from reprocore.errors import ReprocoreError
from reprocore.kinds import Layout, OutputKind

if TYPE_CHECKING:
    from reprocore.analysis.groups.reproducibility import Reproducibility
    from reprocore.store.arrays.manifest import Member

FILES = "Files, or GROUP=FILES for each group; * stands for any text, quote it from the shell."


def compare(
    files: Annotated[
        list[str] | None, typer.Argument(metavar="[GROUP=]FILES...", help=FILES)
    ] = None,
    manifest: Annotated[
        Path | None, typer.Option(help="CSV with file, group and, if wanted, seed and step.")
    ] = None,
    targets: Annotated[
        Path | None, typer.Option(help="What really came, one whole number per position.")
    ] = None,
    kind: Annotated[OutputKind, typer.Option(help="What the files hold.")] = (
        OutputKind.PROBABILITIES
    ),
    layout: Annotated[
        Layout | None,
        typer.Option(help="First axis of arrays with one more: models, or batches of one model."),
    ] = None,
    seeds: Annotated[
        str | None,
        typer.Option(
            metavar="PATTERN",
            help="File names that hold a seed, such as '*-{seed}.npy': pairs them.",
        ),
    ] = None,
    blocks: Annotated[
        str | None,
        typer.Option(
            metavar="SIZE|FILE",
            help="Positions drawn together, or a file of a label for each: intervals for new data.",
        ),
    ] = None,
    reference: Annotated[
        str | None, typer.Option(help="Group that others are held against.  [default: the first]")
    ] = None,
    measure: Annotated[
        str | None, typer.Option(help="Declared measure.  [default: relative_pd, of labels churn]")
    ] = None,
    step: Annotated[
        int | None, typer.Option(help="Snapshot of Parquet files; the last if not given.")
    ] = None,
    confidence: Annotated[float, typer.Option(help="Level of the interval.")] = 0.95,
    allow_identical: Annotated[
        bool, typer.Option("--allow-identical", help="Accept files that hold the same numbers.")
    ] = False,
    json: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write all tables; - is standard output.")
    ] = None,
    csv: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Write each table as a CSV file.")
    ] = None,
    plot: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Draw the levels as .png and .svg.")
    ] = None,
    page: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write all that is found as one HTML page."),
    ] = None,
) -> None:
    """Compare the predictions of models: how much they differ by seed, and groups in that.

    Files are .npy, .npz, .safetensors, .pt, .parquet, or .jsonl of lm-evaluation-harness.
    """
    from reprocore.analysis.groups.files import compare_files
    from reprocore.analysis.groups.reproducibility import Question
    from reprocore.report.terminal import console
    from reprocore.store.arrays.reading import read_labels

    if plot is not None and plot.suffix not in (".png", ".svg"):
        raise ReprocoreError(f"--plot {plot}: allowed are files that end in .png or .svg")
    result = compare_files(
        _members(files or [], manifest, seeds, step),
        Question(reference, measure, confidence, allow_identical),
        kind=kind,
        layout=layout,
        targets=None if targets is None else read_labels(targets, "targets"),
        blocks=_blocks(blocks),
    )
    _show(result, confidence, json)
    for path in _written(result, confidence, json=json, csv=csv, plot=plot, page=page):
        if str(json) != "-":
            console.lines(f"written: {path}")


def _members(
    files: list[str], manifest: Path | None, seeds: str | None, step: int | None
) -> "list[Member]":
    from reprocore.store.arrays.manifest import members_of, read_manifest

    if manifest is None:
        return members_of(files, seeds, step)
    if files or seeds is not None or step is not None:
        raise ReprocoreError("--manifest: names files, seeds and steps itself; leave these out")
    return read_manifest(manifest)


def _blocks(text: str | None) -> Any:
    from reprocore.store.arrays.reading import OF_LABELS, read_labels
    from reprocore.store.arrays.whole_numbers import whole_number

    if text is None:
        return None
    size = whole_number(text)
    if size is None and Path(text).suffix not in OF_LABELS:
        raise ReprocoreError(
            f"--blocks {text}: must be a number of positions, or a file that ends in "
            f"{', '.join(OF_LABELS)}"
        )
    return read_labels(text, "blocks") if size is None else size


def _show(result: "Reproducibility", confidence: float, json: Path | None) -> None:
    """Print the tables, or all of them as JSON where that is wanted."""
    from reprocore.analysis.groups.files import last_step
    from reprocore.report.comparison import as_json, print_groups, print_one_group

    tables = last_step(result)
    if str(json) == "-":
        print(as_json(result))
    elif len(set(tables["estimates"]["group"])) > 1:
        print_groups(tables, confidence)
    else:
        print_one_group(tables, confidence)


def _written(
    result: "Reproducibility",
    confidence: float,
    json: Path | None,
    csv: Path | None,
    plot: Path | None,
    page: Path | None,
) -> list[Path]:
    """Write the tables, the figure and the page where they are wanted; return the files."""
    from reprocore.analysis.groups.files import last_step
    from reprocore.report.comparison import as_json, write_tables
    from reprocore.store.files import atomic

    tables = last_step(result)
    written = [] if csv is None else write_tables(result, csv)
    if json is not None and str(json) != "-":
        with atomic(json) as temporary:
            temporary.write_text(as_json(result) + "\n", "utf-8")
        written.append(json)
    if plot is not None:
        from reprocore.report.figures import style
        from reprocore.report.figures.groups import draw_groups

        written += style.save(draw_groups(tables["estimates"], confidence), plot)
    if page is not None:
        from reprocore.report.page.own import write_own_page

        write_own_page(tables, confidence, "Predictions compared", page)
        written.append(page)
    return written
