"""Finding layers: which mask changes a wished region, and little else."""

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from PIL import Image

from ..encoder.identity import Identity
from ..errors import LatentMismatchError, NoFaceError, StyleMixError
from ..faces.regions import find_regions, regions_of
from ..generator import Generator
from ..generator.sampling import sampled_w
from ..images import as_masks
from ..inversion.optimize import with_checkpoints
from ..masks.grammar import NAMES
from ..masks.mask_list import MaskList, layers_text
from ..mixing.pairing import refuse_same
from ..networks import differentiable, twin
from ..progress import OnStep
from ..wording import counted, percent, there_are
from .judges import Judge, regions_of_wish
from .wish_text import KINDS, LEGEND, Wish, read_wish

CHUNK = 4
"""Pictures that are decoded at a time."""

CARE = 2.0
"""How much more a change outside counts than one inside, unless told otherwise."""

LAYER_COST = 0.02
"""What a layer costs: of two masks that do about the same, the one of fewer layers is the better."""

OTHERS = 6
"""So many random faces tell what a layer does in general."""

GENERAL = 2 / 3
"""How much that counts; the rest is what a mask does for the pair that is asked about."""

HOPELESS = -0.3
"""A layer that alone is worth less than this is not tried together with others."""

LEAST_DIFFERENCE = 0.01
"""A strength between 0 and 1 has to be worth this much."""

STEP, FINEST = 0.25, 0.05
"""How far the first step of the descent moves a strength, and to what strengths are rounded."""

LITTLE = 0.2
"""A best mask that is less far inside than this has not fulfilled the wish. On pairs of demo faces the best masks reach
0.25 to 1 where they are of layers that carry the wish, and 0.09 to 0.16 where the style gives too little of it."""

LEFT_TO_KEEP = 0.2
"""What is to be kept is contradicted by the target where less of it than this lies outside of the target."""

Strengths = tuple[float, ...]


@dataclass(frozen=True, eq=False)
class FoundMask:
    """A mask and what it does. Shares are parts of what injecting all layers changes, 0 … about 1."""

    strengths: torch.Tensor
    """float32 `[num_ws]`."""
    inside: float
    """Share of the wished change in the target."""
    outside: float
    """Share of all other change: that of shapes or that of colours, whichever is larger."""
    kept: float
    """The same for what is to be kept; 0 without such a wish."""
    score: float
    """What the search makes most of: inside − care·(outside + kept) − `LAYER_COST` for every layer, a third of it
    measured in this pair and two thirds what its layers are worth in general, one by one (`OTHERS`, `GENERAL`)."""
    origin: str
    """How it came about: "greedy", "strengths", "layer 4", "coarse", …"""

    @property
    def mask_text(self) -> str:
        """Ready for a mask list: "4-5, 7@0.5"."""
        return layers_text(self.strengths)


