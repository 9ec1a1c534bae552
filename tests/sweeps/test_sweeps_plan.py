import pytest

from bayesconv.settings import ConfigError
from bayesconv.sweeps.plan import plan


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "tiny.yaml"
    path.write_text("seed: 3\ndata: digits\nmodel: {name: digits_cnn, prior: {name: normal, scale: 0.3}}\n")
    return path


def test_each_cell_has_the_configuration_that_its_edits_make(config):
    vary = {"model.prior": ["laplace", {"name": "normal", "scale": 0.1}], "model.estimator": ["flipout"]}
    found = plan(config, vary, seeds=[8], edits=["training.epochs=7"])
    assert [one.config.model.prior.identifier for one in found] == [
        {"name": "laplace"},
        {"name": "normal", "scale": 0.1},
    ]
    assert {(one.config.seed, one.config.training.epochs, one.config.model.estimator.name) for one in found} == {
        (8, 7, "flipout")
    }


def test_an_option_varies_within_each_value_of_its_part(config):
    vary = {"model.prior.scale": [0.1, 0.2], "model.prior": ["normal", "laplace"]}
    found = [one.config.model.prior.identifier for one in plan(config, vary)]
    assert found == [{"name": name, "scale": scale} for scale in (0.1, 0.2) for name in ("normal", "laplace")]


def test_seeds_are_counted_from_the_configuration_s(config):
    assert [one.config.seed for one in plan(config, {}, seeds=2)] == [3, 4]
    assert [one.config.seed for one in plan(config, {}, seeds=2, edits=["seed=10"])] == [10, 11]
    assert [one.config.seed for one in plan(config, {"training.epochs": [1, 2]})] == [3, 3]


@pytest.mark.parametrize(
    ("vary", "options", "message"),
    [
        ({"training.epochs": [1, "x"]}, {}, r"^--vary training\.epochs: must be a valid integer\. Received 'x'\.$"),
        ({"training.epcohs": [1]}, {}, "--vary training.epcohs: unknown key.*Did you mean 'epochs'"),
        ({"model.prior": ["laplas", "normal"]}, {}, r"^--vary model\.prior: Unknown prior 'laplas'.*'laplace'\?$"),
        ({}, {"seeds": [1, 1]}, r"Seeds must be one or more, each given once\. Received \[1, 1\]"),
        ({}, {"seeds": 0}, "Seeds must be one or more"),
        ({"training.epochs": [5, 5]}, {}, "Every cell must be another run. Received two for the same: epochs=5 and"),
        (
            {"model.prior": ["laplace", "normal"]},
            {"edits": ["model.prior.scale=0.1"]},
            "--vary model.prior replaces what --set model.prior.scale says",
        ),
        ({"model.prior.name": ["laplace"]}, {"edits": ["model.prior.scale=0.1"]}, "replaces what --set"),
        ({"training.epochs": [1]}, {"edits": ["training.epochs=2"]}, "replaces what --set training.epochs"),
        ({}, {"seeds": [1], "edits": ["seed=2"]}, "--seeds replaces what --set seed"),
    ],
)
def test_whatever_is_wrong_with_any_cell_is_said_at_once(config, vary, options, message):
    with pytest.raises(ConfigError, match=message):
        plan(config, vary, **options)


def test_a_wrong_value_of_many_cells_is_said_once(config):
    vary = {"model.prior": ["laplas", "nrmal"], "training.epochs": [1, 2, 3]}
    with pytest.raises(ConfigError) as caught:
        plan(config, vary)
    assert [line.split(";")[0] for line in str(caught.value).splitlines()] == [
        "--vary model.prior: Unknown prior 'laplas'",
        "--vary model.prior: Unknown prior 'nrmal'",
    ]
