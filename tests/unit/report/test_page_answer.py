"""The answer of the page: sentences made from codes, for every state that a study can be in."""

from typing import Any

import pyarrow as pa
import pytest

from reprocore.report.page.answer import Answer, Finding, Topic, answer_of
from reprocore.report.page.sentences import WORDS, listed, sentence
from reprocore.report.page.tables import TABLES, Tables, with_interval
from reprocore.report.words import reason_texts
from reprocore.study.study import Study, parse_study
from reprocore.vocabulary import ContrastVerdict, Family, Flag, Reason, join_codes

EMPTY = {pa.string(): "", pa.bool_(): False, pa.int64(): 4, pa.float64(): 0.5, pa.float32(): 0.5}


def table(name: str, rows: list[dict[str, Any]]) -> pa.Table:
    """A table of which only what matters is given; the rest is null, or something of its type."""
    schema = TABLES[name]
    blank = {f.name: None if f.nullable else EMPTY[f.type] for f in schema}
    return pa.Table.from_pylist([blank | row for row in rows], schema=schema)


def study_of(**changes: Any) -> Study:
    models = {name: {"family": "lstm"} for name in ("one", "two")}
    content = {"seeds": [1, 2, 3, 4], "activations": ["relu", "gelu"], "models": models}
    return parse_study(content | changes)


def tables_of(study: Study, **given: list[dict[str, Any]]) -> Tables:
    """Tables of a study that has run whole, but for what is given."""
    pairs = [(m, a) for m in study.models for a in study.activations_of(m)]
    keys = [{"model": m, "activation": a, "arm": study.primary_arm(m)} for m, a in pairs]
    levels = [
        key | {"measure": measure, "step": 100, "estimate": 0.2 + n / 100, "low": 0.1, "high": 0.4}
        for n, key in enumerate(keys)
        for measure in ("churn", "relative_pd")
    ]
    whole = {"summary": [key | {"seeds": 4} for key in keys], "estimates": levels} | given
    return Tables(study, {name: table(name, whole.get(name, [])) for name in TABLES})


def contrasts(*verdicts: ContrastVerdict, p: float | None = 0.01, **more: Any) -> list[dict]:
    rows = []
    for model, verdict in zip(("one", "two"), verdicts, strict=False):
        row = {"model": model, "arm": "all", "measure": "relative_pd", "condition": "final"}
        row |= {"first": "gelu", "second": "relu", "family": Family.REFERENCE, "verdict": verdict}
        row |= {"ratio": 1.2, "ratio_low": 1.1, "ratio_high": 1.3, "p_adjusted": p}
        rows.append(row | more)
    return rows


def topics(answer: Answer) -> list[Topic]:
    return [f.topic for part in (answer.level, answer.activation, answer.limits) for f in part]


def told(tables: Tables) -> str:
    answer = answer_of(tables)
    return "\n".join(
        sentence(f) for part in (answer.level, answer.activation, answer.limits) for f in part
    )


LESS, UNDECIDED = ContrastVerdict.LESS_REPRODUCIBLE, ContrastVerdict.UNDECIDED
MORE = ContrastVerdict.MORE_REPRODUCIBLE


def test_every_topic_has_words():
    assert {*WORDS} == {*Topic}


def test_the_level_is_that_of_the_tables_with_its_interval():
    text = told(tables_of(study_of(), contrasts=contrasts(LESS, LESS)))
    assert "20% [10, 40] (one with ReLU) to 23% [10, 40] (two with GELU)" in text
    assert "0.20 [0.10, 0.40] (one with ReLU) to 0.23 [0.10, 0.40] (two with GELU)" in text


@pytest.mark.parametrize(
    ("verdicts", "topic", "words"),
    [
        ((LESS, LESS), Topic.ALL_DECIDED, "Both comparisons with ReLU"),
        ((LESS, UNDECIDED), Topic.SOME_DECIDED, "1 is decided and 1 is not"),
        ((UNDECIDED, UNDECIDED), Topic.NONE_DECIDED, "None of the 2 comparisons with ReLU"),
        ((LESS,), Topic.ALL_DECIDED, "The one comparison with ReLU"),
        ((UNDECIDED,), Topic.NONE_DECIDED, "is not decided"),
    ],
)
def test_how_much_is_decided(verdicts, topic, words):
    tables = tables_of(study_of(), contrasts=contrasts(*verdicts))
    assert topic in topics(answer_of(tables))
    assert words in told(tables)
    assert "in one GELU 1.20 [1.10, 1.30]" in told(tables)


