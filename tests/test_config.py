import json
import re
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest

from bayesconv import choices, config
from bayesconv.config import ConfigError, RunConfig, check_names, dump, load_config

CONFIGS = sorted((Path(__file__).parent.parent / "configs").glob("*.yaml"))
MINIMAL = "data: digits\nmodel: {name: digits_cnn}\n"
FULL = """\
seed: 3
data: {name: digits, refit: true}
model:
  name: digits_cnn
  estimator: reparameterization
  prior: {name: laplace, scale: 0.1}
objective: {temperature: 0.03, kl_schedule: {name: linear, warm_up: 0.5}}
training:
  epochs: 7
  optimizer: {name: adamw, weight_decay: 1e-3}
evaluation: {ood: [rotated, {name: rotated, degrees: 45}]}
"""


@pytest.fixture
def write(tmp_path):
    def written(text):
        (tmp_path / "run.yaml").write_text(text)
        return tmp_path / "run.yaml"

    return written


def message(load):
    with pytest.raises(ConfigError) as caught:
        load()
    return str(caught.value)


class TestLoading:
    def test_what_is_not_written_has_a_default(self, write):
        run = load_config(write(MINIMAL))
        assert (run.seed, run.training.epochs, run.training.batch_size, run.training.patience) == (0, 100, 64, None)
        assert (run.model.estimator.name, run.model.prior.identifier) == ("automatic", {"name": "normal"})
        assert (run.objective.temperature, run.evaluation.num_samples, run.evaluation.ood) == (1.0, 64, None)

    def test_a_part_is_a_name_or_a_mapping(self, write):
        run = load_config(write(FULL))
        assert run.data.identifier == {"name": "digits", "refit": True}
        assert run.model.prior.options == {"scale": 0.1}
        assert [part.identifier for part in run.evaluation.ood] == [
            {"name": "rotated"},
            {"name": "rotated", "degrees": 45},
        ]

    def test_yaml_is_that_of_1_2(self, write):
        run = load_config(write(FULL + "plugins: [no]\n"))
        assert run.training.optimizer.options == {"weight_decay": 0.001}
        assert run.plugins == ("no",)

    def test_anchors_and_merges_work(self, write):
        run = load_config(write("data: &d {name: digits}\nmodel: {<<: *d, name: lenet5}\n"))
        assert run.model.name.name == "lenet5"

    def test_a_loaded_configuration_is_frozen(self, write):
        with pytest.raises(ValueError, match="frozen"):
            load_config(write(MINIMAL)).seed = 1

    @pytest.mark.parametrize("text", [MINIMAL, FULL])
    def test_dumping_and_loading_gives_the_same(self, write, text):
        run = load_config(write(text))
        assert load_config(write(dump(run))) == run

    def test_loading_leaves_tensorflow_alone(self):
        code = (
            "import sys; from bayesconv import config, data; "
            f"config.load_config({str(CONFIGS[0])!r}); data.digits(); assert 'tensorflow' not in sys.modules"
        )
        subprocess.run([sys.executable, "-c", code], check=True)


