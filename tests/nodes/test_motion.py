"""Nodes for moving pictures, asserted alike on the stand-in and on a real ComfyUI."""

import json
from io import BytesIO

import numpy as np
import pytest
import torch
from PIL import Image

from stylemix_core.codes.latents import load_latents
from stylemix_core.codes.sampling import sample_latents
from stylemix_core.motion.film import Film
from stylemix_core.motion.walk import latent_walk, random_walk

from .. import builders
from ..host import Prompt
from .prompts import inject, node, sampler
from .test_latent import TINY, generator_node, saved_file

WALK = {"frames": 4, "curve": "cubic", "speed": "even", "loop": True, "hold": 0, "ease": "none"}
RANDOM = {
    "seed": 3,
    "frames": 6,
    "smooth": 2.0,
    "truncation_psi": 0.7,
    "truncation_cutoff": -1,
    "class_label": -1,
    "loop": True,
}


def saving(**walk: dict) -> Prompt:
    return {
        "generator": generator_node(TINY),
        "faces": sampler(["generator", 0], batch_size=3),
        **walk,
        "save latent": node("StyleMixSaveLatent", latent=["walk", 0], filename_prefix="walk/codes"),
    }


def walked(**changes) -> dict:
    return node("StyleMixLatentWalk", generator=["generator", 0], latent=["faces", 1], **{**WALK, **changes})


@pytest.mark.parametrize(
    "changes", [{}, {"curve": "slerp", "loop": False, "hold": 1, "ease": "in-out"}, {"speed": "visible"}]
)
def test_latent_walk_gives_the_cores_codes(host, tiny, changes):
    run = host.run(saving(walk=walked(**changes)))
    assert not run.errors
    codes = load_latents(saved_file(host, run))
    given = {**WALK, **changes}
    with torch.inference_mode():
        keys = sample_latents(tiny, [7, 8, 9], 0.7)
        expected = latent_walk(
            keys,
            given["frames"],
            given["curve"],
            given["loop"],
            given["speed"],
            tiny,
            holds=given["hold"],
            easing=given["ease"],
        )
    torch.testing.assert_close(codes.w, expected.w, rtol=0, atol=1e-4)
    assert codes.origins == expected.origins and codes.generator == expected.generator


def test_random_walk_gives_the_cores_codes(host, tiny):
    run = host.run(saving(walk=node("StyleMixRandomWalk", generator=["generator", 0], **RANDOM)))
    assert not run.errors
    expected = random_walk(tiny, 6, 3, 2.0)
    torch.testing.assert_close(load_latents(saved_file(host, run)).w, expected.w, rtol=0, atol=1e-4)


def test_a_walk_of_one_face_says_what_is_missing(host):
    prompt = saving(walk=walked())
    prompt["faces"]["inputs"]["batch_size"] = 1
    (error,) = host.run(prompt).errors.values()
    assert "found 1, give two or more" in error


def filmed(format: str, **changes) -> Prompt:
    return {
        "generator": generator_node(TINY),
        "faces": sampler(["generator", 0], batch_size=3),
        "walk": walked(),
        "film": node(
            "StyleMixSaveFilm",
            generator=["generator", 0],
            latent=["walk", 0],
            **{
                "fps": 10.0,
                "format": format,
                "noise_mode": "const",
                "filename_prefix": "films/walk",
                **changes,
            },
        ),
        "decode": node("StyleMixDecode", generator=["generator", 0], latent=["walk", 0], noise_mode="const"),
        "save": node("SaveImage", images=["decode", 0], filename_prefix=f"walk_{format}"),
    }


