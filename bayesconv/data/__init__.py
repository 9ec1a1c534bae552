"""Images with labels: registered data sets, split once, and sets that come from another distribution.

Images are float32 `[N, H, W, C]`, series `[N, T, C]`, tables `[N, D]`. What is stored as uint8 is divided by 255; float
is left as it is.
A registered data set is `piece(*, options) -> Dataset`.
"""

from bayesconv.data.archives import idx, npz
from bayesconv.data.handwritten import digits
from bayesconv.data.labelled import read_labelled, strange_images
from bayesconv.data.registry import DATASETS as _DATASETS
from bayesconv.data.registry import OOD as _OOD
from bayesconv.data.registry import Array, Dataset, Split
from bayesconv.data.rotation import digit_rotation
from bayesconv.data.rows import digit_rows
from bayesconv.data.scenes import digit_scenes
from bayesconv.data.strange import inverted, photo_patches, rotated, time_reversed
from bayesconv.data.tabular import diabetes

datasets, ood = _DATASETS, _OOD
register, names, get, resolve = datasets.register, datasets.names, datasets.get, datasets.resolve
describe, options, check_options = datasets.describe, datasets.options, datasets.check_options

__all__ = [
    "Array",
    "Dataset",
    "Split",
    "check_options",
    "datasets",
    "describe",
    "diabetes",
    "digit_rotation",
    "digit_rows",
    "digit_scenes",
    "digits",
    "get",
    "idx",
    "inverted",
    "names",
    "npz",
    "ood",
    "options",
    "photo_patches",
    "read_labelled",
    "register",
    "resolve",
    "rotated",
    "strange_images",
    "time_reversed",
]
