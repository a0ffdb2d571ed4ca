"""Regions of photographs: the person network, hair and skin, and face parsing where a user has a file of it."""

import json
import re

import numpy as np
import pytest
import torch
from PIL import Image, ImageOps

import stylemix_core as sm
from stylemix_core import cli
from stylemix_core.demo import truth
from stylemix_core.demo.attributes import index
from stylemix_core.demo.renderer import render
from stylemix_core.faces.person import find_person, person_net
from stylemix_core.faces.regions import REGIONS, find_regions, regions_of, sureness
from stylemix_core.faces.regions.parsing import CLASSES, FaceParsing, holds_parsing, read_parsing
from stylemix_core.images import from_pil
from tests import builders


@pytest.fixture(scope="module")
def astronaut():
    """A photograph in the public domain."""
    data = pytest.importorskip("skimage.data", reason="scikit-image is not installed")
    return Image.fromarray(data.astronaut())


@pytest.fixture(scope="module")
def avatars():
    return render(truth.attributes_of(sm.sample_z(range(3000, 3004), truth.CONFIG.z_dim)), 256)


@pytest.fixture(scope="module")
def parsing(tmp_path_factory):
    """A file as users have it, with made-up weights."""
    shapes = {name: tensor.shape for name, tensor in FaceParsing().state_dict().items()}
    path = tmp_path_factory.mktemp("parsing") / "parsing_bisenet.pth"
    torch.save(made_up(shapes), path)
    return path


def made_up(shapes: dict[str, torch.Size]) -> dict[str, torch.Tensor]:
    random = np.random.RandomState(0)
    weights = {}
    for name in sorted(shapes):
        shape = tuple(shapes[name])
        if name.endswith("num_batches_tracked"):
            continue
        if len(shape) == 4:
            numbers = random.standard_normal(shape) / np.sqrt(np.prod(shape[1:]))
        elif name.endswith(("running_var", ".weight")):
            numbers = random.uniform(0.5, 1.5, shape)
        else:
            numbers = 0.1 * random.standard_normal(shape)
        weights[name] = torch.from_numpy(numbers.astype(np.float32))
    return weights


def test_the_person_network_gives_the_numbers_of_its_file():
    """Expected: the operators of selfie_segmentation.tflite one by one, before the last sigmoid."""
    line = torch.linspace(-1, 1, 256)
    u, v = line[None], line[:, None]
    disc = torch.tanh(8 * (0.5 - (u**2 + 1.3 * (v + 0.1) ** 2).sqrt()))
    picture = torch.stack(
        [0.5 + 0.3 * disc, 0.45 + 0.2 * disc, 0.4 + 0.1 * torch.cos(4 * u) * torch.sin(3 * v)]
    )[None]
    logits = []
    hook = person_net().up256.register_forward_hook(lambda module, given, result: logits.append(result[0, 0]))
    try:
        person = find_person(picture * 2 - 1)
    finally:
        hook.remove()
    assert person.shape == (1, 256, 256)
    at = [(20, 20), (128, 128), (200, 128), (100, 60), (240, 128)]
    expected = torch.tensor([-83.649, -48.8149, -97.3974, -85.5886, -86.7717])
    assert torch.allclose(torch.stack([logits[0][place] for place in at]), expected, atol=5e-3)


def test_a_batch_is_divided_as_single_pictures_are(avatars):
    together = find_regions(avatars.image)
    alone = [find_regions(image[None]) for image in avatars.image]
    assert together.sources == tuple(each.sources[0] for each in alone)
    for name in REGIONS:
        assert (together[name] - torch.cat([each[name] for each in alone])).abs().max() < 1e-4


@pytest.mark.parametrize("source", ["photo", "drawn", "auto"])
def test_every_pixel_is_divided_whatever_the_source(avatars, source):
    found = find_regions(avatars.image, source=source)
    assert tuple(found) == REGIONS
    assert (sum(found.values()) - 1).abs().max() < 1e-4
    assert min(float(mask.min()) for mask in found.values()) >= 0
    assert set(found.sources) <= {"photo", "drawn"} and (source == "auto" or set(found.sources) == {source})


def with_hair(count):
    """Drawn heads with hair and without a hat."""
    attributes = truth.attributes_of(sm.sample_z(range(1_000_000, 1_000_038), truth.CONFIG.z_dim))
    chosen = (attributes[:, index("cut")] > 0.2) & (attributes[:, index("hat")] < 0.7)
    return render(attributes[chosen][:count], 256)


def overlaps(found, true):
    return torch.minimum(found, true).sum((1, 2)) / torch.maximum(found, true).sum((1, 2))


def test_drawn_faces_that_look_like_people_are_divided_better_by_the_person():
    avatars = with_hair(20)

    def overlap(source):
        return overlaps(find_regions(avatars.image, source=source)["hair"], avatars.regions["hair"]).mean()

    assert overlap("auto") > overlap("drawn")


def test_an_unknown_source_is_refused(avatars):
    with pytest.raises(sm.CheckpointError, match="there is no such file"):
        find_regions(avatars.image, source="watercolour")


def test_face_parsing_agrees_with_the_original(parsing):
    """Expected: BiSeNet of facexlib 0.3.0 with the same weights."""
    x, y = torch.linspace(-2, 2, 96)[:, None], torch.linspace(-2, 2, 96)[None, :64]
    picture = torch.stack([torch.sin(3 * x) * torch.cos(2 * y), x * torch.cos(y) / 2, torch.sin(x * y)])[None]
    with torch.inference_mode():
        scores = read_parsing(parsing)(picture)
    assert scores.shape == (1, 19, 96, 64)
    expected = [-0.0357, 0.70735, -0.23676, -0.61871, 0.30061, 0.13962, -0.54581, 0.251, -0.23327, -0.37294]
    expected += [-0.37752, 0.24442, 0.11072, 0.09908, -0.71245, 0.34735, -0.11872, -0.58147, -0.05683]
    assert (scores[0, :, 50, 30] - torch.tensor(expected)).abs().max() < 1e-4


