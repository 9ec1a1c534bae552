"""Every public layer, how to build and to call it, and every combination of the four choices, from the registries.

Whoever adds a layer adds a line here; whoever registers an estimator, a prior, a posterior or a divergence is in the
grid at once.
"""

from __future__ import annotations

import dataclasses
import functools
import inspect
import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

import bayesconv as bc
from bayesconv import estimators, posteriors, priors


@dataclasses.dataclass(frozen=True)
class Descriptor:
    """A layer under test.

    Attributes:
      name: Its name in test reports.
      layer_type: The public class that it covers.
      make: `make(factory, dtype)` builds it.
      input_shape: Shape of an example.
      is_linear: Whether it has weights from a factory.
    """

    name: str
    layer_type: type
    make: Callable[[Any, tf.DType], bc.Layer]
    input_shape: tuple[int, ...]
    is_linear: bool = True

    def inputs(self, num: int = 3, dtype: tf.DType = tf.float32) -> tf.Tensor:
        """A batch of examples."""
        values = np.random.default_rng(num).normal(size=(num, *self.input_shape))
        return tf.constant(values, dtype)


def _convolution(rank: int, **options: Any) -> Callable[[Any, tf.DType], bc.Layer]:
    return lambda factory, dtype: bc.Convolution(
        2, 4, 2, rank=rank, make_kernel_bias_fn=factory, dtype=dtype, **options
    )


def _transpose(rank: int, **options: Any) -> Callable[[Any, tf.DType], bc.Layer]:
    return lambda factory, dtype: bc.ConvolutionTranspose(
        2, 4, 2, rank=rank, make_kernel_bias_fn=factory, dtype=dtype, **options
    )


def _depthwise(layer_type: type, *sizes: int) -> Callable[[Any, tf.DType], bc.Layer]:
    return lambda factory, dtype: layer_type(
        *sizes, depth_multiplier=2, padding="SAME", make_kernel_bias_fn=factory, dtype=dtype
    )


def _affine(**options: Any) -> Callable[[Any, tf.DType], bc.Layer]:
    return lambda factory, dtype: bc.Affine(3, 4, make_kernel_bias_fn=factory, dtype=dtype, **options)


def _without_variables(layer_type: type, *sizes: int, **options: Any) -> Callable[[Any, tf.DType], bc.Layer]:
    return lambda factory, dtype: layer_type(*sizes, dtype=dtype, use_scale=False, use_offset=False, **options)


def _network(factory: Any, dtype: tf.DType) -> bc.Layer:
    convolution = bc.Convolution(1, 2, 3, make_kernel_bias_fn=factory, dtype=dtype, activation_fn=tf.nn.softplus)
    head = bc.Affine(8, 3, make_kernel_bias_fn=factory, dtype=dtype)
    return bc.Sequential([convolution, bc.AveragePool(2), bc.Flatten(), head])