class TestErrors:
    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            (
                "data: digits\nmodel:\n  name: lenet5\n  priro: laplace\n",
                "run.yaml:4:3: model.priro: unknown key; choose one of "
                "['divergence', 'estimator', 'name', 'overrides', 'posterior', 'prior']. Did you mean 'prior'?",
            ),
            (MINIMAL + "trianing: {}\n", "run.yaml:3:1: trianing: unknown key; .*Did you mean 'training'?"),
            (
                MINIMAL + "training: {epochs: many}\n",
                "run.yaml:3:12: training.epochs: must be a valid integer. Received 'many'.",
            ),
            (MINIMAL + "training: {epochs: -1}\n", "training.epochs: must be greater than 0. Received -1."),
            (MINIMAL + "training: {epochs: 1.5}\n", "training.epochs: must be a valid integer"),
            (
                MINIMAL + "training: {batch_size: true}\n",
                "training.batch_size: must be a valid integer. Received True.",
            ),
            (MINIMAL + "training: {learning_rate: .nan}\n", "training.learning_rate: must be a finite number"),
            (MINIMAL + "training: {learning_rate: '0.1'}\n", "learning_rate: must be a valid number. Received '0.1'."),
            (
                MINIMAL + "training: {learning_rate_schedule: linear}\n",
                "must be 'cosine' or 'constant'. Received 'linear'.",
            ),
            (MINIMAL + "training: {optimizer: adm}\n", "Unknown optimizer 'adm'; .*Did you mean 'adam'?"),
            (MINIMAL + "training: []\n", r"training: must be a mapping of keys to values\. Received \[\]\."),
            (MINIMAL + "objective: {temperature: -0.1}\n", "objective.temperature: must be greater than or equal to 0"),
            (MINIMAL + "seed: -1\n", "run.yaml:3:1: seed: must be greater than or equal to 0"),
            (
                MINIMAL + "plugins: my_priors\n",
                r"plugins: must be a list\. Received 'my_priors'; write \[my_priors\]\.",
            ),
            (
                MINIMAL + "evaluation: {ood: [rotated, rotated]}\n",
                "must name each one once. Received {'name': 'rotated'} twice",
            ),
            (MINIMAL + "evaluation: {ood: [3]}\n", r"evaluation.ood.0: must be a name or a mapping .*Received 3"),
            (
                "model: {name: lenet5}\n",
                "run.yaml: needs the key 'data'. Received ['model'].".replace("['model']", r"\['model'\]"),
            ),
            ("data: digits\nmodel: {prior: normal}\n", "run.yaml:2:1: model: needs the key 'name'"),
            (
                "data: digits\nmodel: {name: lenet5, prior: {scale: 1}}\n",
                "run.yaml:2:23: model.prior: needs the key 'name'",
            ),
            ("data: [digits]\nmodel: {name: lenet5}\n", "data: must be a name or a mapping"),
            (MINIMAL + "seed: 1\nseed: 2\n", 'run.yaml:4:1: not valid YAML: found duplicate key "seed"'),
            ("data: digits\nmodel: {name: lenet5\n", "run.yaml:3:1: not valid YAML: expected"),
            (
                "data: a: b\n",
                "run.yaml:1:8: not valid YAML: mapping values are not allowed here. Received 'data: a: b'; indent by",
            ),
            ("data: !!python/object:os.system x\n", "run.yaml:1:7: not valid YAML: could not determine a constructor"),
            ("data: \x01\n", "run.yaml: not valid YAML: unacceptable character"),
            ("", "run.yaml: a configuration must be a mapping of sections. Received None."),
            ("- data\n", "a configuration must be a mapping"),
        ],
    )
    def test_say_where_what_and_the_way_out(self, write, text, expected):
        pattern = expected if ".*" in expected or "\\" in expected else re.escape(expected)
        assert re.search(pattern, message(lambda: load_config(write(text))))

    def test_all_problems_are_told_at_once(self, write):
        text = MINIMAL + "training:\n  epochs: many\n  optimiser: adam\n"
        lines = message(lambda: load_config(write(text))).splitlines()
        assert [line.rpartition("run.yaml")[2][:6] for line in lines] == [":4:3: ", ":5:3: "]

    def test_a_missing_file_is_named_with_its_whole_path(self, tmp_path):
        expected = f"{tmp_path}/none.yaml: No such file or directory. Check the path."
        assert expected in message(lambda: load_config(tmp_path / "none.yaml"))

    def test_a_file_that_is_no_text_is_refused(self, tmp_path):
        (tmp_path / "run.yaml").write_bytes(b"\xff\xfe\x00")
        assert "not UTF-8" in message(lambda: load_config(tmp_path / "run.yaml"))

    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("{1: 2, a: 3}", r"run.yaml: keys must be strings. Received 1; put them in quotes"),
            ("? [a, b]\n: c", r"run.yaml: keys must be strings. Received \('a', 'b'\)"),
            ("? {a: b}\n: c", r"run.yaml:1:3: not valid YAML"),
            (MINIMAL + "objective: {kl_schedule: {1: 2, name: linear}}", "objective.kl_schedule: keys must be strings"),
            ("data: digits\nmodel: &m {prior: *m}\n", "model.prior: a value must not contain itself"),
            ("model: {prior: &p {name: laplace, scale: *p}}", "model.prior.scale: a value must not contain itself"),
            ("a: " + "[" * 40 + "]" * 40, "nested at most 32 deep"),
            ("a: " + "[" * 3000 + "]" * 3000, "nested at most 32 deep"),
        ],
    )
    def test_what_yaml_can_say_and_no_setting_be_is_one_message(self, write, text, expected):
        found = message(lambda: load_config(write(text)))
        assert re.search(expected, found)
        assert "\n" not in found

    @pytest.mark.parametrize(
        ("option", "expected"),
        [
            ("momentum: much", "must be a number, as its default is for 'sgd'. Received 'much'."),
            ("momentum: true", "must be a number"),
            ("momentum: null", "must be a number"),
            ("nesterov: 1", "must be true or false"),
            ("weight_decay: [1]", "must be a number or null"),
        ],
    )
    def test_an_optimizers_options_have_the_types_of_keras(self, write, option, expected):
        run = load_config(write(f"{MINIMAL}training: {{optimizer: {{name: sgd, {option}}}}}"))
        assert f"training.optimizer.{option.partition(':')[0]}: {expected}" in message(lambda: check_names(run))

    def test_ivons_scales_have_no_learning_rate(self, write):
        run = load_config(write(f"{MINIMAL}training: {{optimizer: ivon, scale_learning_rate_factor: 5}}"))
        expected = r"training\.scale_learning_rate_factor: must be 1 with ivon.*beta_2\. Received 5; leave it out"
        assert re.search(expected, message(lambda: check_names(run)))
        run = load_config(write(f"{MINIMAL}training: {{optimizer: {{name: ivon, beta_1: high}}}}"))
        assert "training.optimizer.beta_1: must be a number" in message(lambda: check_names(run))

    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            (
                "training: {optimizer: {name: ivon, beta_2: 1.5}}",
                r"optimizer: .*`beta_2` must be .* Received 1\.5",
            ),
            ("training: {optimizer: {name: ivon, point_learning_rate_factor: -1}}", "must be positive and finite"),
            ("training: {optimizer: {name: adam, clipnorm: 1, clipvalue: 1}}", r"training\.optimizer: .* refuses"),
            ("training: {optimizer: ivon}\nobjective: {temperature: 0}", r"objective\.temperature: must be positive"),
        ],
    )
    def test_what_an_optimizer_refuses_is_known_before_anything_runs(self, write, text, expected):
        run = load_config(write(f"{MINIMAL}{text}"))
        assert re.search(expected, message(lambda: check_names(run)))

    def test_an_optimizers_options_of_the_right_types_pass(self, write):
        options = "momentum: 0.9, nesterov: true, weight_decay: null, clipnorm: 1.5"
        check_names(load_config(write(f"{MINIMAL}training: {{optimizer: {{name: sgd, {options}}}}}")))


