"""The audit of the shipped claims: their golden verdicts, the table and its text."""

import json
from pathlib import Path

import pyarrow as pa
import pytest
from audit_rows import SCHEMAS, STUDY, cell
from audit_scenarios import NAMED, SCENARIOS, scenario

from conftest import ROOT, one_line
from reprocore.errors import ReprocoreError
from reprocore.report.audit.claims import Claim, load_claims
from reprocore.report.audit.evidence import Evidence, Tables, read_evidence
from reprocore.report.audit.outcome import NOT_MEASURED, REFUTED, SUPPORTED, UNDECIDED, Figure
from reprocore.report.audit.table import (
    AUDIT_SCHEMA,
    JUDGES,
    SHOWN,
    WORDS,
    audit_table,
    audit_text,
    figure_text,
    judge,
    write_audit,
)
from reprocore.store.schemas import CELLS_SCHEMA
from reprocore.store.tables import read_table, write_table
from reprocore.vocabulary import ClaimReason

SHIPPED = ROOT / "config" / "claims.yaml"
GOLDEN = Path(__file__).with_name("audit_golden.json")
LETTERS = {SUPPORTED: "S", REFUTED: "R", UNDECIDED: "U", NOT_MEASURED: "N"}


@pytest.fixture(scope="module")
def shipped() -> tuple[Claim, ...]:
    return load_claims(SHIPPED, STUDY)


def evidence_of(name: str) -> Evidence:
    return Evidence(STUDY, {model: Tables(**rows) for model, rows in scenario(name).items()})


@pytest.mark.slow
def test_verdicts_are_those_of_the_golden_scenarios(shipped) -> None:
    golden = json.loads(GOLDEN.read_text("utf-8"))
    assert list(golden) == [claim.id for claim in shipped]
    verdicts: dict[str, str] = dict.fromkeys(golden, "")
    seeds: dict[str, dict[str, int]] = {claim.id: {} for claim in shipped}
    for name in SCENARIOS:
        evidence = evidence_of(name)
        for claim in shipped:
            result = judge(claim, evidence)
            verdicts[claim.id] += LETTERS[result.verdict]
            if result.seeds_more is not None:
                seeds[claim.id][name] = result.seeds_more
    for claim in shipped:
        assert verdicts[claim.id] == golden[claim.id]["verdicts"], claim.id
        assert seeds[claim.id] == golden[claim.id]["seeds_more"], claim.id
        if not claim.test.kind.startswith("printed"):
            # Supported, refuted, undecided, not measured: in the scenarios of those names.
            assert verdicts[claim.id][: len(NAMED)] == "SRUN", claim.id


def test_scenarios_name_columns_that_the_tables_have() -> None:
    for rows in scenario("claimed").values():
        for table, schema in SCHEMAS.items():
            assert set(rows[table][0]) <= set(schema.names), table


def test_the_shipped_claims_use_all_kinds_and_name_what_was_published(shipped) -> None:
    assert {claim.test.kind for claim in shipped} == set(JUDGES)
    text = SHIPPED.read_text("utf-8")
    for figure in ("0.594", "0.905–1.095", "23–44%", "0.049", "26.94", "21.89", "16.65", "10.32"):
        assert figure in text


def test_every_reason_has_words() -> None:
    assert set(WORDS) == set(ClaimReason)


def test_the_table_holds_all_facts_and_the_text_only_the_first(shipped) -> None:
    rows = {row["id"]: row for row in audit_table(shipped, evidence_of("claimed")).to_pylist()}
    row = rows["smooth-beats-relu"]
    # 6 models × 4 smooth activations against ReLU.
    assert len(row["measured"].split("\n")) == len(row["reason"].split("\n")) == 24
    assert " more" not in row["measured"] + row["reason"]
    line = next(x for x in audit_text(STUDY, [row]).splitlines() if row["claim"] in x)
    assert line.count(f"; {24 - SHOWN} more in audit.parquet") == 2
    # What decides nothing is kept as well.
    rows = {r["id"]: r for r in audit_table(shipped, evidence_of("opposite")).to_pylist()}
    row = rows["relu-worst"]
    assert (row["verdict"], set(row["codes"].split("\n"))) == ("refuted", {"worse"})
    rows = {r["id"]: r for r in audit_table(shipped, evidence_of("mixed-3")).to_pylist()}
    assert "the first is better" in rows["gelu-top-three"]["beside"]
    assert "the first is better" not in rows["gelu-top-three"]["reason"]


@pytest.mark.parametrize("name", ["absent", "noisy", "mixed-0", "mixed-3", "mixed-9"])
def test_the_text_is_a_table_without_a_number_that_is_none(shipped, tmp_path: Path, name) -> None:
    table = audit_table(shipped, evidence_of(name))
    out = {"parquet": tmp_path / "audit.parquet", "markdown": tmp_path / "audit.md"}
    write_audit(table, STUDY, out)
    text = (tmp_path / "audit.md").read_text("utf-8")
    assert text == audit_text(STUDY, table.to_pylist())
    assert not {"nan", "none", "inf", "null"} & set(text.lower().replace("|", " ").split())
    body = [line for line in text.splitlines() if line.startswith("|")]
    assert len(body) == len(table) + 2
    assert len({line.count("|") for line in body}) == 1
    assert all(table["reason"].to_pylist())
    assert read_table(tmp_path / "audit.parquet", AUDIT_SCHEMA) == table


def test_tables_are_read_from_files(shipped, tmp_path: Path) -> None:
    files = {name: [tmp_path / f"{name}.parquet"] for name in SCHEMAS}
    for name, schema in SCHEMAS.items():
        write_table(files[name][0], schema.empty_table())
    full = {"model": "charlm", "train_seconds": 1.0, "val_loss": 2.0, "val_accuracy": 0.3}
    full |= {"unigram_entropy": 3.3, "probe_hash": "p", "source": "s"}
    rows = [cell(**full, arm=arm) for arm in ("all", "init")]
    write_table(tmp_path / "cells.parquet", pa.Table.from_pylist(rows, schema=CELLS_SCHEMA))
    evidence = read_evidence(STUDY, files)
    assert len(evidence.models["charlm"].cells) == 1
    assert len(audit_table(shipped, evidence)) == len(shipped)
    (tmp_path / "contrasts.parquet").unlink()
    with pytest.raises(ReprocoreError) as error:
        read_evidence(STUDY, files)
    assert "contrasts.parquet" in one_line(error)


def test_a_figure_names_the_level_of_its_interval() -> None:
    figure = Figure("charlm: churn", 0.25, (0.2, 0.3), level=1 - 0.05 / 15)
    assert figure_text(figure) == "charlm: churn 0.25 [0.2, 0.3] (99.67% interval)"
    assert figure_text(figure._replace(level=None)) == "charlm: churn 0.25 [0.2, 0.3]"
