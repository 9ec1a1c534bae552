"""Claims about what an import brings along: the library nothing but itself, the command line hardly anything."""

import ast
import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

PEERS = "import tensorflow, tensorflow_probability; tensorflow_probability.distributions"


def loaded_by(code, before="pass"):
    """Names of the modules that `code` imports in a fresh process, beyond what `before` has imported."""
    script = f"import sys\n{before}\nearlier = set(sys.modules)\n{code}\nprint(*set(sys.modules) - earlier)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=120)
    return set(done.stdout.splitlines()[-1].split())


def packages(modules):
    return {name.partition(".")[0] for name in modules if not name.startswith("__editable__")}


def parts(modules):
    return {name.split(".")[1] for name in modules if name.startswith("bayesconv.")}


def asked_for(module):
    """What a module imports when it is imported, whether or not something else has imported it already."""
    tree = ast.parse(Path(importlib.util.find_spec(module).origin).read_text())
    plain = [node for node in tree.body if isinstance(node, ast.Import)]
    named = [node for node in tree.body if isinstance(node, ast.ImportFrom)]
    found = {alias.name for node in plain for alias in node.names}
    return found | {f"{node.module}.{alias.name}" for node in named for alias in node.names}


@pytest.fixture(scope="module")
def layer():
    return {name for name in loaded_by("import bayesconv; bayesconv.Convolution", PEERS) if "editable" not in name}


class TestLayers:
    @pytest.mark.slow
    def test_bring_nothing_but_the_library_along(self, layer):
        """Beyond TensorFlow and its distributions, which themselves bring much of what we leave alone."""
        assert "bayesconv.layers.convolution" in layer
        assert packages(layer) == {"bayesconv"}

    def test_ask_for_tensors_and_distributions_only(self, layer):
        asked = set().union(*map(asked_for, layer))
        tensors = {"numpy", "scipy", "tensorflow", "tensorflow_probability"}
        assert packages(asked) - set(sys.stdlib_module_names) <= {"bayesconv", *tensors}
        assert not {name for name in asked if name.startswith(("scipy.stats", "scipy.optimize"))}  # half a second

    def test_bring_only_the_parts_along_that_they_are_made_of(self, layer):
        others = {"config", "data", "experiment", "metrics", "models", "moments", "plotting", "prediction", "training"}
        assert not parts(layer) & others

    def test_a_part_that_needs_more_would_show(self):
        loaded = loaded_by("import bayesconv; bayesconv.config")
        assert {"pydantic", "ruamel"} <= packages(loaded)
        assert "config" in parts(loaded)
        assert "scipy.stats.qmc" in asked_for("bayesconv.moments.predictive")


class TestCommandLine:
    @pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["evaluate", "--help"], ["evaluate", "--sed"]])
    def test_help_and_mistakes_need_the_standard_library_only(self, arguments):
        code = f"import bayesconv.cli\ntry: bayesconv.cli.main({arguments!r})\nexcept SystemExit: pass"
        assert packages(loaded_by(code)) <= {"bayesconv", *sys.stdlib_module_names}

    def test_a_configuration_is_checked_without_tensors_and_figures(self):
        loaded = packages(loaded_by("import bayesconv.config"))
        assert not loaded & {"keras", "matplotlib", "numpy", "scipy", "sklearn", "tensorflow"}
