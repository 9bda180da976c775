"""Documents that must not drift from the code."""

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest
import typer
import yaml

import reprocore.store.cell_schemas
import reprocore.store.schemas
from project import REPOSITORY
from reprocore.cli import app
from reprocore.errors import ReprocoreError
from reprocore.pipeline.documents import configuration as config_docs
from reprocore.pipeline.documents.answer import ANSWER, answer, at_equal_loss
from reprocore.pipeline.documents.details import details
from reprocore.pipeline.documents.front import with_answers
from reprocore.pipeline.documents.studies import FOLDER, STUDIES, archives
from reprocore.pipeline.documents.tables import dictionary, places
from reprocore.pipeline.documents.write import documents, write_documents
from reprocore.report.page.tables import with_interval
from reprocore.report.words import readable
from reprocore.store.schemas import CONTRASTS_SCHEMA
from reprocore.store.tables import read_table, write_table
from reprocore.study.layout import MODEL_FIGURES, study_figures
from reprocore.vocabulary import ACTIVATIONS, MEASURE_NAMES, MEASURES

TABLES = f"{FOLDER}/published"
PROGRAM = typer.main.get_command(app)
ARCHIVED = [path.name for path in (REPOSITORY / FOLDER).iterdir() if path.is_dir()]
GENERATED = documents(REPOSITORY, PROGRAM)


@pytest.mark.parametrize("path", GENERATED)
def test_generated_documents_are_as_generated(path: str) -> None:
    stored = (REPOSITORY / path).read_text("utf-8")
    assert stored == GENERATED[path], f"{path} is out of date; run: reprocore document"


def test_documents_are_written_where_they_belong(tmp_path: Path) -> None:
    for name in ("README.md", "CITATION.cff"):
        shutil.copy(REPOSITORY / name, tmp_path)
    shutil.copytree(REPOSITORY / TABLES, tmp_path / TABLES)
    shutil.copytree(REPOSITORY / "config", tmp_path / "config")
    paths = write_documents(tmp_path, PROGRAM)
    assert {path.relative_to(tmp_path).as_posix() for path in paths} == set(GENERATED)
    assert all(path.read_text("utf-8") for path in paths)


def test_the_data_dictionary_has_every_schema_and_column() -> None:
    known = {tuple(schema.names) for schema in places().values()}
    for module in (reprocore.store.schemas, reprocore.store.cell_schemas):
        for name, schema in vars(module).items():
            if name.endswith("_SCHEMA"):
                assert tuple(schema.names) in known, name
    text = dictionary()
    for place, schema in places().items():
        section = text.partition(f"## `{place}`\n")[2].partition("\n## ")[0]
        assert all(f"| `{column}` |" in section for column in schema.names), place


def test_the_reference_of_commands_has_every_option() -> None:
    text = GENERATED["docs/reference/command-line.md"]
    for name, command in PROGRAM.commands.items():
        section = text.partition(f"## `reprocore {name}`")[2].partition("\n## ")[0]
        assert bool(section) is not command.hidden, name
        options = [option for each in command.params for option in each.opts if option[0] == "-"]
        assert all(option in section for option in options if section and option != "--help")


