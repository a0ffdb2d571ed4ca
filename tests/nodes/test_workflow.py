"""What a user's workflow does, asserted alike on the stand-in and on every real ComfyUI."""

import os
import re

import numpy as np
import pytest
import torch
from PIL import Image

from stylemix_core.checkpoints import load_encoder, load_generator, native
from stylemix_core.codes.seeds import sample_z
from stylemix_core.faces.regions import REGIONS
from stylemix_core.figures.grid import compare_grid
from stylemix_core.images import from_pil, to_comfy
from stylemix_core.masks.mask_list import parse_masks
from stylemix_core.mixing.inject import inject

from .. import builders
from . import prompts
from .prompts import experiment, node, sampler

CONTRACT = {
    "StyleMixLoadGenerator": ("Load StyleGAN2", ["checkpoint", "dtype", "compile"], ["generator"]),
    "StyleMixLoadEncoder": ("Load pSp Encoder", ["checkpoint", "dtype"], ["encoder", "generator"]),
    "StyleMixSampler": (
        "StyleGAN2Sampler",
        [
            "generator",
            "seed",
            "batch_size",
            "truncation_psi",
            "truncation_cutoff",
            "class_label",
            "noise_mode",
            "move",
        ],
        ["image", "latent"],
    ),
    "StyleMixEncode": ("PSPEncode", ["encoder", "image", "align", "n_iters"], ["latent", "aligned"]),
    "StyleMixInvert": (
        "Invert",
        ["generator", "image", "method", "steps", "quality", "seed", "encoder", "mask", "options"],
        ["latent", "image", "generator", "report"],
    ),
    "StyleMixInvertOptions": (
        "Invert Options",
        [
            "learning_rate",
            "pull",
            "noise",
            "perceptual_weight",
            "identity_weight",
            "starts",
            "iterations",
            "tune_steps",
            "tune_learning_rate",
            "locality",
            "memory",
            "trust",
        ],
        ["options"],
    ),
    "StyleMixSaveTuning": ("Save Tuning", ["generator", "filename_prefix"], ["generator"]),
    "StyleMixLoadTuning": ("Load Tuning", ["generator", "file"], ["generator"]),
    "StyleMixInject": (
        "InjectW+",
        [
            "latent",
            "style",
            "mask_list",
            "alpha",
            "pairing",
            "seed",
            "masks",
            "space",
            "channel_share",
            "region",
            "generator",
            "frames",
            "curve",
            "sure_only",
        ],
        ["latent", "labels"],
    ),
    "StyleMixMaskList": ("Mask List", ["mask_list", "alpha", "seed", "masks"], ["masks", "mask_list"]),
    "StyleMixSaveLatent": (
        "Save W+",
        ["latent", "filename_prefix", "image", "generator", "format"],
        ["latent"],
    ),
    "StyleMixLoadLatent": ("Load W+", ["file", "generator", "iteration"], ["latent", "labels"]),
    "StyleMixBlendLatent": ("Blend W+ · morph or mix faces", ["a", "b", "weight"], ["latent"]),
    "StyleMixTruncateLatent": (
        "Truncate W+",
        ["generator", "latent", "truncation_psi", "truncation_cutoff"],
        ["latent"],
    ),
    "StyleMixLatentFromBatch": ("Latent From Batch", ["latent", "index", "length"], ["latent"]),
    "StyleMixDrag": (
        "Drag Face · move points",
        ["generator", "latent", "points", "mask_list", "steps", "masks", "may_move"],
        ["latent", "image", "report"],
    ),
    "StyleMixLatentBatch": ("Batch W+", ["a", "b"], ["latent"]),
    "StyleMixMove": ("Turn and Shift", ["rotate", "translate_x", "translate_y", "transform"], ["move"]),
    "StyleMixDecode": ("StyleGAN2Decode", ["generator", "latent", "noise_mode", "move"], ["image"]),
    "StyleMixExplainLayers": (
        "Explain Layers",
        ["generator", "latent", "style", "encoder", "masks", "mask_names", "regions_by"],
        ["sheet", "pictures", "heat_maps", "table", "json"],
    ),
    "StyleMixFindLayers": (
        "Find Layers · hair or face",
        ["generator", "latent", "style", "target", "what", "keep", "care", "steps"]
        + ["target_mask", "keep_mask", "encoder", "others", "regions_by"],
        ["masks", "mask_list", "sheet", "table"],
    ),
    "StyleMixIdentityCap": (
        "Identity Cap",
        [
            "generator",
            "latent",
            "style",
            "mask_list",
            "alpha",
            "seed",
            "limit",
            "highest",
            "pairing",
            "masks",
            "encoder",
        ],
        ["latent", "labels", "report"],
    ),
    "StyleMixFindDirections": (
        "Find Directions",
        ["generator", "method", "layers", "count", "samples", "seed"],
        ["directions", "report"],
    ),
    "StyleMixDirectionSheet": (
        "Direction Sheet",
        ["generator", "latent", "directions", "first", "count", "reach", "steps", "mask_list", "masks"],
        ["image", "images", "latent", "labels"],
    ),
    "StyleMixApplyDirection": (
        "Apply Direction · slider",
        ["latent", "directions", "direction", "strength", "mask_list", "masks"],
        ["latent"],
    ),
    "StyleMixSaveDirections": (
        "Save Directions",
        ["directions", "filename_prefix", "names", "keep", "format"],
        ["directions"],
    ),
    "StyleMixLoadDirections": (
        "Load Directions",
        ["file", "generator", "space"],
        ["directions", "report"],
    ),
    "StyleMixLearnDirection": (
        "Learn Direction · slider from examples",
        ["generator", "positive", "negative", "name", "pairs", "seed"],
        ["directions", "report"],
    ),
    "StyleMixSortFaces": (
        "Sort Faces · slider by clicking",
        ["generator", "seed", "count", "truncation_psi", "name", "choices"],
        ["directions", "report", "positive", "negative"],
    ),
    "StyleMixConditionDirections": (
        "Condition Directions · smile but not age",
        ["directions", "others", "generator", "latent"],
        ["directions"],
    ),
    "StyleMixExplainDirections": (
        "Explain Directions",
        ["generator", "latent", "directions", "encoder", "regions_by"],
        ["directions", "report"],
    ),
    "StyleMixStyleChannels": ("Style Channels", ["generator", "channels", "numbering"], ["directions"]),
    "StyleMixMatrix": (
        "Mixing Matrix",
        ["generator", "latent", "style", "mask_list", "alpha", "seed", "masks"],
        ["image", "images", "latent", "labels"],
    ),
    "StyleMixStrip": (
        "Strength Strip",
        [
            "generator",
            "latent",
            "style",
            "mask_list",
            "alpha",
            "seed",
            "first",
            "last",
            "steps",
            "pairing",
            "masks",
        ],
        ["image", "images", "latent", "labels"],
    ),
    "StyleMixGrid": ("Compare Grid", ["images", "labels", "columns", "source", "style", "top"], ["image"]),
    "StyleMixAlignFace": (
        "Align Face",
        ["image", "face", "face_index", "margin", "output_size", "points", "any_angle", "landmarks"],
        ["face", "real_area", "transform", "preview"],
    ),
    "StyleMixPasteFace": (
        "Paste Face Back",
        ["image", "face", "transform", "feather", "colour_match", "mask", "blend"],
        ["image"],
    ),
    "StyleMixFaceRegions": (
        "Face Regions",
        ["image", "source"],
        ["masks", "names", *REGIONS, "preview", "found_by"],
    ),
    "StyleMixLatentWalk": (
        "Latent Walk",
        ["generator", "latent", "frames", "curve", "speed", "loop", "hold", "ease"],
        ["latent"],
    ),
    "StyleMixRandomWalk": (
        "Random Walk",
        [
            "generator",
            "seed",
            "frames",
            "smooth",
            "truncation_psi",
            "truncation_cutoff",
            "class_label",
            "loop",
        ],
        ["latent"],
    ),
    "StyleMixStrengthCurve": ("Strength Curve", ["values"], ["curve", "frames"]),
    "StyleMixLoudnessCurve": (
        "Loudness Curve",
        ["audio", "fps", "frames", "band", "smooth", "gain", "low", "high"],
        ["curve", "frames"],
    ),
    "StyleMixTrackFace": ("Track Face", ["image", "face", "size"], ["face", "transform"]),
    "StyleMixMakeEncoder": (
        "Make Encoder",
        [
            "generator",
            "name",
            "minutes",
            "size",
            "truncation_psi",
            "editable",
            "good_enough",
            "seed",
            "start",
            "pictures",
            "mask",
        ],
        ["encoder", "image", "report"],
    ),
    "StyleMixRestyleFilm": (
        "Restyle Face Film",
        [
            "generator",
            "encoder",
            "video",
            "style",
            "mask_list",
            "alpha",
            "seed",
            "face",
            "steady",
            "feather",
            "format",
            "noise_mode",
            "filename_prefix",
            "masks",
            "tune_steps",
            "seam_steps",
        ],
        ["latent"],
    ),
    "StyleMixSaveFilm": (
        "Save Face Film",
        ["generator", "latent", "fps", "format", "noise_mode", "filename_prefix", "walks"],
        [],
    ),
}


