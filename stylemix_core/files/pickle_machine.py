"""A stack machine that runs pickles as data. See `unpickle` for what they may name.

Every value that it makes is a builtin container, number or text, a `Record`, a `LongText`, or what a stand-in
returns. It needs no recursion, and everything that it does is paid for from a `Budget`, so that no file can
exhaust the stack, the memory or anyone's patience.
"""

import pickle
import pickletools
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ..errors import CheckpointError

STEPS_OF_A_FILE = 500_000
"""The largest known checkpoints need a fifth of it. A step takes about a microsecond and 200 bytes."""
TEXT_PER_STEP = 64
"""Bytes of text that cost as much as a step: UTF-8 may take four times its length in memory."""
KEPT_IN_FILE = 256
"""Byte strings longer than this are views of the mapped file."""
LONGEST_TEXT = 1 << 18
"""Longer texts stay in the file."""
LONGEST_INTEGER = 1 << 10
"""Bytes of an integer."""


Known = Mapping[str, Callable[..., Any]]
"""Allowed globals, and what stands in for each."""

NETWORK_PARTS = ("torch.nn.modules.", "timm.layers.", "timm.models.", "pg_modules.", "feature_networks.")
"""How names of layers start that StyleGAN-XL pickles by name, its discriminators' among them; they become records."""

OPERATIONS = {operation.code: operation.name for operation in pickletools.opcodes}


class Budget:
    """How much more may be done for one file, its nested pickles included."""

    def __init__(self, steps: int = STEPS_OF_A_FILE):
        self.left = steps

    def spend(self, steps: int) -> None:
        self.left -= steps
        if self.left < 0:
            raise CheckpointError(
                f"the file takes more than {STEPS_OF_A_FILE} steps to read, more than any known checkpoint"
            )


@dataclass(eq=False, repr=False)
class Record:
    """What a class or a constructor call of the file has become: its name and its data."""

    name: str
    args: tuple[Any, ...]
    state: Any = None


@dataclass(eq=False, repr=False)
class LongText:
    """A text too long to be a name or a source file, in UTF-8: old pickles write numpy's bytes so."""

    data: memoryview


class Stateful:
    """A stand-in that takes its data after it was made."""

    def set_state(self, state: Any) -> None:
        raise NotImplementedError


@dataclass(frozen=True, eq=False, repr=False)
class Global:
    """An allowed global and what stands in for it."""

    name: str
    stand_in: Callable[..., Any]


