"""The registry of models."""

from __future__ import annotations

from bayesconv.registry import Registry

REGISTRY = Registry("model")
register = REGISTRY.register
