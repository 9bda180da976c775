"""The command `reprocore`: what a study's files say, without Snakemake."""

import io
import os
import shlex
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from reprocore.errors import ReprocoreError, visible

if TYPE_CHECKING:
    from reprocore.study.study import Study

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="How reproducible are a model's predictions when it is trained again?",
)


class PlainConsole(Console):
    """A console on which text is text: no markup in it is obeyed, nothing in it steers a terminal.

    Titles, paths and reasons come from files of others. Our own styles are `Text` objects.
    """

    def render_str(self, text: str, **options: Any) -> Text:
        """Return `text` as it is printed; every string of a table passes here too."""
        return super().render_str(visible(text), **options)

    def lines(self, text: str) -> None:
        """Print lines that are copied or searched, never wrapped."""
        self.print(text, soft_wrap=True)


console = PlainConsole(highlight=False, markup=False, emoji=False)

ConfigOption = Annotated[
    Path, typer.Option("--configfile", "-c", help="The study's configuration, in YAML.")
]
CellArgument = Annotated[
    str, typer.Argument(help="MODEL/ACTIVATION/SEED, such as charlm/relu/1 or charlm/relu/init-1.")
]
DEFAULT_CONFIG = Path("config/config.yaml")

# Sign, its like on a terminal without Unicode, and style.
MARKS = {
    "done": ("✓", "+", "green"),
    "stale": ("~", "~", "yellow"),
    "failed": ("✗", "x", "bold red"),
    "begun": ("›", ">", "cyan"),
    "missing": ("·", ".", "dim"),
    "not runnable": ("–", "-", "dim"),
}


def main() -> None:
    """Run the command line; a user's mistake ends it with one line and a status that is not 0."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal without Unicode
    try:
        status = app(prog_name="reprocore", standalone_mode=False)
    except ReprocoreError as error:
        status = _refusal(str(error), 1)
    except _UsageError as error:
        if not (message := error.format_message()):  # no command at all: the help is the message
            error.show()
            raise SystemExit(error.exit_code) from None
        status = _refusal(_in_plain_words(message, error), error.exit_code)
    except typer.Abort:
        status = _refusal("stopped", 130)
    except BrokenPipeError:  # as by `| head`; what is still to be flushed has nowhere to go
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = 1
    except OSError as error:
        status = _refusal(f"{error.filename or 'reprocore'}: {error.strerror or error}", 1)
    raise SystemExit(status if isinstance(status, int) else 0)


# Typer carries its own copy of click, or imports it, depending on its version.
_UsageError: Any = typer.BadParameter.__base__


def _refusal(message: str, status: int) -> int:
    print(f"error: {visible(message)}", file=sys.stderr)
    return status


def _in_plain_words(message: str, error: Any) -> str:
    """Return a message of the parser of the command line, with where to read on."""
    words = " ".join(message.split()).rstrip(".")
    for theirs, ours in _PLAIN_WORDS.items():
        words = words.replace(theirs, ours)
    command = error.ctx.command_path if error.ctx else "reprocore"
    return f"{words[0].lower()}{words[1:]}{'' if words.endswith('?') else ';'} see {command} --help"


_PLAIN_WORDS = {
    ". Did you": "; did you",
    "Input should be": "must be",
    ", unable to parse string as an integer": "",
    ", unable to parse string as a number": "",
    "a valid integer": "a whole number",
    "a valid number": "a number",
    "greater than or equal to": "at least",
    "less than or equal to": "at most",
    "got unexpected extra argument(s)": "unexpected:",
}


def _mark(state: str) -> Text:
    sign, plain, style = MARKS[state]
    return Text(plain if console.options.ascii_only else sign, style=style)


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import PackageNotFoundError, version

        try:
            print(f"reprocore {version('reprocore')}")
        except PackageNotFoundError:
            raise ReprocoreError("reprocore is not installed, so its version is unknown") from None
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version and exit."
        ),
    ] = False,
) -> None:
    """How reproducible are a model's predictions when it is trained again?"""


