"""What options name, read: models, W+ codes, pictures, masks."""

from collections.abc import Callable, Sequence
from pathlib import Path

import torch

from ..checkpoints import generator_beside, inspect_checkpoint, load_encoder, load_generator
from ..codes.certainty import as_latents, read
from ..codes.combine import join_latents
from ..codes.latents import Latents, check_generator, holds_latents, load_latents, short_origin
from ..codes.sampling import sample_latents
from ..encoder import Encoder
from ..faces import align_face
from ..files.pictures import load_mask, open_image
from ..generator import Generator
from ..images import check_proportions
from ..inversion import load_delta
from ..masks.mask_list import MaskList, parse_masks
from ..mixing.pairing import check_styles
from ..moving import Move, as_in_photos, poses_by_name
from .batch import Batch, naming
from .fit import check_cutoff
from .options import GeneratorOptions, Mixing, ModelOptions, Moving, Sampling, Sources
from .paths import CODE_FILES, PICTURES
from .run import Run

AVATARS = (
    "the bundled encoder was trained on drawn avatars, so photographs become avatars; for photographs give a model of "
    "them, as in --encoder psp_ffhq_encode.pt"
)


def mixed_codes(generator: Generator, mixing: Mixing, run: Run) -> tuple[Latents, Latents, MaskList]:
    """Sources, styles and masks that a command names; warns when they do not belong together."""
    masks = parse_masks(mixing.masks.text, generator.num_ws, mixing.masks.alpha, mixing.masks.seed)
    codes = source_and_style(generator, mixing.sources, mixing.style, mixing.sampling, mixing.models, run)
    return *codes, masks


def source_codes(
    generator: Generator, sources: Sources, sampling: Sampling, models: ModelOptions, run: Run
) -> list[Latents]:
    """The codes named, those of the seeds, or that of seed 0 where neither is given."""
    if sources.source:
        return read_codes(sources.source, generator, models, run)
    return [sample(generator, sources.seeds or [0], sampling)]


def open_generator(models: GeneratorOptions) -> Generator:
    source = generator_beside(models.encoder, models.generator)
    generator = load_generator(source, models.device, models.dtype, compile=models.compile)
    return generator if models.tuning is None else load_delta(models.tuning).apply(generator)


def open_encoder(models: ModelOptions) -> Encoder:
    return load_encoder(models.encoder, models.device, models.dtype)


def open_reader(models: ModelOptions, run: Run) -> Encoder:
    """`open_encoder` to read pictures of the user's; warns where it cannot read photographs as such."""
    encoder = open_encoder(models)
    if encoder.generator == inspect_checkpoint("demo", "encoder").generator_fingerprint:
        run.warn({AVATARS})
    return encoder


def sample(generator: Generator, seeds: Sequence[int], sampling: Sampling) -> Latents:
    check_cutoff(sampling.cutoff, generator.num_ws)
    return sample_latents(generator, seeds, sampling.psi, sampling.cutoff, sampling.class_label)


def source_and_style(
    generator: Generator,
    sources: Sources,
    style: Sequence[Path],
    sampling: Sampling,
    models: ModelOptions,
    run: Run,
) -> tuple[Latents, Latents]:
    """The codes of both; warns where they do not belong together."""
    given = source_codes(generator, sources, sampling, models, run), read_codes(style, generator, models, run)
    source, styles = map(join_latents, given)
    run.warn({check_styles(source, styles)})
    return source, styles


def encode_picture(encoder: Encoder, path: Path, models: ModelOptions) -> Latents:
    picture = read_picture(path, encoder, models)
    return as_latents(encoder, read(encoder, picture), [path.name])


def read_picture(path: Path, encoder: Encoder, models: ModelOptions, size: int | None = None) -> torch.Tensor:
    """A picture `[1, 3, H, W]` for an encoder; where a face was cropped, of `size` pixels, by default the encoder's."""
    from ..encoder.align import align_for  # most commands need no faces found

    return align_for(encoder, open_image(path), models.align, size, not models.upright)


def read_regions(paths: Sequence[Path], generator: Generator, run: Run) -> list[torch.Tensor]:
    """Masks `[H, W]` of the generator's pictures, as `load_mask`; warns where they are of other proportions."""
    masks = [load_mask(path) for path in paths]
    run.warn({check_proportions(path.name, mask, generator.img_shape) for path, mask in zip(paths, masks)})
    return masks


def reader(
    files: Sequence[Path], generator: Generator, models: ModelOptions, run: Run
) -> Callable[[Path], Latents]:
    """What reads W+ codes of W+ files and pictures; the encoder is loaded only where there are pictures."""
    codes = {path for path in files if holds_codes(path)}
    encoder = open_reader(models, run) if {*files} - codes else None
    if any(path.suffix.lower() not in CODE_FILES for path in codes):
        run.warn(
            {
                "pictures that bring their W+ code along are taken by it; stylemix encode reads the picture itself"
            }
        )

    def read(path: Path) -> Latents:
        if encoder is None or path in codes:
            return load_latents(path, generator.num_ws, models.iteration)
        return encode_picture(encoder, path, models)

    return read


def holds_codes(path: Path) -> bool:
    """Whether codes are read from a file, and not from a picture: also where a picture brings its code along."""
    ending = path.suffix.lower()
    return ending in CODE_FILES or (ending == ".png" and path.is_file() and holds_latents(path))


def fitting(
    generator: Generator, read: Callable[[Path], Latents], warnings: list[str | None]
) -> Callable[[Path], Latents]:
    """`read`, where errors also come from codes that the generator cannot draw; collects what to warn of."""

    def read_fitting(path: Path) -> Latents:
        latents = read(path)
        warnings.append(check_generator(latents, generator))
        return latents

    return read_fitting


def read_batch(
    batch: Batch, files: Sequence[Path], generator: Generator, read: Callable[[Path], Latents]
) -> list[Latents]:
    """Codes of those files that can be read and drawn; warns where they are another generator's."""
    warnings: list[str | None] = []
    parts = [latents for _, latents in batch.each(files, fitting(generator, read, warnings))]
    batch.run.warn(warnings)
    return parts


def read_codes(files: Sequence[Path], generator: Generator, models: ModelOptions, run: Run) -> list[Latents]:
    """W+ codes of W+ files and pictures, all of which must be usable; warns where they are another generator's."""
    warnings: list[str | None] = []
    read = fitting(generator, reader(files, generator, models, run), warnings)
    parts = []
    with run.progress(len(files), "read") as bar:
        for i, path in enumerate(files, 1):
            with naming(path):
                parts.append(read(path))
            bar.update(i)
    run.warn(warnings)
    return parts


def move_of(moving: Moving, parts: Sequence[Latents] = ()) -> Move:
    """Where pictures are to be put: all alike, or those of the codes as in one photograph or by their names."""
    if moving.poses is None:
        return Move(
            None if moving.translate is None else (moving.translate,),
            None if moving.rotate is None else (moving.rotate,),
        )
    if moving.poses.suffix.lower() in PICTURES:
        with naming(moving.poses):
            _, transform = align_face(open_image(moving.poses))
        return as_in_photos([transform])
    origins = [(part.origins[i], short_origin(part, i)) for part in parts for i in range(len(part))]
    return poses_by_name(moving.poses, [[name.rpartition(": ")[2] for name in names] for names in origins])
