"""Evaluations and decisions written by hand, as their JSON files hold them, and the material of a report on them."""

from __future__ import annotations

import itertools
import struct
import zlib

from bayesconv.report import Material
from bayesconv.report.document import Picture
from bayesconv.report.training import Trained

MADE = {
    "bootstrap": {"num_resamples": 500, "level": 0.95, "seed": 17},
    "method": "sampling",
    "num_samples": 32,
    "seed": 5,
    "temperature": 0.25,
}
NULL = {"mean": 0.02, "lower": 0.0113, "upper": 0.0307}
UNCERTAIN = {"predictive_entropy": 0.4141, "expected_entropy": 0.3030, "mutual_information": 0.1111}
OF_DRAWS = {"mutual_information_corrected": 0.1147, "disagreement": 0.2121, "variation_ratio": 0.1818}


def ends(lower, upper):
    return {"lower": lower, "upper": upper}


def headline(accuracy, nll, **changes):
    scores = {
        "accuracy": accuracy,
        "nll": nll,
        "brier": 0.0987,
        "ece": 0.0201,
        "ece_null": NULL,
        **UNCERTAIN,
        **OF_DRAWS,
    }
    intervals = {"accuracy": ends(0.8712, 0.9345), "nll": ends(0.2011, 0.2999), "brier": ends(0.09, 0.11)}
    return {**scores, "intervals": {**intervals, "ece": ends(0.0044, 0.0366)}, **changes}


def classification(**changes):
    selected = {
        **{"aurc": 0.0123, "e_aurc": 0.0077, "augrc": 0.0099, "risk_at_coverage_0.8": 0.0246},
        **{"risk_at_coverage_0.9": 0.0468, "coverage_at_risk_0.01": 0.6402, "coverage_at_risk_0.05": 0.9135},
    }
    auroc = {"predictive_entropy": 0.9321, "mutual_information": 0.9542, "energy": None}
    strange = {
        "auroc": auroc,
        "fpr95": auroc,
        "aupr_in": auroc,
        "aupr_out": auroc,
        "num_images": 64,
        **UNCERTAIN,
        **OF_DRAWS,
    }
    return {
        **{"task": "classification", "dataset": "toys", "num_images": 250, **headline(0.9123, 0.2468)},
        "top_k": {"k": 5, "accuracy": 0.9876, "intervals": {}},
        "calibration": {"smooth": {"value": 0.0188, "null": NULL, "intervals": {"value": ends(0.0061, 0.0299)}}},
        "brier_decomposition": {"reliability": 0.0071, "resolution": 0.8082},
        "selection": {"predictive_entropy": {**selected, "intervals": {}}},
        "ood": {"photo_patches": {**strange, "intervals": {"auroc": {"mutual_information": ends(0.9411, 0.9666)}}}},
        "shift": {"contrast": [headline(0.9, 0.3)] * 4 + [headline(0.7654, 0.8765)]},
        "temperature_scaled": {"softmax_temperature": 1.3141, "scaled": "logits", **headline(0.9123, 0.2222)},
        **MADE,
        **changes,
    }


def regression(**changes):
    scores = {"rmse": 3.1416, "mae": 2.7183, "nll": 1.4142, "crps": 1.7321, "pinball": None}
    stds = {"aleatoric_std": 2.2361, "epistemic_std": 1.6180, "total_std": 2.7601}
    return {
        **{"task": "regression", "dataset": "angles", "num_examples": 120, "targets": ["angle [degrees]"], **scores},
        "intervals": {"rmse": ends(2.9151, 3.3777), "nll": None},
        "credible": {"0.9": {"picp": 0.8833, "mpiw": 9.8696, "interval_score": 12.345, "intervals": {}}},
        "calibration": {"value": 0.0444, "null": NULL, "intervals": {}},
        "ause": 0.1234,
        **{**stds, **UNCERTAIN},
        "ood": {
            "inverted": {
                **{key: {"epistemic_std": 0.4321, "spread": 0.6} for key in ("auroc", "fpr95", "aupr_in", "aupr_out")},
                **{"epistemic_std": 3.3, "spread": 4.4321},
                "intervals": {"auroc": {}},
            }
        },
        "shift": {"blur": [{**scores, "rmse": 4.6692, "intervals": {}}] * 5},
        **MADE,
        **changes,
    }