def test_face_parsing_looks_at_a_few_pictures_at_a_time(parsing, monkeypatch):
    pictures = builders.value("faces", (3, 3, 64, 48)).clamp(-1, 1)
    whole = read_parsing(parsing).regions(pictures)
    monkeypatch.setattr("stylemix_core.faces.regions.parsing.AT_ONCE", 2)
    for name, masks in read_parsing(parsing).regions(pictures).items():
        torch.testing.assert_close(masks, whole[name], rtol=0, atol=1e-5)


def test_face_parsing_names_its_nineteen_classes(parsing):
    assert sorted(each for classes in CLASSES.values() for each in classes) == [*range(19)]
    assert set(CLASSES) == set(REGIONS)
    pictures = torch.rand(2, 3, 80, 64, generator=torch.Generator().manual_seed(0)) * 2 - 1
    found = regions_of(pictures, parsing)
    assert tuple(found) == REGIONS and found["hair"].shape == (2, 80, 64)
    assert (sum(found.values()) - 1).abs().max() < 1e-4
    assert find_regions(pictures, source=parsing).sources == ("parsing_bisenet.pth",) * 2


def test_other_files_are_no_face_parsing(parsing, tmp_path):
    other = tmp_path / "79999_iter.pth"
    torch.save({"a": torch.zeros(1)}, other)
    assert holds_parsing(parsing) and not holds_parsing(other)
    with pytest.raises(sm.CheckpointError, match="79999_iter.pth.*holds no face parsing; expected BiSeNet"):
        read_parsing(other)
    weights = torch.load(parsing, weights_only=True)
    weights["conv_out.conv_out.weight"] = weights["conv_out.conv_out.weight"][:11]
    torch.save(weights, other)
    with pytest.raises(sm.CheckpointError, match="tells 11 classes apart; expected"):
        read_parsing(other)
    del weights["conv_out.conv_out.weight"]
    torch.save(weights, other)
    with pytest.raises(sm.CheckpointError, match="holds no face parsing"):
        read_parsing(other)


def test_the_command_writes_masks_and_a_preview(avatars, tmp_path, capsys):
    sm.save_image(tmp_path / "face.png", avatars.image[0])
    assert (
        cli.main(["regions", str(tmp_path / "face.png"), "--size", "128", "--out", str(tmp_path / "out")])
        == 0
    )
    names = {f"face_{name}.png" for name in (*REGIONS, "crop", "regions")}
    assert {path.name for path in (tmp_path / "out").iterdir()} == names
    assert re.search(
        r"face.png: told apart by .*, sure of hair \d+%, background \d+%", capsys.readouterr().out
    )
    with Image.open(tmp_path / "out/face_hair.png") as hair:
        assert hair.size == (128, 128)


@pytest.mark.slow
def test_commands_for_layers_take_a_face_parsing_file(parsing, tmp_path, capsys):
    """It needs no face, so that any generator's pictures do."""
    generator, _ = builders.write_tiny_native(tmp_path)
    sm.save_latents(
        tmp_path / "style.safetensors", sm.load_generator(generator).mapping(sm.sample_z([5], 16))
    )
    common = ["--seeds", "4", "--style", str(tmp_path / "style.safetensors"), "--generator", str(generator)]
    common += ["--regions-by", str(parsing), "--out", str(tmp_path / "out")]
    assert cli.main(["explain", *common]) == 0
    assert "by parsing_bisenet.pth" in capsys.readouterr().out
    target = ["--target", "everything but the nose", "--steps", "0", "--others", "0"]
    assert cli.main(["find", *common, *target]) == 0
    figures = json.loads((tmp_path / "out/table_2.json").read_text())
    assert 0.0 < figures["regions_sure"] < 1.0
    assert cli.main(["find", *common, *target, "--regions-by", "photograph"]) == 2
    assert "photograph: there is no such file" in capsys.readouterr().err


def test_it_is_sure_where_masks_are_clear():
    edge = torch.tensor([[1.0, 0.5, 0.0]])
    masks = torch.stack([torch.ones(1, 3), edge, torch.zeros(1, 3), torch.full([1, 3], 0.3)])
    assert sureness(masks).tolist() == pytest.approx([1.0, 1.25 / 1.5, 1.0, 0.3])


def test_it_is_less_sure_of_hair_where_it_is_wrong():
    """By the person network, which knows only some avatars."""
    drawn = with_hair(20)
    found = find_regions(drawn.image, source="photo")["hair"]
    overlap = overlaps(found, drawn.regions["hair"])
    assert np.corrcoef(sureness(found).numpy(), overlap.numpy())[0, 1] > 0.8


@pytest.mark.slow
def test_a_photograph_is_found_cropped_divided_and_pasted_back(astronaut):
    face, transform = sm.align_face(astronaut)
    crop = from_pil(face)
    found = find_regions(crop)
    assert found.sources == ("photo",)
    share = {name: float(mask.mean()) for name, mask in found.items()}
    assert 0.1 < share["hair"] < 0.35 and 0.15 < share["face"] < 0.4
    # The hair beside her face, and her forehead below it.
    assert found["hair"][0, 60:110, 40:60].mean() > 0.8
    assert found["face"][0, 90:100, 105:140].mean() > 0.9
    pasted = np.asarray(sm.paste_face(astronaut, ImageOps.invert(face), transform)).astype(int)
    changed = np.abs(pasted - np.asarray(astronaut)).max(2)
    assert changed[80:130, 200:250].mean() > 20 and changed[300:].max() == 0
