"""StyleGAN3 against numbers of the original, whatever file its weights come in."""

import json
import math
import pathlib
from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from safetensors import safe_open
from safetensors.torch import load_file, save_file

import stylemix_core as sm
from stylemix_core import cli
from stylemix_core.checkpoints import load_generator
from stylemix_core.codes.latents import Latents, Region
from stylemix_core.codes.style_space import channels_in, styles_of
from stylemix_core.decoding import decode, draw_distinct, draw_each
from stylemix_core.errors import CheckpointError, StyleMixError
from stylemix_core.faces.landmarks import Landmarks
from stylemix_core.faces.transform import FaceTransform
from stylemix_core.files.pictures import open_image
from stylemix_core.generator import StyleGAN3
from stylemix_core.generator.batches import in_chunks
from stylemix_core.generator.engine import regions, rows
from stylemix_core.generator.fingerprint import picture_shape
from stylemix_core.generator.stylegan3 import ops
from stylemix_core.images import from_pil
from stylemix_core.mixing.inject import Injection
from stylemix_core.moving import Move, as_in_photos, poses_by_name
from tests import builders
from tests import builders_stylegan3 as originals
from tests.builders_stylegan3 import VARIANTS

SILENT = {"t", "r", "labels_grey", "ten_layers_radial_8"}
"""Networks of which names and shapes tell all."""


@pytest.fixture(scope="module")
def numbers():
    return builders.expected("stylegan3")


@pytest.fixture(scope="module")
def pickles(tmp_path_factory):
    folder = tmp_path_factory.mktemp("stylegan3")
    return {name: originals.write(folder / f"{name}.pkl", one) for name, one in VARIANTS.items()}


@pytest.fixture(scope="module")
def generators(pickles):
    return {name: load_generator(path, "cpu") for name, path in pickles.items()}


def labels(generator, *classes):
    return F.one_hot(torch.tensor(classes), generator.c_dim).float() if generator.c_dim else None


def agrees(generator, numbers, name):
    z = sm.sample_z([7], 24).reshape(2, 12)
    w = generator.mapping(z, labels(generator, 1, 0))
    assert (w[:, 0] - numbers[f"{name}/w"]).abs().max() < 1e-5
    truncated = generator.mapping(z, labels(generator, 1, 0), truncation_psi=0.7, truncation_cutoff=4)
    assert (truncated - numbers[f"{name}/w_truncated"]).abs().max() < 1e-5
    with torch.no_grad():
        image = generator.synthesis(truncated[:1])
        assert (image - numbers[f"{name}/image"]).abs().max() < 1e-6
        if f"{name}/moved" in numbers:
            moved = generator.synthesis(truncated[:1], translate=(0.1, -0.2), rotate=25)
            assert (moved - numbers[f"{name}/moved"]).abs().max() < 1e-6
            assert (moved - image).abs().max() > 1e-3


@pytest.mark.parametrize("name", VARIANTS)
def test_pickles_draw_the_originals_pictures(generators, numbers, name):
    generator, one = generators[name], VARIANTS[name]
    assert isinstance(generator, StyleGAN3) and generator.family == "StyleGAN3"
    assert generator.num_ws == one.num_layers + 2
    assert generator.img_shape == (one.img_resolution, one.img_resolution)
    assert (generator.c_dim, generator.img_channels) == (one.c_dim, one.img_channels)
    agrees(generator, numbers, name)


@pytest.mark.parametrize("name", VARIANTS)
def test_converted_files_are_the_same_network(pickles, generators, tmp_path, name):
    path = tmp_path / "converted.safetensors"
    info = sm.convert_checkpoint(pickles[name], path)
    assert info.network == generators[name].info.network
    converted = load_generator(path, "cpu")
    assert converted.config == generators[name].config
    assert converted.fingerprint() == generators[name].fingerprint()
    w = torch.randn(1, converted.num_ws, converted.w_dim, generator=torch.Generator().manual_seed(0))
    assert torch.equal(converted.synthesis(w), generators[name].synthesis(w))


