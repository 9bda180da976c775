"""The page in a real browser: what it shows, and how it is used with mouse and keyboard."""

import math
import re
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from figure_tables import make_study

from reprocore import reproducibility
from reprocore.report.page.own import write_own_page
from reprocore.report.page.tables import with_interval
from reprocore.store.readers import final_rows
from synthetic_page import PageStudy

pytestmark = pytest.mark.slow
LAPTOP, PHONE = (1366, 768), (390, 844)
WAIT = "() => document.documentElement.dataset.drawn"


def frame(made, name: str, model: str) -> pd.DataFrame:
    return pd.read_parquet(made.folder / "models" / model / f"{name}.parquet")


def plain(text: str) -> str:
    return " ".join(text.split())


def choose(page, section: str, key: str, value: str) -> None:
    page.select_option(f"#{section} select[data-choose={key}]", value)
    page.wait_for_function(WAIT)


def final(made, model: str, activation: str, measure: str) -> pd.Series:
    rows = final_rows(frame(made, "estimates", model))
    rows = rows[(rows["activation"] == activation) & (rows["measure"] == measure)]
    (row,) = (row for _, row in rows[rows["arm"] == "all"].iterrows())
    return row


@pytest.mark.parametrize("measure", ["relative_pd", "churn", "val_loss"])
def test_the_measure_switch_changes_every_chart(page, made, measure):
    choose(page, "levels", "measure", measure)
    row = final(made, "charlm", "swiglu", measure)
    wanted = with_interval(row["estimate"], row["low"], row["high"])
    figure = page.locator("#levels-charts figure[data-title=charlm] .chart")
    assert f"SwiGLU {wanted}" in figure.get_attribute("aria-label")
    values = {s.input_value() for s in page.locator("select[data-choose=measure]").all()}
    assert values == {measure}
    assert page.locator("#curves-charts svg").count() == 2
    assert page.locator("#steps-charts svg").count() == (0 if measure == "val_loss" else 2)


def test_a_model_can_have_an_axis_of_its_own(page, made):
    def ticks(section: str) -> set[tuple[str, ...]]:
        charts = [
            page.locator(f"#{section}-charts figure[data-title={m}]")
            for m in ("charlm", "tinylstm")
        ]
        return {tuple(c.locator(".role-axis-label text").all_inner_texts()) for c in charts}

    for section in ("levels", "contrasts"):
        choose(page, section, "axis", "shared")
        assert len(ticks(section)) == 1
        choose(page, section, "axis", "own")
        assert len(ticks(section)) == 2


def test_numbers_of_the_table_are_those_of_the_files(page, made):
    rows = page.locator("#levels tbody tr").all()
    assert len(rows) == 9
    for row in rows:
        cells = [plain(cell) for cell in row.locator("th, td").all_inner_texts()]
        model, label = cells[:2]
        if model == "convlm":
            assert set(cells[3:8]) == {"not run"}
            continue
        known = final(made, model, label.lower(), "relative_pd")
        assert cells[3] == with_interval(known["estimate"], known["low"], known["high"])


def test_contrasts_of_another_family_and_place(page, made):
    choose(page, "contrasts", "family", "all pairs")
    choose(page, "contrasts", "condition", "matched_loss")
    wanted = pd.concat([frame(made, "contrasts", model) for model in made.models])
    wanted = wanted[(wanted["family"] == "all pairs") & (wanted["arm"] == "all")]
    wanted = wanted[(wanted["condition"] == "matched_loss") & (wanted["measure"] == "relative_pd")]
    shown = [plain(t) for t in page.locator("#contrasts-table td:nth-child(5)").all_inner_texts()]
    texts = zip(wanted["ratio"], wanted["ratio_low"], wanted["ratio_high"], strict=True)
    assert shown == [with_interval(*row) for row in texts]
    marks = page.locator("#contrasts-charts path[aria-roledescription=point]")
    strokes = marks.evaluate_all("marks => marks.map((mark) => mark.getAttribute('stroke'))")
    assert len(strokes) == wanted["ratio"].notna().sum()
    assert all(stroke and stroke.startswith("#") for stroke in strokes)


def test_a_table_is_sorted_by_a_press_and_what_is_missing_stands_last(page):
    head = page.locator("#contrasts-table th", has_text="ratio").locator("button")
    for sign in (1, -1):
        head.press("Enter")
        cells = page.locator("#contrasts-table tbody td:nth-child(5)")
        values = [float(v) for v in cells.evaluate_all("c => c.map(x => x.dataset.value)") if v]
        assert values == sorted(values, reverse=sign < 0)
    assert page.locator("#contrasts-table th[aria-sort=descending]").count() == 1


