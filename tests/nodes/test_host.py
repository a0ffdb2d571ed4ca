"""Memory, progress and interrupts on the stand-in, where they can be provoked."""

import gc
import itertools
import subprocess
import sys
import time
import weakref

import pytest
import torch
from PIL import Image

from stylemix_core.codes.latents import Latents

from .. import builders
from ..host import PACK


@pytest.fixture
def comfy(stand_in, monkeypatch):
    """The stand-in's `comfy.model_management`, as it was before after the test."""
    from comfy import model_management, utils

    monkeypatch.setattr(model_management, "requests", [])
    monkeypatch.setattr(model_management, "device", model_management.device)
    monkeypatch.setattr(model_management, "no_vram", False)
    monkeypatch.setattr(model_management, "interrupted", False)
    monkeypatch.setattr(utils, "updates", [])
    model_management.updates = utils.updates
    return model_management


class Network(torch.nn.Module):
    """A parameter of its own beside a leaf module, as a generator's `const`."""

    input_size = 4

    def __init__(self):
        super().__init__()
        self.const = torch.nn.Parameter(torch.zeros(3))
        self.leaf = torch.nn.Linear(2, 2)


@pytest.fixture
def model(stand_in):
    return stand_in.module("nodes.host").Model(
        lambda source, device, dtype, runs_on: Network(), "memory", "float32"
    )


def test_every_pass_is_announced_to_comfyui(stand_in, comfy, model):
    host = stand_in.module("nodes.host")
    result = host.run(model, 3, lambda network, items: torch.arange(3.0)[items])
    assert result.tolist() == [0, 1, 2]
    assert [patchers for patchers, _ in comfy.requests] == [[model.handle()]] * 3
    assert all(memory > 0 for _, memory in comfy.requests)
    assert comfy.updates == [(1, 3), (2, 3), (3, 3)]


def test_time_left_is_reckoned_from_what_this_run_has_done(stand_in, comfy, monkeypatch):
    """An earlier run may have done the most of a film."""
    execution = stand_in.module("nodes.host.execution")
    told = []
    monkeypatch.setattr(execution, "show_progress", lambda node, text: told.append(text))
    monkeypatch.setattr(execution.time, "monotonic", itertools.count(0, 10).__next__)
    report = execution.step_reporter("1")
    report(2400, 4800)
    report(2450, 4800)
    assert told == ["8 min left"]


def test_the_newest_picture_is_shown_once_a_second(stand_in, comfy, model, monkeypatch):
    from comfy import utils

    host = stand_in.module("nodes.host")
    now = iter(range(0, 1000))
    monkeypatch.setattr(time, "monotonic", lambda: next(now) * 0.4)
    monkeypatch.setattr(utils, "previews", [])
    sizes = torch.arange(100, 1000, 100)

    def picture(size):
        return Image.new("RGB", (int(size), 8))

    host.run(model, 9, lambda network, items: sizes[items], preview=picture)
    # Asked at 0.4, 0.8, 1.2 (shown; noted at 1.6), 2.0, 2.4, 2.8 (shown; noted at 3.2), 3.6 and 4.0 seconds, and
    # not after the last one.
    shown = [(kind, preview.width, side) for kind, preview, side in utils.previews]
    assert shown == [("JPEG", 300, 300), ("JPEG", 600, 512)]


def test_no_parameter_stays_behind(stand_in, comfy, model):
    comfy.device, comfy.no_vram = torch.device("meta"), True
    stand_in.module("nodes.host").run(model, 1, lambda network, items: torch.zeros(1))
    assert {tensor.device.type for tensor in model.network().parameters()} == {"meta"}


def test_out_of_memory_halves_the_batch(stand_in, comfy, model):
    comfy.device = torch.device("meta")
    sizes = []

    def forward(network, items):
        sizes.append(items.stop - items.start)
        if sizes[-1] > 3:
            raise comfy.OOM_EXCEPTION("no memory left")
        return torch.arange(100)[items]

    result = stand_in.module("nodes.host").run(model, 11, forward)
    assert result.tolist() == list(range(11))
    assert sizes == [8, 4, 2, 2, 2, 2, 2, 1]