@pytest.mark.parametrize("name", sorted(SILENT))
def test_tensors_alone_tell_the_network(generators, numbers, tmp_path, name):
    save_file(originals.state(VARIANTS[name]), tmp_path / "named.safetensors")
    generator = load_generator(tmp_path / "named.safetensors", "cpu")
    assert generator.config == generators[name].config
    agrees(generator, numbers, name)


def test_what_tensors_do_not_tell_is_read_off_the_constructors_arguments(generators, numbers, tmp_path):
    for name, arguments in (
        ("three_critical_clamp", {"conv_clamp": 0.4, "output_scale": 1.0}),
        ("filters_of_5_up_4", {"lrelu_upsampling": 4, "conv_clamp": None}),
        ("margin_6_first_3", {"first_cutoff": 3}),
    ):
        path = tmp_path / f"{name}.safetensors"
        save_file(originals.state(VARIANTS[name]), path, {"init_kwargs": json.dumps(arguments)})
        assert load_generator(path, "cpu").config == generators[name].config


def test_layers_are_taken_as_the_file_names_them(numbers, tmp_path):
    """StyleGAN-XL's larger networks leave a number out."""
    one = VARIANTS["t"]
    renamed = {
        name: f"L{int(number) + 1}_{rest}" if int(number) > 6 else name
        for name in (layer.name for layer in originals.layers(one))
        for number, rest in [name[1:].split("_", 1)]
    }
    state, kept = originals.state(one), originals.attributes(one)
    for old, new in reversed(renamed.items()):
        state = {name.replace(f".{old}.", f".{new}."): x for name, x in state.items()}
        kept = {name.replace(f".{old}", f".{new}"): x for name, x in kept.items()}
    kept["synthesis"]["layer_names"] = list(renamed.values())
    generator = load_generator(builders.write_nvidia(tmp_path / "gap.pkl", state, kept), "cpu")
    agrees(generator, numbers, "t")


def test_classes_have_averages_of_their_own(generators):
    generator = generators["xl"]
    assert generator.info.network == "StyleGAN-XL" and generator.c_dim == 4
    assert torch.equal(generator.w_avg, originals.state(VARIANTS["xl"])["mapping.w_avg"].mean(0))
    z = sm.sample_z([0, 1], 12)
    centres = generator.mapping(z, labels(generator, 3, 0), truncation_psi=0)[:, 5]
    assert torch.allclose(centres, originals.state(VARIANTS["xl"])["mapping.w_avg"][[3, 0]])


def test_files_say_what_they_are(pickles):
    assert sm.inspect_checkpoint(pickles["t"]).network == "StyleGAN3, configuration T"
    info = sm.inspect_checkpoint(pickles["r"])
    assert info.layer_resolutions == (16,) * 6 + (32,) * 10
    assert info.network == "StyleGAN3, configuration R"
    assert "draws 32×32 RGB pictures from 16 w vectors of 16" in info.summary()
    code = load_generator(pickles["r"], "cpu").fingerprint()
    assert picture_shape(16, code) == (32, 32) and picture_shape(16) == (512, 512)


def test_a_batch_equals_its_pictures_alone(generators):
    for name in ("t", "r"):
        generator = generators[name]
        w = torch.randn(6, 16, 16, generator=torch.Generator().manual_seed(1))
        shift, turn = torch.linspace(-0.2, 0.2, 12).reshape(6, 2), torch.linspace(-60, 60, 6)
        with torch.no_grad():
            batch = generator.synthesis(w, translate=shift, rotate=turn)
            singly = [
                generator.synthesis(w[i : i + 1], translate=shift[i].tolist(), rotate=float(turn[i]))
                for i in range(6)
            ]
        assert (batch - torch.cat(singly)).abs().max() < 1e-6