@pytest.mark.parametrize("format", ["gif", "webp", "png"])
def test_a_film_has_the_pictures_of_decode(host, format):
    run = host.run(filmed(format))
    assert not run.errors
    frames = [np.asarray(picture.convert("RGB")).astype(int) for picture in run.pictures["save"]]
    assert len(frames) == 12
    folder = host.base / "output" / "films"
    if format == "png":
        paths = sorted(max(folder.glob("walk_*_")).glob("*.png"))
        assert len(paths) == 12
        for path, frame in zip(paths, frames):
            with Image.open(path) as picture:
                assert abs(np.asarray(picture) - frame).max() <= 1
        return
    (shown,) = run.shown["film"]["images"]
    with Image.open(host.base / "output" / shown["subfolder"] / shown["filename"]) as film:
        assert film.n_frames == 12
        for place in (0, 5, 11):
            film.seek(place)
            assert abs(np.asarray(film.convert("RGB")) - frames[place]).mean() < 20
    assert [*run.shown["film"]["animated"]] == [True]


def test_an_mp4_carries_its_workflow(host):
    av = pytest.importorskip("av")
    run = host.run(filmed("mp4"))
    if any("PyAV" in error for error in run.errors.values()):
        pytest.skip("this host has no PyAV")
    assert not run.errors
    (shown,) = run.shown["film"]["images"]
    with av.open(str(host.base / "output" / shown["subfolder"] / shown["filename"])) as film:
        assert json.loads(film.metadata["prompt"])["film"]["class_type"] == "StyleMixSaveFilm"
        assert sum(1 for _ in film.decode(video=0)) == 12


def test_walks_go_side_by_side(host):
    run = host.run(filmed("png", walks=6))
    assert not run.errors
    frames = [np.asarray(picture.convert("RGB")).astype(int) for picture in run.pictures["save"]]
    first, second = sorted(max((host.base / "output/films").glob("walk_*_")).glob("*.png"))
    for path, shown in ((first, frames[::2]), (second, frames[1::2])):
        laid = np.concatenate([np.concatenate(row, 1) for row in (shown[:3], shown[3:])])
        with Image.open(path) as picture:
            assert abs(np.asarray(picture) - laid).max() <= 1
    assert "12 codes are not 5 equally long walks" in host.run(filmed("png", walks=5)).errors["film"]


# strengths over a film


def test_inject_makes_frames_of_a_single_face(host, tiny):
    prompt = {
        "generator": generator_node(TINY),
        "faces": sampler(["generator", 0]),
        "style": sampler(["generator", 0], seed=100),
        "walk": inject(["faces", 1], ["style", 1], "2-3@0>1>0", frames=5),
        "save latent": node("StyleMixSaveLatent", latent=["walk", 0], filename_prefix="walk/frames"),
    }
    run = host.run(prompt)
    assert not run.errors
    codes = load_latents(saved_file(host, run))
    with torch.inference_mode():
        source, style = (sample_latents(tiny, [seed], 0.7).w for seed in (7, 100))
    assert len(codes) == 5 and run.shown["walk"]["stylemix_masks"] == ["2-3@0>1>0"]
    for frame, strength in enumerate((0, 0.5, 1, 0.5, 0)):
        mixed = source[0, 2:4] + strength * (style[0, 2:4] - source[0, 2:4])
        torch.testing.assert_close(codes.w[frame, 2:4], mixed, rtol=0, atol=1e-5)
        torch.testing.assert_close(codes.w[frame, 4:], source[0, 4:], rtol=0, atol=1e-5)


def test_curves_come_from_lists_and_sounds(stand_in):
    assert stand_in.call("StyleMixStrengthCurve", values=[0.0, 0.5, 1]) == ((0.0, 0.5, 1.0), 3)
    assert stand_in.call("StyleMixStrengthCurve", values=[[0.0, 0.5]]) == ((0.0, 0.5), 2)
    with pytest.raises(Exception, match="not finite"):
        stand_in.call("StyleMixStrengthCurve", values=[float("nan")])
    sound = torch.cat([torch.zeros(4000), torch.sin(torch.arange(4000) / 3)])[None, None]
    values = {"fps": 10.0, "frames": 0, "band": "all", "smooth": 0.0, "gain": 1.0, "low": 0.0, "high": 1.0}
    curve, frames = stand_in.call(
        "StyleMixLoudnessCurve", audio={"waveform": sound, "sample_rate": 8000}, **values
    )
    assert frames == len(curve) == 10 and curve[0] == 0 and max(curve) == 1
    with pytest.raises(Exception, match="the clip has no sound"):
        stand_in.call("StyleMixLoudnessCurve", audio=None, **values)


