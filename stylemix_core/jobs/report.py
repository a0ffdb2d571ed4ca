"""What a data set is like: what failed, how factors are spread, what goes along with what, which faces are alike."""

import io
import math
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ..checkpoints import load_encoder
from ..demo import truth
from ..demo.attributes import ATTRIBUTES
from ..encoder.identity import Identity, find_identity
from ..errors import StyleMixError
from ..faces.regions import find_regions
from ..files.pictures import open_image
from ..images import from_pil, resize
from ..wording import counted
from .chain import Vary
from .folder import job_in, read_job
from .job import Job
from .sink import Store

MOST = 20_000
"""Faces that are compared with one another."""
MOST_PAIRS = 1000
"""Faces alike, after which the search ends."""
LOOKED_AT = 500
"""Pictures whose regions and identity are measured."""
SIDE = 256
ALIKE = 0.98
"""Cosine of two identities from which on they count as one …"""
NEAR = 0.05
"""… and distance of two codes, of the usual one."""
STRONG = 0.3
"""Correlations from which on something is proposed."""
LISTED = 20


@dataclass(frozen=True)
class Leak:
    """Something that changes along with a factor, or with another measure, though it should not."""

    one: str
    other: str
    correlation: float
    """Pearson's, −1 … 1."""


@dataclass(frozen=True)
class JobReport:
    """What `report_job` finds."""

    results: int
    failed: int
    reasons: dict[str, int]
    """How often each came up, the commonest first; names of files are left out."""
    balance: dict[str, dict[str, int]]
    """Of each factor, how many results have which value."""
    measured: str
    """What was measured, and on how many."""
    leaks: tuple[Leak, ...]
    """The strongest first: a factor and a measure that is not its own; of a set without factors two measures."""
    duplicates: tuple[tuple[str, str, float], ...]
    """Keys of two faces that are as good as the same, and how alike they are: the nearest first."""
    compared: str
    proposals: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    def __str__(self) -> str:
        """For people: Markdown."""
        lines = [
            "# What the data set is like",
            "",
            f"{counted(self.results, 'result')}, {self.failed} failed.",
            "",
        ]
        lines += [f"- {count} × {reason}" for reason, count in self.reasons.items()]
        for factor, values in self.balance.items():
            told = ", ".join(f"{value}: {count}" for value, count in values.items())
            lines += ["", f"**{factor}**: {told}"]
        lines += ["", f"## What goes along with what ({self.measured})", ""]
        lines += [f"- {leak.one} and {leak.other}: {leak.correlation:+.2f}" for leak in self.leaks[:LISTED]]
        lines += [
            "" if self.leaks else "Nothing that chance would not explain.",
            f"## Alike ({self.compared})",
            "",
        ]
        lines += [f"- {one} and {other}: {likeness:.3f}" for one, other, likeness in self.duplicates[:LISTED]]
        lines += ["" if self.duplicates else "No two faces.", "## To do", ""]
        lines += [f"- {proposal}" for proposal in self.proposals] or ["Nothing."]
        return "\n".join(lines) + "\n"


@dataclass(frozen=True)
class _Data:
    """What the results of a job are measured by."""

    keys: list[str]
    truths: list[dict[str, float]]
    measures: dict[str, np.ndarray[Any, Any]]
    """Numbers `[N]` by name."""
    signs: torch.Tensor | None
    """What faces are compared by, `[N, C]`."""
    measured: str
    compared: str
    limit: float
    """From which likeness on two are the same."""


