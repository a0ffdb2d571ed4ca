"""The examples of the help pages, as prompts on the bundled models.

`python -m tests.nodes.examples` runs them and writes each one's picture to `web/docs/ID/result.jpg`.
"""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

from PIL import Image

from ..builders_stylegan3 import write_patterns
from ..host import PACK, Host, Prompt
from ..host.runner import StandIn
from .prompts import inject, node, sampler

DOCS = PACK / "web" / "docs"
WIDTH = 800
"""Most pixels that a picture is wide."""

DEMO, PATTERNS = "demo (bundled)", "stylegan3_patterns.pkl"
MODELS: Prompt = {
    "generator": node("StyleMixLoadGenerator", checkpoint=DEMO, dtype="float32"),
    "encoder": node("StyleMixLoadEncoder", checkpoint=DEMO, dtype="float32"),
    "bob": node("StyleMixLoadLatent", file="bob haircut (bundled)"),
    "bob picture": node("StyleMixDecode", generator=["generator", 0], latent=["bob", 0], noise_mode="const"),
}


def faces(seed: int, count: int = 1, psi: float = 0.8) -> dict:
    return sampler(["generator", 0], seed=seed, batch_size=count, truncation_psi=psi)


def decode(latent: str, generator: tuple[str, int] = ("generator", 0)) -> dict:
    return node("StyleMixDecode", generator=[*generator], latent=[latent, 0], noise_mode="const")


def sheet(pictures: str, *labels: str, columns: int = 0, **beside: list) -> dict:
    return node("StyleMixGrid", images=[pictures, 0], labels="\n".join(labels), columns=columns, **beside)


def steps(codes: list[dict], *labels: str) -> Prompt:
    """One code after the other in one row."""
    prompt = {f"step {i}": code for i, code in enumerate(codes)}
    last = "step 0"
    for i in range(1, len(codes)):
        prompt[f"joined {i}"] = node("StyleMixLatentBatch", a=[last, 0], b=[f"step {i}", 0])
        last = f"joined {i}"
    return {**prompt, "pictures": decode(last), "out": sheet("pictures", *labels, columns=len(codes))}


def blended(weight: float) -> dict:
    return node("StyleMixBlendLatent", a=["faces", 1], b=["others", 1], weight=weight)


def truncated(psi: float) -> dict:
    return node(
        "StyleMixTruncateLatent",
        generator=["generator", 0],
        latent=["faces", 1],
        truncation_psi=psi,
        truncation_cutoff=-1,
    )


def walked(faces: tuple[str, int], frames: int, loop: bool) -> dict:
    return node(
        "StyleMixLatentWalk",
        generator=["generator", 0],
        latent=[*faces],
        frames=frames,
        curve="cubic",
        speed="visible",
        loop=loop,
        hold=0,
        ease="none",
    )


def encoded(seed: int) -> Prompt:
    return {
        "faces": faces(seed),
        "codes": node("StyleMixEncode", encoder=["encoder", 0], image=["faces", 0], align="never", n_iters=5),
    }


def inverted(method: str = "optimize", steps: int = 40, **options: list) -> dict:
    return node(
        "StyleMixInvert",
        generator=["generator", 0],
        encoder=["encoder", 0],
        image=["faces", 0],
        method=method,
        steps=steps,
        quality="balanced",
        seed=0,
        **options,
    )


def inverted_with(learning_rate: float) -> dict:
    return node(
        "StyleMixInvertOptions",
        learning_rate=learning_rate,
        pull=-0.01,
        noise="find",
        perceptual_weight=1.0,
        identity_weight=0.0,
        starts=16,
        iterations=5,
        tune_steps=-1,
        tune_learning_rate=0.24,
        locality=-0.01,
        memory="auto",
    )


def tuned() -> Prompt:
    """A face to which the generator is tuned."""
    return {"faces": faces(2498), "found": inverted(method="tune", steps=20)}


def compared(one: str, other: str, *labels: str) -> Prompt:
    """Two inversions of a face beside it."""
    return {
        "joined": node("StyleMixLatentBatch", a=[one, 0], b=[other, 0]),
        "pictures": decode("joined"),
        "out": sheet("pictures", *labels, source=["faces", 0]),
    }


def aligned(face: str, face_index: int = 0) -> Prompt:
    """Faces of a picture with several of them."""
    return {
        "faces": faces(96, 4),
        "people": sheet("faces", columns=4),
        "align": node(
            "StyleMixAlignFace",
            image=["people", 0],
            face=face,
            face_index=face_index,
            margin=0.0,
            output_size=256,
        ),
    }