class Machine:
    """Runs pickles that name none but the `known` globals."""

    def __init__(self, known: Known, budget: Budget, persistent: Callable[[Any], Any] | None = None):
        self.known, self.budget, self.persistent = known, budget, persistent

    def run(self, stream: "Stream") -> Any:
        self.stream = stream
        self.stack: list[Any] = []
        self.marks: list[list[Any]] = []
        self.memo: dict[int, Any] = {}
        while True:
            self.budget.spend(1)
            opcode = stream.read(1)
            if opcode == pickle.STOP:
                return self.stack.pop()
            step = STEPS.get(opcode)
            if step is None:
                name = OPERATIONS.get(opcode.decode("latin-1"), opcode.hex())
                raise CheckpointError(f"refused the pickle operation {name}, which no checkpoint needs")
            step(self)

    def push(self, value: Any) -> None:
        self.stack.append(value)

    # Numbers, texts and bytes

    def size(self, width: int) -> int:
        return int.from_bytes(self.stream.read(width), "little")

    def integer(self, width: int) -> None:
        length = self.size(width)
        if length > LONGEST_INTEGER:
            raise CheckpointError(f"refused a number of {length} bytes; a checkpoint's numbers are short")
        self.push(int.from_bytes(self.stream.read(length), "little", signed=True))

    def decimal(self) -> None:
        line = self.stream.line()[:LONGEST_INTEGER].removesuffix(b"L")
        self.push(line == b"01" if line in (b"00", b"01") else int(line))

    def text(self, width: int) -> None:
        length = self.size(width)
        if length > LONGEST_TEXT:
            self.push(LongText(self.stream.view(length)))
            return
        self.budget.spend(length // TEXT_PER_STEP)
        self.push(str(self.stream.read(length), "utf-8", "surrogatepass"))

    def byte_string(self, width: int) -> None:
        self.push(self.stream.read_or_view(self.size(width)))

    def old_string(self, width: int) -> None:
        """Python 2's type for both text and bytes: text if it is short."""
        data = self.stream.read_or_view(self.size(width))
        self.push(data.decode("latin-1") if isinstance(data, bytes) else data)

    def text_line(self, decode: Callable[[bytes], str]) -> None:
        line = self.stream.line()
        self.budget.spend(len(line) // TEXT_PER_STEP)
        self.push(decode(line))

    # Containers

    def mark(self) -> None:
        self.marks.append(self.stack)
        self.stack = []

    def pop_mark(self) -> list[Any]:
        items = self.stack
        self.stack = self.marks.pop()
        return items

    def tuple_(self, count: int) -> None:
        items = tuple(self.stack[-count:])
        if len(items) != count:
            raise IndexError("stack underflow")
        self.stack[-count:] = [items]

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

    def dict_(self) -> None:
        pairs = self.pop_mark()
        self.push({})
        self.setitems(pairs)

    # What was there before

    def remember(self, index: int) -> None:
        self.memo[index] = self.stack[-1]

    def index(self) -> int:
        return int(self.stream.line()[:10])

    # Globals and objects

    def global_(self) -> None:
        module, name = self.stream.line(), self.stream.line()
        self.push(self.find(module.decode(), name.decode()))

    def stack_global(self) -> None:
        name, module = self.stack.pop(), self.stack.pop()
        self.push(self.find(module, name))

    def find(self, module: Any, name: Any) -> Global:
        full = f"{module}.{name}" if isinstance(module, str) and isinstance(name, str) else "(not a name)"
        self.budget.spend(len(full) // TEXT_PER_STEP)  # a text of its own, that parts of networks keep
        if full.startswith(NETWORK_PARTS):
            return Global(full, lambda *arguments: Record(full, arguments))
        if full not in self.known:
            raise CheckpointError(
                f"refused: the file asks for the Python global {shown(full)}, which no checkpoint needs. It may be "
                "harmful; nothing of it was run. Get the file from its original publisher."
            )
        return Global(full, self.known[full])

    def call(self, target: Any, arguments: Any) -> None:
        if not isinstance(target, Global) or not isinstance(arguments, tuple):
            raise CheckpointError(f"refused to call a {type(target).__name__}")
        # Stand-ins copy the containers and encode the texts that they are given.
        for argument in arguments:
            if isinstance(argument, list | tuple | dict | set | frozenset):
                self.budget.spend(len(argument))
            elif isinstance(argument, str):
                self.budget.spend(len(argument) // TEXT_PER_STEP)
        self.push(target.stand_in(*arguments))

    def reduce(self) -> None:
        arguments = self.stack.pop()
        self.call(self.stack.pop(), arguments)

    def newobj_ex(self) -> None:
        if self.stack.pop():
            raise CheckpointError("refused a class that is made with keyword arguments")
        self.reduce()

    def inst(self) -> None:
        self.global_()
        target = self.stack.pop()
        self.call(target, tuple(self.pop_mark()))

    def obj(self) -> None:
        target, *arguments = self.pop_mark()
        self.call(target, tuple(arguments))

    def build(self) -> None:
        state, target = self.stack.pop(), self.stack[-1]
        if isinstance(target, Record):
            target.state = state
        elif isinstance(target, Stateful):
            for part in state if isinstance(state, list | tuple) else ():
                if isinstance(part, str):
                    self.budget.spend(len(part) // TEXT_PER_STEP)  # arrays of Python 2 are encoded texts
            target.set_state(state)
        # Attributes of a dictionary, such as a state dict's _metadata, are dropped.
        elif not isinstance(target, dict):
            raise CheckpointError(f"refused to set the state of a {type(target).__name__}")

    def persistent_id(self, identity: Any) -> None:
        if self.persistent is None:
            raise CheckpointError("refused a persistent id outside a PyTorch file")
        self.push(self.persistent(identity))


def number(layout: str) -> Callable[[Machine], None]:
    """A step that reads a packed number."""
    packed = struct.Struct(layout)
    return lambda machine: machine.push(packed.unpack(machine.stream.read(packed.size))[0])


STEPS: dict[bytes, Callable[[Machine], Any]] = {
    pickle.PROTO: lambda machine: machine.stream.read(1),
    pickle.FRAME: lambda machine: machine.stream.read(8),
    pickle.NONE: lambda machine: machine.push(None),
    pickle.NEWTRUE: lambda machine: machine.push(True),
    pickle.NEWFALSE: lambda machine: machine.push(False),
    pickle.BININT: number("<i"),
    pickle.BININT1: number("<B"),
    pickle.BININT2: number("<H"),
    pickle.LONG1: lambda machine: machine.integer(1),
    pickle.LONG4: lambda machine: machine.integer(4),
    pickle.INT: Machine.decimal,
    pickle.LONG: Machine.decimal,
    pickle.BINFLOAT: number(">d"),
    pickle.FLOAT: lambda machine: machine.push(float(machine.stream.line())),
    pickle.SHORT_BINUNICODE: lambda machine: machine.text(1),
    pickle.BINUNICODE: lambda machine: machine.text(4),
    pickle.BINUNICODE8: lambda machine: machine.text(8),
    pickle.UNICODE: lambda machine: machine.text_line(lambda line: line.decode("raw-unicode-escape")),
    pickle.STRING: lambda machine: machine.text_line(unquoted),
    pickle.SHORT_BINBYTES: lambda machine: machine.byte_string(1),
    pickle.BINBYTES: lambda machine: machine.byte_string(4),
    pickle.BINBYTES8: lambda machine: machine.byte_string(8),
    pickle.BYTEARRAY8: lambda machine: machine.byte_string(8),
    pickle.SHORT_BINSTRING: lambda machine: machine.old_string(1),
    pickle.BINSTRING: lambda machine: machine.old_string(4),
    pickle.EMPTY_LIST: lambda machine: machine.push([]),
    pickle.EMPTY_DICT: lambda machine: machine.push({}),
    pickle.EMPTY_SET: lambda machine: machine.push(set()),
    pickle.EMPTY_TUPLE: lambda machine: machine.push(()),
    pickle.MARK: Machine.mark,
    pickle.LIST: lambda machine: machine.push(machine.pop_mark()),
    pickle.TUPLE: lambda machine: machine.push(tuple(machine.pop_mark())),
    pickle.DICT: Machine.dict_,
    pickle.FROZENSET: lambda machine: machine.push(frozenset(map(require_key, machine.pop_mark()))),
    pickle.TUPLE1: lambda machine: machine.tuple_(1),
    pickle.TUPLE2: lambda machine: machine.tuple_(2),
    pickle.TUPLE3: lambda machine: machine.tuple_(3),
    pickle.APPEND: lambda machine: machine.append([machine.stack.pop()]),
    pickle.APPENDS: lambda machine: machine.append(machine.pop_mark()),
    pickle.ADDITEMS: lambda machine: machine.append(machine.pop_mark()),
    pickle.SETITEM: lambda machine: machine.setitems([machine.stack.pop(), machine.stack.pop()][::-1]),
    pickle.SETITEMS: lambda machine: machine.setitems(machine.pop_mark()),
    pickle.POP: lambda machine: machine.stack.pop() if machine.stack else machine.pop_mark(),
    pickle.POP_MARK: lambda machine: machine.pop_mark(),
    pickle.DUP: lambda machine: machine.push(machine.stack[-1]),
    pickle.GET: lambda machine: machine.push(machine.memo[machine.index()]),
    pickle.BINGET: lambda machine: machine.push(machine.memo[machine.size(1)]),
    pickle.LONG_BINGET: lambda machine: machine.push(machine.memo[machine.size(4)]),
    pickle.PUT: lambda machine: machine.remember(machine.index()),
    pickle.BINPUT: lambda machine: machine.remember(machine.size(1)),
    pickle.LONG_BINPUT: lambda machine: machine.remember(machine.size(4)),
    pickle.MEMOIZE: lambda machine: machine.remember(len(machine.memo)),
    pickle.GLOBAL: Machine.global_,
    pickle.STACK_GLOBAL: Machine.stack_global,
    pickle.REDUCE: Machine.reduce,
    pickle.NEWOBJ: Machine.reduce,
    pickle.NEWOBJ_EX: Machine.newobj_ex,
    pickle.INST: Machine.inst,
    pickle.OBJ: Machine.obj,
    pickle.BUILD: Machine.build,
    pickle.BINPERSID: lambda machine: machine.persistent_id(machine.stack.pop()),
}
"""What is done for each operation. Those that are not here are refused."""


def unquoted(line: bytes) -> str:
    """A text of protocol 0, written as Python 2's repr."""
    line = line.strip()
    if len(line) < 2 or line[0] != line[-1] or line[:1] not in (b"'", b'"'):
        raise CheckpointError("a text of the pickle has no quotes around it; the file is damaged")
    return line[1:-1].decode("unicode-escape")


def shown(value: Any) -> str:
    """A value of the file for a message: short, and without walking into what may be endless."""
    if isinstance(value, str):
        return repr(value if len(value) <= 80 else value[:80] + "…")
    if value is None or isinstance(value, bool | float) or (isinstance(value, int) and abs(value) < 2**64):
        return repr(value)
    return f"a value of the type {type(value).__name__}"


def require_key(value: Any) -> Any:
    """Keys and set members are plain: hashing a nested tuple may overflow the C stack, big integers may collide."""
    plain = value is None or isinstance(value, str | float | bytes)
    if not plain and not (isinstance(value, int) and abs(value) < 2**64):
        raise CheckpointError(f"refused a key of a dictionary that is {shown(value)}")
    return value


class Stream:
    """Reads mapped memory from a position on. Nothing is copied that may be long."""

    def __init__(self, data: memoryview, position: int = 0):
        self.data, self.position = data, position

    def view(self, count: int) -> memoryview:
        start, end = self.position, self.position + count
        if end > len(self.data):
            raise CheckpointError(
                f"the file ends at byte {len(self.data)}, but {count} more bytes were announced at {start}; "
                "it is cut off: download or copy it again"
            )
        self.position = end
        return self.data[start:end]

    def read(self, count: int) -> bytes:
        return bytes(self.view(count))

    def read_or_view(self, count: int) -> bytes | memoryview:
        return self.view(count) if count > KEPT_IN_FILE else self.read(count)

    def line(self) -> bytes:
        """Up to the next line feed, without it."""
        length = KEPT_IN_FILE
        while length <= LONGEST_TEXT:
            piece = bytes(self.data[self.position : self.position + length])
            end = piece.find(b"\n")
            if end >= 0:
                self.position += end + 1
                return piece[:end]
            if self.position + length > len(self.data):
                break
            length *= 4
        raise CheckpointError("the pickle has a line without an end; it is damaged")
