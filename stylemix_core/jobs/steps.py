"""The steps, done: to one item by readers in threads (align), or to a batch where the networks are."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import product
from pathlib import Path

import torch
from PIL import Image

from ..checkpoints import generator_beside, inspect_checkpoint, load_encoder, load_generator
from ..codes.certainty import as_latents, read
from ..codes.combine import join_latents, truncate_latents
from ..codes.direction_files import load_directions
from ..codes.directions import Directions, check_directions, moved
from ..codes.latents import Latents, check_generator, load_latents
from ..codes.sampling import sample_latents
from ..codes.seeds import class_labels
from ..decoding import decode
from ..demo import truth
from ..encoder import Encoder
from ..encoder.align import align_for
from ..encoder.pictures import fit
from ..errors import StyleMixError
from ..faces import FaceTransform
from ..faces.align import crop_largest
from ..faces.paste import paste_face
from ..faces.regions import REGIONS as NAMES
from ..faces.regions import find_regions
from ..files.endings import PICTURES
from ..files.pictures import load_image
from ..generator import Generator
from ..images import from_pil, to_pil, to_rgb
from ..inversion import check_encoder, invert, load_delta
from ..inversion.inputs import check
from ..inversion.options import choose_options
from ..masks.grammar import MaskSource
from ..masks.mask_list import parse_masks
from ..mixing.inject import inject_latents
from .chain import (
    Align,
    Decode,
    Direction,
    Encode,
    Factor,
    Inject,
    Invert,
    Paste,
    Regions,
    Step,
    Truncate,
    Vary,
)
from .job import Job
from .sources import Entry, Reader


@dataclass
class Piece:
    """One thing on its way through the steps."""

    number: int
    """Of its item in the plan."""
    entry: Entry
    key: str
    image: Image.Image | None = None
    """As it was read."""
    picture: torch.Tensor | None = None
    """`[3, H, W]` in −1…1, once something was drawn."""
    codes: Latents | None = None
    """A single one."""
    transform: FaceTransform | None = None
    """Where the picture was cropped from its photo; None where it is all of it."""
    truth: dict[str, float] = field(default_factory=dict)
    """The factors of a data set."""
    masks: dict[str, torch.Tensor] = field(default_factory=dict)
    """Regions `[H, W]` in 0…1."""
    photo: Image.Image | None = None
    """The whole photo with the face put back."""

    @property
    def bytes(self) -> int:
        """About how much memory it takes."""
        images = [image for image in (self.image, self.photo) if image is not None]
        tensors = [self.picture, *self.masks.values()]
        return sum(3 * image.width * image.height for image in images) + sum(
            4 * tensor.numel() for tensor in tensors if tensor is not None
        )

    def seen(self) -> torch.Tensor:
        """The picture `[1, 3, H, W]` in −1…1. `StyleMixError` where there is none."""
        if self.picture is not None:
            return self.picture[None]
        if self.image is None:
            raise StyleMixError("it is a W+ code; a picture is needed here")
        return from_pil(self.image)


class Tools:
    """The networks and files that a job's steps use, each read once."""

    def __init__(self, job: Job, reader: Reader | None = None):
        self.job = job
        self.reader = reader or Reader()
        self.styles: dict[tuple[str, ...], Latents] = {}
        self.directions: dict[str, Directions] = {}
        self.designs: dict[int, list[dict[str, float]]] = {}

    @cached_property
    def generator(self) -> Generator:
        models = self.job.models
        source = generator_beside(models.encoder, models.generator)
        generator = load_generator(source, models.device, models.dtype, compile=models.compile)
        return generator if models.tuning is None else load_delta(models.tuning).apply(generator)

    @cached_property
    def encoder(self) -> Encoder:
        models = self.job.models
        return load_encoder(models.encoder, models.device, models.dtype)

    def style(self, paths: tuple[str, ...]) -> Latents:
        """The codes of style files, of which pictures are encoded."""
        if paths not in self.styles:
            self.styles[paths] = join_latents([self._style(Path(path)) for path in paths])
        return self.styles[paths]

    def _style(self, path: Path) -> Latents:
        if path.suffix.lower() not in PICTURES:
            return load_latents(path, self.generator.num_ws)
        picture = align_for(self.encoder, load_image(path))
        return as_latents(self.encoder, read(self.encoder, picture), [path.name])

    def direction(self, path: str) -> Directions:
        if path not in self.directions:
            self.directions[path] = load_directions(path)
        return self.directions[path]

    @torch.inference_mode()
    def prepare(self) -> list[str]:
        """Read all that the steps need, before threads share it; what there is to warn of.

        `StyleMixError` for what would fail on every item.
        """
        warnings: list[str | None] = []
        steps, source = self.job.steps, self.job.source
        if any(isinstance(step, Encode | Invert) for step in steps):
            warnings.append(check_encoder(self.encoder, self.generator))
        if any(isinstance(step, Align) and step.size is None for step in steps):
            _ = self.crop_size
        for cutoff in (source.cutoff, *(step.cutoff for step in steps if isinstance(step, Truncate))):
            if cutoff is not None and cutoff > self.generator.num_ws:
                raise StyleMixError(
                    f"cutoff is {cutoff}, but this generator has {self.generator.num_ws} layers"
                )
        if source.kind == "seeds":
            class_labels(source.class_label, self.generator.c_dim, 1)
        for step in steps:
            if isinstance(step, Invert):
                check(self.generator, self.encoder, step.method, step.steps, choose_options(step.quality, {}))
            if isinstance(step, Regions):
                check_regions(step)
            if isinstance(step, Inject):
                warnings.append(check_generator(self.style(step.style), self.generator))
                parse_masks(step.masks, self.generator.num_ws, step.alpha, step.seed).still()
            for file, which, masks in direction_files(step):
                found = self.direction(file)
                place_of(found, which)
                parse_masks(masks, self.generator.num_ws).still()
                warnings.append(self._check_direction(found))
            if isinstance(step, Vary):
                self.designs[id(step)] = combinations(step)
                for factor in step.factors.values():
                    self._check(factor)
        if any("codes" in (step.needs, step.gives) for step in steps):
            _ = self.generator
        return [warning for warning in warnings if warning]

    @cached_property
    def crop_size(self) -> int:
        """The side of crops where the job says none: what reads them wants."""
        inverts = any(isinstance(step, Invert) for step in self.job.steps)
        return self.generator.img_resolution if inverts else self.encoder.input_size

    @cached_property
    def variants(self) -> int:
        """How many results an item has."""
        total = 1
        for step in self.job.steps:
            if isinstance(step, Inject):
                total *= len(self.style(step.style)) * len(MaskSource(step.masks).masks)
            elif isinstance(step, Direction):
                total *= len(step.strengths) * len(MaskSource(step.masks).masks)
            elif isinstance(step, Vary):
                total *= step.each if step.design == "balanced" else step.count
        return total

    @torch.inference_mode()
    def finish(self, pieces: list[Piece]) -> list[Piece]:
        """The steps from the first decode on."""
        for step in self.job.steps[first_decode(self.job) :]:
            pieces = run_step(step, pieces, self)
        return pieces

    def _check_direction(self, directions: Directions) -> str | None:
        any_code = torch.zeros(1, self.generator.num_ws, self.generator.w_dim)
        return check_directions(Latents.of(any_code, "", self.generator.fingerprint()), directions)

    def _check(self, factor: Factor) -> None:
        if factor.style is not None:
            style = self.style((factor.style,))
            check_generator(style, self.generator)
            masks = parse_masks(factor.masks, self.generator.num_ws).still()
            if (len(style), len(masks)) != (1, 1):
                raise StyleMixError(
                    f"a factor is one mask of one style; found {len(masks)} masks of {len(style)} codes"
                )
        if factor.attribute is not None:
            if self.generator.fingerprint() != inspect_checkpoint("demo", "generator").generator_fingerprint:
                raise StyleMixError(
                    f"the attribute {factor.attribute} is known of the demo generator alone; vary a style or a "
                    "direction"
                )
            truth.column(factor.attribute)


