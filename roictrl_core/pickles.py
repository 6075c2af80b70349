"""Pickles without unpickling: an interpreter of pickle's opcodes that knows plain values, lists and dictionaries.

Everything else that a file asks for, objects of any class and calls of any function, becomes a placeholder: nothing is
imported, called or allocated on a file's word, and reading costs what the file's length costs.  torch's own
`weights_only` refuses the foreign classes in the official InstanceDiffusion checkpoint, and builds what it does accept:
a bytearray of 100 GB, or a dictionary whose keys all collide.
"""

from __future__ import annotations

import pickletools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import BinaryIO

MAX_STEPS = 1_000_000  # of one pickle; the official 13.6 GB checkpoint's has 110,000
MAX_NAME = 512  # characters of a key, a module's or a class's name
MAX_KEY = 2**31

_MARK = object()


class Damaged(ValueError):
    """What is wrong with a file, to go into the sentence that names it."""


class Placeholder:
    """Stands for a thing that is not known here."""


@dataclass(frozen=True)
class Name:
    """A class or function that a pickle names."""

    module: str
    name: str

    def __str__(self) -> str:
        return f"{self.module}.{self.name}"


@dataclass
class Machine:
    """Pickle's stack machine.

    Attributes:
        builders: by full name, the functions whose calls are understood; each gets the call's arguments.
        persistent: what a persistent id stands for.
        names: every class and function that the pickle names.
    """

    builders: Mapping[str, Callable[[tuple], object]]
    persistent: Callable[[object], object]
    names: set[Name] = field(default_factory=set)
    stack: list = field(default_factory=list)
    memo: dict[int, object] = field(default_factory=dict)
    steps: int = 0

    def read(self, stream: BinaryIO) -> object:
        """The next pickle of a stream. Raises Damaged where it is none, or asks for too much."""
        try:
            for opcode, argument, _ in pickletools.genops(stream):
                self._step(opcode.name, argument)
        except Damaged:
            raise
        except ValueError as error:  # pickletools' own, about bytes that are no pickle
            raise Damaged(f"its pickle breaks off or makes no sense: {first_line(error)}") from None
        return self.pop()

    def _step(self, name: str, argument: object) -> None:
        self.steps += 1
        if self.steps > MAX_STEPS:
            raise Damaged(f"its pickle has more than {MAX_STEPS} steps")
        if name not in _ACTIONS:
            raise Damaged(f"its pickle has the opcode {name}, which weights have no use for")
        _ACTIONS[name](self, argument)

    def push(self, value: object) -> None:
        self.stack.append(value)

    def pop(self) -> object:
        if not self.stack or self.stack[-1] is _MARK:
            raise Damaged("its pickle takes what is not there")
        return self.stack.pop()

    def top(self) -> object:
        self.push(value := self.pop())
        return value

    def pop_mark(self) -> list:
        """All that was pushed since the last mark."""
        place = len(self.stack) - 1
        while place >= 0 and self.stack[place] is not _MARK:
            place -= 1
        if place < 0:
            raise Damaged("its pickle takes what is not there")
        items = self.stack[place + 1 :]
        del self.stack[place:]
        return items

    def drop(self) -> None:
        """The last thing pushed, which may be a mark."""
        if not self.stack:
            raise Damaged("its pickle takes what is not there")
        self.stack.pop()

    def store(self, number: int) -> None:
        if not 0 <= number < 2**32:
            raise Damaged("its pickle counts wrongly")
        self.memo[number] = self.top()

    def recall(self, number: int) -> None:
        if number not in self.memo:
            raise Damaged("its pickle takes what is not there")
        self.push(self.memo[number])

    def fill(self, items: list) -> None:
        """Keys and values in turn for the dictionary on top; other things have no use for them."""
        if isinstance(target := self.top(), dict):
            # A hostile pickle may leave the last key without a value.
            target.update(entries(zip(items[::2], items[1::2], strict=False)))

    def extend(self, items: list) -> None:
        if isinstance(target := self.top(), list):
            target.extend(items)

    def named(self, module: object, name: object) -> Name:
        if not all(isinstance(part, str) and len(part) <= MAX_NAME and part.isprintable() for part in (module, name)):
            raise Damaged("its pickle names a class that cannot be one")
        self.names.add(found := Name(module, name))
        return found

    def call(self, function: object, arguments: object) -> object:
        """What a call of an understood function gives; a placeholder for all others."""
        understood = isinstance(function, Name) and isinstance(arguments, tuple)
        build = self.builders.get(str(function)) if understood else None
        return build(arguments) if build else Placeholder()


def entries(pairs) -> dict:
    """The pairs as a dictionary; of keys only texts and small numbers, which cannot be made to collide."""
    return {key: value for key, value in pairs if _is_key(key)}