@app.command()
def status(configfile: ConfigOption = DEFAULT_CONFIG) -> None:
    """Show the study as a matrix of cells: done, stale, failed, begun, missing, or not runnable."""
    from reprocore.pipeline.status import seconds_left, study_status

    study = _study(configfile)
    statuses = study_status(study)
    rows: dict[tuple[str, str, str], list[Text]] = {}
    for cell in statuses:
        key = (cell.cell.model, cell.cell.activation, cell.cell.arm)
        rows.setdefault(key, []).append(_mark(cell.state))
    table = Table(title=f"{study.title} ({study.results})", box=box.SIMPLE_HEAD)
    for head in ("model", "activation", "arm"):
        table.add_column(head, overflow="fold")
    table.add_column(f"seeds {', '.join(map(str, study.seeds))}", overflow="fold")
    for key, marks in rows.items():
        table.add_row(*key, Text(" ").join(marks))
    console.print(table)
    counts = Counter(cell.state for cell in statuses)
    totals = [_mark(state) + Text(f" {counts[state]} {state}") for state in MARKS]
    console.print(Text(", ").join(totals))
    for cell in statuses:
        if cell.reason:
            console.print(f"{cell.state} {cell.cell.key}: {cell.reason}")
    seconds, unknown = seconds_left(statuses)
    if seconds:
        console.print(f"left: about {_duration(seconds)} of training on one core, start-up apart")
    if unknown:
        console.print(f"time unknown, as no cell is done yet: {', '.join(unknown)}")


@app.command()
def verify(
    configfile: ConfigOption = DEFAULT_CONFIG,
    quick: Annotated[bool, typer.Option("--quick", help="Do not read whole files.")] = False,
) -> None:
    """Check every file of the results: damaged, foreign, stale, missing; say what repairs it."""
    from reprocore.pipeline.verify import KINDS, STATES, kind_of, repair_commands
    from reprocore.pipeline.verify import verify as check

    study = _study(configfile)
    result = check(study, quick)
    counts = Counter((kind_of(found.path), found.state) for found in result.findings)
    table = Table(title=f"{study.title} ({study.results})", box=box.SIMPLE_HEAD)
    table.add_column("kind")
    for head in ("files", *STATES):
        table.add_column(head, justify="right")
    for kind in KINDS:
        if result.checked[kind]:
            numbers = (result.checked[kind], *(counts[kind, state] for state in STATES))
            table.add_row(kind, *(str(number) if number else "·" for number in numbers))
    console.print(table)
    for found in result.findings:
        console.lines(f"{study.results}/{found.path}: {found.state}: {found.reason}")
    if not result.findings:
        console.print("All is well." if not quick else "Nothing is wrong; files were not read.")
        return
    console.print("To repair:")
    for command in repair_commands(study, configfile, result.findings):
        console.lines(f"  {command}")
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
    from reprocore.analysis.rows import result_row
    from reprocore.report.words import reason_texts

    pairs, values, estimates = compare_arrays(
        [load_array(path, step) for path in files], confidence
    )
    table = Table(title=f"{len(files)} models, {len(pairs)} pairs", box=box.SIMPLE_HEAD)
    table.add_column("measure", no_wrap=True)
    for head in ("mean", "low", "high", "lowest", "highest"):
        table.add_column(head, justify="right")
    for name, estimate in estimates.items():
        ends = (estimate.low, estimate.high, values[name].min(), values[name].max())
        table.add_row(name, *map(_number, (estimate.estimate, *ends)))
    console.print(table)
    reasons = {text for row in map(result_row, estimates.values()) for text in reason_texts(row)}
    if reasons:
        console.print(f"No interval: {', '.join(sorted(reasons))}.")
    console.print("Divergences are in nats; churn and overlap are shares.")
    if len(files) > 2:
        console.print(f"low, high: {confidence:.0%} interval, jackknife over models.")


@app.command()
def sample(
    cell: CellArgument,
    configfile: ConfigOption = DEFAULT_CONFIG,
    prompt: Annotated[str, typer.Option(help="Text to continue.")] = "\n",
    length: Annotated[int, typer.Option(min=1, help="Characters to draw.")] = 500,
    temperature: Annotated[
        float, typer.Option(min=0.01, max=100, help="Below 1 favours the likely.")
    ] = 0.8,
    seed: Annotated[int, typer.Option(min=0, help="Of the draws.")] = 0,
) -> None:
    """Print text drawn from a trained cell."""
    from reprocore.data.tokens import read_corpus
    from reprocore.study.cells import parse_cell
    from reprocore.training.cell import load_cell
    from reprocore.training.generation import sample as draw

    study = _study(configfile)
    chosen = parse_cell(study, cell)
    corpus = read_corpus(_corpus_file(study, configfile))
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
    console.lines(text)


