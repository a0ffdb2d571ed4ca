"""What nodes show and tell: pictures and messages that stay, names that are found, texts that can be read."""

import re
import time

import pytest
import torch
from PIL import Image

from stylemix_core.checkpoints.base import MOST_CLASSES

from ..host import Prompt
from .prompts import experiment, inject, node, sampler
from .test_workflow import CONTRACT, inputs_of

TINY = "tiny.safetensors"


def loader() -> dict:
    return node("StyleMixLoadGenerator", checkpoint=TINY, dtype="float32")


def decode(latent: list, generator: str = "generator") -> dict:
    return node("StyleMixDecode", generator=[generator, 0], latent=latent, noise_mode="const")


def test_nodes_show_the_first_pictures_of_what_they_draw(host):
    run = host.run(experiment(mask_list="0; 1; 2; 3; 4; 5; 6; 7; 0-6"))
    assert not run.errors
    assert [len(run.pictures[name]) for name in ("faces", "style", "encode", "decode")] == [2, 1, 1, 16]
    assert {picture.size for picture in run.pictures["decode"]} == {(32, 32)}


@pytest.mark.parametrize("last", ["faces", "drawn"])
def test_sampler_and_decode_run_with_nothing_behind_them(host, last):
    prompt = {"generator": loader(), "faces": sampler(["generator", 0], seed=2, batch_size=2)}
    if last == "drawn":
        prompt["drawn"] = decode(["faces", 1])
    assert len(host.run(prompt).pictures[last]) == 2


def test_large_pictures_are_shown_small_and_transparent_ones_over_white(stand_in):
    pictures = stand_in.module("nodes.host").pictures

    def shown(image: torch.Tensor) -> list[Image.Image]:
        files = [stand_in.base / "temp" / each["filename"] for each in pictures(image)["images"]]
        opened = []
        for file in files:
            with Image.open(file) as picture:
                opened.append(picture.convert("RGB"))
        return opened

    assert [picture.size for picture in shown(torch.rand(1, 30, 5000, 3))] == [(1024, 6)]
    half = torch.tensor([0.2, 0.4, 0.6, 0.5]).expand(1, 16, 16, 4)
    (pixel,) = [picture.getpixel((8, 8)) for picture in shown(half)]
    assert max(abs(found - wanted) for found, wanted in zip(pixel, (153, 178, 204))) <= 3


def mixed_up() -> Prompt:
    """Codes of one generator in the middle of another's workflow: InjectW+ and Decode warn."""
    return {
        "generator": loader(),
        "other": node("StyleMixLoadEncoder", checkpoint="psp.pt", dtype="float32"),
        "faces": sampler(["generator", 0]),
        "others": sampler(["other", 1]),
        "inject": inject(["faces", 1], ["others", 1], "0"),
        "drawn": decode(["others", 1]),
        "mixed": decode(["inject", 0]),
    }


def test_messages_come_again_with_a_remembered_result(host):
    first, again = host.run(mixed_up()), host.run(mixed_up())
    assert not again.executed & {"drawn", "mixed", "inject"}
    ((kind, text),) = again.shown["drawn"]["stylemix_messages"]
    assert kind == "warning" and "other weights" in text
    assert first.shown["inject"]["stylemix_messages"] == again.shown["inject"]["stylemix_messages"] != []
    assert again.shown["mixed"]["stylemix_messages"] == []


def test_dates_in_file_names_are_filled_in_as_in_comfyuis_own_nodes(stand_in, monkeypatch):
    host = stand_in.module("nodes.host")
    moment = time.struct_time((2026, 3, 9, 7, 5, 4, 0, 68, 0))
    monkeypatch.setattr(time, "localtime", lambda: moment)
    file = host.new_file("%date:yyyy-MM-dd%/a_%date:yy-M-d_h-m-s%_%date:hhmmss%_%date:yyyy")
    assert (file.subfolder, file.stem) == ("2026-03-09", "a_26-3-9_7-5-4_070504_%date:yyyy_00001_")