def mixing(mask_list: str, seed: int = 0, alpha: float = 1.0, **inputs: object) -> dict:
    """Inputs of the nodes that mix and draw."""
    return {
        "generator": ["generator", 0],
        "latent": ["faces", 1],
        "style": ["styles", 1],
        "mask_list": mask_list,
        "alpha": alpha,
        "seed": seed,
        **inputs,
    }


def found(method: str = "SeFa", layers: str = "all") -> dict:
    return node(
        "StyleMixFindDirections",
        generator=["generator", 0],
        method=method,
        layers=layers,
        count=10,
        samples=10_000,
        seed=0,
    )


def learnt(name: str, layers: str) -> Prompt:
    """A direction from faces and the same with layers of a blond one who wears glasses."""
    return {
        f"{name} after": inject(["before", 1], ["blond", 1], layers),
        f"{name} learnt": node(
            "StyleMixLearnDirection",
            generator=["generator", 0],
            positive=[f"{name} after", 0],
            negative=["before", 1],
            name=name,
            pairs=True,
            seed=0,
        ),
    }


def swept(latent: str, directions: str, first: int = 1, count: int = 3, reach: float = 3.0) -> dict:
    return node(
        "StyleMixDirectionSheet",
        generator=["generator", 0],
        latent=[latent, 1],
        directions=[directions, 0],
        first=first,
        count=count,
        reach=reach,
        steps=5,
        mask_list="",
    )


def slid(latent: list, direction: str, strength: float) -> dict:
    return node(
        "StyleMixApplyDirection",
        latent=latent,
        directions=["found", 0],
        direction=direction,
        strength=strength,
        mask_list="",
    )


WEIGHTS = (0.0, 0.25, 0.5, 0.75, 1.0)
PSIS = (1.0, 0.7, 0.35, 0.0, -0.7)

