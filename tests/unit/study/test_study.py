"""Configurations that are accepted: what is shipped, the defaults, and what overrides what."""

import pytest

from conftest import ROOT, config_with, one_line, tiny_config
from reprocore.errors import ReprocoreError
from reprocore.study.cells import all_cells, parse_cell
from reprocore.study.sizes import FAMILY_SIZES
from reprocore.study.study import Study, load_study, parse_study
from reprocore.vocabulary import MARGINS, nearest


def test_tiny_config_is_right():
    assert isinstance(parse_study(tiny_config()), Study)


@pytest.mark.parametrize("name", ["config.yaml", "quick.yaml", "ablation.yaml", "scale.yaml"])
def test_shipped_configuration_loads(name):
    study = load_study(ROOT / "config" / name)
    cells = all_cells(study)
    assert (
        len(cells)
        == len(set(cells))
        == len(study.models) * len(study.activations) * len(study.seeds)
    )


def test_shipped_study_is_the_one_of_the_design():
    study = load_study(ROOT / "config" / "config.yaml")
    families = {name: model.family for name, model in study.models.items()}
    assert families == {
        "charlm": "gpt",
        "minigpt": "gpt",
        "nanotransformer": "gpt",
        "convlm": "conv",
        "hybridlm": "hybrid",
        "tinylstm": "lstm",
    }
    for name in families:
        training = study.training_of(name)
        large = name == "minigpt"
        assert (training.iterations, training.batch_size) == ((5000, 64) if large else (500, 32))
        assert study.models[name].context == (256 if large else 128)
        assert study.models[name].resources.gpu == large
        dropout = 0.0 if name in ("nanotransformer", "tinylstm") else 0.2
        assert study.models[name].sizes["dropout"] == dropout
        assert study.lacks_dropout(name) == (dropout == 0)
    assert study.models["minigpt"].sizes["layers"] == 6
    assert study.models["convlm"].sizes["dilations"] == (1, 2, 4, 8, 16)
    assert study.models["nanotransformer"].sizes["bias"] is False
    assert study.models["nanotransformer"].sizes["init_std"] == 0.02
    assert study.arms == ("all",)


def test_margins_that_are_not_named_keep_their_default():
    study = parse_study(tiny_config(statistics={"margins": {"churn": None, "jeffreys": 0.3}}))
    assert study.statistics.margins == {**MARGINS, "churn": None, "jeffreys": 0.3}


def test_figures_follow_the_primary_measure_unless_they_say_otherwise():
    primary = {"statistics": {"primary": {"measure": "churn"}}}
    assert parse_study(tiny_config(**primary)).drawn_measure == "churn"
    figures = {"figures": {"measure": "jeffreys"}}
    assert parse_study(tiny_config(**primary, **figures)).drawn_measure == "jeffreys"


def test_defaults_are_those_of_the_design():
    study = parse_study({"models": {"a": {"family": "gpt"}}})
    training = study.training_of("a")
    assert training.learning_rate == 3e-4
    assert training.schedule == "constant"
    assert (training.batch_size, training.iterations, training.threads) == (32, 500, 1)
    assert (study.probe.positions, study.probe.block) == (2048, 64)
    assert study.corpus.source == "tiny_shakespeare"
    assert study.corpus.train_fraction == 0.9
    assert study.statistics.confidence == 0.95
    assert study.drawn_measure == study.statistics.primary.measure == "relative_pd"
    assert study.statistics.margins == MARGINS
    assert study.results == "results"
    assert study.arms == ("all",)
    assert study.partial is False
    sizes = study.models["a"].sizes
    assert (sizes["layers"], sizes["heads"], sizes["width"]) == (2, 4, 128)
    assert study.models["a"].context == 128
    assert study.models["a"].resources.gpu == 0


@pytest.mark.parametrize("family", FAMILY_SIZES)
def test_sizes_left_out_are_filled_with_the_defaults_of_the_family(family):
    study = parse_study({"models": {"a": {"family": family, "sizes": {"width": 64}}}})
    defaults = FAMILY_SIZES[family].model_validate({}).model_dump()
    assert study.models["a"].sizes == defaults | {"width": 64}


def test_sections_left_empty_are_the_defaults():
    content = {"models": {"a": {"family": "gpt"}}}
    empty = dict.fromkeys(("training", "probe", "corpus", "figures", "statistics"))
    assert parse_study(content | empty) == parse_study(content)