@dataclass(frozen=True, eq=False)
class FoundLayers(Sequence[FoundMask]):
    """Masks for a wish, the best first. Works as a sequence of `FoundMask`."""

    candidates: tuple[FoundMask, ...]
    singles: tuple[FoundMask, ...]
    """Every layer injected alone."""
    without: tuple[FoundMask, ...]
    """All layers but that one."""
    presets: tuple[FoundMask, ...]
    """coarse, middle, fine and all, as far as the model has them."""
    wish: str
    care: float
    source: torch.Tensor
    """The first source's picture, `[1, C, R, R]`."""
    style: torch.Tensor
    """The same with all layers of its style."""
    target: torch.Tensor
    """Where the wish looked in the first source's picture, `[H, W]` in 0…1."""
    pictures: torch.Tensor
    """The candidates on the first source, `[len(self), C, R, R]`."""
    decoded: int
    """How many pictures the search has drawn."""

    def __len__(self) -> int:
        return len(self.candidates)

    def __getitem__(self, index):
        return self.candidates[index]

    def __iter__(self) -> Iterator[FoundMask]:
        return iter(self.candidates)

    @property
    def masks(self) -> MaskList:
        """All candidates as a mask list, the best first."""
        rows = torch.stack([found.strengths for found in self.candidates])
        return MaskList(rows, [found.mask_text for found in self.candidates])

    @property
    def warning(self) -> str | None:
        """A sentence to warn with where no mask fulfils the wish, else None."""
        best = self[0]
        if best.inside >= LITTLE and best.inside > self.care * (best.outside + best.kept):
            return None
        harm = max(best.outside, best.kept)
        return (
            f"no layers do this ({self.wish}) for these faces: the best mask, {best.mask_text}, changes "
            f"{'only ' if best.inside < LITTLE else ''}{percent(max(best.inside, 0.0))} of what the style changes there"
            + (f", and {percent(harm)} of what shall stay" if harm >= best.inside / 2 else "")
            + f"; try another style or target, or less care than {self.care:g}"
        )

    def table(self) -> str:
        """The candidates with their figures as text, one a line, between the columns' names and the `LEGEND`."""
        lines = ["inside  outside  kept   score  layers"]
        for found in self.candidates:
            lines.append(
                f"{percent(found.inside):>6}  {percent(found.outside):>7}  {percent(found.kept):>4}  "
                f"{found.score:6.2f}  "
                f"{found.mask_text} ({found.origin})"
            )
        return "\n".join([*lines, "", *LEGEND])

    def figures(self) -> dict:
        """Everything measured, for JSON."""

        def row(found: FoundMask) -> dict:
            return {
                "layers": found.mask_text,
                "origin": found.origin,
                "strengths": [round(float(strength), 4) for strength in found.strengths],
                "inside": found.inside,
                "outside": found.outside,
                "kept": found.kept,
                "score": found.score,
            }

        return {
            "wish": self.wish,
            "care": self.care,
            "warning": self.warning,
            "candidates": [row(found) for found in self.candidates],
            "layers": [row(found) for found in self.singles],
            "all_but": [row(found) for found in self.without],
            "presets": [row(found) for found in self.presets],
        }

    def sheet(self) -> Image.Image:
        """The search at a glance: source, style, the best masks' pictures, and what every layer does alone."""
        from .find_sheet import draw_sheet  # fonts and drawing, which a search does without

        return draw_sheet(self)


