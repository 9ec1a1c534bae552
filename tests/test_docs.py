"""Every example in the documentation runs: those of the docstrings, and the Python blocks of the README."""

from __future__ import annotations

import doctest
import importlib
import pkgutil
import re
import subprocess
import sys
from pathlib import Path

import pytest

import bayesconv as bc

README = Path(__file__).parent.parent / "README.md"
NAMES = [m.name for m in pkgutil.walk_packages(bc.__path__, "bayesconv.") if not m.name.endswith("__main__")]


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
    assert runner.failures == 0, "".join(report)


def test_there_are_examples_for_what_users_call():
    documented = {example.name.rpartition(".")[2] for example in _examples()}
    assert documented >= {
        "Affine", "AveragePool", "Convolution", "Flatten", "Lambda", "MaxPool", "Sequential", "collect_extras", "elbo",
        "fit", "make_kernel_bias", "make_kernel_bias_variational", "predict", "set_seed",
    }  # fmt: skip


@pytest.mark.skipif(not README.exists(), reason="there is no README")
def test_the_blocks_of_the_readme_run_one_after_the_other(tmp_path):
    blocks = re.findall(r"^```python\n(.*?)^```", README.read_text(), re.MULTILINE | re.DOTALL)
    assert blocks
    script = tmp_path / "readme.py"
    script.write_text("\n".join(blocks))  # in a process of its own: they register parts
    done = subprocess.run([sys.executable, script], cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-3000:]


@pytest.mark.skipif(not README.exists(), reason="there is no README")
def test_a_first_model_takes_less_than_twenty_lines():
    blocks = re.findall(r"^```python\n(.*?)^```", README.read_text(), re.MULTILINE | re.DOTALL)
    whole = next(block for block in blocks if "bc.fit(" in block and "bc.predict(" in block)
    assert len([line for line in whole.split("predictive.")[0].splitlines() if line.strip()]) <= 20
