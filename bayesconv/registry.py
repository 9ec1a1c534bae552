"""Named, swappable parts: one decorator makes a function available in Python, YAML and the command line."""

from __future__ import annotations

import difflib
import functools
import inspect
import numbers
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

Piece = TypeVar("Piece", bound=Callable[..., Any])
Identifier = str | Mapping[str, Any] | Callable[..., Any]


def unknown_name_message(kind: str, name: object, choices: Iterable[str]) -> str:
    """The text of every unknown-name error: the rule, what was received, the choices and a suggestion."""
    choices = sorted(choices)
    close = difflib.get_close_matches(str(name), choices, n=1)
    hint = f" Did you mean {close[0]!r}?" if close else ""
    return f"Unknown {kind} {name!r}; choose one of {choices}.{hint}"


class Registry:
    """Functions of one kind by name.

    Options of a registered function are its keyword-only parameters, so that a mapping from a configuration
    file can be checked before anything runs.

    Args:
      kind: What the functions are, in the singular, as error messages call it.
      num_positional: Number of positional parameters that the functions are called with; one with more is refused,
        for nobody could choose these. None refuses nothing.

    Example:
      >>> from bayesconv.registry import Registry
      >>> colours = Registry("colour")
      >>> @colours.register("grey")
      ... def grey(size, *, level=0.5):
      ...     "A grey of some level."
      ...     return [level] * size
      >>> colours.resolve({"name": "grey", "level": 0.25})(2)
      [0.25, 0.25]
    """

    def __init__(self, kind: str, num_positional: int | None = None) -> None:
        self.kind, self.num_positional = kind, num_positional
        self._pieces: dict[str, Callable[..., Any]] = {}

    def register(self, name: str, *, force: bool = False) -> Callable[[Piece], Piece]:
        """Decorator that adds a function under `name`.

        Args:
          name: The name used in Python, YAML and on the command line.
          force: Replace an earlier function of that name, as re-running a notebook cell does.

        Raises:
          ValueError: If the name is taken and `force` is False, or an option is not keyword-only.
        """

        def add(piece: Piece) -> Piece:
            if name in self._pieces and not force:
                raise ValueError(
                    f"A {self.kind} named {name!r} is already registered. Choose another name or pass force=True."
                )
            self._check_parameters(name, piece)
            self._pieces[name] = piece
            return piece

        return add

    def _check_parameters(self, name: str, piece: Callable[..., Any]) -> None:
        if self.num_positional is None:
            return
        kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
        positional = [p.name for p in inspect.signature(piece).parameters.values() if p.kind in kinds]
        if extra := positional[self.num_positional :]:
            before = ", ".join(positional[: self.num_positional])
            raise ValueError(
                f"Options of a {self.kind} are keyword-only: def piece(specs, *, scale=1.0). Received {name!r} with "
                f"the positional {extra}; write a * before them, def {name}({before}, *, {', '.join(extra)})."
            )

    def get(self, name: str) -> Callable[..., Any]:
        """The function registered under `name`; a ValueError names the choices if there is none."""
        if name not in self._pieces:
            raise ValueError(unknown_name_message(self.kind, name, self._pieces))
        return self._pieces[name]

    def names(self) -> tuple[str, ...]:
        """All registered names, sorted."""
        return tuple(sorted(self._pieces))

    def options(self, name: str) -> dict[str, Any]:
        """The options of a registered function and their defaults."""
        return _keyword_only(self.get(name))

    def describe(self, name: str) -> str:
        """First line of the function's docstring."""
        return (inspect.getdoc(self.get(name)) or "").partition("\n")[0]

    def resolve(self, identifier: Identifier) -> Callable[..., Any]:
        """Turns what a user may write into a function.

        Args:
          identifier: A callable, used as it is; a registered name; or a mapping `{"name": ..., **options}`.

        Returns:
          The function, with the options bound.

        Raises:
          TypeError: If `identifier` is of another type.
          ValueError: If the name or an option is unknown, or the value of an option of another type than annotated.
        """
        if callable(identifier):
            self._check_bound(identifier)
            return identifier
        if isinstance(identifier, str):
            return self.get(identifier)
        if isinstance(identifier, Mapping):
            return self._bind(dict(identifier))
        raise TypeError(
            f"A {self.kind} must be a name, a mapping {{'name': ..., **options}} or a callable. "
            f"Received {identifier!r} of type {type(identifier).__name__}; names are {list(self.names())}."
        )

    def _bind(self, options: dict[str, Any]) -> Callable[..., Any]:
        name = options.pop("name", None)
        if not isinstance(name, str):
            raise ValueError(
                f"A mapping that chooses a {self.kind} needs a 'name'. Received keys {sorted(options)}; "
                f"names are {list(self.names())}."
            )
        self.check_options(name, options)
        self._check_types(name, options)
        return functools.partial(self.get(name), **options) if options else self.get(name)

    def _check_bound(self, piece: Callable[..., Any]) -> None:
        """Checks the options of a registered function that `functools.partial` bound."""
        names = {id(known): name for name, known in self._pieces.items()}
        bound: dict[str, Any] = {}
        while id(piece) not in names and isinstance(piece, functools.partial):
            bound, piece = {**piece.keywords, **bound}, piece.func
        if id(piece) in names:
            self._check_types(names[id(piece)], bound)

    def check_options(self, name: str, options: Mapping[str, Any]) -> None:
        """Raises a ValueError if an option is not one of the named function's."""
        accepted = self.options(name)
        for key in options:
            if key not in accepted:
                close = difflib.get_close_matches(str(key), accepted, n=1)
                hint = f" Did you mean {close[0]!r}?" if close else ""
                raise ValueError(
                    f"{self.kind.capitalize()} {name!r} got the unknown option {key!r}; "
                    f"it accepts {sorted(accepted)}.{hint}"
                )

    def _check_types(self, name: str, options: Mapping[str, Any]) -> None:
        annotations = getattr(self.get(name), "__annotations__", {})
        for key, value in options.items():
            if wanted := unmet_type(annotations.get(key, ""), value):
                raise ValueError(
                    f"Option {key!r} of the {self.kind} {name!r} is {wanted}. "
                    f"Received {value!r} of type {type(value).__name__}."
                )