def check_regions(step: Regions) -> None:
    """`StyleMixError` where a step names regions that there are not."""
    unknown = [name for name in step.names if name not in NAMES]
    if unknown:
        raise StyleMixError(f"there is no region {unknown[0]!r}; there are: {', '.join(NAMES)}")


def direction_files(step: Step) -> list[tuple[str, str | None, str]]:
    """The files of directions that a step uses, which direction of each, and its layers."""
    if isinstance(step, Direction):
        return [(step.file, step.direction, step.masks)]
    if isinstance(step, Vary):
        return [(f.direction, f.which, f.masks) for f in step.factors.values() if f.direction is not None]
    return []


def place_of(directions: Directions, which: str | None) -> int:
    """The place of a direction that a job names by its name or number."""
    if which is None:
        return 0
    return directions.index(int(which) if which.isdigit() and which not in directions.names else which)


def combinations(step: Vary) -> list[dict[str, float]]:
    """Every combination of the factors' values, in the order in which a balanced design goes through them."""
    names = list(step.factors)
    combined = [dict(zip(names, values)) for values in product(*(step.factors[n].values for n in names))]
    if step.design == "balanced":
        order = torch.randperm(len(combined), generator=torch.Generator().manual_seed(step.seed))
        combined = [combined[i] for i in order.tolist()]
    return combined


