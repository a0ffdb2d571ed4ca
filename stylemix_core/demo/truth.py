"""How the demo generator's latents relate to avatar attributes: known by construction.

An attribute is a direction in z: with the fixed orthonormal matrix `projection()`, attribute k of a
latent is Φ(ẑ·p_k), Φ being the normal distribution function and ẑ the normalised latent that
StyleGAN2's mapping works on. Standard normal z give uniform, independent attributes.

The mapping network is not learned. Its two layers are written down so that every coordinate of w
is a leaky ReLU of one attribute's direction, each attribute having several with different
thresholds. A synthesis layer reads only the coordinates of the attributes it carries.
"""

import functools
import math
from collections.abc import Iterable

import numpy as np
import torch

from ..errors import StyleMixError
from ..generator import GeneratorConfig
from ..generator.engine.steps import LRELU_GAIN, LRELU_SLOPE
from .attributes import ATTRIBUTES, columns_of_layers, index

CONFIG = GeneratorConfig(
    z_dim=512,
    c_dim=0,
    w_dim=512,
    img_resolution=256,
    img_channels=3,
    mapping_layers=2,
    channels=(160, 160, 160, 128, 64, 32, 16),
)

THRESHOLDS = torch.tensor([0.0, -0.7, 0.7, -1.4, 1.4, -0.3, 0.3])
"""Where the pairs of coordinates that read an attribute have their steps."""


@functools.cache
def projection() -> torch.Tensor:
    """The attribute directions in z, orthonormal columns, float32 `[z_dim, attributes]`."""
    random = np.random.Generator(np.random.PCG64(20200603)).standard_normal((CONFIG.z_dim, len(ATTRIBUTES)))
    q, r = np.linalg.qr(random)
    directions: torch.Tensor = torch.from_numpy(q * np.sign(np.diag(r)))
    return directions.float()


def attributes_of(z: torch.Tensor) -> torch.Tensor:
    """Attributes 0…1 of the avatars that z `[B, z_dim]` stands for; float32 `[B, attributes]`."""
    normalized = z * torch.rsqrt(z.square().mean(1, keepdim=True) + 1e-8)
    values: torch.Tensor = torch.special.ndtr(normalized @ projection().to(z))
    return values


def z_of(attributes: torch.Tensor) -> torch.Tensor:
    """The shortest way back: a latent `[B, z_dim]` whose attributes are these; `attributes_of` inverts it."""
    values: torch.Tensor = torch.special.ndtri(attributes.clamp(1e-4, 1 - 1e-4))
    p = projection().to(attributes)
    # Length √z_dim makes the mapping's normalisation the identity; what is missing goes into one
    # direction that no attribute reads.
    spare = torch.ones(CONFIG.z_dim).to(p)
    spare = spare - p @ (p.t() @ spare)
    missing = (CONFIG.z_dim - values.square().sum(1, keepdim=True)).clamp_min(0).sqrt()
    latents: torch.Tensor = values @ p.t() + missing * spare / spare.norm()
    return latents


def column(name: str) -> int:
    """The column of an attribute. `StyleMixError` when there is none of that name."""
    try:
        return index(name)
    except KeyError as error:
        raise StyleMixError(error.args[0]) from None


def attributes_of_codes(w: torch.Tensor) -> torch.Tensor:
    """The attributes that W+ codes `[B, num_ws, w_dim]` show, each read where its layer reads it; `[B, attributes]`."""
    values = []
    for place, attribute in enumerate(ATTRIBUTES):
        pairs, bias = pairs_of(place)
        one, other = w[:, attribute.layer, pairs], w[:, attribute.layer, pairs + CONFIG.w_dim // 2]
        values.append(((one - other) / (LRELU_GAIN * (1 + LRELU_SLOPE)) - bias.to(w)).mean(1))
    shown: torch.Tensor = torch.special.ndtr(torch.stack(values, 1))
    return shown


def with_attribute(w: torch.Tensor, name: str, value: float) -> torch.Tensor:
    """W+ codes `[B, num_ws, w_dim]` with one attribute set, 0…1, and nothing else changed. `StyleMixError` when there
    is none of that name."""
    place = column(name)
    pairs, bias = pairs_of(place)
    v = torch.special.ndtri(torch.tensor(value, dtype=w.dtype).clamp(1e-4, 1 - 1e-4)) + bias.to(w)
    changed, layer = w.clone(), ATTRIBUTES[place].layer
    changed[:, layer, pairs] = LRELU_GAIN * torch.nn.functional.leaky_relu(v, LRELU_SLOPE)
    changed[:, layer, pairs + CONFIG.w_dim // 2] = LRELU_GAIN * torch.nn.functional.leaky_relu(
        -v, LRELU_SLOPE
    )
    return changed


def pairs_of(place: int) -> tuple[torch.Tensor, torch.Tensor]:
    """The coordinates of w that read an attribute, of its ± pairs the first, and what is added to it there."""
    pairs = torch.arange(place, CONFIG.w_dim // 2, len(ATTRIBUTES))
    return pairs, -THRESHOLDS[torch.arange(len(pairs))]


def mix(source: torch.Tensor, style: torch.Tensor, layers: Iterable[int]) -> torch.Tensor:
    """The attributes that injecting `layers` of `style` into `source` must show; all `[B, attributes]`."""
    mixed = source.clone()
    columns = columns_of_layers(layers)
    mixed[:, columns] = style[:, columns]
    return mixed


def attribute_of_coordinate() -> torch.Tensor:
    """Which attribute every coordinate of w reads, `[w_dim]`; the second half mirrors the first."""
    return (torch.arange(CONFIG.w_dim // 2) % len(ATTRIBUTES)).repeat(2)


def coordinates_of(layer: int) -> torch.Tensor:
    """Which coordinates of w the W+ layer may read, bool `[w_dim]`."""
    carried = torch.tensor([attribute.layer == layer for attribute in ATTRIBUTES])
    return carried[attribute_of_coordinate()]


def mapping_weights() -> dict[str, torch.Tensor]:
    """The mapping network's tensors, `mapping.*`, by construction.

    Coordinate k of w is √2·lrelu(±(v + b)), v being one attribute's normal value. Coordinates come in
    ± pairs, so that v can be read off w linearly and steps at the thresholds −b are cheap to draw.
    """
    pairs = CONFIG.w_dim // 2
    bias = -THRESHOLDS[torch.arange(pairs) // len(ATTRIBUTES)]
    directions = projection()[:, attribute_of_coordinate()[:pairs]].t()  # [pairs, z_dim]
    # lrelu(x) − lrelu(−x) = (1 + slope)·x: the first layer's pairs pass v through unharmed.
    undo = torch.eye(pairs) / (LRELU_GAIN * (1 + LRELU_SLOPE))
    lr = 0.01
    return {
        "mapping.fc0.weight": torch.cat([directions, -directions]) * math.sqrt(CONFIG.z_dim) / lr,
        "mapping.fc0.bias": torch.zeros(CONFIG.w_dim),
        "mapping.fc1.weight": torch.cat([torch.cat([undo, -undo], 1), torch.cat([-undo, undo], 1)])
        * (math.sqrt(CONFIG.w_dim) / lr),
        "mapping.fc1.bias": torch.cat([bias, -bias]) / lr,
    }