@app.command()
def train(
    cell: CellArgument,
    configfile: ConfigOption = DEFAULT_CONFIG,
    force: Annotated[bool, typer.Option("--force", help="Train a finished cell again.")] = False,
) -> None:
    """Train one cell of the study now, unless it is done; its corpus and probe must be there."""
    from reprocore.data.probe import read_probe
    from reprocore.data.tokens import read_corpus
    from reprocore.pipeline.runs import hold_results
    from reprocore.study.cells import parse_cell
    from reprocore.study.permissions import check_links, check_places
    from reprocore.training.cell import is_done, print_progress, train_cell
    from reprocore.training.preflight import preflight

    study = _study(configfile)
    check_places(study)
    check_links(study.results)
    chosen = parse_cell(study, cell)
    folder = chosen.folder(study.results)
    if not force and is_done(study, chosen, folder):
        console.print(f"{chosen.key} is done; --force trains it again")
        return
    lock = hold_results(study.results)
    corpus = read_corpus(_corpus_file(study, configfile))
    probe = read_probe(Path(study.results) / "corpus" / "probe.parquet")
    with lock:
        preflight(study, chosen.model, chosen.activation, corpus)
        train_cell(study, chosen, corpus, probe, folder, print_progress)
    console.print(f"written: {folder}")


@app.command()
def pilot(
    model: Annotated[str, typer.Argument(help="A model of the study.")],
    configfile: ConfigOption = DEFAULT_CONFIG,
    iterations: Annotated[int, typer.Option(min=2, help="Optimiser steps per cell.")] = 100,
    seeds: Annotated[int, typer.Option(min=2, help="How many of the study's seeds.")] = 3,
) -> None:
    """Train a model's cells for a short time and say what that predicts, and how surely.

    The cells are kept under `pilot` in the results: after an interruption the same command trains
    only what is missing.
    """
    from reprocore.data.shakespeare import default_cache
    from reprocore.pipeline.pilot import pilot_folder, pilot_study, pilot_tables
    from reprocore.report.words import VERDICTS, reason_texts
    from reprocore.study.permissions import check_links, check_places
    from reprocore.vocabulary import Condition, ContrastVerdict

    full = _study(configfile)
    check_places(full)
    check_links(full.results)
    study = pilot_study(full, model, iterations, seeds)
    measure = study.figures.measure
    tables = pilot_tables(study, model, default_cache(), lambda line: print(line, flush=True))
    rows = {
        name: [
            row
            for row in tables[name].to_pylist()
            if row["measure"] == measure and row["condition"] == Condition.FINAL
        ]
        for name in ("contrasts", "sensitivity")
    }
    table = Table(title=f"{model} after {iterations} iterations: {measure}", box=box.SIMPLE_HEAD)
    for head in ("first", "second", "ratio", "low", "high", "verdict"):
        table.add_column(head)
    for row in rows["contrasts"]:
        numbers = [_number(row[name]) for name in ("ratio", "ratio_low", "ratio_high")]
        verdict = VERDICTS[ContrastVerdict(row["verdict"])]
        table.add_row(row["first"], row["second"], *numbers, verdict)
    console.print(table)
    for row in rows["sensitivity"]:
        console.print(_recommendation(row, iterations / full.training_of(model).iterations))
    for text in sorted({text for row in rows["contrasts"] for text in reason_texts(row)}):
        console.print(f"Note: {text}.")
    console.print(f"The cells are kept in {pilot_folder(study, model)}.")


@app.command(hidden=True)
def document() -> None:
    """Write config/README.md and the JSON schema from the classes of the configuration."""
    from reprocore.pipeline.documents import write_documents

    for path in write_documents(Path.cwd()):
        console.print(f"written: {path}")


def _recommendation(row: dict[str, Any], budget: float) -> str:
    """Say what a pilot's sensitivity means for the full run."""
    from reprocore.report.words import reason_texts

    if row["low"] is None:
        return f"No recommendation: {'; '.join(reason_texts(row))}."
    spread = (
        f"After {budget:.0%} of the training the activations differ by a CV of "
        f"{row['corrected']:.1f}% [{row['low']:.1f}, {row['high']:.1f}] beyond seed noise "
        f"(p = {row['p_omnibus']:.3f}). "
    )
    if row["low"] > 0:
        return (
            spread
            + "They differ by then; only the full study can say whether that lasts to the end."
        )
    most = row["high"]
    return spread + (
        f"No difference is visible, and one of up to {most:.1f}% is not excluded: before choosing "
        "an activation by it, train longer or with more seeds."
    )


def _study(configfile: Path) -> "Study":
    # Not at the top: `--help` needs no pydantic, half of the time that the imports would take.
    from reprocore.study.permissions import check_ours
    from reprocore.study.study import load_study

    study = load_study(configfile)
    check_ours(study.results)
    return study


def _corpus_file(study: "Study", configfile: Path) -> Path:
    path = Path(study.results) / "corpus" / "tokens.parquet"
    if not path.is_file():
        probe = path.with_name("probe.parquet")
        command = shlex.join(["snakemake", str(probe), "--configfile", str(configfile)])
        raise ReprocoreError(f"{path}: no such file; make it with: {command} --cores 1")
    return path


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.6f}"


def _duration(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    if seconds < 7200:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"