class TestOverrides:
    @pytest.mark.parametrize(
        ("edits", "prior"),
        [
            (["model.prior=student_t"], {"name": "student_t"}),
            (["model.prior.scale=0.2"], {"name": "laplace", "scale": 0.2}),
            (["model.prior.name=normal"], {"name": "normal"}),
            (["model.prior.name=normal", "model.prior.scale=2"], {"name": "normal", "scale": 2}),
            (["model.prior={name: normal, scale: 1e-2}"], {"name": "normal", "scale": 0.01}),
        ],
    )
    def test_edit_a_part(self, write, edits, prior):
        assert load_config(write(FULL), edits).model.prior.identifier == prior

    def test_edit_a_part_that_is_a_name_or_a_default(self, write):
        edits = ["data.refit=true", "model.prior.scale=0.3", "objective.kl_schedule.warm_up=0.1"]
        run = load_config(write(MINIMAL), edits)
        assert run.data.identifier == {"name": "digits", "refit": True}
        assert run.model.prior.identifier == {"name": "normal", "scale": 0.3}
        assert run.objective.kl_schedule.identifier == {"name": "linear", "warm_up": 0.1}

    def test_a_new_data_set_drops_the_options_of_the_old_one(self, write):
        run = load_config(write(FULL), ["data.name=npz", "data.path=images.npz"])
        assert run.data.identifier == {"name": "npz", "path": "images.npz"}

    def test_a_new_model_keeps_the_other_choices(self, write):
        run = load_config(write(FULL), ["model.name=lenet5"])
        assert (run.model.name.identifier, run.model.prior.name) == ({"name": "lenet5"}, "laplace")

    def test_values_are_yaml(self, write):
        run = load_config(write(FULL), ["training.patience=5", "evaluation.ood=[]", "training.learning_rate=1e-4"])
        assert (run.training.patience, run.evaluation.ood, run.training.learning_rate) == (5, (), 1e-4)
        assert load_config(write(FULL), ["training.patience=null"]).training.patience is None

    def test_an_edit_concerns_one_place_even_of_a_shared_mapping(self, write):
        text = "data: digits\nmodel: {name: lenet5, prior: &p {name: normal, scale: 1}, posterior: *p}\n"
        run = load_config(write(text), ["model.prior.scale=2"])
        assert (run.model.prior.options, run.model.posterior.options) == ({"scale": 2}, {"scale": 1})

    @pytest.mark.parametrize(
        ("edit", "expected"),
        [
            ("model.prior", "--set takes key.path=value, e.g. --set model.prior=laplace. Received 'model.prior'."),
            ("=3", "--set takes key.path=value"),
            ("model..prior=3", "--set takes key.path=value"),
            ("training.epochs=[1", "--set training.epochs: not valid YAML"),
            ("training.epochs=many", "--set training.epochs: must be a valid integer. Received 'many'."),
            ("evaluation.ood=[3]", "--set evaluation.ood.0: must be a name or a mapping"),
            ("trianing.epochs=3", "--set trianing.epochs: trianing: unknown key"),
            ("model.priro=laplace", "--set model.priro: unknown key"),
            ("evaluation.ood.0=inverted", "no mapping; set it whole: --set evaluation.ood=..."),
            ("seed.x=1", "--set seed.x: seed is 3, no mapping; set it whole: --set seed=..."),
        ],
    )
    def test_a_bad_edit_says_so_instead_of_a_line(self, write, edit, expected):
        assert expected in message(lambda: load_config(write(FULL), [edit]))

    def test_what_an_edit_replaced_is_not_blamed_on_the_file(self, write):
        run = load_config(write(FULL), ["model.prior={name: laplace, sclae: 1}"])
        assert message(lambda: check_names(run)).startswith("--set model.prior.sclae: ")


