"""Claims about the source itself: what may import what, how long things are, how errors and docstrings are written."""

from __future__ import annotations

import ast
import functools
import graphlib
import importlib
import inspect
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

import bayesconv as bc

ROOT = Path(bc.__file__).parent

# A module imports from lower ranks, or from its own; only downwards in either case. Packages stand for their modules.
RANKS = {
    "registry": 0, "files": 0, "random": 0, "weights": 0, "extras": 0, "calls": 0, "signatures": 0,
    "distributions": 0, "augmentations": 0, "initializers": 0, "precision": 0, "examples": 0, "tracing": 0, "rows": 0,
    "progress": 0, "splits": 0,
    "posteriors": 1, "priors": 1, "estimators": 1, "divergences": 1, "likelihoods": 1,
    "kernel_bias": 2,
    "layers": 3, "overrides": 3,
    "models": 4, "compilation": 4, "bounds": 4, "objectives": 4, "optimization": 4, "inputs": 4, "batches": 4,
    "checkpoints": 4, "findings": 4, "measurements": 4, "diagnostics": 4,
    "moments": 4, "mixtures": 4, "sums": 4, "tabulation": 4, "predictive": 4, "averages": 4, "sampling": 4,
    "methods": 4, "evaluators": 4, "prediction": 4, "single_inputs": 4, "frozen": 4, "weighting": 4, "finiteness": 4,
    "loop": 4, "training": 4, "validation": 4,
    "names": 4, "descriptions": 4, "reconstruction": 4, "saving": 4, "export": 4,
    "prior_predictive": 4, "transfer": 4,
}  # fmt: skip
CHOICES = {"posteriors", "priors", "estimators", "divergences", "likelihoods"}
BESIDE = {"metrics", "plotting", "data", "image_files", "user_arrays", "corruptions"}  # arrays in, arrays or axes out
SHELL = 5  # whatever has no rank above: the parts that tie everything together
BELOW_THE_SHELL = {"registry", "files", "splits"}


@functools.cache
def _files() -> dict[str, Path]:
    paths = {path.relative_to(ROOT.parent).with_suffix(""): path for path in sorted(ROOT.rglob("*.py"))}
    return {".".join(name.parts).removesuffix(".__init__"): path for name, path in paths.items()}


@functools.cache
def _modules() -> dict[str, ast.Module]:
    return {name: ast.parse(path.read_text()) for name, path in _files().items()}


def _part(module: str) -> str:
    return module.split(".")[1] if "." in module else ""


def _rank(module: str) -> int:
    return RANKS.get(_part(module), SHELL)