def test_memory_that_does_not_suffice_for_one_is_an_error(stand_in, comfy, model):
    def forward(network, items):
        raise comfy.OOM_EXCEPTION("no memory left")

    with pytest.raises(comfy.OOM_EXCEPTION):
        stand_in.module("nodes.host").run(model, 2, forward)


def test_a_batch_can_be_interrupted(stand_in, comfy, model):
    done = []

    def forward(network, items):
        done.append(items.start)
        comfy.interrupted = len(done) == 2
        return torch.zeros(1)

    with pytest.raises(comfy.InterruptProcessingException):
        stand_in.module("nodes.host").run(model, 9, forward)
    assert done == [0, 1]


def test_two_loaders_of_one_file_share_the_model(stand_in):
    (first,) = stand_in.call("StyleMixLoadGenerator", checkpoint="tiny.safetensors", dtype="float32")
    (second,) = stand_in.call("StyleMixLoadGenerator", checkpoint="tiny.safetensors", dtype="float32")
    (half,) = stand_in.call("StyleMixLoadGenerator", checkpoint="tiny.safetensors", dtype="float16")
    assert first is second
    assert half is not first


def test_a_model_that_nobody_holds_is_freed(stand_in):
    stand_in.forget()
    (model,) = stand_in.call("StyleMixLoadGenerator", checkpoint="tiny.safetensors", dtype="bfloat16")
    network = weakref.ref(model.network())
    del model
    gc.collect()
    assert network() is None


def test_codes_of_other_weights_are_drawn_with_a_warning(stand_in, caplog):
    (generator,) = stand_in.call("StyleMixLoadGenerator", checkpoint="tiny.safetensors", dtype="float32")
    arguments = {"generator": generator, "noise_mode": "const"}
    w = torch.zeros(1, 8, 16)
    assert stand_in.said("StyleMixDecode", latent=Latents.of(w), **arguments) == []
    ((kind, text),) = stand_in.said("StyleMixDecode", latent=Latents.of(w, generator="x"), **arguments)
    assert kind == "warning" and "other weights" in text
    assert "other weights" in caplog.text


def test_injection_warns_of_a_style_of_another_generator_alone(stand_in):
    w = torch.zeros(1, 8, 16)
    source = Latents.of(w, generator="a")
    inputs = {"mask_list": "0", "alpha": 1.0, "pairing": "match", "seed": 0}
    for style, expected in (("a", 0), ("b", 1), (None, 0)):
        said = stand_in.said("StyleMixInject", latent=source, style=Latents.of(w, generator=style), **inputs)
        assert ["other weights" in text for _, text in said] == [True] * expected


def test_a_failed_run_leaves_nothing_behind(stand_in):
    w = torch.zeros(1, 8, 16)
    inputs = {"latent": Latents.of(w, generator="a"), "style": Latents.of(w, generator="b")}
    inputs |= {"alpha": 1.0, "pairing": "match", "seed": 0}
    with pytest.raises(ValueError):
        stand_in.said("StyleMixInject", **inputs, mask_list="99")
    assert stand_in.module("nodes.host.messages")._said == {}


def test_every_node_that_speaks_is_heard(stand_in):
    """`tell` and `warn` need the node's id, and a decorated `execute`."""
    from comfy_api.v0_0_2 import io

    speakers = [
        node for node in stand_in.nodes.values() if io.Hidden.unique_id in node.define_schema().hidden
    ]
    assert len(speakers) > 10
    assert [node for node in speakers if not hasattr(node.execute, "__wrapped__")] == []


