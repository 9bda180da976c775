"""What a study can do here and now: the state of each of its cells and files, without reading all.

The one place that knows states: the workflow, `reprocore status` and `reprocore verify` ask it.
Importing this module is cheap, so that a Snakefile can; nothing is changed on disk.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import Any

from reprocore.errors import ReprocoreError
from reprocore.store.choices import choice_is_current, known_choice
from reprocore.store.files import read_entry, read_json
from reprocore.store.identity import cell_identity, changed_settings, preflight_identity
from reprocore.store.records import DamagedError, Fault, quick_fault, read_cell, read_record
from reprocore.study.cells import GROUP, UNARCHIVED_FILES, Cell, all_cells, tuning_cells
from reprocore.study.gpus import runnable_models
from reprocore.study.layout import (
    CORPUS_FILES,
    MODEL_FOLDERS,
    TRAINING_FOLDERS,
    TUNING_FOLDER,
    choice_file,
    derived_files,
    preflight_failure,
    preflight_file,
    tables_of_model,
)
from reprocore.study.study import Study


class State(StrEnum):
    """The state of a cell or a file."""

    DONE = "done"
    DAMAGED = "damaged"
    STALE = "stale"
    MISSING = "missing"
    UNRECORDED = "unrecorded"
    LEFTOVER = "leftover"
    NOT_IN_CONFIG = "not in this config"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Problem:
    """What is wrong with a file or a cell.

    Attributes:
        path: inside the results folder.
        state: what it is in.
        reason: in words, to be shown.
    """

    path: str
    state: State
    reason: str


@dataclass(frozen=True)
class CellLook:
    """What `cell.json` and the sizes of the other files of a cell show.

    Attributes:
        state: done, damaged, stale or missing.
        problems: of a damaged cell, each file that is missing or damaged.
        left_out: names of files that are gone, and are not asked for.
        sha256: of its files, by name, as `cell.json` has them.
        val_loss: at the end of training, likewise; None for a tuning cell that diverged.
        wall_seconds: of the training, start-up excluded, likewise.
        host: the machine that trained it, likewise.
    """

    state: State
    problems: tuple[Problem, ...] = ()
    left_out: tuple[str, ...] = ()
    sha256: Mapping[str, str] = field(default_factory=dict)
    val_loss: float | None = None
    wall_seconds: float | None = None
    host: str | None = None


def look_at_cell(
    results: str, cell: Cell, identity: Mapping[str, str] | None, archived: bool = False
) -> CellLook:
    """Return the state of a cell, reading no more than its `cell.json`.

    Args:
        results: the results folder.
        cell: which.
        identity: that it must have to be done; None takes any.
        archived: it may lack what an archive leaves out.
    """
    folder, place = cell.folder(results), cell.place
    if quick_fault(folder / "cell.json", None) is Fault.MISSING:
        return CellLook(State.MISSING)
    try:
        described = read_cell(folder / "cell.json")
        sizes, sha256 = described.get("bytes", {}), described["sha256"]
    except (DamagedError, KeyError) as error:
        reason = reason_of(error, folder / "cell.json")
        return CellLook(State.DAMAGED, (Problem(f"{place}/cell.json", State.DAMAGED, reason),))
    names = (name for name in cell.files if name != "cell.json")
    faults = {name: f for name in names if (f := quick_fault(folder / name, sizes.get(name)))}
    may_lack = UNARCHIVED_FILES if archived else ()
    left_out = tuple(name for name in may_lack if faults.get(name) is Fault.MISSING)
    problems = tuple(
        fault_problem(f"{place}/{name}", fault)
        for name, fault in faults.items()
        if name not in left_out
    )
    if problems:
        return CellLook(State.DAMAGED, problems, left_out, sha256)
    current = identity is None or described.get("identity") == identity
    state = State.DONE if current else State.STALE
    return CellLook(
        state,
        left_out=left_out,
        sha256=sha256,
        val_loss=described.get("val_loss"),
        wall_seconds=described.get("wall_seconds"),
        host=described.get("hardware", {}).get("host"),
    )


def has_tables(results: str | Path, model: str) -> bool:
    """Return whether the tables of a model are all there."""
    return all((Path(results) / path).is_file() for path in tables_of_model(model))


def is_archived(results: str, model: str) -> bool:
    """Return whether the tables of a model are all there, and predictions behind them are not.

    One cell that has its own is no reason to make the tables again from it alone.
    """
    cells = Path(results).glob(f"cells/{model}/*/*/cell.json")
    gone = (not cell.with_name("predictions.parquet").exists() for cell in cells)
    return has_tables(results, model) and any(gone)


def fault_problem(place: str, fault: Fault) -> Problem:
    """Return the problem of a file that has a fault."""
    state = State.MISSING if fault is Fault.MISSING else State.DAMAGED
    return Problem(place, state, fault.value)


def reason_of(error: Exception, path: str | Path) -> str:
    """Return the words of an error in one line, without the name of the file it is about."""
    return " ".join(str(error).removeprefix(f"{path}: ").split())


def look_at_file(results: str, place: str) -> Problem | None:
    """Return what its record and its size show against a file that is of no cell."""
    path = Path(results) / place
    fault = quick_fault(path, None)
    if fault is Fault.MISSING:
        return fault_problem(place, fault)
    try:
        record = read_record(results, path)
    except DamagedError as error:
        return Problem(place, State.DAMAGED, str(error))
    if record is None and fault is None:
        return Problem(place, State.UNRECORDED, "no record says what made it")
    fault = fault or quick_fault(path, record.get("bytes") if record else None)
    return fault_problem(place, fault) if fault else None


@dataclass(frozen=True)
class Plan:
    """The cells of a study as they are.

    Attributes:
        study: the resolved study.
        cells: all of its cells, in the order of the config.
        tuning: the tuning cells, likewise.
        runnable: models that can be trained here; none in a partial study.
        archived: models of a partial study whose tables stay as they are, since predictions that
            they rest on are gone.
        looks: what is seen of each cell.
    """

    study: Study
    cells: tuple[Cell, ...]
    tuning: tuple[Cell, ...]
    runnable: tuple[str, ...]
    archived: tuple[str, ...]
    looks: Mapping[Cell, CellLook]

    @classmethod
    def of(cls, study: Study) -> "Plan":
        """Look at the results folder of a study.

        Raises:
            ReprocoreError: a local text or a user's own module cannot be read.
        """
        cells, tuning = tuple(all_cells(study)), tuple(tuning_cells(study))
        runnable = () if study.partial else tuple(runnable_models(study))
        partial = study.models if study.partial else ()
        archived = tuple(model for model in partial if is_archived(study.results, model))
        looks = {
            cell: look_at_cell(
                study.results, cell, cell_identity(study, cell), cell.model in archived
            )
            for cell in (*cells, *tuning)
        }
        return cls(study, cells, tuning, runnable, archived, looks)

    @cached_property
    def current(self) -> frozenset[Cell]:
        """Cells that are done, as the study says today."""
        return frozenset(self._in_state(State.DONE))

    @cached_property
    def taken(self) -> tuple[Cell, ...]:
        """The cells that results rest on: those that can be trained here, and others if done."""
        return tuple(c for c in self.cells if c.model in self.runnable or c in self.current)

    @cached_property
    def trials(self) -> tuple[Cell, ...]:
        """The tuning cells that can be trained here."""
        return tuple(cell for cell in self.tuning if cell.model in self.runnable)

    @cached_property
    def unchosen(self) -> frozenset[tuple[str, str]]:
        """The model and activation of each learning rate that a run must choose, or choose anew."""
        looks: dict[tuple[str, str], list[CellLook]] = {}
        for cell in self.trials:
            looks.setdefault((cell.model, cell.activation), []).append(self.looks[cell])
        return frozenset(pair for pair in looks if not self._is_chosen(pair, looks[pair]))

    def _is_chosen(self, pair: tuple[str, str], trials: Iterable[CellLook]) -> bool:
        """Return whether the choice that is there is the one that these tuning cells give."""
        choice = known_choice(self.study, *pair)
        if choice is None or not choice_is_current(self.study, *pair):
            return False
        losses = [loss for row in choice.losses for loss in row]
        found = [(look.state, look.val_loss) for look in trials]
        return found == [(State.DONE, loss) for loss in losses]

    @cached_property
    def chosen(self) -> tuple[Cell, ...]:
        """The tuning cells behind the choices that results rest on: made here, or found."""
        return tuple(
            cell
            for cell in self.tuning
            if cell.model in self.runnable or known_choice(self.study, cell.model, cell.activation)
        )

    @cached_property
    def models(self) -> tuple[str, ...]:
        """The models of the cells that results rest on."""
        return tuple(dict.fromkeys(cell.model for cell in self.taken))

    @cached_property
    def groups(self) -> dict[tuple[str, str, str], list[Cell]]:
        """The cells that results rest on by what one comparison takes: (model, activation, arm)."""
        groups: dict[tuple[str, str, str], list[Cell]] = {}
        for cell in self.taken:
            model, activation, arm = (getattr(cell, name) for name in GROUP)
            groups.setdefault((model, activation, arm), []).append(cell)
        return groups

    @cached_property
    def files(self) -> dict[str, set[Cell]]:
        """Every file that the study makes beside its cells, with the cells it must rest on."""
        tuning = None if self.study.tuning is None else self.chosen
        audited, scaled = self.study.claims is not None, bool(self.study.scale)
        arms = {model: self.study.primary_arm(model) for model in self.study.models}
        return derived_files(self.taken, arms, audited, scaled, tuning)

    @cached_property
    def wanted(self) -> list[str]:
        """Those of these files that a run must leave: where nothing is trained, nothing for it."""
        training = {*CORPUS_FILES, *(preflight_file(c.model, c.activation) for c in self.taken)}
        training |= {choice_file(c.model, c.activation) for c in self.chosen}
        return [place for place in self.files if not (self.study.partial and place in training)]

    @cached_property
    def preflights(self) -> tuple[tuple[str, str], ...]:
        """The model and activation of each check that the cells wait for; none if none may train.

        Also of cells that are done, as they rest on it.
        """
        checked = () if self.study.partial else self.taken
        return tuple(dict.fromkeys((cell.model, cell.activation) for cell in checked))

    def preflight_is_stale(self, model: str, activation: str) -> bool:
        """Return whether a check has been done, but of other settings or code than today's."""
        path = Path(self.study.results) / preflight_file(model, activation)
        return path.is_file() and read_entry(path, "identity") != preflight_identity(
            self.study, model, activation
        )

    def failed_preflights(self) -> list[str]:
        """Return the reasons of the checks that failed when they were last done."""
        results = Path(self.study.results)
        paths = {pair: results / preflight_failure(*pair) for pair in self.preflights}
        failed = (pair for pair, path in paths.items() if path.is_file())
        return [str(read_entry(paths[pair], "reason") or "/".join(pair)) for pair in failed]

    @cached_property
    def file_problems(self) -> dict[str, Problem]:
        """What a quick look shows against those files, by path inside the results."""
        looked = ((place, look_at_file(self.study.results, place)) for place in self.files)
        return {
            place: problem
            for place, problem in looked
            if problem
            and (problem.state is not State.MISSING or place in self.wanted)
            and not (problem.state is State.UNRECORDED and self.cannot_remake(place))
        }

    def cannot_remake(self, place: str) -> bool:
        """Return whether a file beside the cells is of an archived model, and cannot be remade."""
        kind, *below = Path(place).parts
        return kind in (*MODEL_FOLDERS, TUNING_FOLDER) and below[0] in self.archived

    @cached_property
    def unfounded(self) -> list[Problem]:
        """Files over all models without a record: what they rest on may have changed unseen.

        A run makes them again, which is cheap; without records of their own, tables of a model
        are taken as they are.
        """
        unrecorded = only(self.file_problems.values(), State.UNRECORDED)
        kept = (*MODEL_FOLDERS, *TRAINING_FOLDERS)
        return [problem for problem in unrecorded if Path(problem.path).parts[0] not in kept]

    @cached_property
    def damaged(self) -> tuple[Problem, ...]:
        """Files of the results that a run must make again though they are there."""
        trained = (*self.taken, *self.trials)
        cells = (problem for cell in trained for problem in self.looks[cell].problems)
        files = (p for p in self.file_problems.values() if not self.cannot_remake(p.path))
        return tuple(only((*cells, *files), State.DAMAGED))

    def stale(self) -> Iterator[Cell]:
        """Yield the cells that results rest on and that were made otherwise than today.

        Those whose learning rate is still to be chosen are not among them.
        """
        return (
            cell
            for cell in (*self.taken, *self.trials)
            if self.looks[cell].state is State.STALE
            and (cell.rate is not None or (cell.model, cell.activation) not in self.unchosen)
        )

    def left_out(self) -> Iterator[Cell]:
        """Yield the cells that are there, but unusable, and cannot be trained again here."""
        unusable = (State.STALE, State.DAMAGED)
        taken = {*self.taken}
        return (c for c in self.cells if c not in taken and self.looks[c].state in unusable)

    def changed(self, cell: Cell) -> list[str]:
        """Return what has changed since a stale cell was made, by the word of its `cell.json`."""
        try:
            described: Any = read_json(cell.folder(self.study.results) / "cell.json")
            return changed_settings(described, self.study, cell)
        except (ReprocoreError, AttributeError, TypeError):
            return ["cell.json"]

    def _in_state(self, state: State) -> Iterator[Cell]:
        return (cell for cell in self.cells if self.looks[cell].state is state)


def only(problems: Iterable[Problem], *states: State) -> list[Problem]:
    """Return the problems that are in one of these states."""
    return [problem for problem in problems if problem.state in states]
