"""What injects here and not there, and shapes and not colours: regions and style channels, on the demo models.

    python benchmarks/insight_local.py             a few minutes on two cores
    python benchmarks/insight_local.py --small     seconds; the goals are for the full run only

Random pairs of avatars; regions are the renderer's hair and face, an ellipse and half of the picture. Times are
medians of interleaved runs. Exit code 1 when a goal is missed.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Callable

import torch
import torch.nn.functional as F
from goals import Row, report

import stylemix_core as sm
from stylemix_core.codes.latents import Latents
from stylemix_core.codes.style_space import styles_of
from stylemix_core.decoding import decode
from stylemix_core.demo import truth
from stylemix_core.demo.renderer import render
from stylemix_core.generator import Generator
from stylemix_core.mixing.inject import inject_latents

FIRST_HELD_OUT_SEED = 1_000_000
LAYERS = ("all", "0-3", "4-5", "4-7", "8-13")
"""What is injected in every region."""
MARGIN = 8
FACE = ("face", "eyes", "brows", "nose", "mouth")
CHUNK = 8
NEARLY = 0.95
LUMA = torch.tensor([0.299, 0.587, 0.114])[:, None, None]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--small", action="store_true", help="few pairs and masks, no goals")
    options = parser.parse_args()
    return report(figures(options.small), judged=not options.small)


@torch.inference_mode()
def figures(small: bool) -> list[Row]:
    """Every figure: its name, its value, and how it must compare with the goal ("" for no goal)."""
    generator = sm.load_generator("demo", "cpu")
    count = 2 if small else 16
    z = sm.sample_z(range(FIRST_HELD_OUT_SEED, FIRST_HELD_OUT_SEED + 2 * count), generator.z_dim)
    codes = Latents.of(generator.mapping(z))
    sources, styles = codes.take(slice(count)), codes.take(slice(count, None))
    masks = regions(truth.attributes_of(z[:count]), generator.img_resolution)
    runs = 3 if small else 40
    return [
        *locality(generator, sources, styles, masks),
        *speed(generator, sources.take([0]), styles.take([0]), masks["half"][:1], runs),
        *style_space(generator, sources.take(slice(6)), styles.take(slice(6)), small),
    ]


def regions(attributes: torch.Tensor, side: int) -> dict[str, torch.Tensor]:
    """Masks `[B, R, R]` of 0 and 1."""
    drawn = render(attributes, side).regions
    y, x = torch.meshgrid(*[torch.linspace(-1, 1, side)] * 2, indexing="ij")
    everyone = (len(attributes), -1, -1)
    return {
        "hair": (drawn["hair"] > 0.5).float(),
        "face": (sum(drawn[name] for name in FACE) > 0.5).float(),
        "ellipse": ((x / 0.45).square() + (y / 0.6).square() < 1).float().expand(everyone),
        "half": (x < 0).float().expand(everyone),
    }


def locality(
    generator: Generator, sources: Latents, styles: Latents, masks: dict[str, torch.Tensor]
) -> list[Row]:
    """How much of the full injection's change there is outside a region, and inside."""
    before = pictures(generator, sources)
    outside: dict[str, float] = {}
    inside: dict[str, float] = {}
    for layers in LAYERS:
        chosen = sm.parse_masks(layers, generator.num_ws)
        full = (pictures(generator, inject_latents(sources, styles, chosen)) - before).abs().mean(1)
        for name, mask in masks.items():
            # A region for every face: as many injections as there are.
            mixed = [
                inject_latents(sources.take([i]), styles.take([i]), chosen, region=mask[i : i + 1])
                for i in range(len(sources))
            ]
            changed = torch.cat(
                [(pictures(generator, one) - before[i]).abs().mean(1) for i, one in enumerate(mixed)]
            )
            far = F.max_pool2d(mask[:, None], 2 * MARGIN + 1, 1, MARGIN)[:, 0] == 0
            outside[f"{layers} in {name}"] = float(changed[far].sum() / full[far].sum())
            inside[f"{layers} in {name}"] = float(changed[mask > 0].sum() / full[mask > 0].sum())
    most, least = max(outside, key=outside.__getitem__), min(inside, key=inside.__getitem__)
    return [
        ("region: change outside / of the full injection", statistics.mean(outside.values()), "≤", 0.02),
        (f"region: the same, worst ({most})", outside[most], "≤", 0.02),
        ("region: change inside / of the full injection", statistics.mean(inside.values()), "≥", 0.9),
        (f"region: the same, worst ({least})", inside[least], "≥", 0.9),
    ]