def _is_key(key: object) -> bool:
    return isinstance(key, str) and len(key) <= MAX_NAME or type(key) is int and -MAX_KEY < key < MAX_KEY


def first_line(error: Exception) -> str:
    """The beginning of an error's text."""
    if "set_int_max_str_digits" in str(error):  # Python's own advice, which is for programmers
        return "a number of thousands of digits"
    return (str(error).splitlines() or [type(error).__name__])[0][:200]


def _new_dict(machine: Machine, _: object) -> None:
    items = machine.pop_mark()
    machine.push({})
    machine.fill(items)


def _set_item(machine: Machine, _: object) -> None:
    value, key = machine.pop(), machine.pop()
    machine.fill([key, value])


def _global_on_stack(machine: Machine, _: object) -> None:
    name, module = machine.pop(), machine.pop()
    machine.push(machine.named(module, name))


def _call(machine: Machine, _: object) -> None:
    arguments, function = machine.pop(), machine.pop()
    machine.push(machine.call(function, arguments))


def _call_with_keywords(machine: Machine, _: object) -> None:
    machine.pop(), machine.pop(), machine.pop()
    machine.push(Placeholder())


def _call_at_mark(machine: Machine, _: object) -> None:
    function, *arguments = machine.pop_mark() or (None,)
    machine.push(machine.call(function, tuple(arguments)))


def _call_of_name(machine: Machine, names: str) -> None:
    function = machine.named(*names.split(" ", 1))
    machine.push(machine.call(function, tuple(machine.pop_mark())))


def _set(machine: Machine, _: object) -> None:
    machine.pop_mark()
    machine.push(Placeholder())


def _constant(make: Callable[[], object]) -> Callable[[Machine, object], None]:
    return lambda machine, _: machine.push(make())


def _tuple_of(count: int) -> Callable[[Machine, object], None]:
    return lambda machine, _: machine.push(tuple(machine.pop() for _ in range(count))[::-1])


_VALUES = (
    "INT",
    "BININT",
    "BININT1",
    "BININT2",
    "LONG",
    "LONG1",
    "LONG4",
    "FLOAT",
    "BINFLOAT",
    "STRING",
    "BINSTRING",
    "SHORT_BINSTRING",
    "BINBYTES",
    "SHORT_BINBYTES",
    "BINBYTES8",
    "BYTEARRAY8",
    "UNICODE",
    "BINUNICODE",
    "SHORT_BINUNICODE",
    "BINUNICODE8",
)

_ACTIONS: dict[str, Callable[[Machine, object], object]] = {
    **dict.fromkeys(("PROTO", "FRAME", "STOP"), lambda machine, _: None),
    **dict.fromkeys(_VALUES, Machine.push),
    "NONE": _constant(lambda: None),
    "NEWTRUE": _constant(lambda: True),
    "NEWFALSE": _constant(lambda: False),
    "MARK": _constant(lambda: _MARK),
    "POP": lambda machine, _: machine.drop(),
    "POP_MARK": lambda machine, _: machine.pop_mark(),
    "DUP": lambda machine, _: machine.push(machine.top()),
    **dict.fromkeys(("PUT", "BINPUT", "LONG_BINPUT"), Machine.store),
    "MEMOIZE": lambda machine, _: machine.store(len(machine.memo)),
    **dict.fromkeys(("GET", "BINGET", "LONG_BINGET"), Machine.recall),
    "EMPTY_TUPLE": _constant(tuple),
    "TUPLE1": _tuple_of(1),
    "TUPLE2": _tuple_of(2),
    "TUPLE3": _tuple_of(3),
    "TUPLE": lambda machine, _: machine.push(tuple(machine.pop_mark())),
    "EMPTY_LIST": _constant(list),
    "LIST": lambda machine, _: machine.push(machine.pop_mark()),
    "APPEND": lambda machine, _: machine.extend([machine.pop()]),
    "APPENDS": lambda machine, _: machine.extend(machine.pop_mark()),
    "EMPTY_DICT": _constant(dict),
    "DICT": _new_dict,
    "SETITEM": _set_item,
    "SETITEMS": lambda machine, _: machine.fill(machine.pop_mark()),
    "EMPTY_SET": _constant(Placeholder),
    "FROZENSET": _set,
    "ADDITEMS": lambda machine, _: machine.pop_mark(),
    "GLOBAL": lambda machine, names: machine.push(machine.named(*names.split(" ", 1))),
    "STACK_GLOBAL": _global_on_stack,
    "BINPERSID": lambda machine, _: machine.push(machine.persistent(machine.pop())),
    "REDUCE": _call,
    "NEWOBJ": _call,
    "NEWOBJ_EX": _call_with_keywords,
    "OBJ": _call_at_mark,
    "INST": _call_of_name,
    "BUILD": lambda machine, _: machine.pop(),
}
