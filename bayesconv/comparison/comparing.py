"""Which configuration is better, and how sure that is."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from bayesconv import splits
from bayesconv.comparison.directions import direction, select
from bayesconv.comparison.grouping import Group, choose, group
from bayesconv.comparison.paired import PairedTest, holm, paired_t_test
from bayesconv.comparison.per_image import (
    METRICS,
    ImageLosses,
    check_same_images,
    compare_images,
    predicted_losses,
)
from bayesconv.comparison.reading import RunResult, read_runs
from bayesconv.metrics import seed_interval

_SIZES = ("dataset", "num_images", "num_examples")  # what evaluations of the same data have in common


@dataclasses.dataclass(frozen=True)
class Score:
    """A figure of one configuration.

    Attributes:
      mean: Over its runs.
      lower: Lower end of Student's interval for the mean, or None with a single run.
      upper: Upper end.
      by_seed: Of each run.
    """

    mean: float
    lower: float | None
    upper: float | None
    by_seed: Mapping[int, float]


@dataclasses.dataclass(frozen=True)
class Row:
    """One configuration.

    Attributes:
      name: What it is called.
      settings: What tells it from the others.
      folders: Of its runs.
      scores: By metric.
      by_seeds: By metric, the difference from the baseline tested over the seeds that both have; none for itself.
      by_images: By metric, the same tested over the test images.
    """

    name: str
    settings: Mapping[str, str]
    folders: tuple[str, ...]
    scores: Mapping[str, Score]
    by_seeds: Mapping[str, PairedTest]
    by_images: Mapping[str, PairedTest]


@dataclasses.dataclass(frozen=True)
class Comparison:
    """Configurations side by side.

    Attributes:
      metrics: What is compared.
      rows: The configurations.
      baseline: Name of the one that the others are tested against.
      best: By metric, the names of the best, several if they tie; metrics without a direction have none.
      level: Of all intervals.
      notes: What was left out, and why.
      split: What the scores are of, `"test"` or `"validation"` images.
    """

    metrics: tuple[str, ...]
    rows: tuple[Row, ...]
    baseline: str
    best: Mapping[str, tuple[str, ...]]
    level: float
    notes: tuple[str, ...]
    split: str = splits.TEST

    def as_json(self) -> dict[str, Any]:
        """All of it, ready for JSON."""
        content = dataclasses.asdict(self)
        for row, shown in zip(self.rows, content["rows"], strict=True):
            for kind in ("by_seeds", "by_images"):
                shown[kind] = {metric: test._asdict() for metric, test in getattr(row, kind).items()}
        return content


def compare(
    paths: Sequence[str | Path],
    *,
    metrics: Iterable[str] | None = None,
    baseline: str | None = None,
    level: float = 0.95,
    per_image: bool = True,
    split: str = splits.TEST,
) -> Comparison:
    """Compares evaluated runs, grouped by configuration.

    Means and intervals are over the runs of a configuration, which differ in their seed. Each configuration is tested
    against the baseline in two ways. Over seeds, by a paired t-test: would the difference be there with other seeds?
    Over test images, by a sign-flip test of accuracy, NLL and Brier score: would it be there on other images, for the
    networks as they are trained? P-values are adjusted by Holm's method for the comparisons with the baseline, by
    metric and kind of test.

    Args:
      paths: Run folders, folders of sweeps, or folders that run folders are in.
      metrics: Figures of `evaluation.json` by their path, or patterns of them; the usual ones by default.
      baseline: Name of the configuration to compare with, or some of its settings; the first one by default.
      level: Of the intervals.
      per_image: Also test over images, which takes the runs' predictions: those kept with the runs, or new ones.
      split: Whose scores: `"test"`, or `"validation"` to choose settings by.

    Raises:
      FileNotFoundError: If a path holds no run, or none was evaluated.
      ValueError: If runs are of different data, two have the same configuration and seed, a name is unknown, or `level`
        is no share.
    """
    if not 0.0 < level < 1.0:
        raise ValueError(f"`level` must lie strictly between 0 and 1, a share and no percentage. Received {level}.")
    runs, notes = read_runs(paths, split)
    check_same_data(runs)
    groups = group(runs)
    reference = choose(groups, baseline)
    chosen = select(_shared(runs), metrics)
    notes += _notes(runs, groups, chosen)
    losses = _losses(runs) if per_image and len(groups) > 1 and set(chosen) & set(METRICS) else {}
    rows = [_row(one, reference, chosen, losses, level) for one in groups]
    return Comparison(
        metrics=tuple(chosen),
        rows=tuple(_adjusted(rows, chosen)),
        baseline=reference.name,
        best=_best(rows, chosen),
        level=level,
        notes=tuple(notes),
        split=split,
    )


def check_same_data(runs: Sequence[RunResult]) -> None:
    """Raises an error unless all runs were made from the same data.

    Raises:
      ValueError: If they differ, with the first two that do.
    """
    first = runs[0]
    for run in runs[1:]:
        said = [
            (_data(first), _data(run)),
            *((first.report.get(k), run.report.get(k)) for k in _SIZES),
        ]
        for a, b in said:
            if a != b:
                raise ValueError(
                    f"Runs are compared on the same data. {first.folder} has {a!r} and {run.folder} has {b!r}; "
                    "compare them apart."
                )


def _data(run: RunResult) -> Any:
    return run.config.model_dump(mode="json")["data"]


def _shared(runs: Sequence[RunResult]) -> list[str]:
    return [name for name in runs[0].figures if all(name in run.figures for run in runs)]


def _notes(runs: Sequence[RunResult], groups: Sequence[Group], chosen: Sequence[str]) -> list[str]:
    notes = []
    if any(run.report.get("split") == splits.VALIDATION for run in runs):
        notes.append("These are scores of validation images: they are for choosing, and flatter what is chosen.")
    if not chosen:
        notes.append("The evaluations have no usual figure in common; name some by --metric.")
    if single := [one.name for one in groups if len(one.runs) == 1]:
        notes.append(f"No interval over seeds for a single run: {'; '.join(single)}.")
    for key in ("method", "num_samples"):
        values = {str(run.report.get(key)) for run in runs}
        if len(values) > 1:
            notes.append(f"The evaluations differ in {key}: {', '.join(sorted(values))}.")
    if len(tempered := {run.report.get("temperature") for run in runs}) == 1 and None not in tempered:
        notes.append(f"All posteriors are of KL temperature {tempered.pop():g}.")
    for kind in ("ood", "shift"):
        sets = {tuple(run.report.get(kind) or ()) for run in runs}
        if len(sets) > 1 and any(name.startswith(f"{kind}.mean.") for name in chosen):
            listed = "; ".join(", ".join(names) or "none" for names in sorted(sets))
            notes.append(f"The figures of {kind}.mean are over different sets, and not comparable: {listed}.")
    return notes


def _losses(runs: Sequence[RunResult]) -> dict[Path, ImageLosses]:
    found = {run.folder: predicted_losses(run) for run in runs}
    losses = {folder: one for folder, one in found.items() if one is not None}
    if losses:
        check_same_images(losses)
    return losses


def _row(one: Group, reference: Group, metrics: Sequence[str], losses: Mapping[Path, ImageLosses], level: float) -> Row:
    by_seeds, by_images = {}, {}
    for metric in metrics if one is not reference else ():
        if (over_seeds := _over_seeds(one, reference, metric, level)) is not None:
            by_seeds[metric] = over_seeds
        if (over_images := compare_images(one, reference, metric, losses, level)) is not None:
            by_images[metric] = over_images
    scores = {metric: _score(one, metric, level) for metric in metrics}
    return Row(one.name, one.settings, tuple(str(run.folder) for run in one.runs), scores, by_seeds, by_images)


def _score(one: Group, metric: str, level: float) -> Score:
    by_seed = {run.seed: run.figures[metric] for run in one.runs}
    values = list(by_seed.values())
    if len(values) == 1:
        return Score(values[0], None, None, by_seed)
    return Score(*seed_interval(values, level=level), by_seed)


def _over_seeds(one: Group, reference: Group, metric: str, level: float) -> PairedTest | None:
    a, b = ({run.seed: run.figures[metric] for run in found.runs} for found in (one, reference))
    shared = sorted(a.keys() & b.keys())
    if not shared:
        return None
    return paired_t_test([a[seed] for seed in shared], [b[seed] for seed in shared], level=level)


def _adjusted(rows: Sequence[Row], metrics: Sequence[str]) -> list[Row]:
    """The rows with Holm's p-values, over all rows of one metric and one kind of test."""
    changed = {kind: [dict(getattr(row, kind)) for row in rows] for kind in ("by_seeds", "by_images")}
    for tests, metric in itertools.product(changed.values(), metrics):
        having = [of_row for of_row in tests if metric in of_row]
        for of_row, p in zip(having, holm([of_row[metric].p_value for of_row in having]), strict=True):
            of_row[metric] = of_row[metric]._replace(p_adjusted=p)
    return [
        dataclasses.replace(row, by_seeds=seeds, by_images=images)
        for row, seeds, images in zip(rows, changed["by_seeds"], changed["by_images"], strict=True)
    ]


def _best(rows: Sequence[Row], metrics: Sequence[str]) -> dict[str, tuple[str, ...]]:
    best = {}
    for metric in metrics:
        wanted, means = direction(metric), {row.name: row.scores[metric].mean for row in rows}
        if wanted is not None and len(rows) > 1:
            highest = (max if wanted == "higher" else min)(means.values())
            best[metric] = tuple(name for name, mean in means.items() if math.isclose(mean, highest, rel_tol=1e-9))
    return best
