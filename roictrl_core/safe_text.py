"""Parsing of text from outside: JSON and YAML, bounded in size, depth and numbers.

Bounds: :data:`MAX_BYTES` of text, :data:`MAX_DEPTH` levels of nesting, finite numbers only, and no key twice in one
mapping (the first value would be lost without a word).  YAML goes through ``yaml.SafeLoader`` with aliases refused, so
that a few lines cannot unfold into gigabytes.  Every refusal is a :class:`ValueError` whose message is a sentence.
"""

from __future__ import annotations

import json
import math

MAX_BYTES = 10 * 1024 * 1024
MAX_DEPTH = 32


def check_size(text: str | bytes, what: str = "The text") -> None:
    """Refuse a text over :data:`MAX_BYTES` bytes of UTF-8."""
    size = len(text) if isinstance(text, bytes) else len(text.encode("utf-8", "surrogatepass"))
    if size > MAX_BYTES:
        raise ValueError(f"{what} has {size / 2**20:.1f} MB; at most {MAX_BYTES // 2**20} MB are read. "
                         "Split it into smaller pieces.")


def check_depth(value: object, what: str = "The data") -> None:
    """Refuse nesting over :data:`MAX_DEPTH` and numbers that are not finite, in one walk without recursion."""
    stack = [(value, 1)]
    while stack:
        node, depth = stack.pop()
        if isinstance(node, float) and not math.isfinite(node):
            raise ValueError(f"{what} holds the number {node}; only finite numbers can be used. "
                             "Replace NaN and infinite values.")
        if not isinstance(node, (dict, list, tuple)):
            continue
        if depth > MAX_DEPTH:
            raise ValueError(f"{what} is nested more than {MAX_DEPTH} levels deep; box lists need far fewer. "
                             "Check that it is the right file.")
        children = node.values() if isinstance(node, dict) else node
        stack.extend((child, depth + 1) for child in children)


def parse_json(text: str, what: str = "The text") -> object:
    """JSON text to plain data. Raises ValueError with a sentence (place of the fault included)."""
    check_size(text, what)
    try:
        data = json.loads(text, object_pairs_hook=_unique_keys)
    except json.JSONDecodeError as error:
        raise ValueError(f"{what} is not valid JSON: {error.msg} at line {error.lineno}, column {error.colno}. "
                         "Correct it there.") from None
    except RecursionError:
        raise ValueError(f"{what} is nested more than {MAX_DEPTH} levels deep; box lists need far fewer. "
                         "Check that it is the right file.") from None
    except _DuplicateKey as error:
        raise ValueError(f"{what} has the key {error} twice in one object; give each its own name.") from None
    except ValueError as error:  # an integer with thousands of digits
        raise ValueError(f"{what} holds a number that cannot be read ({error}).") from None
    check_depth(data, what)
    return data


def parse_yaml(text: str, what: str = "The text") -> object:
    """YAML text to plain data, without aliases, tags or repeated keys. Raises ValueError with a sentence."""
    import yaml  # part of every ComfyUI; only this format needs it

    check_size(text, what)
    try:
        data = yaml.load(text, Loader=_plain_loader())
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f" at line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        problem = getattr(error, "problem", None) or str(error).splitlines()[0]
        raise ValueError(f"{what} is not usable YAML: {problem}{place}. Correct it there.") from None
    except RecursionError:
        raise ValueError(f"{what} is nested more than {MAX_DEPTH} levels deep; box lists need far fewer. "
                         "Check that it is the right file.") from None
    check_depth(data, what)
    return data


class _DuplicateKey(ValueError):
    pass


def _unique_keys(pairs: list[tuple[str, object]]) -> dict:
    result = dict(pairs)
    if len(result) < len(pairs):
        seen: set[str] = set()
        raise _DuplicateKey(repr(next(k for k, _ in pairs if k in seen or seen.add(k))))
    return result


def _plain_loader():
    import yaml

    class PlainLoader(yaml.SafeLoader):
        """SafeLoader that refuses aliases and repeated keys, and reads dates as the text they are."""

        def compose_node(self, parent, index):
            if self.check_event(yaml.AliasEvent):
                raise yaml.composer.ComposerError(None, None, "aliases (*name) are not allowed",
                                                  self.peek_event().start_mark)
            return super().compose_node(parent, index)

        def construct_mapping(self, node, deep=False):
            keys = [self.construct_object(key, deep=True) for key, _ in node.value]
            for position, key in enumerate(keys):
                if key in keys[:position] if len(keys) < 64 else len(set(map(str, keys))) < len(keys):
                    raise yaml.constructor.ConstructorError(None, None, f"the key {key!r} stands twice",
                                                            node.value[position][0].start_mark)
            return super().construct_mapping(node, deep)

    PlainLoader.yaml_implicit_resolvers = {
        first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()}
    return PlainLoader