def find_layers(
    G: Generator,
    w: torch.Tensor,
    style: torch.Tensor,
    target: str | torch.Tensor,
    keep: str | torch.Tensor | None = None,
    what: str | None = None,
    *,
    regions: Mapping[str, torch.Tensor] | None = None,
    style_regions: Mapping[str, torch.Tensor] | None = None,
    care: float = CARE,
    steps: int = 8,
    count: int = 5,
    others: int = OTHERS,
    chunk: int = CHUNK,
    identity: Identity | None = None,
    on_step: OnStep | None = None,
) -> FoundLayers:
    """Search the mask that changes the target most and the rest least.

    What each layer does is measured in this pair and, because two faces may happen to have the same parting, with some
    random faces in place of the style. Layers are then added and removed one by one as long as that is worth it, and
    the strengths, 0…1, follow the gradient. Every figure is measured on pictures drawn with constant noise.

    w, style: codes `[B, num_ws, w_dim]` or `[num_ws, w_dim]`; the mask is to suit all of them alike. One style serves
        all sources. Time grows with B: a few sources are enough.
    target: a wish in words, see `read_wish`: "hair shape", "hair and skin colour", "everything but the face"; or a
        mask, one for all sources or one each, as `as_masks` takes them.
    keep: what must stay above all, in words or as a mask; "identity" is the face, or what `identity` sees of it.
    what: "anything", "shape" or "colour"; replaces what the words say. None: what they say, else anything.
    regions, style_regions: masks by name of the sources' pictures and of the styles'; found in the pictures where they
        are not given. A style without a face has the source's.
    care: how much more a change of the rest counts than one of the target, 0.5 (bold) … 4 (careful).
    steps: of the descent on the strengths; 0 keeps them at 0 and 1.
    count: how many candidates are returned at most.
    others: how many random faces; 0 for what suits this pair alone. Each costs as many pictures as there are layers.
    chunk: pictures that are decoded at a time; 1 also halves the memory of the descent, which takes a third longer.
    Works inside `torch.inference_mode()`. `StyleMixError` when an input does not fit, every style is its source, or
    what is to be kept lies in the target; `NoFaceError` when regions are named and the source shows no face.
    """
    wish = read_wish(target) if isinstance(target, str) else Wish(("mask",))
    kind = wish.kind if what is None else what
    if kind not in KINDS:
        raise StyleMixError(f"what is {kind!r}; choose one of: {', '.join(KINDS)}")
    if not (math.isfinite(care) and care >= 0):
        raise StyleMixError(f"care is {care}; give a number from 0 up, usually 0.5 to 4")
    if steps < 0 or count < 1 or others < 0 or chunk < 1:
        raise StyleMixError(
            f"steps is {steps}, count {count}, others {others}, chunk {chunk}; give at least 0, 1, 0 and 1"
        )
    w, style = (codes[None] if codes.ndim == 2 else codes for codes in (w, style))
    if not len(w) or len(style) not in (1, len(w)):
        raise LatentMismatchError(
            f"{there_are(len(w), 'source')} and {counted(len(style), 'style')}; give at least one source, "
            "and one style or as many as sources"
        )
    style = style.to(w).expand(len(w), -1, -1)
    refuse_same(w, style)
    # Gradients need ordinary tensors, and what was made in inference mode is none.
    with torch.inference_mode(False), torch.no_grad():
        work = twin(G, differentiable)
        if chunk == 1:
            with_checkpoints(work)
        trials = Trials(work, differentiable(w), differentiable(style), others, care, chunk, on_step)
        trials.judges, region = judges_for(trials, target, wish, keep, kind, regions, style_regions, identity)
        return search(trials, steps, count, describe(target, wish, kind), region)


