"""The benchmark compares equal work, forms its ratios rightly, and writes what it measured."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

import bayesconv as bc
from benchmarks import bars, contenders, fresh, page, parts, plain, results, run, tables, training
from benchmarks.architectures import NETS, count
from benchmarks.interleaved import Pair, Timing, time_interleaved, time_pairs, timing
from benchmarks.peers import comparison, environments, worker

pytestmark = pytest.mark.slow

NAMES, ROOT = list(NETS), Path(__file__).parent.parent


# The same work.


@pytest.mark.parametrize("net", NAMES)
def test_a_plain_net_gives_the_logits_of_the_model_with_its_weights(net):
    assert contenders.check_same_work(net) <= 1e-5


@pytest.mark.parametrize("net", NAMES)
@pytest.mark.parametrize("forgotten", ["relu", "linear"])
def test_a_plain_net_that_does_less_is_found_out(net, forgotten, monkeypatch):
    def idle(self, x):
        return x

    def without_bias(self, name, x):
        outputs = linear(self, name, x)
        return outputs - self.biases[name] if name in self.biases else outputs

    linear = plain.PlainNet.linear
    monkeypatch.setattr(plain.PlainNet, forgotten, idle if forgotten == "relu" else without_bias)
    with pytest.raises(ArithmeticError, match="differ by"):
        contenders.check_same_work(net)


def test_a_plain_net_without_normalizations_is_found_out(monkeypatch):
    monkeypatch.setattr(plain.PlainNet, "normalize", lambda self, name, x: x)
    with pytest.raises(ArithmeticError, match="differ by"):
        contenders.check_same_work("resnet20")


@pytest.mark.parametrize("net", NAMES)
def test_a_net_has_the_parameters_of_the_model(net):
    model = bc.models.get(net)(NETS[net].image, 10, bc.make_kernel_bias)
    expected = sum(int(np.prod(variable.shape)) for variable in model.trainable_variables)
    assert NETS[net].num_parameters == expected
    assert sum(int(tf.size(variable)) for variable in plain.PlainNet(net).variables) == expected
    assert sum(count(linear) for linear in NETS[net].linears.values()) == expected


def test_weights_of_another_net_are_not_copied():
    model = bc.models.get("lenet5")(NETS["small_cnn"].image, 10, bc.make_kernel_bias)
    with pytest.raises(ValueError, match="differ in their kernels"):
        plain.copy_weights(model.named_variables, plain.PlainNet("small_cnn"))


def test_the_locations_of_a_posterior_are_copied():
    model = contenders.CONTENDERS["flipout"].model("small_cnn")
    net = plain.PlainNet("small_cnn")
    plain.copy_weights(model.named_variables, net)
    x = plain.example("small_cnn")[0][:2]
    expected = model(x, is_training=False, weights="mean")
    np.testing.assert_allclose(net.forward(x), expected, rtol=1e-4, atol=1e-5)


def test_a_plain_net_in_bfloat16_is_near_that_in_float32():
    x = plain.example("resnet20")[0][:4]
    wide, narrow = plain.PlainNet("resnet20"), plain.PlainNet("resnet20", dtype="bfloat16")
    expected, received = wide.predict(x), narrow.predict(x)
    error = tf.reduce_max(tf.abs(received - expected)) / tf.reduce_max(tf.abs(expected))
    assert 1e-4 < error < 0.1  # 8 bits of precision in 20 layers: neither none, nor lost


def test_the_plain_net_that_normalizes_in_few_passes_is_the_same_net():
    x, y = (tensor[:4] for tensor in plain.example("resnet20"))
    net, fewer = plain.PlainNet("resnet20"), plain.FewPassesNet("resnet20")
    for one in (net, fewer):
        for index, name in enumerate(one.scales):
            one.scales[name].assign_add(0.1 * tf.random.stateless_normal(one.scales[name].shape, (index, 0)))
            one.offsets[name].assign_add(0.1 * tf.random.stateless_normal(one.offsets[name].shape, (index, 1)))
    np.testing.assert_allclose(fewer.predict(x), net.predict(x), rtol=1e-4, atol=1e-5)
    for _ in range(2):
        np.testing.assert_allclose(fewer.train_step(x, y), net.train_step(x, y), rtol=1e-3)
    np.testing.assert_allclose(fewer.scales["stem"], net.scales["stem"], atol=1e-4)


def test_a_step_of_the_plain_net_is_that_of_fit():
    """Both begin with the same weights; after three steps of Adam they have the same still."""
    model, net = contenders.CONTENDERS["point weights"].model("small_cnn"), plain.PlainNet("small_cnn")
    plain.copy_weights(model.named_variables, net)
    x, y = (tensor[:8] for tensor in plain.example("small_cnn"))
    step = training.step_of(contenders.Contender(bc.make_kernel_bias), "small_cnn", model)
    theirs = [float(net.train_step(x, y)) for _ in range(3)]
    ours = [float(step(x, y)[0]) for _ in range(3)]
    np.testing.assert_allclose(ours, theirs, rtol=1e-4)
    assert theirs[2] < theirs[0]
    np.testing.assert_allclose(model.layers[0].kernel, net.kernels["conv1"], rtol=1e-3, atol=1e-5)


def test_adam_is_the_published_one():
    variable = tf.Variable([1.0, -2.0])
    adam, value = plain.Adam([variable]), np.array([1.0, -2.0])
    m, v = np.zeros(2), np.zeros(2)
    for t in range(1, 6):
        gradient = np.array([0.5, -1.0]) * t
        adam.apply([tf.constant(gradient, tf.float32)])
        m, v = 0.9 * m + 0.1 * gradient, 0.999 * v + 0.001 * gradient**2
        # With epsilon as in section 2 of arXiv:1412.6980, before algorithm 1.
        value = value - 1e-3 * np.sqrt(1 - 0.999**t) / (1 - 0.9**t) * m / (np.sqrt(v) + 1e-7)
    np.testing.assert_allclose(variable, value, rtol=1e-6)


def test_a_compute_type_reaches_the_step(monkeypatch):
    seen, convolution, conv2d = [], tf.nn.convolution, tf.nn.conv2d
    monkeypatch.setattr(tf.nn, "convolution", lambda x, *a, **kw: seen.append(x.dtype) or convolution(x, *a, **kw))
    monkeypatch.setattr(tf.nn, "conv2d", lambda x, *a, **kw: seen.append(x.dtype) or conv2d(x, *a, **kw))
    x, y = (tensor[:2] for tensor in plain.example("small_cnn"))
    training.step_of(contenders.CONTENDERS["reparameterization, bfloat16"], "small_cnn")(x, y)
    assert set(seen) == {tf.bfloat16}


# Ratios, on a clock of our own.


class Clock:
    """Time that only work makes go by."""

    def __init__(self):
        self.now, self.pace, self.log = 0.0, 1.0, []

    def __call__(self):
        return self.now

    def work(self, name, seconds):
        def call():
            self.log.append(name)
            self.now += seconds * self.pace

        return call

    def measure(self, name, seconds):
        call = self.work(name, seconds)

        def measured(calls):
            began = self.now
            for _ in range(calls):
                call()
            return (self.now - began) / calls

        return measured


def test_the_ratio_is_the_median_of_the_rounds():
    assert timing([2.0, 6.0, 30.0], [1.0, 2.0, 3.0]) == Timing(6.0, 3.0, 2.0, 10.0)


def test_a_machine_that_slows_down_leaves_ratios_as_they_are():
    clock = Clock()

    def slowing(calls):
        clock.pace *= 2.0  # before each pair
        return clock.measure("reference", 2.0)(calls)

    contenders_ = {"reference": clock.work("reference", 2.0), "own": clock.work("own", 3.0)}
    steady = time_interleaved(contenders_, rounds=3, calls=2, clock=clock)
    assert steady == {"reference": Timing(2.0, 1.0, 1.0, 1.0), "own": Timing(3.0, 1.5, 1.5, 1.5)}
    found = time_pairs({"own": Pair(clock.measure("own", 3.0), slowing)}, rounds=1)["own"]
    assert found == Timing(12.0, 1.5, 1.5, 1.5)


def test_a_machine_that_slows_down_all_the_time_favours_neither():
    clock = Clock()

    def measure(calls):
        clock.pace *= 1.1
        return clock.pace

    # The second of a pair is 1.1 times as slow: the contender in even rounds, the reference in odd ones.
    found = time_pairs({"same": Pair(measure, measure)}, rounds=4)["same"]
    assert found.lowest == pytest.approx(1 / 1.1)
    assert found.highest == pytest.approx(1.1)
    assert found.ratio == pytest.approx((1.1 + 1 / 1.1) / 2)


def test_who_goes_first_alternates():
    clock = Clock()
    pairs = {name: Pair(clock.measure(name, 1.0), clock.measure("plain", 1.0)) for name in ("a", "b")}
    time_pairs(pairs, rounds=3, warm_up=1)
    assert " ".join(clock.log[4:]) == "plain a plain b a plain b plain plain a plain b"


def test_warming_up_is_not_counted():
    clock = Clock()
    clock.pace = 100.0
    slow_at_first = clock.measure("a", 1.0)

    def contender(calls):
        seconds = slow_at_first(calls)
        clock.pace = 1.0
        return seconds

    assert time_pairs({"a": Pair(contender, lambda calls: 1.0)}, rounds=2)["a"].highest == 1.0


# What is kept and shown.


@pytest.fixture
def kept(tmp_path):
    path = tmp_path / "performance.json"
    row = results.row("training", Timing(0.0125, 1.04, 0.9, 1.2))
    results.merge(path, "training", "resnet20", {"flipout": row, "antithetic": row}, 9)
    return path


def test_seconds_become_the_unit_of_the_section(kept):
    rows = results.load(kept)["training"]["resnet20"]["rows"]
    assert rows["flipout"] == {"value": 12.5, "ratio": 1.04, "lowest": 0.9, "highest": 1.2}
    assert results.row("tracing", Timing(2.0, 1.0, 1.0, 1.0)).value == 2.0


def test_a_section_replaces_itself_only(kept):
    row = results.row("memory", Timing(900.0, 2.0, 2.0, 2.0))
    results.merge(kept, "memory", "resnet20", {"flipout": row}, 3)
    results.merge(kept, "training", "small_cnn", {"flipout": row}, 3)
    results.merge(kept, "training", "resnet20", {"flipout": row}, 1)
    found = json.loads(kept.read_text())
    assert set(found) == {"training", "memory"}
    assert set(found["training"]) == {"small_cnn", "resnet20"}
    assert found["training"]["resnet20"]["rounds"] == 1
    assert list(found["training"]["resnet20"]["rows"]) == ["flipout"]
    assert found["training"]["resnet20"]["versions"]["bayesconv"] == bc.__version__


@pytest.mark.parametrize(
    ("section", "net", "name", "expected"),
    [
        ("training", "small_cnn", "reparameterization", 1.15),
        ("training", "resnet20", "reparameterization", 1.10),
        ("training", "small_cnn", "sliced, G = 8", None),
        ("training", "resnet20", "sliced, G = 8", 1.35),
        ("one image", "resnet20", "one image, frozen", 0.5),
        ("bfloat16, training", "small_cnn", "flipout, bfloat16", 1.5),
        ("tracing", "small_cnn", "flipout", None),
        ("tracing", "resnet20", "flipout", 1.5),
        ("memory", "resnet20", "flipout", None),
    ],
)
def test_a_bar_is_that_of_its_row(section, net, name, expected):
    assert bars.bar(section, net, name) == expected


def test_every_bar_has_a_row():
    predictions = {"a pass over a bank", "predict, draws included"}
    narrow = {name for name in contenders.CONTENDERS if name.endswith("bfloat16")}
    wide = set(contenders.CONTENDERS) - narrow
    rows = {
        "training": wide,
        "bfloat16, training": narrow,
        "tracing": wide,
        "prediction": {*predictions, 'predict, method="moments"', "predict, moments without covariance"},
        "bfloat16, prediction": {f"{name}, bfloat16" for name in predictions},
        "one image": {"one image, frozen", "one image, frozen.predict"},
    }
    assert [key for key in bars._BARS if key[1] not in rows[key[0]]] == []


def test_what_is_measured_in_bfloat16_is_a_section_of_its_own(monkeypatch, tmp_path, capsys):
    def pairs(net):
        return {name: name for name in ("plain TensorFlow again", "flipout", "flipout, bfloat16")}

    monkeypatch.setattr(run, "time_pairs", lambda chosen, rounds: dict.fromkeys(chosen, Timing(1.0, 1.0, 1.0, 1.0)))
    assert list(run.compared("training", pairs)("small_cnn", 1)) == ["plain TensorFlow again", "flipout"]
    assert list(run.compared("bfloat16, training", pairs)("small_cnn", 1)) == ["flipout, bfloat16"]
    monkeypatch.setattr(results, "has_bfloat16", lambda: False)
    monkeypatch.setattr(run, "check_same_work", lambda net: 0.0)
    out = ["--out", str(tmp_path / "out.json"), "--page", str(tmp_path / "page.md")]
    monkeypatch.setattr("sys.argv", ["run", "--sections", "bfloat16, training", "--nets", "small_cnn", *out])
    run.main()
    assert "left out, since this processor has no instructions for it" in capsys.readouterr().out
    assert not list(tmp_path.iterdir())


def test_a_table_tells_what_meets_its_bar(kept):
    rows = results.load(kept)["training"]["resnet20"]["rows"]
    rows["point weights"] = {"value": 1.0, "ratio": 1.051, "lowest": 1.0, "highest": 1.1}
    lines = tables.table("training", "resnet20", rows).splitlines()[2:]
    assert lines == [
        "| flipout | 12.5 | 1.040 | 0.90 - 1.20 | 2.00 | met |",
        "| antithetic | 12.5 | 1.040 | 0.90 - 1.20 |  |  |",
        "| point weights | 1.0 | 1.051 | 1.00 - 1.10 | 1.05 | **missed** |",
    ]


def test_other_libraries_are_shown_side_by_side(kept):
    row = results.row(results.PEERS, Timing(0.5, 2.0, 1.0, 3.0))
    for name in ("tfp.layers", "blitz"):
        rows = {"flipout, training": row, "flipout, prediction": row}
        results.merge(kept, f"{results.PEERS}, {name}", "resnet20", rows, 9, {name: "7.8.9"})
    results.merge(kept, f"{results.PEERS}, blitz", "resnet20", rows, 9, {"blitz": "7.8.9"})  # the other stays
    shown = results.by_task(results.load(kept))
    assert list(shown) == ["training", "peers, training", "peers, prediction"]
    assert list(shown["peers, training"]["resnet20"]["rows"]) == ["tfp.layers: flipout", "blitz: flipout"]
    text = tables.page(results.load(kept))
    assert text.count("| tfp.layers: flipout | 500.0 | 2.000 |") == 2  # in training and in prediction
    assert "tfp.layers 7.8.9" in text


def test_the_page_has_the_tables_between_its_marks(kept, tmp_path):
    copy = tmp_path / "page.md"
    copy.write_text(f"before\n{page.BEGIN}\nold\n{page.END}\nafter\n")
    page.write(copy, results.load(kept))
    page.write(copy, results.load(kept))
    text = copy.read_text()
    assert text.startswith("before\n")
    assert text.endswith("\nafter\n")
    assert text.count("| flipout | 12.5 |") == 1
    assert "old" not in text


def test_a_page_without_marks_is_left_alone(tmp_path):
    copy = tmp_path / "page.md"
    copy.write_text(f"{page.END} {page.BEGIN}")
    with pytest.raises(ValueError, match="once and in this order"):
        page.write(copy, {})


def test_the_projects_own_page_can_be_rewritten():
    text = (ROOT / page.PAGE).read_text()
    block = tables.page(results.load(ROOT / results.PATH))
    assert page.rewritten(page.rewritten(text, "x"), block) == page.rewritten(text, block)


def test_peak_memory_is_that_of_the_process():
    before = fresh.peak_memory()
    block = np.ones(2**25)  # 256 MiB, all of them touched
    assert fresh.peak_memory() >= before
    del block
    assert 50 < before < 100_000


# Other libraries: what they do is checked in their own environments, when they are run.


class Subject:
    num_parameters = 7

    def __init__(self, calls):
        self.calls = calls

    def step(self):
        self.calls.append("step")

    def predict(self, passes):
        self.calls.append(passes)

    def logits(self, weights):
        return [[1.0]]


class Library:
    versions = {"other": "1.0"}  # noqa: RUF012
    contenders = ("deterministic",)

    def __init__(self):
        self.calls = []

    def subject(self, net, contender):
        self.calls.append((net, contender))
        return Subject(self.calls)


def test_a_worker_does_what_it_is_asked():
    library, subjects = Library(), {}
    net = {"net": "small_cnn", "contender": "deterministic"}
    facts = worker._answer(library, subjects, {"ask": "facts"})
    assert facts == {"versions": {"other": "1.0"}, "contenders": ("deterministic",)}
    worker._answer(library, subjects, {"ask": "run", "what": "training", "calls": 2, **net})
    seconds = worker._answer(library, subjects, {"ask": "run", "what": "prediction", "calls": 1, **net})["seconds"]
    assert seconds >= 0
    assert worker._answer(library, subjects, {"ask": "check", "weights": "", **net})["num_parameters"] == 7
    assert library.calls == [("small_cnn", "deterministic"), "step", "step", 32]


class Fake:
    """A worker whose library is the plain net itself, or another."""

    def __init__(self, net, shift=0.0, surplus=0):
        self.net, self.shift, self.surplus = net, shift, surplus

    def ask(self, *, weights, **request):
        with np.load(weights) as arrays:
            logits = self.net.predict(tf.constant(arrays["images"])).numpy() + self.shift
        return {"logits": logits.tolist(), "num_parameters": NETS["resnet20"].num_parameters + self.surplus}


def test_a_library_with_the_plain_nets_logits_passes(tmp_path):
    net = plain.PlainNet("resnet20")
    comparison.check_same_work(Fake(net), net, "resnet20", "deterministic", tmp_path)


@pytest.mark.parametrize(("fault", "message"), [({"shift": 1.0}, "other logits"), ({"surplus": 100_000}, "parameters")])
def test_a_library_with_another_net_is_refused(fault, message, tmp_path):
    net = plain.PlainNet("resnet20")
    with pytest.raises(ArithmeticError, match=message):
        comparison.check_same_work(Fake(net, **fault), net, "resnet20", "deterministic", tmp_path)


def test_a_posterior_has_a_scale_for_every_kernel_weight():
    spec = NETS["small_cnn"]
    biases = sum(linear.shape[-1] for linear in spec.linears.values())
    comparison.check_num_parameters(2 * spec.num_parameters, "small_cnn", "flipout")
    comparison.check_num_parameters(2 * spec.num_parameters - biases, "small_cnn", "flipout")
    with pytest.raises(ArithmeticError, match="parameters"):
        comparison.check_num_parameters(spec.num_parameters, "small_cnn", "flipout")


def test_a_library_that_is_not_to_be_had_is_left_out_with_a_message(monkeypatch, capsys):
    def fail(name):
        raise RuntimeError("no such package")

    monkeypatch.setattr(environments, "install", fail)
    assert comparison.measured("small_cnn", "blitz", 1) is None
    assert "blitz is left out: no such package" in capsys.readouterr().out


SERVER = """
from benchmarks.peers import worker

