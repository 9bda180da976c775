"""From trajectories to verdicts: the tables of one and of all models."""

from dataclasses import replace

import numpy as np
import pytest
from courses import STEPS, course_of, rows, study_of

from reprocore.analysis.over_models import analyse_across
from reprocore.analysis.per_model import analyse_model, closer
from reprocore.analysis.trajectories import Trajectory
from reprocore.statistics.contrasts import Margin, SeedValues, contrasts
from reprocore.statistics.jackknife import jackknife
from reprocore.store.columns import codes_of
from reprocore.vocabulary import (
    MEASURES,
    Condition,
    ContrastVerdict,
    Family,
    Reason,
    split_codes,
)

FINAL = {"measure": "churn", "condition": Condition.FINAL, "family": Family.REFERENCE}


def codes_in(row: dict) -> list[tuple[str, set[str]]]:
    """The columns of a row that hold codes, and which."""
    columns = ("condition", "method", "verdict", "reason", "seeds_reason")
    return [(name, set(row[name].split())) for name in columns if row.get(name)]


class TestOneModel:
    @pytest.mark.slow
    def test_a_clear_difference_has_a_verdict_and_its_numbers_are_the_means(self) -> None:
        study = study_of(["relu", "gelu"])
        trajectories = {("relu", "all"): course_of(0.5), ("gelu", "all"): course_of(0.4, random=1)}
        tables = analyse_model(study, "charlm", trajectories)
        (found,) = rows(tables["contrasts"], **FINAL)
        assert (found["first"], found["second"]) == ("gelu", "relu")
        assert found["verdict"] == ContrastVerdict.MORE_REPRODUCIBLE
        means = [
            jackknife(trajectories[a, "all"].at(-1, "churn")).estimate for a in ("gelu", "relu")
        ]
        assert found["difference"] == pytest.approx(means[0] - means[1])
        assert found["ratio"] == pytest.approx(means[0] / means[1])
        assert found["ratio_low"] < found["ratio"] < found["ratio_high"] < 1
        (text,) = rows(tables["contrasts"], **FINAL | {"measure": "continuation_distance"})
        assert text["verdict"] == ContrastVerdict.MORE_REPRODUCIBLE
        assert text["difference"] == found["difference"]
        (overlap,) = rows(tables["contrasts"], **FINAL | {"measure": "top5_overlap"})
        assert overlap["verdict"] == ContrastVerdict.LESS_REPRODUCIBLE

    def test_alike_activations_are_equivalent_and_not_sensitive(self) -> None:
        study = study_of(["relu", "gelu"])
        trajectories = {("relu", "all"): course_of(0.5), ("gelu", "all"): course_of(0.5, random=1)}
        tables = analyse_model(study, "charlm", trajectories)
        (found,) = rows(tables["contrasts"], **FINAL | {"measure": "relative_pd"})
        assert found["verdict"] == ContrastVerdict.EQUIVALENT
        (spread,) = rows(tables["sensitivity"], measure="relative_pd", condition=Condition.FINAL)
        assert spread["low"] == 0
        assert spread["p_omnibus"] > 0.01

    @pytest.mark.slow
    def test_a_difference_that_is_one_of_loss_alone_goes_away_at_matched_loss(self) -> None:
        """The same trajectory of difference against loss, but one activation has gone further."""
        study = study_of(["relu", "gelu"])
        ahead, behind = course_of(0.5, noise=0.005), course_of(0.5, noise=0.005)
        for name in MEASURES:
            behind.pairs[name][:] = (
                ahead.pairs[name] * (np.array([0.25, 0.5, 0.8]) / [0.5, 0.8, 1])[:, None, None]
            )
        behind.scores["val_loss"][:] = ahead.scores["val_loss"] + 0.5
        trajectories = {("relu", "all"): ahead, ("gelu", "all"): behind}
        table = analyse_model(study, "charlm", trajectories)["contrasts"]
        (final,) = rows(table, **FINAL)
        (matched,) = rows(table, **FINAL | {"condition": Condition.MATCHED_LOSS})
        assert final["ratio"] == pytest.approx(0.8, abs=0.01)
        assert matched["ratio"] == pytest.approx(1.0, abs=0.02)

    def test_with_the_last_step_alone_nothing_is_known_at_matched_loss(self) -> None:
        study = study_of(["relu", "gelu"])
        seeds = range(1, 6)
        whole = {"relu": course_of(0.5, seeds), "gelu": course_of(0.1, seeds, random=1, loss=1.8)}
        trajectories = {
            (name, "all"): Trajectory(
                course.seeds,
                course.steps[-1:],
                {measure: cube[-1:] for measure, cube in course.pairs.items()},
                {score: values[-1:] for score, values in course.scores.items()},
            )
            for name, course in whole.items()
        }
        tables = analyse_model(study, "charlm", trajectories)
        (final,) = rows(tables["contrasts"], **FINAL)
        assert final["verdict"] == ContrastVerdict.MORE_REPRODUCIBLE
        for table in (tables["contrasts"], tables["sensitivity"]):
            assert Reason.PAST_MATCHED_LOSS in codes_of(table.schema, "reason")
            matched = rows(table, condition=Condition.MATCHED_LOSS)
            assert len(matched) >= len(MEASURES)
            for row in matched:
                assert split_codes(row["reason"], Reason) == (Reason.PAST_MATCHED_LOSS,)
                assert row.get("interpolation") is row.get("difference") is row.get("cv") is None
                assert row.get("verdict", ContrastVerdict.UNDECIDED) == ContrastVerdict.UNDECIDED

    @pytest.mark.slow
    def test_unequal_seeds_use_the_shared_ones_and_say_so(self) -> None:
        study = study_of(["relu", "gelu"])
        trajectories = {
            ("relu", "all"): course_of(0.5),
            ("gelu", "all"): course_of(0.4, seeds=range(3, 15), random=1),
        }
        tables = analyse_model(study, "charlm", trajectories)
        (found,) = rows(tables["contrasts"], **FINAL)
        assert found["seeds"] == 10
        assert split_codes(found["reason"], Reason) == (Reason.PART_OF_SEEDS,)
        counts = ("seeds_first", "seeds_second", "seeds_shared")
        assert [found[name] for name in counts] == [12, 12, 10]
        (spread,) = rows(tables["sensitivity"], measure="churn", condition=Condition.FINAL)
        assert split_codes(spread["reason"], Reason) == (Reason.ONLY_COMMON_SEEDS,)
        assert (spread["seeds"], spread["seeds_most"]) == (10, 12)

    @pytest.mark.slow
    @pytest.mark.parametrize(
        ("seeds", "verdict", "reasons"),
        [
            (3, ContrastVerdict.UNDECIDED, (Reason.FEW_SEEDS_FOR_TEST,)),
            (4, ContrastVerdict.MORE_REPRODUCIBLE, ()),
        ],
    )
    def test_a_verdict_needs_four_seeds(self, seeds, verdict, reasons) -> None:
        study = study_of(["relu", "gelu"])
        trajectories = {
            ("relu", "all"): course_of(0.5, seeds=range(1, seeds + 1)),
            ("gelu", "all"): course_of(0.1, seeds=range(1, seeds + 1), random=1),
        }
        table = analyse_model(study, "charlm", trajectories)["contrasts"]
        (found,) = rows(table, **FINAL)
        assert found["verdict"] == verdict
        assert split_codes(found["reason"], Reason) == reasons
        assert found["seeds"] == seeds

    def test_all_but_the_declared_question_is_exploratory(self) -> None:
        primary = {"measure": "churn", "condition": "matched_loss"}
        study = study_of(["relu", "gelu"], arms=["all", "init"], statistics={"primary": primary})
        trajectories = {
            (name, arm): course_of(0.5, random=index)
            for index, (name, arm) in enumerate(
                (name, arm) for name in ("relu", "gelu") for arm in ("all", "init")
            )
        }
        tables = analyse_model(study, "charlm", trajectories)
        declared = {"measure": "churn", "condition": "matched_loss", "arm": "all"}
        for name, wanted in (
            ("contrasts", declared | {"family": Family.REFERENCE}),
            ("sensitivity", declared),
        ):
            (row,) = rows(tables[name], exploratory=False)
            assert {key: row[key] for key in wanted} == wanted

    def test_seeds_are_planned_for_the_declared_question_alone(self) -> None:
        study = study_of(["relu", "gelu", "swish"])
        trajectories = {
            (name, "all"): course_of(0.5, random=index)
            for index, name in enumerate(("relu", "gelu", "swish"))
        }
        table = analyse_model(study, "charlm", trajectories)["sensitivity"]
        (declared,) = rows(table, exploratory=False)
        needed = [declared[f"seeds_for_{percent}"] for percent in (5, 10, 20)]
        assert needed == sorted(needed, reverse=True)
        assert min(needed) >= 4
        assert declared["seeds_reason"] == ""
        for percent, seeds in zip((5, 10, 20), needed, strict=True):
            low, high = (declared[f"seeds_for_{percent}_{end}"] for end in ("low", "high"))
            assert low <= seeds <= high
        for row in rows(table, exploratory=True):
            assert row["seeds_for_10"] is None
            assert row["seeds_reason"] == Reason.NOT_DECLARED
        few = {key: course_of(0.5, seeds=(1, 2, 3)) for key in trajectories}
        table = analyse_model(study, "charlm", few)["sensitivity"]
        (declared,) = rows(table, exploratory=False)
        assert declared["seeds_for_10"] is None
        assert declared["seeds_reason"] == Reason.FEW_SEEDS_FOR_TEST

    @pytest.mark.parametrize("seeds", [(1, 2), (1, 2, 3)])
    def test_no_number_is_nan(self, seeds: tuple[int, ...]) -> None:
        study = study_of(["relu", "gelu", "swish"], arms=["all", "none"])
        flat = course_of(0.5, seeds=seeds, noise=0)
        zero = course_of(0.0, seeds=seeds, noise=0)
        infinite = course_of(0.5, seeds=seeds)
        infinite.pairs["jeffreys"][:] = np.inf
        infinite.pairs["continuation_distance"][:] = np.nan
        trajectories = {("relu", "all"): flat, ("gelu", "all"): infinite, ("relu", "none"): zero}
        for name, table in analyse_model(study, "charlm", trajectories).items():
            for row in table.to_pylist():
                numbers = [value for value in row.values() if isinstance(value, float)]
                assert not np.isnan(numbers).any(), (name, row)
                for column, codes in codes_in(row):
                    assert codes <= codes_of(table.schema, column), (name, column, codes)

    def test_one_activation_has_nothing_to_be_compared_with(self) -> None:
        study = study_of(["relu"])
        tables = analyse_model(study, "charlm", {("relu", "all"): course_of(0.5)})
        assert len(tables["contrasts"]) == len(tables["sensitivity"]) == 0
        assert len(tables["sources"]) == len(MEASURES)

    @pytest.mark.parametrize(
        ("measure", "whole", "initial", "none", "share"),
        [("churn", 0.5, 0.3, 0.0, 0.6), ("top5_overlap", 0.8, 0.9, 1.0, 0.5)],
    )
    def test_the_share_of_a_source_is_that_of_the_difference(
        self, measure: str, whole: float, initial: float, none: float, share: float
    ) -> None:
        """Of a measure of likeness too, which is 1 where nothing differs."""
        study = study_of(["relu"], arms=["all", "init", "none"])
        trajectories = {
            ("relu", "all"): course_of(whole),
            ("relu", "init"): course_of(initial, random=2),
            ("relu", "none"): course_of(none, noise=0),
        }
        table = analyse_model(study, "charlm", trajectories)["sources"]
        (init,) = rows(table, arm="init", measure=measure)
        assert init["share"] == pytest.approx(share, rel=0.05)
        assert init["low"] < init["share"] < init["high"]
        (control,) = rows(table, arm="none", measure=measure)
        assert (control["estimate"], control["share"], control["high"]) == (none, 0, 0)

    def test_every_stored_step_is_compared_and_the_last_as_in_the_contrasts(self) -> None:
        study = study_of(["relu", "gelu", "swish"])
        trajectories = {
            (name, "all"): course_of(level, random=index)
            for index, (name, level) in enumerate({"relu": 0.5, "gelu": 0.3, "swish": 0.4}.items())
        }
        tables = analyse_model(study, "charlm", trajectories)
        assert len(tables["steps"]) == len(MEASURES) * len(STEPS) * 2
        final = rows(tables["contrasts"], condition="final", family="reference", measure="churn")
        last = rows(tables["steps"], step=100, measure="churn")
        shared = [name for name in last[0] if name != "step"]
        assert [[row[n] for n in shared] for row in last] == [[r[n] for n in shared] for r in final]
        (half,) = rows(tables["steps"], step=50, measure="churn", first="gelu")
        values = {
            name: SeedValues(list(range(1, 13)), course.at(1, "churn"))
            for (name, _), course in trajectories.items()
        }
        found = contrasts(values, "relu", margin=Margin(0.2))
        expected = next(c for c in found if c.first == "gelu")
        assert (half["ratio"], half["ratio_low"]) == (expected.ratio, expected.ratio_low)
        assert half["verdict"] == "more_reproducible"

    @pytest.mark.slow
    def test_the_ranking_of_clear_levels_is_predicted(self) -> None:
        study = study_of(["relu", "gelu", "swish"])
        trajectories = {
            (name, "all"): course_of(level, random=index)
            for index, (name, level) in enumerate({"relu": 0.5, "gelu": 0.3, "swish": 0.4}.items())
        }
        table = analyse_model(study, "charlm", trajectories)["early"]
        found = rows(table, measure="churn")
        assert [row["budget"] for row in found] == [0.25, 0.5]
        assert all((row["estimate"], row["low"], row["high"]) == (1, 1, 1) for row in found)
        assert all((row["agree"], row["disagree"], row["pairs"]) == (3, 0, 3) for row in found)

    def test_only_measures_say_what_is_more_reproducible(self) -> None:
        assert closer("churn") == "lower"
        assert closer("top5_overlap") == "higher"
        assert closer("val_loss") is None


