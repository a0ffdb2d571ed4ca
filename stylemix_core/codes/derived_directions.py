"""Directions made of others: without what these do, and carried over from Z to W."""

from dataclasses import replace

import torch

from ..errors import LatentMismatchError, StyleMixError
from ..generator import Generator
from ..generator.sampling import classes_in_turn
from .directions import Directions


def condition_directions(directions: Directions, others: Directions) -> Directions:
    """Directions made orthogonal to others, layer by layer (InterFaceGAN's conditional manipulation: Shen et al. 2020,
    arXiv:1907.10786, section 3.2, for any number of others). Their length is not made good again.

    `StyleMixError` for directions in different spaces, or where one lies wholly in the others,
    `LatentMismatchError` where they are for different generators' shapes.
    """
    directions.refuse_mean()
    if directions.space != others.space or directions.vectors.shape[-1] != others.vectors.shape[-1]:
        raise StyleMixError(
            f"the directions lie in {directions.space} of {directions.vectors.shape[-1]} numbers, the others in "
            f"{others.space} of {others.vectors.shape[-1]}; only directions of one space can be made orthogonal"
        )
    own, theirs = directions.by_layer, others.by_layer
    layers = {one.num_ws for one in (directions, others)} - {None}
    if len(layers) > 1:
        raise LatentMismatchError(
            f"the directions are for {' and '.join(map(str, layers))} layers; use those of one generator"
        )
    if others.layers is not None and (others.layers == 0).any():
        theirs = theirs * others.layers[:, None]
    if theirs.shape[-2] > 1 and own.shape[-2] == 1:
        own = own.expand(-1, theirs.shape[-2], -1)
    basis = torch.linalg.svd(theirs.movedim(0, -2).double(), full_matrices=False)
    kept = 1e-6 * basis.S.amax().clamp_min(1e-30) < basis.S
    rows = basis.Vh * kept[..., None]  # [L, J, D]
    inside = torch.einsum("...jd,k...d->k...j", rows, own.double())
    vectors = (own.double() - torch.einsum("k...j,...jd->k...d", inside, rows)).float()
    lost = vectors.flatten(1).norm(dim=1) < 1e-4 * own.flatten(1).norm(dim=1)
    if lost.any():
        name = directions.names[int(lost.nonzero()[0])]
        raise StyleMixError(
            f"the direction {name!r} is made of the others; nothing is left of it without them"
        )
    if directions.vectors.ndim == 2 and vectors.shape[1] == 1:
        vectors = vectors[:, 0]
    return replace(directions, vectors=vectors, shares=None, confidence=None)


def carried_to_w(
    directions: Directions, generator: Generator, samples: int = 1_000, seed: int = 0
) -> Directions:
    """Directions in Z as the mean of what they do to w: (mapping(z + n) − mapping(z − n)) / 2 over sampled z.

    `LatentMismatchError` when the generator's z are of another size.
    """
    if directions.space != "Z":
        return directions
    count, size = directions.vectors.shape
    if size != generator.z_dim:
        raise LatentMismatchError(
            f"the directions are in Z of {size} numbers, this generator's Z has {generator.z_dim}"
        )
    z = torch.randn(samples, size, generator=torch.Generator().manual_seed(seed % 2**63))
    labels = classes_in_turn(generator.c_dim, 0, samples)
    means = []
    for vector in directions.vectors * directions.units[:, None]:
        there, back = (generator.mapping(z + sign * vector, labels)[:, 0] for sign in (1, -1))
        means.append((there - back).detach().mean(0).cpu() / 2)
    return replace(
        directions,
        vectors=torch.stack(means),
        units=torch.ones(count),
        method=f"{directions.method}, carried over from Z",
        generator=generator.fingerprint(),
        space="W",
        confidence=None,
    )