def segmentation(**changes):
    scores = {"accuracy": 0.9512, "mean_iou": 0.6789, "nll": 0.1357, "brier": 0.0753, "ece": 0.0159}
    auroc = {"predictive_entropy": 0.8642, "mutual_information": 0.8024}
    told_apart = dict.fromkeys(("auroc", "fpr95", "aupr_in", "aupr_out"), auroc)
    return {
        **{"task": "segmentation", "dataset": "scenes", "num_images": 40, **scores, **UNCERTAIN},
        "iou": {"background": 0.9753, "seven": 0.3579, "absent": None},
        "error_auroc": auroc,
        "calibration": {"adaptive": {"value": 0.0171, "intervals": {"value": ends(0.0141, 0.0222)}}},
        "intervals": {"accuracy": ends(0.9444, 0.9577), "mean_iou": ends(0.6501, 0.7002)},
        "ood": {"inverted": {**told_apart, **UNCERTAIN, "num_images": 40, "intervals": {}}},
        "shift": {"blur": [{**scores, "mean_iou": 0.4567, "intervals": {}}] * 5},
        **MADE,
        **changes,
    }


_SHIFTED = {
    "classification": {"accuracy", "nll", "ece"},
    "regression": {"rmse", "nll", "pinball"},
    "segmentation": {"accuracy", "mean_iou", "nll"},
}
_NO_FIGURES = {"temperature", "softmax_temperature", "null", "ece_null", "intervals"}


def with_every_interval(entry, path=(), numbers=None):
    """The evaluation with other ends for the interval of each of its numbers, and these by their paths."""
    numbers = itertools.count() if numbers is None else numbers
    changed, found = dict(entry), {}
    for key, value in entry.items():
        if key in _NO_FIGURES:
            continue
        if isinstance(value, float) and "intervals" in entry:
            found[*path, key] = _other_ends(next(numbers))
        elif isinstance(value, list) and value and isinstance(value[0], dict):
            parts = [with_every_interval(part, (*path, key, i), numbers) for i, part in enumerate(value)]
            changed[key] = [part for part, _ in parts]
            found |= {name: interval for _, intervals in parts for name, interval in intervals.items()}
        elif isinstance(value, dict) and value and all(isinstance(one, float | None) for one in value.values()):
            found |= {(*path, key, name): _other_ends(next(numbers)) for name, one in value.items() if one is not None}
        elif isinstance(value, dict):
            changed[key], inside = with_every_interval(value, (*path, key), numbers)
            found |= inside
    if "intervals" in entry:
        changed["intervals"] = {}
        for name, interval in found.items():
            of, *rest = name[len(path) :]
            if not rest:
                changed["intervals"][of] = interval
            elif len(rest) == 1 and isinstance(entry[of], dict) and "intervals" not in entry[of]:
                changed["intervals"].setdefault(of, {})[rest[0]] = interval
    return changed, found


def is_shown(interval, text):
    """Whether a text has both ends, in any of the usual forms."""
    forms = (".2f", ".3f", ".4f", ".3g", ".4g", ".1%")
    pairs = [[format(interval[end], form).removesuffix("%") for end in ("lower", "upper")] for form in forms]
    return any(between.join(pair) in text for pair in pairs for between in ("-", " to "))


def is_left_out(path, task):
    """Whether a number is in neither report nor table: some of those under corruptions, and what has no interval."""
    first, last = path[0], path[-1]
    if first == "brier_decomposition":
        return True
    if first == "shift":
        return last not in _SHIFTED[task]
    unshown = {"temperature_scaled": {*UNCERTAIN, *OF_DRAWS}} if task == "classification" else {}
    return last in unshown.get(first, ()) or (task == "regression" and first in UNCERTAIN)


