"""Encoders trained in a node."""

import re

import torch

import stylemix_core as sm

from .prompts import inject, node, sampler
from .test_workflow import inputs_of


def making(**changes) -> dict:
    inputs = {
        "generator": ["generator", 0],
        "name": "cats",
        "minutes": 0.005,
        "size": "auto",
        "truncation_psi": 1.0,
        "editable": False,
        "good_enough": 0.0,
        "seed": 0,
        **changes,
    }
    return {
        "generator": node("StyleMixLoadGenerator", checkpoint="tiny.safetensors", dtype="float32"),
        "made": node("StyleMixMakeEncoder", **inputs),
        "report": node("PreviewAny", source=["made", 2]),
        "sheet": node("PreviewImage", images=["made", 1]),
    }


def test_an_encoder_is_made_listed_and_used(host):
    run = host.run(making())
    assert not run.errors
    assert "Trained for" in run.texts["report"] and "bar" in run.texts["report"]
    (sheet,) = run.pictures["sheet"]
    assert sheet.size == (8 * 32, 2 * 32)
    listed = inputs_of(host.object_info()["StyleMixLoadEncoder"])["checkpoint"][1]["options"]
    assert "cats/encoder.safetensors" in [name.replace("\\", "/") for name in listed]
    used = making()
    del used["report"]
    used["codes"] = node("StyleMixEncode", encoder=["made", 0], image=["made", 1], align="never", n_iters=5)
    used["told"] = node("PreviewAny", source=["codes", 0])
    used["face"] = sampler(["generator", 0])
    used["sure"] = inject(["face", 1], ["codes", 0], "all", pairing="all", sure_only=True)
    used["left"] = node("PreviewAny", source=["sure", 0])
    again = host.run(used)
    assert not again.errors
    # So little training leaves an encoder unsure of everything.
    assert re.search(
        r"1\. encoded picture 1 \(usually \d+ % wrong, unsure of layers 0-7\)", again.texts["told"]
    )
    assert re.search(r"1\. seed 7, psi 0.7 ← encoded picture 1 .*, layers none", again.texts["left"])


def test_more_minutes_go_on_with_the_training(host):
    folder = host.base / "output/encoders/dogs"

    def steps() -> int:
        return torch.load(folder / "encoder.checkpoint", weights_only=True)["step"]

    assert not host.run(making(name="dogs", minutes=0.004)).errors
    before = steps()
    assert not host.run(making(name="dogs", minutes=0.03)).errors
    assert steps() > before
    assert sm.load_encoder(folder / "encoder.safetensors", "cpu").config.error_bars


def test_another_generators_training_is_left_alone(host):
    assert not host.run(making(name="birds", minutes=0.001)).errors
    other = making(name="birds", size="medium", minutes=0.001)
    (error,) = host.run(other).errors.values()
    assert "is of a training with encoder" in str(error)
