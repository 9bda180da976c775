"""The command `reprocore`: what a study's files say, without Snakemake."""

import sys
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich import box
from rich.console import Console
from rich.table import Table

from reprocore.errors import ReprocoreError
from reprocore.report.terminal import duration, interval_numbers, table_of
from reprocore.vocabulary import counted

if TYPE_CHECKING:
    from reprocore.pipeline.plan import Problem
    from reprocore.study.study import Study

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="How reproducible are a model's predictions when it is trained again?",
)
console = Console(highlight=False)

ConfigOption = Annotated[
    Path | None,
    typer.Option(
        "--configfile",
        "-c",
        help="The study's configuration, in YAML.  [default: config/config.yaml of the project]",
    ),
]
ValuesOption = Annotated[
    list[str] | None,
    typer.Option(
        "--config",
        metavar="KEY=VALUE ...",
        help="Values over those of the file, as Snakemake takes them.",
    ),
]
DirectoryOption = Annotated[
    Path | None,
    typer.Option(
        help="Folder in which the study is run.  [default: this folder, or the nearest above it, "
        "that holds the Snakefile]"
    ),
]
CellArgument = Annotated[
    str, typer.Argument(help="MODEL/ACTIVATION/SEED, such as charlm/relu/1 or charlm/relu/init-1.")
]
# How many problems of one kind are listed unless all are asked for.
SHOWN = 20

MARKS = {
    "done": "[green]✓[/]",
    "stale": "[yellow]~[/]",
    "damaged": "[bold yellow]![/]",
    "failed": "[bold red]✗[/]",
    "begun": "[cyan]›[/]",
    "missing": "[dim]·[/]",
    "not runnable": "[dim]–[/]",
}


def main() -> None:
    """Run the command line; a user's mistake ends it with one line and status 1."""
    try:
        app(args=_config_values_apart(sys.argv[1:]))
    except ReprocoreError as error:
        print(f"error: {error}", file=sys.stderr)
        raise SystemExit(1) from None


@app.command()
def status(
    configfile: ConfigOption = None,
    config: ValuesOption = None,
    directory: DirectoryOption = None,
) -> None:
    """Show the study as a matrix of cells: done, stale, damaged, failed, begun, missing, ..."""
    from reprocore.pipeline.runs import open_study
    from reprocore.pipeline.status import seconds_left, study_status
    from reprocore.pipeline.verify import has_run

    study, command = open_study(configfile, config, directory)
    statuses = study_status(study)
    rows: dict[tuple[str, str, str], list[str]] = {}
    for each in statuses:
        key = (each.cell.model, each.cell.activation, each.cell.arm)
        rows.setdefault(key, []).append(MARKS[each.state])
    _print_title(study)
    table = Table(box=box.SIMPLE_HEAD)
    for head in ("model", "activation", "arm"):
        table.add_column(head, overflow="fold")
    table.add_column(f"seeds {', '.join(map(str, study.seeds))}", overflow="fold")
    for key, marks in rows.items():
        table.add_row(*key, " ".join(marks))
    console.print(table)
    counts = Counter(str(status.state) for status in statuses)
    console.print(", ".join(f"{MARKS[state]} {counts[state]} {state}" for state in MARKS))
    for each in statuses:
        if each.reason:
            console.print(f"{each.state} {each.cell.key}: {each.reason}", markup=False)
    _print_recorded(study)
    if not has_run(study):
        print(f"Nothing has run yet. To start: {command}")
        return
    seconds, unknown = seconds_left(statuses)
    if seconds:
        console.print(f"left: about {duration(seconds)} of training on one core, start-up apart")
    if unknown:
        console.print(f"time unknown, as no cell is done yet: {', '.join(unknown)}")


@app.command()
def verify(
    configfile: ConfigOption = None,
    config: ValuesOption = None,
    directory: DirectoryOption = None,
    quick: Annotated[bool, typer.Option("--quick", help="Do not read whole files.")] = False,
    everything: Annotated[
        bool, typer.Option("--all", help="List every file, however many.")
    ] = False,
) -> None:
    """Check every file of the results: damaged, stale, missing, ...; say what repairs it."""
    from reprocore.pipeline.contents import KINDS, kind_of
    from reprocore.pipeline.repair import repairs
    from reprocore.pipeline.runs import is_held, open_study
    from reprocore.pipeline.verify import PROBLEMS, has_run
    from reprocore.pipeline.verify import verify as check

    study, command = open_study(configfile, config, directory)
    if not has_run(study):
        print(f"{Path(study.results).absolute()}: nothing has run yet. To start: {command}")
        raise typer.Exit(1)
    result = check(study, quick)
    counts = Counter((kind_of(problem.path), problem.state) for problem in result.problems)
    _print_title(study)
    heads = ("files", *PROBLEMS)
    rows = [
        [kind, str(files), *(str(counts[kind, state] or "·") for state in PROBLEMS)]
        for kind in KINDS
        if (files := result.checked[kind])
    ]
    console.print(table_of(None, ("kind", *heads), rows, numbers=heads))
    limit = None if everything else SHOWN
    _print_problems(study, result.problems, limit)
    _print_recorded(study)
    if result.kept:
        print("Beside this study, and kept:")
        _print_problems(study, result.kept, limit)
    if not result.problems:
        print("No problem is seen; files were not read." if quick else "All is well.")
        return
    if is_held(study.results):
        print("A run is writing here now; verify again when it has ended.")
        raise typer.Exit(1)
    repair = repairs(result.plan, result.problems, command)
    if repair.elsewhere:
        print("To be trained again where there is a GPU:")
        _print_problems(study, repair.elsewhere, limit)
    print("To repair:")
    for line in repair.commands:
        print(f"  {line}")
    raise typer.Exit(1)


