"""Directions in W that nobody had to train: SeFa and GANSpace."""

from collections.abc import Iterator

import torch

from ..errors import StyleMixError
from ..generator import Generator
from ..generator.sampling import sampled_w
from ..masks.grammar import refuse_several
from ..masks.mask_list import parse_masks
from ..progress import OnStep
from .directions import Directions

METHODS = ("SeFa", "GANSpace")
SAMPLES = 10_000
"""Sampled w that GANSpace looks at, unless told otherwise."""
UNIT_SAMPLES = 2_000
"""Sampled w that tell SeFa how long a step is."""


def find_directions(
    generator: Generator,
    method: str = "SeFa",
    layers: str = "all",
    count: int = 10,
    samples: int = SAMPLES,
    seed: int = 0,
    on_step: OnStep | None = None,
) -> Directions:
    """Find directions without training and without pictures.

    method: "SeFa" (Shen & Zhou 2021, arXiv:2007.06600, equation 5): the eigenvectors of AᵀA, A being the stacked
        affine weights that make styles of w in the chosen layers. At once. "GANSpace" (Härkönen et al. 2020,
        arXiv:2004.02546, section 2.2): the principal components of sampled w; the layers say where to apply them.
    layers: one mask of the mask-list grammar; where its strength is not 0.
    count: how many of the strongest directions, up to w_dim.
    samples, seed: of GANSpace's w, w_dim at least. The same seed gives the same directions.
    on_step: called after every chunk of samples as `on_step(done, total, None)`.
    Every direction's sign is such that its largest entry is positive. `StyleMixError` on arguments that do not fit,
    `MaskSyntaxError` on layers that the model lacks.

    >>> directions = sm.find_directions(G, layers="coarse", count=3)
    >>> moved = sm.apply_direction(sm.Latents.of(faces), directions, direction=1, strength=2)
    >>> moved.w.shape
    torch.Size([2, 8, 16])
    """
    if method not in METHODS:
        raise StyleMixError(f"method {method!r} is unknown; choose one of: {', '.join(METHODS)}")
    if not 1 <= count <= generator.w_dim:
        raise StyleMixError(f"count is {count}; give a number of directions from 1 to {generator.w_dim}")
    chosen = one_mask(layers, generator.num_ws).ne(0)
    if not chosen.any():
        raise StyleMixError(f"the layers {layers!r} are none; choose at least one, or all")
    if method == "SeFa":
        weights = stacked_affine_weights(generator, chosen)
        values, vectors = strongest(weights.T @ weights)
        spread = covariance(sampled_w(generator.mapping, UNIT_SAMPLES, 0))
        units = (vectors[:count] @ spread * vectors[:count]).sum(1).clamp_min(0).sqrt()
    else:
        if samples < generator.w_dim:
            raise StyleMixError(f"samples is {samples}; give {generator.w_dim} or more, usually {SAMPLES}")
        values, vectors = strongest(covariance(sampled_w(generator.mapping, samples, seed, on_step)))
        units = values[:count].sqrt()
    return Directions(
        vectors[:count].float(),
        units.float(),
        (values / values.sum())[:count].float(),
        tuple(f"{method} {number}" for number in range(1, count + 1)),
        chosen.float(),
        method,
        generator.fingerprint(),
    )


def one_mask(text: str, num_ws: int) -> torch.Tensor:
    """Strengths `[num_ws]` of a mask list with a single mask. `StyleMixError` when it has more."""
    refuse_several(text)
    return parse_masks(text, num_ws).still().strengths[0]


def stacked_affine_weights(generator: Generator, layers: torch.Tensor) -> torch.Tensor:
    """The weights that make the chosen layers' styles of w, one below the other: float64 `[channels, w_dim]`.

    layers: bool `[num_ws]`.
    """
    affine = [module.affine for layer, module in generator.synthesis.styled() if layers[layer]]
    return torch.cat([(one.weight * one.weight_gain).detach().cpu().double() for one in affine])


def covariance(chunks: Iterator[torch.Tensor]) -> torch.Tensor:
    """Of rows that come in chunks: float64 `[D, D]`."""
    count = 0
    total = products = torch.zeros([], dtype=torch.float64)
    for chunk in chunks:
        x = chunk.double()
        count, total, products = count + len(x), total + x.sum(0), products + x.T @ x
    mean = total / count
    return (products - count * torch.outer(mean, mean)) / (count - 1)


def strongest(products: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Eigenvalues `[D]` of XᵀX, falling, and the eigenvectors as rows `[D, D]`, their largest entries positive.

    They are its singular values and vectors, which LAPACK finds where its eigenvalues do not converge: in a layer whose
    styles read few of the numbers of w, most rows are zeros.
    """
    _, values, vectors = torch.linalg.svd(products)
    largest = vectors.gather(1, vectors.abs().argmax(1, keepdim=True))
    return values, vectors * largest.sign()