def speed(generator: Generator, source: Latents, style: Latents, mask: torch.Tensor, runs: int) -> list[Row]:
    """One picture with a region against one without."""
    jobs: dict[str, Callable] = {"plain": lambda: decode(generator, source)}
    for layers in ("all", "4-5"):
        mixed = inject_latents(source, style, sm.parse_masks(layers, generator.num_ws), region=mask)
        jobs[layers] = lambda mixed=mixed: decode(generator, mixed)
    times: dict[str, list[float]] = {name: [] for name in jobs}
    for i in range(runs + 1):
        for name, job in jobs.items():
            start = time.perf_counter()
            job()
            if i:  # the first round warms up
                times[name].append(time.perf_counter() - start)
    plain, *others = (statistics.median(values) for values in times.values())
    goals = {"all": 1.6, "4-5": 1.6}
    return [
        (f"region, layers {layers}: time / of a plain decode", taken / plain, "≤", goals[layers])
        for layers, taken in zip(goals, others)
    ]


def style_space(generator: Generator, sources: Latents, styles: Latents, small: bool) -> list[Row]:
    """Shapes and colours: what injecting convolutions or to-RGBs alone changes of each, against every W+ mask.

    The W+ masks are all runs of layers and everything but a run. A space is compared with the mask that changes the
    least of what it is to keep, among those that change nearly as much of what it is to change.
    """
    everything = sm.parse_masks("all", generator.num_ws)
    mixed = generator.synthesis.draw(styles_of(generator, styles))
    whole = decode(generator, inject_latents(sources, styles, everything))
    before = pictures(generator, sources)

    def change(text: str, space: str = "W+") -> tuple[float, float]:
        masks = sm.parse_masks(text, generator.num_ws)
        after = pictures(generator, inject_latents(sources, styles, masks, space=space))
        return tuple(
            float((measure(after) - measure(before)).abs().mean()) for measure in (structure, colours)
        )

    last = generator.num_ws - 1
    step = 4 if small else 1
    runs = [(i, j) for i in range(0, last + 1, step) for j in range(i, last + 1, step)]
    texts = {f"{i}-{j}" for i, j in runs}
    texts |= {f"all, {i}-{j}@0" for i, j in runs} | {"all"}
    w_plus = [change(text) for text in sorted(texts)]
    shapes, hues = change("all")
    convolutions, to_rgb = change("all", "convolutions"), change("all", "to-RGB")
    keeps_colour = min(colour for shape, colour in w_plus if shape >= NEARLY * min(convolutions[0], shapes))
    keeps_shape = min(shape for shape, colour in w_plus if colour >= NEARLY * min(to_rgb[1], hues))
    return [
        ("S: all of S against all of W+, largest difference", float((mixed - whole).abs().max()), "≤", 0.0),
        ("convolutions: shape changed / by W+", convolutions[0] / shapes, "", 0.0),
        (
            "convolutions: colour per shape / of W+ in the same layers",
            convolutions[1] / convolutions[0] / (hues / shapes),
            "≤",
            0.9,
        ),
        ("to-RGB: colour changed / by W+", to_rgb[1] / hues, "", 0.0),
        (
            "to-RGB: shape per colour / of W+ in the same layers",
            to_rgb[0] / to_rgb[1] / (shapes / hues),
            "≤",
            0.9,
        ),
        ("to-RGB: shape changed / by the best W+ mask", to_rgb[0] / keeps_shape, "≤", 0.9),
        # The demo's shapes are carried by layers of their own, so for shapes a W+ mask is the better choice.
        ("convolutions: colour changed / by the best W+ mask", convolutions[1] / keeps_colour, "", 0.0),
    ]


def structure(images: torch.Tensor) -> torch.Tensor:
    """Where edges are, whatever their colour: the strength of the gradient over its local mean."""
    right, down = images.diff(dim=3)[..., :-1, :], images.diff(dim=2)[..., :-1]
    strength = (right.square() + down.square()).sum(1, keepdim=True).sqrt()
    strength = F.avg_pool2d(strength, 3, 1, 1)
    return strength / (F.avg_pool2d(strength, 31, 1, 15, count_include_pad=False) + 0.02)


def colours(images: torch.Tensor) -> torch.Tensor:
    """Chroma, of 16 px each."""
    return F.avg_pool2d(images - (images * LUMA).sum(1, keepdim=True), 16)


def pictures(generator: Generator, latents: Latents) -> torch.Tensor:
    parts = [
        decode(generator, latents.take(slice(start, start + CHUNK)))
        for start in range(0, len(latents), CHUNK)
    ]
    return torch.cat(parts).clamp(-1, 1)


if __name__ == "__main__":
    sys.exit(main())