@app.command()
def compare(
    files: Annotated[list[Path], typer.Argument(help="Two or more .parquet, .npy or .npz files.")],
    step: Annotated[
        int | None, typer.Option(help="Snapshot of Parquet files; the last if not given.")
    ] = None,
    confidence: Annotated[float, typer.Option(help="Level of the interval.")] = 0.95,
) -> None:
    """Compare the predictions of models: every measure, with an interval from three files on."""
    from reprocore.analysis.arrays import compare_arrays, load_array

    pairs, values, estimates = compare_arrays(
        [load_array(path, step) for path in files], confidence
    )
    title = f"{len(files)} models, {counted(len(pairs), 'pair')}"
    heads = ("mean", "low", "high", "lowest", "highest")
    rows = []
    for name, estimate in estimates.items():
        ends = (values[name].min(), values[name].max())
        rows.append(
            [name, *interval_numbers(estimate.estimate, estimate.low, estimate.high, *ends)]
        )
    console.print(table_of(title, ("measure", *heads), rows, numbers=heads))
    notes = {estimate.note for estimate in estimates.values()} - {""}
    if notes:
        console.print(f"No interval: {', '.join(sorted(notes))}.")
    console.print("Divergences are in nats; churn and overlap are shares.")
    if len(files) > 2:
        console.print(f"low, high: {confidence:.0%} interval, jackknife over models.")


@app.command()
def sample(
    cell: CellArgument,
    configfile: ConfigOption = None,
    config: ValuesOption = None,
    directory: DirectoryOption = None,
    prompt: Annotated[str, typer.Option(help="Text to continue.")] = "\n",
    length: Annotated[int, typer.Option(min=1, help="Characters to draw.")] = 500,
    temperature: Annotated[float, typer.Option(min=0.01, help="Below 1 favours the likely.")] = 0.8,
    seed: Annotated[int, typer.Option(min=0, help="Of the draws.")] = 0,
) -> None:
    """Print text drawn from a trained cell."""
    from reprocore.data.tokens import read_corpus
    from reprocore.pipeline.runs import open_study
    from reprocore.study.cells import parse_cell
    from reprocore.training.cell import load_cell
    from reprocore.training.generation import sample as draw

    study, _ = open_study(configfile, config, directory)
    chosen = parse_cell(study, cell)
    corpus = read_corpus(_corpus_file(study))
    model = load_cell(study, chosen, chosen.folder(study.results), corpus)
    text = draw(
        model,
        corpus.symbols,
        study.models[chosen.model].context,
        prompt=prompt,
        length=length,
        temperature=temperature,
        seed=seed,
    )
    print(text)


@app.command()
def train(
    cell: CellArgument,
    configfile: ConfigOption = None,
    config: ValuesOption = None,
    directory: DirectoryOption = None,
    force: Annotated[bool, typer.Option("--force", help="Train a finished cell again.")] = False,
) -> None:
    """Train one cell of the study now, unless it is done; its corpus and probe must be there."""
    from reprocore.data.probe import read_probe
    from reprocore.data.tokens import read_corpus
    from reprocore.pipeline.runs import hold_results, open_study
    from reprocore.study.cells import parse_cell
    from reprocore.study.permissions import check_links, check_places
    from reprocore.training.cell import is_done, print_progress, train_cell
    from reprocore.training.preflight import preflight

    study, _ = open_study(configfile, config, directory)
    check_places(study)
    check_links(study.results)
    chosen = parse_cell(study, cell)
    folder = chosen.folder(study.results)
    if not force and is_done(study, chosen, folder):
        console.print(f"{chosen.key} is done; --force trains it again", markup=False)
        return
    lock = hold_results(study.results)
    corpus = read_corpus(_corpus_file(study))
    probe = read_probe(Path(study.results) / "corpus" / "probe.parquet")
    with lock:
        preflight(study, chosen.model, chosen.activation, corpus)
        train_cell(study, chosen, corpus, probe, folder, print_progress)
    console.print(f"written: {folder}", markup=False)


