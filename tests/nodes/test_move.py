"""Turn and Shift, on the stand-in and on a real ComfyUI."""

import numpy as np
import pytest
import torch
from PIL import Image

from stylemix_core.checkpoints import load_generator
from stylemix_core.codes.sampling import sample_latents
from stylemix_core.faces import align_faces
from stylemix_core.images import to_comfy

from .. import builders_stylegan3
from ..builders import draw_avatars
from .prompts import node, sampler

MODEL = "stylegan3_patterns.pkl"


@pytest.fixture
def generator(host):
    path = builders_stylegan3.write_patterns(host.base / "models/stylegan" / MODEL)
    yield load_generator(path, device="cpu")
    path.unlink()  # other tests know which files there are


def prompt(checkpoint: str = MODEL, **move) -> dict:
    values = {"rotate": 25.0, "translate_x": 0.1, "translate_y": -0.2, **move}
    drawing = {"generator": ["generator", 0], "noise_mode": "const", "move": ["move", 0]}
    return {
        "generator": node("StyleMixLoadGenerator", checkpoint=checkpoint, dtype="float32"),
        "move": node("StyleMixMove", **values),
        "faces": sampler(["generator", 0], batch_size=2, move=["move", 0]),
        "drawn": node("StyleMixDecode", latent=["faces", 1], **drawing),
        "save faces": node("SaveImage", images=["faces", 0], filename_prefix="faces"),
        "save drawn": node("SaveImage", images=["drawn", 0], filename_prefix="drawn"),
    }


def check(pictures: list[Image.Image], wanted: torch.Tensor) -> None:
    given = np.stack([np.asarray(picture.convert("RGB"), dtype=float) for picture in pictures])
    assert np.abs(given - to_comfy(wanted).clamp(0, 1).numpy() * 255).max() <= 1.01


def test_pictures_are_turned_and_shifted(host, generator):
    run = host.run(prompt())
    assert not run.errors
    with torch.no_grad():
        w = sample_latents(generator, [7, 8], psi=0.7).w
        wanted = generator.synthesis(w, translate=(0.1, -0.2), rotate=25.0)
        assert (wanted - generator.synthesis(w)).abs().max() > 0.2
    check(run.pictures["save faces"], wanted)
    check(run.pictures["save drawn"], wanted)


def test_faces_lean_as_in_their_photo(host, generator):
    scene = Image.new("RGB", (640, 400), (90, 120, 150))
    first, second = draw_avatars(2)
    scene.paste(first.rotate(30, fillcolor=(90, 120, 150)), (20, 70))
    scene.paste(second, (340, 70))
    scene.save(host.base / "input" / "leaning.png")
    faces = {
        "photo": node("LoadImage", image="leaning.png"),
        "align": node(
            "StyleMixAlignFace", image=["photo", 0], face="all", face_index=0, margin=0.0, output_size=128
        ),
    }
    run = host.run({**faces, **prompt(rotate=5.0, translate_x=0.0, translate_y=0.0, transform=["align", 2])})
    assert not run.errors
    angles = [-transform.angle for _, transform in align_faces(scene)]
    assert angles[0] - angles[1] > 25
    with torch.no_grad():
        w = sample_latents(generator, [7, 8], psi=0.7).w
        check(run.pictures["save drawn"], generator.synthesis(w, rotate=[angle + 5 for angle in angles]))


def test_other_generators_say_that_they_cannot(host):
    errors = host.run(prompt("tiny.safetensors")).errors
    assert "only StyleGAN3 can" in errors["faces"]
