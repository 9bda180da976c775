"""What a study can do here and now: which cells its results rest on, and which must be trained.

Importing this module is cheap, so that a Snakefile can.
"""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from reprocore.errors import ReprocoreError
from reprocore.store.files import read_json
from reprocore.store.identity import (
    cell_identity,
    changed_settings,
    current_cells,
    preflight_identity,
    recorded_identity,
)
from reprocore.study.cells import GROUP, Cell, all_cells
from reprocore.study.gpus import runnable_models
from reprocore.study.layout import preflight_failure, preflight_file
from reprocore.study.study import Study


@dataclass(frozen=True)
class Plan:
    """The cells of a study as they are; nothing is changed on disk.

    Attributes:
        study: the resolved study.
        cells: all of its cells, in the order of the config.
        runnable: models that can be trained here; none in a partial study.
        current: cells that are done, as the study says today.
    """

    study: Study
    cells: tuple[Cell, ...]
    runnable: tuple[str, ...]
    current: frozenset[Cell]

    @classmethod
    def of(cls, study: Study) -> "Plan":
        """Look at the results folder of a study.

        Raises:
            ReprocoreError: a local text or a user's own module cannot be read.
        """
        cells = tuple(all_cells(study))
        for cell in cells:
            cell_identity(study, cell)
        runnable = () if study.partial else tuple(runnable_models(study))
        return cls(study, cells, runnable, frozenset(current_cells(study, cells)))

    @cached_property
    def taken(self) -> tuple[Cell, ...]:
        """The cells that results rest on: those that can be trained here, and others if done."""
        return tuple(c for c in self.cells if c.model in self.runnable or c in self.current)

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
    def preflights(self) -> tuple[tuple[str, str], ...]:
        """The model and activation of each check that the cells wait for; none if none may train.

        Also of cells that are done, as they rest on it.
        """
        checked = () if self.study.partial else self.taken
        return tuple(dict.fromkeys((cell.model, cell.activation) for cell in checked))

    def preflight_is_stale(self, model: str, activation: str) -> bool:
        """Return whether a check has been done, but of other settings or code than today's."""
        path = Path(self.study.results) / preflight_file(model, activation)
        return path.is_file() and recorded_identity(path) != preflight_identity(
            self.study, model, activation
        )

    def failed_preflights(self) -> list[str]:
        """Return the reasons of the checks that failed when they were last done."""
        results = Path(self.study.results)
        paths = (results / preflight_failure(*pair) for pair in self.preflights)
        return [str(read_json(path)["reason"]) for path in paths if path.is_file()]

    def stale(self, cell: Cell) -> list[str]:
        """Return what has changed since a cell was made, by the word of its `cell.json`.

        Empty for a cell that is up to date, and for one that has no `cell.json`.
        """
        path = cell.folder(self.study.results) / "cell.json"
        if cell in self.current or not path.is_file():
            return []
        try:
            described: Any = read_json(path)
            return changed_settings(described, self.study, cell)
        except (ReprocoreError, AttributeError, TypeError):
            return ["cell.json"]
