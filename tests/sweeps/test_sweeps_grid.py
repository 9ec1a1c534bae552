import itertools

import pytest

from bayesconv.settings import ConfigError
from bayesconv.sweeps.grid import Axis, expand, parse_axis, parse_seeds


class TestAxis:
    @pytest.mark.parametrize(
        ("text", "values"),
        [
            ("a.b=x", ("x",)),
            ("a.b=x,y, z", ("x", "y", "z")),
            ("a.b=1,2.5,1e-3,true,null", (1, 2.5, 0.001, True, None)),
            ("a.b=[x, y]", ("x", "y")),
            ("a.b=[x, {name: y, scale: 0.1}]", ("x", {"name": "y", "scale": 0.1})),
            ("a.b=x,{name: y, scale: 0.1}", ("x", {"name": "y", "scale": 0.1})),
            ("a.b={name: y, of: {name: z, n: [1, 2]}}", ({"name": "y", "of": {"name": "z", "n": [1, 2]}},)),
            ("a.b=[1, 2],[3]", ([1, 2], [3])),
            ("a.b=[[1, 2]]", ([1, 2],)),
            ("a.b=[]", ()),
            ("a.b='x=y,z',w", ("x=y,z", "w")),
            (" a.b = x", ("x",)),
        ],
    )
    def test_values_are_yaml_with_commas_or_a_list(self, text, values):
        assert parse_axis(text) == Axis("a.b", values)

    @pytest.mark.parametrize("text", ["a.b", "=x", "a..b=x", "a.b=", "a.b= "])
    def test_what_is_no_axis_is_refused(self, text):
        with pytest.raises(ConfigError, match=r"--vary takes key.path=value,value, e\.g\. .* Received"):
            parse_axis(text)

    def test_bad_yaml_is_refused_with_its_key(self):
        with pytest.raises(ConfigError, match=r"^--vary a\.b: not valid YAML: "):
            parse_axis("a.b={x")


class TestSeeds:
    @pytest.mark.parametrize(("text", "seeds"), [("5", 5), ("0,3,7", [0, 3, 7]), ("7,", [7]), ("1, 2", [1, 2])])
    def test_how_many_or_which(self, text, seeds):
        assert parse_seeds(text) == seeds

    @pytest.mark.parametrize("text", ["", ",", "x", "1,x", "-1", "1.5"])
    def test_what_is_neither_is_refused(self, text):
        with pytest.raises(ConfigError, match=r"--seeds takes how many, 5, or which, 0,3,7\. Received"):
            parse_seeds(text)


class TestExpand:
    def test_every_combination_once_seeds_slowest_and_the_last_axis_fastest(self):
        axes = [Axis("model.prior", ("normal", {"name": "laplace", "scale": 0.1})), Axis("training.epochs", (1, 2, 3))]
        cells = expand(axes, [5, 4])
        expected = [
            {"seed": seed, "model.prior": prior, "training.epochs": epochs}
            for seed, prior, epochs in itertools.product([5, 4], axes[0].values, (1, 2, 3))
        ]
        assert [cell.choices for cell in cells] == expected
        assert cells[0].name == "prior=normal,epochs=1,seed=5"
        assert cells[3].name == "prior=laplace-scale-0.1,epochs=1,seed=5"
        assert len({cell.name for cell in cells}) == 12

    def test_seeds_alone_are_a_grid(self):
        assert [cell.name for cell in expand([], [0, 3])] == ["seed=0", "seed=3"]

    def test_without_seeds_no_cell_names_one(self):
        assert expand([Axis("seed", (1, 2))])[1] == ("seed=2", {"seed": 2})
        assert expand([Axis("a", (1,))])[0].choices == {"a": 1}

    def test_keys_are_named_by_the_shortest_end_that_tells_them_apart(self):
        paths = ["model.prior.scale", "model.posterior.scale", "scale", "training.epochs"]
        name = expand([Axis(path, (1,)) for path in paths])[0].name
        assert name == "prior.scale=1,posterior.scale=1,scale=1,epochs=1"

    @pytest.mark.parametrize(
        ("value", "shown"),
        [
            ("normal", "normal"),
            (0.1, "0.1"),
            (1e-5, "1e-05"),
            (True, "true"),
            (None, "null"),
            ([], "none"),
            (["a", "b"], "a+b"),
            ({"name": "x", "of": {"name": "y", "n": 2}}, "x-of-y-n-2"),
            ("../../etc/passwd", "..-..-etc-passwd"),
            ("two words", "two-words"),
            ("", "empty"),
        ],
    )
    def test_names_of_values_are_safe_for_folders(self, value, shown):
        assert expand([Axis("a", (value,))])[0].name == f"a={shown}"

    def test_values_that_look_alike_get_different_names(self):
        names = [cell.name for cell in expand([Axis("a", ("x y", "x-y", "X-Y"))])]
        assert names[0] == "a=x-y"
        assert len({name.casefold() for name in names}) == 3

    def test_long_names_are_cut_and_stay_different(self):
        cells = expand([Axis(f"key{i}", ("v" * 60 + "1", "v" * 60 + "2")) for i in range(6)])
        assert all(len(cell.name) <= 150 for cell in cells)
        assert len({cell.name for cell in cells}) == 64

    def test_parts_come_before_their_options_whatever_the_order(self):
        cell = expand([Axis("model.prior.scale", (0.2,)), Axis("model.prior", ("laplace",))])[0]
        assert cell.edits == ['model.prior="laplace"', "model.prior.scale=0.2"]

    @pytest.mark.parametrize(
        ("axes", "seeds", "message"),
        [
            ([], [], "needs something that varies"),
            ([Axis("a", ())], [], "--vary a needs one value or more. Received an empty list"),
            ([Axis("a", (1,)), Axis("a", (2,))], [], "varies once. Received --vary a twice"),
            ([Axis("seed", (1,))], [2], "Received --seeds and --vary seed"),
        ],
    )
    def test_what_is_no_grid_is_refused(self, axes, seeds, message):
        with pytest.raises(ConfigError, match=message):
            expand(axes, seeds)
