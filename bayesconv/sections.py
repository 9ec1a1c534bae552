"""The sections of a configuration: their keys, types and defaults."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal

import pydantic
from pydantic import BaseModel, ConfigDict, Field, NonNegativeInt, PrivateAttr

from bayesconv.registry import unknown_name_message
from bayesconv.settings import Settings

OPTIMIZERS = ("adam", "adamw", "ivon", "sgd")

Count = Annotated[int, Field(gt=0, le=2**31 - 1)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NonNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class Part(BaseModel):
    """A registered piece: its name, or a mapping of `name` and the piece's options."""

    model_config = ConfigDict(frozen=True, extra="allow", strict=True)
    name: str

    @pydantic.model_validator(mode="before")
    @classmethod
    def _from_name(cls, value: Any) -> Any:
        if isinstance(value, str):
            return {"name": value}
        if isinstance(value, Mapping | Part):
            return value
        raise ValueError(f"must be a name or a mapping {{name: ..., option: value}}. Received {value!r}.")

    @pydantic.model_serializer
    def _to_name(self) -> Any:
        return self.identifier if self.options else self.name

    @property
    def options(self) -> dict[str, Any]:
        """All keys but the name."""
        return dict(self.model_extra or {})

    @property
    def identifier(self) -> dict[str, Any]:
        """The mapping that a registry's `resolve` takes."""
        return {"name": self.name, **self.options}


class Section(BaseModel):
    """What all sections share: unknown keys and values of another type are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, use_attribute_docstrings=True)


class Match(Section):
    """Which layers: patterns of their names and kinds, as of file names, that must both fit."""

    name: str | None = None
    """Pattern of the layer's name, as `bayesconv train` lists it; `conv*` is all that begin with conv."""
    kind: str | None = None
    """Pattern of the layer's class, such as `Affine` or `*Convolution`."""

    @pydantic.model_validator(mode="before")
    @classmethod
    def _from_pattern(cls, value: Any) -> Any:
        return {"name": value} if isinstance(value, str) else value

    @pydantic.model_validator(mode="after")
    def _not_empty(self) -> Match:
        if self.name is None and self.kind is None:
            raise ValueError("must have a pattern, name or kind. Received none; name: '*' matches every layer.")
        return self

    @pydantic.model_serializer
    def _to_pattern(self) -> Any:
        return self.name if self.kind is None else {key: value for key, value in self if value is not None}


class Override(Section):
    """Other choices for some layers; where several overrides match a layer, later ones win choice by choice."""

    match: Match
    """Pattern of the layers' names, or {name: pattern, kind: pattern}."""
    estimator: Part | None = None
    """How one stochastic pass uses the posterior."""
    posterior: Part | None = None
    """Distribution of the weights, or `deterministic`."""
    prior: Part | None = None
    """What the posterior is pulled towards."""
    divergence: Part | None = None
    """How far the posterior is from the prior."""
    penalty_weight: Positive | None = None
    """Factor of these layers' KL."""

    @pydantic.model_validator(mode="after")
    def _chooses(self) -> Override:
        if len(self.identifier) < 2:
            choices = sorted(set(type(self).model_fields) - {"match"})
            raise ValueError(
                f"must choose something for the layers it matches: one of {choices}. Received match alone."
            )
        others = sorted(set(self.identifier) - {"match", "posterior"})
        if others and self.posterior is not None and self.posterior.name == "deterministic":
            raise ValueError(f"must leave posterior or the rest: point weights have no other part. Received {others}.")
        return self

    @pydantic.model_serializer(mode="wrap")
    def _without_defaults(self, serialize: Any) -> dict[str, Any]:
        return {key: value for key, value in serialize(self).items() if value is not None}

    @property
    def identifier(self) -> dict[str, Any]:
        """The mapping that `make_kernel_bias_by_layer` takes."""
        choices = {key: value.identifier if isinstance(value, Part) else value for key, value in self if key != "match"}
        return {"match": self.match.model_dump(), **{key: value for key, value in choices.items() if value is not None}}