def test_one_difference_among_models_must_stay_clear_after_holm():
    weak = tables_of(study_of(), contrasts=contrasts(LESS, UNDECIDED, p=0.03))
    assert Topic.NOT_CLEAR_OVER_MODELS in topics(answer_of(weak))
    strong = tables_of(study_of(), contrasts=contrasts(LESS, LESS, p=0.001))
    assert "for all 2 models together, 2 of 2 differences remain." in told(strong)


def test_a_difference_at_the_end_is_looked_up_at_matched_loss():
    def text(*matched: ContrastVerdict) -> str:
        rows = contrasts(LESS, LESS) + contrasts(*matched, condition="matched_loss")
        return told(tables_of(study_of(), contrasts=rows))

    both = "(GELU in one; GELU in two)"
    assert f"2 differences at the last step, 2 are the same {both}." in text(LESS, LESS)
    turned = text(UNDECIDED, ContrastVerdict.MORE_REPRODUCIBLE)
    assert "1 is reversed (GELU in two) and 1 is not shown to be one" in turned
    assert f"2 are not shown to be one {both}." in text()
    assert "1 is equivalent (GELU in one) and 1 is not" in text(ContrastVerdict.EQUIVALENT)
    undecided = tables_of(study_of(), contrasts=contrasts(UNDECIDED))
    assert Topic.AT_MATCHED_LOSS not in topics(answer_of(undecided))
    rows = contrasts(UNDECIDED) + contrasts(LESS, condition="matched_loss")
    appeared = told(tables_of(study_of(), contrasts=rows))
    without = "1 comparison with none shown at the last step differs here (GELU in one)."
    assert f"(exploratory), {without}" in appeared


def steps_of(model: str, verdicts: dict[int, ContrastVerdict]) -> list[dict[str, Any]]:
    row = {"model": model, "arm": "all", "measure": "relative_pd"}
    row |= {"first": "gelu", "second": "relu"}
    return [row | {"step": step, "verdict": verdict} for step, verdict in verdicts.items()]


@pytest.mark.parametrize(
    ("before", "words"),
    [
        ({50: MORE, 80: LESS, 90: LESS}, "1 is there at each of these steps"),
        ({80: LESS, 90: MORE}, "1 is reversed at one or more of them (GELU in one)"),
        ({80: UNDECIDED, 90: LESS}, "1 is not shown at one or more of them (GELU in one)"),
    ],
)
def test_a_difference_at_the_end_is_looked_up_late_in_training(before, words):
    rows = steps_of("one", before | {100: LESS})
    text = told(tables_of(study_of(), contrasts=contrasts(LESS), steps=rows))
    assert "At the stored steps from 75% of the training on (80 and 90), before the last" in text
    assert f"(exploratory), of 1 difference, {words}." in text


def test_steps_that_models_do_not_share_are_not_named():
    rows = [*steps_of("one", {80: LESS, 100: LESS}), *steps_of("two", {800: LESS, 1000: LESS})]
    text = told(tables_of(study_of(), contrasts=contrasts(LESS, LESS), steps=rows))
    assert "training on, before the last (exploratory), of 2 differences, 2 are there" in text


def test_without_late_steps_nothing_is_said_of_them():
    rows = steps_of("one", {50: MORE, 100: LESS})
    tables = tables_of(study_of(), contrasts=contrasts(LESS), steps=rows)
    assert Topic.STEADY not in topics(answer_of(tables))


