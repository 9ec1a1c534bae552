"""Lets the tests of this folder import the oracles, the descriptors and the references that all tests share."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from bayesconv.moments import activations, rules

_TESTS = Path(__file__).resolve().parents[1]
for _folder in (_TESTS, _TESTS / "statistical", _TESTS / "conformance"):
    if str(_folder) not in sys.path:
        sys.path.insert(0, str(_folder))


@pytest.fixture(autouse=True)
def _what_a_test_registers_goes_with_it(monkeypatch: pytest.MonkeyPatch):
    for module in (activations, rules):
        monkeypatch.setattr(module, "_RULES", dict(module._RULES))
