"""Files that other people and other systems bring along."""

import shutil

import numpy as np
import pytest
import torch

from stylemix_core.checkpoints import native
from stylemix_core.codes.direction_files import save_directions
from stylemix_core.codes.latents import save_latents
from stylemix_core.codes.sampling import sample_latents
from stylemix_core.codes.unsupervised import find_directions
from stylemix_core.decoding import decode
from stylemix_core.inversion.delta import Delta, save_delta
from stylemix_core.masks.mask_list import parse_masks
from stylemix_core.mixing.inject import inject_latents

from .. import builders
from .prompts import inject, node, sampler
from .test_workflow import in_bytes, inputs_of, pixels

SPELLINGS = ("shared/tiny", "shared\\tiny")
"""A file in a folder, as workflows from Linux and from Windows name it."""


@pytest.fixture
def shared(host):
    """A generator, an encoder, codes, directions and a tuning, each in a folder."""
    models, files = host.base / "models", host.base / "output/shared"
    for folder in (models / "stylegan/shared", models / "psp/shared", files):
        folder.mkdir(exist_ok=True)
    for kind in ("stylegan", "psp"):
        shutil.copy(models / kind / "tiny.safetensors", models / kind / "shared/tiny.safetensors")
    generator = builders.tiny_generator()
    save_latents(files / "codes.safetensors", sample_latents(generator, [3], 1.0))
    save_directions(files / "directions.safetensors", find_directions(generator, count=2))
    changed = {"synthesis.b4.conv1.weight": torch.zeros(16, 16, 3, 3)}
    save_delta(files / "tuning.safetensors", Delta(changed, generator.fingerprint()))
    yield host
    for folder in (models / "stylegan/shared", models / "psp/shared", files):
        shutil.rmtree(folder)


@pytest.mark.parametrize("name", SPELLINGS)
def test_names_of_files_in_folders_mean_the_same_whatever_system_wrote_them(shared, name):
    file = name.replace("tiny", "{}.safetensors [output]")
    prompt = {
        "generator": node("StyleMixLoadGenerator", checkpoint=f"{name}.safetensors", dtype="float32"),
        "encoder": node("StyleMixLoadEncoder", checkpoint=f"{name}.safetensors", dtype="float32"),
        "codes": node("StyleMixLoadLatent", file=file.format("codes")),
        "directions": node("StyleMixLoadDirections", file=file.format("directions")),
        "tuned": node("StyleMixLoadTuning", generator=["generator", 0], file=file.format("tuning")),
        "moved": node(
            "StyleMixApplyDirection",
            latent=["codes", 0],
            directions=["directions", 0],
            direction="1",
            strength=1.0,
            mask_list="all",
        ),
        "decode": node("StyleMixDecode", generator=["tuned", 0], latent=["moved", 0], noise_mode="const"),
        "encode": node("StyleMixEncode", encoder=["encoder", 0], image=["decode", 0], align="never"),
        "save": node("SaveImage", images=["encode", 1], filename_prefix="shared"),
    }
    run = shared.run(prompt)
    assert not run.errors
    assert run.pictures["save"][0].size == (64, 64)


@pytest.mark.parametrize("kind", ["StyleMixLoadGenerator", "StyleMixLoadEncoder"])
@pytest.mark.parametrize("name", ["shared\\missing.safetensors", "..\\psp\\psp.pt", "../../notes.txt", ""])
def test_other_names_are_refused_before_the_run(host, kind, name):
    using = {
        "StyleMixLoadGenerator": sampler(["load", 0]),
        "StyleMixLoadEncoder": node(
            "StyleMixEncode", encoder=["load", 0], image=["picture", 0], align="never"
        ),
    }
    prompt = {
        "load": node(kind, checkpoint=name, dtype="float32"),
        "generator": node("StyleMixLoadGenerator", checkpoint="tiny.safetensors", dtype="float32"),
        "picture": sampler(["generator", 0]),
        "use": using[kind],
        "save": node(
            "SaveImage", images=["use", int(kind == "StyleMixLoadEncoder")], filename_prefix="nothing"
        ),
    }
    errors = host.run(prompt).errors
    assert f"there is no file {name}; put it into" in errors["load"]


def test_state_dicts_with_the_ending_pth_are_listed_and_drawn(host):
    path = host.base / "models/stylegan/exported.pth"
    torch.save({f"module.{k}": x for k, x in builders.tiny_generator().state_dict().items()}, path)
    try:
        listed = inputs_of(host.object_info()["StyleMixLoadGenerator"])["checkpoint"][1]["options"]
        assert "exported.pth" in listed
        drawn = []
        for checkpoint in ("exported.pth", "tiny.safetensors"):
            prompt = {
                "generator": node("StyleMixLoadGenerator", checkpoint=checkpoint, dtype="float32"),
                "faces": sampler(["generator", 0]),
                "save": node("SaveImage", images=["faces", 0], filename_prefix="exported"),
            }
            run = host.run(prompt)
            assert not run.errors
            drawn.append(pixels(run.pictures["save"]))
        assert np.array_equal(*drawn)
    finally:
        path.unlink()


def test_a_generator_of_other_proportions_draws_injects_and_compares(host):
    path = host.base / "models/stylegan/tall.safetensors"
    generator = builders.tiny_generator(start=(4, 2))
    native.write(path, generator)
    prompt = {
        "generator": node("StyleMixLoadGenerator", checkpoint="tall.safetensors", dtype="float32"),
        "faces": sampler(["generator", 0], batch_size=2),
        "style": sampler(["generator", 0], seed=100),
        "region": node("SolidMask", value=1.0, width=16, height=32),
        "inject": inject(["faces", 1], ["style", 1], "all; 4-7", region=["region", 0]),
        "decode": node(
            "StyleMixDecode", generator=["generator", 0], latent=["inject", 0], noise_mode="const"
        ),
        "grid": node("StyleMixGrid", images=["decode", 0], labels=["inject", 1], columns=4),
        "save": node("SaveImage", images=["decode", 0], filename_prefix="tall"),
        "save grid": node("SaveImage", images=["grid", 0], filename_prefix="tall_grid"),
    }
    try:
        run = host.run(prompt)
        assert not run.errors
        assert [picture.size for picture in run.pictures["save"]] == [(16, 32)] * 4
        codes = [sample_latents(generator, seeds, 0.7) for seeds in ([7, 8], [100])]
        masks = parse_masks("all; 4-7", generator.num_ws)
        expected = decode(generator, inject_latents(*codes, masks, region=torch.ones(1, 32, 16)))
        assert np.abs(pixels(run.pictures["save"]) - in_bytes(expected)).max() <= 1.01
        width, height = run.pictures["save grid"][0].size
        assert width > 4 * 16 and height > 32
    finally:
        path.unlink()