OVERRIDES = """\
data: digits
model:
  name: digits_cnn
  overrides:
    - {match: "conv*", prior: laplace, penalty_weight: 0.5}
    - match: {kind: Affine}
      posterior: deterministic
    - {match: {name: conv1, kind: Convolution}, estimator: reparameterization, prior: {name: normal, scale: 0.1}}
"""


class TestOverridesOfLayers:
    def test_are_what_the_factory_by_layer_takes(self, write):
        assert [override.identifier for override in load_config(write(OVERRIDES)).model.overrides] == [
            {"match": "conv*", "prior": {"name": "laplace"}, "penalty_weight": 0.5},
            {"match": {"kind": "Affine"}, "posterior": {"name": "deterministic"}},
            {
                "match": {"name": "conv1", "kind": "Convolution"},
                "estimator": {"name": "reparameterization"},
                "prior": {"name": "normal", "scale": 0.1},
            },
        ]

    def test_are_dumped_as_short_as_they_were_written_and_load_again(self, write):
        run = load_config(write(OVERRIDES))
        assert run.model_dump()["model"]["overrides"][:2] == (
            {"match": "conv*", "prior": "laplace", "penalty_weight": 0.5},
            {"match": {"kind": "Affine"}, "posterior": "deterministic"},
        )
        assert load_config(write(dump(run))) == run
        check_names(run)

    def test_are_set_on_the_command_line(self, write):
        run = load_config(write(MINIMAL), ["model.overrides=[{match: head, posterior: deterministic}]"])
        assert run.model.overrides[0].posterior.name == "deterministic"

    @pytest.mark.parametrize(
        ("override", "expected"),
        [
            (
                "{match: head, priro: laplace}",
                r"run.yaml:3:\d+: model.overrides.0.priro: unknown key; .*Did you mean 'prior'",
            ),
            (
                "{match: {nme: a}, prior: laplace}",
                r"model.overrides.0.match.nme: unknown key; choose one of \['kind', 'name'",
            ),
            ("{prior: laplace}", r"model.overrides.0: needs the key 'match'. Received \['prior'\]"),
            ("{match: head}", r"model.overrides.0: must choose something .* Received match alone"),
            (
                "{match: head, posterior: deterministic, prior: laplace}",
                r"model.overrides.0: must leave posterior or the rest: .* Received \['prior'\]",
            ),
            (
                "{match: {}, prior: laplace}",
                r"model.overrides.0.match: must have a pattern, name or kind. Received none",
            ),
            ("{match: 3, prior: laplace}", r"model.overrides.0.match: .* Received 3"),
            ("{match: [a], prior: laplace}", r"model.overrides.0.match: .* Received \['a'\]"),
            ("{match: {name: 3}, prior: laplace}", r"model.overrides.0.match.name: must be a valid string. Received 3"),
            ("{match: head, penalty_weight: 0}", r"model.overrides.0.penalty_weight: must be greater than 0"),
            ("head", r"model.overrides.0: must be .*Received 'head'"),
        ],
    )
    def test_a_mistake_is_shown_in_its_place(self, write, override, expected):
        text = f"data: digits\nmodel: {{name: digits_cnn, overrides: [\n  {override}]}}\n"
        found = message(lambda: load_config(write(text)))
        assert re.search(expected, found)
        assert "\n" not in found

    @pytest.mark.parametrize(
        ("override", "expected"),
        [
            ("prior: laplas", r"model.overrides.1.prior: Unknown prior 'laplas'.*Did you mean 'laplace'"),
            ("prior: {name: laplace, sclae: 1}", "model.overrides.1.prior.sclae: .*Did you mean 'scale'"),
            ("prior: {name: laplace, scale: wide}", "model.overrides.1.prior.scale: must be a valid number"),
            ("estimator: flip", "model.overrides.1.estimator: Unknown estimator"),
            (
                "posterior: {name: deterministic, scale: 1}",
                "model.overrides.1.posterior.scale: 'deterministic' takes no",
            ),
            ("divergence: exakt", "model.overrides.1.divergence: Unknown divergence"),
        ],
    )
    def test_pieces_are_looked_up_like_all_others(self, write, override, expected):
        first = "data: digits\nmodel:\n  name: digits_cnn\n  overrides:\n    - {match: head, prior: normal}\n"
        text = f"{first}    - match: conv1\n      {override}\n"
        found = message(lambda: check_names(load_config(write(text))))
        assert re.search("run.yaml:7:\\d+: " + expected, found)