def test_differences_by_other_measures_are_looked_up_at_matched_loss_too():
    of_churn = [
        row | {"measure": "churn", "exploratory": True}
        for row in (*contrasts(LESS, MORE), *contrasts(LESS, LESS, condition="matched_loss"))
    ]
    text = told(tables_of(study_of(), contrasts=[*contrasts(LESS, UNDECIDED), *of_churn]))
    assert "Of those by other measures, the same here are in churn 1 of 2." in text


def test_the_other_measures_stand_beside_the_declared_one():
    rows = contrasts(LESS, LESS) + [
        row | {"measure": measure, "exploratory": True}
        for measure, verdicts in {
            "churn": (UNDECIDED, LESS),
            "total_variation": (MORE, MORE),
        }.items()
        for row in contrasts(*verdicts)
    ]
    text = told(tables_of(study_of(), contrasts=rows))
    assert "by total variation 2 more reproducible" in text
    assert "by churn 1 less reproducible and 1 undecided" in text


def test_the_margin_is_told_where_a_difference_is_smaller():
    small = contrasts(LESS, LESS)
    small[0]["reason"] = join_codes([Reason.WITHIN_MARGIN])
    text = told(tables_of(study_of(), contrasts=small))
    assert "within 10% (0.909 to 1.1) is called equivalent; of 2 differences found, 1 is" in text
    large = tables_of(study_of(), contrasts=contrasts(LESS, LESS))
    assert Topic.WITHIN_MARGIN not in topics(answer_of(large))


def test_how_far_models_have_learned_is_told():
    key = {"model": "one", "activation": "relu", "arm": "all"}
    level = {"measure": "val_accuracy", "step": 100, "estimate": 0.4, "low": 0.3, "high": 0.5}
    tables = tables_of(study_of(), cells=[key | {"seed": 1}], estimates=[key | level])
    assert "Trained for 500 steps, models expect the right next character at 40% [30, 50]" in told(
        tables
    )


def test_what_is_undecided_says_what_it_would_take():
    needed = {"model": "one", "arm": "all", "measure": "relative_pd", "condition": "final"}
    needed |= {"seeds_for_10": 12, "seeds_for_10_low": 8, "seeds_most": 5}
    rows = [needed | {"seeds_for_10_high": None}]
    tables = tables_of(study_of(), contrasts=contrasts(UNDECIDED, seeds=4), sensitivity=rows)
    assert "about 12 [8, over 10,000] seeds in one (compared on 4)" in told(tables)
    decided = tables_of(study_of(), contrasts=contrasts(LESS), sensitivity=rows)
    assert Topic.SEEDS_NEEDED in topics(answer_of(decided))


def test_too_few_seeds_for_a_verdict():
    few = contrasts(UNDECIDED, p=None, reason=join_codes([Reason.FEW_SEEDS_FOR_TEST]), seeds=3)
    assert "needs 4 seeds" in told(tables_of(study_of(), contrasts=few))


def test_a_comparison_that_was_not_tested_is_named():
    gap = join_codes([Reason.CONSTANT_DIFFERENCE])
    rows = contrasts(LESS) + contrasts(UNDECIDED, p=None, model="two", reason=gap, seeds=4)
    words = "; ".join(reason_texts(rows[1]))
    assert f"Not tested ({words}): in two GELU" in told(tables_of(study_of(), contrasts=rows))


def test_equivalence_without_a_t_test_is_no_lack_of_a_test():
    gap = join_codes([Reason.CONSTANT_DIFFERENCE])
    same = contrasts(ContrastVerdict.EQUIVALENT, p=None, reason=gap, seeds=4)
    found = topics(answer_of(tables_of(study_of(), contrasts=same)))
    assert Topic.VERDICT in found
    assert Topic.UNTESTED not in found


def test_what_remains_over_models_is_told_of_differences_alone():
    both = contrasts(ContrastVerdict.EQUIVALENT, ContrastVerdict.EQUIVALENT, p=0.5, seeds=4)
    found = topics(answer_of(tables_of(study_of(), contrasts=both)))
    assert not {Topic.CLEAR_OVER_MODELS, Topic.NOT_CLEAR_OVER_MODELS} & {*found}


def test_one_activation():
    text = told(tables_of(study_of(activations=["tanh"])))
    assert "One activation is studied, tanh" in text
    assert "learning rate" not in text


