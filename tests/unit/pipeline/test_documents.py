"""Documents that must not drift from the code."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from project import REPOSITORY
from reprocore.pipeline import documents as config_docs
from reprocore.study.layout import MODEL_FIGURES, study_figures
from reprocore.vocabulary import MEASURE_NAMES, MEASURES


@pytest.mark.parametrize(
    ("path", "text"),
    [(config_docs.README, config_docs.readme()), (config_docs.SCHEMA, config_docs.schema())],
    ids=["reference", "schema"],
)
def test_generated_documents_are_as_generated(path: Path, text: str) -> None:
    stored = (REPOSITORY / path).read_text("utf-8")
    assert stored == text, f"{path} is out of date; run: reprocore document"


@pytest.mark.parametrize("section", config_docs.SECTIONS.values(), ids=lambda s: s.__name__)
def test_every_key_has_a_description_and_a_default_or_is_required(section: type) -> None:
    for key, field in section.model_fields.items():
        assert field.description, key
        assert f"| `{key}` |" in config_docs.readme()


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
