"""Nodes that keep, pick and change W+ codes, asserted alike on the stand-in and on a real ComfyUI."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors import safe_open

from stylemix_core.checkpoints import native
from stylemix_core.codes.combine import blend_latents, truncate_latents
from stylemix_core.codes.latents import Latents, load_latents, save_latents

from .. import builders
from ..host import Prompt, Run
from .prompts import inject, node, sampler
from .test_workflow import in_bytes, inputs_of, pixels

TINY = "tiny.safetensors"


def generator_node(checkpoint: str = TINY) -> dict:
    return node("StyleMixLoadGenerator", checkpoint=checkpoint, dtype="float32")


def drawing(latent: list, **nodes: dict) -> Prompt:
    """Draw what `latent` gives, beside the faces of seeds 7 and 8."""
    return {
        "generator": generator_node(),
        "faces": sampler(["generator", 0], batch_size=2),
        **nodes,
        "decode": node("StyleMixDecode", generator=["generator", 0], latent=latent, noise_mode="const"),
        "save": node("SaveImage", images=["decode", 0], filename_prefix="drawing"),
    }


def drawn(host, latent: list, **nodes: dict) -> np.ndarray:
    run = host.run(drawing(latent, **nodes))
    assert not run.errors
    return pixels(run.pictures["save"])


def saving(prefix: str, **inputs: object) -> Prompt:
    return {
        "generator": generator_node(),
        "faces": sampler(["generator", 0], batch_size=2),
        "save latent": node("StyleMixSaveLatent", latent=["faces", 1], filename_prefix=prefix, **inputs),
    }


def saved_file(host, run: Run) -> Path:
    (file,) = run.shown["save latent"]["latents"]
    return host.base / "output" / file["subfolder"] / file["filename"]


def test_saved_codes_are_the_sampled_ones_with_their_origins(host, faces):
    run = host.run(saving("saved/faces"))
    assert not run.errors
    path = saved_file(host, run)
    assert path.parent == host.base / "output/saved"
    saved = load_latents(path)
    assert torch.allclose(saved.w, faces.w, atol=1e-6)
    assert saved.origins == ("seed 7, psi 0.7", "seed 8, psi 0.7")
    assert saved.generator == faces.generator
    assert not path.with_suffix(".png").exists()


def test_saved_files_are_numbered_as_comfyui_does(host):
    paths = []
    for psi in (0.5, 0.6):
        prompt = saving("counted/faces")
        prompt["faces"]["inputs"]["truncation_psi"] = psi
        paths.append(saved_file(host, host.run(prompt)))
    assert [path.name for path in paths] == ["faces_00001_.safetensors", "faces_00002_.safetensors"]


def test_a_saved_file_carries_its_workflow(host):
    prompt = saving("workflow/faces", generator=["generator", 0])
    path = saved_file(host, host.run(prompt))
    with safe_open(path, framework="pt") as file:
        assert json.loads(file.metadata()["prompt"])["faces"]["inputs"]["seed"] == 7
    with Image.open(path.with_suffix(".png")) as picture:
        assert json.loads(picture.text["prompt"])["faces"]["inputs"]["seed"] == 7


def test_a_generator_draws_the_picture_beside_the_file(host, tiny, faces):
    prompt = saving("drawn/face", generator=["generator", 0])
    prompt["faces"]["inputs"]["batch_size"] = 1
    run = host.run(prompt)
    with torch.no_grad():
        expected = in_bytes(tiny.synthesis(faces.w[:1]))
    assert np.abs(pixels(run.pictures["save latent"]) - expected).max() <= 1.01
    with Image.open(saved_file(host, run).with_suffix(".png")) as picture:
        assert np.array_equal(np.asarray(picture, dtype=np.float32), pixels(run.pictures["save latent"])[0])


def test_pictures_of_a_batch_are_saved_as_one_sheet(host):
    run = host.run(saving("sheet/faces", image=["faces", 0]))
    (picture,) = run.pictures["save latent"]
    assert picture.width > 64 and picture.height >= 32
    assert len(list(saved_file(host, run).parent.glob("*.png"))) == 1


def test_a_saved_file_is_listed_and_draws_the_same_faces(host):
    first = host.run(saving("listed/faces"))
    name = f"listed/{saved_file(host, first).name} [output]"
    assert name in inputs_of(host.object_info()["StyleMixLoadLatent"])["file"][1]["options"]
    direct = drawn(host, ["faces", 1])
    loaded = drawn(host, ["load", 0], load=node("StyleMixLoadLatent", file=name))
    assert np.array_equal(loaded, direct)


def test_load_lists_files_of_both_folders_and_nothing_but_codes(host, faces):
    save_latents(host.base / "input/deep/below/mine.safetensors", faces)
    native.write(host.base / "output/model.safetensors", generator=builders.tiny_generator())
    (host.base / "input/broken.safetensors").write_bytes(b"none")
    kind, options = inputs_of(host.object_info()["StyleMixLoadLatent"])["file"]
    assert kind == "COMBO" and options["file_upload"]
    assert "deep/below/mine.safetensors" in options["options"]
    assert not any("model" in name or "broken" in name for name in options["options"])


def test_loaded_codes_bring_their_origins_as_labels(host, faces):
    save_latents(host.base / "input/labelled.safetensors", faces)
    run = host.run(
        {
            "load": node("StyleMixLoadLatent", file="labelled.safetensors"),
            "labels": node("PreviewAny", source=["load", 1]),
        }
    )
    assert run.texts["labels"] == "seed 7, psi 0.7\nseed 8, psi 0.7"


def test_a_file_uploaded_after_the_page_was_opened_loads_and_a_changed_one_is_noticed(host, tiny, faces):
    path = host.base / "input/uploaded.safetensors"
    save_latents(path, Latents.of(faces.w[0], generator=faces.generator))
    nodes = {
        "load": node("StyleMixLoadLatent", file=path.name),
        "inject": inject(["load", 0], ["load", 0], "all"),
    }
    before = drawn(host, ["inject", 0], **nodes)
    save_latents(path, Latents.of(faces.w[1], generator=faces.generator))
    os.utime(path, ns=(1, 1))
    after = drawn(host, ["inject", 0], **nodes)
    with torch.no_grad():
        expected = in_bytes(tiny.synthesis(faces.w))
    assert np.abs(before - expected[:1]).max() <= 1.01 and np.abs(after - expected[1:]).max() <= 1.01


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("missing.safetensors", "there is no file missing.safetensors"),
        ("../models/stylegan/tiny.safetensors", "outside of ComfyUI's folders"),
        ("../models/stylegan/tiny.safetensors [output]", "outside of ComfyUI's folders"),
        ("/etc/passwd", "outside of ComfyUI's folders"),
        ("a\0b", "there is no file"),
    ],
)
def test_files_outside_or_missing_are_refused_at_the_node(host, name, message):
    run = host.run(drawing(["load", 0], load=node("StyleMixLoadLatent", file=name)))
    assert message in run.errors["load"]


def test_a_file_without_codes_is_explained(host):
    native.write(host.base / "input/other.safetensors", generator=builders.tiny_generator())
    run = host.run(drawing(["load", 0], load=node("StyleMixLoadLatent", file="other.safetensors")))
    assert "it is a model (StyleMix safetensors with generator)" in run.errors["load"]


def test_a_prefix_cannot_leave_the_output_folder(host):
    run = host.run(saving("../escaped"))
    assert "outside the output folder" in run.errors["save latent"]
    assert not list(host.base.glob("escaped*"))


def test_blending_draws_what_lies_between(host, tiny, faces):
    one = node("StyleMixLatentFromBatch", latent=["faces", 1], index=0, length=1)
    blend = node("StyleMixBlendLatent", a=["faces", 1], b=["one", 0], weight=0.25)
    pictures = drawn(host, ["blend", 0], one=one, blend=blend)
    blended = blend_latents(faces, Latents.of(faces.w[0]), 0.25)
    with torch.no_grad():
        assert np.abs(pictures - in_bytes(tiny.synthesis(blended.w))).max() <= 1.01


def test_truncation_to_zero_draws_the_average_face(host, tiny, faces):
    truncate = node(
        "StyleMixTruncateLatent",
        generator=["generator", 0],
        latent=["faces", 1],
        truncation_psi=0.0,
        truncation_cutoff=-1,
    )
    pictures = drawn(host, ["truncate", 0], truncate=truncate)
    with torch.no_grad():
        average = in_bytes(tiny.synthesis(tiny.w_avg.expand(2, tiny.num_ws, -1)))
    assert np.abs(pictures - average).max() <= 1.01
    truncate["inputs"] |= {"truncation_psi": 0.5, "truncation_cutoff": 3}
    pictures = drawn(host, ["truncate", 0], truncate=truncate)
    with torch.no_grad():
        expected = in_bytes(tiny.synthesis(truncate_latents(faces, tiny, 0.5, 3).w))
    assert np.abs(pictures - expected).max() <= 1.01


def test_picking_from_the_end_and_joining_swaps_two_faces(host):
    last = node("StyleMixLatentFromBatch", latent=["faces", 1], index=-1, length=1)
    first = node("StyleMixLatentFromBatch", latent=["faces", 1], index=0, length=1)
    join = node("StyleMixLatentBatch", a=["last", 0], b=["first", 0])
    swapped = drawn(host, ["join", 0], last=last, first=first, join=join)
    assert np.array_equal(swapped[::-1], drawn(host, ["faces", 1]))


@pytest.fixture
def small(host):
    """A 16 px generator with 6 layers, of other weights."""
    path = host.base / "models/stylegan/small16.safetensors"
    native.write(path, builders.tiny_generator(img_resolution=16, channels=(16, 12, 8)))
    yield generator_node(path.name)
    path.unlink()


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (node("StyleMixBlendLatent", a=["faces", 1], b=["other", 1], weight=0.5), "a has 8 layers"),
        (
            node("StyleMixBlendLatent", a=["three", 1], b=["faces", 1], weight=0.5),
            "3 codes cannot be blended",
        ),
        (node("StyleMixBlendLatent", a=["faces", 1], b=["faces", 1], weight=2.5), "bigger than max"),
        (node("StyleMixLatentBatch", a=["faces", 1], b=["other", 1]), "6 layers of 16 numbers and 8 layers"),
        (node("StyleMixLatentFromBatch", latent=["faces", 1], index=2, length=1), "the batch has 2 codes"),
        (node("StyleMixLatentFromBatch", latent=["faces", 1], index=-3, length=1), "0 to 1 or -2 to -1"),
        (node("StyleMixLatentFromBatch", latent=["faces", 1], index=-1, length=2), "there are no 2 from -1"),
        (node("StyleMixLatentFromBatch", latent=["faces", 1], index=0, length=0), "smaller than min"),
        (
            node(
                "StyleMixTruncateLatent",
                generator=["small", 0],
                latent=["faces", 1],
                truncation_psi=0.5,
                truncation_cutoff=-1,
            ),
            "takes 6 of 16",
        ),
        (
            node("StyleMixSaveLatent", latent=["faces", 1], filename_prefix="wrong", generator=["small", 0]),
            "takes 6 of 16",
        ),
    ],
)
def test_a_mistake_is_explained_at_its_node(host, small, wrong, message):
    run = host.run(
        drawing(
            ["wrong", 0],
            small=small,
            other=sampler(["small", 0]),
            three=sampler(["generator", 0], batch_size=3),
            wrong=wrong,
        )
    )
    assert list(run.errors) == ["wrong"]
    assert message in run.errors["wrong"]


def test_the_workflow_stays_out_of_files_where_the_user_wants_none(stand_in, monkeypatch):
    from comfy.cli_args import args

    monkeypatch.setattr(args, "disable_metadata", True)
    path = saved_file(stand_in, stand_in.run(saving("bare/faces", image=["faces", 0])))
    with safe_open(path, framework="pt") as file:
        assert "prompt" not in file.metadata() and "origins" in file.metadata()
    with Image.open(path.with_suffix(".png")) as picture:
        assert picture.text == {}


def test_blending_across_generators_warns(stand_in):
    w = torch.zeros(1, 8, 16)
    codes = {"a": Latents.of(w, generator="x"), "b": Latents.of(w, generator="y")}
    ((kind, message),) = stand_in.said("StyleMixBlendLatent", **codes, weight=0.5)
    assert kind == "warning" and "different weights" in message


def test_the_bundled_code_is_there_before_anything_was_saved(host):
    _, options = inputs_of(host.object_info()["StyleMixLoadLatent"])["file"]
    assert options["options"][0] == options["default"] == "bob haircut (bundled)"
    demo = node("StyleMixLoadGenerator", checkpoint="demo (bundled)", dtype="float32")
    load = node("StyleMixLoadLatent", file="bob haircut (bundled)")
    assert drawn(host, ["load", 0], load=load, generator=demo).shape[1:3] == (256, 256)