def test_training_of_a_model_is_laid_over_that_of_the_study():
    content = config_with("models.charlm.training", {"iterations": 99, "clip_norm": 1.0})
    content["training"]["weight_decay"] = 0.3
    study = parse_study(content)
    own, other = study.training_of("charlm"), study.training_of("convlm")
    assert (own.iterations, own.clip_norm, own.weight_decay) == (99, 1.0, 0.3)
    assert (other.iterations, other.clip_norm, other.weight_decay) == (8, None, 0.3)
    assert other == study.training


def test_activations_and_arms_of_a_model_replace_those_of_the_study():
    content = config_with("models.charlm.activations", ["tanh"])
    content["models"]["charlm"]["arms"] = ["none", "init"]
    study = parse_study(content)
    assert study.activations_of("charlm") == ("tanh",)
    assert study.activations_of("convlm") == study.activations
    assert study.arms_of("charlm") == ("none", "init")
    assert study.arms_of("convlm") == ("all",)


def test_custom_activation_is_known_by_its_name():
    custom = {"mine": {"path": "my.lab:act", "gated": True}, "other": {"path": "lab:Act"}}
    content = tiny_config(custom_activations=custom, activations=["mine", "relu", "other"])
    study = parse_study(content)
    assert [study.is_gated(name) for name in study.activations] == [True, False, False]
    assert study.is_gated("swiglu")
    assert study.is_gated("smeglu_05")
    assert not study.is_gated("smelu_05")
    with pytest.raises(ReprocoreError, match=r"'mind'; did you mean 'mine'\?"):
        parse_study(content | {"activations": ["mind"]})


def test_user_family_takes_any_sizes():
    sizes = {"anything": [1, {"b": 2}]}
    model = {"family": "my.lab:build", "context": 16, "sizes": sizes}
    study = parse_study(tiny_config(models={"own": model}))
    assert study.models["own"].sizes == sizes


@pytest.mark.parametrize("context", [2, 4, 8, 16, 24, 32])
def test_context_that_divides_or_reaches_the_block_is_accepted(context):
    assert parse_study(config_with("models.charlm.context", context))


def test_numbers_as_yaml_writes_them(tmp_path):
    # PyYAML reads 3e-4, without a point, as text.
    path = tmp_path / "study.yaml"
    path.write_text("models: {a: {family: gpt}}\ntraining: {learning_rate: 3e-4}\n")
    assert load_study(path).training.learning_rate == 3e-4


def test_settings_cannot_be_changed_afterwards():
    study = parse_study(tiny_config())
    with pytest.raises(ValueError, match="frozen"):
        study.training.iterations = 3
    with pytest.raises(ValueError, match="frozen"):
        study.seeds = (1, 2)


def test_seeds_from_a_command_line_are_text_and_taken_as_numbers() -> None:
    assert parse_study(tiny_config(seeds=["1", "2", "3"])).seeds == (1, 2, 3)


@pytest.mark.parametrize("spelling", ["out", "out/", "./out", "out/x/.."])
def test_one_results_folder_has_one_name(spelling: str) -> None:
    assert parse_study(tiny_config(results=spelling)).results == "out"


@pytest.mark.parametrize(
    ("key", "told"),
    [
        ("charlmm/relu/1", "no model 'charlmm'; allowed: charlm, convlm"),
        ("charlm/gelu/1", "no activation 'gelu'; allowed: relu, swiglu"),
        ("charlm/relu/9", "no cell '9'; allowed: all-1, all-2, all-3"),
        ("charlm", "no activation"),
    ],
)
def test_an_unknown_cell_is_told_what_there_is(key: str, told: str) -> None:
    models = {name: tiny_config()["models"][name] for name in ("charlm", "convlm")}
    study = parse_study(tiny_config(models=models, activations=["relu", "swiglu"]))
    with pytest.raises(ReprocoreError) as error:
        parse_cell(study, key)
    assert told in one_line(error)


def test_nearest_names_one_and_lists_all():
    assert (
        nearest("chrun", ["churn", "jeffreys"]) == "did you mean 'churn'? allowed: churn, jeffreys"
    )
    assert nearest("zzz", ["churn"]) == "allowed: churn"