class TestAnswer:
    def test_its_numbers_are_those_of_the_tables(self) -> None:
        tables = REPOSITORY / TABLES
        summary = pd.read_parquet(tables / "summary.parquet")
        text = GENERATED["README.md"].partition("<!-- answer")[2].partition("<!-- /answer")[0]
        for value in (summary["churn"].min(), summary["churn"].max()):
            assert f"{value:.1%} [" in " ".join(text.split())
        assert f"{summary['churn'].max():.1%} [" in GENERATED["CITATION.cff"]
        marks = dict.fromkeys(("more_reproducible", "less_reproducible"), "**")
        marks |= {"undecided": "*", "equivalent": ""}
        files = list(tables.glob("models/*/contrasts.parquet"))
        assert files
        for path in files:
            rows = pd.read_parquet(path)
            rows = rows[(rows["family"] == "reference") & (rows["measure"] == "relative_pd")]
            lines = [part for part in text.splitlines() if f"| {path.parent.name} |" in part]
            for line, condition in zip(lines, ("final", "matched_loss"), strict=True):
                cells = line.strip("| ").split(" | ")[1:]
                chosen = rows[rows["condition"] == condition].itertuples()
                for cell, row in zip(cells, chosen, strict=True):
                    mark = marks[row.verdict]
                    assert cell == mark + cell.strip("*") + mark
                    numbers = [float(number) for number in re.findall(r"\d\.\d+", cell)]
                    ends = [row.ratio, row.ratio_low, row.ratio_high]
                    assert numbers == pytest.approx(ends, abs=6e-4)

    def test_it_counts_the_verdicts(self) -> None:
        files = sorted((REPOSITORY / TABLES).glob("models/*/contrasts.parquet"))
        rows = pd.concat(map(pd.read_parquet, files)).query("not exploratory")
        text = " ".join(GENERATED["README.md"].split())
        for verdict, count in rows[rows["family"] == "reference"]["verdict"].value_counts().items():
            assert f"{count} {verdict.replace('_', ' ')}" in text

    def test_a_readme_without_a_place_is_refused(self, tmp_path: Path) -> None:
        for name in (TABLES, "config"):
            shutil.copytree(REPOSITORY / name, tmp_path / name)
        (tmp_path / "README.md").write_text("# A project")
        with pytest.raises(ReprocoreError, match=r"README.md: needs one place"):
            with_answers(tmp_path, archives(tmp_path))


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    shutil.copytree(REPOSITORY / "config", tmp_path / "config")
    shutil.copy(REPOSITORY / "config/quick.yaml", tmp_path / "config/config.yaml")
    shutil.copytree(REPOSITORY / "docs/demo", tmp_path / "docs/study/published")
    return tmp_path


class TestStudies:
    def test_every_model_has_its_line_of_what_to_do(self, archive: Path) -> None:
        text = details(archives(archive))
        assert "## Trained longer" not in text
        assert "Not run yet: `config/trained.yaml` and `config/sources.yaml`." in text
        text = text.partition("### What these")[0]
        lines = {line.split(" | ")[0][2:]: line for line in text.splitlines() if " | " in line}
        assert "decide at equal loss: less reproducible GELU 1.109 [" in lines["charlm"]
        assert "SwiGLU: not decided; a difference of 10% takes 5 [4, 19] seeds" in lines["charlm"]
        assert "take any activation, all are within 10% of ReLU (0.981 to" in lines["tinylstm"]
        assert "not comparing them saves 8 of 12 trainings" in lines["tinylstm"]

    def test_its_verdicts_are_those_of_the_tables(self, archive: Path) -> None:
        text = details(archives(archive))
        for path in (archive / "docs/study/published").glob("models/*/contrasts.parquet"):
            for row in pd.read_parquet(path).query("not exploratory").itertuples():
                if row.family == "reference":
                    ends = f"[{row.ratio_low:.3f}, {row.ratio_high:.3f}]"
                    assert f"{ACTIVATIONS[row.first].label} {row.ratio:.3f} {ends}" in text
                    assert f"{row.verdict.replace('_', ' ')}, {row.ratio:.3f} {ends}" in text

    def test_its_shares_of_decided_comparisons_are_those_of_the_tables(self, archive: Path) -> None:
        text = details(archives(archive))
        for path in (archive / "docs/study/published").glob("models/*/contrasts.parquet"):
            rows = pd.read_parquet(path)
            rows = rows[(rows["family"] == "reference") & (rows["condition"] == "final")]
            for measure in ("relative_pd", "churn", "total_variation"):
                verdicts = rows.loc[rows["measure"] == measure, "verdict"]
                decided = (verdicts != "undecided").sum()
                counts = [
                    (verdicts == verdict).sum()
                    for verdict in ("more_reproducible", "less_reproducible", "equivalent")
                ]
                line = [path.parent.name, MEASURES[measure].label, f"{decided} of {len(verdicts)}"]
                assert f"| {' | '.join(map(str, line + counts))} |" in text

    def test_where_trainings_disagree_is_that_of_the_tables(self, archive: Path) -> None:
        text = details(archives(archive)).partition("### Where trainings disagree")[2]
        for path in (archive / "docs/study/published").glob("models/*/strata.parquet"):
            rows = pd.read_parquet(path).query("activation == 'relu' and measure == 'churn'")
            line = next(part for part in text.splitlines() if f"| {path.parent.name} |" in part)
            fifths = rows[rows["stratification"] == "entropy"].sort_values("stratum")["estimate"]
            written = [float(cell.split("%")[0]) for cell in line.split(" | ")[1:6]]
            assert written == pytest.approx(100 * fifths, abs=0.051)
            kinds = rows[rows["stratification"] == "kind"].set_index("stratum")["estimate"]
            ends = [cell.split(" ")[0] for cell in line.split(" | ")[6:8]]
            assert ends == [name.split("_")[0] for name in (kinds.idxmin(), kinds.idxmax())]

    def test_two_studies_are_held_against_each_other(self, archive: Path) -> None:
        shutil.copy(archive / "config/config.yaml", archive / "config/trained.yaml")
        shutil.copytree(archive / "docs/study/published", archive / "docs/study/trained")
        place = archive / "docs/study/trained/models/charlm/contrasts.parquet"
        rows = read_table(place, CONTRASTS_SCHEMA).to_pylist()
        other = {"less_reproducible": "more_reproducible"}
        turned = [row | {"verdict": other.get(row["verdict"], row["verdict"])} for row in rows]
        write_table(place, pa.Table.from_pylist(turned, schema=CONTRASTS_SCHEMA))
        text = " ".join(details(archives(archive)).split())
        assert "at the last step of both: 3 the same verdict, 1 opposite diff" in text
        assert "opposite differences, 2 undecided in one or both." in text
        assert re.search(r"charlm \| GELU \| less [^|]+ \| more reproducible, 1.1", text)

    @pytest.mark.parametrize("document", [answer, details])
    def test_nothing_is_said_of_what_has_not_run(self, document, tmp_path: Path) -> None:
        assert "No model of either study is finished yet." in document(archives(tmp_path))


