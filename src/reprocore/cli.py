"""The command `reprocore`: what a study's files say, without Snakemake."""

import io
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from reprocore.errors import ReprocoreError, visible
from reprocore.pipeline.comparison import compare
from reprocore.report.terminal import console, usage_message

if TYPE_CHECKING:
    from reprocore.study.study import Study

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="How reproducible are a model's predictions when it is trained again?",
)


ConfigOption = Annotated[
    list[Path] | None,
    typer.Option(
        "--configfile",
        "-c",
        metavar="FILE ...",
        help="The study's configuration, in YAML; each file over those before it.  [default: "
        "config/config.yaml of the project]",
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
# Typer carries its own copy of click, or imports it, depending on its version.
_UsageError: Any = typer.BadParameter.__base__


def main() -> None:
    """Run the command line; a user's mistake ends it with one line and a status that is not 0."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal without Unicode
    try:
        from reprocore.study.overrides import options_apart

        arguments = options_apart(sys.argv[1:])
        status = app(args=arguments, prog_name="reprocore", standalone_mode=False)
    except ReprocoreError as error:
        status = _refusal(str(error), 1)
    except _UsageError as error:
        if not (message := error.format_message()):  # no command at all: the help is the message
            error.show()
            raise SystemExit(error.exit_code) from None
        command = error.ctx.command_path if error.ctx else "reprocore"
        status = _refusal(usage_message(message, command), error.exit_code)
    except typer.Abort:
        status = _refusal("stopped", 130)
    except BrokenPipeError:  # as by `| head`; what is still to be flushed has nowhere to go
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = 1
    except OSError as error:
        status = _refusal(f"{error.filename or 'reprocore'}: {error.strerror or error}", 1)
    raise SystemExit(status if isinstance(status, int) else 0)


def _refusal(message: str, status: int) -> int:
    print(f"error: {visible(message)}", file=sys.stderr)
    return status


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
def status(
    configfile: ConfigOption = None,
    config: ValuesOption = None,
    directory: DirectoryOption = None,
) -> None:
    """Show the study as a matrix of cells: done, stale, damaged, failed, begun, missing, ..."""
    from reprocore.pipeline.plan import Plan
    from reprocore.pipeline.printing import print_status
    from reprocore.pipeline.runs import open_study

    study, command = open_study(configfile, config, directory)
    print_status(Plan.of(study), command)


@app.command()
def plan(
    configfile: ConfigOption = None,
    config: ValuesOption = None,
    directory: DirectoryOption = None,
) -> None:
    """Say how large a difference must be for the study's seeds to decide on it, before they run."""
    from reprocore.pipeline.power import print_planned
    from reprocore.pipeline.printing import print_title
    from reprocore.pipeline.runs import open_study

    study, _ = open_study(configfile, config, directory)
    print_title(study)
    print_planned(study)


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
    from reprocore.pipeline.runs import has_run, open_study
    from reprocore.pipeline.verification.printing import print_verification
    from reprocore.pipeline.verification.verify import verify as check

    study, command = open_study(configfile, config, directory)
    if not has_run(study):
        console.lines(f"{Path(study.results).absolute()}: nothing has run yet. To start: {command}")
        raise typer.Exit(1)
    result = check(study, quick)
    print_verification(result, command, quick, everything)
    if result.problems:
        raise typer.Exit(1)


app.command()(compare)


@app.command()
def sample(
    cell: CellArgument,
    configfile: ConfigOption = None,
    config: ValuesOption = None,
    directory: DirectoryOption = None,
    prompt: Annotated[str, typer.Option(help="Text to continue.")] = "\n",
    length: Annotated[int, typer.Option(min=1, help="Characters to draw.")] = 500,
    temperature: Annotated[
        float, typer.Option(min=0.01, max=100, help="Below 1 favours the likely.")
    ] = 0.8,
    seed: Annotated[int, typer.Option(min=0, help="Of the draws.")] = 0,
) -> None:
    """Print text drawn from a trained cell."""
    from reprocore.data.tokens import read_corpus
    from reprocore.pipeline.runs import open_study
    from reprocore.study.cells import parse_cell
    from reprocore.study.layout import TOKENS_FILE
    from reprocore.training.cell import load_cell
    from reprocore.training.generation import sample as draw

    study, command = open_study(configfile, config, directory)
    chosen = parse_cell(study, cell)
    corpus = read_corpus(_corpus_file(study, command, TOKENS_FILE))
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
    configfile: ConfigOption = None,
    config: ValuesOption = None,
    directory: DirectoryOption = None,
    force: Annotated[bool, typer.Option("--force", help="Train a finished cell again.")] = False,
) -> None:
    """Train one cell of the study now, unless it is done; its corpus and probe must be there."""
    from reprocore.data.probe import read_probe
    from reprocore.data.tokens import read_corpus
    from reprocore.pipeline.jobs import check_corpus
    from reprocore.pipeline.runs import hold_results, open_study
    from reprocore.study.cells import parse_cell
    from reprocore.study.layout import PROBE_FILE, TOKENS_FILE
    from reprocore.study.permissions import check_links, check_places
    from reprocore.training.cell import is_done, print_progress, train_cell
    from reprocore.training.preflight import preflight

    study, command = open_study(configfile, config, directory)
    check_places(study)
    check_links(study.results)
    chosen = parse_cell(study, cell)
    folder = chosen.folder(study.results)
    if not force and is_done(study, chosen, folder):
        console.print(f"{chosen.key} is done; --force trains it again")
        return
    lock = hold_results(study.results)
    corpus = read_corpus(_corpus_file(study, command, TOKENS_FILE))
    probe = read_probe(_corpus_file(study, command, PROBE_FILE))
    check_corpus(study, corpus.sha256, command)
    with lock:
        preflight(study, chosen.model, chosen.activation, corpus)
        train_cell(study, chosen, corpus, probe, folder, print_progress)
    console.print(f"written: {folder}")


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
    from reprocore.pipeline.pilot import pilot_folder, pilot_study, pilot_tables, print_pilot
    from reprocore.pipeline.runs import open_study
    from reprocore.study.permissions import check_links, check_places

    full, _ = open_study(configfile, config, directory)
    check_places(full)
    check_links(full.results)
    study = pilot_study(full, model, iterations, seeds)
    tables = pilot_tables(study, model, default_cache(), lambda line: print(line, flush=True))
    share = iterations / full.training_of(model).iterations
    print_pilot(tables, f"{model} after {iterations} iterations", study.drawn_measure, share)
    console.print(f"The cells are kept in {pilot_folder(study, model)}.")


@app.command(hidden=True)
def document() -> None:
    """Write the documents that follow from the code: references and the JSON schema."""
    from reprocore.pipeline.documents.write import write_documents

    for path in write_documents(Path.cwd(), typer.main.get_command(app)):
        console.print(f"written: {path}")


def _corpus_file(study: "Study", command: str, place: str) -> Path:
    from reprocore.store.records import with_targets
    from reprocore.study.layout import PROBE_FILE

    path = Path(study.results) / place
    if not path.is_file():
        again = with_targets(command, [str(Path(study.results) / PROBE_FILE)])
        raise ReprocoreError(f"{path}: no such file; make it with: {again}")
    return path