def test_latents_remember_where_they_come_from(stand_in):
    (generator,) = stand_in.call("StyleMixLoadGenerator", checkpoint="tiny.safetensors", dtype="float32")
    encoder, _ = stand_in.call("StyleMixLoadEncoder", checkpoint="tiny.safetensors", dtype="float32")
    image, latent = stand_in.call(
        "StyleMixSampler",
        generator=generator,
        seed=2**64 - 1,
        batch_size=2,
        truncation_psi=0.7,
        truncation_cutoff=-1,
        class_label=-1,
        noise_mode="const",
    )
    assert latent.origins == ("seed 18446744073709551615, psi 0.7", "seed 18446744073709551616, psi 0.7")
    style, _ = stand_in.call("StyleMixEncode", encoder=encoder, image=image[:1], align="never")
    assert style.generator == latent.generator == generator.network().fingerprint()
    mixed, labels = stand_in.call(
        "StyleMixInject",
        latent=latent,
        style=style,
        mask_list="coarse; 5",
        alpha=0.5,
        pairing="match",
        seed=0,
    )
    assert mixed.generator == latent.generator
    assert mixed.origins[0] == "seed 18446744073709551615, psi 0.7 ← encoded picture 1, layers 0-3@0.5"
    assert labels.split("\n") == ["coarse · source 1", "5 · source 1", "coarse · source 2", "5 · source 2"]


def test_a_mask_list_from_a_node_replaces_the_text(stand_in):
    parse_masks = stand_in.module("stylemix_core.masks.mask_list").parse_masks
    latent = Latents.of(torch.zeros(1, 8, 16))
    arguments = {"alpha": 1.0, "pairing": "match", "seed": 0, "masks": parse_masks("2; 3", 8)}
    _, labels = stand_in.call("StyleMixInject", latent=latent, style=latent, mask_list="broken", **arguments)
    assert labels == "2\n3"


@pytest.mark.parametrize("channels", [1, 4])
def test_grey_and_transparent_pictures_are_encoded(stand_in, channels):
    encoder, _ = stand_in.call("StyleMixLoadEncoder", checkpoint="tiny.safetensors", dtype="float32")
    latent, aligned = stand_in.call(
        "StyleMixEncode", encoder=encoder, image=torch.rand(2, 30, 40, channels), align="never"
    )
    assert len(latent) == 2
    assert aligned.shape == (2, 64, 64, 3)


def test_only_restyle_encoders_are_told_how_often_to_refine(stand_in, monkeypatch):
    network = stand_in.module("stylemix_core.encoder").Encoder
    given = []
    monkeypatch.setattr(
        network, "forward", lambda E, images, iterations: given.append(iterations) or torch.zeros(1, 8, 16)
    )
    for checkpoint in ("tiny.safetensors", "restyle.pt"):
        encoder, _ = stand_in.call("StyleMixLoadEncoder", checkpoint=checkpoint, dtype="float32")
        arguments = {"encoder": encoder, "image": torch.rand(1, 64, 64, 3), "align": "never"}
        stand_in.call("StyleMixEncode", **arguments)
        stand_in.call("StyleMixEncode", **arguments, n_iters=3)
    assert given == [None, None, 5, 3]


def test_codes_of_every_encoder_belong_to_the_generator_in_its_file(stand_in, caplog):
    for checkpoint in ("psp.pt", "restyle.pt"):
        encoder, generator = stand_in.call("StyleMixLoadEncoder", checkpoint=checkpoint, dtype="float32")
        style, _ = stand_in.call(
            "StyleMixEncode", encoder=encoder, image=torch.rand(1, 64, 64, 3), align="never"
        )
        faces = Latents.of(torch.zeros(1, 8, 16), generator=generator.network().fingerprint())
        mixed, _ = stand_in.call(
            "StyleMixInject", latent=faces, style=style, mask_list="0", alpha=1.0, pairing="match", seed=0
        )
        stand_in.call("StyleMixDecode", generator=generator, latent=mixed, noise_mode="const")
    assert "StyleMix" not in caplog.text


