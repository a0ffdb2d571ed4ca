"""Hosts look at the outputs of nodes on their own: nothing of that may read a file, move a network or fail."""

import pickle

import pytest
import torch
from PIL import Image

from stylemix_core import save_image
from stylemix_core.checkpoints import load_generator
from stylemix_core.codes.direction_files import save_directions
from stylemix_core.codes.unsupervised import find_directions
from stylemix_core.images import from_pil
from stylemix_core.inversion import Delta, save_delta

from ..builders import draw_avatars
from ..host import Host, Prompt, probing
from ..host.runner import StandIn
from .prompts import experiment, node, sampler
from .test_workflow import inputs_of

SOURCES = {
    "IMAGE": ["photo", 0],
    "MASK": ["mask", 0],
    "STYLEMIX_GENERATOR": ["StyleMixLoadGenerator", 0],
    "STYLEMIX_ENCODER": ["StyleMixLoadEncoder", 0],
    "STYLEMIX_LATENT": ["StyleMixSampler", 1],
    "STYLEMIX_MASKS": ["StyleMixMaskList", 0],
    "STYLEMIX_DIRECTIONS": ["StyleMixFindDirections", 0],
    "STYLEMIX_TRANSFORM": ["StyleMixAlignFace", 2],
    "STYLEMIX_INVERSION": ["StyleMixInvertOptions", 0],
    "STYLEMIX_MOVE": ["StyleMixMove", 0],
}
"""Where a socket's input comes from."""

VALUES = {
    "StyleMixLoadGenerator": {"checkpoint": "tiny.safetensors"},
    # Holds an encoder alone: its generator cannot be read.
    "StyleMixLoadEncoder": {"checkpoint": "tiny.safetensors"},
    "StyleMixDrag": {"steps": 2},
    "StyleMixInvert": {"method": "tune", "steps": 2, "encoder": SOURCES["STYLEMIX_ENCODER"]},
    "StyleMixExplainLayers": {"encoder": SOURCES["STYLEMIX_ENCODER"], "masks": ["mask", 0]},
    "StyleMixFindLayers": {"target": "everything", "steps": 2, "others": 0},
    "StyleMixIdentityCap": {"encoder": SOURCES["STYLEMIX_ENCODER"]},
    "StyleMixFindDirections": {"samples": 600, "count": 5},
    "StyleMixSaveTuning": {"generator": ["StyleMixInvert", 2]},
    "StyleMixLoadTuning": {"file": "probed_tuning.safetensors"},
    "StyleMixLearnDirection": {"positive": ["several", 1], "negative": ["others", 1]},
    "StyleMixSortFaces": {"choices": "+1 +2 +3 -4 -5 -6", "count": 8},
    "StyleMixConditionDirections": {"others": ["StyleMixLearnDirection", 0]},
    "StyleMixStyleChannels": {"channels": "0:1"},
    "StyleMixLoadDirections": {"file": "probed_directions.safetensors"},
    "StyleMixPasteFace": {"face": ["StyleMixAlignFace", 0]},
    "StyleMixLatentWalk": {"latent": ["several", 1], "frames": 2},
    "StyleMixRandomWalk": {"frames": 3},
    "StyleMixStrengthCurve": {"values": 0.5},
    "StyleMixSaveFilm": {"format": "gif"},
    "StyleMixMakeEncoder": {"name": "probed", "minutes": 0.001},
}
"""What a node gets besides its defaults: less work, and files that exist."""


