"""Whether options fit the model, as far as its file tells without PyTorch. What it does not is told later."""

import re
from pathlib import Path

from ..errors import CheckpointError, StyleMixError
from ..files.header import read_header
from ..masks.grammar import MaskSource
from .options import GeneratorOptions

DEMO = Path(__file__).parent.parent / "demo"


def check_layers(models: GeneratorOptions, *masks: str | None, cutoff: int | None = None) -> None:
    """Errors where masks or a cutoff go beyond the layers of the generator."""
    num_ws = known_layers(models)
    if num_ws is None:
        return
    for text in masks:
        if text is not None:
            MaskSource(text).require(num_ws)
    check_cutoff(cutoff, num_ws)


def check_cutoff(cutoff: int | None, num_ws: int) -> None:
    if cutoff is not None and cutoff > num_ws:
        raise StyleMixError(
            f"truncation_cutoff is {cutoff}, but this generator has {num_ws} layers; give 0 to {num_ws}"
        )


def known_layers(models: GeneratorOptions) -> int | None:
    """The layers of the generator that the options name; None where only its reader can tell."""
    source = models.generator
    if source is None and models.encoder != "demo":
        if (metadata := own_metadata(Path(models.encoder))) is None:
            return None
        source = models.encoder if holds_generator(metadata) else "demo"
    path = DEMO / "generator.safetensors" if source in (None, "demo") else Path(source)
    metadata = own_metadata(path)
    return None if metadata is None or not holds_generator(metadata) else int(metadata["num_ws"])


def own_metadata(path: Path) -> dict[str, str] | None:
    """The metadata of a model file that this package has written, None for other files."""
    try:
        with open(path, "rb") as file:
            _, metadata = read_header(file)
    except (OSError, CheckpointError):
        return None
    own = metadata.get("format") == "stylemix" and re.fullmatch(r"[1-9][0-9]?", metadata.get("num_ws", ""))
    return metadata if own else None


def holds_generator(metadata: dict[str, str]) -> bool:
    return '"generator"' in metadata.get("config", "")