class Subject:
    num_parameters = 7
    def step(self): print("a line that is no answer", flush=True)
    def predict(self, passes): raise ValueError("no such net")
    def logits(self, weights): return [[1.0]]

class Library:
    versions, contenders = {"other": "1.0"}, ("deterministic",)
    def subject(self, net, contender): return Subject()

worker.serve(Library)
"""


def test_answers_are_lines_of_their_own_whatever_a_library_prints_or_raises():
    net = {"ask": "run", "net": "small_cnn", "contender": "deterministic", "calls": 1}
    requests = [{**net, "what": "training"}, {**net, "what": "prediction"}, {"ask": "facts"}]
    lines = "".join(json.dumps(request) + "\n" for request in requests)
    done = subprocess.run([sys.executable, "-c", SERVER], input=lines, capture_output=True, text=True, cwd=ROOT)
    first, second, third = map(json.loads, done.stdout.splitlines())
    assert first["seconds"] >= 0
    assert "ValueError: no such net" in second["error"]
    assert third["versions"] == {"other": "1.0"}
    assert "a line that is no answer" in done.stderr


# Parts of a step.


def test_a_part_that_is_left_out_costs_and_gives_nothing_and_is_there_again_afterwards():
    x, y = (tensor[:2] for tensor in plain.example("small_cnn"))
    step = training.step_of(contenders.CONTENDERS["reparameterization"], "small_cnn")
    with parts.without("the KL", "the normals"):
        loss, nll, kl, *_ = step(x, y)
        assert len(np.unique(bc.random.normal([100], 3))) == 1
    assert float(kl) == 0.0
    assert float(loss) == float(nll)
    whole = training.step_of(contenders.CONTENDERS["reparameterization"], "small_cnn")(x, y)
    assert float(whole[2]) > 0.0
    assert len(np.unique(bc.random.normal([100], 3))) == 100


def test_every_part_is_left_out_alone_and_all_of_them_together():
    found = parts.pairs("small_cnn", "point weights")
    expected = ["plain TensorFlow again", "all of the step", *(f"without {part}" for part in parts.PARTS)]
    assert list(found) == [*expected, "without these"]
    text = parts.table("small_cnn", {"all of the step": Timing(1.0, 1.25, 1.0, 2.0)})
    assert "| all of the step | 1.250 | 1.00 - 2.00 |" in text