def report_job(folder: str | os.PathLike[str]) -> JobReport:
    """Look at the results of a job: failures, balance of factors, leakage, near-duplicates, and what to do about them.

    folder: the job's, or its index. On the demo generator its known attributes are read off every code. Otherwise the
    shares of the picture's regions, and identity by ArcFace where the job's models name it, are measured on the first
    500 pictures. Correlations are told from three standard errors on. `StyleMixError` where nothing is done yet.
    """
    place = Path(folder)
    place = place if place.is_dir() else place.parent
    job = job_in(read_job(place), place)
    store = Store(place, job.sink)
    good, reasons = 0, Counter[str]()
    truths: list[dict[str, float]] = []
    for row in store.rows():
        if row["status"] == "ok":
            good += 1
            truths += [row["truth"]] if "truth" in row else []
        else:
            reasons[row["reason"].replace(row["source"], "").strip(": ")] += 1
    if not good and not reasons:
        raise StyleMixError(f"no part of the job in {place} is done yet; run it first")
    with torch.inference_mode():
        data = _measure(job, store)
    leaks = _leaks(data, job)
    return JobReport(
        results=good,
        failed=reasons.total(),
        reasons=dict(reasons.most_common()),
        balance=_balance(truths),
        measured=data.measured,
        leaks=leaks,
        duplicates=_duplicates(data),
        compared=data.compared,
        proposals=tuple(_proposals(truths, leaks)),
    )


def _balance(truths: Sequence[dict[str, float]]) -> dict[str, dict[str, int]]:
    names = list(dict.fromkeys(name for values in truths for name in values))
    return {
        name: {
            f"{value:g}": count
            for value, count in sorted(Counter(values[name] for values in truths if name in values).items())
        }
        for name in names
    }


def _measure(job: Job, store: Store) -> _Data:
    models = job.models
    demo = models.generator in (None, "demo") and models.encoder == "demo" and models.tuning is None
    return _measure_codes(store) if demo and job.sink.codes else _measure_pictures(job, store)


def _measure_codes(store: Store) -> _Data:
    """The known attributes of the demo's codes, whose every layer shows its own."""
    keys, truths, codes = [], [], []
    for part in sorted(store.done()):
        truth_of = {row["key"]: row.get("truth", {}) for row in store.rows_of(part)}
        for key, files in store.files(part):
            if "w.npy" in files:
                keys.append(key)
                truths.append(truth_of[key])
                codes.append(
                    truth.attributes_of_codes(torch.from_numpy(np.load(io.BytesIO(files["w.npy"])))[None])[0]
                )
    shown = torch.stack(codes) if codes else torch.zeros(0, len(ATTRIBUTES))
    values = shown.numpy()
    measures = {one.name: values[:, place] for place, one in enumerate(ATTRIBUTES)}
    # Each attribute counts as much as any other.
    centred = torch.special.ndtri(shown.clamp(1e-4, 1 - 1e-4))
    return _Data(
        keys,
        truths,
        measures,
        centred,
        f"{len(measures)} known attributes of {counted(len(keys), 'code')}",
        "distance of the known attributes, of the usual one",
        NEAR,
    )


def _measure_pictures(job: Job, store: Store) -> _Data:
    """Shares of regions, and identity, of pictures."""
    identity = _identity(job)
    keys: list[str] = []
    truths: list[dict[str, float]] = []
    shares: list[dict[str, float]] = []
    signs: list[torch.Tensor] = []
    for part in sorted(store.done()):
        if len(keys) == LOOKED_AT:
            break
        truth_of = {row["key"]: row.get("truth", {}) for row in store.rows_of(part)}
        for key, files in store.files(part):
            if len(keys) == LOOKED_AT:
                break
            if job.sink.pictures not in files:
                continue
            picture = resize(from_pil(open_image(io.BytesIO(files[job.sink.pictures]), key)), SIDE, SIDE)
            try:
                found = find_regions(picture)
            except StyleMixError:
                continue  # no face: nothing to measure
            keys.append(key)
            truths.append(truth_of[key])
            shares.append({name: float(mask.mean()) for name, mask in found.items()})
            if identity is not None:
                signs.append(identity(picture)[0])
    names = list(shares[0]) if shares else []
    measures = {name: np.array([one[name] for one in shares]) for name in names}
    by = (
        "nothing: name ArcFace's weights as identity of the job's models"
        if identity is None
        else identity.name
    )
    return _Data(
        keys,
        truths,
        measures,
        torch.stack(signs) if signs else None,
        f"shares of regions in {counted(len(keys), 'picture')}",
        f"cosine of identity by {by}",
        ALIKE,
    )


def _identity(job: Job) -> Identity | None:
    encoder = load_encoder(job.models.encoder, job.models.device)
    return find_identity(job.models.identity, encoder)


