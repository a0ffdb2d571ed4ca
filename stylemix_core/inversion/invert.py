"""The inversion itself: inputs, defaults, and the order of its stages."""

import dataclasses
import math
import os
import time
from dataclasses import dataclass
from typing import Any

import torch

from ..device import exact_convolutions
from ..encoder import Encoder
from ..encoder.identity import EncoderIdentity
from ..errors import LatentMismatchError, StyleMixError
from ..files.info import file_of
from ..generator import Generator
from ..images import as_masks, check_finite, from_comfy, is_squeezed, resize, to_comfy
from ..networks import differentiable, twin
from ..progress import OnStep
from .delta import Delta
from .features import perceptual_features, reads_pictures
from .losses import Objective
from .optimize import W_NOISE, Spread, Watch, nearest_start, optimize, with_checkpoints
from .result import InversionResult
from .tune import tune

METHODS = ("encode", "iterate", "optimize", "tune")
CHUNK = 4
"""Pictures that are drawn at a time where no gradient is needed."""


@dataclass(frozen=True)
class InversionOptions:
    """What an expert may set. `QUALITIES` has the usual choices."""

    learning_rate: float = 0.05
    """Highest rate of Adam in W+, in deviations of w."""
    pull: float = 0.02
    """Towards W, 0…1: keeps the layers of a code alike, so that they can be mixed."""
    noise: bool = True
    """Also find the noise images, where the generator uses noise. The result's generator then holds them."""
    perceptual_weight: float = 1.0
    """0 compares pixels alone."""
    perceptual: str | os.PathLike | None = None
    """Which features: None for the best at hand, "encoder", "gradients", or a file with VGG16's or LPIPS' weights."""
    identity_weight: float = 0.0
    """Weight of the identity that an encoder sees."""
    starts: int = 16
    """Codes that are tried to start from when there is no encoder."""
    iterations: int = 5
    """Of `iterate`."""
    tune_steps: int | None = None
    """Steps of `tune` after those of `optimize`; None for as many."""
    tune_learning_rate: float = 0.24
    """Highest rate of Adam for the generator's weights, times the root of the inputs of its widest convolution."""
    locality: float = 0.1
    """How much a tuned generator is kept as it was away from the pictures, 0 for not at all."""
    checkpointing: bool = False
    """Compute maps twice rather than keep them: less memory, more time."""

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if isinstance(value, float) and not (math.isfinite(value) and value >= 0):
                raise StyleMixError(f"{field.name} is {value}; give a number from 0 up")
        if self.pull > 1:
            raise StyleMixError(f"pull is {self.pull}; give a strength from 0 (none) to 1 (keep to W)")
        for name, least in (("starts", 1), ("iterations", 1), ("tune_steps", 0)):
            value = getattr(self, name)
            if value is not None and value < least:
                raise StyleMixError(f"{name} is {value}; give a whole number from {least} up")


QUALITIES: dict[str, dict[str, Any]] = {
    "balanced": {},
    "editable": {"pull": 0.2, "locality": 0.3},
    "faithful": {"pull": 0.0, "learning_rate": 0.08, "locality": 0.03},
}
"""Options by name: how to weigh likeness against codes that can be mixed."""


def invert(
    generator: Generator,
    images: torch.Tensor,
    encoder: Encoder | None = None,
    method: str = "optimize",
    steps: int = 200,
    seed: int = 0,
    *,
    quality: str = "balanced",
    mask: torch.Tensor | None = None,
    on_step: OnStep | None = None,
    **options: Any,
) -> InversionResult:
    """Find W+ codes that draw given pictures.

    images: `[B, 3, H, W]` in −1…1, of any size: they are resized to the generator's. Grey ones `[B, 1, H, W]` and
        transparent ones `[B, 4, H, W]` (composited over white) will do. One person each, cropped as the generator's
        training pictures were. A batch is inverted together; all of it shares the noise and the tuned generator.
    encoder: gives the code to start from. Needed by "encode" and "iterate"; without one, "optimize" and "tune" start
        from the average w or from a random one that is nearer.
    method: "encode": the encoder's code. "iterate": the code of an encoder that refines it (ReStyle). "optimize":
        refined by gradient descent in W+. "tune": then the generator is tuned at that code (PTI).
    steps: of the descent; "tune" takes as many again, see `InversionOptions.tune_steps`. 0 leaves the start.
    seed: of all random numbers. The same input gives the same result.
    quality: one of `QUALITIES`; `options` are fields of `InversionOptions` and override it.
    mask: where the pictures are to be matched, one for all or one each, of any size, as `as_masks` takes them.
    on_step: called after every step, as `on_step(done, total, pictures)`; about once a second with the newest pictures
        `[B, C, R, R]` in −1…1, else with None. What it raises ends the inversion.
    Works inside `torch.inference_mode()` too. `StyleMixError` when an input does not fit, `LatentMismatchError` when
    encoder and generator have codes of different shape.
    """
    started = time.perf_counter()
    chosen = choose_options(quality, options)
    check(generator, encoder, method, steps, chosen)
    # Gradients need ordinary tensors. What was made in inference mode is copied, all else is shared.
    with torch.inference_mode(False):
        if encoder is not None:
            encoder = twin(encoder, differentiable)
        work, device = working_copy(generator, chosen), generator.w_avg.device
        pictures = prepare(images)
        target = as_generated(pictures, generator).to(device)
        with torch.enable_grad(), exact_convolutions(target):
            objective = Objective(
                target,
                perceptual_features(chosen.perceptual, encoder, device),
                None if mask is None else prepare_mask(mask, target),
                chosen.perceptual_weight,
                EncoderIdentity(encoder) if encoder is not None and chosen.identity_weight else None,
                chosen.identity_weight,
            )
            result = run(generator, work, objective, pictures, encoder, method, steps, seed, chosen, on_step)
        return dataclasses.replace(result, seconds=time.perf_counter() - started)


