"""Nodes for directions, the identity cap and figures, asserted alike on the stand-in and on a real ComfyUI."""

import numpy as np
import pytest
import torch

import stylemix_core as sm
from stylemix_core.checkpoints import load_encoder

from .. import builders
from .prompts import inject, node, sampler
from .test_latent import drawn, generator_node
from .test_workflow import in_bytes, pixels

TINY = "tiny.safetensors"


def finding(**changes) -> dict:
    inputs = {"method": "SeFa", "layers": "2-4", "count": 5, "samples": 600, "seed": 0, **changes}
    return node("StyleMixFindDirections", generator=["generator", 0], **inputs)


def applying(directions: str = "find", **changes) -> dict:
    inputs = {"direction": "2", "strength": 1.5, "mask_list": "", **changes}
    return node("StyleMixApplyDirection", latent=["faces", 1], directions=[directions, 0], **inputs)


def mixing(mask_list: str, **inputs) -> dict:
    codes = {"generator": ["generator", 0], "latent": ["faces", 1], "style": ["style", 1]}
    return {**codes, "mask_list": mask_list, "alpha": 1.0, "seed": 0, **inputs}


def prompt(**nodes: dict) -> dict:
    return {
        "generator": generator_node(),
        "faces": sampler(["generator", 0], batch_size=2),
        "style": sampler(["generator", 0], seed=100),
        **nodes,
    }


def shown(run, name: str) -> np.ndarray:
    assert not run.errors
    return pixels(run.pictures[name])


def save(source: list) -> dict:
    return node("SaveImage", images=source, filename_prefix="figures")


@pytest.mark.parametrize("method", ["SeFa", "GANSpace"])
def test_a_found_direction_moves_the_faces(host, tiny, faces, method):
    found = sm.find_directions(tiny, method, "2-4", 5, 600, 3)
    with torch.no_grad():
        expected = tiny.synthesis(sm.apply_direction(faces, found, 2, 1.5).w)
    pictures = drawn(host, ["apply", 0], find=finding(method=method, seed=3), apply=applying())
    assert np.abs(pictures - in_bytes(expected)).max() <= 1.01


def test_masks_choose_the_layers_to_move(host, tiny, faces):
    found = sm.find_directions(tiny, "SeFa", "2-4", 5, 600)
    masks = sm.parse_masks("0; 5@0.5", tiny.num_ws)
    with torch.no_grad():
        expected = in_bytes(tiny.synthesis(sm.apply_direction(faces, found, 1, 3, masks).w))
    changes = {"direction": "SeFa 1", "strength": 3.0}
    pictures = drawn(host, ["apply", 0], find=finding(), apply=applying(mask_list="0; 5@0.5", **changes))
    assert np.abs(pictures - expected).max() <= 1.01
    wired = node("StyleMixMaskList", mask_list="0; 5@0.5", alpha=1.0, seed=0)
    apply = applying(masks=["masks", 0], **changes)
    assert np.array_equal(drawn(host, ["apply", 0], find=finding(), masks=wired, apply=apply), pictures)


def test_a_sheet_shows_directions_and_gives_its_pictures(host, tiny, faces):
    inputs = {"first": 4, "count": 6, "reach": 2.0, "steps": 3, "mask_list": ""}
    run = host.run(
        prompt(
            find=finding(),
            sheet=node(
                "StyleMixDirectionSheet",
                generator=["generator", 0],
                latent=["faces", 1],
                directions=["find", 0],
                **inputs,
            ),
            images=save(["sheet", 1]),
            labels=node("PreviewAny", source=["sheet", 3]),
        )
    )
    found = sm.find_directions(tiny, "SeFa", "2-4", 5, 600).pick([3, 4])
    figure = sm.direction_sheet(faces, found, [-2, 0, 2])
    with torch.no_grad():
        pictures = tiny.synthesis(figure.codes.w)
    assert np.abs(shown(run, "images") - in_bytes(pictures)).max() <= 1.01
    assert np.abs(shown(run, "sheet") - in_bytes(figure.sheet(pictures))).mean() <= 1
    assert run.texts["labels"].split("\n") == figure.labels
    assert figure.labels[:2] == ["SeFa 4 · seed 7 · -2", "SeFa 4 · seed 7 · 0"]
    picks = run.shown["sheet"]["stylemix_picks"]
    assert {pick["widget"] for pick in picks} == {"direction"}
    assert [pick["value"] for pick in picks] == ["SeFa 4", "SeFa 5"] * 2  # of two faces


def test_named_directions_are_saved_listed_and_loaded(host, tiny, faces):
    names = {"names": "-1: smile\n3: hair length", "keep": "named"}
    saving = node(
        "StyleMixSaveDirections", directions=["find", 0], filename_prefix="kept/directions", **names
    )
    run = host.run(prompt(find=finding(), save=saving))
    assert not run.errors
    (file,) = run.shown["save"]["directions"]
    loaded = sm.load_directions(host.base / "output" / file["subfolder"] / file["filename"])
    assert loaded.names == ("smile", "hair length") and loaded.generator == faces.generator
    name = f"{file['subfolder']}/{file['filename']} [output]"
    listed = host.object_info()["StyleMixLoadDirections"]["input"]["required"]["file"][1]["options"]
    assert name in listed and not any("tiny" in other for other in listed)
    with torch.no_grad():
        expected = in_bytes(tiny.synthesis(sm.apply_direction(faces, loaded, "smile", 2).w))
    load = node("StyleMixLoadDirections", file=name)
    apply = applying("load", direction="Smile", strength=2.0)
    assert np.abs(drawn(host, ["apply", 0], load=load, apply=apply) - expected).max() <= 1.01