EXAMPLES: dict[str, Prompt] = {
    "StyleMixLoadGenerator": {"faces": faces(0, 4, 0.7), "out": sheet("faces", columns=4)},
    "StyleMixLoadEncoder": {
        **encoded(97),
        "pictures": decode("codes", ("encoder", 1)),
        "out": sheet("pictures", "drawn from its code", source=["faces", 0]),
    },
    "StyleMixSampler": {
        "faces": faces(96, 4),
        "out": sheet("faces", "seed 96", "seed 97", "seed 98", "seed 99", columns=4),
    },
    "StyleMixEncode": {
        **encoded(2498),
        "pictures": decode("codes"),
        "out": sheet("pictures", "drawn from its code", source=["faces", 0]),
    },
    "StyleMixInvert": {
        "faces": faces(2498),
        "seen": inverted(method="encode"),
        "found": inverted(),
        **compared("seen", "found", "encode", "optimize, 40 steps"),
    },
    "StyleMixDrag": {
        "faces": faces(96),
        "dragged": node(
            "StyleMixDrag",
            generator=["generator", 0],
            latent=["faces", 1],
            points="0.5, 0.62 > 0.56, 0.62",
            mask_list="0-5",
            steps=60,
        ),
        "pictures": decode("dragged"),
        "out": sheet("pictures", "nose to the right", source=["faces", 0]),
    },
    "StyleMixInvertOptions": {
        "faces": faces(2498),
        "slow": inverted_with(0.01),
        "slow codes": inverted(steps=15, options=["slow", 0]),
        "fast": inverted_with(0.1),
        "fast codes": inverted(steps=15, options=["fast", 0]),
        **compared("slow codes", "fast codes", "rate 0.01", "rate 0.1"),
    },
    "StyleMixSaveTuning": {
        **tuned(),
        "keep": node("StyleMixSaveTuning", generator=["found", 2], filename_prefix="tunings/face"),
        "pictures": decode("found", ("keep", 0)),
        "out": sheet("pictures", "after the tuning", source=["faces", 0]),
    },
    "StyleMixLoadTuning": {
        **tuned(),
        "load": node(
            "StyleMixLoadTuning", generator=["generator", 0], file="tunings/face_00001_.safetensors [output]"
        ),
        "untuned": decode("found"),
        "pictures": decode("found", ("load", 0)),
        "out": sheet("pictures", "with the tuning", source=["untuned", 0]),
    },
    "StyleMixInject": {
        "faces": faces(96, 2),
        "mixed": inject(["faces", 1], ["bob", 0], "hair: 4-5; colours: 8-10; 0-6"),
        "pictures": decode("mixed"),
        "out": node(
            "StyleMixGrid",
            images=["pictures", 0],
            labels=["mixed", 1],
            columns=0,
            source=["faces", 0],
            style=["bob picture", 0],
        ),
    },
    "StyleMixMaskList": {
        "faces": faces(96),
        "masks": node(
            "StyleMixMaskList", mask_list="hair: 4-5\nhalf: 4-5@0.5\nmore: 4-5@1.6", alpha=1.0, seed=0
        ),
        "mixed": inject(["faces", 1], ["bob", 0], "all", masks=["masks", 0]),
        "pictures": decode("mixed"),
        "out": sheet("pictures", "hair", "half", "more", source=["faces", 0], style=["bob picture", 0]),
    },
    "StyleMixDecode": {"out": sheet("bob picture")},
    "StyleMixExplainLayers": {
        "faces": faces(96),
        "out": node(
            "StyleMixExplainLayers",
            generator=["generator", 0],
            latent=["faces", 1],
            style=["bob", 0],
            encoder=["encoder", 0],
            mask_names="",
        ),
    },
    "StyleMixFindLayers": {
        "faces": faces(108),
        "out": node(
            "StyleMixFindLayers",
            generator=["generator", 0],
            latent=["faces", 1],
            style=["bob", 0],
            target="hair",
            what="shape",
            keep="nothing",
            care=2.0,
            steps=4,
        ),
    },
    "StyleMixGrid": {
        "faces": faces(96, 2),
        "styles": faces(2498, 3),
        "mixed": inject(["faces", 1], ["styles", 1], "4-13", pairing="all"),
        "pictures": decode("mixed"),
        "out": node(
            "StyleMixGrid",
            images=["pictures", 0],
            labels=["mixed", 1],
            columns=0,
            source=["faces", 0],
            top=["styles", 0],
        ),
    },
    "StyleMixIdentityCap": {
        "faces": faces(96, 2),
        "styles": faces(5),
        "capped": node(
            "StyleMixIdentityCap",
            **mixing("hair: 4-5; colours: 8-10; all", encoder=["encoder", 0]),
            limit=0.1,
            highest=1.0,
            pairing="match",
        ),
        "pictures": decode("capped"),
        "out": node(
            "StyleMixGrid",
            images=["pictures", 0],
            labels=["capped", 1],
            columns=0,
            source=["faces", 0],
            style=["styles", 0],
        ),
    },
    "StyleMixFindDirections": {
        "faces": faces(98),
        "found": found("GANSpace"),
        "out": swept("faces", "found", 1, 2),
    },
    "StyleMixDirectionSheet": {
        "faces": faces(96),
        "found": found(),
        "out": swept("faces", "found", 3, 4),
    },
    "StyleMixApplyDirection": {
        "faces": faces(96),
        "found": found(),
        **steps(
            [slid(["faces", 1], "5", 0.0), slid(["faces", 1], "5", -1.5), slid(["step 1", 0], "6", -3.0)],
            "0",
            "SeFa 5, -1.5",
            "and SeFa 6, -3",
        ),
    },
    "StyleMixSaveDirections": {
        "faces": faces(96),
        "found": found(layers="4-5"),
        "named": node(
            "StyleMixSaveDirections",
            directions=["found", 0],
            filename_prefix="directions/hair",
            names="-3: waves\n4: beard",
            keep="named",
        ),
        "out": swept("faces", "named"),
    },
    "StyleMixLoadDirections": {
        "faces": faces(98),
        "loaded": node("StyleMixLoadDirections", file="directions/hair_00001_.safetensors [output]"),
        "out": swept("faces", "loaded"),
    },
    "StyleMixLearnDirection": {
        "before": faces(18, 10),
        "blond": faces(149),
        **learnt("glasses", "7"),
        "faces": faces(20),
        "out": swept("faces", "glasses learnt", 1, 1, reach=1.0),
    },
    "StyleMixSortFaces": {
        "sorted": node(
            "StyleMixSortFaces",
            generator=["generator", 0],
            seed=0,
            count=24,
            truncation_psi=0.9,
            name="hat",
            choices="+1 +4 +8 +9 +12 +19 -7 -10 -11 -13 -14 -16 -17 -18 -20 -21 -22 -24",
        ),
        "faces": faces(20),
        "out": swept("faces", "sorted", 1, 1, reach=1.0),
    },
    "StyleMixConditionDirections": {
        "before": faces(58, 10),
        "blond": faces(149),
        **learnt("glasses and blond hair", "7-8"),
        **learnt("blond hair", "8"),
        "glasses alone": node(
            "StyleMixConditionDirections",
            directions=["glasses and blond hair learnt", 0],
            others=["blond hair learnt", 0],
        ),
        "faces": faces(20),
        "out": swept("faces", "glasses alone", 1, 1, reach=1.0),
    },
    "StyleMixExplainDirections": {
        "faces": faces(98),
        "found": found(),
        "explained": node(
            "StyleMixExplainDirections",
            generator=["generator", 0],
            latent=["faces", 1],
            directions=["found", 0],
            regions_by="auto",
        ),
        "out": swept("faces", "explained", 1, 6),
    },
    "StyleMixStyleChannels": {
        "faces": faces(98),
        "channels": node(
            "StyleMixStyleChannels",
            generator=["generator", 0],
            channels="12:25, 8:29",
            numbering="StyleSpace (with to-RGBs)",
        ),
        "out": swept("faces", "channels", 1, 2),
    },
    "StyleMixMatrix": {
        "faces": faces(96, 2),
        "styles": faces(2498, 3),
        "out": node("StyleMixMatrix", **mixing("4-13")),
    },
    "StyleMixStrip": {
        "faces": faces(96),
        "styles": faces(98),
        "out": node(
            "StyleMixStrip",
            **mixing("hair: 4-5; colours: 8-10"),
            first=0.0,
            last=1.5,
            steps=4,
            pairing="match",
        ),
    },
    "StyleMixSaveLatent": {
        "faces": faces(96, 4),
        "out": node(
            "StyleMixSaveLatent", latent=["faces", 1], filename_prefix="latents/faces", image=["faces", 0]
        ),
    },
    "StyleMixLoadLatent": {
        "faces": faces(96),
        "mixed": inject(["faces", 1], ["bob", 0], "4-5"),
        "pictures": decode("mixed"),
        "out": sheet("pictures", "4-5", source=["faces", 0], style=["bob picture", 0]),
    },
    "StyleMixBlendLatent": {
        "faces": faces(96),
        "others": faces(98),
        **steps([blended(weight) for weight in WEIGHTS], *(f"weight {weight:g}" for weight in WEIGHTS)),
    },
    "StyleMixTruncateLatent": {
        "faces": faces(98, psi=1.0),
        **steps([truncated(psi) for psi in PSIS], *(f"psi {psi:g}" for psi in PSIS)),
    },
    "StyleMixLatentFromBatch": {
        "faces": faces(96, 4),
        "picked": node("StyleMixLatentFromBatch", latent=["faces", 1], index=2, length=1),
        "pictures": decode("picked"),
        "out": sheet("pictures", "index 2"),
    },
    "StyleMixLatentBatch": {
        "faces": faces(96, 2),
        "joined": node("StyleMixLatentBatch", a=["faces", 1], b=["bob", 0]),
        "pictures": decode("joined"),
        "out": sheet("pictures", "seed 96", "seed 97", "bob haircut", columns=3),
    },
    "StyleMixMove": {
        "patterns": node("StyleMixLoadGenerator", checkpoint=PATTERNS, dtype="float32"),
        "plain": sampler(["patterns", 0], seed=3),
        "move": node("StyleMixMove", rotate=20.0, translate_x=0.15, translate_y=0.0),
        "moved": node(
            "StyleMixDecode",
            generator=["patterns", 0],
            latent=["plain", 1],
            noise_mode="const",
            move=["move", 0],
        ),
        "out": sheet("moved", "turned and shifted", source=["plain", 0]),
    },
    "StyleMixAlignFace": {**aligned("all"), "out": node("PreviewImage", images=["align", 3])},
    "StyleMixPasteFace": {
        **aligned("index", 1),
        "codes": node("StyleMixEncode", encoder=["encoder", 0], image=["align", 0], align="never", n_iters=5),
        "mixed": inject(["codes", 0], ["bob", 0], "4-5, 8-10"),
        "pictures": decode("mixed"),
        "paste": node(
            "StyleMixPasteFace",
            image=["people", 0],
            face=["pictures", 0],
            transform=["align", 2],
            feather=0.1,
            colour_match="seam",
        ),
        "out": node("PreviewImage", images=["paste", 0]),
    },
    "StyleMixFaceRegions": {
        "faces": faces(96, 4),
        "regions": node("StyleMixFaceRegions", image=["faces", 0], source="auto"),
        "sheet": node("StyleMixGrid", images=["regions", 10], columns=4),
        "out": node("PreviewImage", images=["sheet", 0]),
    },
    "StyleMixLatentWalk": {
        "one": faces(5),
        "other": faces(98),
        "faces": node("StyleMixLatentBatch", a=["one", 1], b=["other", 1]),
        "walk": walked(("faces", 0), 6, loop=False),
        "pictures": decode("walk"),
        "out": sheet("pictures", columns=7),
    },
    "StyleMixRandomWalk": {
        "walk": node(
            "StyleMixRandomWalk",
            generator=["generator", 0],
            seed=3,
            frames=6,
            smooth=1.0,
            truncation_psi=0.7,
            truncation_cutoff=-1,
            class_label=-1,
            loop=True,
        ),
        "pictures": decode("walk"),
        "out": sheet("pictures", columns=6),
    },
    "StyleMixStrengthCurve": {
        "faces": faces(96),
        "curve": node("StyleMixStrengthCurve", values=0.5),
        "mixed": inject(["faces", 1], ["bob", 0], "4-5", curve=["curve", 0]),
        "pictures": decode("mixed"),
        "out": sheet("pictures", "curve 0.5", source=["faces", 0], style=["bob picture", 0]),
    },
    "StyleMixLoudnessCurve": {
        "faces": faces(96),
        "sound": node("SwellingTone"),
        "curve": node(
            "StyleMixLoudnessCurve",
            audio=["sound", 0],
            fps=6.0,
            frames=6,
            band="all",
            smooth=0.0,
            gain=1.0,
            low=0.0,
            high=1.0,
        ),
        "mixed": inject(["faces", 1], ["bob", 0], "4-5", curve=["curve", 0]),
        "pictures": decode("mixed"),
        "out": sheet("pictures", columns=6),
    },
    "StyleMixTrackFace": {
        "walk": node(
            "StyleMixRandomWalk",
            generator=["generator", 0],
            seed=3,
            frames=6,
            smooth=1.0,
            truncation_psi=0.7,
            truncation_cutoff=-1,
            class_label=-1,
            loop=True,
        ),
        "frames": decode("walk"),
        "track": node("StyleMixTrackFace", image=["frames", 0], face=-1, size=256),
        "out": sheet("track", columns=6),
    },
    "StyleMixRestyleFilm": {
        "clip": node("MovingAvatar"),
        "film": node(
            "StyleMixRestyleFilm",
            generator=["generator", 0],
            encoder=["encoder", 0],
            video=["clip", 0],
            style=["bob", 0],
            mask_list="4-5@0>1",
            alpha=1.0,
            seed=0,
            face=-1,
            steady=True,
            feather=0.1,
            format="mp4",
            noise_mode="const",
            filename_prefix="films/clip",
        ),
        "pictures": decode("film"),
        "out": sheet("pictures", columns=4),
    },
    "StyleMixMakeEncoder": {
        "made": node(
            "StyleMixMakeEncoder",
            generator=["generator", 0],
            start=["encoder", 0],
            name="example",
            minutes=0.0,
            size="auto",
            truncation_psi=1.0,
            editable=False,
            good_enough=0.0,
            seed=0,
        ),
        "out": node("PreviewImage", images=["made", 1]),
    },
    "StyleMixSaveFilm": {
        "faces": faces(96, 6),
        "walk": walked(("faces", 1), 2, loop=True),
        "film": node(
            "StyleMixSaveFilm",
            generator=["generator", 0],
            latent=["walk", 0],
            fps=24.0,
            format="webp",
            noise_mode="const",
            filename_prefix="films/walk",
        ),
        "some": node("StyleMixLatentFromBatch", latent=["walk", 0], index=0, length=6),
        "pictures": decode("some"),
        "out": sheet("pictures", columns=6),
    },
}


