"""A stack machine that runs pickles as data. See `unpickle` for what they may name.

Every value that it makes is a builtin container, number or text, a `Record`, or what a stand-in returns. It
needs no recursion and bounds the steps, so that no file can exhaust the stack or the memory.
"""

import mmap
import os
import pickletools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO, cast

from ..errors import CheckpointError

MAX_OPERATIONS = 1_500_000
"""Steps of one pickle. The largest known checkpoints need some hundred thousand."""
KEPT_IN_FILE = 256
"""Byte strings longer than this are views of the mapped file."""


@dataclass(eq=False)
class Record:
    """What a class or a constructor call of the file has become: its name and its data."""

    name: str
    args: tuple
    state: Any = None


class Stateful:
    """A stand-in that takes its data after it was made."""

    def set_state(self, state: Any) -> None:
        raise NotImplementedError


class Machine:
    """Runs one pickle. `known` maps each allowed global to what stands in for it."""

    def __init__(self, known: Mapping[str, Callable], persistent: Callable[[Any], Any] | None = None):
        self.known, self.persistent = known, persistent

    def run(self, stream: "Stream") -> Any:
        self.stack: list[Any] = []
        self.marks: list[list[Any]] = []
        self.memo: dict[int, Any] = {}
        for count, (opcode, argument, _) in enumerate(pickletools.genops(cast(BinaryIO, stream))):
            if count > MAX_OPERATIONS:
                raise CheckpointError(
                    f"the pickle has more than {MAX_OPERATIONS} steps, more than any known checkpoint"
                )
            if opcode.name in PUSHES_ARGUMENT:
                self.stack.append(argument)
            elif opcode.name == "STOP":
                break
            else:
                step = STEPS.get(opcode.name)
                if step is None:
                    raise CheckpointError(
                        f"refused the pickle operation {opcode.name}, which no checkpoint needs"
                    )
                step(self, argument)
        return self.stack.pop()

    def mark(self, _) -> None:
        self.marks.append(self.stack)
        self.stack = []

    def pop_mark(self) -> list[Any]:
        items = self.stack
        self.stack = self.marks.pop()
        return items

    def global_(self, argument: str) -> None:
        module, name = argument.split(" ", 1)
        self.stack.append(self.find(module, name))

    def stack_global(self, _) -> None:
        name, module = self.stack.pop(), self.stack.pop()
        self.stack.append(self.find(module, name))

    def find(self, module: Any, name: Any) -> "Global":
        full = f"{module}.{name}" if isinstance(module, str) and isinstance(name, str) else "(not a name)"
        if full not in self.known:
            raise CheckpointError(
                f"refused: the file asks for the Python global {full!r}, which no checkpoint needs. It may be "
                "harmful; nothing of it was run. Get the file from its original publisher."
            )
        return Global(full, self.known[full])

    def reduce(self, _) -> None:
        arguments = self.stack.pop()
        self.stack.append(call(self.stack.pop(), arguments))

    def newobj_ex(self, _) -> None:
        if self.stack.pop():
            raise CheckpointError("refused a class that is made with keyword arguments")
        self.reduce(None)

    def inst(self, argument: str) -> None:
        arguments = tuple(self.pop_mark())
        module, name = argument.split(" ", 1)
        self.stack.append(call(self.find(module, name), arguments))

    def obj(self, _) -> None:
        constructor, *arguments = self.pop_mark()
        self.stack.append(call(constructor, tuple(arguments)))

    def build(self, _) -> None:
        state, target = self.stack.pop(), self.stack[-1]
        if isinstance(target, Record):
            target.state = state
        elif isinstance(target, Stateful):
            target.set_state(state)
        # Attributes of a dictionary, such as a state dict's _metadata, are dropped.
        elif not isinstance(target, dict):
            raise CheckpointError(f"refused to set the state of a {type(target).__name__}")

    def persistent_id(self, _) -> None:
        if self.persistent is None:
            raise CheckpointError("refused a persistent id outside a PyTorch file")
        self.stack.append(self.persistent(self.stack.pop()))

    def setitems(self, pairs: list[Any]) -> None:
        target = self.stack[-1]
        if not isinstance(target, dict) or len(pairs) % 2:
            raise CheckpointError(f"refused to set items of a {type(target).__name__}")
        target.update((require_key(key), value) for key, value in zip(pairs[::2], pairs[1::2], strict=True))

    def append(self, items: list[Any]) -> None:
        target = self.stack[-1]
        if isinstance(target, set):
            target.update(require_key(item) for item in items)
        elif isinstance(target, list):
            target.extend(items)
        else:
            raise CheckpointError(f"refused to append to a {type(target).__name__}")

    def tuple_(self, count: int) -> None:
        items = tuple(self.stack[-count:])
        if len(items) != count:
            raise IndexError("stack underflow")
        self.stack[-count:] = [items]

    def push(self, value: Any) -> None:
        self.stack.append(value)

    def remember(self, index: int) -> None:
        self.memo[index] = self.stack[-1]