class TestShortAnswer:
    def test_its_ratios_are_those_of_the_tables(self) -> None:
        for name, study in STUDIES.items():
            files = (REPOSITORY / FOLDER / name).glob("models/*/contrasts.parquet")
            rows = pd.concat(map(pd.read_parquet, files)).query("family == 'reference'")
            declared = rows[rows["condition"].eq("final") & rows["measure"].eq("relative_pd")]
            for row in declared.itertuples():
                line = row_of(GENERATED[ANSWER], f"{row.model}, {study.short}")
                assert with_interval(row.ratio, row.ratio_low, row.ratio_high) in line

    def test_it_begins_with_what_the_tables_come_to(self) -> None:
        for name, study in STUDIES.items():
            files = (REPOSITORY / FOLDER / name).glob("models/*/contrasts.parquet")
            rows = pd.concat(map(pd.read_parquet, files)).query("family == 'reference'")
            rows = rows[rows["measure"] == "relative_pd"].set_index(["model", "first"])
            final, matched = (rows[rows["condition"] == c] for c in ("final", "matched_loss"))
            apart = final[final["verdict"].str.endswith("reproducible")]
            left = (apart["verdict"] == matched["verdict"].reindex(apart.index)).sum()
            line = re.search(rf"^- \*{study.short}\*: .*$", GENERATED[ANSWER], re.M)[0]
            assert f"in {len(apart)} of {len(final)} comparisons with ReLU: " in line
            for verdict, group in final.groupby("verdict"):
                assert f"{len(group)} {verdict.replace('_', ' ')} (" in line
                counts = group.reset_index()["first"].value_counts()
                assert all(f"{readable(name)} in {count}" in line for name, count in counts.items())
            assert f"At equal loss, of {len(apart)} difference" in line
            assert (f"{left} the same" in line) is bool(left)
            small = apart["reason"].str.contains("within_margin").sum()
            assert re.search(rf"Of {len(apart)} differences?, {small} (is|are) shown to be", line)

    @pytest.mark.parametrize(
        ("kinds", "said"),
        [
            ({"open": 5}, "At equal loss, of 5 differences: 5 undecided."),
            ({"appear": 2}, "At equal loss, 2 further comparisons differ there."),
            (
                {"same": 1, "reversed": 2, "appear": 1},
                "At equal loss, of 3 differences: 2 reversed and 1 the same; 1 further comparison "
                "differs there.",
            ),
            (
                {"equivalent": 1},
                "At equal loss, of 1 difference: 1 equivalent (they came from how far a model had "
                "learned).",
            ),
            ({}, ""),
        ],
    )
    def test_it_says_what_becomes_of_differences_at_equal_loss(self, kinds, said) -> None:
        names = ("same", "reversed", "equivalent", "open", "appear")
        found = {kind: [{}] * kinds.get(kind, 0) for kind in names}
        assert " ".join(at_equal_loss(found)) == said

    @pytest.mark.skipif("trained" not in ARCHIVED, reason="one study alone is archived")
    @pytest.mark.parametrize(
        ("condition", "place"),
        [
            ("final", "at the last step of both"),
            ("matched_loss", "of the first study at equal loss"),
        ],
    )
    def test_it_holds_the_studies_against_each_other(self, condition: str, place: str) -> None:
        first, second = verdicts_of("published", condition), verdicts_of("trained", "final")
        shared = first.index.intersection(second.index)
        same = (first[shared] == second[shared]).sum()
        line = next(line for line in GENERATED[ANSWER].splitlines() if place in line)
        assert f"Of {len(shared)} comparisons " in line
        assert (f": {same} the same verdict" in line) is bool(same)

    def test_a_model_within_the_margin_is_told_what_comparing_takes(self) -> None:
        rows = pd.read_parquet(REPOSITORY / TABLES / "models/hybridlm/contrasts.parquet")
        rows = rows.query("family == 'reference' and measure == 'relative_pd'")
        final, matched = (rows[rows["condition"] == c] for c in ("final", "matched_loss"))
        text = GENERATED[ANSWER].partition("## If your model")[2]
        line = row_of(text, "hybridlm, 500 steps")
        reach = f"{final['ratio'].min():.3f} to {final['ratio'].max():.3f}"
        assert f"all are within 10% of ReLU ({reach}); not comparing them saves 50 of 60" in line
        assert final["ratio_low"].min() > 1 / 1.1
        assert final["ratio_high"].max() < 1.1
        for row in matched.itertuples():
            shown = with_interval(row.ratio, row.ratio_low, row.ratio_high)
            assert (shown in line) is row.verdict.endswith("reproducible")
        assert "take any" not in row_of(text, "charlm, 500 steps")

    def test_other_models_are_told_the_verdicts_at_equal_loss(self) -> None:
        rows = pd.read_parquet(REPOSITORY / TABLES / "models/charlm/contrasts.parquet")
        rows = rows.query("family == 'reference' and measure == 'relative_pd'")
        text = row_of(GENERATED[ANSWER].partition("## If your model")[2], "charlm, 500 steps")
        for row in rows[rows["condition"] == "matched_loss"].itertuples():
            of_verdict = text.partition(row.verdict.replace("_", " "))[2].partition(";")[0]
            shown = with_interval(row.ratio, row.ratio_low, row.ratio_high)
            assert f"{readable(row.first)} {shown}" in of_verdict

    def test_a_study_of_few_seeds_has_no_verdicts(self, archive: Path) -> None:
        for path in (archive / "docs/study/published").glob("models/*/contrasts.parquet"):
            rows = read_table(path, CONTRASTS_SCHEMA).to_pylist()
            few = {"verdict": "undecided", "p": None, "p_adjusted": None, "reason": "few_seeds"}
            write_table(
                path, pa.Table.from_pylist([row | few for row in rows], schema=CONTRASTS_SCHEMA)
            )
        text = answer(archives(archive))
        assert "No comparison has a verdict: that needs 4 seeds." in text
        assert "difference" not in text.partition("- *500 steps*")[2].partition("##")[0]
        assert ", not tested |" in row_of(text, "charlm")
        assert "take any" not in text

    def test_a_missing_activation_is_not_told_to_be_within_the_margin(self, archive: Path) -> None:
        path = archive / "docs/study/published/models/tinylstm/contrasts.parquet"
        assert "take any" in row_of(guidance_of(answer(archives(archive))), "tinylstm")
        rows = read_table(path, CONTRASTS_SCHEMA).to_pylist()
        rows = [row for row in rows if row["first"] != "swiglu"]
        write_table(path, pa.Table.from_pylist(rows, schema=CONTRASTS_SCHEMA))
        assert "take any" not in row_of(guidance_of(answer(archives(archive))), "tinylstm")

    def test_it_has_no_section_without_a_table(self, archive: Path) -> None:
        for path in (archive / "docs/study/published").glob("models/*/*.parquet"):
            if path.stem in ("contrasts", "strata", "sensitivity", "steps"):
                path.unlink()
        text = answer(archives(archive))
        assert "## How far apart two trainings are" in text
        for heading in ("Whether the", "If your", "What holds", "Which randomness"):
            assert f"## {heading}" not in text


