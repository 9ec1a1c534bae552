"""Notebooks run from top to bottom, and the outputs that are kept belong to the code that is kept."""

import re
from pathlib import Path

import jupytext
import nbclient
import pytest

SCRIPTS = sorted(Path(__file__).parents[1].glob("notebooks/*.py"))


def code_cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def words_printed(cell):
    """What a cell prints but for its numbers, whose last digits differ between machines, and how columns are padded."""
    printed = "".join(o.text for o in cell.outputs if o.output_type == "stream" and o.name == "stdout")
    return " ".join(re.sub(r"[-+]?\d[\d.,]*(e[-+]?\d+)?", "#", printed).split())


def test_there_are_notebooks():
    assert SCRIPTS


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_script_and_notebook_are_the_same_code(script):
    kept = jupytext.read(script.with_suffix(".ipynb"))
    paired = jupytext.read(script)
    assert [cell.source for cell in kept.cells] == [cell.source for cell in paired.cells]


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_outputs_are_kept_and_hold_no_error(script):
    outputs = [output for cell in code_cells(jupytext.read(script.with_suffix(".ipynb"))) for output in cell.outputs]
    assert any("image/png" in output.get("data", {}) for output in outputs)
    assert [output for output in outputs if output.output_type == "error"] == []
    streams = [output.text for output in outputs if output.output_type == "stream" and output.name == "stderr"]
    assert streams == []


@pytest.mark.notebooks
@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_the_notebook_runs_and_prints_what_is_kept(script, monkeypatch):
    monkeypatch.setenv("PYTHONWARNINGS", "ignore")
    notebook = jupytext.read(script)
    nbclient.NotebookClient(notebook, timeout=120, kernel_name="python3").execute()
    assert all(cell.execution_count for cell in code_cells(notebook))
    kept = jupytext.read(script.with_suffix(".ipynb"))
    assert list(map(words_printed, code_cells(notebook))) == list(map(words_printed, code_cells(kept)))
    assert any(map(words_printed, code_cells(kept)))
