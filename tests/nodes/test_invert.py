"""Invert in workflows, and what it asks of ComfyUI."""

import numpy as np
import pytest
import torch

from stylemix_core.checkpoints import native
from stylemix_core.codes.latents import Latents, save_latents
from stylemix_core.inversion import Delta, load_delta, save_delta

from .. import builders
from .prompts import node, sampler
from .test_workflow import inputs_of


def invert_prompt(**changes):
    """Three faces of which each is inverted, mixed with the first and drawn by the generator that comes out."""
    inputs = {
        "generator": ["generator", 0],
        "image": ["faces", 0],
        "encoder": ["encoder", 0],
        "method": "optimize",
        "steps": 3,
        "quality": "balanced",
        "seed": 0,
    }
    return {
        "generator": node("StyleMixLoadGenerator", checkpoint="tiny.safetensors", dtype="float32"),
        "encoder": node("StyleMixLoadEncoder", checkpoint="tiny.safetensors", dtype="float32"),
        "faces": sampler(["generator", 0], batch_size=2),
        "invert": node("StyleMixInvert", **{**inputs, **changes}),
        "decode": node("StyleMixDecode", generator=["invert", 2], latent=["invert", 0], noise_mode="const"),
        "save": node("SaveImage", images=["invert", 1], filename_prefix="inverted"),
        "save decoded": node("SaveImage", images=["decode", 0], filename_prefix="decoded"),
        "save report": node("SaveImage", images=["invert", 3], filename_prefix="report"),
    }


def pixels(pictures):
    return np.stack([np.asarray(picture, dtype=np.float32) for picture in pictures])


@pytest.mark.parametrize("method", ["encode", "optimize", "tune"])
def test_the_generator_that_comes_out_draws_the_codes(host, method):
    run = host.run(invert_prompt(method=method))
    assert not run.errors
    drawn, decoded = pixels(run.pictures["save"]), pixels(run.pictures["save decoded"])
    assert drawn.shape == (2, 32, 32, 3)
    assert np.abs(drawn - decoded).max() <= 1.01
    assert run.pictures["save report"][0].size == (640, 360)


def test_a_tuned_generator_can_be_tuned_again(host):
    prompt = invert_prompt(method="tune")
    prompt["again"] = node(
        "StyleMixInvert", **{**prompt["invert"]["inputs"], "generator": ["invert", 2], "seed": 1}
    )
    prompt["decode"]["inputs"] |= {"generator": ["again", 2], "latent": ["again", 0]}
    prompt["save"]["inputs"]["images"] = ["again", 1]
    run = host.run(prompt)
    assert not run.errors
    assert np.abs(pixels(run.pictures["save"]) - pixels(run.pictures["save decoded"])).max() <= 1.01


def test_a_restyle_encoder_refines_the_code(host):
    prompt = invert_prompt(method="iterate", generator=["encoder", 1])
    prompt["encoder"]["inputs"]["checkpoint"] = "restyle.pt"
    run = host.run(prompt)
    assert not run.errors
    assert pixels(run.pictures["save"]).shape == (2, 32, 32, 3)


def test_an_encoder_of_another_size_is_refused_at_the_node(host):
    path = host.base / "models/stylegan/small_for_invert.safetensors"
    native.write(path, builders.tiny_generator(img_resolution=16, channels=(16, 12, 8)))
    try:
        prompt = invert_prompt(generator=["small", 0])
        prompt["small"] = node("StyleMixLoadGenerator", checkpoint=path.name, dtype="float32")
        run = host.run(prompt)
    finally:
        path.unlink()
    assert "codes have 8 layers of 16 numbers; this generator (16 pixels) takes 6" in run.errors["invert"]


def test_more_options_reach_the_inversion(host):
    prompt = invert_prompt(method="tune", encoder=None, options=["options", 0])
    del prompt["invert"]["inputs"]["encoder"]
    prompt["options"] = node(
        "StyleMixInvertOptions",
        learning_rate=0.1,
        pull=-0.01,
        noise="keep",
        perceptual_weight=0.0,
        identity_weight=0.0,
        starts=2,
        iterations=5,
        tune_steps=1,
        tune_learning_rate=0.2,
        locality=0.0,
        memory="save",
        trust=0.1,
    )
    run = host.run(prompt)
    assert not run.errors


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"method": "iterate"}, "ReStyle"),
        ({"method": "magic"}, "magic"),
        ({"steps": -1}, "smaller than min"),
    ],
)
def test_mistakes_are_explained(host, change, message):
    run = host.run(invert_prompt(**change))
    assert list(run.errors) == ["invert"]
    assert message in run.errors["invert"]


