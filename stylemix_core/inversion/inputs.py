"""Whether what is given can be inverted together, and pictures and masks as the descent takes them."""

import torch

from ..encoder import Encoder
from ..errors import LatentMismatchError, StyleMixError
from ..files.info import file_of
from ..generator import Generator
from ..images import as_masks, check_finite, from_comfy, is_squeezed, resize, to_comfy
from ..networks import differentiable
from .features import reads_pictures
from .options import METHODS, InversionOptions


def check(
    generator: Generator, encoder: Encoder | None, method: str, steps: int, options: InversionOptions
) -> None:
    """`StyleMixError` where the method, the number of steps, the encoder or the generator do not go together."""
    if method not in METHODS:
        raise StyleMixError(f"method {method!r} is unknown; choose one of: {', '.join(METHODS)}")
    if steps < 0:
        raise StyleMixError(f"steps is {steps}; give 0 (leave the start as it is) or more, usually 200")
    if generator.img_channels not in (1, 3):
        raise StyleMixError(
            f"the generator draws pictures of {generator.img_channels} channels; inversion takes those of 1 or 3"
        )
    if encoder is None:
        if method in ("encode", "iterate"):
            raise StyleMixError(f"method {method!r} needs an encoder; give one, or choose optimize or tune")
        if options.identity_weight:
            raise StyleMixError("identity_weight needs an encoder that sees it; give one, or set it to 0")
        return
    if method == "iterate" and not encoder.iterative:
        raise StyleMixError(
            f"the encoder ({file_of(encoder)}) does not refine its codes; method 'iterate' needs a "
            "ReStyle encoder. Choose one, or the method encode, optimize or tune"
        )
    if options.identity_weight and not reads_pictures(encoder):
        raise StyleMixError("identity_weight needs an encoder with an IR-SE body; set it to 0 for this one")
    check_encoder(encoder, generator)


def check_encoder(encoder: Encoder, generator: Generator) -> str | None:
    """Whether the encoder's codes are for the generator.

    `LatentMismatchError` when their shapes differ. Returns a sentence to warn with when only the weights do, else None.
    """
    if (encoder.num_ws, encoder.w_dim) != (generator.num_ws, generator.w_dim):
        raise LatentMismatchError(
            f"the encoder's codes have {encoder.num_ws} layers of {encoder.w_dim} numbers; this generator "
            f"({generator.img_resolution} pixels) takes {generator.num_ws} of {generator.w_dim}. "
            "Use the encoder that was made for the generator, or none."
        )
    if encoder.generator in (None, generator.fingerprint()):
        return None
    return (
        "the encoder was made for a generator with other weights, so its codes may be a bad start; "
        "use the encoder that was made for the generator, or none"
    )


def prepare(images: torch.Tensor) -> torch.Tensor:
    """Pictures `[B, 1, 3 or 4, H, W]` as ordinary float32 `[B, 3, H, W]` without transparency."""
    if not len(images):
        raise StyleMixError("there are no pictures to invert; give at least one")
    check_finite(images, "the image")
    return from_comfy(to_comfy(differentiable(images)))


def as_generated(pictures: torch.Tensor, generator: Generator) -> torch.Tensor:
    """The pictures in the generator's size and number of channels."""
    (height, width), shape = pictures.shape[2:], generator.img_shape
    if shape[0] != shape[1] and is_squeezed((height, width), shape):
        raise StyleMixError(
            f"the picture is {width}×{height} pixels, but this generator draws {shape[1]}×{shape[0]}; give one of "
            "these proportions, and leave the alignment of faces off, which makes squares"
        )
    pictures = resize(pictures, *shape)
    return pictures if generator.img_channels == 3 else pictures.mean(1, keepdim=True)


def prepare_mask(mask: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """A mask of any size as float32 `[B or 1, 1, H, W]`."""
    shaped = as_masks(differentiable(mask), "the mask", len(target))[:, None]
    shaped = resize(shaped, *target.shape[2:]).clamp(0, 1).to(target.device)
    if not (shaped.mean([1, 2, 3]) > 0).all():
        raise StyleMixError("the mask is black everywhere; paint it white where the picture is to be matched")
    return shaped