def test_a_reference_that_has_not_run():
    pairs = [("one", "relu"), ("one", "gelu"), ("two", "relu"), ("two", "gelu")]
    rows = [{"model": m, "activation": a, "arm": "all", "seeds": 4} for m, a in pairs]
    rows[0] |= {"seeds": 0, "flags": Flag.NOT_RUN}
    tables = tables_of(study_of(), summary=rows, contrasts=contrasts(UNDECIDED, LESS))
    text = told(tables)
    assert "compared with has not run: ReLU in one" in text
    assert "Not run: one (ReLU)" in text
    assert "The one comparison" in text


def test_nothing_has_run():
    study = study_of()
    rows = [
        {"model": m, "activation": a, "arm": "all", "seeds": 0, "flags": Flag.NOT_RUN}
        for m in study.models
        for a in study.activations
    ]
    text = told(tables_of(study, summary=rows, estimates=[]))
    assert text.startswith("No two trainings can be compared yet.")
    assert "Not run: one and two." in text


@pytest.mark.parametrize(
    ("flag", "words"),
    [
        (Flag.ABOVE_UNIGRAM, "have learned more than how frequent each character is"),
        (Flag.MISSING_SEEDS, "Some seeds have not run: one (ReLU)"),
        (Flag.MIXED_MACHINES, "different machines"),
        (Flag.MIXED_CODE, "different versions of the code"),
        (Flag.RATE_AT_END, "an end of the grid"),
    ],
)
def test_flags(flag, words):
    row = {"model": "one", "activation": "relu", "arm": "all", "seeds": 4, "flags": flag}
    assert words in told(tables_of(study_of(), summary=[row]))


def test_bfloat16_and_tuning():
    models = {"one": {"family": "lstm", "training": {"precision": "bfloat16"}}}
    tuning = {"learning_rates": [0.001, 0.01], "seeds": [8, 9]}
    study = study_of(models=models, tuning=tuning)
    assert "in bfloat16" not in told(tables_of(study)), "nothing of it has run"
    ran = [{"model": "one", "activation": "relu", "arm": "all", "seed": 1}]
    text = told(tables_of(study, cells=ran))
    assert "in bfloat16" in text
    assert "from 0.001 and 0.01, on 2 seeds of their own" in text
    assert "share one learning rate" not in text


def test_many_are_named_in_part():
    assert listed([str(n) for n in range(9)]) == "0, 1, 2, 3, 4, 5 and 3 more"
    assert [listed(["a"]), listed(["a", "b"])] == ["a", "a and b"]


def test_what_is_missing_is_never_a_number():
    assert with_interval(None, None, None) == "–"
    assert with_interval(float("inf"), None, None) == "–"
    assert with_interval(0.25, None, None) == "0.2500"


def test_swapping_is_told_with_and_without_the_seed():
    pair = {"model": "one", "arm": "all", "step": 100, "measure": "relative_pd"}
    pair |= {"activation_a": "relu", "activation_b": "gelu"}
    rows = [
        pair
        | {"same_seed": kept, "ratio": ratio, "ratio_low": ratio - 0.1, "ratio_high": ratio + 0.1}
        for kept, ratio in ((False, 1.3), (True, 0.5))
    ]
    text = told(tables_of(study_of(), contrasts=contrasts(LESS), cross=rows))
    assert "moves the predictions 1.30 [1.20, 1.40] (ReLU and GELU, one) times as far" in text
    assert "For 1 of 1 pair of activations" in text
    assert "Where the seed is kept, it is 0.50 [0.40, 0.60] (ReLU and GELU, one) times." in text


def test_a_margin_of_a_likeness_is_that_of_1_less_it():
    data = {"margin": 0.1, "small": 0, "differences": 0}
    plain, of_likeness = (
        sentence(Finding(Topic.WITHIN_MARGIN, data | {"complement": complement}))
        for complement in (False, True)
    )
    assert plain.startswith("Where no difference is found, a ratio shown to be within 10%")
    assert "a ratio of 1 less the values shown to be within 10%" in of_likeness