@app.command()
def pilot(
    model: Annotated[str, typer.Argument(help="A model of the study.")],
    configfile: ConfigOption = None,
    config: ValuesOption = None,
    directory: DirectoryOption = None,
    iterations: Annotated[int, typer.Option(min=2, help="Optimiser steps per cell.")] = 100,
    seeds: Annotated[int, typer.Option(min=2, help="How many of the study's seeds.")] = 3,
) -> None:
    """Train a model's cells for a short time and say what that predicts, and how surely.

    The cells are kept under `pilot` in the results: after an interruption the same command trains
    only what is missing.
    """
    from reprocore.data.shakespeare import default_cache
    from reprocore.pipeline.pilot import pilot_folder, pilot_study, pilot_tables
    from reprocore.pipeline.runs import open_study
    from reprocore.study.permissions import check_links, check_places
    from reprocore.vocabulary import FINAL

    full, _ = open_study(configfile, config, directory)
    check_places(full)
    check_links(full.results)
    study = pilot_study(full, model, iterations, seeds)
    measure = study.figures.measure
    tables = pilot_tables(study, model, default_cache(), lambda line: print(line, flush=True))
    rows = {
        name: [
            row
            for row in tables[name].to_pylist()
            if row["measure"] == measure and row["condition"] == FINAL
        ]
        for name in ("contrasts", "sensitivity")
    }
    title, heads = f"{model} after {iterations} iterations: {measure}", ("ratio", "low", "high")
    contrasts = []
    for row in rows["contrasts"]:
        numbers = interval_numbers(row["ratio"], row["ratio_low"], row["ratio_high"])
        contrasts.append([row["first"], row["second"], *numbers, row["verdict"]])
    columns = ("first", "second", *heads, "verdict")
    console.print(table_of(title, columns, contrasts, numbers=heads))
    for row in rows["sensitivity"]:
        console.print(_recommendation(row, iterations / full.training_of(model).iterations))
    for note in sorted({row["note"] for row in rows["contrasts"]} - {""}):
        console.print(f"Note: {note}.")
    console.print(f"The cells are kept in {pilot_folder(study, model)}.", markup=False)


@app.command(hidden=True)
def document() -> None:
    """Write config/README.md and the JSON schema from the classes of the configuration."""
    from reprocore.pipeline.documents import write_documents

    for path in write_documents(Path.cwd()):
        console.print(f"written: {path}", markup=False)


def _recommendation(row: dict[str, Any], budget: float) -> str:
    """Say what a pilot's sensitivity means for the full run."""
    if row["low"] is None:
        return f"No recommendation: {row['note']}."
    spread = (
        f"After {budget:.0%} of the training the activations differ by a CV of "
        f"{row['corrected']:.1f}% [{row['low']:.1f}, {row['high']:.1f}] beyond seed noise "
        f"(p = {row['p_omnibus']:.3f}). "
    )
    if row["low"] > 0:
        return spread + "They differ by then; whether that holds to the end, the full study tells."
    most = row["high"]
    return spread + (
        f"No difference shows, and one of up to {most:.1f}% is not excluded: before choosing an "
        "activation by it, train longer or with more seeds."
    )


def _config_values_apart(arguments: Iterable[str]) -> list[str]:
    """Return the arguments with one `--config` before each of its values, which may be several."""
    apart: list[str] = []
    among_values = False
    for argument in arguments:
        among_values = among_values and not argument.startswith("-")
        if among_values and apart[-1] != "--config":
            apart.append("--config")
        apart.append(argument)
        among_values = among_values or argument == "--config"
    return apart


def _print_title(study: "Study") -> None:
    # Not as the title of a table, which would break a long path.
    print(f"{study.title}: {Path(study.results).absolute()}")


def _print_recorded(study: "Study") -> None:
    """Say in a line if the results were made with another configuration."""
    from reprocore.pipeline.runs import recorded_study

    recorded = recorded_study(study)
    if recorded and recorded.differs:
        print(
            f"{study.results}/study.json: the last run had another configuration: "
            f"{', '.join(recorded.differs)}; its command: {recorded.command}"
        )


def _print_problems(study: "Study", problems: Iterable["Problem"], limit: int | None) -> None:
    """Print a line for each problem, of each state no more than `limit`."""
    by_state: dict[str, list[Problem]] = {}
    for problem in problems:
        by_state.setdefault(problem.state, []).append(problem)
    for state, members in by_state.items():
        for problem in members[:limit]:
            print(f"{study.results}/{problem.path}: {state}: {problem.reason}")
        if limit is not None and len(members) > limit:
            print(f"and {len(members) - limit:,} more that are {state}; --all lists them")


def _corpus_file(study: "Study") -> Path:
    path = Path(study.results) / "corpus" / "tokens.parquet"
    if not path.is_file():
        raise ReprocoreError(f"{path}: no such file; make it with: snakemake --cores 1 {path}")
    return path