def tuning_prompt():
    """A tuned generator that is saved; its picture of a code."""
    prompt = invert_prompt(method="tune")
    prompt["keep"] = node("StyleMixSaveTuning", generator=["invert", 2], filename_prefix="tunings/mine")
    return prompt


def test_a_saved_tuning_is_listed_and_draws_the_same(host):
    run = host.run(tuning_prompt())
    assert not run.errors
    (shown,) = run.shown["keep"]["tunings"]
    name = f"{shown['subfolder']}/{shown['filename']} [output]"
    kind, options = inputs_of(host.object_info()["StyleMixLoadTuning"])["file"]
    assert kind == "COMBO" and options["file_upload"] and name in options["options"]
    assert name not in inputs_of(host.object_info()["StyleMixLoadLatent"])["file"][1]["options"]
    prompt = invert_prompt(method="tune")
    prompt["load"] = node("StyleMixLoadTuning", generator=["generator", 0], file=name)
    prompt["decode"]["inputs"]["generator"] = ["load", 0]
    loaded = host.run(prompt)
    assert not loaded.errors
    pictures = pixels(loaded.pictures["save decoded"])
    assert np.abs(pictures - pixels(run.pictures["save decoded"])).max() <= 1.01
    prompt["decode"]["inputs"]["generator"] = ["generator", 0]
    assert np.abs(pictures - pixels(host.run(prompt).pictures["save decoded"])).max() > 1


def test_tunings_of_tunings_are_saved_as_one(host):
    prompt = tuning_prompt()
    prompt["again"] = node(
        "StyleMixInvert", **{**prompt["invert"]["inputs"], "generator": ["invert", 2], "seed": 1}
    )
    prompt["keep"]["inputs"] |= {"generator": ["again", 2], "filename_prefix": "tunings/twice"}
    prompt["decode"]["inputs"] |= {"generator": ["again", 2], "latent": ["again", 0]}
    run = host.run(prompt)
    (shown,) = run.shown["keep"]["tunings"]
    delta = load_delta(host.base / "output" / shown["subfolder"] / shown["filename"])
    prompt["load"] = node(
        "StyleMixLoadTuning",
        generator=["generator", 0],
        file=f"{shown['subfolder']}/{shown['filename']} [output]",
    )
    prompt["decode"]["inputs"]["generator"] = ["load", 0]
    del prompt["keep"]
    loaded = host.run(prompt)
    assert not loaded.errors and "synthesis.b8.conv0.weight" in delta.tensors
    pictures = [pixels(each.pictures["save decoded"]) for each in (run, loaded)]
    assert np.abs(pictures[0] - pictures[1]).max() <= 1.01


@pytest.mark.parametrize(
    ("file", "message"),
    [
        ("", "there is no tuning yet"),
        ("gone.safetensors", "there is no file gone.safetensors"),
        ("../models/stylegan/tiny.safetensors", "outside of ComfyUI's folders"),
        ("codes.safetensors", "codes.safetensors holds no tuning"),
        ("foreign.safetensors", "load the generator that was tuned"),
    ],
)
def test_files_that_are_no_tuning_of_the_generator_are_refused(host, file, message):
    save_latents(host.base / "input/codes.safetensors", Latents.of(torch.zeros(1, 8, 16)))
    other = Delta({"synthesis.b4.conv1.weight": torch.zeros(16, 16, 3, 3)}, "another")
    save_delta(host.base / "input/foreign.safetensors", other)
    prompt = invert_prompt(method="encode")
    prompt["load"] = node("StyleMixLoadTuning", generator=["generator", 0], file=file)
    prompt["decode"]["inputs"]["generator"] = ["load", 0]
    run = host.run(prompt)
    assert list(run.errors) == ["load"]
    assert message in run.errors["load"]


def test_a_generator_without_changes_has_no_tuning_to_save(host):
    prompt = tuning_prompt()
    prompt["keep"]["inputs"]["generator"] = ["generator", 0]
    assert "connect the generator output of Invert" in host.run(prompt).errors["keep"]


@pytest.fixture
def comfy(stand_in, monkeypatch):
    from comfy import model_management, utils

    monkeypatch.setattr(model_management, "requests", [])
    monkeypatch.setattr(model_management, "interrupted", False)
    monkeypatch.setattr(utils, "updates", [])
    return model_management


@pytest.fixture
def models(stand_in):
    (generator,) = stand_in.call("StyleMixLoadGenerator", checkpoint="tiny.safetensors", dtype="float32")
    encoder, _ = stand_in.call("StyleMixLoadEncoder", checkpoint="tiny.safetensors", dtype="float32")
    return {"generator": generator, "encoder": encoder}