def test_claims_are_filtered_by_verdict(page, made):
    counts = Counter(pd.read_parquet(made.folder / "audit.parquet")["verdict"])
    kept = max(counts, key=counts.__getitem__)
    for code in {*counts} - {kept}:
        page.locator(f"#audit input[value={code}]").uncheck()
    assert page.locator("#audit-table tbody tr:visible").count() == counts[kept]


def text_rows(made, model: str, activation: str, at: int) -> pd.DataFrame:
    rows = frame(made, "text", model)
    rows = rows[rows["activation"] == activation]
    return rows.groupby("seed", dropna=False, sort=False).nth(at)


def check_character(page, made, model: str, activation: str, at: int) -> None:
    """Compare what the page shows of a character with the file."""
    signs = {"\n": "↵", " ": "␣"}
    shown = page.locator("#character tbody tr").all()
    rows = text_rows(made, model, activation, at).to_dict("records")
    assert len(shown) == len(rows)
    for line, row in zip(shown, rows, strict=True):
        seed = "all" if math.isnan(row["seed"]) else str(int(row["seed"]))
        cells = [plain(cell) for cell in line.locator("th, td").all_inner_texts()]
        assert cells[0] == seed
        for cell, name in zip(cells[1:4], ("first", "second", "third"), strict=True):
            sign, percent = re.fullmatch(r"(\S+) (\d+)%", cell).groups()
            assert sign == signs.get(row[name], row[name])
            assert abs(int(percent) / 100 - row[f"p_{name}"]) < 0.5 / 100 + 0.5 / 255 + 1e-6
    true = signs.get(rows[0]["character"], rows[0]["character"])
    assert f"The true character: {true}" in page.locator("#character h3").inner_text()


def test_a_character_under_the_pointer_shows_what_each_seed_expects(page, made):
    page.locator("#c70").hover()
    check_character(page, made, "charlm", "relu", 70)
    choose(page, "text", "model", "tinylstm")
    choose(page, "text", "activation", "swiglu")
    page.locator("#c131").hover()
    check_character(page, made, "tinylstm", "swiglu", 131)


def test_the_text_is_read_with_the_keyboard_alone(page, made):
    page.locator("#passages").focus()
    for key in ("End", "Home", "ArrowRight", "ArrowRight", "ArrowDown", "ArrowLeft"):
        page.keyboard.press(key)
    assert page.locator("#passages").get_attribute("aria-activedescendant") == "c65"
    check_character(page, made, "charlm", "relu", 65)


@pytest.mark.parametrize("colour", ["disagreement", "total_variation"])
def test_colours_are_those_of_the_file(page, made, colour):
    choose(page, "text", "colour", colour)
    rows = frame(made, "text", "charlm")
    rows = rows[(rows["activation"] == "relu") & rows["seed"].isna()]
    shown = page.locator(".c").evaluate_all("all => all.map(c => +c.style.getPropertyValue('--d'))")
    most = {"disagreement": 1, "total_variation": 0.5}[colour]
    wanted = (rows[colour] / most).clip(upper=1)
    assert max(abs(wanted.to_numpy() - shown)) < 0.5 / 255 / most + 0.001
    half = page.locator(".c").evaluate_all("all => all.map(c => c.classList.contains('half'))")
    assert half == (rows["disagreement"] >= 0.5).tolist()


def test_what_has_not_run_is_said(page):
    choose(page, "text", "model", "convlm")
    for place in ("#passages", "#written", "#pairs-chart"):
        assert "not run" in page.locator(place).inner_text()
    assert "Not run: convlm" in page.locator("#answer").inner_text()


@pytest.fixture(scope="module")
def gappy(tmp_path_factory):
    """A study in which one model lacks an activation and another has not run."""
    study = make_study(arms=["all", "init"])
    seeds = {("charlm", "gelu"): (), "tinylstm": ()}
    tables = PageStudy(study, tmp_path_factory.mktemp("gappy"), seeds=seeds, positions=640)
    tables.page()
    return tables


