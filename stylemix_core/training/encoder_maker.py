"""Encoders for any generator, trained on what it draws itself.

pSp's and e4e's way (arXiv:2008.00951, arXiv:2102.02766) with one difference: the codes of the pictures are known, so an
encoder is taught by them, in what the generator makes of a code, its styles, and only then by pictures.
"""

import math
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import torch

from ..checkpoints import native
from ..device import computes_bfloat16
from ..encoder import Encoder, EncoderConfig
from ..errors import StyleMixError
from ..files.pictures import save_image
from ..generator import Generator
from ..images import as_masks, from_pil, resize
from ..inversion.report import draw_report
from ..progress import OnStep
from .error_bars import TO_JUDGE, TO_SET, judge, loss_of, set_bars
from .run import Run, follow, of_what, picture_loss, set_learning_rate
from .samples import HELD_OUT, MIXED, Samples, as_read, check_teachable, worn

SIZES = {
    "small": EncoderConfig(
        input_size=128,
        stage_channels=(16, 48, 96, 160),
        stage_units=(2, 2, 3, 2),
        style_channels=40,
        se_reduction=8,
    ),
    "medium": EncoderConfig(
        stage_channels=(32, 64, 128, 256), stage_units=(2, 3, 6, 2), style_channels=128, se_reduction=16
    ),
    "large": EncoderConfig(),
}
"""What a GPU trains well in a quarter of an hour, hours and days; a CPU the small one in an hour. "large" is pSp's."""
RATE = 2e-3
BATCH = 16
CHECKPOINT = "encoder.checkpoint"
SEEN = 4
"""Codes of a batch that are drawn again for the loss of pictures."""
PICTURES_FROM = 0.4
"""How much of the training is done when pictures begin to count: by then codes are near."""
W_WEIGHT = 0.1
"""What no layer reads in a w counts little, so that codes lie where sampled codes lie."""
DELTA_WEIGHT = 2e-4
"""Of the steps from layer to layer in an editable encoder, as in e4e (its section 4.1)."""
TELL = 10
"""Steps after which it is told how far the training is."""
SHOWN = 8
JUDGED = 128
CALIBRATED = 2_048
"""Held-out samples that set the error bars; fewer, if need be as few as `JUDGED`, where drawing them takes long."""


class Pictures(Protocol):
    """Pictures `[C, H, W]` by number."""

    def __len__(self) -> int: ...
    def __getitem__(self, number: int, /) -> torch.Tensor: ...


@dataclass(frozen=True)
class Report:
    """How good an encoder is on samples that it was not trained on."""

    steps: int
    minutes: float
    round_trip: float
    """Mean absolute difference of a picture and the picture of its code, in −1…1."""
    layers: list[float]
    """The usual error (the median) of each w: see `ErrorBars`."""
    coverage: dict[str, float]
    """How many errors lie below the bars that 50 %, 80 % and 95 % should."""

    def summary(self) -> str:
        """One paragraph for people."""
        worst, best = max(self.layers), min(self.layers)
        bars = ", ".join(
            f"{share:.0%} of errors below the {sure} bar" for sure, share in self.coverage.items()
        )
        return (
            f"Trained for {self.minutes:.3g} minutes ({self.steps} steps) on its generator's pictures. On held-out "
            f"ones: round trip {self.round_trip:.3f}, usual error of a layer {best:.0%} to {worst:.0%} of its spread, "
            f"{bars}."
        )