PUSHES_ARGUMENT = frozenset(
    ("BININT", "BININT1", "BININT2", "LONG1", "LONG4", "BINFLOAT", "BINSTRING", "SHORT_BINSTRING")
    + (
        "BINUNICODE",
        "SHORT_BINUNICODE",
        "BINUNICODE8",
        "BINBYTES",
        "SHORT_BINBYTES",
        "BINBYTES8",
        "BYTEARRAY8",
    )
)
STEPS: dict[str, Callable[[Machine, Any], Any]] = {
    "PROTO": lambda machine, _: None,
    "FRAME": lambda machine, _: None,
    "MARK": Machine.mark,
    "POP": lambda machine, _: machine.stack.pop() if machine.stack else machine.pop_mark(),
    "POP_MARK": lambda machine, _: machine.pop_mark(),
    "DUP": lambda machine, _: machine.push(machine.stack[-1]),
    "NONE": lambda machine, _: machine.push(None),
    "NEWTRUE": lambda machine, _: machine.push(True),
    "NEWFALSE": lambda machine, _: machine.push(False),
    "EMPTY_LIST": lambda machine, _: machine.push([]),
    "EMPTY_DICT": lambda machine, _: machine.push({}),
    "EMPTY_SET": lambda machine, _: machine.push(set()),
    "EMPTY_TUPLE": lambda machine, _: machine.push(()),
    "LIST": lambda machine, _: machine.push(machine.pop_mark()),
    "TUPLE": lambda machine, _: machine.push(tuple(machine.pop_mark())),
    "FROZENSET": lambda machine, _: machine.push(frozenset(map(require_key, machine.pop_mark()))),
    "TUPLE1": lambda machine, _: machine.tuple_(1),
    "TUPLE2": lambda machine, _: machine.tuple_(2),
    "TUPLE3": lambda machine, _: machine.tuple_(3),
    "APPEND": lambda machine, _: machine.append([machine.stack.pop()]),
    "APPENDS": lambda machine, _: machine.append(machine.pop_mark()),
    "ADDITEMS": lambda machine, _: machine.append(machine.pop_mark()),
    "SETITEM": lambda machine, _: machine.setitems([machine.stack.pop(), machine.stack.pop()][::-1]),
    "SETITEMS": lambda machine, _: machine.setitems(machine.pop_mark()),
    "GLOBAL": Machine.global_,
    "STACK_GLOBAL": Machine.stack_global,
    "REDUCE": Machine.reduce,
    "NEWOBJ": Machine.reduce,
    "NEWOBJ_EX": Machine.newobj_ex,
    "INST": Machine.inst,
    "OBJ": Machine.obj,
    "BUILD": Machine.build,
    "BINPERSID": Machine.persistent_id,
    "BINGET": lambda machine, index: machine.push(machine.memo[index]),
    "LONG_BINGET": lambda machine, index: machine.push(machine.memo[index]),
    "BINPUT": Machine.remember,
    "LONG_BINPUT": Machine.remember,
    "MEMOIZE": lambda machine, _: machine.remember(len(machine.memo)),
}


@dataclass(frozen=True)
class Global:
    """An allowed global and what stands in for it."""

    name: str
    stand_in: Callable[..., Any]


def call(target: Any, arguments: Any) -> Any:
    if not isinstance(target, Global) or not isinstance(arguments, tuple):
        raise CheckpointError(f"refused to call a {type(target).__name__}")
    return target.stand_in(*arguments)


def require_key(value: Any) -> Any:
    """Keys and set members are plain: hashing a deeply nested tuple would overflow the C stack."""
    if not isinstance(value, str | int | float | bytes | None):
        raise CheckpointError(f"refused a {type(value).__name__} as the key of a dictionary")
    return value


def require_sizes(shape: Any) -> int:
    """The product of `shape`, a tuple of at most 8 natural numbers."""
    if (
        not isinstance(shape, tuple)
        or len(shape) > 8
        or not all(type(n) is int and 0 <= n < 2**40 for n in shape)
    ):
        raise CheckpointError("a tensor's shape or stride is not a short tuple of natural numbers")
    product = 1
    for size in shape:
        product *= size
    return product


class Stream:
    """A file object over mapped memory that hands out long reads as views, not copies."""

    def __init__(self, data: memoryview, position: int = 0):
        self.data, self.position = data, position

    def read(self, count: int) -> bytes | memoryview:
        view = self.data[self.position : self.position + count]
        if count < 0 or len(view) < count:
            raise CheckpointError(
                f"the file ends at byte {len(self.data)}, but {count} more bytes were announced at {self.position}; "
                "it is cut off: download or copy it again"
            )
        self.position += count
        return view if count > KEPT_IN_FILE else bytes(view)

    def readline(self) -> bytes:
        line = bytes(self.data[self.position : self.position + KEPT_IN_FILE]).split(b"\n", 1)[0] + b"\n"
        self.position += len(line)
        return line

    def tell(self) -> int:
        return self.position


def map_file(path: str | os.PathLike) -> memoryview:
    """The file's bytes. Changes are private to this process and never written back."""
    with open(path, "rb") as file:
        return memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY))