def _imports(tree: ast.AST) -> set[str]:
    """Full names of the modules that a tree imports, those inside of functions too."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            inside = {f"{node.module}.{alias.name}" for alias in node.names} & set(_modules())
            found |= inside or {node.module}
            found |= {node.module} if len(inside) < len(node.names) else set()
    return found


def _own_imports(module: str) -> set[str]:
    return {name for name in _imports(_modules()[module]) if name.startswith("bayesconv.")}


def _at_module_level(tree: ast.Module) -> ast.Module:
    return ast.Module([node for node in tree.body if isinstance(node, (ast.Import, ast.ImportFrom))], [])


def _functions(tree: ast.AST) -> list[ast.FunctionDef]:
    return [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]


@pytest.mark.parametrize("module", [name for name in _files() if _part(name) and _rank(name) < SHELL])
def test_imports_only_go_down(module):
    for imported in _own_imports(module):
        if _part(imported) != _part(module):
            assert _rank(imported) <= _rank(module), f"{module} imports {imported}, which is above it"
            assert _part(imported) not in BESIDE, f"{module} imports {imported}, which is beside it"


def test_every_ranked_module_exists():
    assert {_part(name) for name in _modules()} >= RANKS.keys()


def test_imports_have_no_cycles():
    graph = {}
    for module, tree in _modules().items():
        if _part(module):  # an import inside of a function may look back: `Layer.summary` does
            graph[module] = {name for name in _imports(_at_module_level(tree)) if name.startswith("bayesconv.")}
    list(graphlib.TopologicalSorter(graph).static_order())


@pytest.mark.parametrize("module", sorted(CHOICES))
def test_the_four_choices_and_the_likelihood_never_import_one_another(module):
    imported = {_part(name) for name in _own_imports(f"bayesconv.{module}")}
    assert not imported & (CHOICES - {module})


@pytest.mark.parametrize("module", [name for name in _files() if _part(name) in BESIDE])
def test_metrics_plots_and_data_know_nothing_of_layers(module):
    imported = {_part(name) for name in _own_imports(module)}
    assert imported <= BESIDE | BELOW_THE_SHELL


def test_matplotlib_is_in_plotting_only_and_elsewhere_never_at_import():
    for module, tree in _modules().items():
        libraries = {name.partition(".")[0] for name in _imports(_at_module_level(tree))}
        assert "matplotlib" not in libraries or _part(module) == "plotting", module
    users = {_part(m) for m, t in _modules().items() if any(n.startswith("matplotlib") for n in _imports(t))}
    assert users <= {"plotting", "figures", "image_files"}


def test_yaml_is_in_the_configuration_only():
    users = {m for m, t in _modules().items() if any(name.startswith(("yaml", "ruamel")) for name in _imports(t))}
    assert users <= {"bayesconv.config", "bayesconv.settings", "bayesconv.sections", "bayesconv.runs"}
    parsers = {_part(m) for m, t in _modules().items() if "argparse" in _imports(t)}
    assert parsers <= {"cli"}


def test_modules_and_functions_are_short():
    for module in _modules():
        path = ROOT.parent.joinpath(*module.split("."))
        path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
        assert len(path.read_text().splitlines()) <= 300, f"{module} is too long"
    for module, tree in _modules().items():
        for function in _functions(tree):
            body = function.body[1:] if ast.get_docstring(function) else function.body
            length = body[-1].end_lineno - body[0].lineno + 1 if body else 0
            assert length <= 60, f"{module}.{function.name} has {length} lines"


def test_the_library_holds_no_assert_and_no_message_that_is_a_tuple():
    for module, tree in _modules().items():
        for node in ast.walk(tree):
            assert not isinstance(node, ast.Assert), module
            if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
                name = ast.unparse(node.exc.func)
                assert len(node.exc.args) <= 1 or not name.endswith("Error"), f"{module}:{node.lineno}"
                assert not any(isinstance(arg, ast.Tuple) for arg in node.exc.args), f"{module}:{node.lineno}"


def test_no_module_is_called_utils():
    assert not [name for name in _modules() if re.search(r"utils|helpers|common", name)]


# The public surface.


def test_public_names():
    assert bc.__all__ == sorted(bc.__all__)
    assert set(bc.__all__) == set(
        textwrap.dedent(
            """
            Affine AveragePool BatchNorm ChannelDropout Convolution ConvolutionTranspose DepthwiseConvolution
            Diagnosis Dropout Extras FilterResponseNorm Flatten Frozen GlobalAveragePool GlobalMaxPool GroupNorm
            History InstanceNorm Ivon KernelBias Lambda Layer LayerNorm LayerOutput MaxPool Parallel Predictive Reshape
            Residual SeparableConvolution Sequential Upsample VariationalKernelBias WeightSpec as_kernel_bias bounds
            collect_extras comparison compat compute_dtype config continue_from data diagnose divergences elbo
            estimators evaluate export_saved_model fit freeze corruptions initializers kernel_bias layers likelihoods
            load_frozen load_model make_kernel_bias make_kernel_bias_by_layer make_kernel_bias_flipout
            make_kernel_bias_local_reparameterization make_kernel_bias_posterior_mvn_diag
            make_kernel_bias_prior_spike_and_slab make_kernel_bias_reparameterization make_kernel_bias_sliced
            make_kernel_bias_variational map_kernel_bias metrics models moments objectives overrides plotting
            posteriors predict prediction priors random register_function register_layer registry sample_prior
            save_model set_seed start_from_weights sweeps training augmentations
            """
        ).split()
    )


@pytest.mark.parametrize("name", bc.__all__)
def test_every_public_name_resolves_and_is_listed(name):
    assert getattr(bc, name) is not None
    assert name in dir(bc)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="module 'bayesconv' has no attribute 'Convolutoin'"):
        _ = bc.Convolutoin


def test_importing_the_package_imports_nothing_heavy():
    heavy = ("tensorflow", "numpy", "keras", "matplotlib", "sklearn", "tensorflow_probability")
    code = f"import sys, bayesconv; print([name for name in {heavy!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "[]"


def test_importing_the_core_imports_no_plotting_and_no_configuration():
    for module in [name for name in _modules() if _part(name) and _rank(name) < SHELL]:
        imported = {name.partition(".")[0] for name in _imports(_modules()[module])}
        assert not imported & {"matplotlib", "ruamel", "pydantic", "sklearn"}, module


def _public_objects():
    for module in _modules():
        if module.endswith("__main__"):
            continue
        for name, value in vars(importlib.import_module(module)).items():
            is_documented = inspect.isfunction(value) or inspect.isclass(value)
            if is_documented and not name.startswith("_") and value.__module__ == module:
                yield f"{module}.{name}", value
                described = inspect.isclass(value) and not getattr(value, "_is_protocol", False)
                for member, part in vars(value).items() if described else ():
                    part = part.fget if isinstance(part, property) else part
                    if inspect.isfunction(part) and not member.startswith("_") and part.__module__ == module:
                        yield f"{module}.{name}.{member}", part


def test_every_public_function_says_what_it_does_and_no_argument_is_left_out():
    for name, value in _public_objects():
        text = inspect.getdoc(value)
        if "<lambda>" in getattr(value, "__qualname__", ""):
            continue
        assert text, f"{name} has no docstring"
        assert text.partition("\n")[0].strip().endswith((".", ":", "?")), f"{name}: {text.partition(chr(10))[0]}"
        assert not re.search(r"^(?!\s*>>>).*:\s*\.\.\.\s*$", text, re.MULTILINE), (
            f"{name} leaves an argument undocumented"
        )


@pytest.mark.parametrize(
    "function", [bc.fit, bc.predict, bc.evaluate, bc.elbo, bc.make_kernel_bias_variational, bc.Convolution, bc.Affine]
)
def test_long_signatures_document_every_argument(function):
    section = re.search(r"Args:\n(.*?)(\n\n|\Z)", inspect.getdoc(function), re.DOTALL).group(1)
    documented = re.findall(r"^  (\w+):", section, re.MULTILINE)
    assert documented == [name for name in inspect.signature(function).parameters if name != "self"]
