"""The jobs of the example workflows, done without ComfyUI: on the command line where it has the job, else in Python.

What a job takes is read from the workflow's file by position, as the file has it, and not by the page's names.
"""

import json
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from PIL import Image

from stylemix_core import (
    align_face,
    cli,
    compare_grid,
    direction_sheet,
    explain_layers,
    find_directions,
    find_layers,
    inject_latents,
    invert,
    learn_direction,
    load_encoder,
    load_generator,
    load_image,
    parse_masks,
    paste_face,
    train_encoder,
)
from stylemix_core.checkpoints import DEMO
from stylemix_core.codes.combine import blend_latents, join_latents, truncate_latents
from stylemix_core.codes.latents import Latents, load_latents, pick_latents, save_latents
from stylemix_core.codes.sampling import sample_latents
from stylemix_core.codes.sorting import read_choices
from stylemix_core.faces import FaceTransform, parse_landmarks
from stylemix_core.faces.crop import crop_face
from stylemix_core.faces.paste import paste_faces
from stylemix_core.figures.sheets import even_strengths
from stylemix_core.images import comfy_to_pil, from_comfy, from_pil, to_comfy, to_pil
from stylemix_core.mixing.inject import Injection
from stylemix_core.mixing.pairing import result_labels
from stylemix_core.motion.tracking import crops, follow, look
from stylemix_core.motion.walk import random_walk

from .. import builders_stylegan3
from . import find


class Nodes:
    """A workflow's nodes."""

    def __init__(self, workflow: Path, core: find.Core | None = None):
        content = json.loads(workflow.read_text(encoding="utf-8"))
        self.nodes = sorted(content["nodes"], key=lambda node: node["id"])
        self.core = core

    def all_values(self, kind: str) -> list[list[Any]]:
        """What is set on every node of a kind, in the order of their ids."""
        return [node["widgets_values"] for node in self.nodes if node["type"] == kind]

    def values(self, kind: str) -> list[Any]:
        (values,) = self.all_values(kind)
        return values


def result(workflow: Path, photo: Path, core: find.Core | None = None) -> Image.Image:
    """The picture that a workflow's SaveImage must show, with `photo` for what LoadImage names.

    core: the ComfyUI that has made it; needed where its own nodes differ.
    """
    return _result(workflow, photo, core if workflow.stem == "core_nodes" else None)


@cache
def _result(workflow: Path, photo: Path, core: find.Core | None) -> Image.Image:
    with torch.inference_mode(), TemporaryDirectory() as folder:
        return JOBS[workflow.stem](Nodes(workflow, core), photo, Path(folder))


def differences(one: Image.Image, other: Image.Image) -> np.ndarray:
    """How far every value of two pictures of one size lies apart, in steps of 1/255."""
    assert one.size == other.size
    return np.abs(np.asarray(one, dtype=int) - np.asarray(other, dtype=int))


def a_first_mix(nodes: Nodes, photo: Path, folder: Path) -> Image.Image:
    text, alpha, pairing, seed, *_ = nodes.values("StyleMixInject")
    masks = parse_masks(text, generator().num_ws, alpha, seed)
    source, style = codes(nodes.values("StyleMixSampler")), load_latents(DEMO / "bob.safetensors")
    return to_pil(draw(inject_latents(source, style, masks, pairing))[0])


def study_experiment(nodes: Nodes, photo: Path, folder: Path) -> Image.Image:
    source, style = nodes.all_values("StyleMixSampler")
    sample(style, folder / "style")
    return mixed(nodes, source, next((folder / "style").glob("*.png")), folder)


def your_photo_ffhq(nodes: Nodes, photo: Path, folder: Path) -> Image.Image:
    return mixed(nodes, nodes.values("StyleMixSampler"), photo, folder)


def your_picture(nodes: Nodes, photo: Path, folder: Path) -> Image.Image:
    """Beside the style as the generator draws it."""
    return mixed(nodes, nodes.values("StyleMixSampler"), photo, folder, drawn_style=True)


def layer_by_layer(nodes: Nodes, photo: Path, folder: Path) -> Image.Image:
    source, style = map(codes, nodes.all_values("StyleMixSampler"))
    text, alpha, seed = nodes.values("StyleMixMaskList")
    masks = parse_masks(text, generator().num_ws, alpha, seed)
    pictures = draw(inject_latents(source, style, masks))
    return to_pil(compare_grid(pictures, masks.labels, columns=nodes.values("StyleMixGrid")[1])[0])