class Trials:
    """Measures masks, each once.

    The pairs that are asked about come first, then the first sources again with random faces as styles.
    """

    def __init__(
        self,
        G: Generator,
        w: torch.Tensor,
        style: torch.Tensor,
        others: int,
        care: float,
        chunk: int,
        on_step: OnStep | None,
    ):
        self.G, self.care, self.chunk, self.on_step = G, care, chunk, on_step
        self.count, self.num_ws = w.shape[:2]
        self.sources = [*range(self.count), *(i % self.count for i in range(others))]
        """The source of every pair."""
        self.w, self.style = w, style
        if others:
            random = torch.cat([*sampled_w(G, others, seed=0)]).to(style)
            self.style = torch.cat([style, random[:, None].expand(-1, self.num_ws, -1)])
        self.judges: list[Judge] = []
        """Of every pair."""
        self.general = torch.zeros(self.num_ws)
        """What every layer is worth in general."""
        self.known: dict[Strengths, FoundMask] = {}
        """Everything measured so far."""
        self.ends = torch.empty(0)
        """The first source's picture and that of the whole style, `[2, C, R, R]`."""
        self.decoded = 0

    def __call__(self, masks: Sequence[Strengths], origins: Sequence[str] | str) -> list[FoundMask]:
        """What masks do, `[len(masks)]`. origins: one for all, or one each."""
        names = dict(zip(masks, [origins] * len(masks) if isinstance(origins, str) else origins))
        new = [mask for mask in names if mask not in self.known]
        for start in range(0, len(new), self.chunk):
            part = new[start : start + self.chunk]
            for mask, (inside, outside, kept) in zip(part, self.shares(torch.tensor(part)).t().tolist()):
                self.known[mask] = self.found(mask, inside, outside, kept, names[mask])
        return [self.known[mask] for mask in masks]

    def found(self, mask: Strengths, inside: float, outside: float, kept: float, origin: str) -> FoundMask:
        strengths = torch.tensor(mask)
        score = float(self.score(strengths, torch.tensor([inside, outside, kept])))
        return FoundMask(strengths, inside, outside, kept, score, origin)

    def score(self, strengths: torch.Tensor, shares: torch.Tensor) -> torch.Tensor:
        """Of strengths `[num_ws]` with the shares `[3]`."""
        here = self.worth(shares) - LAYER_COST * strengths.sum()
        return (
            here if self.count == len(self.sources) else torch.lerp(here, strengths @ self.general, GENERAL)
        )

    def worth(self, shares: torch.Tensor) -> torch.Tensor:
        """Of shares `[3, …]`."""
        inside, outside, kept = shares
        return inside - self.care * (outside + kept)

    def look_around(self) -> None:
        """Learn from the random faces what every layer is worth: to be called before anything is scored."""
        random = range(self.count, len(self.sources))
        if random:
            layers = torch.eye(self.num_ws).split(self.chunk)
            shares = torch.cat([self.shares(part, random) for part in layers], 1)
            self.general = self.worth(shares) - LAYER_COST

    def shares(self, strengths: torch.Tensor, pairs: Sequence[int] | None = None) -> torch.Tensor:
        """`[M, num_ws]` → `[3, M]`: inside, outside, kept; means over the pairs, by default those asked about."""
        each = [self.judges[pair](self.draw(pair, strengths)) for pair in pairs or range(self.count)]
        return torch.stack(each).mean(0)

    def slope(self, strengths: torch.Tensor) -> torch.Tensor:
        """Gradient of the score with respect to strengths `[num_ws]`; one pair's maps are kept at a time."""
        with torch.enable_grad():
            leaf = strengths.clone().requires_grad_()
            for pair in range(self.count):
                self.score(leaf, self.shares(leaf[None], [pair])[:, 0]).backward()
        assert leaf.grad is not None
        return leaf.grad / self.count

    def draw(self, pair: int, strengths: torch.Tensor) -> torch.Tensor:
        """Masks `[M, num_ws]` on one pair: `[M, C, R, R]`, a few decoded at a time."""
        source, style = self.w[self.sources[pair]][None], self.style[pair][None]
        mixed = source + strengths.to(source)[:, :, None] * (style - source)
        pictures = torch.cat([self.G.synthesis(part) for part in mixed.split(self.chunk)])
        self.decoded += len(pictures)
        if self.on_step is not None:
            self.on_step(self.decoded, self.about)
        return pictures

    @property
    def about(self) -> int:
        """How many pictures a search draws, roughly."""
        return max(self.num_ws * (5 * self.count + len(self.sources)), self.decoded + 1)