def pixels(pictures: list[Image.Image]) -> np.ndarray:
    return np.stack([np.asarray(picture, dtype=np.float32) for picture in pictures])


def in_bytes(images: torch.Tensor) -> np.ndarray:
    """Network output as the pixels that a saved picture has, but not cut to whole levels.

    The two differ by less than a level, and what processors round: by 1.01 at most.
    """
    return to_comfy(images).numpy() * 255


def inputs_of(info: dict) -> dict:
    return {**info["input"]["required"], **info["input"].get("optional", {})}


@pytest.fixture(scope="session")
def host(every_host):
    return every_host


@pytest.fixture(scope="module")
def described(host):
    return host.object_info()


@pytest.mark.parametrize("node_id", CONTRACT)
def test_nodes_keep_the_contract(described, node_id):
    info = described[node_id]
    display_name, inputs, outputs = CONTRACT[node_id]
    assert info["display_name"] == display_name
    assert list(inputs_of(info)) == inputs
    assert info["output_name"] == outputs
    assert info["category"].startswith("StyleMix/")


@pytest.mark.parametrize("node_id", CONTRACT)
def test_every_input_and_output_is_explained(described, node_id):
    info = described[node_id]
    assert info["description"]
    assert all(options.get("tooltip") for _, options in inputs_of(info).values())
    assert all(info["output_tooltips"])


