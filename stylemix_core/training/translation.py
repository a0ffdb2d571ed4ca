"""Codes, directions and mask lists of one generator for another, by what both make of the same pictures."""

import math
from dataclasses import replace

import torch

from ..codes.certainty import as_latents, read
from ..codes.combine import join_latents
from ..codes.directions import Directions
from ..codes.latents import Latents
from ..decoding import decode
from ..encoder import Encoder
from ..errors import StyleMixError
from ..generator import Generator
from ..generator.spread import Spread
from ..masks.mask_list import MaskList, layers_text
from ..progress import OnStep
from .samples import Samples, as_read

PAIRS = 1_024
"""Pictures that a translation is learnt from."""
TESTED = 4
"""Every so many of them is kept back, to choose by and to judge with."""
CHUNK = 16
RIDGES = tuple(10.0**power for power in range(-5, 3))
"""How strongly the linear map is pulled to nothing, relative to the pairs' mean square."""


def translate(codes: Latents, G1: Generator, G2: Generator, encoder: Encoder) -> Latents:
    """Codes of `G1` as codes of `G2`: the picture is drawn by one and read for the other.

    codes: with all that injection made of them.
    encoder: of `G2`; best trained with `pictures` of `G1`. Where it tells error bars, the codes have them.
    `LatentMismatchError` when the codes do not fit `G1`, `StyleMixError` when the encoder is of another generator.
    """
    _check(encoder, G2)
    parts = []
    with torch.inference_mode():
        for first in range(0, len(codes), CHUNK):
            some = codes[first : first + CHUNK]
            found = read(encoder, as_read(decode(G1, some).clamp(-1, 1)))
            parts.append(as_latents(encoder, found, [f"{origin}, translated" for origin in some.origins]))
    return replace(join_latents(parts), generator=G2.fingerprint())


class Translation:
    """A linear map from codes of one generator to those of another, for what has no picture: directions, mask lists.

    `errors` `[num_ws]` of the second generator: the root of the share of each w's styles that the map gets wrong, of
    pictures that it was not learnt from; 0 is exact, 1 no better than the average code.
    """

    def __init__(
        self,
        G1: Generator,
        G2: Generator,
        encoder: Encoder,
        pairs: int = PAIRS,
        seed: int = 0,
        on_step: OnStep | None = None,
    ):
        """Learn the map from `pairs` pictures of `G1`, read by `G2`'s encoder. Errors as for `translate`."""
        _check(encoder, G2)
        self.G1, self.G2 = G1, G2
        samples = Samples(G1, seed=seed)
        ours, theirs = [], []
        with torch.inference_mode():
            for first in range(0, pairs, CHUNK):
                w = samples.codes(first, min(CHUNK, pairs - first))
                ours.append(w.cpu())
                theirs.append(encoder(as_read(samples.pictures(w, first))).cpu())
                if on_step is not None:
                    on_step(first + len(w), pairs)
            self._learn(torch.cat(ours), torch.cat(theirs), Samples(G2, seed=seed).spread())

    def _learn(self, ours: torch.Tensor, theirs: torch.Tensor, spread: Spread) -> None:
        """Ridge regression in its dual form, as there are fewer pairs than numbers in a code."""
        kept = torch.arange(len(ours)) % TESTED > 0
        mean, aim = ours[kept].mean(0), theirs[kept].mean(0)
        x, y = (ours - mean).flatten(1), (theirs - aim).flatten(1)
        values, vectors = torch.linalg.eigh((x[kept] @ x[kept].t()).double())
        size = float(values.mean())
        across = vectors.t() @ y[kept].double()

        def weights(ridge: float) -> torch.Tensor:
            return (vectors @ (across / (values + ridge * size)[:, None])).float()

        device = self.G2.w_avg.device
        true = theirs[~kept].to(device)

        def errors(ridge: float) -> torch.Tensor:
            found = (x[~kept] @ x[kept].t() @ weights(ridge)).view_as(theirs[~kept]) + aim
            return spread.errors(found.to(device), true).mean(0).sqrt().cpu()

        best = min(RIDGES, key=lambda ridge: float(errors(ridge).square().mean()))
        self.errors = errors(best)
        self._x, self._weights = x[kept], weights(best)

    def directions(self, directions: Directions) -> Directions:
        """Directions in W or W+ of the first generator as such in W+ of the second, with names and lengths kept.

        `StyleMixError` of directions in other spaces.
        """
        if directions.space != "W":
            raise StyleMixError(
                f"these directions are in {directions.space}; only directions in W and W+ can be translated"
            )
        vectors = directions.vectors
        if vectors.ndim == 2:
            vectors = vectors[:, None].expand(-1, self.G1.num_ws, -1)
        if directions.layers is not None:
            vectors = vectors * directions.layers[:, None]
        moved = vectors.flatten(1).cpu() @ self._x.t() @ self._weights
        shape = (-1, self.G2.num_ws, self.G2.w_dim)
        return replace(
            directions,
            vectors=moved.view(shape),
            layers=None,
            generator=self.G2.fingerprint(),
            shares=None,
            mean=None,
        )

    def masks(self, masks: MaskList) -> MaskList:
        """A mask list of the first generator for the second: each layer takes the strength of the one that acts at
        the nearest size; of several, of the one as far along them.

        `LatentMismatchError` when the list is for another number of layers, `StyleMixError` when its strengths change
        over a film.
        """
        places = nearest_layers(self.G1, self.G2)
        strengths = masks.still().strengths[:, places]
        labels = [
            label if named else layers_text(row)
            for label, named, row in zip(
                masks.labels, masks.named or [True] * len(strengths), strengths, strict=True
            )
        ]
        return MaskList(strengths, labels, masks.named)


def nearest_layers(G1: Generator, G2: Generator) -> list[int]:
    """For each layer of `G2` the layer of `G1` that acts at the nearest size; of several, the one as far along them."""

    def places(generator: Generator) -> list[float]:
        synthesis = generator.synthesis
        rates = (stage.rate for stage in synthesis.stages() for _ in stage.styled())
        sizes: dict[int, int] = {}
        for (layer, _), rate in zip(synthesis.styled(), rates, strict=True):
            sizes.setdefault(layer, rate)  # where it acts first: a to-RGB's w is the next block's, too
        alike = [[other for other, size in sizes.items() if size == sizes[layer]] for layer in sorted(sizes)]
        return [
            math.log2(sizes[layer]) + others.index(layer) / len(others)
            for layer, others in zip(sorted(sizes), alike, strict=True)
        ]

    ours = places(G1)
    return [min(range(len(ours)), key=lambda layer: abs(ours[layer] - place)) for place in places(G2)]


def _check(encoder: Encoder, G2: Generator) -> None:
    if encoder.generator not in (None, G2.fingerprint()):
        raise StyleMixError(
            "this encoder is of another generator than the one to translate to; give an encoder that was trained for it"
        )