# clips


def a_clip() -> np.ndarray:
    """Four frames; in the first nobody is seen."""
    frames = builders.moving_avatar(4)
    frames[0] = frames[0, :1]
    return frames


def test_track_face_crops_one_face_and_paste_puts_it_back(stand_in):
    image = torch.from_numpy(a_clip()).float() / 255
    faces, transforms = stand_in.call("StyleMixTrackFace", image=image, face=-1, size=256)
    assert faces.shape == (3, 256, 256, 3) and [each.picture for each in transforms] == [1, 2, 3]
    assert all(abs(a.centre[0] - b.centre[0] + 3) < 2 for a, b in zip(transforms, transforms[1:]))
    (back,) = stand_in.call(
        "StyleMixPasteFace",
        image=image,
        face=faces,
        transform=transforms,
        feather=0.1,
        colour_match="none",
        blend="square",
    )[:1]
    assert torch.equal(back[0], image[0]) and float((back - image).abs().mean()) < 0.01
    assert stand_in.said("StyleMixTrackFace", image=image, face=-1, size=256) == [
        ["note", "3 of 4 frames show the face"]
    ]
    with pytest.raises(Exception, match="no face was found in any frame"):
        stand_in.call("StyleMixTrackFace", image=image[:1], face=-1, size=256)


class Video:
    """A VIDEO as cores give it."""

    def __init__(self, source):
        self.source = source

    def get_stream_source(self):
        return self.source


@pytest.mark.slow
def test_restyle_face_film_is_the_cores(stand_in, tmp_path, monkeypatch):
    av = pytest.importorskip("av")
    frames = a_clip()
    Film(tmp_path / "clip.mp4", 4, 10).write(lambda first: iter(frames[first:]))
    models = {
        "generator": ("StyleMixLoadGenerator", {"checkpoint": "demo (bundled)", "dtype": "float32"}),
        "encoder": ("StyleMixLoadEncoder", {"checkpoint": "demo (bundled)", "dtype": "float32"}),
    }
    loaded = {name: stand_in.call(kind, **given)[0] for name, (kind, given) in models.items()}
    (style,) = stand_in.call("StyleMixLoadLatent", file="bob haircut (bundled)")[:1]
    given = {
        "mask_list": "4-5@0>1",
        "alpha": 1.0,
        "seed": 0,
        "face": -1,
        "steady": True,
        "feather": 0.1,
        "format": "mp4",
        "noise_mode": "const",
        "filename_prefix": "films/clip",
    }
    for source in (str(tmp_path / "clip.mp4"), BytesIO((tmp_path / "clip.mp4").read_bytes())):
        (codes,) = stand_in.call("StyleMixRestyleFilm", video=Video(source), style=style, **loaded, **given)
        assert len(codes) == 3 and codes.origins[1].endswith("layers 4-5@0.5")
    made = sorted((stand_in.base / "output/films").glob("clip_*.mp4"))
    assert len(made) == 2 and made[0].read_bytes() == made[1].read_bytes()
    with av.open(str(made[0])) as film:
        assert sum(1 for _ in film.decode(video=0)) == 4
    clip = Video(str(tmp_path / "clip.mp4"))
    stand_in.call(
        "StyleMixRestyleFilm", video=clip, style=style, **loaded, **given, tune_steps=1, seam_steps=1
    )
    tuned = sorted((stand_in.base / "output/films").glob("clip_*.mp4"))[-1]
    assert tuned not in made and tuned.read_bytes() != made[0].read_bytes()
    # The mask list is read before the clip is looked at.
    monkeypatch.setattr(stand_in.module("nodes.motion"), "Followed", None)
    with pytest.raises(Exception, match="one mask of one style"):
        stand_in.call(
            "StyleMixRestyleFilm",
            video=Video(str(tmp_path / "clip.mp4")),
            style=style,
            **loaded,
            **{**given, "mask_list": "4; 5"},
        )
