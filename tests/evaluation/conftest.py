"""One small trained run that all tests of evaluations and decisions read; those that write take a copy."""

import shutil

import pytest

import bayesconv as bc
from bayesconv import evaluation, experiment, runs
from bayesconv.sections import RunConfig

SETTINGS = {
    "data": {"name": "digits"},
    "model": {"name": {"name": "digits_cnn", "filters": [3]}, "estimator": "reparameterization"},
    "objective": {"temperature": 0.03},
    "training": {"epochs": 4, "batch_size": 64, "learning_rate": 1e-2},
    "evaluation": {"num_samples": 6, "ood": ["inverted"], "bootstrap": 60},
}


@pytest.fixture(scope="session")
def small_run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("small") / "run"
    experiment.train(RunConfig(**SETTINGS), folder, progress=False)
    return folder


@pytest.fixture(scope="session")
def loaded(small_run):
    return runs.load_run(small_run)


@pytest.fixture(scope="session")
def digits(loaded):
    return loaded.dataset()


@pytest.fixture(scope="session")
def predicted(loaded, digits):
    """What `bc.predict` says of the test images, the inverted ones and the validation images."""
    options = {"num_samples": 6, "seed": 0}
    sets = (digits.test.x, bc.data.inverted(digits), digits.validation.x)
    return [bc.predict(loaded.model, x, **options) for x in sets]


@pytest.fixture
def copied_run(small_run, tmp_path):
    return shutil.copytree(small_run, tmp_path / "run", ignore=shutil.ignore_patterns("predictions"))


@pytest.fixture(scope="session")
def predicted_run(small_run, loaded, digits, tmp_path_factory):
    """The run with the predictions that decisions need in its folder, which saves each test from making them."""
    folder = shutil.copytree(small_run, tmp_path_factory.mktemp("predicted") / "run")
    with evaluation.manner(keeps=True):
        for x in (digits.test.x, digits.validation.x, bc.data.inverted(digits)):
            evaluation.predict(loaded._replace(folder=folder), x)
    return folder