def test_a_matrix_is_the_librarys(host, tiny, faces, style):
    run = host.run(prompt(matrix=node("StyleMixMatrix", **mixing("0-2; 5")), images=save(["matrix", 1])))
    figure = sm.mixing_matrix(faces, style, sm.parse_masks("0-2; 5", tiny.num_ws))
    with torch.no_grad():
        pictures = tiny.synthesis(figure.codes.w)
    assert np.abs(shown(run, "images") - in_bytes(figure.result_pictures(pictures))).max() <= 1.01
    assert np.abs(shown(run, "matrix") - in_bytes(figure.sheet(pictures))).mean() <= 1


def test_a_matrix_keeps_earlier_regions(host, tiny, faces, style):
    region = node("SolidMask", value=1.0, width=32, height=32)
    earlier = inject(["faces", 1], ["style", 1], "all", region=["region", 0])
    inputs = {**mixing("none"), "latent": ["earlier", 0]}
    run = host.run(
        prompt(
            region=region,
            earlier=earlier,
            matrix=node("StyleMixMatrix", **inputs),
            images=save(["matrix", 1]),
        )
    )
    with torch.no_grad():
        expected = in_bytes(tiny.synthesis(style.w.repeat(2, 1, 1)))
    assert np.abs(shown(run, "images") - expected).max() <= 1.01


def test_a_strip_is_the_librarys(host, tiny, faces, style):
    inputs = mixing("hair: 2-3", first=0.0, last=2.0, steps=3, pairing="match")
    run = host.run(prompt(strip=node("StyleMixStrip", **inputs), images=save(["strip", 1])))
    figure = sm.strength_strip(faces, style, sm.parse_masks("hair: 2-3", tiny.num_ws), [0, 1, 2])
    with torch.no_grad():
        pictures = tiny.synthesis(figure.codes.w)
    assert np.abs(shown(run, "images") - in_bytes(figure.result_pictures(pictures))).max() <= 1.01
    assert np.abs(shown(run, "strip") - in_bytes(figure.sheet(pictures))).mean() <= 1


def capping(mask_list: str, **changes) -> dict:
    inputs = {"limit": 0.02, "highest": 1.0, "pairing": "match", **changes}
    return prompt(
        encoder=node("StyleMixLoadEncoder", checkpoint=TINY, dtype="float32"),
        cap=node("StyleMixIdentityCap", **mixing(mask_list, **inputs)),
        decode=node("StyleMixDecode", generator=["generator", 0], latent=["cap", 0], noise_mode="const"),
        images=save(["decode", 0]),
        report=node("PreviewAny", source=["cap", 2]),
    )


def test_identity_is_capped_by_the_encoder(host, tiny, faces, style):
    run = host.run(capping("0-3; all", encoder=["encoder", 0]))
    encoder = load_encoder(host.base / "models/psp" / TINY, device="cpu")
    masks = sm.parse_masks("0-3; all", tiny.num_ws)
    with torch.no_grad():
        see = sm.seen_by(tiny, sm.find_identity(None, encoder))
        capped = sm.cap_identity(faces, style, masks, 0.02, see)
        expected = in_bytes(tiny.synthesis(capped.results.w))
    assert np.abs(shown(run, "images") - expected).max() <= 2
    lines = run.texts["report"].split("\n")
    assert lines[0] == "Identity by encoder features (tiny.safetensors), limit 0.02" and len(lines) == 5


def test_identity_is_capped_by_arcface_where_its_file_is(host):
    path = host.base / "models/psp/model_ir_se50.pth"
    torch.save(builders.tiny_arcface_state(), path)
    try:
        run = host.run(capping("0-3", encoder=["encoder", 0]))
    finally:
        path.unlink()
    assert not run.errors
    assert run.texts["report"].startswith("Identity by ArcFace (model_ir_se50.pth), limit 0.02")


@pytest.mark.parametrize(
    ("nodes", "failing", "message"),
    [
        ({"find": finding(layers="0; 1"), "apply": applying()}, "find", "holds 2 masks"),
        ({"find": finding(layers="12"), "apply": applying()}, "find", "this model has the layers 0-7"),
        ({"find": finding(), "apply": applying(direction="smile")}, "apply", "there is no direction 'smile'"),
        ({"find": finding(), "apply": applying(mask_list="9")}, "apply", "this model has the layers 0-7"),
        (
            {"load": node("StyleMixLoadDirections", file="../secret"), "apply": applying("load")},
            "load",
            "outside of ComfyUI's folders",
        ),
        (
            {"load": node("StyleMixLoadDirections", file=""), "apply": applying("load")},
            "load",
            "there are no directions yet",
        ),
        (
            {"apply": node("StyleMixIdentityCap", **capping("0")["cap"]["inputs"])},
            "apply",
            "nothing here recognises",
        ),
    ],
)
def test_a_mistake_is_explained_at_its_node(host, nodes, failing, message):
    decode = node("StyleMixDecode", generator=["generator", 0], latent=["apply", 0], noise_mode="const")
    run = host.run(prompt(**nodes, decode=decode, save=save(["decode", 0])))
    assert list(run.errors) == [failing] and message in run.errors[failing]