def test_gradients_are_those_of_small_changes(generators):
    generator = generators["t"]
    w = torch.randn(1, 16, 16, generator=torch.Generator().manual_seed(2)).requires_grad_()
    generator.synthesis(w).square().sum().backward()
    assert (w.grad.abs().amax((0, 2)) > 0).all()
    step = 1e-2 * w.grad / w.grad.norm()
    with torch.no_grad():
        up, down = (float(generator.synthesis(w + s).square().sum()) for s in (step, -step))
    assert (up - down) / 2 == pytest.approx(float((w.grad * step).sum()), rel=0.02)


def test_moving_is_what_layer_0_does(generators):
    """Translation and rotation by the user are those that w of layer 0 makes: one more of its four styles' kind."""
    generator = generators["t"]
    w = torch.randn(1, 16, 16, generator=torch.Generator().manual_seed(3))
    styles = generator.synthesis.styles(w)
    pose = torch.tensor([[1.0, 0.0, 0.0, 0.0]])
    still = [pose, *styles[1:]]
    moved = generator.synthesis.moved(still, rotate=30)
    turned = [torch.tensor([[0.75**0.5, 0.5, 0.0, 0.0]]), *styles[1:]]
    with torch.no_grad():
        a, b = generator.synthesis.draw(moved), generator.synthesis.draw(turned)
    assert (a - b).abs().max() < 1e-6


@pytest.mark.parametrize(
    ("move", "message"),
    [
        ({"translate": (0.1, 0.2, 0.3)}, "expected two numbers"),
        ({"rotate": float("nan")}, "rotate holds NaN or infinite numbers"),
        ({"rotate": [[1.0, 2.0]]}, "expected a number of degrees"),
        ({"rotate": [1.0, 2.0, 3.0]}, "for each of the 2 pictures"),
    ],
)
def test_moves_that_do_not_fit_are_refused(generators, move, message):
    with pytest.raises(StyleMixError, match=message):
        generators["t"].synthesis(torch.zeros(2, 16, 16), **move)


def test_other_families_refuse_moves():
    generator = builders.tiny_generator()
    with pytest.raises(StyleMixError, match="only StyleGAN3 can"):
        generator.synthesis(torch.zeros(1, generator.num_ws, generator.w_dim), rotate=5)


