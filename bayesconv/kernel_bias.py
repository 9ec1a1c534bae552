"""Factories of weights: the one argument that decides what a linear layer's weights are.

Every factory has the signature of TensorFlow Probability's, is used bare or bound by `functools.partial`, and is
handed to a layer as `make_kernel_bias_fn`.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import tensorflow as tf
import tensorflow_probability as tfp

from bayesconv import divergences, estimators, initializers, posteriors, priors, random
from bayesconv.registry import Identifier, name_of
from bayesconv.signatures import asked_fan_in, call_with_specs, is_factory
from bayesconv.weights import Initializer, KernelBias, WeightSpec, as_kernel_bias, map_kernel_bias

tfd = tfp.distributions

Shape = Sequence[int]
DETERMINISTIC = "deterministic"


class VariationalKernelBias(NamedTuple):
    """What a variational factory gives a layer.

    Attributes:
      kernel: Posterior of the kernel; its event is the kernel.
      bias: Posterior of the bias, or None.
      posterior: Both.
      prior: The prior of both.
      estimator: `estimator(linear_op, posterior)` gives the stochastic pass.
      divergence: The penalty, bound to posterior and prior.
      penalty_weight: Factor of the penalty in `extra_loss`.
    """

    kernel: Any
    bias: Any
    posterior: KernelBias
    prior: KernelBias
    estimator: Callable[..., Any]
    divergence: divergences.Divergence
    penalty_weight: float


def make_kernel_bias(
    kernel_shape: Shape,
    bias_shape: Shape | None,
    init_kernel_fn: Initializer | None = None,
    init_bias_fn: Initializer | None = None,
    kernel_batch_ndims: int = 0,
    bias_batch_ndims: int = 0,
    dtype: Any = tf.float32,
    kernel_name: str = "kernel",
    bias_name: str = "bias",
) -> KernelBias:
    """Point estimates: plain variables, Glorot uniform and zeros unless initializers are given.

    Args:
      kernel_shape: Shape of the kernel, batch dimensions first.
      bias_shape: Shape of the bias; None for no bias.
      init_kernel_fn: `init_kernel_fn(shape, dtype)`, or with `batch_ndims` as a third argument.
      init_bias_fn: The same for the bias.
      kernel_batch_ndims: Number of leading batch dimensions of the kernel.
      bias_batch_ndims: The same for the bias.
      dtype: Floating-point type.
      kernel_name: Name of the kernel's variable.
      bias_name: Name of the bias' variable.

    Returns:
      A pair of variables.

    Example:
      >>> make_kernel_bias([3, 3, 1, 8], [8]).kernel.shape
      TensorShape([3, 3, 1, 8])
    """

    def one(spec: WeightSpec) -> tf.Variable:
        initializer = spec.initializer or initializers.glorot_uniform()
        value = initializers.initial_value(initializer, spec.shape, spec.dtype, spec.batch_ndims, spec.seed)
        return tf.Variable(value, name=spec.name)

    specs = _specs(
        kernel_shape,
        bias_shape,
        init_kernel_fn,
        init_bias_fn,
        kernel_batch_ndims,
        bias_batch_ndims,
        dtype,
        kernel_name,
        bias_name,
    )
    return map_kernel_bias(one, specs)


def make_kernel_bias_variational(
    kernel_shape: Shape,
    bias_shape: Shape | None,
    init_kernel_fn: Initializer | None = None,
    init_bias_fn: Initializer | None = None,
    kernel_batch_ndims: int = 0,
    bias_batch_ndims: int = 0,
    dtype: Any = tf.float32,
    kernel_name: str = "kernel",
    bias_name: str = "bias",
    *,
    estimator: Identifier = "automatic",
    posterior: Identifier = "mean_field_normal",
    prior: Identifier = "normal",
    divergence: Identifier = "best_effort",
    penalty_weight: float = 1.0,
    fan_in: int | None = None,
) -> VariationalKernelBias:
    """Weights with a posterior and a prior.

    Each choice is a registered name, a mapping `{"name": ..., **options}` or a function.

    Args:
      kernel_shape: Shape of the kernel, batch dimensions first.
      bias_shape: Shape of the bias; None for no bias.
      init_kernel_fn: Initial location of the kernel's posterior; None leaves it to the posterior.
      init_bias_fn: The same for the bias; zeros by default.
      kernel_batch_ndims: Number of leading batch dimensions of the kernel.
      bias_batch_ndims: The same for the bias.
      dtype: Floating-point type.
      kernel_name: Prefix of the names of the kernel's variables.
      bias_name: The same for the bias.
      estimator: How one stochastic pass uses the posterior; see `bayesconv.estimators`.
      posterior: Which distribution the weights have; see `bayesconv.posteriors`. A factory with TFP's signature
        that makes a joint distribution will do as well.
      prior: What they are pulled towards; see `bayesconv.priors`.
      divergence: What `extra_loss` is; see `bayesconv.divergences`.
      penalty_weight: Factor of `extra_loss`, not negative. Leave it at 1: the objective divides by the number of data.
      fan_in: Inputs per output; layers pass it, and by default it is read off the kernel's shape.

    Returns:
      A `VariationalKernelBias`.

    Raises:
      ValueError: If a name or an option is unknown, or the choices do not fit together.

    Example:
      >>> import functools
      >>> import bayesconv as bc
      >>> factory = functools.partial(bc.make_kernel_bias_variational, estimator="reparameterization", prior="laplace")
      >>> layer = bc.Convolution(3, 8, 5, make_kernel_bias_fn=factory)
      >>> layer.divergence.name
      'exact'
    """
    specs = _specs(
        kernel_shape,
        bias_shape,
        init_kernel_fn,
        init_bias_fn,
        kernel_batch_ndims,
        bias_batch_ndims,
        dtype,
        kernel_name,
        bias_name,
        fan_in,
    )
    q = _distributions("posterior", posteriors.resolve(posterior), specs)
    p = _distributions("prior", priors.resolve(prior), specs)
    weight = divergences.checked_weight(penalty_weight)
    return VariationalKernelBias(*q, q, p, estimators.resolve(estimator), divergences.bind(divergence, q, p), weight)


make_kernel_bias_reparameterization = functools.partial(make_kernel_bias_variational, estimator="reparameterization")
make_kernel_bias_flipout = functools.partial(make_kernel_bias_variational, estimator="flipout")
make_kernel_bias_local_reparameterization = functools.partial(
    make_kernel_bias_variational, estimator="local_reparameterization"
)
make_kernel_bias_sliced = functools.partial(make_kernel_bias_variational, estimator="sliced")


def _with_signature_of_tfp(piece: Callable[[KernelBias], KernelBias]) -> Callable[..., KernelBias]:
    def make(
        kernel_shape: Shape,
        bias_shape: Shape | None,
        init_kernel_fn: Initializer | None = None,
        init_bias_fn: Initializer | None = None,
        kernel_batch_ndims: int = 0,
        bias_batch_ndims: int = 0,
        dtype: Any = tf.float32,
        kernel_name: str = "kernel",
        bias_name: str = "bias",
    ) -> KernelBias:
        return piece(
            _specs(
                kernel_shape,
                bias_shape,
                init_kernel_fn,
                init_bias_fn,
                kernel_batch_ndims,
                bias_batch_ndims,
                dtype,
                kernel_name,
                bias_name,
            )
        )

    return make


make_kernel_bias_posterior_mvn_diag = _with_signature_of_tfp(posteriors.mean_field_normal)
make_kernel_bias_posterior_mvn_diag.__name__ = "make_kernel_bias_posterior_mvn_diag"
make_kernel_bias_posterior_mvn_diag.__doc__ = """TFP's name and signature for the mean-field normal posterior.