FILES_OF = {"StyleMixLoadTuning": "StyleMixSaveTuning", "StyleMixLoadDirections": "StyleMixSaveDirections"}
"""Examples that read a file, and those that write it."""


def picture(host: Host, node_id: str) -> Image.Image:
    """What the example of a node shows."""
    if node_id in FILES_OF:
        picture(host, FILES_OF[node_id])  # writes the file
    with patterns(host) if "patterns" in EXAMPLES[node_id] else nullcontext():
        run = host.run({**MODELS, **EXAMPLES[node_id]})
    assert not run.errors, run.errors
    (shown,) = run.pictures["out"]
    return shown


@contextmanager
def patterns(host: Host) -> Iterator[None]:
    """A StyleGAN3 among the host's files, which nobody else has to know of."""
    path = host.base / "models/stylegan" / PATTERNS
    path.parent.mkdir(exist_ok=True)
    write_patterns(path)
    yield
    path.unlink()


def main() -> None:
    with tempfile.TemporaryDirectory() as base:
        host = StandIn(Path(base))
        for node_id in EXAMPLES:
            shown = picture(host, node_id)
            shown.thumbnail((WIDTH, WIDTH), Image.Resampling.LANCZOS)
            shown.save(DOCS / node_id / "result.jpg", quality=88)
            print(f"{node_id}: {shown.width}×{shown.height}")


if __name__ == "__main__":
    main()
