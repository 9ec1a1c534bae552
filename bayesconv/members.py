"""The members of an ensemble: networks of one configuration, each trained from a seed of its own.

A member is a run like any other, in a folder within that of the ensemble, `members/0` and so on. In a deep ensemble
each begins anew. In one of snapshots (Huang et al. 2017, arXiv:1704.00109) all but the first go on from the weights of
the one before, with a learning rate that starts again and the whole KL, for fewer epochs.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from bayesconv.sections import Part, RunConfig, Training

MEMBERS = "members"


def configurations(config: RunConfig) -> list[RunConfig]:
    """What each member is trained by; of a single network, its own configuration.

    Example:
      >>> run = RunConfig(seed=3, data="digits", model={"name": "digits_cnn"}, training={"members": 2})
      >>> [member.training.members for member in configurations(run)]
      [1, 1]
      >>> len({run.seed, *(member.seed for member in configurations(run))})
      3
    """
    if config.training.members == 1:
        return [config]
    first: dict[str, Any] = {"training": _of_one(config.training, config.training.epochs)}
    later = first
    if config.training.snapshot_epochs is not None:
        whole_kl = config.objective.model_copy(update={"kl_schedule": Part(name="constant")})
        later = {"training": _of_one(config.training, config.training.snapshot_epochs), "objective": whole_kl}
    seeds = [seed_of(config.seed, index) for index in range(config.training.members)]
    return [config.model_copy(update={"seed": seed, **(later if index else first)}) for index, seed in enumerate(seeds)]


def _of_one(training: Training, epochs: int) -> Training:
    return training.model_copy(update={"members": 1, "snapshot_epochs": None, "epochs": epochs})


def seed_of(seed: int, index: int) -> int:
    """The seed of a member: ensembles of neighbouring seeds must have no member in common, as `seed + index` would.

    Args:
      seed: Of the ensemble.
      index: Which member, from 0.
    """
    return int(np.random.SeedSequence([seed, index]).generate_state(1)[0]) % 2**31


def folders(folder: str | Path, count: int) -> list[Path]:
    """The run folders of so many members; of a single network, the folder itself."""
    if count == 1:
        return [Path(folder)]
    return [Path(folder) / MEMBERS / str(index) for index in range(count)]
