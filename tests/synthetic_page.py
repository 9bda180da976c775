"""A page of a study that never ran, from the invented tables that the figures are tested with."""

import dataclasses
from pathlib import Path

import numpy as np
import pyarrow as pa
from figure_tables import STEPS, Tables, final_of

from reprocore.analysis.text import text_table
from reprocore.data.probe import Probe
from reprocore.data.tokens import Corpus, encode, write_corpus
from reprocore.report.audit.claims import load_claims
from reprocore.report.audit.evidence import read_evidence
from reprocore.report.audit.table import audit_table
from reprocore.report.page.tables import TABLES
from reprocore.report.page.write import write_page
from reprocore.store.cell_schemas import CONTINUATIONS_SCHEMA
from reprocore.store.tables import write_table
from reprocore.study.cells import Cell, cells_of
from reprocore.study.study import Study

BLOCK, POSITIONS, LEAD = 64, 2048, 256
PLAIN = ("\n", " ", "!", "3", "A", "B", "a", "b", "c", "d")
OF_MODEL = (
    *("estimates", "cells", "contrasts", "steps", "sensitivity", "sources", "early"),
    *("cross", "strata"),
)


class PageStudy(Tables):
    """The tables of a study with its text and what its cells have written, and the page of them.

    Args:
        symbols: ten characters that the text is made of.
        positions: of the probe, a multiple of `BLOCK`.
    """

    def __init__(self, study: Study, folder: Path, *, symbols=PLAIN, positions=POSITIONS, **more):
        self.symbols, self.positions = symbols, positions
        super().__init__(study, folder, **more)
        self.continuations = [self._write(cell) for cell in self.cells]
        write_corpus(self.folder / "corpus/tokens.parquet", self.corpus)

    @property
    def corpus(self) -> Corpus:
        drawn = np.random.default_rng(3).integers(0, len(self.symbols), LEAD + self.positions)
        return encode("".join(self.symbols) + "".join(self.symbols[i] for i in drawn))

    @property
    def cells(self) -> list[Cell]:
        return [
            cell
            for model in self.models
            for activation in self.study.activations_of(model)
            for cell in cells_of(self.study, model, activation, self.study.primary_arm(model))
            if cell.seed in self.ran(model, activation)
        ]

    def _predict(self, model, cells):
        super()._predict(model, cells)
        drawn = [cell for cell in cells if cell.arm == self.study.primary_arm(model)]
        final = final_of(drawn, self.positions)
        positions = np.arange(LEAD, LEAD + self.positions)
        probe = Probe(positions, final.targets, BLOCK, "x", self.symbols, final.probe_hash)
        table = text_table(self.study, model, dataclasses.replace(final, step=STEPS[-1]), probe)
        write_table(self.folder / "models" / model / "text.parquet", table)

    def _write(self, cell: Cell) -> Path:
        random = np.random.default_rng([cell.seed, len(cell.activation)])
        rows = [
            {"position": LEAD + BLOCK * k, "continuation": self._words(random)} for k in range(8)
        ]
        path = self.folder / "cells" / cell.key / "continuations.parquet"
        schema = CONTINUATIONS_SCHEMA.with_metadata({"cell": cell.key})
        write_table(path, pa.Table.from_pylist(rows, schema=schema))
        return path

    def _words(self, random: np.random.Generator) -> str:
        return "".join(self.symbols[i] for i in random.integers(0, len(self.symbols), 64))

    def audit(self, claims: str | Path) -> Path:
        """Judge claims; returns the table."""
        names = ("estimates", "contrasts", "sensitivity", "cells", "curves")
        base = self.folder / "models"
        files = {name: [base / m / f"{name}.parquet" for m in self.models] for name in names}
        evidence = read_evidence(self.study, files)
        path = self.folder / "audit.parquet"
        write_table(path, audit_table(load_claims(str(claims), self.study), evidence))
        return path

    def files(self):
        """The Parquet files that the page is made of."""
        base = self.folder / "models"
        found = {
            name: [base / model / f"{name}.parquet" for model in self.models]
            for name in (*OF_MODEL, "text")
        }
        found |= {"summary": [self.folder / "summary.parquet"], "pairs": [*self.pairs.values()]}
        audit = self.folder / "audit.parquet"
        return found | {"tuning": [], "audit": [audit] if audit.exists() else []}

    def page(self) -> Path:
        """Write the page; returns its path."""
        files = self.files()
        assert {*files} == {*TABLES}
        out = self.folder / "report.html"
        corpus = self.folder / "corpus/tokens.parquet"
        write_page(self.study, files, corpus, self.continuations, out, out.with_suffix(".txt"))
        return out