def call(stand_in, models, **changes):
    arguments = {"method": "tune", "steps": 2, "quality": "balanced", "seed": 0, **models, **changes}
    arguments.setdefault("image", torch.rand(1, 40, 40, 3, generator=torch.Generator().manual_seed(0)))
    return stand_in.call("StyleMixInvert", **arguments)


def test_comfyui_sees_one_base_model(stand_in, comfy, models):
    _, _, tuned, _ = call(stand_in, models)
    patcher = models["generator"].handle()
    assert comfy.requests[0][0] == [patcher, models["encoder"].handle()]
    assert tuned.handle() is patcher
    save_delta(stand_in.base / "input/one.safetensors", tuned.tuning())
    (loaded,) = stand_in.call("StyleMixLoadTuning", generator=models["generator"], file="one.safetensors")
    assert loaded.handle() is patcher
    comfy.requests.clear()
    latent = stand_in.call(
        "StyleMixSampler",
        generator=tuned,
        seed=0,
        batch_size=1,
        truncation_psi=0.7,
        truncation_cutoff=-1,
        class_label=-1,
        noise_mode="const",
    )[1]
    assert all(patchers == [patcher] for patchers, _ in comfy.requests)
    assert latent.generator == models["generator"].network().fingerprint()
    shared = tuned.network().synthesis.b4.const
    assert shared.data_ptr() == models["generator"].network().synthesis.b4.const.data_ptr()


def test_every_step_is_shown_and_can_be_interrupted(stand_in, comfy, models):
    from comfy import utils

    call(stand_in, models)
    assert utils.updates == [(1, 4), (2, 4), (3, 4), (4, 4)]
    comfy.interrupted = True
    utils.updates.clear()
    with pytest.raises(comfy.InterruptProcessingException):
        call(stand_in, models)
    assert not utils.updates


def test_the_newest_pictures_are_shown_on_the_node(stand_in, comfy, models, monkeypatch):
    from comfy import utils

    monkeypatch.setattr(utils, "previews", [])
    watch = stand_in.module("stylemix_core.inversion.descent").Watch
    monkeypatch.setattr(watch, "interval", 0.0)
    call(stand_in, models, image=torch.rand(2, 32, 32, 3))
    assert [(kind, picture.size) for kind, picture, _ in utils.previews] == [("JPEG", (64, 32))] * 4


def test_out_of_memory_keeps_fewer_maps(stand_in, comfy, models):
    host = stand_in.module("nodes.host")
    tried = []

    def job(save_memory):
        tried.append(save_memory)
        if not save_memory:
            raise comfy.OOM_EXCEPTION("no memory left")
        return "done"

    assert host.descend([models["generator"]], 1, job) == "done"
    assert tried == [False, True]


def test_a_mask_limits_where_the_picture_is_matched(stand_in, comfy, models):
    image = torch.rand(1, 40, 40, 3, generator=torch.Generator().manual_seed(0))
    mask = torch.zeros(1, 20, 20)
    mask[:, :, :10] = 1
    changed = image.clone()
    changed[:, :, 24:] = 0
    # Without an encoder, which would see all of the picture.
    pictures = [
        call(stand_in, {"generator": models["generator"]}, image=given, mask=mask, method="optimize")[1]
        for given in (image, changed)
    ]
    unmasked = call(stand_in, {"generator": models["generator"]}, image=changed, method="optimize")[1]
    assert torch.allclose(pictures[0], pictures[1], atol=0.02)
    assert not torch.allclose(pictures[0], unmasked, atol=0.02)


def test_an_encoder_of_other_weights_is_used_with_a_warning(stand_in, comfy, models, caplog):
    models["encoder"].network().generator, known = "another", models["encoder"].network().generator
    try:
        call(stand_in, models, method="encode")
    finally:
        models["encoder"].network().generator = known
    assert "other weights" in caplog.text


def test_perceptual_features_are_found_beside_the_generators(stand_in, comfy, models):
    from ..core.test_inversion_parts import vgg_state

    folder = stand_in.base / "models" / "stylegan"
    host = stand_in.module("nodes.host")
    assert host.vgg_file() is None
    (folder / "vgg16_broken.pt").write_bytes(b"nothing")
    torch.save(vgg_state(), folder / "vgg16-397923af.pth")
    try:
        assert host.vgg_file() == str(folder / "vgg16-397923af.pth")
        call(stand_in, models)
    finally:
        (folder / "vgg16-397923af.pth").unlink()
        (folder / "vgg16_broken.pt").unlink()