class TestNames:
    @pytest.mark.parametrize(
        ("edit", "expected"),
        [
            ("model.prior=nrmal", "model.prior: Unknown prior 'nrmal'; choose one of .*Did you mean 'normal'?"),
            ("model.prior.sclae=1", r"model.prior.sclae: .* it accepts \['loc', 'scale'.*\]. Did you mean 'scale'?"),
            ("model.prior={name: normal, scale: wide}", "model.prior.scale: must be a valid number. Received 'wide'"),
            ("model.posterior=mean_field", "choose one of .*'deterministic' stands for point weights"),
            (
                "model.posterior={name: deterministic, scale: 1}",
                "model.posterior.scale: 'deterministic' takes no options",
            ),
            ("model.estimator=flipuot", "Unknown estimator"),
            ("model.divergence=exakt", "Unknown divergence"),
            ("model.name=lenet", "model.name: Unknown model 'lenet'; .*Did you mean 'lenet5'?"),
            ("model.name.filters=3", "model.name.filters: must be"),
            ("objective.likelihood=gamma", "objective.likelihood: Unknown likelihood"),
            ("objective.kl_schedule=cosine", "objective.kl_schedule: Unknown "),
            ("objective.kl_schedule.warmup=0.1", "Did you mean 'warm_up'?"),
            ("objective.bound=iwae", "objective.bound: Unknown bound 'iwae'"),
            ("objective.bound.alpha=1", r"objective.bound.alpha: .* it accepts \[\]"),
            ("objective.bound={name: renyi, alpha: low}", "objective.bound.alpha: must be a valid number"),
            ("data=digts", "data: Unknown dataset 'digts'; .*Did you mean 'digits'?"),
            ("data.refit=yes", "data.refit: must be true or false. Received 'yes'"),
            ("data=npz", "data: 'npz' needs the option 'path'"),
            ("evaluation.ood=[photo_patches, upside_down]", "evaluation.ood.1: Unknown out-of-distribution set"),
            ("training.augmentation=[rotate]", "training.augmentation.0: Unknown augmentation 'rotate'; choose one of"),
            (
                "training.augmentation=[{name: shift, pixels: a}]",
                "training.augmentation.0.pixels: must be a valid integ",
            ),
            ("training.optimizer.momentum=0.9", "training.optimizer.momentum: Optimizer 'adam': unknown key"),
            ("training.optimizer.learning_rate=1", "training.optimizer.learning_rate: Optimizer 'adam': unknown key"),
        ],
    )
    def test_an_unknown_name_or_option_is_refused(self, write, edit, expected):
        run = load_config(write(MINIMAL), [edit])
        assert re.search(expected, message(lambda: check_names(run)))

    def test_an_error_in_the_file_has_its_line(self, write):
        run = load_config(write(FULL.replace("scale: 0.1", "scael: 0.1")))
        assert "run.yaml:6:26: model.prior.scael: Prior 'laplace' got the unknown option" in message(
            lambda: check_names(run)
        )

    def test_options_may_be_lists(self, write):
        check_names(
            load_config(write(MINIMAL), ["model.name.filters=[4, 4]", "training.optimizer={name: sgd, momentum: 0.9}"])
        )

    def test_a_plugin_next_to_the_configuration_registers_a_prior(self, write, tmp_path):
        (tmp_path / "own_prior.py").write_text(
            "import bayesconv.priors\n"
            "@bayesconv.priors.register('own', force=True)\n"
            "def own(specs, *, scale=1.0):\n    'An own prior.'\n    return bayesconv.priors.normal(specs)\n"
        )
        path = list(sys.path)
        check_names(load_config(write(MINIMAL + "plugins: [own_prior]\n"), ["model.prior={name: own, scale: 2}"]))
        assert sys.path == path

    @pytest.mark.parametrize(
        ("content", "expected"),
        [
            (None, "ModuleNotFoundError: No module named 'bad_plugin'"),
            ("def", "SyntaxError"),
            ("1 / 0", "ZeroDivisionError"),
        ],
    )
    def test_a_plugin_that_cannot_be_imported_is_an_error_of_the_configuration(
        self, write, tmp_path, content, expected
    ):
        if content:
            (tmp_path / "bad_plugin.py").write_text(content)
        run = load_config(write(MINIMAL + "plugins:\n  - bad_plugin\n"))
        text = message(lambda: check_names(run))
        assert "run.yaml:4:5: plugins.0: cannot import 'bad_plugin'" in text
        assert expected in text

    def test_every_kind_has_a_listing(self):
        for kind in config.KINDS:
            assert all(name in choices.listing(kind) for name in config.registry(kind).names())
        assert "path: required" in choices.listing("datasets")
        assert "deterministic" in choices.listing("posteriors")