def stylegan3_turn_and_shift(nodes: Nodes, photo: Path, folder: Path) -> Image.Image:
    (checkpoint, *_), (face, style) = (
        nodes.values("StyleMixLoadGenerator"),
        nodes.all_values("StyleMixSampler"),
    )
    model = ["--generator", builders_stylegan3.write_patterns(folder / checkpoint)]
    for name, sampler in (("face", face), ("style", style)):
        command("generate", *sampling(sampler), *model, "--out", folder / name)
    text, alpha, *_ = nodes.values("StyleMixInject")
    styles = ["--style", folder / "style" / "latents.safetensors"]
    command(
        "mix", *sampling(face), *styles, "--masks", text, "--alpha", alpha, *model, "--out", folder / "mix"
    )
    results = [load_image(path) for path in sorted((folder / "mix" / "results").glob("*.png"))]
    source, shown = (load_image(next((folder / name).glob("*.png"))) for name in ("face", "style"))
    return to_pil(compare_grid(results, parse_masks(text, 10).labels, source=source, style=shown)[0])


def what_does_each_layer_do(nodes: Nodes, photo: Path, folder: Path) -> Image.Image:
    source, style = codes(nodes.values("StyleMixSampler")), load_latents(DEMO / "bob.safetensors")
    encoder = load_encoder("demo", device="cpu")
    return explain_layers(generator(), source.w, style.w, encoder=encoder).sheet()


def only_the_hair(nodes: Nodes, photo: Path, folder: Path) -> Image.Image:
    source, style = codes(nodes.values("StyleMixSampler")), load_latents(DEMO / "bob.safetensors")
    target, what, keep, care, steps, others, regions = nodes.values("StyleMixFindLayers")
    assert keep == "nothing"
    options = {"what": what, "care": care, "steps": steps, "others": others, "regions": regions}
    found = find_layers(generator(), source.w, style.w, target, **options)
    masks = parse_masks(found[0].mask_text, generator().num_ws)
    pictures = draw(inject_latents(source, style, masks))
    labels = result_labels(masks, len(source), 1)
    return to_pil(compare_grid(pictures, labels, source=draw(source), style=draw(style))[0])


def mixing_matrix(nodes: Nodes, photo: Path, folder: Path) -> Image.Image:
    source, style = map(codes, nodes.all_values("StyleMixSampler"))
    text, alpha, pairing, seed, *_ = nodes.values("StyleMixInject")
    masks = parse_masks(text, generator().num_ws, alpha, seed)
    sheet = compare_grid(
        draw(inject_latents(source, style, masks, pairing)),
        result_labels(masks, len(source), len(style), pairing),
        source=draw(source),
        top=draw(style),
    )
    return to_pil(sheet[0])


def walk_through_six_faces(nodes: Nodes, photo: Path, folder: Path) -> Image.Image:
    _, columns = nodes.values("StyleMixGrid")
    return to_pil(compare_grid(draw(codes(nodes.values("StyleMixSampler"))), columns=columns)[0])


def hair_comes_and_goes(nodes: Nodes, photo: Path, folder: Path) -> Image.Image:
    """Those frames that the workflow shows beside its film."""
    text, alpha, pairing, seed, space, share, frames, _ = nodes.all_values("StyleMixInject")[1]
    injection = Injection(
        parse_masks(text, generator().num_ws, alpha, seed), pairing, space, channel_share=share, frames=frames
    )
    injected = injection.run(codes(nodes.values("StyleMixSampler")), load_latents(DEMO / "bob.safetensors"))
    return to_pil(compare_grid(draw(injected.codes), columns=frames)[0])