class Model(Section):
    """The network and what its weights are."""

    name: Part
    """Which network, see `bayesconv list models`."""
    estimator: Part = Part(name="automatic")
    """How one stochastic pass uses the posterior."""
    posterior: Part = Part(name="mean_field_normal")
    """Distribution of the weights, or `deterministic` for point weights, which need no other part."""
    prior: Part = Part(name="normal")
    """What the posterior is pulled towards."""
    divergence: Part = Part(name="best_effort")
    """How far the posterior is from the prior."""
    overrides: tuple[Override, ...] = Field(default=(), strict=False)
    """Other choices for layers that a pattern matches."""


class Objective(Section):
    """What is minimized: negative log-likelihood + kl_weight * temperature * KL / num_data, or another bound."""

    likelihood: Part = Part(name="categorical")
    """Distribution of the labels given the network's outputs."""
    temperature: NonNegative = 1.0
    """Factor of the KL; 1 is the evidence lower bound, less fits the data more closely."""
    kl_schedule: Part = Part(name="linear")
    """How the KL's weight grows during training."""
    num_samples: Annotated[int, Field(gt=0, le=10_000)] = 1
    """Draws of the weights a training step."""
    bound: Part = Part(name="elbo")
    """What is maximized; all but elbo need several draws and the estimator reparameterization."""
    class_weights: Literal["balanced"] | list[NonNegative] | dict[str, NonNegative] | None = None
    """What the classes count: balanced, a list, or a mapping of class names, 1 for the others; null weights nothing."""

    @pydantic.field_validator("class_weights", mode="before")
    @classmethod
    def _weights(cls, value: Any) -> Any:
        if isinstance(value, Mapping):
            return {str(name): weight for name, weight in value.items()}  # YAML reads the class 3 as a number
        if value is None or isinstance(value, list) or value == "balanced":
            return value
        raise ValueError(f"must be balanced, a list of numbers or a mapping of class names. Received {value!r}.")


class Training(Section):
    """How it is minimized."""

    members: Count = 1
    """Networks, each trained from a seed of its own, that predict together: a deep ensemble; 1 is a single network."""
    epochs: Count = 100
    """Passes over the training images."""
    snapshot_epochs: Count | None = None
    """Passes of each member after the first, which goes on from the one before: snapshots; null begins each anew."""
    batch_size: Count = 64
    """Images a step."""
    augmentation: tuple[Part, ...] = Field(default=(), strict=False)
    """What changes the training images at random, one after the other, such as shift; none by default."""
    optimizer: Part = Part(name="adam")
    """adam, adamw or sgd, with Keras' options such as weight_decay (not of scales), or ivon for normal posteriors."""
    learning_rate: Positive | None = None
    """Largest learning rate; null is 0.001, and 0.1 with ivon."""
    scale_learning_rate_factor: Positive = 1.0
    """Multiplies the learning rate of the posterior's scales."""
    learning_rate_schedule: Literal["cosine", "constant"] = "cosine"
    """Decay to zero along a cosine, or none."""
    patience: Count | None = None
    """Stop after that many epochs without a better validation likelihood; null never stops early."""

    @pydantic.field_validator("snapshot_epochs")
    @classmethod
    def _only_of_several(cls, snapshot_epochs: int | None, info: pydantic.ValidationInfo) -> int | None:
        if snapshot_epochs is not None and info.data.get("members", 2) == 1:
            received = f"{snapshot_epochs} with members 1"
            raise ValueError(f"is of members after the first. Received {received}; set members, or leave it out.")
        return snapshot_epochs

    @pydantic.field_validator("optimizer")
    @classmethod
    def _known(cls, optimizer: Part) -> Part:
        if optimizer.name not in OPTIMIZERS:
            raise ValueError(unknown_name_message("optimizer", optimizer.name, OPTIMIZERS))
        return optimizer