class TestShippedConfigurations:
    def test_there_are_the_announced_ones(self):
        names = [
            "deterministic",
            "empirical_bayes",
            "ensemble",
            "flipout",
            "flipout_temperature1",
            "laplace_prior",
            "mc_dropout",
            "reparameterization",
        ]
        names += [f"rotation_{name}" for name in ("heteroscedastic", "normal", "quantiles", "student_t")]
        digits = [f"digits_{name}" for name in names]
        ways = ["deterministic", "ensemble", "last_layer", "mc_dropout", "vi", "vi_snapshots"]
        fashion = [f"fashion_mnist_{name}" for name in ways]
        tables_and_series = ["diabetes_student_t", "digit_rows_cnn1d"]
        assert [path.stem for path in CONFIGS] == [*tables_and_series, *digits, *fashion, "scenes_unet"]

    def test_those_on_fashion_mnist_share_data_and_evaluation(self):
        found = [load_config(path) for path in CONFIGS if path.stem.startswith("fashion_mnist")]
        assert len({str(run.data.identifier) for run in found}) == 1
        assert len({str((run.evaluation.ood, run.evaluation.corruptions)) for run in found}) == 1

    @pytest.mark.parametrize("data", ["digits", "fashion_mnist"])
    def test_an_ensemble_differs_from_its_members_in_their_number_only(self, data):
        one, several = (
            load_config(CONFIGS[0].with_name(f"{data}_{name}.yaml")) for name in ("deterministic", "ensemble")
        )
        assert several.training.members == 5
        assert several.model_copy(update={"training": one.training}) == one
        assert several.training.model_copy(update={"members": 1}) == one.training

    @pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
    def test_parse_and_name_what_exists(self, path):
        check_names(load_config(path))

    def test_differ_from_the_flipout_one_as_they_say(self):
        names = ["flipout", "laplace_prior", "flipout_temperature1", "reparameterization"]
        found = [load_config(CONFIGS[0].with_name(f"digits_{name}.yaml")).model_dump() for name in names]
        flipout, laplace, warm, reparameterization = found
        assert laplace == {**flipout, "model": {**flipout["model"], "prior": {"name": "laplace", "scale": 0.2}}}
        assert warm == {**flipout, "objective": {**flipout["objective"], "temperature": 1.0}}
        assert reparameterization == {**flipout, "model": {**flipout["model"], "estimator": "reparameterization"}}