def every_node(host: Host) -> tuple[Prompt, int]:
    """A prompt that runs every node of the pack, but those for which not all cores can make a sound or a film, and how
    many outputs they have."""
    described = {
        node_id: info
        for node_id, info in host.object_info().items()
        if node_id.startswith("StyleMix")
        and not {"AUDIO", "VIDEO"} & {kind for kind, *_ in inputs_of(info).values()}
    }
    prompt = {
        "photo": node("LoadImage", image="probed.png"),
        "mask": node("SolidMask", value=1.0, width=32, height=32),
        "style": sampler(SOURCES["STYLEMIX_GENERATOR"], seed=100),
        "several": sampler(SOURCES["STYLEMIX_GENERATOR"], seed=0, batch_size=3),
        "others": sampler(SOURCES["STYLEMIX_GENERATOR"], seed=3, batch_size=3),
    }
    for node_id, info in described.items():
        given = dict(VALUES.get(node_id, {}))
        for name, (kind, *options) in inputs_of(info).items():
            if name in given:
                continue
            if (name, kind) == ("style", "STYLEMIX_LATENT"):
                given[name] = ["style", 1]
            elif kind in SOURCES:
                if name in info["input"].get("required", {}):
                    given[name] = SOURCES[kind]
            elif kind == "COMBO":
                given[name] = options[0].get("default", options[0]["options"][0])
            elif "default" in options[0]:
                given[name] = options[0]["default"]
        prompt[node_id] = node(node_id, **given)
        for place in range(len(info["output"])):
            prompt[f"{node_id} {place}"] = node("PreviewAny", source=[node_id, place])
    return prompt, sum(len(info["output"]) for info in described.values())


def add_files(host: Host) -> None:
    """What the prompt above loads besides the tiny models."""
    generator = load_generator(host.base / "models/stylegan/tiny.safetensors", device="cpu")
    difference = {"synthesis.b4.conv1.weight": torch.zeros_like(generator.synthesis.b4.conv1.weight)}
    save_delta(host.base / "input/probed_tuning.safetensors", Delta(difference, generator.fingerprint()))
    save_directions(host.base / "input/probed_directions.safetensors", find_directions(generator, count=3))
    save_image(host.base / "input/probed.png", from_pil(draw_avatars(1)[0])[0])


def test_no_output_of_any_node_minds_being_probed(every_host):
    """Load pSp Encoder's generator is among them, whose file holds none."""
    host = every_host
    add_files(host)
    host.forget()
    prompt, count = every_node(host)
    if isinstance(host, StandIn):
        run = host.run(prompt)
        assert not run.errors
        outputs = [
            output
            for node_id in prompt
            if node_id in host.nodes
            for output in host.cache[host.signature(prompt, node_id)][0]
        ]
        models = host.base / "models"
        elsewhere = models.rename(models.with_name("models elsewhere"))
        try:
            for output in outputs:
                probing.probe(output)
        finally:
            elsewhere.rename(models)
        probed = len(outputs)
    else:
        host.post("/observer", {"probe": True})
        run = host.run(prompt)
        assert not run.errors
        probes = [
            (node_id, error)
            for node_id, error in host.get("/observer")["probes"]
            if prompt[node_id]["class_type"] == node_id
        ]
        host.post("/observer", {})
        assert [error for _, error in probes if error] == []
        probed = len(probes)
    assert probed == count


def test_a_queue_with_an_unread_generator_goes_on(every_host):
    """Load pSp Encoder's, of a file that holds none: cores from 0.33 on ask it for its `patcher`."""
    run = every_host.run(experiment())
    assert not run.errors
    plain = {
        "photo": node("LoadImage", image="plain.png"),
        "save": node("SaveImage", images=["photo", 0], filename_prefix="plain"),
    }
    Image.new("RGB", (8, 8), (10, 200, 30)).save(every_host.base / "input/plain.png")
    run = every_host.run(plain)
    assert run.pictures["save"][0].getpixel((0, 0)) == (10, 200, 30)


def test_no_kind_of_model_minds_being_probed(stand_in):
    """Of a file that is not there."""
    host, load = stand_in.module("nodes.host"), stand_in.module("nodes.load").load_generator
    compiled = host.Compiled(host.Model(load, "gone.safetensors", "float32"))
    delta = Delta({"synthesis.b4.conv1.weight": torch.zeros(16, 16, 3, 3)}, "a generator")
    for model in (compiled.base, compiled, host.Tuned(compiled, delta)):
        probing.probe(model)
    with pytest.raises(ValueError, match="gone.safetensors"):
        compiled.network()


def test_a_copied_model_reads_its_file_again(stand_in):
    (model,) = stand_in.call("StyleMixLoadGenerator", checkpoint="tiny.safetensors", dtype="float32")
    again = pickle.loads(pickle.dumps(model))
    assert again.network() is again.network() is not model.network()
    assert again.network().fingerprint() == model.network().fingerprint()
    assert len(pickle.dumps(model)) < 1000