Use it as `posterior=`. The arguments are those of `make_kernel_bias`. Unlike TFP's, its initial scale follows the
layer's fan-in instead of being 0.001, from which a posterior hardly moves in a short run.
"""

make_kernel_bias_prior_spike_and_slab = _with_signature_of_tfp(
    functools.partial(priors.spike_and_slab, spike_scale=1.0, slab_scale=2000.0)
)
make_kernel_bias_prior_spike_and_slab.__name__ = "make_kernel_bias_prior_spike_and_slab"
make_kernel_bias_prior_spike_and_slab.__doc__ = """TFP's default prior, an even mixture of `N(0, 1)` and `N(0, 2000^2)`.

Use it as `prior=`. The arguments are those of `make_kernel_bias`. It hardly regularizes; `prior="spike_and_slab"`
has scales that suit the layer's fan-in.
"""


def factory(
    estimator: Identifier = "automatic",
    posterior: Identifier = "mean_field_normal",
    prior: Identifier = "normal",
    divergence: Identifier = "best_effort",
    penalty_weight: float = 1.0,
) -> Callable[..., Any]:
    """The factory for the choices as a configuration file states them; `posterior="deterministic"` is a plain net.

    Example:
      >>> factory(posterior="deterministic") is make_kernel_bias
      True
    """
    if posterior in (DETERMINISTIC, {"name": DETERMINISTIC}):
        return make_kernel_bias
    choices: dict[str, Any] = {"estimator": estimator, "posterior": posterior, "prior": prior, "divergence": divergence}
    return functools.partial(make_kernel_bias_variational, **choices, penalty_weight=penalty_weight)


def _specs(
    kernel_shape: Shape,
    bias_shape: Shape | None,
    init_kernel_fn: Initializer | None,
    init_bias_fn: Initializer | None,
    kernel_batch_ndims: int,
    bias_batch_ndims: int,
    dtype: Any,
    kernel_name: str,
    bias_name: str,
    fan_in: int | None = None,
) -> KernelBias:
    shape = tuple(int(size) for size in kernel_shape)
    fan_in = asked_fan_in(shape, kernel_batch_ndims) if fan_in is None else fan_in
    seeds = random.split(random.as_seed(None))
    dtype = tf.as_dtype(dtype)
    kernel = WeightSpec(shape, dtype, fan_in, kernel_batch_ndims, init_kernel_fn, kernel_name, seeds[0])
    if bias_shape is None:
        return KernelBias(kernel)
    shape = tuple(int(size) for size in bias_shape)
    init_bias_fn = init_bias_fn or initializers.zeros()
    return KernelBias(kernel, WeightSpec(shape, dtype, fan_in, bias_batch_ndims, init_bias_fn, bias_name, seeds[1]))


def _distributions(kind: str, piece: Callable[..., Any], specs: KernelBias) -> KernelBias:
    made = as_kernel_bias(call_with_specs(piece, specs) if is_factory(piece) else piece(specs))
    if (made.bias is None) != (specs.bias is None):
        raise ValueError(
            f"A {kind} has a part for the bias exactly if the layer has a bias. "
            f"Received {made.bias} from {name_of(piece)}; the layer has {'no' if specs.bias is None else 'a'} bias."
        )
    for spec, distribution in zip(specs, made, strict=True):
        if spec is not None:
            _check_distribution(kind, piece, spec, distribution)
    return made


def _check_distribution(kind: str, piece: Callable[..., Any], spec: WeightSpec, distribution: Any) -> None:
    if not isinstance(distribution, tfd.Distribution):
        raise TypeError(
            f"A {kind} gives a distribution for the kernel and one for the bias. "
            f"Received {type(distribution).__name__} from {name_of(piece)}."
        )
    received = (tuple(distribution.batch_shape), tuple(distribution.event_shape), distribution.dtype)
    if received != ((), spec.shape, spec.dtype):
        raise ValueError(
            f"The {kind} of a weight is one distribution whose event is the weight: for `{spec.name}` that is event "
            f"shape {spec.shape}, batch shape () and dtype {spec.dtype.name}. Received event shape {received[1]}, "
            f"batch shape {received[0]} and dtype {received[2].name} from {name_of(piece)}. "
            "tfd.Independent or tfd.Sample turns a batch into one event."
        )