def test_loaders_list_the_demo_first_and_only_files_they_read(host):
    info = host.object_info()
    generators = inputs_of(info["StyleMixLoadGenerator"])["checkpoint"][1]
    assert generators["options"] == ["demo (bundled)", "broken.pkl", "tiny.safetensors"]
    assert generators["default"] == "demo (bundled)"
    encoders = inputs_of(info["StyleMixLoadEncoder"])["checkpoint"][1]
    given = [name for name in encoders["options"] if "/" not in name]  # other tests train some
    assert given == ["demo (bundled)", "psp.pt", "restyle.pt", "tiny.safetensors"]


def test_the_experiment_gives_the_librarys_pictures(host):
    run = host.run(experiment("0; 1; hair: 2-5"))
    assert not run.errors
    generator = load_generator(host.base / "models/stylegan/tiny.safetensors", device="cpu")
    encoder = load_encoder(host.base / "models/psp/tiny.safetensors", device="cpu")
    with torch.no_grad():
        w = generator.mapping(sample_z([7, 8], generator.z_dim), truncation_psi=0.7)
        style = generator.synthesis(generator.mapping(sample_z([100], generator.z_dim), truncation_psi=0.7))
        # The workflow hands the style on as an IMAGE, which is clamped to 0…1.
        encoded = encoder(style.clamp(-1, 1))
        results = generator.synthesis(inject(w, encoded, parse_masks("0; 1; 2-5", generator.num_ws)))
        faces = generator.synthesis(w)
    assert np.abs(pixels(run.pictures["save faces"]) - in_bytes(faces)).max() <= 1.01
    assert np.abs(pixels(run.pictures["save results"]) - in_bytes(results)).max() <= 1.01
    labels = [f"{mask} · source {source}" for source in (1, 2) for mask in ("0", "1", "hair")]
    assert run.texts["labels"].split("\n") == labels
    sheet = compare_grid(results, labels, source=faces, style=style)
    assert run.pictures["save grid"][0].size == (sheet.shape[3], sheet.shape[2])


