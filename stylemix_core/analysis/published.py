"""What papers found that layers carry, on FFHQ models (1024 px, 18 layers)."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """What a paper says some layers of its model carry."""

    what: str
    first: int
    last: int
    source: str


FINDINGS = (
    Finding("pose, hair style, face shape", 0, 3, "StyleGAN"),
    Finding("smaller features, eyes", 4, 7, "StyleGAN"),
    Finding("colours and micro-structure", 8, 17, "StyleGAN"),
    Finding("hair length, face roundness", 0, 4, "GANSpace"),
    Finding("dark hair", 8, 8, "GANSpace"),
    Finding("lipstick", 10, 10, "GANSpace"),
    Finding("head angle", 1, 3, "GANSpace"),
    Finding("smile, hairline", 4, 4, "GANSpace"),
    Finding("hair colour", 7, 8, "GANSpace"),
    Finding("baldness", 2, 4, "GANSpace"),
    Finding("white hair", 7, 9, "GANSpace"),
    Finding("curls, jaw", 3, 5, "GANSpace"),
    Finding("glasses", 1, 2, "StyleSpace"),
    Finding("waves", 3, 5, "StyleSpace"),
    Finding("gender", 6, 6, "StyleSpace"),
    Finding("grey hair", 7, 7, "StyleSpace"),
    Finding("black, blond", 8, 8, "StyleSpace"),
    Finding("bangs", 2, 6, "StyleSpace"),
)
"""Karras et al. 2019 (arXiv:1812.04948, section 3.1), Härkönen et al. 2020 (arXiv:2004.02546), and Wu et al. 2021
(arXiv:2011.12799). A layer of a smaller model acts at the same resolution as the FFHQ layer of its number."""


def published(layer: int) -> dict[str, list[str]]:
    """What papers found on the FFHQ layer of this number, by paper."""
    found: dict[str, list[str]] = {}
    for finding in FINDINGS:
        if finding.first <= layer <= finding.last:
            found.setdefault(finding.source, []).append(finding.what)
    return found


def published_lines(layers: int) -> list[str]:
    """What papers found on the FFHQ layers of a model's numbers, a line a paper."""
    found: dict[str, list[str]] = {}
    for finding in FINDINGS:
        if finding.first < layers:
            last = min(finding.last, layers - 1)
            where = f"{finding.first}" if last == finding.first else f"{finding.first}-{last}"
            found.setdefault(finding.source, []).append(f"{where} {finding.what}")
    return [
        "Published for FFHQ models, by layer:",
        *(f"{source}: {'; '.join(what)}." for source, what in found.items()),
    ]