def clip_restyled(nodes: Nodes, photo: Path, folder: Path) -> Image.Image:
    seed, frames, smooth, psi, *_, loop = nodes.values("StyleMixRandomWalk")
    clip = to_comfy(draw(random_walk(generator(), frames, seed, smooth, psi, loop=loop)))
    pictures = [picture for frame in clip for picture in comfy_to_pil(frame[None])]
    _, size = nodes.values("StyleMixTrackFace")
    seen = list(look(map(np.asarray, pictures)))
    found = [each for each in crops(seen, follow(seen), pictures[0].size, size) if each is not None]
    cropped = torch.cat([from_pil(crop_face(pictures[each.picture], each)) for each in found])
    encoder = load_encoder("demo", device="cpu")
    read = Latents.of(torch.cat([encoder(crop) for crop in from_comfy(to_comfy(cropped)).split(1)]))
    text, alpha, _, mask_seed, *_ = nodes.values("StyleMixInject")
    masks = parse_masks(text, generator().num_ws, alpha, mask_seed)
    mixed = inject_latents(read, load_latents(DEMO / "bob.safetensors"), masks)
    feather, colour_match, blend = nodes.values("StyleMixPasteFace")
    back = paste_faces(clip, to_comfy(draw(mixed)), found, feather, None, colour_match, blend)
    _, columns = nodes.values("StyleMixGrid")
    return to_pil(compare_grid(from_comfy(back), columns=columns)[0])


def sliders_nobody_had_to_train(nodes: Nodes, photo: Path, folder: Path) -> Image.Image:
    method, layers, count, samples, seed = nodes.values("StyleMixFindDirections")
    found = find_directions(generator(), method, layers, count, samples, seed)
    first, count, reach, steps, _ = nodes.values("StyleMixDirectionSheet")
    figure = direction_sheet(
        codes(nodes.values("StyleMixSampler")),
        found.pick(range(first - 1, first - 1 + count)),
        even_strengths(-reach, reach, steps),
    )
    return to_pil(figure.sheet(draw(figure.codes))[0])


def slider_from_twenty_faces(nodes: Nodes, photo: Path, folder: Path) -> Image.Image:
    seed, count, psi, name, choices = nodes.values("StyleMixSortFaces")
    faces = sample_latents(generator(), range(seed, seed + count), psi)
    positive, negative = (faces.take(side) for side in read_choices(choices, count))
    _, _, reach, steps, _ = nodes.values("StyleMixDirectionSheet")
    figure = direction_sheet(
        codes(nodes.values("StyleMixSampler")),
        learn_direction(generator(), positive, negative, name),
        even_strengths(-reach, reach, steps),
    )
    return to_pil(figure.sheet(draw(figure.codes))[0])


def codes_from_another_tool(nodes: Nodes, photo: Path, folder: Path) -> Image.Image:
    """Its code goes through a file of another tool on the way."""
    save_latents(folder / "projected_w.npz", load_latents(DEMO / "bob.safetensors"))
    source, style = codes(nodes.values("StyleMixSampler")), load_latents(folder / "projected_w.npz")
    text, alpha, pairing, seed, *_ = nodes.values("StyleMixInject")
    masks = parse_masks(text, generator().num_ws, alpha, seed)
    pictures = draw(inject_latents(source, style, masks, pairing))
    labels = result_labels(masks, len(source), len(style), pairing)
    return to_pil(compare_grid(pictures, labels, source=draw(source), style=draw(style))[0])


def save_load_blend(nodes: Nodes, photo: Path, folder: Path) -> Image.Image:
    picked = pick_latents(codes(nodes.values("StyleMixSampler")), *nodes.values("StyleMixLatentFromBatch"))
    loaded = load_latents(DEMO / "bob.safetensors")
    blended = blend_latents(picked, loaded, *nodes.values("StyleMixBlendLatent"))
    psi, cutoff = nodes.values("StyleMixTruncateLatent")
    truncated = truncate_latents(blended, generator(), psi, cutoff if cutoff >= 0 else None)
    labels, columns = nodes.values("StyleMixGrid")
    pictures = draw(join_latents([picked, loaded, blended, truncated]))
    return to_pil(compare_grid(pictures, labels.split("\n"), columns)[0])


def core_nodes(nodes: Nodes, photo: Path, folder: Path) -> Image.Image:
    """The face, scaled, within a frame of plain colour, whose inner edge is soft."""
    source, style = map(codes, nodes.all_values("StyleMixSampler"))
    text, alpha, pairing, seed, *_ = nodes.values("StyleMixInject")
    masks = parse_masks(text, generator().num_ws, alpha, seed)
    _, *size, _ = nodes.values("ImageScale")
    picture = to_pil(draw(inject_latents(source, style, masks, pairing))[0])
    face = np.asarray(picture.resize(size, Image.Resampling.LANCZOS), dtype=float)

    (_, *inner), _ = nodes.all_values("SolidMask")
    left, top, right, bottom = nodes.values("FeatherMask")
    x, y, _ = nodes.values("MaskComposite")
    mask = np.zeros(face.shape[:2])
    shift = int(nodes.core.older_than(0, 22))
    mask[y : y + inner[1], x : x + inner[0]] = (
        ramp(inner[0], left, right, shift) * ramp(inner[1], top, bottom, shift)[:, None]
    )

    width, height, _, color = nodes.values("EmptyImage")
    sheet = np.empty((height, width, 3))
    sheet[:] = [color >> 16 & 255, color >> 8 & 255, color & 255]
    x, y, _ = nodes.values("ImageCompositeMasked")
    place = sheet[y : y + size[1], x : x + size[0]]
    place += mask[..., None] * (face - place)
    return Image.fromarray(sheet.astype(np.uint8))


