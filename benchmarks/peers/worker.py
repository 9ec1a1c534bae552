"""A process that does a library's work and times it, a line of JSON on request; of the standard library alone.

A request is `{"ask": "facts"}`, `{"ask": "check", "net": .., "contender": .., "weights": PATH}`, or `{"ask": "run",
"net": .., "contender": .., "what": "training" or "prediction", "calls": k}`, which is answered with the mean seconds
of a call. What cannot be done is answered with `{"error": ..}`.
"""

from __future__ import annotations

import json
import os
import sys
import time
import traceback
from collections.abc import Callable
from typing import Any, Protocol

PASSES = 32


class Subject(Protocol):
    """A net of a library."""

    @property
    def num_parameters(self) -> int:
        """Number of trained parameters."""

    def step(self) -> None:
        """One step on the example batch; returns when it is done."""

    def predict(self, passes: int) -> None:
        """A number of passes over the example batch, each with a draw of its own; returns when they are done."""

    def logits(self, weights: str) -> list[list[float]]:
        """Logits of the images of an `.npz` file with its weights as means and next to no spread."""


class Library(Protocol):
    """What stands for a library; its contender `"deterministic"` is its own net with point weights."""

    @property
    def versions(self) -> dict[str, str]:
        """Of its packages."""

    @property
    def contenders(self) -> tuple[str, ...]:
        """Its ways to treat weights."""

    def subject(self, net: str, contender: str) -> Subject:
        """A net."""


def serve(make: Callable[[], Library]) -> None:
    """Answers requests from standard input until there are no more."""
    # Libraries print as they please: the answers go to the original output, all else to the errors'.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    library = make()
    subjects: dict[tuple[str, str], Subject] = {}
    for line in sys.stdin:
        try:
            answer = _answer(library, subjects, json.loads(line))
        except Exception:
            answer = {"error": traceback.format_exc()[-2000:]}
        print(json.dumps(answer), file=answers, flush=True)


def _answer(library: Library, subjects: dict[tuple[str, str], Subject], request: dict[str, Any]) -> dict[str, Any]:
    if request["ask"] == "facts":
        return {"versions": library.versions, "contenders": library.contenders}
    key = request["net"], request["contender"]
    if key not in subjects:
        subjects[key] = library.subject(*key)
    subject = subjects[key]
    if request["ask"] == "check":
        return {"num_parameters": subject.num_parameters, "logits": subject.logits(request["weights"])}
    return {"seconds": _timed(subject, request["what"], request["calls"])}


def _timed(subject: Subject, what: str, calls: int) -> float:
    began = time.perf_counter()
    for _ in range(calls):
        if what == "training":
            subject.step()
        else:
            subject.predict(PASSES)
    return (time.perf_counter() - began) / calls