def test_save_nodes_fill_in_dates(host):
    prompt = {
        "generator": loader(),
        "faces": sampler(["generator", 0]),
        "save": node("StyleMixSaveLatent", latent=["faces", 1], filename_prefix="dated/%date:yyyy-MM-dd%"),
    }
    (file,) = host.run(prompt).shown["save"]["latents"]
    assert re.fullmatch(r"20\d\d-[01]\d-[0-3]\d_\d{5}_\.safetensors", file["filename"])


def test_a_conditional_model_says_which_classes_it_has(stand_in):
    class_labels = stand_in.module("stylemix_core.codes.seeds").class_labels
    assert class_labels(None, 0, 2) is None
    with pytest.raises(ValueError, match="conditional; choose class_label 0 to 2$"):
        class_labels(None, 3, 2)


def test_inputs_allow_what_readers_allow(host):
    info = host.object_info()["StyleMixSampler"]
    assert inputs_of(info)["class_label"][1]["max"] == MOST_CLASSES - 1 == 19_999


@pytest.mark.parametrize("kind", ["StyleMixSampler", "StyleMixTruncateLatent"])
def test_a_cutoff_beyond_the_model_is_refused_with_its_layers(host, kind):
    prompt = {
        "generator": loader(),
        "faces": sampler(["generator", 0]),
        "truncated": node(
            "StyleMixTruncateLatent",
            generator=["generator", 0],
            latent=["faces", 1],
            truncation_psi=0.5,
            truncation_cutoff=8,
        ),
        "drawn": decode(["truncated", 0]),
    }
    assert not host.run(prompt).errors
    name = "faces" if kind == "StyleMixSampler" else "truncated"
    prompt[name]["inputs"]["truncation_cutoff"] = 9
    errors = host.run(prompt).errors
    assert list(errors) == [name]
    assert "truncation_cutoff is 9, but this model has 8 layers; choose 0 to 8" in errors[name]


def test_previewing_a_value_gives_a_text_to_read(host):
    masks = node("StyleMixMaskList", mask_list="hair: 2-4@0.5; 0", alpha=1.0, seed=0)
    found = node(
        "StyleMixFindDirections",
        generator=["generator", 0],
        method="SeFa",
        layers="all",
        count=2,
        samples=512,
        seed=0,
    )
    sources = {
        "generator": loader(),
        "encoder": node("StyleMixLoadEncoder", checkpoint=TINY, dtype="float32"),
        "faces": sampler(["generator", 0], batch_size=2),
        "masks": masks,
        "found": found,
    }
    places = {"generator": 0, "encoder": 0, "faces": 1, "masks": 0, "found": 0}
    seen = {f"see {name}": node("PreviewAny", source=[name, place]) for name, place in places.items()}
    texts = host.run(sources | seen).texts
    assert texts["see generator"] == "StyleMix generator: tiny.safetensors, precision float32"
    assert texts["see encoder"] == "StyleMix encoder: tiny.safetensors, precision float32"
    assert texts["see faces"] == "2 W+ codes of 8 layers × 16\n1. seed 7, psi 0.7\n2. seed 8, psi 0.7"
    assert texts["see masks"] == "hair: 2-4@0.5\n0"
    assert texts["see found"].startswith("SeFa, layers 0-7: 2 directions")


def test_previewing_transforms_says_where_the_faces_are(stand_in):
    transform = stand_in.module("stylemix_core.faces.transform").FaceTransform
    corners = ((-10.0, 0.0), (-10.0, 100.0), (90.0, 100.0), (90.0, 0.0))
    said = "a square of 100 pixels around (40, 50) of picture 2 (300×200), as 256×256"
    assert str((transform(corners, 256, (300, 200), 1),)) == f"({said},)"


@pytest.mark.parametrize("query", ["hair", "slider", "morph", "mix faces", "face"])
def test_words_of_newcomers_are_in_the_name_of_a_node(query):
    """The page of ComfyUI 0.3.64 searches names alone."""
    names = [name.lower() for name, *_ in CONTRACT.values()]
    assert [name for name in names if all(word in name for word in query.split())]