@torch.inference_mode(False)
@torch.enable_grad()
def train_encoder(
    G: Generator,
    out: str | os.PathLike[str],
    *,
    minutes: float = 60.0,
    steps: int | None = None,
    size: str = "auto",
    start: Encoder | None = None,
    editable: bool = False,
    truncation_psi: float = 1.0,
    pictures: "torch.Tensor | Pictures | None" = None,
    masks: torch.Tensor | None = None,
    good_enough: float | None = None,
    seed: int = 0,
    batch: int = BATCH,
    on_step: OnStep | None = None,
) -> Path:
    """Train an encoder for `G` on its own samples, or go on with the training in the folder `out`.

    The folder has a checkpoint each minute, and the curve of the training as `curve.png`. The same call goes on from
    there, with more minutes if wished. Stopped early, `minutes=0` makes an encoder of what is there.

    G: the generator, on the device to train on. It is left as it is.
    minutes: how long to train in all; learning slows down towards the end. steps: a number of steps instead, for
        results that can be repeated.
    size: one of `SIZES`, or "auto": that of the training to go on with, else by device and minutes; of `start`, if
        there is one.
    start: an encoder whose weights to begin with, where they fit: its body for any generator, all of it for one that
        was trained further.
    editable: e4e's: one w, and steps from it that are kept small.
    truncation_psi: of the samples; below 1 for a generator whose extreme pictures are bad.
    pictures: `[N, C, H, W]` in −1…1, like those that are to be encoded later: drawn again besides the samples. Of a
        sequence of `[C, H, W]` each is asked for when it is needed.
    masks: where they count, `[N, H, W]` or `[1, H, W]` in 0…1.
    good_enough: the round trip, in −1…1, with which to stop before the time is over.
    batch: samples a step; fewer need less memory, and more steps.
    on_step: told the seconds of this call, or its steps, now and then with held-out pictures above what their codes
        draw.
    Returns the file `out/encoder.safetensors`, which holds the encoder with its error bars and a `Report`.
    `StyleMixError` when nothing can be learnt from the generator's pictures, when `out` has a training of another
    generator or encoder, and with `minutes=0` when there is neither a training nor a start.
    """
    out = Path(out)
    if pictures is not None and not len(pictures):
        raise StyleMixError("pictures has none; give some, or leave it out")
    if masks is not None:
        masks = as_masks(masks, "masks", None if pictures is None else len(pictures))
    samples = Samples(G, truncation_psi, 0.0 if editable else MIXED, seed)
    check_teachable(samples)
    frozen = [parameter for parameter in G.parameters() if parameter.requires_grad]
    for parameter in frozen:
        parameter.requires_grad_(False)
    try:
        config = _config(G, size, minutes, start, editable, of_what(out / CHECKPOINT).get("encoder"))
        maker = Maker(G, out, config, samples, start, pictures, masks, batch)
        for told in maker.train(minutes, steps, good_enough):
            if on_step is not None:
                on_step(*told)
        if maker.run.step == 0 and start is None:
            raise StyleMixError(
                f"there is no training in {out} yet; give it some minutes, or an encoder to start with"
            )
        made = maker.finish(math.inf if steps is not None else maker.run.seconds)
        if on_step is not None:
            on_step(1, 1, maker.look()[1], "done")
        return made
    finally:
        for parameter in frozen:
            parameter.requires_grad_(True)


def _config(
    G: Generator, size: str, minutes: float, start: Encoder | None, editable: bool, begun: str | None
) -> EncoderConfig:
    """begun: the configuration of a training to go on with, as text."""
    if size != "auto" and size not in SIZES:
        raise StyleMixError(f"size is {size!r}; choose auto, {', '.join(SIZES)}")
    sizes = [size]
    if size == "auto":
        quick = next(G.parameters()).device.type != "cuda" or minutes < 30
        sizes = ["small" if quick else "medium" if minutes < 24 * 60 else "large", *SIZES]
    largest = max(32, 1 << (G.img_resolution.bit_length() - 1))
    configs = [
        replace(
            shape,
            num_ws=G.num_ws,
            w_dim=G.w_dim,
            input_nc=3,
            input_size=min(shape.input_size, largest),
            input_height=None,
            kind="Encoder4Editing" if editable else "GradualStyleEncoder",
            iterative=False,
            error_bars=True,
        )
        for shape in ([SIZES[each] for each in sizes] if start is None else [start.config])
    ]
    return next((config for config in configs if repr(config) == begun), configs[0])