def verdicts_of(study: str, condition: str) -> pd.Series:
    """Return the verdicts against the reference in relative PD, by model and activation."""
    files = (REPOSITORY / FOLDER / study).glob("models/*/contrasts.parquet")
    rows = pd.concat(map(pd.read_parquet, files)).query("family == 'reference'")
    rows = rows[rows["measure"].eq("relative_pd") & rows["condition"].eq(condition)]
    return rows.set_index(["model", "first"])["verdict"]


def guidance_of(text: str) -> str:
    return text.partition("## If your model")[2]


def row_of(text: str, start: str) -> str:
    """Return the first row of a table that begins with these words."""
    return next(line for line in text.splitlines() if line.startswith(f"| {start}"))


@pytest.mark.parametrize("section", config_docs.SECTIONS.values(), ids=lambda s: s.__name__)
def test_every_key_has_a_description_and_a_default_or_is_required(section: type) -> None:
    for key, field in section.model_fields.items():
        assert field.description, key
        assert f"| `{key}` |" in config_docs.reference()


def test_every_number_has_a_range() -> None:
    definitions = json.loads(config_docs.schema())["$defs"]
    for name, section in definitions.items():
        for key, content in section["properties"].items():
            for kind in content.get("anyOf", [content]):
                if kind.get("type") in ("integer", "number"):
                    limits = {"minimum", "exclusiveMinimum", "maximum", "exclusiveMaximum", "enum"}
                    assert limits & set(kind), f"{name}.{key}"