@pytest.fixture(scope="module")
def validator():
    return jsonschema.Draft202012Validator(json.loads(json.dumps(config.schema())))


class TestSchema:
    @pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
    def test_accepts_what_the_loader_accepts(self, validator, path):
        validator.validate(load_config(path).settings.values)
        validator.validate(json.loads(json.dumps(load_config(path).model_dump())))

    @pytest.mark.parametrize(
        "values",
        [
            {"data": "digits"},
            {"data": "digits", "model": {"name": "lenet5", "priro": "normal"}},
            {"data": "digits", "model": {"name": "lenet5", "prior": {"scale": 1}}},
            {"data": "digits", "model": {"name": "lenet5"}, "training": {"epochs": 0}},
            {"data": "digits", "model": {"name": "lenet5", "overrides": [{"match": "a", "priro": "normal"}]}},
            {"data": "digits", "model": {"name": "lenet5", "overrides": [{"prior": "normal"}]}},
            {"data": "digits", "model": {"name": "lenet5", "overrides": [{"match": {"nme": "a"}, "prior": "normal"}]}},
            {"data": "digits", "model": {"name": "lenet5", "prior": {"name": "normal", "sclae": 1}}},
            {"data": "digits", "model": {"name": "lenet5", "prior": {"name": "normal", "scale": "wide"}}},
            {"data": "npz", "model": "lenet5", "training": {"augmentation": [{"name": "shift", "pixel": 2}]}},
            {"data": {"name": "npz"}, "model": {"name": "lenet5"}},
        ],
    )
    def test_refuses_what_the_loader_refuses(self, validator, values):
        assert not validator.is_valid(values)

    def test_knows_overrides_and_the_names_in_them(self, validator, write):
        run = load_config(write(OVERRIDES))
        validator.validate(run.settings.values)
        validator.validate(json.loads(json.dumps(run.model_dump())))
        prior = validator.schema["$defs"]["Override"]["properties"]["prior"]
        assert "laplace" in prior["anyOf"][0]["anyOf"][0]["enum"]
        assert "default" not in prior

    def test_knows_the_options_of_every_registered_name_and_leaves_those_of_plugins_alone(self, validator):
        prior = validator.schema["$defs"]["Model"]["properties"]["prior"]
        by_name = {choice["properties"]["name"].get("const"): choice for choice in prior["anyOf"][1:]}
        for name in config.registry("priors").names():
            assert set(by_name[name]["properties"]) == {"name", *config.registry("priors").options(name)}
        validator.validate({"data": "digits", "model": {"name": "lenet5", "prior": {"name": "of_a_plugin", "any": 1}}})

    def test_knows_the_registered_names_and_the_meaning_of_keys(self):
        text = json.dumps(config.schema())
        assert all(f'"{name}"' in text for kind in config.KINDS for name in config.registry(kind).names())
        assert "Draws of the weights a training step." in text


def test_a_configuration_can_be_built_in_python():
    run = RunConfig(data="digits", model={"name": "digits_cnn", "prior": {"name": "normal", "scale": 0.1}})
    check_names(run)
    assert message(lambda: check_names(run.model_copy(update={"plugins": ("no_such_module",)}))).startswith(
        "configuration: plugins.0: cannot import"
    )
