"""Networks that a configuration file can name.

A registered model is `piece(input_shape, output_size, make_kernel_bias_fn, dtype, *, options) -> Layer`. Its layers
have names, so that they can be told apart in summaries and figures.
"""

from bayesconv.models.dense import mlp
from bayesconv.models.lenet import lenet5
from bayesconv.models.registry import REGISTRY as _REGISTRY
from bayesconv.models.resnet import resnet20
from bayesconv.models.series import cnn1d
from bayesconv.models.small import digits_cnn, small_cnn
from bayesconv.models.unet import unet

register, names, get = _REGISTRY.register, _REGISTRY.names, _REGISTRY.get
resolve, describe, options = _REGISTRY.resolve, _REGISTRY.describe, _REGISTRY.options
check_options = _REGISTRY.check_options

__all__ = [
    "check_options",
    "cnn1d",
    "describe",
    "digits_cnn",
    "get",
    "lenet5",
    "mlp",
    "names",
    "options",
    "register",
    "resnet20",
    "resolve",
    "small_cnn",
    "unet",
]
