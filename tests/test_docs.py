"""Every example in the documentation runs: those of docstrings, and the Python blocks of the README and of docs/."""

from __future__ import annotations

import ast
import doctest
import importlib
import pkgutil
import re
import runpy
from pathlib import Path

import numpy as np
import pytest
from matplotlib import pyplot

import bayesconv as bc

README = Path(__file__).parent.parent / "README.md"
TOGETHER = [
    README.parent / "docs" / name
    for name in (
        "extending.md",
        "likelihoods.md",
        "estimators.md",
        "plots.md",
        "priors.md",
        "saving.md",
        "segmentation.md",
        "diagnosis.md",
        "moments.md",
        "metrics.md",
        "evaluation.md",
        "comparing.md",
        "report.md",
        "ensembles.md",
        "optimizers.md",
    )
]
MIGRATING = Path(__file__).parent.parent / "docs" / "migrating-from-tfp.md"
TFP_IMPORT, OUR_IMPORT = "\ntfn = tfp.experimental.nn\n", "\nfrom bayesconv import compat as tfn\n"
NAMES = [m.name for m in pkgutil.walk_packages(bc.__path__, "bayesconv.") if not m.name.endswith("__main__")]


def _python_blocks(page: Path) -> list[str]:
    return re.findall(r"^```python\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL)


def _examples():
    finder = doctest.DocTestFinder(exclude_empty=True)
    for name in ["bayesconv", *NAMES]:
        yield from (test for test in finder.find(importlib.import_module(name)) if test.examples)


@pytest.mark.parametrize("example", list(_examples()), ids=lambda example: example.name)
def test_docstring(example, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    report = []
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS)
    runner.run(example, out=report.append)
    pyplot.close("all")
    assert runner.failures == 0, "".join(report)


def test_there_are_examples_for_what_users_call():
    documented = {example.name.rpartition(".")[2] for example in _examples()}
    assert documented >= {
        "Affine", "AveragePool", "Convolution", "Flatten", "Lambda", "MaxPool", "Sequential", "collect_extras", "elbo",
        "fit", "make_kernel_bias", "make_kernel_bias_variational", "predict", "set_seed",
    }  # fmt: skip


def _run(blocks: list[str], folder: Path) -> dict:
    script = folder / "page.py"  # a file, since AutoGraph reads the source
    script.write_text("\n".join(blocks))
    names = runpy.run_path(str(script))
    pyplot.close("all")
    return names


@pytest.mark.parametrize("page", [README, *TOGETHER], ids=lambda page: page.stem)
def test_the_blocks_of_a_page_run_one_after_the_other(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert _python_blocks(page)
    _run(_python_blocks(page), tmp_path)


def test_an_operator_is_one_function_and_one_class_of_less_than_forty_lines():
    block = next(block for block in _python_blocks(TOGETHER[0]) if "FunctionOperator(" in block)
    kinds = {node.name: node for node in ast.parse(block).body if isinstance(node, (ast.FunctionDef, ast.ClassDef))}
    assert [type(node).__name__ for node in kinds.values()] == ["FunctionDef", "ClassDef"]
    assert all(node.end_lineno - node.lineno < 40 for node in kinds.values())


def test_a_first_model_takes_less_than_twenty_lines():
    blocks = _python_blocks(README)
    whole = next(block for block in blocks if "bc.fit(" in block and "bc.predict(" in block)
    assert len([line for line in whole.split("predictive.")[0].splitlines() if line.strip()]) < 20


# Migrating from TFP: every block stands alone, and those written for TFP run with the import that the page promises.


@pytest.mark.parametrize("index", range(len(_python_blocks(MIGRATING))))
def test_a_block_of_the_migration_page_runs(index, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = _run([_python_blocks(MIGRATING)[index].replace(TFP_IMPORT, OUR_IMPORT)], tmp_path)
    if "losses" in names:
        losses = np.asarray(names["losses"])
        assert np.isfinite(losses).all()
        assert losses[-len(losses) // 5 :].mean() < losses[: len(losses) // 5 + 1].mean()


def test_the_migration_page_shows_code_before_and_after():
    text = MIGRATING.read_text()
    before = sum(TFP_IMPORT in block for block in _python_blocks(MIGRATING))
    assert before == text.count("*Before*") == text.count("*After*") == 4


@pytest.mark.parametrize("namespace", ["compat", "compat.util", "compat.losses"])
def test_the_migration_page_names_everything_in_compat(namespace):
    module = importlib.import_module(f"bayesconv.{namespace}")
    public = getattr(module, "__all__", ["kl_divergence_exact", "negloglik", "compute_extra_loss"])
    assert [name for name in public if name not in MIGRATING.read_text()] == []