@torch.inference_mode()
def read_piece(number: int, entry: Entry, key: str, tools: Tools) -> Piece:
    """An item, read; its picture cropped to the face where the job begins so."""
    piece = Piece(number, entry, key)
    piece.codes = tools.reader.codes(entry)
    if piece.codes is not None or entry[0] == "seed":
        return piece
    image = tools.reader.picture(entry)
    first = tools.job.steps[0]
    if isinstance(first, Align) and (first.mode == "always" or reads_photos(tools)):
        image = to_rgb(image)
        (face,) = crop_largest([image], first.size or tools.crop_size, first.mode, not first.upright)
        if face is not None:
            piece.transform, image = face.transform, face.crop
    if any(isinstance(step, Encode) for step in tools.job.steps):
        piece.picture = fit(from_pil(image), tools.encoder.config)[0]  # smaller, while it waits
    else:
        piece.image = image
    return piece


def reads_photos(tools: Tools) -> bool:
    """Whether faces are looked for at all: encoders of sketches and label maps read pictures as they are."""
    uses = any(isinstance(step, Encode | Invert) for step in tools.job.steps)
    return not uses or tools.encoder.config.reads_photos


def begin_batch(pieces: Sequence[Piece], tools: Tools) -> None:
    """Give pieces of seeds their codes."""
    source = tools.job.source
    seeds = [piece.entry[1] for piece in pieces if piece.entry[0] == "seed"]
    if not seeds:
        return
    codes = sample_latents(tools.generator, seeds, source.psi, source.cutoff, source.class_label)
    for i, piece in enumerate(pieces):
        piece.codes = codes.take([i])


@torch.inference_mode()
def chunks(pieces: list[Piece], tools: Tools) -> list[list[Piece]]:
    """The steps before the first decode, and their results as many at a time as the job's batch."""
    begin_batch(pieces, tools)
    for step in tools.job.steps[: first_decode(tools.job)]:
        if not isinstance(step, Align):  # which readers have done
            pieces = run_step(step, pieces, tools)
    size = tools.job.batch
    return [pieces[start : start + size] for start in range(0, len(pieces), size)]


def first_decode(job: Job) -> int:
    """The place of the first step that draws, or after the last step."""
    return next((place for place, step in enumerate(job.steps) if isinstance(step, Decode)), len(job.steps))


def run_step(step: Step, pieces: list[Piece], tools: Tools) -> list[Piece]:
    if isinstance(step, Encode):
        return encode(pieces, tools)
    if isinstance(step, Invert):
        return [invert_one(step, piece, tools) for piece in pieces]
    if isinstance(step, Truncate):
        cut = truncate_latents(codes_of(pieces), tools.generator, step.psi, step.cutoff)
        return [replace(piece, codes=cut.take([i])) for i, piece in enumerate(pieces)]
    if isinstance(step, Inject):
        style = tools.style(step.style)
        masks = parse_masks(step.masks, tools.generator.num_ws, step.alpha, step.seed)
        return spread(pieces, inject_latents(codes_of(pieces), style, masks, "all"))
    if isinstance(step, Direction):
        found = tools.direction(step.file)
        place = place_of(found, step.direction)
        layers = parse_masks(step.masks, tools.generator.num_ws).strengths
        return spread(pieces, moved(codes_of(pieces), found, [place], step.strengths, layers))
    if isinstance(step, Vary):
        return [one for piece in pieces for one in vary(step, piece, tools)]
    if isinstance(step, Decode):
        return draw(step, pieces, tools)
    if isinstance(step, Regions):
        return [regions(step, piece) for piece in pieces]
    assert isinstance(step, Paste)
    return [paste(step, piece, tools) for piece in pieces]