def judges_for(
    trials: Trials,
    target: str | torch.Tensor,
    wish: Wish,
    keep: str | torch.Tensor | None,
    kind: str,
    regions: Mapping[str, torch.Tensor] | None,
    style_regions: Mapping[str, torch.Tensor] | None,
    identity: Identity | None,
) -> tuple[list[Judge], torch.Tensor]:
    """A judge per pair, and the target in the first source's picture, `[H, W]`."""
    count = trials.count
    ends = torch.tensor([[0.0], [1.0]]).expand(-1, trials.num_ws)
    drawn = [trials.draw(pair, ends if pair < count else ends[1:]) for pair in range(len(trials.sources))]
    trials.ends = drawn[0]
    pictures = torch.cat([picture[:1] for picture in drawn[:count]])  # [B, C, R, R]
    kept_wish = read_wish(keep) if isinstance(keep, str) else None
    if kept_wish is None or kept_wish.names != ("identity",):
        identity = None
    if identity is not None:
        identity, keep, kept_wish = twin(identity, differentiable), None, None
    named = [one for one in (wish if isinstance(target, str) else None, kept_wish) if one and one.names]
    if named or regions is not None:
        found = regions_of(as_colour(pictures), regions)
    else:
        found = {"picture": torch.ones(count, *pictures.shape[2:])}
    in_styles = None if regions is None else found
    if style_regions is not None:
        in_styles = regions_of(as_colour(torch.cat([pair[-1:] for pair in drawn[:count]])), style_regions)

    def places(
        given: str | torch.Tensor, meant: Wish | None, maps: Mapping[str, torch.Tensor], name: str
    ) -> torch.Tensor:
        if isinstance(given, str):
            assert meant is not None
            return regions_of_wish(meant, maps)
        masks = as_masks(given, f"the mask of the {name}", count, "source")
        return regions_of(pictures, {name: masks})[name][:, None]

    def place_in_style(pair: int) -> torch.Tensor:
        """The target in a pair's style, `[K, H, W]`: that in its source where there is nothing to find."""
        source = trials.sources[pair]
        if not (isinstance(target, str) and wish.names):
            return here[source]
        if pair < count and in_styles is not None:
            return regions_of_wish(wish, {name: masks[pair : pair + 1] for name, masks in in_styles.items()})[
                0
            ]
        try:
            seen = find_regions(as_colour(drawn[pair][-1:]))
        except NoFaceError:
            return here[source]
        maps = {name: seen.get(name, masks[source : source + 1]) for name, masks in found.items()}
        return regions_of_wish(wish, maps)[0]

    here = places(target, wish, found, "target")
    kept = None if keep is None else places(keep, kept_wish, found, "region to keep")
    for name, mask in (("target", here), ("region to keep", kept)):
        if mask is not None and not (mask.amax((1, 2, 3)) > 0.1).all():
            raise StyleMixError(
                f"the {name} is empty in a source's picture; choose another one, or paint a mask"
            )
    if kept is not None:
        left = (kept.amax(1) * (1 - here.amax(1))).sum((1, 2)) / kept.amax(1).sum((1, 2))
        if (left < LEFT_TO_KEEP).any():
            raise StyleMixError(
                "what is to be kept lies in the target, so it would have to change and stay; keep another region, or "
                "choose a target without it, as in 'everything but the face'"
            )
    judges = [
        Judge(
            pictures[source : source + 1],
            drawn[pair][-1:],
            here[source],
            place_in_style(pair),
            kind,
            None if kept is None else kept[source].amax(0),
            identity,
        )
        for pair, source in enumerate(trials.sources)
    ]
    return judges, here[0].sum(0).clamp(0, 1)


def as_colour(pictures: torch.Tensor) -> torch.Tensor:
    return pictures.expand(-1, 3, -1, -1).clamp(-1, 1)


def search(trials: Trials, steps: int, count: int, wish: str, region: torch.Tensor) -> FoundLayers:
    """Singles, all but one and presets first; then greedy, then the strengths. Everything measured is ranked."""
    layers = range(trials.num_ws)
    trials.look_around()
    singles = trials([mask_of(trials, {layer}) for layer in layers], [f"layer {layer}" for layer in layers])
    without = trials(
        [mask_of(trials, {*layers} - {layer}) for layer in layers], [f"all but {layer}" for layer in layers]
    )
    named = {
        name: {*layers[NAMES[name]]} for name in ("coarse", "middle", "fine", "all") if layers[NAMES[name]]
    }
    presets = trials([mask_of(trials, chosen) for chosen in named.values()], list(named))
    best = greedy(trials, [layer for layer in layers if singles[layer].score > HOPELESS])
    if best is None:  # no layer is worth its harm: the least bad
        best = max(trials.known.values(), key=lambda found: found.score)
    elif steps:
        refine(trials, best, steps)
    ranked = simplest_first(useful(rank(trials.known.values(), count), wish), singles)[:count]
    pictures = trials.draw(0, torch.stack([found.strengths for found in ranked]))
    return FoundLayers(
        tuple(ranked),
        tuple(singles),
        tuple(without),
        tuple(presets),
        wish,
        trials.care,
        trials.ends[:1],
        trials.ends[1:],
        region,
        pictures,
        trials.decoded,
    )