def test_repeated_runs_are_identical(host):
    first = host.run(experiment())
    host.forget()
    second = host.run(experiment())
    assert "decode" in second.executed
    assert np.array_equal(pixels(first.pictures["save grid"]), pixels(second.pictures["save grid"]))


def test_a_batch_gives_the_pictures_of_single_seeds(host):
    def faces(**sampling):
        prompt = {
            "generator": node("StyleMixLoadGenerator", checkpoint="tiny.safetensors", dtype="float32"),
            "faces": sampler(["generator", 0], **sampling),
            "save": node("SaveImage", images=["faces", 0], filename_prefix="batch"),
        }
        return pixels(host.run(prompt).pictures["save"])

    batch = faces(seed=20, batch_size=3, noise_mode="random")
    for i in range(3):
        assert np.array_equal(batch[i : i + 1], faces(seed=20 + i, noise_mode="random"))


def test_injecting_nothing_draws_the_source_and_everything_the_style(host):
    run = host.run(experiment("none; all"))
    source, style = pixels(run.pictures["save results"])[[0, 1]]
    assert np.array_equal(source, pixels(run.pictures["save faces"])[0])
    decoded_style = {
        **experiment(),
        "inject": prompts.inject(["encode", 0], ["encode", 0], "none"),
    }
    for unused in ("grid", "save grid"):
        del decoded_style[unused]
    assert np.array_equal(style, pixels(host.run(decoded_style).pictures["save results"])[0])


def test_an_encoder_file_brings_its_generator(host):
    prompt = experiment()
    prompt["encoder"]["inputs"]["checkpoint"] = "psp.pt"
    prompt["decode"]["inputs"]["generator"] = prompt["faces"]["inputs"]["generator"] = ["encoder", 1]
    run = host.run(prompt)
    assert not run.errors
    assert [picture.size for picture in run.pictures["save results"]] == [(32, 32)] * 6


def test_a_restyle_encoder_refines_as_often_as_asked(host):
    prompt = experiment("all")
    prompt["encoder"]["inputs"]["checkpoint"] = "restyle.pt"
    prompt["decode"]["inputs"]["generator"] = prompt["faces"]["inputs"]["generator"] = ["encoder", 1]
    prompt["encode"]["inputs"]["n_iters"] = 2
    run = host.run(prompt)
    assert not run.errors
    path = host.base / "models/psp/restyle.pt"
    generator, encoder = load_generator(path, device="cpu"), load_encoder(path, device="cpu")
    generated = load_generator(host.base / "models/stylegan/tiny.safetensors", device="cpu")
    with torch.no_grad():
        w = generated.mapping(sample_z([100], generated.z_dim), truncation_psi=0.7)
        codes = encoder(generated.synthesis(w).clamp(-1, 1), iterations=2)
        expected = generator.synthesis(codes)
    # Saving truncates, so that a difference below a grey level is whole where rounding crosses one.
    assert np.abs(pixels(run.pictures["save results"]) - in_bytes(expected)).max() < 1.01


def test_a_photo_of_any_size_is_encoded(host):
    pictures = (np.random.RandomState(0).rand(50, 80, 3) * 255).astype(np.uint8)
    Image.fromarray(pictures).save(host.base / "input" / "photo.png")
    prompt = {
        "photo": node("LoadImage", image="photo.png"),
        "encoder": node("StyleMixLoadEncoder", checkpoint="psp.pt", dtype="auto"),
        "encode": node("StyleMixEncode", encoder=["encoder", 0], image=["photo", 0], align="never"),
        "decode": node("StyleMixDecode", generator=["encoder", 1], latent=["encode", 0], noise_mode="none"),
        "save": node("SaveImage", images=["decode", 0], filename_prefix="photo"),
        "save aligned": node("SaveImage", images=["encode", 1], filename_prefix="aligned"),
    }
    run = host.run(prompt)
    assert not run.errors
    assert run.pictures["save aligned"][0].size == (64, 64)
    assert run.pictures["save"][0].size == (32, 32)


