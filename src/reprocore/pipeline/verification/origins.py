"""What each file of a results folder was made from, by the records, and whether that has changed.

Importing this module is cheap, so that a Snakefile can.
"""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from reprocore.pipeline.plan import Plan
from reprocore.store.identity import parameters, rule_settings
from reprocore.store.records import DamagedError, file_sha256, read_cell, read_record
from reprocore.study.cells import Cell, cell_of_path
from reprocore.study.layout import TRAINING_FOLDERS


class Origins:
    """The records of a results folder, each read once."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._results = Path(plan.study.results)
        self.record = cache(self._record)
        self.settings = cache(self._settings)
        self._cells_behind: dict[str, set[str]] = {}

    def _record(self, place: str) -> dict[str, Any] | None:
        if Path(place).is_absolute():
            return None
        try:
            return read_record(self._results, self._results / place)
        except DamagedError:
            return None

    def _settings(self, rule: str, model: str | None, activation: str | None) -> dict[str, str]:
        """Return the parameters that a rule has today, its source aside."""
        return parameters(rule_settings(self._plan.study, rule, model, activation))

    def _settings_today(self, record: Mapping[str, Any]) -> dict[str, str]:
        labels = (record["wildcards"].get(name) for name in ("model", "activation"))
        return self.settings(record["rule"], *labels)

    def why_stale(self, place: str) -> str:
        """Return what has changed since a file beside the cells was made, in words; or ""."""
        record = self.record(place)
        if record is None:
            return ""
        if changed := _differing(record["settings"], self._settings_today(record)):
            return f"was made with other settings than today's: {', '.join(changed)}"
        for name, sha256 in record["inputs"].items():
            today = self._sha256(name)
            if today is not None and today != sha256:
                return f"was made from another {name} than today's"
        if self.cells_behind(place) != {cell.place for cell in self._plan.files[place]}:
            return "rests on other cells than the study has today"
        return ""

    def made_otherwise(self, sources: Mapping[str, str]) -> dict[str, list[str]]:
        """Return the files beside the cells that were made of other settings or code than today's.

        Those that training rests on are left out, as cells, checks and choices tell of themselves
        whether they are as today; and what is damaged, or of an archive, whatever made it.

        Args:
            sources: the parameter `source` that rules have today, by name of the rule.

        Returns:
            For each file, by path inside the results, all parameters that its rule has today.
        """
        found = {}
        for place in filter(self._can_be_made_again, self._plan.files):
            if (record := self.record(place)) is None:
                continue
            settings, source = self._settings_today(record), sources.get(record["rule"])
            if record["settings"] != settings or source not in (None, record.get("source")):
                found[place] = [*settings.values(), *([source] if source else [])]
        return found

    def _can_be_made_again(self, place: str) -> bool:
        """Return whether a file is whole, and one that a run makes again if it is of old."""
        plan, (first, *_) = self._plan, Path(place).parts
        kept = first in TRAINING_FOLDERS or plan.cannot_remake(place)
        return not kept and place not in plan.file_problems

    def cells_behind(self, place: str) -> set[str]:
        """Return the places of the cells that a file was made from, directly or through others."""
        if cell := cell_of_path(place):
            return {cell.place}
        if place not in self._cells_behind:
            self._cells_behind[place] = set()  # meanwhile: a record must not lead back to itself
            if (record := self.record(place)) is not None:
                behind = {cell for name in record["inputs"] for cell in self.cells_behind(name)}
            else:  # Taken as it is, and so as what it should be.
                behind = {cell.place for cell in self._plan.files.get(place, ())}
            self._cells_behind[place] = behind
        return self._cells_behind[place]

    def _sha256(self, place: str) -> str | None:
        """Return the SHA-256 of an input as it was written, so that damage counts only once."""
        name = place.rpartition("/")[2]
        if cell := cell_of_path(place):
            recorded = self._cell_sha256(cell)
            if not recorded or name != "cell.json":
                return recorded.get(name)
        elif record := self.record(place):
            return str(record["sha256"])
        try:
            return file_sha256(self._results / place)
        except DamagedError:
            return None

    def _cell_sha256(self, cell: Cell) -> Mapping[str, str]:
        """Return the SHA-256 of a cell's files by name, as `cell.json` has them if it is good."""
        look = self._plan.looks.get(cell)
        if look is not None:
            return look.sha256
        try:
            return dict(read_cell(cell.folder(self._results) / "cell.json")["sha256"])
        except DamagedError:
            return {}


def _differing(one: Mapping[str, str], other: Mapping[str, str]) -> list[str]:
    return sorted(name for name in {*one, *other} if one.get(name) != other.get(name))
