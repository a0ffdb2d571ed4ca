"""The inversion itself: its stages, in their order."""

import dataclasses
import time
from dataclasses import dataclass
from typing import Any

import torch

from ..device import exact_convolutions
from ..encoder import Encoder
from ..encoder.identity import EncoderIdentity
from ..generator import Generator
from ..networks import differentiable, twin, with_checkpoints
from ..progress import OnStep
from .delta import Delta
from .descent import Found, Task, Watch
from .features import perceptual_features
from .inputs import as_generated, check, prepare, prepare_mask
from .losses import Objective
from .optimize import GOOD_START, W_NOISE, optimize
from .options import InversionOptions, choose_options
from .prior import Prior
from .result import InversionResult
from .start import Spread, given_start, start_of
from .tune import tune

CHUNK = 4
"""Pictures that are drawn at a time where no gradient is needed."""


@dataclass(frozen=True)
class Stages:
    """How many steps the two stages take that descend."""

    optimize: int
    tune: int

    @classmethod
    def of(cls, method: str, steps: int, options: InversionOptions) -> "Stages":
        tuning = steps if options.tune_steps is None else options.tune_steps
        return cls(steps if method in ("optimize", "tune") else 0, tuning if method == "tune" else 0)


def invert(
    generator: Generator,
    images: torch.Tensor,
    encoder: Encoder | None = None,
    method: str = "optimize",
    steps: int = 200,
    seed: int = 0,
    *,
    quality: str = "balanced",
    start: torch.Tensor | None = None,
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
    start: codes `[B, num_ws, w_dim]` to start from, one for each picture, rather than from the encoder's.
    mask: where the pictures are to be matched, one for all or one each, of any size, as `as_masks` takes them.
    on_step: called after every step, as `on_step(done, total, pictures)`; about once a second with the newest pictures
        `[B, C, R, R]` in −1…1, else with None. What it raises ends the inversion.
    Works inside `torch.inference_mode()` too. `StyleMixError` when an input does not fit, `LatentMismatchError` when
    encoder and generator have codes of different shape.
    """
    started = time.perf_counter()
    chosen = choose_options(quality, options)
    check(generator, encoder, method, steps, chosen)
    stages = Stages.of(method, steps, chosen)
    # Gradients need ordinary tensors. What was made in inference mode is copied, all else is shared.
    with torch.inference_mode(False):
        if encoder is not None:
            encoder = twin(encoder, differentiable)
        work = working_copy(generator, chosen)
        pictures = prepare(images)
        target = as_generated(pictures, generator).to(generator.w_avg.device)
        with torch.enable_grad(), exact_convolutions(target):
            objective = objective_of(target, encoder, mask, chosen)
            spread, near = Spread.of(work, seed), encoder is not None
            if start is None:
                start = start_of(work, objective, spread, encoder, pictures, method, chosen)
            else:
                start = given_start(generator, start, pictures).to(target)
                near = True
            start_l2, _ = objective.figures(draw(work, start))
            watch = Watch(on_step, stages.optimize + stages.tune)
            prior = prior_of(work, spread, encoder, pictures, chosen) if stages.optimize else None
            task = Task(work, objective, spread, chosen, seed, watch, prior)
            found = run(task, stages, start, near)
            result = result_of(generator, objective, method, stages, start_l2, found)
        return dataclasses.replace(result, seconds=time.perf_counter() - started)


def working_copy(generator: Generator, options: InversionOptions) -> Generator:
    """A generator that shares the given one's tensors and can be differentiated and changed."""
    work = twin(generator, differentiable)
    if work.dtype == torch.float16 and work.w_avg.device.type != "cuda":
        work.set_dtype(torch.float32)  # only CUDA differentiates float16 well
    if options.checkpointing:
        with_checkpoints(work.synthesis.stages())
    return work


def objective_of(
    target: torch.Tensor, encoder: Encoder | None, mask: torch.Tensor | None, options: InversionOptions
) -> Objective:
    """What the pictures are compared by. target: `[B, C, R, R]`, as the generator draws. mask: of any size."""
    return Objective(
        target,
        perceptual_features(options.perceptual, encoder, target.device),
        None if mask is None else prepare_mask(mask, target),
        options.perceptual_weight,
        EncoderIdentity(encoder) if encoder is not None and options.identity_weight else None,
        options.identity_weight,
    )


@torch.no_grad()
def prior_of(
    generator: Generator,
    spread: Spread,
    encoder: Encoder | None,
    pictures: torch.Tensor,
    options: InversionOptions,
) -> Prior | None:
    """What the encoder's error bars say, where it has some and they are trusted."""
    if not options.trust or encoder is None or encoder.errors is None:
        return None
    return Prior(generator, spread.codes, encoder, pictures)


def run(task: Task, stages: Stages, start: torch.Tensor, near: bool) -> Found:
    """The stages that descend, one after the other, from the codes `start` `[B, L, D]`.

    near: whether they are an encoder's, which are near already.
    """
    found = Found(start, start.new_zeros(0, len(start)))
    if stages.optimize:
        w_noise = W_NOISE * (GOOD_START if near else 1)
        found = found.then(optimize(task, found.w, stages.optimize, w_noise))
    if stages.tune:
        found = found.then(tune(task, twin(task.generator), found.w, stages.tune))
    return found


def result_of(
    generator: Generator,
    objective: Objective,
    method: str,
    stages: Stages,
    start_l2: torch.Tensor,
    found: Found,
) -> InversionResult:
    """What was found, as the caller's generator draws it with the changes that were found; no time is taken yet."""
    changes = {name: change.cpu() for name, change in found.changes.items()}
    delta = Delta(changes, generator.fingerprint()) if changes else None
    changed = generator if delta is None else delta.apply(generator)
    images = draw(changed, found.w)
    l2, perceptual = objective.figures(images.to(found.w.device))
    return InversionResult(
        w=found.w.cpu(),
        images=images.cpu(),
        generator=changed,
        delta=delta,
        losses=found.losses.float().cpu(),
        tuned_from=stages.optimize if stages.tune else None,
        method=method,
        features=objective.name,
        l2=l2.tolist(),
        perceptual=perceptual.tolist(),
        start_l2=start_l2.tolist(),
        seconds=0.0,
    )


@torch.no_grad()
def draw(generator: Generator, w: torch.Tensor) -> torch.Tensor:
    return torch.cat([generator.synthesis(part) for part in torch.split(w, CHUNK)])