def _other_ends(i):
    return ends((11 + i % 30) / 100, (61 + i // 30) / 100)


EVALUATIONS = {"classification": classification, "regression": regression, "segmentation": segmentation}
FITTED = {"held_out": {"source": "validation", "num_images": 287}}
CALIBRATION = {
    **{"method": "temperature", "on": "logits", "parameters": {"temperature": 0.8195}, **FITTED},
    **{"before": headline(0.9123, 0.2468), "after": headline(0.9123, 0.2357)},
    "gain": {"nll": {"value": 0.0111, **ends(0.0021, 0.0201)}, "brier": {"value": 0.0029}},
}
SELECTION = {
    **{"score": "predictive_entropy", "target": {"risk": 0.05, "confidence_level": 0.95}, "threshold": 0.869505},
    "validation": {"coverage": 0.9512, "risk": 0.0073, "risk_bound": 0.04},
    "test": {
        "coverage": {"value": 0.9361, **ends(0.9061, 0.9591)},
        "risk": {"value": 0.0267, **ends(0.0123, 0.0501)},
        "risk_of_all": {"value": 0.0361, **ends(0.0191, 0.0609)},
    },
    **FITTED,
}
CONFORMAL = {
    **{"method": "thr", "coverage": 0.9, **FITTED},
    "test": {
        "coverage": {"value": 0.8667, **ends(0.8271, 0.9001)},
        "mean_set_size": 0.8812,
        "num_of_size": [43, 317, 0],
    },
}
INTERVALS = {
    **{"method": "cqr", "coverage": 0.9, "margins": [-0.3457], **FITTED},
    "test": {
        name: [{"coverage": {"value": share, **ends(0.8, 0.99)}, "mean_width": width}]
        for name, share, width in (("before", 0.9512, 9.8696), ("after", 0.9012, 9.1782))
    },
}
DIAGNOSIS = {
    "layers": [
        {
            **{"name": "conv1", "num_weights": 1234, "kl": 300.61, "scale_ratio": 0.322, "share_at_prior": 0.25},
            **{"signal_to_noise": [0.093, 2.94, 10.1], "share_at_point": None},
        }
    ],
    "findings": [{"name": "kl_dwarfs_data", "message": "KL is 29.9x the data term: lower it.", "layer": None}],
    **{"kl": 300.61, "data_term": 36.7, "num_data": 100, "temperature": 0.25},
}
ROWS = [
    {"epoch": 1, "loss": 2.0, "nll": 1.5, "kl": 1400.0, "kl_weight": 0.5, "images_per_second": 50.0},
    {"epoch": 2, "loss": 1.5, "nll": 0.7531, "kl": 1300.5, "kl_weight": 1.0, "images_per_second": 100.0},
]


def png(width=30, height=20):
    """A white picture."""

    def chunk(kind, content):
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    rows = b"".join(b"\0" + b"\xff" * width for _ in range(height))
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    parts = [chunk(b"IHDR", header), chunk(b"IDAT", zlib.compress(rows)), chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def material(task="classification", **changes):
    """All parts of a report."""
    decided = {"calibration": CALIBRATION, "selection": SELECTION, "conformal": CONFORMAL}
    parts = {
        **{"name": "a_run", "task": task, "seed": 11, "trained_with": "0.0.9", "evaluation": EVALUATIONS[task]()},
        "decided": {"conformal": INTERVALS} if task == "regression" else decided if task == "classification" else {},
        "trained": [Trained(ROWS, 2, 1500)],
        "diagnosis": DIAGNOSIS,
        "pictures": {"results": [Picture("reliability", png(), "Reliability", "Accuracy against confidence.")]},
        **{"summary": "layer  weights\nconv1  1,234", "configuration": "seed: 11\ndata: toys\n", "missing": {}},
    }
    return Material(**{**parts, **changes})
