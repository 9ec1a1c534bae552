"""The grid covers what the package exports."""

from __future__ import annotations

import itertools

import descriptors
import pytest

import bayesconv as bc
from bayesconv import estimators, posteriors, priors


def test_every_public_layer_has_a_descriptor():
    covered = {descriptor.layer_type.__name__ for descriptor in descriptors.DESCRIPTORS}
    assert descriptors.public_layers() == covered | descriptors.ABSTRACT


def test_the_check_would_see_a_new_layer(monkeypatch):
    class Novelty(bc.Layer):
        pass

    monkeypatch.setattr(bc.layers, "Novelty", Novelty, raising=False)
    monkeypatch.setattr(bc.layers, "__all__", [*bc.layers.__all__, "Novelty"])
    with pytest.raises(AssertionError):
        test_every_public_layer_has_a_descriptor()


def test_descriptors_build_what_they_say():
    for descriptor in descriptors.DESCRIPTORS:
        layer = descriptor.make(bc.make_kernel_bias, "float32")
        assert isinstance(layer, descriptor.layer_type)
        assert bool(layer.trainable_variables) == descriptor.is_linear


def test_the_grid_is_the_product_of_the_registries():
    sizes = [len(axis) for axis in (descriptors.LINEAR, estimators.names(), priors.names(), posteriors.names())]
    rows = list(descriptors.grid())
    assert len(rows) == sizes[0] * sizes[1] * sizes[2] * sizes[3]
    assert min(sizes) >= 1
    assert {"flipout", "reparameterization", "local_reparameterization"} <= {row[1] for row in rows}


def test_all_pairs_covers_every_pair_with_few_rows():
    axes = ("abcd", "xyz", range(5), "pqrstu")
    rows = descriptors.all_pairs(*axes)
    for i, j in itertools.combinations(range(4), 2):
        assert {(row[i], row[j]) for row in rows} == set(itertools.product(axes[i], axes[j]))
    assert 30 <= len(rows) <= 40