DESCRIPTORS = (
    Descriptor("convolution1d", bc.Convolution, _convolution(1), (6, 2)),
    Descriptor("convolution2d", bc.Convolution, _convolution(2, padding="SAME", strides=2), (5, 4, 2)),
    Descriptor("convolution3d", bc.Convolution, _convolution(3), (3, 4, 3, 2)),
    Descriptor("grouped", bc.Convolution, _convolution(2, groups=2), (4, 4, 2)),
    Descriptor("grouped3d", bc.Convolution, _convolution(3, groups=2, padding="SAME", strides=2), (3, 2, 3, 2)),
    Descriptor("batched", bc.Convolution, _convolution(2, batch_shape=2), (4, 4, 2, 2)),
    Descriptor("batched1d", bc.Convolution, _convolution(1, batch_shape=(2, 3), dilations=2), (5, 2, 1, 2)),
    Descriptor("batched3d", bc.Convolution, _convolution(3, batch_shape=2, groups=2), (2, 3, 3, 2, 2)),
    Descriptor("causal", bc.Convolution, _convolution(1, padding="CAUSAL", dilations=2), (5, 2)),
    Descriptor("reflect", bc.Convolution, _convolution(2, padding="REFLECT", strides=2, dilations=2), (4, 5, 2)),
    Descriptor("leading_axes", bc.Convolution, _convolution(2, padding=[(1, 0), (0, 1)]), (2, 3, 3, 2)),
    Descriptor("transpose1d", bc.ConvolutionTranspose, _transpose(1, strides=2, output_padding=1), (4, 2)),
    Descriptor("transpose2d", bc.ConvolutionTranspose, _transpose(2, strides=2, padding="SAME", groups=2), (3, 2, 2)),
    Descriptor("transpose3d", bc.ConvolutionTranspose, _transpose(3, strides=(1, 2, 1), dilations=2), (2, 2, 2, 2)),
    Descriptor("depthwise", bc.DepthwiseConvolution, _depthwise(bc.DepthwiseConvolution, 2, 2), (4, 4, 2)),
    Descriptor("separable", bc.SeparableConvolution, _depthwise(bc.SeparableConvolution, 2, 3, 2), (4, 4, 2)),
    Descriptor("affine", bc.Affine, _affine(), (3,)),
    Descriptor("affine_without_bias", bc.Affine, _affine(use_bias=False), (3,)),
    Descriptor("affine_batched", bc.Affine, _affine(batch_shape=(2, 2)), (1, 2, 3)),
    Descriptor("sequential", bc.Sequential, _network, (6, 6, 1)),
    Descriptor("flatten", bc.Flatten, lambda f, dtype: bc.Flatten(), (4, 4, 2), is_linear=False),
    Descriptor("max_pool", bc.MaxPool, lambda f, dtype: bc.MaxPool(2), (4, 4, 2), is_linear=False),
    Descriptor("average_pool", bc.AveragePool, lambda f, dtype: bc.AveragePool(2), (4, 4, 2), is_linear=False),
    Descriptor("global_max_pool", bc.GlobalMaxPool, lambda f, dtype: bc.GlobalMaxPool(), (4, 4, 2), is_linear=False),
    Descriptor(
        "global_average_pool", bc.GlobalAveragePool, lambda f, dtype: bc.GlobalAveragePool(), (4, 4, 2), is_linear=False
    ),
    Descriptor("reshape", bc.Reshape, lambda f, dtype: bc.Reshape([-1, 8]), (4, 4, 2), is_linear=False),
    Descriptor("upsample", bc.Upsample, lambda f, dtype: bc.Upsample(2, "linear"), (4, 4, 2), is_linear=False),
    Descriptor("layer_norm", bc.LayerNorm, _without_variables(bc.LayerNorm, 2), (4, 4, 2), is_linear=False),
    Descriptor("group_norm", bc.GroupNorm, _without_variables(bc.GroupNorm, 2, 4), (4, 4, 4), is_linear=False),
    Descriptor("instance_norm", bc.InstanceNorm, _without_variables(bc.InstanceNorm, 2), (4, 4, 2), is_linear=False),
    Descriptor(
        "filter_response_norm",
        bc.FilterResponseNorm,
        _without_variables(bc.FilterResponseNorm, 2, use_threshold=False),
        (4, 4, 2),
        is_linear=False,
    ),
    Descriptor("batch_norm", bc.BatchNorm, _without_variables(bc.BatchNorm, 2), (4, 4, 2), is_linear=False),
    Descriptor("dropout", bc.Dropout, lambda f, dtype: bc.Dropout(0.5), (4, 4, 2), is_linear=False),
    Descriptor(
        "channel_dropout", bc.ChannelDropout, lambda f, dtype: bc.ChannelDropout(0.5), (4, 4, 8), is_linear=False
    ),
    Descriptor("residual", bc.Residual, lambda f, dtype: bc.Residual(tf.nn.softplus), (4,), is_linear=False),
    Descriptor(
        "parallel", bc.Parallel, lambda f, dtype: bc.Parallel([tf.nn.softplus, tf.nn.tanh]), (4,), is_linear=False
    ),
    Descriptor("lambda", bc.Lambda, lambda f, dtype: bc.Lambda(tf.nn.softplus), (4,), is_linear=False),
)
LINEAR = tuple(descriptor for descriptor in DESCRIPTORS if descriptor.is_linear)
# One of each operator and rank: the others differ in arguments that all operators share.
VARIANTS = frozenset(
    {
        "batched1d",
        "batched3d",
        "grouped3d",
        "causal",
        "reflect",
        "leading_axes",
        "affine_without_bias",
        "affine_batched",
    }
)
DISTINCT = tuple(descriptor for descriptor in LINEAR if descriptor.name not in VARIANTS)
BY_NAME = {descriptor.name: descriptor for descriptor in DESCRIPTORS}

# Bases that nobody calls.
ABSTRACT = frozenset({"Layer", "Linear"})

MODES = (
    "eager",
    "function",
    "jit_compile",
    "checkpoint",
    "save_load",
    "saved_model",
    "strategy",
    "float64",
    "bfloat16",
    "empty",
    "one",
)

# What is refused, by its rule and not by accident: each with a part of its message.
SHARED_WEIGHTS = "exact only where weights are not shared"
TRAIT = "needs a posterior of"
POSTERIOR_DENSITY = "confined to fewer dimensions than they have"
PRIOR_DENSITY = "a prior may be improper, but needs `log_prob`"

