import json

import pytest

from bayesconv.settings import ConfigError
from bayesconv.sweeps import manifest
from bayesconv.sweeps.plan import plan


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "tiny.yaml"
    path.write_text("data: digits\nmodel: {name: digits_cnn}\ntraining: {epochs: 3}\n")
    return path


def start(folder, planned):
    found = manifest.join(folder, planned, evaluate=True)
    found.cells[0].status, found.cells[0].attempts = "finished", 1
    folder.mkdir()
    found.write()
    return found


def test_the_same_grid_takes_the_cells_over(config, tmp_path):
    planned = plan(config, {"training.batch_size": [8, 16]}, seeds=2)
    start(tmp_path / "sweep", planned)
    again = manifest.join(tmp_path / "sweep", planned, evaluate=True)
    assert [(cell.status, cell.attempts) for cell in again.cells] == [("finished", 1), *[("pending", 0)] * 3]
    assert again.cells[0].config == planned[0].config.model_dump(mode="json")
    assert json.loads((tmp_path / "sweep" / "sweep.json").read_text())["config_folder"] == str(tmp_path)


@pytest.mark.parametrize(
    ("values", "edits", "message"),
    [
        ([8], [], "it has batch_size=16 too"),
        ([8, 16, 32], [], "it has no batch_size=32"),
        ([8, 16], ["training.epochs=4"], r"batch_size=8: training\.epochs was 3 and is now 4"),
        ([8, 16], ["model.prior={name: normal, scale: 1}"], r"model\.prior\.scale was None and is now 1"),
    ],
)
def test_another_grid_is_refused_and_nothing_is_changed(config, tmp_path, values, edits, message):
    start(tmp_path / "sweep", plan(config, {"training.batch_size": [8, 16]}))
    before = (tmp_path / "sweep" / "sweep.json").read_bytes()
    other = plan(config, {"training.batch_size": values}, edits=edits)
    with pytest.raises(ConfigError, match=rf"sweep belongs to another grid: .*{message}.*Choose another --out"):
        manifest.join(tmp_path / "sweep", other, evaluate=True)
    assert (tmp_path / "sweep" / "sweep.json").read_bytes() == before


def test_a_grid_grows_if_asked_and_never_shrinks(config, tmp_path):
    start(tmp_path / "sweep", plan(config, {"training.batch_size": [8, 16]}))
    more = plan(config, {"training.batch_size": [32, 8, 16]})
    found = manifest.join(tmp_path / "sweep", more, evaluate=True, extend=True)
    assert [(cell.name, cell.status) for cell in found.cells] == [
        ("batch_size=32", "pending"),
        ("batch_size=8", "finished"),
        ("batch_size=16", "pending"),
    ]
    less = plan(config, {"training.batch_size": [8]})
    with pytest.raises(ConfigError, match="it has batch_size=16 too"):
        manifest.join(tmp_path / "sweep", less, evaluate=True, extend=True)


def test_a_folder_of_something_else_is_refused(config, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").touch()
    with pytest.raises(FileExistsError, match="must be new, empty, or an earlier sweep"):
        manifest.join(tmp_path / "mine", plan(config, {}, seeds=2), evaluate=True)