def unmet_type(annotation: Any, value: Any) -> str | None:
    """What a value should be by its annotation and is not, in words; None if it is that, or nothing is known of it.

    Example:
      >>> unmet_type("float | None", "3"), unmet_type("float | None", 3)
      ('a number or None', None)
    """
    text = annotation if isinstance(annotation, str) else getattr(annotation, "__name__", str(annotation))
    names = [part.strip() for part in text.split("|")]
    if not all(name in _TYPES for name in names) or any(_TYPES[name][1](value) for name in names):
        return None
    return " or ".join(_TYPES[name][0] for name in names)


def _is_number(value: Any) -> bool:
    is_scalar_tensor = not isinstance(value, numbers.Number | str) and getattr(value, "shape", None) == ()
    return is_scalar_tensor or (isinstance(value, numbers.Real) and not isinstance(value, bool))


def _are_numbers(value: Any) -> bool:
    is_sequence = hasattr(value, "__len__") and hasattr(value, "__getitem__") and not isinstance(value, str | Mapping)
    return is_sequence and all(map(_is_number, value))


# What an annotation says in words, and whether a value is that.
_TYPES: dict[str, tuple[str, Callable[[Any], bool]]] = {
    "None": ("None", lambda value: value is None),
    "bool": ("True or False", lambda value: type(value).__name__ in ("bool", "bool_")),
    "float": ("a number", _is_number),
    "int": ("an integer", lambda value: isinstance(value, numbers.Integral) and not isinstance(value, bool)),
    "str": ("a string", lambda value: isinstance(value, str)),
    "Sequence[float]": ("a sequence of numbers", _are_numbers),
}


def _keyword_only(piece: Callable[..., Any]) -> dict[str, Any]:
    parameters = inspect.signature(piece).parameters.values()
    return {p.name: p.default for p in parameters if p.kind is inspect.Parameter.KEYWORD_ONLY}


def innermost(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function that partial applications are of, however many are inside of one another.

    `functools.partial` makes one of two by itself, unless the inner one has a `__dict__`, which looking for it makes.

    Example:
      >>> import functools
      >>> inner = functools.partial(round, number=1.25)
      >>> inner.note = "not for everyone"
      >>> innermost(functools.partial(inner, ndigits=1)) is round
      True
    """
    while isinstance(function, functools.partial):
        function = function.func
    return function


def name_of(piece: Callable[..., Any]) -> str:
    """A function's display name, with the options that a partial application bound.

    Example:
      >>> import functools
      >>> def laplace(specs, *, scale=None):
      ...     return scale
      >>> name_of(functools.partial(laplace, scale=0.1))
      'laplace(scale=0.1)'
    """
    if isinstance(piece, functools.partial):
        options = ", ".join(f"{key}={value!r}" for key, value in piece.keywords.items())
        return f"{name_of(piece.func)}({options})"
    return getattr(piece, "__name__", type(piece).__name__)