def _own(job: Job) -> dict[str, str]:
    """The attribute that a factor sets, of those that set one."""
    return {
        name: factor.attribute
        for step in job.steps
        if isinstance(step, Vary)
        for name, factor in step.factors.items()
        if factor.attribute is not None
    }


def _leaks(data: _Data, job: Job) -> tuple[Leak, ...]:
    names = sorted({name for values in data.truths for name in values})
    ones = {name: np.array([values.get(name, np.nan) for values in data.truths]) for name in names}
    own = _own(job)
    if ones:
        pairs = [(a, b, ones[a], data.measures[b]) for a in ones for b in data.measures if own.get(a) != b]
        pairs += [(a, b, ones[a], ones[b]) for i, a in enumerate(names) for b in names[i + 1 :]]
    else:
        measured = list(data.measures)
        pairs = [
            (a, b, data.measures[a], data.measures[b])
            for i, a in enumerate(measured)
            for b in measured[i + 1 :]
        ]
    leaks = []
    faces = len({key.partition("-")[0] for key in data.keys})
    for one, other, a, b in pairs:
        there = np.isfinite(a) & np.isfinite(b)
        # Without factors, the results of one face are no more than one.
        count = int(there.sum()) if ones else min(int(there.sum()), faces)
        if count < 8 or not (_varies(a[there]) and _varies(b[there])):
            continue
        correlation = float(np.corrcoef(a[there], b[there])[0, 1])
        if abs(correlation) > 3 / math.sqrt(count):
            leaks.append(Leak(one, other, correlation))
    return tuple(sorted(leaks, key=lambda leak: -abs(leak.correlation)))


def _varies(values: np.ndarray[Any, Any]) -> bool:
    """Whether values differ by more than float32 rounds them."""
    return bool(np.ptp(values) > 1e-6 * np.abs(values).max())


def _duplicates(data: _Data) -> tuple[tuple[str, str, float], ...]:
    """Pairs of results of different items that are as good as the same."""
    if data.signs is None or len(data.signs) < 2:
        return ()
    signs = data.signs[:MOST]
    items = [key.partition("-")[0] for key in data.keys[:MOST]]
    by_distance = data.limit == NEAR
    usual = 1.0
    if by_distance:
        half = len(signs) // 2
        distances = (signs[:half] - signs[half : 2 * half]).norm(dim=1)
        usual = max(float(distances.median()), 1e-6)
    found = []
    for start in range(0, len(signs), 256):
        rows = signs[start : start + 256]
        likeness = torch.cdist(rows, signs) / usual if by_distance else rows @ signs.T
        near = likeness < data.limit if by_distance else likeness > data.limit
        for i, j in near.nonzero().tolist():
            if start + i < j and items[start + i] != items[j]:
                found.append((data.keys[start + i], data.keys[j], float(likeness[i, j])))
        if len(found) > MOST_PAIRS:
            break
    return tuple(sorted(found, key=lambda pair: pair[2] if by_distance else -pair[2]))


def _proposals(truths: Sequence[dict[str, float]], leaks: Sequence[Leak]) -> list[str]:
    """What would make the set more even."""
    told = []
    for factor, values in _balance(truths).items():
        most = max(values.values())
        told += [
            f"{factor} = {value} has {most - count} results fewer than others: give the job as many more faces with it"
            for value, count in values.items()
            if count < most
        ]
    factors = {name for values in truths for name in values}
    for leak in leaks:
        if abs(leak.correlation) < STRONG:
            break
        if leak.one in factors and leak.other in factors:
            told.append(
                f"{leak.one} and {leak.other} go together: use design: full, or another number of faces"
            )
        elif leak.one in factors:
            told.append(
                f"{leak.one} also changes {leak.other} ({leak.correlation:+.2f}): choose layers or a direction that do "
                f"not, or hold {leak.other} by a factor of its own"
            )
        else:
            told.append(
                f"{leak.one} and {leak.other} go together ({leak.correlation:+.2f}): vary one of them as a factor, so "
                "that every value meets every other"
            )
    return told[:LISTED]