class TestAllModels:
    def test_the_mean_ratio_is_the_geometric_mean_of_the_models(self) -> None:
        study = study_of(["relu", "gelu"], models=("charlm", "other"))
        models = {
            name: {
                ("relu", "all"): course_of(0.5, random=index),
                ("gelu", "all"): course_of(level, random=index + 5),
            }
            for index, (name, level) in enumerate({"charlm": 0.4, "other": 0.25}.items())
        }
        table = analyse_across(study, models)["ratios"]
        (found,) = rows(table, measure="churn")
        assert (found["first"], found["second"], found["models"]) == ("gelu", "relu", 2)
        assert found["ratio"] == pytest.approx(np.sqrt(0.8 * 0.5), rel=0.02)
        assert found["low"] < found["ratio"] < found["high"]
        assert found["chance_lower"] > 0.99

    def test_a_model_that_did_not_run_is_said_and_not_counted(self) -> None:
        study = study_of(["relu", "gelu"], models=("charlm", "other"))
        own = {("relu", "all"): course_of(0.5), ("gelu", "all"): course_of(0.4, random=1)}
        table = analyse_across(study, {"charlm": own, "other": {("relu", "all"): course_of(0.5)}})
        (found,) = rows(table["ratios"], measure="churn")
        assert found["models"] == 1
        assert found["models_total"] == 2
        assert split_codes(found["reason"], Reason) == (Reason.MODELS_WITHOUT_RATIO,)

    def test_too_few_models_give_no_early_order(self) -> None:
        study = study_of(["relu", "gelu"])
        own = {("relu", "all"): course_of(0.5), ("gelu", "all"): course_of(0.4, random=1)}
        found = rows(analyse_across(study, {"charlm": own})["early_model_order"], measure="churn")
        assert [row["budget"] for row in found] == [0.25, 0.5]
        assert all(row["estimate"] is None and row["models"] == 1 for row in found)
        assert all(split_codes(row["reason"], Reason) == (Reason.FEW_MODELS,) for row in found)

    def test_models_are_compared_at_shares_that_all_have_stored(self) -> None:
        study = study_of(["relu", "gelu"], models=("charlm", "other"))
        dense = {
            (name, "all"): replace(course_of(level), steps=np.array([26, 103, 205]))
            for name, level in (("relu", 0.5), ("gelu", 0.4))
        }
        sparse = {key: replace(c, steps=np.array([25, 75, 100])) for key, c in dense.items()}
        for models in ({"charlm": dense, "other": sparse}, {"charlm": sparse, "other": dense}):
            table = analyse_across(study, models)["early_model_order"]
            assert not rows(table, measure="churn")
        dense |= {key: replace(c, steps=np.array([51, 103, 205])) for key, c in dense.items()}
        for models in ({"charlm": dense, "other": sparse}, {"charlm": sparse, "other": dense}):
            (found,) = rows(analyse_across(study, models)["early_model_order"], measure="churn")
            assert found["budget"] == pytest.approx(0.25, abs=0.005)