@pytest.mark.parametrize("name", ["t", "24px_turned"])
def test_regions_are_drawn_in_one_pass(generators, name):
    """A region of the whole picture is that picture; an empty one is none."""
    generator = generators[name]
    random = torch.Generator().manual_seed(4)
    a, b = (torch.randn(1, generator.num_ws, 16, generator=random) for _ in range(2))
    side = generator.img_resolution
    left = torch.zeros(1, side, side, dtype=torch.uint8)
    left[:, :, : side // 2] = 255
    with torch.no_grad():
        plain = [generator.synthesis(w) for w in (a, b)]
        empty, whole, half = (
            decode(generator, in_region(a, b, mask)) for mask in (left * 0, left * 0 + 255, left)
        )
    assert (empty - plain[0]).abs().max() < 1e-6 and (whole - plain[1]).abs().max() < 1e-6
    assert torch.isfinite(half).all()
    assert not torch.allclose(half, plain[0], atol=1e-4) and not torch.allclose(half, plain[1], atol=1e-4)


@pytest.mark.parametrize("name", ["t", "r", "24px_turned", "margin_6_first_3"])
def test_regions_lie_where_they_do_in_the_picture(generators, name):
    """In every map, whatever reaches beyond the picture."""
    generator = generators[name]
    side = generator.img_resolution
    mask = torch.zeros(1, 1, side, side)
    mask[..., side // 4 : side // 2, : side // 2] = 1
    shares = regions._shares(mask, generator.synthesis.stages())
    rates = {size: rate for stage in generator.synthesis.stages() for size, rate in stage.fields().items()}
    for width, share in shares.items():
        assert share.shape[-2:] == (width, width)
        rate = rates[width] * side / rates[side]  # pixels of the picture in this map
        beyond = (width - rate) / 2
        rows, columns = share[0, 0, 0].amax(1), share[0, 0, 0].amax(0)
        assert rows.sum() == pytest.approx(rate / 4, abs=1)
        assert columns.sum() == pytest.approx(beyond + rate / 2, abs=1)
        middle = (rows * torch.arange(width)).sum() / rows.sum()
        assert middle == pytest.approx(beyond + rate * 3 / 8 - 0.5, abs=1)


def in_region(around, inside, mask):
    return replace(Latents.of(around), regions=(Region(Latents.of(inside), mask),))


def test_codes_are_drawn_where_they_are_put(generators):
    generator = generators["r"]
    w = torch.randn(1, 16, 16, generator=torch.Generator().manual_seed(5))
    with torch.no_grad():
        drawn = decode(generator, Latents.of(w), move=Move(((0.1, 0.0),), (10.0,)))
        assert torch.equal(drawn, generator.synthesis(w, translate=(0.1, 0.0), rotate=10.0))


def leaning(degrees):
    """A crop of a face that leans clockwise by so much."""
    turn = math.radians(degrees)
    right, down = (math.cos(turn), math.sin(turn)), (-math.sin(turn), math.cos(turn))
    points = [(x, y) for y in (-5, 15) for x in (-10, 10)]  # eyes, and corners of the mouth
    placed = [tuple(50 + x * right[axis] + y * down[axis] for axis in (0, 1)) for x, y in points]
    return FaceTransform.ffhq(Landmarks(*placed), (100, 100))


def test_faces_lean_as_in_their_photographs(generators):
    """Every one in its own way, also where codes are equal; all masks of the first crop come before the second's."""
    generator = generators["r"]
    w = torch.randn(1, 16, 16, generator=torch.Generator().manual_seed(5)).expand(4, -1, -1)
    faces = as_in_photos([leaning(20), leaning(-35)], (0.1, 0.0), 5.0)
    assert faces.rotate == pytest.approx((-15, 40))
    move = faces.for_codes(4)
    with torch.no_grad():
        wanted = generator.synthesis(w, translate=(0.1, 0.0), rotate=[-15.0, -15.0, 40.0, 40.0])
        codes = Latents.of(w)
        drawn, places = draw_distinct(codes, lambda count, draw: draw(generator, slice(0, count)), move=move)
        assert (drawn[places] - wanted).abs().max() < 1e-5
        each = draw_each(generator, [codes.take(slice(0, 3)), codes.take(slice(3, 4))], move=move)
        assert (torch.stack([*each]) - wanted).abs().max() < 1e-5
    with pytest.raises(
        StyleMixError, match="there are 2 faces to turn and 3 codes; expected as many codes for"
    ):
        faces.for_codes(3)
    with pytest.raises(StyleMixError, match="there are moves of 2 pictures, but 3 codes"):
        next(draw_each(generator, [codes.take(slice(0, 3))], move=faces))


def write_poses(path):
    """As stylegan3-editing does: angle, translation, and both transforms; None for a face that was not found."""
    poses = {"anna.jpg": (np.float64(350.0), np.array([0.25, -0.125]), np.eye(3), np.eye(3)), "ben.jpg": None}
    poses["anna (1).jpg"] = (np.float64(10.0), np.zeros(2), np.eye(3), np.eye(3))
    np.save(path, poses)
    return path


def test_poses_are_read_by_the_names_of_pictures(tmp_path):
    path = write_poses(tmp_path / "landmarks_transforms.npy")
    anna = Move(((0.25, -0.125),), (350.0,))
    for names in (["anna.png"], ["anna"], ["anna.jpg (tune)", "anna.jpg"]):
        assert poses_by_name(path, [names]) == anna
    with pytest.raises(
        StyleMixError,
        match=r"landmarks_transforms\.npy: there is no one pose for ben\.jpg; .* of anna\.jpg, anna \(1\)\.jpg$",
    ):
        poses_by_name(path, [["ben.jpg"]])
    for other in (
        np.zeros(3),
        {"anna.jpg": np.zeros(3)},
        {"anna.jpg": ("350", np.zeros(2))},
        {"anna.jpg": (1.0, "x")},
        {"anna.jpg": (1.0, np.zeros(3))},
        {"anna.jpg": (math.nan, np.zeros(2))},
    ):
        np.save(tmp_path / "other.npy", other)
        with pytest.raises(CheckpointError, match="expected a dictionary of"):
            poses_by_name(tmp_path / "other.npy", [["anna.jpg"]])
    assert poses_by_name(path, [["anna (1).jpg", "anna"]]).rotate == (10.0,)


def run(*arguments):
    return cli.main([str(argument) for argument in arguments])


def test_the_command_line_moves_pictures(pickles, generators, tmp_path, capsys):
    generator, model = generators["r"], ["--generator", str(pickles["r"])]
    w = torch.randn(2, 16, 16, generator=torch.Generator().manual_seed(5))
    np.save(tmp_path / "latents.npy", {"anna.jpg": w[0].numpy(), "anna": w[1].numpy()})
    poses = write_poses(tmp_path / "landmarks_transforms.npy")

    def drawn(*options):
        out = tmp_path / options[0]
        assert run("decode", tmp_path / "latents.npy", *model, "--out", out, *options) == 0
        return torch.stack([from_pil(open_image(path))[0] for path in sorted(out.glob("*.png"))])

    with torch.no_grad():
        for options, how in (
            (("--poses", poses), {"translate": (0.25, -0.125), "rotate": 350.0}),
            (("--translate", 0.1, -0.2, "--rotate", 25), {"translate": (0.1, -0.2), "rotate": 25.0}),
        ):
            wanted = generator.synthesis(w, **how).clamp(-1, 1)
            assert (drawn(*options) - wanted).abs().max() < 0.01
    assert run("decode", tmp_path / "latents.npy", "--poses", poses, "--rotate", 3) == 2
    assert "--poses excludes --translate and --rotate" in capsys.readouterr().err


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_leaves_the_first_layers_alone(pickles, generators, tmp_path, dtype):
    exact_first = originals.write(tmp_path / "exact_first.pkl", replace(VARIANTS["t"], num_fp16_res=1))
    layers = load_generator(exact_first, "cpu", dtype).synthesis.layers()
    kinds = [layer.weight.dtype for layer in layers]
    assert kinds == [
        dtype if layer.layer.sampling_rate > 16 and not layer.to_rgb else torch.float32 for layer in layers
    ]
    assert len({*kinds}) == 2
    generator = load_generator(pickles["t"], "cpu", dtype)
    w = generator.mapping(sm.sample_z([7], 24).reshape(2, 12), truncation_psi=0.7)
    with torch.no_grad():
        exact, half = generators["t"].synthesis(w), generator.synthesis(w)
    assert half.dtype == torch.float32
    assert (half - exact).abs().mean() < 0.02 * exact.abs().mean()


@pytest.mark.parametrize(
    ("layer", "change", "message"),
    [
        ("L1_36_12", {"padding": [9, 8, 9]}, "no padding of four numbers"),
        ("L1_36_12", {"padding": [9, 8, 9, 80]}, "announces 36"),
        ("L1_36_12", {"padding": [59, -42, 59, -42]}, "pads its maps by 59 pixels"),
        ("L1_36_12", {"out_size": [36, 40]}, "36×40 pixels; StyleGAN3's are squares"),
        ("L1_36_12", {"up_factor": 2.5}, "where a whole number is expected"),
        ("L1_36_12", {"up_factor": 1 << 40}, "sizes that no StyleGAN3 has"),
        ("L2_36_12", {"in_size": [44, 44], "padding": [1, 0, 1, 0]}, "of 44 pixels|announces"),
        ("L13_32_10", {"is_torgb": True}, "the last one alone to make colours"),
        ("L14_32_3", {"up_factor": 2, "down_factor": 2}, "makes colours, but filters them"),
        ("L1_36_12", {"in_size": np.zeros((3, 3))}, "an array of|a whole number"),
        ("input", {"bandwidth": float("inf")}, "where a number is expected"),
        ("input", {"bandwidth": 9.0}, "a bandwidth of 9.0 at a sampling rate of 16"),
        ("input", {"size": 4000}, "takes 12 maps of 36 pixels, but is given"),
    ],
)
def test_networks_that_cannot_be_are_refused(tmp_path, layer, change, message):
    one = VARIANTS["t"]
    kept = originals.attributes(one)
    kept[f"synthesis.{layer}"] |= change
    path = builders.write_nvidia(tmp_path / "odd.pkl", originals.state(one), kept)
    with pytest.raises(CheckpointError, match=message):
        load_generator(path, "cpu")


def test_missing_and_misshapen_tensors_are_named(tmp_path):
    one = VARIANTS["t"]
    state = originals.state(one)
    del state["synthesis.L4_36_12.magnitude_ema"]
    with pytest.raises(CheckpointError, match="magnitude_ema"):
        load_generator(builders.write_nvidia(tmp_path / "a.pkl", state, originals.attributes(one)), "cpu")
    state = originals.state(one)
    del state["synthesis.input.affine.weight"]
    with pytest.raises(CheckpointError, match="affine.weight"):
        load_generator(builders.write_nvidia(tmp_path / "b.pkl", state, originals.attributes(one)), "cpu")


def test_our_own_files_are_checked(pickles, tmp_path):
    path = tmp_path / "own.safetensors"
    sm.convert_checkpoint(pickles["t"], path)
    with safe_open(path, "pt") as file:
        metadata = file.metadata()
    stored = json.loads(metadata["config"])
    stored["generator"]["layers"][3]["up"] = 100_000
    save_file(load_file(path), path, {**metadata, "config": json.dumps(stored)})
    with pytest.raises(CheckpointError, match="sizes that no StyleGAN3 has"):
        load_generator(path, "cpu")


@pytest.mark.parametrize("kind", ["BackboneEncoder", "ProgressiveBackboneEncoder"])
def test_its_encoders_refine_codes_by_its_pictures(generators, tmp_path, kind):
    """stylegan3-editing's files: ReStyle's encoders with a StyleGAN3, whose stored transform is left out."""
    config = builders.tiny_encoder_config(kind=kind, num_ws=16, input_nc=6, iterative=True)
    network = originals.state(VARIANTS["t"])
    network["synthesis.input.transform"] = torch.full((3, 3), 0.3)
    state = builders.psp_encoder_state(config) | {f"decoder.{name}": x for name, x in network.items()}
    average = builders.psp_latent_avg(16, 16)
    opts = {"encoder_type": kind, "stylegan_weights": pathlib.PosixPath("pretrained/sg3.pkl")}
    path = builders.write_psp(tmp_path / "restyle.pt", state, average, opts)
    info = sm.inspect_checkpoint(path)
    assert info.contents == ("generator", "encoder") and info.encoder == f"ReStyle {kind}"
    encoder, generator = sm.load_encoder(path, "cpu"), load_generator(path, "cpu")
    assert encoder.decoder.family == generator.family == "StyleGAN3"
    pictures = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(6)) * 2 - 1
    w = average.expand(2, -1, -1)
    with torch.no_grad():
        drawn = generator.synthesis(w)
        assert (drawn - generators["t"].synthesis(w)).abs().max() < 1e-6
        for _ in range(3):
            drawn = generator.synthesis(w).repeat_interleave(2, 2).repeat_interleave(2, 3)  # 32 px seen as 64
            w = w + encoder.codes(torch.cat([pictures, drawn], 1))
        assert (encoder(pictures, iterations=3) - w).abs().max() < 1e-4 * w.abs().max()
    sm.convert_checkpoint(path, tmp_path / "converted.safetensors")
    converted = sm.load_encoder(tmp_path / "converted.safetensors", "cpu")
    with torch.no_grad():
        assert torch.equal(converted(pictures, iterations=3), encoder(pictures, iterations=3))


EQUIVARIANT = originals.Original(img_resolution=64, channel_base=1024, channel_max=16)
"""With enough pixels to look away from its borders."""


def decibels(found, wanted):
    """Of the difference, against the pictures' range."""
    spread = (wanted.max() - wanted.min()).square()
    return float(10 * torch.log10(spread / (found - wanted).square().mean()))


@pytest.mark.parametrize("radial", [False, True])
def test_pictures_move_as_wholes(tmp_path, radial):
    """Translation equivariance of both configurations, and rotation of R: better than the paper's table 2 (about 65
    and 45 dB), as weights at random do not break it."""
    one = replace(EQUIVARIANT, conv_kernel=1, use_radial_filters=True) if radial else EQUIVARIANT
    path = builders.write_nvidia(tmp_path / "a.pkl", originals.with_filters(one), originals.attributes(one))
    generator = load_generator(path, "cpu")
    w = generator.mapping(sm.sample_z([0, 1], 12), truncation_psi=0.7)
    with torch.no_grad():
        still = generator.synthesis(w)
        right = generator.synthesis(w, translate=(5 / 64, 0))
        down = generator.synthesis(w, translate=[(0, 8 / 64), (0, 8 / 64)])
        turned = generator.synthesis(w, rotate=90)
    assert decibels(right[..., 5:], still[..., :-5]) > 65 and decibels(right, still) < 45
    assert decibels(down[..., 8:, :], still[..., :-8, :]) > 65
    about = decibels(turned, torch.rot90(still, 1, (2, 3)))
    assert about > 90 if radial else about < 45


def test_it_is_inverted_and_tuned(generators):
    generator = generators["t"]
    with torch.no_grad():
        picture = generator.synthesis(generator.mapping(sm.sample_z([0], 12), truncation_psi=0.7))
    found = sm.invert(generator, picture, method="tune", steps=6)
    kept = generator.state_dict()
    changed = {name for name, x in found.generator.state_dict().items() if not torch.equal(x, kept[name])}
    assert changed == {
        "synthesis.input.weight",
        *(f"synthesis.{layer.name}.weight" for layer in originals.layers(VARIANTS["t"])),
    }
    with torch.no_grad():
        assert torch.equal(found.generator.synthesis(found.w), found.images)


def test_explain_names_its_layers_and_sizes(generators):
    generator = generators["t"]
    w, style = generator.mapping(sm.sample_z([0, 1], 12)).split(1)
    report = sm.explain_layers(generator, w, style, regions={"left": torch.ones(32, 32)})
    assert len(report.effect) == 16 and report.resolutions == (16,) * 6 + (32,) * 10
    assert (report.effect > 0).all()


def test_directions_are_found_in_it(generators):
    generator = generators["t"]
    w = Latents.of(generator.mapping(sm.sample_z([1], 12), truncation_psi=0.7))
    for method in ("SeFa", "GANSpace"):
        found = sm.find_directions(generator, method, "1-6", count=3, samples=200)
        moved = sm.apply_direction(w, found, 1, 2.0)
        changed = (moved.w - w.w).abs().amax((0, 2))
        assert (changed[1:7] > 1e-3).all() and (changed[[0, *range(7, 16)]] == 0).all()


def test_layers_are_found_in_it(generators):
    generator = generators["r"]
    source, style = generator.mapping(sm.sample_z([1, 2], 12), truncation_psi=0.7).split(1)
    found = sm.find_layers(generator, source, style, "everything", steps=4, others=0)
    assert sm.parse_masks(found[0].mask_text, generator.num_ws).strengths.shape == (1, 16)


@pytest.mark.parametrize("name", ["t", "24px_turned"])
def test_channels_act_where_the_picture_has_them(generators, name):
    """What lies beyond the picture counts nowhere."""
    generator = generators[name]
    latents = Latents.of(torch.randn(1, generator.num_ws, 16, generator=torch.Generator().manual_seed(3)))
    left = torch.zeros(1, generator.img_resolution, generator.img_resolution)
    left[..., : generator.img_resolution // 2] = 1
    with torch.no_grad():
        inside, everywhere = channels_in(generator, latents, left)
        outside, _ = channels_in(generator, latents, 1 - left)
        whole, _ = channels_in(generator, latents, torch.ones_like(left))
    assert torch.allclose(whole, everywhere, rtol=1e-4)
    assert torch.allclose(inside + outside, everywhere, rtol=1e-4)


def test_channels_of_it_are_injected(generators):
    """Those that act in a region: only styles of layers whose mask is not 0 may change."""
    generator = generators["r"]
    source, style = (Latents.of(w) for w in generator.mapping(sm.sample_z([1, 2], 12)).split(1))
    masks = sm.parse_masks("3-5", generator.num_ws)
    region = torch.zeros(1, 32, 32)
    region[:, 8:24, 8:24] = 1
    mixed = Injection(masks, space="channels", region=region).run(source, style, in_chunks(generator)).codes
    before, after = (styles_of(generator, codes) for codes in (source, mixed))
    changed = [bool((one != other).any()) for one, other in zip(before, after, strict=True)]
    assert changed == [layer in (3, 4, 5) for layer in range(16)]


def test_it_says_how_much_memory_a_picture_takes(generators):
    """That of maps sampled four times as finely, twice."""
    assert generators["t"].working_bytes == 2 * 4 * max(12 * (36 * 4) ** 2, 12 * (52 * 2) ** 2)


@pytest.mark.parametrize("seed", range(20))
def test_strips_are_the_whole(monkeypatch, seed):
    """Whatever the filters, factors and padding are."""
    random = np.random.RandomState(seed)
    taps_up, taps_down = int(random.choice([6, 12, 13, 24])), int(random.choice([1, 6, 11, 12]))
    up, down = int(random.choice([1, 2, 4])), int(random.choice([1, 2, 4]))
    numbers = torch.Generator().manual_seed(seed)
    how = ops.Resampling(
        torch.randn(taps_up, generator=numbers),
        torch.randn(*[taps_down] * int(random.randint(1, 3)), generator=numbers),
        up,
        down,
        tuple(int(side) for side in random.randint(-6, 10, 4)),
        clamp=1.0,
    )
    x = torch.randn(2, 3, 60, 64, generator=numbers)
    whole = ops.filtered_lrelu(x, how)
    monkeypatch.setattr(ops, "FINER_NUMBERS", 2_000)
    strips = ops.filtered_lrelu_in_strips(x, how)
    assert strips.shape == whole.shape
    assert (strips - whole).abs().max() < 1e-5 * whole.abs().max()


@pytest.mark.parametrize("numbers_at_once", [1, 1000, 5000])
@pytest.mark.parametrize("name", VARIANTS)
def test_rows_are_the_whole(generators, monkeypatch, name, numbers_at_once):
    generator = generators[name]
    w = torch.randn(2, generator.num_ws, generator.w_dim, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        whole = generator.synthesis(w)
        made = []
        monkeypatch.setattr(rows, "LARGE_NUMBERS", 0)
        monkeypatch.setattr(rows, "ROW_NUMBERS", numbers_at_once)
        monkeypatch.setattr(rows, "made", lambda *how, made_by=rows.made: made.append(how) or made_by(*how))
        in_rows = generator.synthesis(w)
    assert (in_rows - whole).abs().max() < 1e-6
    asked = [last - first for stage, *_, first, last in made if stage.layer.to_rgb]
    most = max(2 * layer.out_channels * layer.out_size for layer in generator.config.layers)
    assert sum(asked) == generator.img_resolution
    assert max(asked) == min(max(numbers_at_once // most, 1), generator.img_resolution)
