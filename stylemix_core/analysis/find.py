"""Finding layers: which mask changes a wished region, and little else."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch

from ..encoder.identity import Identity
from ..errors import LatentMismatchError, StyleMixError
from ..faces.regions import GivenRegions
from ..generator import Generator
from ..mixing.pairing import refuse_same
from ..networks import differentiable, twin, with_checkpoints
from ..progress import OnStep
from ..wording import counted, there_are
from .found import FoundLayers
from .judges import Judge
from .search import search
from .trials import Pairs, Trials
from .wish_regions import Ends, Regions, WishRegions, find_wish_regions
from .wish_text import KINDS, Wish, read_wish

CHUNK = 4
"""Pictures that are decoded at a time."""

CARE = 2.0
"""How much more a change outside counts than one inside, unless told otherwise."""

OTHERS = 6
"""So many random faces tell what a layer does in general."""


def find_layers(
    G: Generator,
    w: torch.Tensor,
    style: torch.Tensor,
    target: str | torch.Tensor,
    keep: str | torch.Tensor | None = None,
    what: str | None = None,
    *,
    regions: GivenRegions = None,
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
        are not given, by the source `regions` where it is one (see `find_regions`). A style without a face has the
        source's.
    care: how much more a change of the rest counts than one of the target, 0.5 (bold) … 4 (careful).
    steps: of the descent on the strengths; 0 keeps them at 0 and 1.
    count: how many candidates are returned at most.
    others: how many random faces; 0 for what suits this pair alone. Each costs as many pictures as there are layers.
    chunk: pictures that are decoded at a time; 1 also halves the memory of the descent, which takes a third longer.
    Works inside `torch.inference_mode()`. `StyleMixError` when an input does not fit, every style is its source, or
    what is to be kept lies in the target; `NoFaceError` when regions are named and the source shows no face.
    """
    wanted = _Wanted.of(target, keep, what, regions, style_regions, identity)
    options = _Options(care, steps, count, others, chunk)
    w, style = _paired(w, style)
    # Gradients need ordinary tensors, and what was made in inference mode is none.
    with torch.inference_mode(False), torch.no_grad():
        return _find(G, w, style, wanted, options, on_step)


@dataclass(frozen=True)
class _Options:
    """How a search goes on; as in `find_layers`."""

    care: float
    steps: int
    count: int
    others: int
    chunk: int

    def __post_init__(self) -> None:
        if not (math.isfinite(self.care) and self.care >= 0):
            raise StyleMixError(f"care is {self.care}; give a number from 0 up, usually 0.5 to 4")
        if self.steps < 0 or self.count < 1 or self.others < 0 or self.chunk < 1:
            raise StyleMixError(
                f"steps is {self.steps}, count {self.count}, others {self.others}, chunk {self.chunk}; give at least "
                "0, 1, 0 and 1"
            )


@dataclass(frozen=True, eq=False)
class _Wanted:
    """What shall change and what shall stay; as in `find_layers`, read."""

    target: Wish | torch.Tensor
    keep: Wish | torch.Tensor | None
    kind: str
    """One of `KINDS`."""
    regions: GivenRegions
    style_regions: Regions | None
    identity: Identity | None
    """Sees what is to be kept, in place of `keep`."""

    @classmethod
    def of(
        cls,
        target: str | torch.Tensor,
        keep: str | torch.Tensor | None,
        what: str | None,
        regions: GivenRegions,
        style_regions: Regions | None,
        identity: Identity | None,
    ) -> "_Wanted":
        change = read_wish(target) if isinstance(target, str) else target
        stay = read_wish(keep) if isinstance(keep, str) else keep
        kind = what if what is not None else change.kind if isinstance(change, Wish) else KINDS[0]
        if kind not in KINDS:
            raise StyleMixError(f"what is {kind!r}; choose one of: {', '.join(KINDS)}")
        if isinstance(stay, Wish) and stay.names == ("identity",) and identity is not None:
            return cls(change, None, kind, regions, style_regions, identity)
        return cls(change, stay, kind, regions, style_regions, None)

    @property
    def text(self) -> str:
        """In words: "hair and skin: colour"."""
        return self.target.describe(self.kind) if isinstance(self.target, Wish) else f"mask: {self.kind}"


def _paired(w: torch.Tensor, style: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Sources and a style for each, `[B, num_ws, w_dim]`. Errors when they do not fit."""
    w, style = (codes[None] if codes.ndim == 2 else codes for codes in (w, style))
    if not len(w) or len(style) not in (1, len(w)):
        raise LatentMismatchError(
            f"{there_are(len(w), 'source')} and {counted(len(style), 'style')}; give at least one source, "
            "and one style or as many as sources"
        )
    style = style.to(w).expand(len(w), -1, -1)
    refuse_same(w, style)
    return w, style


def _find(
    G: Generator,
    w: torch.Tensor,
    style: torch.Tensor,
    wanted: _Wanted,
    options: _Options,
    on_step: OnStep | None,
) -> FoundLayers:
    """Draw the ends, appoint the judges, search."""
    G = twin(G, differentiable)
    if options.chunk == 1:
        with_checkpoints(G.synthesis.stages())
    pairs = Pairs(
        G,
        differentiable(w),
        differentiable(style),
        options.others,
        options.chunk,
        on_step,
        sketch=wanted.identity is None,  # which sees more than a sketch has
    )
    ends = pairs.ends
    places = find_wish_regions(ends, wanted.target, wanted.keep, wanted.regions, wanted.style_regions)
    trials = Trials(pairs, _judges(ends, places, wanted), options.care)
    tried = search(trials, options.steps, options.count, wanted.text)
    candidates, pictures = trials.finished(tried.candidates)
    return FoundLayers(
        tuple(candidates),
        tried.singles,
        tried.without,
        tried.presets,
        wanted.text,
        options.care,
        places.sure,
        source=ends.sources[:1],
        style=ends.styles[0],
        target=places.target[0].sum(0).clamp(0, 1),
        pictures=pictures,
        decoded=pairs.decoded,
    )


def _judges(ends: Ends, places: WishRegions, wanted: _Wanted) -> list[Judge]:
    """A judge for every pair."""
    identity = None if wanted.identity is None else twin(wanted.identity, differentiable)
    return [
        Judge(
            ends.sources[source : source + 1],
            style,
            places.target[source],
            in_style,
            wanted.kind,
            None if places.keep is None else places.keep[source],
            identity,
        )
        for source, style, in_style in zip(ends.source_of, ends.styles, places.in_styles)
    ]