@pytest.mark.parametrize(
    ("change", "failing", "message"),
    [
        ({"inject": {"mask_list": "0; 42"}}, "inject", "this model has the layers 0-7"),
        ({"inject": {"mask_list": "  # nothing"}}, "inject", "the mask list is empty"),
        ({"inject": {"pairing": "some"}}, "inject", "pairing 'some' is unknown|pairing: 'some' not in"),
        ({"generator": {"checkpoint": "broken.pkl"}}, "generator", "broken.pkl"),
        (
            {"generator": {"checkpoint": "../../../broken.pt"}},
            "generator",
            "there is no file ../../../broken.pt",
        ),
        ({"faces": {"class_label": 3}}, "faces", "has no classes; give no class label"),
        ({"faces": {"batch_size": 65}}, "faces", "bigger than max of 64"),
        ({"faces": {"generator": ["encoder", 1]}}, "faces", "holds no generator"),
        ({"encode": {"align": "auto"}}, "encode", "no face was found"),
        ({"inject": {"style": ["encode", 1]}}, "inject", "mismatch"),
    ],
)
def test_a_mistake_is_explained_at_its_node(host, change, failing, message):
    prompt = experiment()
    for node_id, inputs in change.items():
        prompt[node_id]["inputs"] |= inputs
    run = host.run(prompt)
    assert list(run.errors) == [failing]
    assert re.search(message, run.errors[failing])


def test_a_style_of_another_model_is_refused(host):
    path = host.base / "models/stylegan/small.safetensors"
    native.write(path, builders.tiny_generator(img_resolution=16, channels=(16, 12, 8)))
    try:
        prompt = experiment()
        prompt["small"] = node("StyleMixLoadGenerator", checkpoint=path.name, dtype="float32")
        prompt["other"] = sampler(["small", 0])
        prompt["inject"]["inputs"]["style"] = ["other", 1]
        assert "models of different shape" in host.run(prompt).errors["inject"]
        prompt = experiment()
        prompt["small"] = node("StyleMixLoadGenerator", checkpoint=path.name, dtype="float32")
        prompt["decode"]["inputs"]["generator"] = ["small", 0]
        assert "takes 6 of 16" in host.run(prompt).errors["decode"]
    finally:
        path.unlink()


def test_a_changed_file_is_read_again_and_an_unchanged_one_is_not(host):
    path = host.base / "models/stylegan/changing.safetensors"
    native.write(path, builders.tiny_generator())
    prompt = {
        "generator": node("StyleMixLoadGenerator", checkpoint=path.name, dtype="float32"),
        "faces": sampler(["generator", 0]),
        "save": node("SaveImage", images=["faces", 0], filename_prefix="changing"),
    }
    try:
        before = host.run(prompt)
        prompt["faces"]["inputs"]["truncation_psi"] = 0.5
        assert "generator" not in host.run(prompt).executed
        prompt["faces"]["inputs"]["truncation_psi"] = 0.7
        changed = builders.tiny_generator()
        for parameter in changed.synthesis.parameters():
            parameter.data.neg_()
        native.write(path, changed)
        os.utime(path, ns=(1, 1))
        after = host.run(prompt)
    finally:
        path.unlink()
    assert "generator" in after.executed
    assert np.abs(pixels(before.pictures["save"]) - pixels(after.pictures["save"])).mean() > 5


def test_sheets_take_plain_labels_and_columns(host):
    prompt = {
        "generator": node("StyleMixLoadGenerator", checkpoint="tiny.safetensors", dtype="float32"),
        "faces": sampler(["generator", 0], batch_size=4),
        "grid": node("StyleMixGrid", images=["faces", 0], labels="a\nb\nc\nd", columns=4),
        "save": node("SaveImage", images=["grid", 0], filename_prefix="sheet"),
    }
    run = host.run(prompt)
    assert not run.errors
    with torch.no_grad():
        sheet = compare_grid(
            torch.cat([from_pil(Image.new("RGB", (32, 32)))] * 4), labels=["a", "b", "c", "d"], columns=4
        )
    assert run.pictures["save"][0].size == (sheet.shape[3], sheet.shape[2])