def rank(found: Collection[FoundMask], count: int) -> list[FoundMask]:
    """The best masks, without those that only add layers to a better one."""
    ranked: list[FoundMask] = []
    for mask in sorted(found, key=lambda mask: -mask.score):
        layers = {*mask.strengths.nonzero().flatten().tolist()}
        if not any(layers > {*better.strengths.nonzero().flatten().tolist()} for better in ranked):
            ranked.append(mask)
    return ranked[:count]


def useful(ranked: list[FoundMask], wish: str) -> list[FoundMask]:
    """Without the masks that gain nothing: to inject none of the layers, which scores 0, is as good.

    Where none gains anything, those that do move the target are the least bad. `StyleMixError` when none does.
    """
    for gain in (lambda mask: mask.score, lambda mask: mask.inside):
        gaining = [mask for mask in ranked if gain(mask) > 0]
        if gaining:
            return gaining
    raise StyleMixError(
        f"no layers do this ({wish}) for these faces: none brings the target nearer to the style; try another style or "
        "target"
    )


def simplest_first(ranked: list[FoundMask], singles: Sequence[FoundMask]) -> list[FoundMask]:
    """With one of the best mask's layers before it, where that layer alone does better for the pair in hand.

    Better is more inside, less outside. What the other layers do with other styles they do not do here.
    """
    best = ranked[0]
    alone = max((singles[layer] for layer in best.strengths.nonzero().flatten().tolist()), key=lead)
    return ranked if lead(alone) <= lead(best) else [alone, *(mask for mask in ranked if mask is not alone)]


def lead(mask: FoundMask) -> float:
    return mask.inside - mask.outside


def mask_of(trials: Trials, chosen: Collection[int]) -> Strengths:
    return tuple(float(layer in chosen) for layer in range(trials.num_ws))


def greedy(trials: Trials, layers: Sequence[int]) -> FoundMask | None:
    """Add the layer that is worth most as long as one is, then leave out what is worth nothing; None if no layer is."""
    chosen: frozenset[int] = frozenset()
    best: FoundMask | None = None
    for step in (frozenset.union, frozenset.difference):
        while True:
            options = [step(chosen, {layer}) for layer in layers]
            options = [option for option in options if option and option != chosen]
            found = trials([mask_of(trials, option) for option in options], "greedy")
            scores = [mask.score for mask in found]
            if not scores or max(scores) <= (best.score if best else 0.0):
                break
            place = scores.index(max(scores))
            chosen, best = options[place], found[place]
    return best


def refine(trials: Trials, best: FoundMask, steps: int) -> None:
    """Move the strengths along the gradient of the score, and measure what comes of it, rounded and pruned."""
    strengths = best.strengths.clone()
    for step in range(steps):
        slope = trials.slope(strengths)
        # At an end only the way back is open.
        stuck = (strengths <= 0) & (slope < 0) | (strengths >= 1) & (slope > 0)
        slope = slope.masked_fill(stuck, 0.0)
        steepest = float(slope.abs().max())
        if steepest == 0 or not math.isfinite(steepest):
            break
        strengths = (strengths + STEP * (1 - step / steps) * slope / steepest).clamp(0, 1)
    (found,) = trials([as_mask((strengths / FINEST).round() * FINEST)], "strengths")
    moved = (found.strengths - best.strengths).abs()
    # What hardly helps is put back, small moves first.
    for layer in sorted(moved.nonzero().flatten().tolist(), key=lambda layer: float(moved[layer])):
        simpler = found.strengths.clone()
        simpler[layer] = best.strengths[layer]
        (other,) = trials([as_mask(simpler)], "strengths")
        if other.score >= found.score - LEAST_DIFFERENCE:
            found = other
    for mask in [mask for mask, known in trials.known.items() if known.origin == "strengths"]:
        if trials.known[mask] is not found:
            del trials.known[mask]


def as_mask(strengths: torch.Tensor) -> Strengths:
    return tuple(round(float(strength), 4) for strength in strengths)


def describe(target: str | torch.Tensor, wish: Wish, kind: str) -> str:
    """The wish for the sheet: "hair and skin: colour"."""
    return wish.describe(kind) if isinstance(target, str) else f"mask: {kind}"
