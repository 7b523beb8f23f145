# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""Configuration files, read into frozen dataclasses.

A daemon writes its schema as dataclasses; :func:`load` reads YAML text into them and reports
every unknown key and every bad value at once, each by its key (``api.keys[0].role``). What the
keys mean is the daemons' own; nothing here opens a file.

Field types: ``str``, ``bool``, ``int``, ``float``, ``Literal[…]``, ``Secret``, :data:`Seconds`,
:data:`WholeSeconds`, :data:`Size`, another dataclass, ``tuple[T, ...]``, ``Mapping[str, T]``, ``T | None``,
and ``Annotated`` with :class:`Range` or :class:`Pattern`. A field without a default is required. A dataclass judges
itself in ``__post_init__``: it raises ``ValueError``, or :class:`ConfigError` with pointers relative to itself.
"""

from __future__ import annotations

import dataclasses
import difflib
import math
import re
import types
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from ._deps import require, yaml
from .errors import ConfigError, Place

__all__ = [
    "Pattern",
    "Range",
    "Seconds",
    "Secret",
    "Size",
    "WholeSeconds",
    "build",
    "load",
    "parse_duration",
    "parse_size",
]

T = TypeVar("T")

_DURATION_UNITS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_DURATION_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|[smhdw])")
_SIZE_UNITS = {
    "": 1, "b": 1,
    "k": 1 << 10, "kib": 1 << 10, "kb": 10**3,
    "m": 1 << 20, "mib": 1 << 20, "mb": 10**6,
    "g": 1 << 30, "gib": 1 << 30, "gb": 10**9,
}  # fmt: skip
_SIZE = re.compile(r"(\d+)\s*([a-zA-Z]*)")


class Secret:
    """A text that no ``repr``, log or traceback shows; :meth:`reveal` is the only way to it."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """The text itself."""
        return self._text

    def __repr__(self) -> str:
        return "Secret('…')"

    def __bool__(self) -> bool:
        return bool(self._text)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._text == self._text

    def __hash__(self) -> int:
        return hash(self._text)


@dataclass(frozen=True, slots=True)
class Range:
    """Bounds of a number, both included, for ``Annotated``; of a duration or a size too, in seconds or bytes."""

    least: float | None = None
    most: float | None = None


@dataclass(frozen=True, slots=True)
class Pattern:
    """A regular expression that a text must match as a whole, for ``Annotated``; *meaning* is what the error says."""

    expression: str
    meaning: str


@dataclass(frozen=True, slots=True)
class _Unit:
    name: Literal["seconds", "whole seconds", "bytes"]


#: A duration: ``500ms``, ``30s``, ``1h30m``, ``14d``, or a number of seconds.
Seconds = Annotated[float, _Unit("seconds")]
#: The same for what is only good in whole seconds.
WholeSeconds = Annotated[int, _Unit("whole seconds")]
#: Bytes: ``64KiB``, ``10MB``, or a number.
Size = Annotated[int, _Unit("bytes")]


def parse_duration(text: str) -> float:
    """Seconds of ``30s``, ``1h30m``, ``500ms`` …; ``ValueError`` for anything else."""
    compact = text.strip().replace(" ", "")
    parts = _DURATION_PART.findall(compact)
    if not parts or "".join(number + unit for number, unit in parts) != compact:
        raise ValueError(f"{text!r} is no duration; write 500ms, 30s, 10m, 2h, 14d or 1h30m")
    return float(sum(float(number) * _DURATION_UNITS[unit] for number, unit in parts))


def parse_size(text: str) -> int:
    """Bytes of ``64KiB``, ``10MB``, ``1G`` …; ``ValueError`` for anything else."""
    match = _SIZE.fullmatch(text.strip())
    unit = None if match is None else _SIZE_UNITS.get(match[2].lower())
    if match is None or unit is None:
        raise ValueError(f"{text!r} is no size; write 512B, 64KiB, 10MiB or 1GiB")
    return int(match[1]) * unit


def load(text: str, schema: type[T], *, source: str = "configuration") -> T:
    """The *schema* (a dataclass) that YAML *text* describes; an empty text is an empty mapping.

    Raises :class:`ConfigError` that begins with *source* and has one place per problem.
    """
    require("yaml")
    places: list[Place] = []
    try:
        loader = yaml.SafeLoader(text)
        try:
            node = loader.get_single_node()
            _find_duplicates(node, "", places)
            data = loader.construct_document(node) if node is not None and not places else {}
        finally:
            loader.dispose()
    except yaml.YAMLError as error:
        raise ConfigError(f"{source} is not YAML", [_yaml_place(error)]) from None
    except (ValueError, RecursionError) as error:  # a date such as 2026-99-99; a document nested without end
        raise ConfigError(f"{source} is not YAML", [Place(str(error))]) from None
    if places:
        raise ConfigError(f"{source} is wrong", places)
    return build({} if data is None else data, schema, source=source)


def build(data: object, schema: type[T], *, source: str = "configuration") -> T:
    """As :func:`load`, from data that a parser has made already."""
    reader = _Reader()
    value = reader.dataclass(data, schema, "")
    if reader.places:
        raise ConfigError(f"{source} is wrong", reader.places)
    result: T = value
    return result


_WRONG: Any = object()


class _Reader:
    def __init__(self) -> None:
        self.places: list[Place] = []

    def wrong(self, pointer: str, message: str) -> Any:
        self.places.append(Place(message, pointer=pointer or None))
        return _WRONG

    def dataclass(self, data: object, schema: Any, pointer: str) -> Any:
        if data is None:  # `api:` with everything below it commented out
            data = {}
        if not isinstance(data, Mapping):
            return self.wrong(pointer, f"must be keys and values, not {_kind(data)}")
        hints = get_type_hints(schema, include_extras=True)
        fields = {field.name: field for field in dataclasses.fields(schema) if field.init}
        for key in data:
            if key not in fields:
                self.wrong(_below(pointer, key), "unknown key" + _did_you_mean(str(key), fields))
        values: dict[str, Any] = {}
        for name, field in fields.items():
            if name in data:
                values[name] = self.value(data[name], hints[name], _below(pointer, name))
            elif field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
                values[name] = self.wrong(_below(pointer, name), "is required")
        if any(value is _WRONG for value in values.values()):
            return _WRONG
        try:
            return schema(**values)
        except ConfigError as error:
            for place in error.places or (Place(error.message),):
                self.wrong(_below(pointer, place.pointer) if place.pointer else pointer, place.message)
        except ValueError as error:
            self.wrong(pointer, str(error))
        return _WRONG

    def value(self, data: object, hint: Any, pointer: str, rules: Sequence[object] = ()) -> Any:
        origin, arguments = get_origin(hint), get_args(hint)
        if origin is Annotated:
            return self.value(data, arguments[0], pointer, (*arguments[1:], *rules))
        if origin in (Union, types.UnionType):
            if data is None and type(None) in arguments:
                return None
            (inner,) = (argument for argument in arguments if argument is not type(None))
            return self.value(data, inner, pointer, rules)
        if dataclasses.is_dataclass(hint):
            return self.dataclass(data, hint, pointer)
        if origin is tuple:
            if not isinstance(data, list):
                return self.wrong(pointer, f"must be a list, not {_kind(data)}")
            items = [self.value(item, arguments[0], f"{pointer}[{i}]", rules) for i, item in enumerate(data)]
            return _WRONG if any(item is _WRONG for item in items) else tuple(items)
        if origin is not None and origin is not Literal and issubclass(origin, Mapping):
            return self.mapping(data, arguments[1], pointer, rules)
        return self.scalar(data, hint, pointer, rules)

    def mapping(self, data: object, hint: Any, pointer: str, rules: Sequence[object]) -> Any:
        if not isinstance(data, Mapping):
            return self.wrong(pointer, f"must be keys and values, not {_kind(data)}")
        items: dict[str, Any] = {}
        for key, value in data.items():
            at = _below(pointer, key)
            items[str(key)] = (
                self.value(value, hint, at, rules)
                if isinstance(key, str)
                else self.wrong(at, "a key must be text, in quotes where it looks like a number")
            )
        return _WRONG if any(item is _WRONG for item in items.values()) else types.MappingProxyType(items)

    def scalar(self, data: object, hint: Any, pointer: str, rules: Sequence[object]) -> Any:
        if get_origin(hint) is Literal:
            choices = get_args(hint)
            if any(type(data) is type(choice) and data == choice for choice in choices):
                return data
            wanted = ", ".join(str(choice) for choice in choices)
            return self.wrong(pointer, f"must be one of {wanted}, not {_show(data)}{_did_you_mean(data, choices)}")
        unit = next((rule.name for rule in rules if isinstance(rule, _Unit)), None)
        try:
            value = _in_unit(data, unit) if unit else _SCALARS[hint](data)
        except ValueError as error:
            return self.wrong(pointer, str(error))
        return self.judge(value, rules, pointer)

    def judge(self, value: Any, rules: Sequence[object], pointer: str) -> Any:
        for rule in rules:
            if isinstance(rule, Range) and not (
                (rule.least is None or value >= rule.least) and (rule.most is None or value <= rule.most)
            ):
                return self.wrong(pointer, f"must be {_bounds(rule)}, not {value}")
            if isinstance(rule, Pattern) and not re.fullmatch(rule.expression, _text_of(value)):
                shown = "" if isinstance(value, Secret) else f", not {_show(value)}"
                return self.wrong(pointer, f"must be {rule.meaning}{shown}")
        return value


def _text(data: object) -> str:
    if not isinstance(data, str):
        raise ValueError(f"must be text, not {_show(data)}; put it in quotes")
    return data


def _secret(data: object) -> Secret:
    if not isinstance(data, str):
        raise ValueError("must be text; put it in quotes")
    return Secret(data)


def _boolean(data: object) -> bool:
    if not isinstance(data, bool):
        raise ValueError(f"must be true or false, not {_show(data)}")
    return data


def _integer(data: object) -> int:
    if isinstance(data, bool) or not isinstance(data, int):
        raise ValueError(f"must be a whole number, not {_show(data)}")
    return data


def _number(data: object) -> float:
    if isinstance(data, bool) or not isinstance(data, int | float) or not math.isfinite(data):
        raise ValueError(f"must be a number, not {_show(data)}")
    return float(data)


_SCALARS: dict[Any, Callable[[object], object]] = {
    str: _text,
    bool: _boolean,
    int: _integer,
    float: _number,
    Secret: _secret,
}


def _in_unit(data: object, unit: str) -> float | int:
    if unit == "bytes":
        size = parse_size(data) if isinstance(data, str) else _integer(data)
        if size < 0:
            raise ValueError("must not be negative")
        return size
    seconds = parse_duration(data) if isinstance(data, str) else _number(data)
    if seconds < 0:
        raise ValueError("must not be negative")
    if unit == "seconds":
        return seconds
    if seconds != int(seconds):
        raise ValueError(f"must be whole seconds, not {_show(data)}")
    return int(seconds)


def _text_of(value: object) -> str:
    return value.reveal() if isinstance(value, Secret) else str(value)


def _bounds(rule: Range) -> str:
    if rule.least is None:
        return f"at most {rule.most:g}"
    return f"at least {rule.least:g}" if rule.most is None else f"between {rule.least:g} and {rule.most:g}"


def _below(pointer: str, key: object) -> str:
    return f"{pointer}.{key}" if pointer else str(key)


def _kind(data: object) -> str:
    if isinstance(data, list | dict | str):
        return "a list" if isinstance(data, list) else "text" if isinstance(data, str) else "keys and values"
    return _show(data)


def _show(data: object) -> str:
    if data is None:
        return "nothing"
    if isinstance(data, bool):
        return "true" if data else "false"
    if isinstance(data, list | dict):
        return _kind(data)
    text = repr(data)
    return text if len(text) <= 60 else text[:57] + "…" + text[0]


def _did_you_mean(word: object, known: Mapping[str, object] | Sequence[object]) -> str:
    close = difflib.get_close_matches(str(word), [str(name) for name in known], n=1, cutoff=0.6)
    return f" (did you mean {close[0]}?)" if close else ""


def _yaml_place(error: Any) -> Place:
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or str(error)
    return Place(problem) if mark is None else Place(problem, line=mark.line + 1, column=mark.column + 1)


def _find_duplicates(node: Any, pointer: str, places: list[Place]) -> None:
    """YAML's parser takes the last of two equal keys without a word; a configuration must not."""
    if isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            _find_duplicates(item, f"{pointer}[{index}]", places)
    if not isinstance(node, yaml.MappingNode):
        return
    seen: dict[str, int] = {}
    for key, value in node.value:
        at = _below(pointer, key.value)
        if isinstance(key, yaml.ScalarNode):
            line = key.start_mark.line + 1
            if key.value in seen and key.value != "<<":
                places.append(Place(f"is written twice, in lines {seen[key.value]} and {line}", pointer=at))
            seen[key.value] = line
        _find_duplicates(value, at, places)