def test_an_activation_without_a_row_is_shown_with_why(opened, gappy):
    def missing(page) -> list[str]:
        rows = page.locator("#contrasts-table tbody tr", has=page.locator(".missing"))
        return [plain(text) for text in rows.all_inner_texts()]

    gone = [f"tinylstm {label} not run" for label in ("ReLU", "GELU", "SwiGLU")]
    with opened(gappy.folder / "report.html") as page:
        for family in ("reference", "all pairs"):
            choose(page, "contrasts", "family", family)
            assert missing(page) == ["charlm GELU missing", *gone]
            drawn = page.locator("#contrasts-charts figure[data-title=charlm] svg text")
            assert {"GELU", "missing"} <= {*drawn.all_text_contents()}
        for section in ("curves", "steps"):
            captions = page.locator(f"#{section}-charts figcaption").all_inner_texts()
            assert [plain(text) for text in captions] == ["charlm GELU: missing", "tinylstm"]
        assert "GELU missing" in page.locator("#sources-charts .chart").get_attribute("aria-label")
    with opened(gappy.folder / "report.html", java_script_enabled=False) as page:
        assert missing(page) == ["charlm GELU missing", *gone]


def test_two_activations_are_compared(page, made):
    choose(page, "cross", "first", "gelu")
    rows = frame(made, "cross", "charlm")
    rows = rows[(rows["measure"] == "relative_pd") & (rows["activation_a"] == "gelu")]
    (row,) = rows[(rows["activation_b"] == "swiglu") & ~rows["same_seed"]].to_dict("records")
    wanted = with_interval(row["ratio"], row["ratio_low"], row["ratio_high"])
    assert wanted in page.locator("#cross-words").inner_text()
    assert with_interval(row["estimate"], row["low"], row["high"]) in page.locator(
        "#cross-chart"
    ).get_attribute("aria-label")


def test_everything_is_reached_by_the_keyboard(page):
    reached = set()
    for _ in range(120):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("document.activeElement.closest('section')?.id ?? ''"))
    assert {
        "levels",
        "contrasts",
        "text",
        "generated",
        "cross",
        "pairs",
        "audit",
        "made",
    } <= reached


@pytest.mark.parametrize("size", [LAPTOP, PHONE])
def test_nothing_is_wider_than_the_screen(opened, made, size):
    with opened(made.folder / "report.html", size) as page:
        assert page.evaluate("document.documentElement.scrollWidth") <= size[0]


def test_accessibility(opened, made):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    for size in (LAPTOP, PHONE):
        with opened(made.folder / "report.html", size) as page:
            found = axe.Axe().run(page).response["violations"]
        serious = [v for v in found if v["impact"] in ("serious", "critical")]
        assert [(v["id"], v["nodes"][0]["html"][-200:]) for v in serious] == []


def test_it_is_read_without_scripts_and_in_print(opened, made, tmp_path):
    path = made.folder / "report.html"
    with opened(path, java_script_enabled=False) as page:
        text = page.locator("main").inner_text()
        assert page.locator("#levels tbody tr").count() == 9
        assert page.locator("#passages .c").count() == 512
        assert "seed 1" in page.locator("#written").inner_text()
        assert not page.locator("select").first.is_visible()
        assert "How it was made" in text
    with opened(path) as page:
        printed = page.pdf(path=tmp_path / "page.pdf", format="A4")
        assert len(printed) > 50_000


def test_the_page_of_a_comparison_of_ones_own(opened, made, tmp_path):
    from figure_tables import final_of

    final = final_of(made.cells[:4])
    others = np.sqrt(final.probabilities)
    others /= others.sum(axis=2, keepdims=True)
    groups = {"<b>first</b>": final.probabilities, "\u202esecond": others}
    found = vars(reproducibility(groups, targets=final.targets, seeds=[1, 2, 3, 4]))
    write_own_page(found, 0.95, "Mine </script><b>", tmp_path / "own.html")
    with opened(Path(tmp_path / "own.html")) as page:
        churn = found["estimates"][found["estimates"]["measure"] == "churn"]
        row = page.locator("#levels tbody tr", has_text="churn")
        for place, level in enumerate(churn.itertuples()):
            wanted = with_interval(level.estimate, level.low, level.high)
            assert plain(row.locator("td").nth(place).inner_text()) == wanted
        (verdict,) = found["verdicts"].to_dict("records")
        assert f"{verdict['second']}, relative_pd" in page.locator("#answer").inner_text()
        assert page.locator("#contrasts tbody tr").count() > 5
        assert page.locator("#pairs-chart svg").count() == 1
        page.locator("select[data-choose=group]").select_option("\u202esecond")
        assert page.locator("#pairs-chart svg").count() == 1
        assert page.locator("bdi").inner_text() == "Mine </script><b>"
        assert page.locator("main b").count() == 0
