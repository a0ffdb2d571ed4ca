"""From codes to pictures, with all that injection can add to W+; and what a region lets through."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from hashlib import sha256
from itertools import chain, count

import torch
import torch.nn.functional as F

from .codes.combine import resize_mask
from .codes.latents import Latents
from .codes.style_space import styles_of
from .errors import StyleMixError
from .generator import Generator
from .generator.batches import Runner
from .generator.engine.parts import CHUNK
from .generator.engine.regions import draw_regions
from .images import average, to_comfy
from .moving import STILL, Move

MARGIN = 8 / 256
"""How far from a region's seam its leakage is measured, of the picture's width."""

MEASURED_AT = 256
"""Width in pixels at which leakage is measured, at most."""


def decode(
    generator: Generator,
    latents: Latents,
    noise_mode: str = "const",
    noise_seed: int | Sequence[int] | None = None,
    resolution: int | None = None,
    move: Move = STILL,
) -> torch.Tensor:
    """Draw codes of any kind in one pass; arguments, result and errors as for `Synthesis.draw`.

    move: for all pictures or each of them; `StyleMixError` where the generator cannot.
    """
    synthesis = generator.synthesis
    if not latents.regions and latents.channels is None and latents.w_rgb is None:
        pictures: torch.Tensor = synthesis(
            latents.w, noise_mode, noise_seed, resolution, move.translate, move.rotate
        )
        return pictures
    codes = [latents, *(region.codes for region in latents.regions)]
    streams = [synthesis.moved(styles_of(generator, one), move.translate, move.rotate) for one in codes]
    if not latents.regions:
        return synthesis.draw(streams[0], noise_mode, noise_seed, resolution)
    masks = torch.stack([resize_mask(region.mask, *generator.img_shape) for region in latents.regions])
    return draw_regions(synthesis, streams, masks, noise_mode, noise_seed, resolution)


@torch.inference_mode()
def glimpse(generator: Generator, latents: Latents, noise_mode: str, side: int) -> torch.Tensor:
    """The first code's picture for a quick look, `[H, W, 3]` in 0…1 on the CPU.

    Where pictures are larger than `side` it is the largest inside the network that is not; `StyleMixError` where there
    is none.
    """
    resolution = None
    if generator.img_resolution > side:
        inside = [size for size in generator.synthesis.colour_resolutions if size <= side]
        if not inside:
            raise StyleMixError(f"this generator has no picture of {side} pixels or less inside")
        resolution = max(inside)
    (picture,) = to_comfy(decode(generator, latents.take([0]), noise_mode, 0, resolution).cpu())
    return picture


def draw_distinct(
    latents: Latents,
    runner: Runner,
    noise_mode: str = "const",
    noise_seed: int | None = None,
    move: Move = STILL,
) -> tuple[torch.Tensor, list[int]]:
    """`decode` codes, equal ones once: the pictures, and for each code the place of its own among them.

    noise_seed: of random noise, from which picture i takes its own, `noise_seed + i`. move: as for `decode`.
    """
    move.check(len(latents))
    codes, places = distinct(latents, noise_mode, move)

    def forward(generator: Generator, items: slice) -> torch.Tensor:
        seed = None if noise_seed is None else noise_seed + items.start
        return decode(generator, codes.take(items), noise_mode, seed, move=move.take(items))

    return runner(len(codes), forward), places


def draw_each(
    generator: Generator,
    parts: Sequence[Latents],
    noise_mode: str = "const",
    noise_seeds: Sequence[int] | None = None,
    move: Move = STILL,
    most: int = CHUNK,
) -> Iterator[torch.Tensor]:
    """Pictures `[C, H, W]` of all batches on the CPU, one by one, equal codes drawn once.

    A few are drawn ahead at a time, and none is kept longer than it is awaited.
    noise_seeds: of random noise, one per code of a batch; else 0, 1, … move: as for `decode`. most: drawn ahead.
    """
    move.check(sum(map(len, parts)))
    kept, places = distinct_in(parts, noise_mode, move)
    awaited = Counter(chain(*places))
    drawn: dict[int, torch.Tensor] = {}
    first = 0
    for part, own in zip(kept, places, strict=True):
        for place in own:
            if place not in drawn:  # new codes come in their order, so it is the first of a chunk
                chunk = slice(place - first, min(place - first + most, len(part)))
                seeds = (range(len(part)) if noise_seeds is None else noise_seeds)[chunk]
                moves = move.take(slice(place, first + chunk.stop))
                pictures = decode(generator, part.take(chunk), noise_mode, seeds, move=moves).cpu()
                drawn.update(enumerate(pictures, place))
            awaited[place] -= 1
            yield drawn[place] if awaited[place] else drawn.pop(place)
        first += len(part)


def distinct(latents: Latents, noise_mode: str = "const", move: Move = STILL) -> tuple[Latents, list[int]]:
    """The codes without repetitions, in their order, and for each given code the place of its equal among them.

    Equal codes give equal pictures unless noise is random or each moves in its own way; then all of them are kept.
    """
    (kept,), (places,) = distinct_in([latents], noise_mode, move)
    return kept, places


def distinct_in(
    parts: Sequence[Latents], noise_mode: str = "const", move: Move = STILL
) -> tuple[list[Latents], list[list[int]]]:
    """`distinct` of several batches: of each the codes that none before it has, which may be none.

    Places count through all the batches that are returned.
    """
    numbers = count()
    places: dict[object, int] = {}
    kept, found = [], []
    for part in parts:
        keys = keys_of(part) if noise_mode != "random" and move.alike else [next(numbers) for _ in part.w]
        new = []
        for i, key in enumerate(keys):
            if key not in places:
                places[key] = len(places)
                new.append(i)
        kept.append(part if len(new) == len(part) else part.take(new))
        found.append([places[key] for key in keys])
    return kept, found


def keys_of(latents: Latents) -> list[bytes]:
    """A checksum of each code, of all that it carries: equal ones are equal codes."""
    tensors = [latents.w, latents.w_rgb, latents.channels, *(region.mask for region in latents.regions)]
    held = [tensor.cpu().numpy() for tensor in tensors if tensor is not None]
    inside = [keys_of(region.codes) for region in latents.regions]
    return [
        sha256(b"".join([*(rows[i].tobytes() for rows in held), *(keys[i] for keys in inside)])).digest()
        for i in range(len(latents))
    ]


def leakage(generator: Generator, latents: Latents, move: Move = STILL) -> torch.Tensor:
    """How much injection in a region changed, of what injection in the whole picture changes in the same places.

    Of the uppermost region, against what lies below it. Draws every code three times, at 256 px if there are such
    pictures inside. Returns float32 `[B, 2]`: beyond 8 px (of 256) of the region's seam, where 0 is ideal, and inside
    the region, where 1 is. move: as for `decode`.
    """
    *below, top = latents.regions
    sizes = [size for size in generator.synthesis.colour_resolutions if size <= MEASURED_AT]
    size = sizes[-1] if sizes else None
    source = decode(generator, replace(latents, regions=tuple(below)), resolution=size, move=move)
    everywhere = decode(generator, top.codes, resolution=size, move=move)
    mixed = decode(generator, latents, resolution=size, move=move)
    mask = average(top.mask.to(source)[:, None] / 255, source.shape[2], source.shape[3])
    margin = max(1, round(MARGIN * max(source.shape[2:])))
    far = F.max_pool2d(mask, 2 * margin + 1, 1, margin) == 0
    inside = mask > 0.5

    def part(place: torch.Tensor) -> torch.Tensor:
        changed, full = (((image - source).abs() * place).sum((1, 2, 3)) for image in (mixed, everywhere))
        return changed / full.clamp_min(1e-6)

    return torch.stack([part(far), part(inside)], 1)


def describe_leakage(outside: float, inside: float) -> str:
    """What `leakage` of one code tells people."""
    return (
        f"Of what the style changes: {inside:.0%} inside the region, {outside:.1%} outside of it "
        "(beyond 8 px of 256 from its edge)."
    )