def test_label_maps_keep_their_labels_when_they_are_resized(stand_in):
    path = stand_in.base / "models" / "psp" / "labels.pt"
    builders.write_tiny_psp(path, builders.tiny_encoder_config(input_nc=5))
    try:
        encoder, _ = stand_in.call("StyleMixLoadEncoder", checkpoint=path.name, dtype="float32")
        labels = torch.arange(5.0).repeat(1, 100, 20)[..., None].expand(-1, -1, -1, 3) / 255
        latent, aligned = stand_in.call("StyleMixEncode", encoder=encoder, image=labels, align="never")
    finally:
        path.unlink()
    assert latent.w.shape == (1, 8, 16)
    assert sorted((aligned * 255).unique().round().tolist()) == [0, 1, 2, 3, 4]


def test_styles_that_do_not_match_are_refused(stand_in):
    two, three = Latents.of(torch.zeros(2, 8, 16)), Latents.of(torch.zeros(3, 8, 16))
    arguments = {"mask_list": "0", "alpha": 1.0, "pairing": "match", "seed": 0}
    with pytest.raises(ValueError, match="3 styles cannot be matched"):
        stand_in.call("StyleMixInject", latent=two, style=three, **arguments)


def test_model_folders_of_users_stay(stand_in, monkeypatch):
    import folder_paths

    theirs = {"stylegan": (["/models/of/theirs"], set()), "psp": (["/other"], {".onnx"})}
    monkeypatch.setattr(folder_paths, "folder_names_and_paths", theirs)
    host = stand_in.module("nodes.host")
    host.register_model_folders()
    host.register_model_folders()
    default = f"{stand_in.base}/models"
    assert folder_paths.folder_names_and_paths == {
        "stylegan": (["/models/of/theirs", f"{default}/stylegan"], set()),
        "psp": (
            ["/other", f"{default}/psp", f"{stand_in.base}/output/encoders"],
            {".onnx", ".pt", ".pth", ".safetensors"},
        ),
    }


def test_the_pack_imports_without_comfyui_and_torch():
    """As a package, the way pytest and tools meet it."""
    check = (
        "import importlib.util, sys; "
        f"spec = importlib.util.spec_from_file_location('pack', {str(PACK / '__init__.py')!r}); "
        "module = importlib.util.module_from_spec(spec); spec.loader.exec_module(module); "
        "assert callable(module.comfy_entrypoint) and not hasattr(module, 'NODE_CLASS_MAPPINGS'); "
        "assert 'torch' not in sys.modules and 'comfy' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", check], check=True)


def test_newer_cores_get_search_words_and_older_ones_none(stand_in, monkeypatch):
    search = stand_in.module("nodes.search_words")
    assert search.search_words("face", "GAN") == {}  # the stand-in is as old as they come
    monkeypatch.setattr(search, "KNOWN", True)
    assert search.search_words("face", "GAN") == {"search_aliases": ["face", "GAN"]}


def test_a_compiled_generator_shares_the_model_of_its_file(stand_in, monkeypatch):
    why_not = []
    monkeypatch.setattr(stand_in.module("nodes.load"), "cannot_compile", lambda *_: (why_not or [None])[0])
    arguments = {"checkpoint": "tiny.safetensors", "dtype": "float32"}
    (plain,) = stand_in.call("StyleMixLoadGenerator", **arguments)
    (compiled,) = stand_in.call("StyleMixLoadGenerator", **arguments, compile=True)
    assert compiled.handle() is plain.handle()
    assert compiled.network().synthesis.compiled and not plain.network().synthesis.compiled
    assert compiled.network().synthesis.b4.const is plain.network().synthesis.b4.const
    assert stand_in.said("StyleMixLoadGenerator", **arguments, compile=True) == []
    why_not.append("compile is left out")
    (refused,) = stand_in.call("StyleMixLoadGenerator", **arguments, compile=True)
    assert refused is plain
    said = stand_in.said("StyleMixLoadGenerator", **arguments, compile=True)
    assert said == [["note", "compile is left out"]]