class Evaluation(Section):
    """What is reported, and how predictions are made for it."""

    method: Literal["sampling", "moments"] = "sampling"
    """By draws of the weights, or in a single pass of means and variances, which draws nothing."""
    num_samples: Count | Literal["auto"] = 64
    """Draws of the weights behind each prediction; auto draws until every average is known to the tolerance."""
    tolerance: Positive | None = None
    """With num_samples auto, the largest standard error of an average that will do; null stands for 0.01."""
    ood: tuple[Part, ...] | None = Field(default=None, strict=False)
    """Out-of-distribution sets to tell apart from the test images; null is inverted and photo_patches, [] is none."""
    corruptions: tuple[Part, ...] = Field(default=(), strict=False)
    """What the test images are made harder by, in five severities each."""
    corrupted_images: Count | None = None
    """How many test images, chosen by the seed, are made so; null is all."""
    bootstrap: NonNegativeInt = 500
    """Resamples of the test images behind every 95 % interval; 0 gives no intervals."""

    @pydantic.field_validator("num_samples", mode="wrap")
    @classmethod
    def _count_or_auto(cls, value: Any, validate: Any, info: pydantic.ValidationInfo) -> Any:
        try:
            count = validate(value)
        except pydantic.ValidationError as error:
            too_many = type(value) is int and value > 0  # True is an int as well
            rule = f"at most {2**31 - 1}" if too_many else "a positive integer or auto"
            raise ValueError(f"must be {rule}. Received {value!r}.") from error
        if count == "auto" and info.data.get("method") == "moments":
            raise ValueError(
                "must be a number or be left out with method moments, a single pass without draws. Received 'auto'."
            )
        return count

    @pydantic.field_validator("tolerance")
    @classmethod
    def _only_with_auto(cls, tolerance: float | None, info: pydantic.ValidationInfo) -> float | None:
        if tolerance is not None and info.data.get("num_samples", "auto") != "auto":
            received = f"{tolerance:g} with num_samples {info.data['num_samples']}"
            raise ValueError(
                f"is what num_samples auto draws to. Received {received}; set that to auto, or leave it out."
            )
        return tolerance

    @pydantic.field_validator("ood", "corruptions")
    @classmethod
    def _distinct(cls, parts: tuple[Part, ...] | None) -> tuple[Part, ...] | None:
        for i, part in enumerate(parts or ()):
            if parts and part in parts[:i]:
                raise ValueError(f"must name each one once. Received {part.identifier} twice; remove one.")
        return parts


class RunConfig(Section):
    """Everything that determines a run.

    Example:
      >>> from bayesconv.sections import RunConfig
      >>> run = RunConfig(data="digits", model={"name": "digits_cnn", "prior": {"name": "normal", "scale": 0.1}})
      >>> run.model.prior.options, run.training.epochs
      ({'scale': 0.1}, 100)
    """

    seed: NonNegativeInt = Field(default=0, le=2**31 - 1)
    """Determines initial weights, batches and draws; the split of the data has a seed of its own in `data`."""
    plugins: tuple[str, ...] = Field(default=(), strict=False)
    """Modules to import first, which register further pieces; they may lie next to the configuration file."""
    data: Part
    """The images, see `bayesconv list datasets`."""
    model: Model
    objective: Objective = Objective()
    training: Training = Training()
    evaluation: Evaluation = Evaluation()
    _settings: Settings = PrivateAttr(default_factory=Settings)

    @property
    def settings(self) -> Settings:
        """What the configuration was read from, for error messages."""
        return self._settings

    def read_from(self, settings: Settings) -> RunConfig:
        """The same configuration, whose errors point into `settings`."""
        config = self.model_copy()
        config._settings = settings
        return config


def unknown_key(key: object, choices: Iterable[str]) -> str:
    """The text of every unknown-key error."""
    close = difflib.get_close_matches(str(key), choices, n=1)
    return f"unknown key; choose one of {sorted(choices)}." + (f" Did you mean {close[0]!r}?" if close else "")