def face_in_a_picture(nodes: Nodes, photo: Path, folder: Path) -> Image.Image:
    _, style = map(codes, nodes.all_values("StyleMixSampler"))
    scene = composed(nodes)
    crop, transform = align_face(scene, **framing(nodes.values("StyleMixAlignFace")))
    read = Latents.of(load_encoder("demo", device="cpu")(from_pil(crop)))
    return pasted(nodes, scene, transform, generator(), read, style)


def photo_inverted(nodes: Nodes, photo: Path, folder: Path) -> Image.Image:
    _, style = map(codes, nodes.all_values("StyleMixSampler"))
    tilted, found = nodes.all_values("StyleMixAlignFace")
    shot, _ = align_face(composed(nodes), parse_landmarks(tilted[4]), **framing(tilted))
    crop, transform = align_face(shot, **framing(found))
    method, steps, quality, seed = nodes.values("StyleMixInvert")
    encoder = load_encoder("demo", device="cpu")
    # As the node gives it, whose picture has been from 0 to 1.
    picture = from_comfy(to_comfy(from_pil(crop)))
    inverted = invert(generator(), picture, encoder, method, steps, seed, quality=quality)
    return pasted(nodes, shot, transform, inverted.generator, inverted.latents(), style)


def composed(nodes: Nodes) -> Image.Image:
    """The workflow's avatar on a plain ground."""
    avatar, _ = map(codes, nodes.all_values("StyleMixSampler"))
    _, *size, _ = nodes.values("ImageScale")
    width, height, _, color = nodes.values("EmptyImage")
    scene = Image.new("RGB", (width, height), (color >> 16 & 255, color >> 8 & 255, color & 255))
    scene.paste(
        cut_off(draw(avatar)[0]).resize(size, Image.Resampling.LANCZOS),
        nodes.values("ImageCompositeMasked")[:2],
    )
    return scene


def framing(align: list[Any]) -> dict[str, Any]:
    """What an Align Face node with these values hands to `align_face`."""
    _, _, margin, output_size, _, _ = align
    return {"margin": margin, "output_size": output_size}


def pasted(
    nodes: Nodes,
    picture: Image.Image,
    transform: FaceTransform,
    drawing: Any,
    source: Latents,
    style: Latents,
) -> Image.Image:
    """The workflow's mixture, drawn by a generator and put back into the picture."""
    text, alpha, pairing, seed, *_ = nodes.values("StyleMixInject")
    masks = parse_masks(text, drawing.num_ws, alpha, seed)
    face = to_pil(drawing.synthesis(inject_latents(source, style, masks, pairing).w)[0])
    feather, colour_match, blend = nodes.values("StyleMixPasteFace")
    return paste_face(picture, face, transform, feather, colour_match=colour_match, blend=blend)


def cut_off(picture: torch.Tensor) -> Image.Image:
    """As ComfyUI makes bytes: cut off, not rounded. A face's points follow the least difference."""
    return Image.fromarray((to_comfy(picture[None])[0] * 255).byte().numpy())


def ramp(length: int, first: int, last: int, shift: int) -> np.ndarray:
    """What ComfyUI's FeatherMask takes along one side; before 0.22 its second end was one place off."""
    taken = np.ones(length)
    for place in range(first):
        taken[place] *= (place + 1) / first
    for place in range(last):
        taken[shift - 1 - place] *= (place + 1) / last
    return taken