class Curve:
    """The round trips of held-out samples as a training goes on, as a part that its checkpoint keeps."""

    def __init__(self) -> None:
        self.found: list[float] = []

    def state_dict(self) -> dict[str, Any]:
        return {"found": self.found}

    def load_state_dict(self, state: Any) -> None:
        self.found = [*state["found"]]

    def add(self, found: float, seconds: float, picture: Path) -> None:
        """Take note of one more, after so many seconds, and draw all."""
        self.found.append(found)
        title = f"Round trip of held-out pictures: {found:.3f}"
        drawn = draw_report([title], torch.tensor(self.found)[:, None], along=f"{seconds / 60:.3g} minutes")
        save_image(picture, from_pil(drawn)[0])


class Maker:
    """An encoder in training."""

    def __init__(
        self,
        generator: Generator,
        out: Path,
        config: EncoderConfig,
        samples: Samples,
        start: Encoder | None,
        pictures: "torch.Tensor | Pictures | None",
        masks: torch.Tensor | None,
        batch: int,
    ):
        self.batch = batch
        self.generator, self.out, self.samples = generator, out, samples
        self.device = generator.w_avg.device
        self.pictures, self.masks = pictures, None if masks is None else masks.clone()
        self.found = float("inf")
        """The round trip, when last looked at."""
        with torch.no_grad():
            self.spread = samples.spread()
        with torch.random.fork_rng():
            torch.manual_seed(samples.seed)
            self.encoder = self._new(config, start)
        self.averaged = self._new(config, start)
        self.averaged.load_state_dict(self.encoder.state_dict())
        self.averaged.requires_grad_(False).eval()
        self.optimizer = torch.optim.Adam(self.encoder.parameters(), betas=(0.9, 0.99))
        self.curve = Curve()
        self.run = Run(
            out / CHECKPOINT,
            {
                "encoder": self.encoder,
                "averaged": self.averaged,
                "optimizer": self.optimizer,
                "curve": self.curve,
            },
            every=60.0,
            of={"generator": generator.fingerprint(), "encoder": repr(config)},
        )

    def _new(self, config: EncoderConfig, start: Encoder | None) -> Encoder:
        encoder = Encoder(config)
        if start is not None:
            own, theirs = encoder.state_dict(), start.state_dict()
            fitting = {
                name: value
                for name, value in theirs.items()
                if name in own and own[name].shape == value.shape
            }
            encoder.load_state_dict(fitting, strict=False)
        if start is None or start.latent_avg.shape != encoder.latent_avg.shape:
            encoder.latent_avg.copy_(self.spread.average.expand_as(encoder.latent_avg))
        return encoder.to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]

    def train(
        self, minutes: float, steps: int | None, good_enough: float | None
    ) -> Iterator[tuple[int, int, torch.Tensor | None, str]]:
        """Do the steps; yields what `on_step` is told."""
        enough = -1.0 if good_enough is None else good_enough
        total = steps if steps is not None else 60 * minutes
        shown_at = 0.0

        def done() -> float:
            return self.run.step if steps is not None else self.run.seconds

        begun = done()
        for step in self.run.steps(lambda: self.found <= enough or done() >= total):
            self.step(step, min(1.0, done() / max(total, 1e-9)))
            note = f"{step + 1} steps, loss {self.run.loss:.3f}"
            if step % TELL:
                continue
            sheet = None
            if self.run.seconds - shown_at > 20 or step == 0:
                shown_at = self.run.seconds
                self.found, sheet = self.look()
                self.curve.add(self.found, self.run.seconds, self.out / "curve.png")
                note += f", round trip {self.found:.3f}"
            yield max(round(done() - begun), 1), max(round(total - begun), 1), sheet, note

    def step(self, step: int, done: float) -> None:
        """Learn from one batch of new samples."""
        encoder, config = self.encoder.train(), self.encoder.config
        set_learning_rate(self.optimizer, RATE, step, done)
        batch = self.batch
        first = batch * step
        random = torch.Generator().manual_seed(first)
        half = torch.autocast(self.device.type, torch.bfloat16, enabled=self.half_precision)
        with torch.no_grad():
            true = self.samples.codes(first, batch)
            with half:
                drawn = self.samples.pictures(true, first).float()
        read = worn(encoder.fit(as_read(drawn)), random)
        given = None
        if self.pictures is not None and done >= PICTURES_FROM:
            given = self.given(self.pictures, random)
            read = torch.cat([read, encoder.fit(as_read(given[0]))])
        with half:
            features = encoder.features(read)
            offsets = encoder.codes_of(features).float()
        if config.kind == "Encoder4Editing":
            # One layer more at a time may differ from the first.
            free = torch.arange(config.num_ws, device=self.device) <= 2 * done * config.num_ws
            offsets = torch.where(free[:, None], offsets, offsets[:, :1])
        codes = offsets + encoder.latent_avg
        errors = self.spread.errors(codes[:batch], true)
        loss = errors.mean() + W_WEIGHT * self.spread.errors_of_w(codes[:batch], true).mean()
        if config.kind == "Encoder4Editing":
            loss = loss + DELTA_WEIGHT * (offsets[:, 1:] - offsets[:, :1]).norm(dim=2).mean()
        loss = loss + loss_of(encoder, features[-1][:batch], errors)
        if done >= PICTURES_FROM:
            loss = loss + self.seen(codes[:SEEN], drawn[:SEEN])
        if given is not None:
            loss = loss + self.seen(codes[batch:], *given)
        self.optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimizer.step()
        follow(self.averaged, encoder, min(0.998, (1 + step) / (10 + step)))
        self.run.report(errors.mean())

    def given(
        self, pictures: "torch.Tensor | Pictures", random: torch.Generator
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Some of the user's pictures, `[SEEN, C, H, W]` in the generator's size, and where they count."""
        chosen = torch.randint(len(pictures), (SEEN,), generator=random).tolist()
        size = self.generator.img_shape
        read = torch.cat([resize(pictures[i][None].clone().to(self.device), *size) for i in chosen])
        if self.generator.img_channels == 1:
            read = read.mean(1, keepdim=True)
        if self.masks is None:
            return read, None
        masks = self.masks[chosen] if len(self.masks) > 1 else self.masks
        return read, resize(masks[:, None].to(read), *size)

    def seen(
        self, codes: torch.Tensor, wanted: torch.Tensor, weights: torch.Tensor | None = None
    ) -> torch.Tensor:
        """The loss of the pictures that codes draw. weights: where they count, `[B, 1, H, W]` or for all."""
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.half_precision):
            drawn = self.generator.synthesis(codes, "none").float()
        weights = torch.ones_like(drawn[:1, :1]) if weights is None else weights
        return picture_loss(as_read(drawn), as_read(wanted), weights)

    @property
    def half_precision(self) -> bool:
        """Whether to compute with bfloat16, whose range losses need: on GPUs of NVIDIA and on CPUs that multiply it."""
        return self.device.type == "cuda" or (self.device.type == "cpu" and computes_bfloat16())

    @torch.no_grad()
    def look(self) -> tuple[float, torch.Tensor]:
        """The round trip of held-out samples, and a sheet: them above what their codes draw, `[1, C, 2·H, N·W]`."""
        drawn = self.samples.pictures(self.samples.codes(HELD_OUT, SHOWN), HELD_OUT)
        again = self.generator.synthesis(self.averaged(as_read(drawn))).clamp(-1, 1)
        rows = [torch.cat(list(pictures), 2) for pictures in (drawn, again)]
        return float((again - drawn).abs().mean()), torch.cat(rows, 1)[None].cpu()

    @torch.no_grad()
    def finish(self, seconds: float) -> Path:
        """Judge the encoder, set the error bars with samples that take a twentieth of `seconds`, and write it."""
        encoder = self.averaged
        begun = time.monotonic()
        judged = judge(encoder, self.samples, self.spread, TO_JUDGE, JUDGED)
        each = (time.monotonic() - begun) / JUDGED
        count = int(min(CALIBRATED, max(JUDGED, seconds / 20 / each)))
        set_bars(encoder, judge(encoder, self.samples, self.spread, TO_SET, count))
        report = Report(
            self.run.step,
            self.run.seconds / 60,
            judged.round_trip,
            judged.errors.median(0).values.tolist(),
            judged.coverage(encoder),
        )
        path = self.out / "encoder.safetensors"
        encoder.generator = self.generator.fingerprint()
        native.write(path, encoder=encoder, dtype=torch.float16, made=report.summary())
        return path
