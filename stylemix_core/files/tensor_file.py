"""The files that this package writes: named tensors as safetensors, with a format and its version in the metadata.

The library `safetensors` writes them. They are read by `mapped.read_safetensors`, which tells why.
"""

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import torch
from safetensors.torch import save_file

from ..errors import CheckpointError, StyleMixError
from .damage import DAMAGE, LONGEST_CAUSE, using
from .header import METADATA
from .source import Source
from .stored import StoredTensor
from .writing import replacing

T = TypeVar("T")


@dataclass(frozen=True)
class TensorFormat:
    """One kind of file, told by its metadata."""

    name: str
    """The metadata's `format`."""
    contents: str
    """What a file of this kind holds, as messages call it: "directions"."""
    version: str
    """The newest version; files are of it unless `save` is told otherwise."""
    older: tuple[str, ...] = ()
    """The versions that are read besides."""
    foreign: str | None = None
    """A tensor that other tools write, too: of a file of another format it is read, and nothing else."""
    others: str = ""
    """Which other files are read, for messages."""

    def save(
        self,
        path: str | os.PathLike[str],
        tensors: Mapping[str, torch.Tensor],
        metadata: Mapping[str, str | None],
        extra: Mapping[str, str] | None = None,
        version: str | None = None,
    ) -> None:
        """Write tensors and metadata, those that are None left out. The file appears complete or not at all.

        The same contents make the same bytes.

        extra: further metadata, such as a workflow; they replace none of this format's own.
        version: None for the newest.
        """
        own = {"format": self.name, "version": version or self.version, **metadata}
        texts = {**(extra or {}), **{key: text for key, text in own.items() if text is not None}}
        stored = storable(tensors)
        with replacing(path) as partial:
            save_file(stored, partial, texts)
            sort_metadata(partial)

    def holds(self, path: str | os.PathLike[str]) -> bool:
        """Whether a file says that it is of this format. Only its header is read."""
        return self.marks(header(path)[1])

    def load(
        self,
        path: str | os.PathLike[str],
        build: Callable[[Mapping[str, torch.Tensor], Mapping[str, str]], T],
        what_is: Callable[[Path], str],
    ) -> T:
        """What `build` makes of a file's tensors, on the CPU, and of its metadata.

        build: may raise errors of this package, which are passed on with the file's name, and whatever missing or
            misshapen data lead to, which counts as damage.
        what_is: says of a file of another kind what it is, as the rest of a sentence that starts with "it is".
        `CheckpointError` when the file is missing, of another kind, of a newer version or damaged, and when it holds
        NaN or infinite numbers.
        """
        path = Path(path)
        if not path.is_file():
            raise CheckpointError(f"there is no file at {path}; check the path")
        stored, metadata = header(path)
        ours = self.marks(metadata)
        if not ours and self.foreign not in stored:
            raise CheckpointError(
                f"{path} holds no {self.contents}: it is {what_is(path)}. Expected a file that StyleMix saved"
                f"{self.others}"
            )
        try:
            with using(path):
                if ours:
                    self.check_version(metadata)
                names = stored if ours else [name for name in stored if name == self.foreign]
                tensors = {name: stored[name].load() for name in names}
                if not all(tensor.isfinite().all() for tensor in tensors.values()):
                    raise CheckpointError(f"it holds NaN or infinite numbers; make the {self.contents} anew")
                return build(tensors, metadata)
        except StyleMixError:
            raise
        except DAMAGE as error:
            reason = f"it lacks {error}" if isinstance(error, KeyError) else str(error)[:LONGEST_CAUSE]
            raise CheckpointError(f"{path} is damaged: {reason}; save the {self.contents} anew") from error

    def marks(self, metadata: Mapping[str, str]) -> bool:
        """Whether a file's metadata say that it is of this format."""
        return metadata.get("format") == self.name

    def check_version(self, metadata: Mapping[str, str]) -> None:
        """`CheckpointError` when the file is of a version that this program does not read."""
        version = metadata.get("version")
        if version not in (self.version, *self.older):
            raise CheckpointError(
                f"it is of version {version}, this program reads up to {self.version}; update StyleMix"
            )


def storable(tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The tensors on the CPU, without gaps, and no two in the same memory, which the library refuses to write."""
    stored: dict[str, torch.Tensor] = {}
    taken: set[int] = set()
    for name, tensor in tensors.items():
        tensor = tensor.detach().cpu().contiguous()
        if tensor.untyped_storage().data_ptr() in taken:
            tensor = tensor.clone()
        taken.add(tensor.untyped_storage().data_ptr())
        stored[name] = tensor
    return stored


def sort_metadata(path: Path) -> None:
    """Put the metadata of a safetensors file in order: the library writes them in another one each time."""
    with path.open("r+b") as file:
        length = int.from_bytes(file.read(8), "little")
        entries = json.loads(file.read(length))
        entries[METADATA] = dict(sorted(entries[METADATA].items()))
        text = json.dumps(entries, ensure_ascii=False, separators=(",", ":"))
        file.seek(8)
        file.write(text.encode().ljust(length))


def header(path: str | os.PathLike[str]) -> tuple[Mapping[str, StoredTensor], Mapping[str, str]]:
    """Tensors, still in the file, and metadata of a safetensors file; both empty where it is none that can be read."""
    try:
        return Source(path).safetensors
    except (*DAMAGE, StyleMixError):
        return {}, {}
