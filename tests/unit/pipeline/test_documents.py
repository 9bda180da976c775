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
from reprocore.pipeline.documents.answer import ANSWER, answer
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
DIFFERENT = ("more_reproducible", "less_reproducible")


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

    @pytest.mark.parametrize("name", [name for name in STUDIES if name in ARCHIVED])
    @pytest.mark.parametrize("measure", ["relative_pd", "total_variation", "churn"])
    def test_it_counts_the_verdicts(self, name: str, measure: str) -> None:
        rows, label = contrasts_of(name), MEASURES[measure].label
        final = rows.query("condition == 'final' and measure == @measure")
        apart = final[final["verdict"].isin(DIFFERENT)]
        place = [*filter(lambda each: each in ARCHIVED, STUDIES)].index(name)
        said = row_of(GENERATED["README.md"], f"differ in {label}").split(" | ")[1 + place]
        assert said.startswith(f"{len(apart)} of {len(final)}")
        more, less = ((apart["verdict"] == verdict).sum() for verdict in DIFFERENT)
        assert f"({more} more, {less} less reproducible); " in said
        small = apart["reason"].str.contains("within_margin").sum()
        assert f"; {small} of {len(apart)} within " in said
        left = (final["verdict"] == "undecided").sum()
        assert (f"; {left} undecided" in said) is bool(left)

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
        lines = {
            line.split(" | ")[0][2:]: line.strip("| ").split(" | ")[3:]
            for line in guidance_of(text).splitlines()
            if " | " in line
        }
        assert lines["charlm"] == ["less reproducible: GELU (r); open: SwiGLU"] * 2
        assert lines["convlm"][1] == "less reproducible: SwiGLU (t); near: GELU"
        assert (
            lines["tinylstm"][0] == "any: all are near; not comparing them saves 8 of 12 trainings"
        )

    def test_its_verdicts_are_those_of_the_tables(self, archive: Path) -> None:
        text = details(archives(archive))
        for path in (archive / "docs/study/published").glob("models/*/contrasts.parquet"):
            for row in pd.read_parquet(path).query("not exploratory").itertuples():
                if row.family == "reference":
                    shown = with_interval(row.ratio, row.ratio_low, row.ratio_high)
                    label = ACTIVATIONS[row.first].label
                    assert f"{label} {shown}" in text
                    cell = row_of(text, f"{row.model} | {label} |").split(" | ")[3]
                    mark = {"undecided": "*", "equivalent": ""}.get(row.verdict, "**")
                    assert cell == mark + shown + mark

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
        text = details(archives(archive))
        line = next(each for each in text.splitlines() if "in both studies at the last" in each)
        assert re.search(r"relative PD \d of 6 \(1 opposite\)", line)

    @pytest.mark.parametrize("document", [answer, details])
    def test_nothing_is_said_of_what_has_not_run(self, document, tmp_path: Path) -> None:
        assert "No model of either study is finished yet." in document(archives(tmp_path))