def encoder_for_my_own_model(nodes: Nodes, photo: Path, folder: Path) -> Image.Image:
    """The encoder by Python, what it reads and mixes by the command line."""
    shown, face = nodes.all_values("StyleMixSampler")
    _, minutes, size, psi, editable, _, seed = nodes.values("StyleMixMakeEncoder")
    start = load_encoder("demo", device="cpu", dtype="float32")
    made = train_encoder(
        generator(),
        folder / "made",
        minutes=minutes,
        size=size,
        start=start,
        editable=editable,
        truncation_psi=psi,
        seed=seed,
    )
    sample(shown, folder / "shown")
    (style,) = (folder / "shown").glob("*.png")
    *_, sure_only = nodes.values("StyleMixInject")
    return mixed(nodes, face, style, folder, more=["--encoder", made, *["--sure-only"] * sure_only])


@cache
def blueprint(file: Path, photo: Path, style: Path) -> Image.Image:
    """What the blueprint's node makes of two pictures."""
    (text,) = Nodes(file).nodes[0]["widgets_values"]
    with torch.inference_mode():
        encoder = load_encoder("demo", device="cpu")
        photo_code, style_code = (Latents.of(encoder(load_image(path))) for path in (photo, style))
        masks = parse_masks(text, generator().num_ws)
        return to_pil(draw(inject_latents(photo_code, style_code, masks))[0])


@cache
def generator() -> Any:
    return load_generator("demo", device="cpu")


def codes(sampler: list[Any]) -> Latents:
    """What a sampler node with these values makes."""
    seed, _, count, psi, cutoff, label, _ = sampler
    return sample_latents(
        generator(),
        range(seed, seed + count),
        psi,
        cutoff if cutoff >= 0 else None,
        label if label >= 0 else None,
    )


def draw(latents: Latents) -> torch.Tensor:
    return torch.cat([generator().synthesis(w) for w in latents.w.split(1)])


def sample(sampler: list[Any], folder: Path) -> None:
    """`stylemix generate` for a sampler node's values."""
    command("generate", *sampling(sampler), "--out", folder)


def mix(nodes: Nodes, sampler: list[Any], style: Path, folder: Path, more: Sequence[Any]) -> None:
    """`stylemix mix` for a sampler's faces, the workflow's one mask list and a picture of a style."""
    text, alpha, pairing, seed, *_ = nodes.values("StyleMixInject")
    align, _ = nodes.values("StyleMixEncode")
    settings = ["--masks", text, "--alpha", alpha, "--pairing", pairing, "--seed", seed, "--align", align]
    command("mix", *sampling(sampler), "--style", style, *settings, *more, "--out", folder)


def mixed(
    nodes: Nodes,
    sampler: list[Any],
    style: Path,
    folder: Path,
    drawn_style: bool = False,
    more: Sequence[Any] = (),
) -> Image.Image:
    """The command line's faces and results on one sheet, beside the style's picture or what its code draws.

    more: options of the command.
    """
    sample(sampler, folder / "faces")
    mix(nodes, sampler, style, folder / "mix", more)
    faces = [load_image(path) for path in sorted((folder / "faces").glob("*.png"))]
    results = [load_image(path) for path in sorted((folder / "mix" / "results").glob("*.png"))]
    text, alpha, pairing, seed, *_ = nodes.values("StyleMixInject")
    masks = parse_masks(text, generator().num_ws, alpha, seed)
    labels = result_labels(masks, len(faces), 1, pairing)
    shown = draw(load_latents(folder / "mix" / "styles.safetensors")) if drawn_style else load_image(style)
    return to_pil(compare_grid(results, labels, source=faces, style=shown)[0])


def sampling(sampler: list[Any]) -> list[Any]:
    seed, _, count, psi, _, _, noise = sampler
    return ["--seeds", f"{seed}-{seed + count - 1}", "--psi", psi, "--noise", noise]


def command(*arguments: Any) -> None:
    assert cli.main([str(argument) for argument in (*arguments, "--device", "cpu")]) == 0


JOBS: dict[str, Callable[[Nodes, Path, Path], Image.Image]] = {
    job.__name__: job
    for job in (
        a_first_mix,
        study_experiment,
        your_photo_ffhq,
        your_picture,
        layer_by_layer,
        stylegan3_turn_and_shift,
        what_does_each_layer_do,
        only_the_hair,
        mixing_matrix,
        walk_through_six_faces,
        hair_comes_and_goes,
        clip_restyled,
        sliders_nobody_had_to_train,
        slider_from_twenty_faces,
        codes_from_another_tool,
        save_load_blend,
        core_nodes,
        face_in_a_picture,
        photo_inverted,
        encoder_for_my_own_model,
    )
}
"""By the workflow's file name. A workflow that has none fails its test."""
