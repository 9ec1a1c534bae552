"""Many runs at once: the grid of some settings' values, each cell a run folder.

`bayesconv sweep` on the command line is `sweep` here; `bayesconv.comparison` tells which setting is better.
"""

from bayesconv.sweeps.grid import Axis, Cell, expand, parse_axis, parse_seeds
from bayesconv.sweeps.manifest import CellRecord, Manifest, read
from bayesconv.sweeps.plan import Planned, plan
from bayesconv.sweeps.running import ENGINES, default_folder, sweep

__all__ = [
    "ENGINES",
    "Axis",
    "Cell",
    "CellRecord",
    "Manifest",
    "Planned",
    "default_folder",
    "expand",
    "parse_axis",
    "parse_seeds",
    "plan",
    "read",
    "sweep",
]