class TestShortAnswer:
    @pytest.mark.parametrize("name", [name for name in STUDIES if name in ARCHIVED])
    def test_its_ratios_are_those_of_the_tables(self, name: str) -> None:
        rows = contrasts_of(name).set_index(["model", "first", "condition", "measure"])
        text = GENERATED[ANSWER]
        heads = re.search(r"\| model \| (GELU.*) \|", text)[1].split(" | ")
        for (model, activation, condition, measure), row in rows.iterrows():
            if (condition, measure) != ("final", "relative_pd"):
                continue
            cells = row_of(text, f"{model}, {STUDIES[name].short}").strip("| ").split(" | ")
            mark = {"undecided": "*", "equivalent": ""}.get(row.verdict, "**")
            shown = mark + with_interval(row.ratio, row.ratio_low, row.ratio_high) + mark
            for letter, other in (("t", "total_variation"), ("c", "churn")):
                verdict = rows.loc[(model, activation, condition, other), "verdict"]
                arrow = {"more_reproducible": "↓", "less_reproducible": "↑"}.get(verdict)
                shown += f" {letter}{arrow}" if arrow else ""
            assert cells[1 + heads.index(readable(activation))] == shown

    def test_what_has_not_run_has_its_place(self, archive: Path) -> None:
        path = archive / "docs/study/published/models/tinylstm/contrasts.parquet"
        rows = read_table(path, CONTRASTS_SCHEMA).to_pylist()
        rows = [row for row in rows if row["first"] != "swiglu"]
        write_table(path, pa.Table.from_pylist(rows, schema=CONTRASTS_SCHEMA))
        text = answer(archives(archive))
        assert "| not run |" in row_of(text, "tinylstm")
        assert "open: SwiGLU" in row_of(guidance_of(text), "tinylstm")

    @pytest.mark.parametrize("name", [name for name in STUDIES if name in ARCHIVED])
    @pytest.mark.parametrize("measure", ["relative_pd", "total_variation", "churn"])
    def test_it_says_what_becomes_of_differences_at_equal_loss(self, name, measure) -> None:
        rows = contrasts_of(name).query("measure == @measure").set_index(["model", "first"])
        final, matched = (rows[rows["condition"] == c] for c in ("final", "matched_loss"))
        apart = final.index[final["verdict"].isin(DIFFERENT)]
        one, other = final["verdict"][apart], matched["verdict"].reindex(apart)
        start = f"- *{STUDIES[name].short.capitalize()}* ("
        said = next(line for line in GENERATED[ANSWER].splitlines() if line.startswith(start))
        turned = (other.isin(DIFFERENT) & (one != other)).sum()
        new = (matched["verdict"].isin(DIFFERENT) & ~matched.index.isin(apart)).sum()
        counts = {"reversed": turned, "more there": new}
        found = ", ".join(f"{count} {word}" for word, count in counts.items() if count)
        more = f" ({found})" if found else ""
        label = MEASURES[measure].label
        assert f"{(one == other).sum()} of {len(apart)} in {label}{more}" in said

    def test_it_names_opposite_differences(self) -> None:
        for place, name in enumerate(each for each in STUDIES if each in ARCHIVED):
            found = contrasts_of(name).groupby(["model", "first", "condition"])["verdict"].agg(set)
            said = row_of(GENERATED[ANSWER], "measures go opposite").split(" | ")[1 + place]
            for (model, activation, _), verdicts in found.items():
                both = {*DIFFERENT} <= verdicts
                assert not both or f"{readable(activation)} in {model}" in said

    @pytest.mark.skipif("trained" not in ARCHIVED, reason="one study alone is archived")
    @pytest.mark.parametrize(
        ("condition", "start"),
        [("final", "in both studies at the last step"), ("matched_loss", "at equal loss and")],
    )
    def test_it_holds_the_studies_against_each_other(self, condition: str, start: str) -> None:
        line = next(line for line in GENERATED[ANSWER].splitlines() if start in line)
        said = line.partition(start)[2]
        published, trained = map(contrasts_of, ("published", "trained"))
        for measure in ("relative_pd", "total_variation", "churn"):
            first, second = (
                rows[rows["measure"].eq(measure) & rows["condition"].eq(where)].set_index(
                    ["model", "first"]
                )["verdict"]
                for rows, where in ((published, condition), (trained, "final"))
            )
            shared = first.index.intersection(second.index)
            same = (first[shared] == second[shared]).sum()
            assert f"{MEASURES[measure].label} {same} of {len(shared)}" in said

    @pytest.mark.parametrize("name", [name for name in STUDIES if name in ARCHIVED])
    def test_advice_rests_on_all_three_measures(self, name: str) -> None:
        rows = contrasts_of(name)
        clear = rows["verdict"].isin(DIFFERENT) & ~rows["reason"].str.contains("within_margin")
        for place, condition in enumerate(("final", "matched_loss")):
            for model, group in rows[rows["condition"] == condition].groupby("model"):
                row = row_of(guidance_of(GENERATED[ANSWER]), f"{model}, {STUDIES[name].short}")
                said = row.strip("| ").split(" | ")[3 + place]
                calm = group[~clear[group.index]]["verdict"].ne("undecided").all()
                near = calm and not clear[group.index].any()
                assert said.startswith("any: all are near") == near
                for activation, own in group.groupby("first"):
                    ways = {*own["verdict"][clear[own.index]]}
                    if len(ways) == 1:
                        word = ways.pop().replace("_", " ")
                        assert readable(activation) in said.partition(word)[2].partition(";")[0]

    def test_a_study_of_few_seeds_has_no_verdicts(self, archive: Path) -> None:
        for path in (archive / "docs/study/published").glob("models/*/contrasts.parquet"):
            rows = read_table(path, CONTRASTS_SCHEMA).to_pylist()
            few = {"verdict": "undecided", "p": None, "p_adjusted": None, "reason": "few_seeds"}
            write_table(
                path, pa.Table.from_pylist([row | few for row in rows], schema=CONTRASTS_SCHEMA)
            )
        text = answer(archives(archive))
        assert "No comparison has a verdict: that needs 4 seeds." in text
        assert ", not tested |" in row_of(text, "charlm")
        assert "any: all" not in text

    def test_it_has_no_section_without_a_table(self, archive: Path) -> None:
        for path in (archive / "docs/study/published").glob("models/*/*.parquet"):
            if path.stem in ("contrasts", "strata", "sensitivity", "steps"):
                path.unlink()
        text = answer(archives(archive))
        assert "## How far apart two trainings are" in text
        for heading in ("Whether the", "If your", "What holds", "Which randomness"):
            assert f"## {heading}" not in text


def contrasts_of(study: str) -> pd.DataFrame:
    """Return the contrasts with the reference in the three divergences, of an archived study."""
    files = sorted((REPOSITORY / FOLDER / study).glob("models/*/contrasts.parquet"))
    rows = pd.concat(map(pd.read_parquet, files), ignore_index=True)
    measures = ("relative_pd", "total_variation", "churn")
    return rows[rows["family"].eq("reference") & rows["measure"].isin(measures)]


def guidance_of(text: str) -> str:
    return text.partition("## If your model")[2].partition("\n##")[0]


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