# The posterior that a prior without a density is for, and the prior of a posterior without one.
POSTERIOR_OF = {"rank_1": "rank_1", "flat": "filterwise_dropout"}
PRIOR_OF = {"batch_ensemble": "flat", **{posterior: prior for prior, posterior in POSTERIOR_OF.items()}}

# Estimators that flip signs, or need normals; posteriors whose signs may not be flipped, or that are not normal.
FLIPPING = frozenset({"antithetic", "flipout", "grouped_flipout", "sliced"})
OF_NORMALS = frozenset({"local_reparameterization"})
NOT_SYMMETRIC = frozenset(
    {"batch_ensemble", "filterwise_dropout", "low_rank_normal", "matrix_normal", "mixture_of_means", "rank_1"}
)
NOT_NORMAL = NOT_SYMMETRIC | {"laplace", "radial", "student_t"}
WITHOUT_ENTROPY = frozenset({"mixture_of_means"})  # which the prior "tied_mean" asks for


def refusal(estimator: str, prior: str, posterior: str) -> str | None:
    """Why a combination is refused in every layer, or None."""
    if posterior in PRIOR_OF:
        if prior != PRIOR_OF[posterior]:
            return POSTERIOR_DENSITY
    elif prior in POSTERIOR_OF or (prior == "tied_mean" and posterior in WITHOUT_ENTROPY):
        return PRIOR_DENSITY
    if estimator in FLIPPING and posterior in NOT_SYMMETRIC:
        return TRAIT
    return TRAIT if estimator in OF_NORMALS and posterior in NOT_NORMAL else None


def allowed(estimator: str, prior: str, posterior: str) -> tuple[Any, str, str]:
    """The combination, or one near it that no rule refuses in any layer."""
    if refusal("reparameterization", prior, posterior):
        posterior = POSTERIOR_OF.get(prior, "mean_field_normal")
    if refusal(estimator, prior, posterior):
        estimator = "reparameterization"
    return allowed_estimator(estimator), prior, posterior


def factory(estimator: Any, prior: str, posterior: Any = "mean_field_normal") -> Callable[..., Any]:
    """The factory of a combination."""
    if posterior == "filterwise_dropout":  # at its own rate, all of two channels would hardly ever be dropped
        posterior = {"name": posterior, "rate": 0.5}
    return functools.partial(bc.make_kernel_bias_variational, estimator=estimator, prior=prior, posterior=posterior)


def allowed_estimator(name: str) -> Any:
    """The estimator with what it takes to be used in every layer."""
    return {"name": name, "approximate": True} if "approximate" in estimators.options(name) else name


def public_layers() -> set[str]:
    """Names of the layer classes that the package exports."""
    return {
        name
        for name in set(bc.__all__) | set(bc.layers.__all__)
        for value in [getattr(bc, name, getattr(bc.layers, name, None))]
        if inspect.isclass(value) and issubclass(value, bc.Layer)
    }


def grid() -> Iterator[tuple[Descriptor, str, str, str]]:
    """Every linear layer x estimator x prior x posterior."""
    return itertools.product(LINEAR, estimators.names(), priors.names(), posteriors.names())


def full_product() -> list[tuple[Any, ...]]:
    """Every linear layer x estimator x mode, with priors and posteriors in turn."""
    return filled(list(itertools.product(LINEAR, estimators.names(), MODES)), priors.names(), posteriors.names())


def all_pairs(*axes: Sequence[Any]) -> list[tuple[Any, ...]]:
    """Few rows in which every pair of values of two axes occurs: each begins with a pair that is missing.

    The other axes take, one after another, the value that brings in most missing pairs.
    """
    axes = tuple(tuple(axis) for axis in axes)
    missing = dict.fromkeys(
        ((i, a), (j, b))
        for (i, first), (j, second) in itertools.combinations(enumerate(axes), 2)
        for a, b in itertools.product(first, second)
    )
    rows = []
    while missing:
        chosen = dict(next(iter(missing)))
        for index, axis in enumerate(axes):
            if index not in chosen:
                chosen[index] = max(axis, key=lambda value, i=index: _num_new((i, value), chosen, missing))
        row = sorted(chosen.items())
        for pair in itertools.combinations(row, 2):
            missing.pop(pair, None)
        rows.append(tuple(value for _, value in row))
    return rows


def filled(rows: Sequence[tuple[Any, ...]], *axes: Sequence[Any]) -> list[tuple[Any, ...]]:
    """Rows with a value of every further axis, taken in turn, so that each occurs and meets ever other ones."""
    return [
        (*row, *(axis[(index + index // len(axis) * step) % len(axis)] for step, axis in enumerate(axes)))
        for index, row in enumerate(rows)
    ]


def _num_new(item: tuple[int, Any], chosen: dict[int, Any], missing: dict[Any, None]) -> int:
    return sum((item, other) in missing or (other, item) in missing for other in chosen.items())
