"""What a report says, in which order."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from types import ModuleType

from bayesconv.evaluation.text import counted, manner_of, scored
from bayesconv.report import classification, decisions, environment, regression, segmentation, training
from bayesconv.report.document import Block, Code, Document, Paragraph, Section
from bayesconv.report.material import Material

_TASKS: dict[str, ModuleType] = {
    "classification": classification,
    "regression": regression,
    "segmentation": segmentation,
}
_NO_EVALUATION = "There is no evaluation."


def document(material: Material, footer: str = "") -> Document:
    """The report on a run.

    Args:
      material: What it is made of.
      footer: How and when it was made.
    """
    report, task = material.evaluation, _TASKS[material.task]
    sections = [Section(name, title, tuple(blocks(material))) for name, (title, blocks) in _SECTIONS.items()]
    return Document(
        title=material.name,
        subtitle=_subtitle(material),
        headlines=() if report is None else tuple(task.headlines(report)),
        readings=(_missing(material, "evaluation"),) if report is None else tuple(task.readings(report)),
        sections=tuple(section for section in sections if section.blocks),
        footer=footer,
    )


def _subtitle(material: Material) -> str:
    report = material.evaluation
    if report is None:
        return f"{material.task}, seed {material.seed}"
    count = report.get("num_images", report.get("num_examples"))
    return f"{report['dataset']}, {material.task}: {counted(count, scored(report))}, {manner_of(report)}"


def _missing(material: Material, part: str) -> str:
    return material.missing.get(part, _NO_EVALUATION)


def _results(material: Material) -> Iterator[Block]:
    if note := material.missing.get("evaluation"):
        yield Paragraph(note, is_warning=True)
    if material.evaluation is not None:
        if note := material.missing.get("manner"):
            yield Paragraph(f"{note} The predictions: {manner_of(material.evaluation)}.")
        yield from _TASKS[material.task].scores(material.evaluation)
    yield from _pictures(material, "results")


def _listed(material: Material, *, entry: str, section: str, without: str) -> Iterator[Block]:
    """What the evaluation says of sets that the configuration lists."""
    if material.evaluation is None:
        yield Paragraph(_NO_EVALUATION, is_warning=True)
    elif not material.evaluation[entry]:
        yield Paragraph(without)
    else:
        yield from getattr(_TASKS[material.task], section)(material.evaluation)
    yield from _pictures(material, section)


_strange = functools.partial(
    _listed, entry="ood", section="strange", without="The configuration names no strange sets (evaluation.ood)."
)
_shift = functools.partial(
    _listed, entry="shift", section="shift", without="The configuration names no corruptions (evaluation.corruptions)."
)


def _decisions(material: Material) -> Iterator[Block]:
    yield from decisions.blocks(material.decided, material.missing)
    absent = [name for name in decisions.COMMANDS if name not in material.decided and name not in material.missing]
    if material.task == "classification" and absent:
        commands = ", ".join(f"bayesconv {decisions.COMMANDS[name]}" for name in absent)
        yield Paragraph(f"Not decided yet: {', '.join(absent)}. See {commands}.")
    yield from _pictures(material, "decisions")


def _training(material: Material) -> Iterator[Block]:
    if not any(one.rows for one in material.trained):
        yield Paragraph(material.missing.get("history", "There is no history.jsonl any more."), is_warning=True)
    yield from training.training(material.trained)
    yield from _pictures(material, "training")


def _diagnosis(material: Material) -> Iterator[Block]:
    if material.diagnosis is None:
        yield Paragraph(material.missing.get("diagnosis", "There is no diagnosis."), is_warning=True)
        return
    each = material.diagnosis.get("members")
    for index, found in enumerate(each or [material.diagnosis]):
        yield from training.diagnosis(found, f"member {index}" if each else "")
    yield from _pictures(material, "diagnosis")


def _weights(material: Material) -> Iterator[Block]:
    yield from _pictures(material, "weights")


def _model(material: Material) -> Iterator[Block]:
    yield Code("Summary", material.summary)


def _configuration(material: Material) -> Iterator[Block]:
    yield Code("config.yaml", material.configuration)


def _environment(material: Material) -> Iterator[Block]:
    yield from environment.blocks(material.seed, material.trained_with, material.evaluation)


def _pictures(material: Material, section: str) -> Iterator[Block]:
    yield from material.pictures.get(section, ())
    if "data" in material.missing and section in ("results", "strange", "shift"):
        yield Paragraph(f"There are no figures of predictions. {material.missing['data']}", is_warning=True)


_SECTIONS: dict[str, tuple[str, Callable[[Material], Iterator[Block]]]] = {
    "results": ("Evaluation", _results),
    "strange": ("Out of distribution", _strange),
    "shift": ("Shift", _shift),
    "decisions": ("Decisions", _decisions),
    "training": ("Training", _training),
    "diagnosis": ("Diagnosis", _diagnosis),
    "weights": ("What the weights have learnt", _weights),
    "model": ("Model", _model),
    "configuration": ("Configuration", _configuration),
    "environment": ("Environment", _environment),
}