def test_names_of_measures_are_the_same_everywhere() -> None:
    assert tuple(MEASURES) == MEASURE_NAMES


def test_every_figure_has_a_caption() -> None:
    names = (*MODEL_FIGURES, *study_figures(scaled=True), "audit", "summary", "tuning")
    for name in names:
        text = (REPOSITORY / f"workflow/report/{name}.rst").read_text("utf-8")
        assert len(text.split()) > 20, name


def test_the_readme_names_only_files_that_are_there() -> None:
    text = (REPOSITORY / "README.md").read_text("utf-8")
    for target in re.findall(r"\]\(([^)#]+)\)", text):
        assert (REPOSITORY / target).exists(), target


def profile(name: str) -> dict[str, Any]:
    content = yaml.safe_load((REPOSITORY / f"profiles/{name}/config.yaml").read_text("utf-8"))
    assert isinstance(content, dict)
    return content


def test_profiles_repeat_the_resources_of_the_default_one() -> None:
    """Snakemake takes `default-resources` from one profile alone."""
    usual = profile("default")["default-resources"]
    on_slurm = profile("slurm")["default-resources"]
    assert usual.items() <= on_slurm.items()
    assert "default-resources" not in profile("local")


def test_profiles_name_rules_that_there_are() -> None:
    text = "".join(path.read_text("utf-8") for path in REPOSITORY.glob("workflow/rules/*.smk"))
    rules = set(re.findall(r"^(?:rule|use rule train as) (\w+)", text, flags=re.MULTILINE))
    slurm = profile("slurm")
    assert {*slurm["set-resources"], *slurm["groups"]} <= rules