def run(
    generator: Generator,
    work: Generator,
    objective: Objective,
    pictures: torch.Tensor,
    encoder: Encoder | None,
    method: str,
    steps: int,
    seed: int,
    options: InversionOptions,
    on_step: OnStep | None,
) -> InversionResult:
    """The stages of a method, one after the other."""
    spread = Spread.of(work, seed)
    with torch.no_grad():
        if encoder is None:
            w = nearest_start(work, objective, spread, options.starts)
        elif method == "iterate":
            w = encoder(pictures, iterations=options.iterations)
        else:
            w = encoder(pictures)
        w = w.to(objective.target.device)
    start_l2, _ = objective.figures(draw(work, w))

    descending = method in ("optimize", "tune")
    tuning = steps if options.tune_steps is None else options.tune_steps
    tuning = tuning if method == "tune" else 0
    watch = Watch(on_step, (steps if descending else 0) + tuning)
    changes: dict[str, torch.Tensor] = {}
    losses = [w.new_zeros(0, len(w))]
    if descending and steps:
        w, changes, curve = optimize(
            work,
            objective,
            w,
            spread,
            steps,
            seed,
            options.learning_rate,
            W_NOISE * (1 if encoder is None else 0.2),
            options.pull,
            options.noise,
            watch,
        )
        losses.append(curve)
    if tuning:
        base = twin(work)
        tuned, curve = tune(
            work,
            base,
            objective,
            w,
            spread,
            tuning,
            seed,
            options.tune_learning_rate,
            options.locality,
            watch,
        )
        changes |= tuned
        losses.append(curve)

    delta = Delta({name: change.cpu() for name, change in changes.items()}, generator.fingerprint())
    found = delta.apply(generator) if changes else generator
    images = draw(found, w)
    l2, perceptual = objective.figures(images.to(w.device))
    return InversionResult(
        w=w.cpu(),
        images=images.cpu(),
        generator=found,
        delta=delta if changes else None,
        losses=torch.cat(losses).float().cpu(),
        tuned_from=steps if tuning else None,
        method=method,
        features=objective.name,
        l2=l2.tolist(),
        perceptual=perceptual.tolist(),
        start_l2=start_l2.tolist(),
        seconds=0.0,
    )


def choose_options(quality: str, options: dict[str, Any]) -> InversionOptions:
    if quality not in QUALITIES:
        raise StyleMixError(f"quality {quality!r} is unknown; choose one of: {', '.join(QUALITIES)}")
    known = [field.name for field in dataclasses.fields(InversionOptions)]
    unknown = [name for name in options if name not in known]
    if unknown:
        raise StyleMixError(f"the option {unknown[0]} is unknown; choose among: {', '.join(known)}")
    return InversionOptions(**{**QUALITIES[quality], **options})


def check(
    generator: Generator, encoder: Encoder | None, method: str, steps: int, options: InversionOptions
) -> None:
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


def working_copy(generator: Generator, options: InversionOptions) -> Generator:
    """A generator that shares the given one's tensors and can be differentiated and changed."""
    work = twin(generator, differentiable)
    if work.dtype == torch.float16 and work.w_avg.device.type != "cuda":
        work.set_dtype(torch.float32)  # only CUDA differentiates float16 well
    if options.checkpointing:
        with_checkpoints(work)
    return work


@torch.no_grad()
def draw(generator: Generator, w: torch.Tensor) -> torch.Tensor:
    return torch.cat([generator.synthesis(part) for part in w.split(CHUNK)])