def codes_of(pieces: Sequence[Piece]) -> Latents:
    """The codes of all pieces as one batch. `StyleMixError` where one has none."""
    codes = []
    for piece in pieces:
        if piece.codes is None:
            raise StyleMixError("it is a picture; a W+ code is needed here")
        codes.append(piece.codes)
    return join_latents(codes)


def spread(pieces: Sequence[Piece], codes: Latents) -> list[Piece]:
    """The results of pieces, as many of each, with keys of their own where there are several."""
    each = len(codes) // len(pieces)
    return [
        replace(
            piece, codes=codes.take([i * each + j]), key=f"{piece.key}-{j:02d}" if each > 1 else piece.key
        )
        for i, piece in enumerate(pieces)
        for j in range(each)
    ]


def encode(pieces: Sequence[Piece], tools: Tools) -> list[Piece]:
    encoder = tools.encoder
    found = read(encoder, torch.cat([piece.seen() for piece in pieces]))
    codes = as_latents(encoder, found, [piece.key for piece in pieces])
    return [replace(piece, codes=codes[i]) for i, piece in enumerate(pieces)]


def invert_one(step: Invert, piece: Piece, tools: Tools) -> Piece:
    """One at a time: a batch would share its random numbers."""
    found = invert(
        tools.generator,
        piece.seen(),
        tools.encoder,
        step.method,
        step.steps,
        step.seed,
        quality=step.quality,
    )
    return replace(piece, codes=found.latents([piece.key]))


def vary(step: Vary, piece: Piece, tools: Tools) -> list[Piece]:
    """The face with the values that the design gives it."""
    combined = tools.designs[id(step)]
    if step.design == "balanced":
        first = piece.number * step.each
        combined = [combined[(first + j) % len(combined)] for j in range(step.each)]
    results = []
    for j, values in enumerate(combined):
        codes = codes_of([piece])
        for name, value in values.items():
            codes = apply(step.factors[name], value, codes, tools)
        results.append(replace(piece, codes=codes, key=f"{piece.key}-{j:02d}", truth=piece.truth | values))
    return results


def apply(factor: Factor, value: float, codes: Latents, tools: Tools) -> Latents:
    if factor.attribute is not None:
        return replace(codes, w=truth.with_attribute(codes.w, factor.attribute, value))
    masks = parse_masks(factor.masks, tools.generator.num_ws, value)
    if factor.style is not None:
        return inject_latents(codes, tools.style((factor.style,)), masks)
    assert factor.direction is not None
    found = tools.direction(factor.direction)
    everywhere = parse_masks(factor.masks, tools.generator.num_ws).strengths
    return moved(codes, found, [place_of(found, factor.which)], [value], everywhere)


def draw(step: Decode, pieces: Sequence[Piece], tools: Tools) -> list[Piece]:
    seeds = [piece.entry[1] % 2**63 if piece.entry[0] == "seed" else piece.number for piece in pieces]
    pictures = decode(tools.generator, codes_of(pieces), step.noise, seeds).cpu()
    return [
        replace(piece, picture=picture, image=None) for piece, picture in zip(pieces, pictures, strict=True)
    ]


def regions(step: Regions, piece: Piece) -> Piece:
    found = find_regions(piece.seen(), source=step.source)
    return replace(piece, masks={name: found[name][0] for name in step.names})


def paste(step: Paste, piece: Piece, tools: Tools) -> Piece:
    """Into the photo, which is read again: photos would fill the memory while they wait."""
    face, photo = to_pil(piece.seen()[0]), tools.reader.picture(piece.entry)
    if piece.transform is None:
        return replace(piece, photo=face)
    pasted = paste_face(
        photo, face, piece.transform, step.feather, colour_match=step.colour_match, blend=step.blend
    )
    return replace(piece, photo=pasted)
