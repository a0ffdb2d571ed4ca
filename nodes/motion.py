"""Nodes for moving pictures: codes in order, and films of them."""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from comfy_api.v0_0_2 import io

from ..stylemix_core.checkpoints.base import MOST_CLASSES
from ..stylemix_core.codes.latents import Latents, check_generator
from ..stylemix_core.decoding import draw_each
from ..stylemix_core.errors import StyleMixError
from ..stylemix_core.faces.crop import crop_face
from ..stylemix_core.faces.paste import MAX_FEATHER
from ..stylemix_core.faces.transform import MAX_SIZE, MIN_SIZE
from ..stylemix_core.files.writing import sha256
from ..stylemix_core.generator.engine.parts import CHUNK
from ..stylemix_core.images import comfy_to_pil, pil_to_comfy
from ..stylemix_core.inversion import check_encoder
from ..stylemix_core.masks.mask_list import MaskText
from ..stylemix_core.mixing.inject import Injection
from ..stylemix_core.motion.clip import Clip
from ..stylemix_core.motion.curves import EASINGS
from ..stylemix_core.motion.film import (
    CODECS,
    ENDINGS,
    FOLDER,
    Film,
    Frame,
    columns_for,
    drawn,
    named,
    side_by_side,
    stamp_of,
)
from ..stylemix_core.motion.loudness import BANDS, loudness
from ..stylemix_core.motion.restyle import ONE_MASK, TUNED_TO, Followed
from ..stylemix_core.motion.tracking import crops, follow, look
from ..stylemix_core.motion.walk import CURVES, MOST_FRAMES, SPEEDS, latent_walk, random_walk
from . import host, live
from .inputs import (
    alpha_input,
    cutoff_of,
    filename_prefix_input,
    mask_list_input,
    mask_seed_input,
    masks_input,
    noise_mode_input,
    seed_input,
    truncation_inputs,
)
from .search_words import search_words
from .sockets import CURVE, ENCODER, GENERATOR, LATENT, TRANSFORM

SHOWN_EVERY = 24
"""Frames from one preview to the next."""
"""The format that is a folder of pictures."""


def face_input() -> io.Int.Input:
    """Who is followed through a clip."""
    return io.Int.Input(
        "face",
        default=-1,
        min=-1,
        max=99,
        tooltip="Which face of the first frame that has one, 0 the leftmost. -1: the largest.",
    )


def curve_outputs() -> list[io.Output]:
    return [
        CURVE.Output(display_name="curve", tooltip="The curve, for InjectW+."),
        io.Int.Output(display_name="frames", tooltip="How many frames it has."),
    ]


def shown_film(film: Film, subfolder: str) -> dict[str, Any]:
    """What shows a film on its node; for `ui`. A folder of pictures is not shown."""
    shown = {"filename": film.path.name, "subfolder": subfolder, "type": "output"}
    return {"images": [shown] if film.ending else [], "animated": (True,)}


def scrubbed(generator: host.AnyModel, walk: Latents) -> dict[str, Any]:
    """Lets the page show any frame of a walk, drawn by its generator; for `ui`."""
    live.drew(generator, walk, "const")
    return live.faces(walk)


class LatentWalk(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="StyleMixLatentWalk",
            display_name="Latent Walk",
            category="StyleMix/motion",
            description="Walk from face to face: one W+ code per frame, for StyleGAN2Decode or Save Face Film.",
            **search_words(
                "walk", "interpolate", "morph", "animation", "video", "keyframes", "StyleGAN", "W+"
            ),
            **host.shows(),
            inputs=[
                GENERATOR.Input(
                    "generator", tooltip="The generator of the codes. It measures the visible speed."
                ),
                LATENT.Input("latent", tooltip="The keyframes, in order: Batch W+ joins them."),
                io.Int.Input(
                    "frames",
                    default=48,
                    min=1,
                    max=MOST_FRAMES,
                    tooltip="From each keyframe to the next. Of a circle, once around.",
                ),
                io.Combo.Input(
                    "curve",
                    options=list(CURVES),
                    default="cubic",
                    tooltip="cubic: smooth, through every keyframe. linear: straight. slerp: through z, where every "
                    "frame is as likely a face as any; for codes of seeds. circle: around the first of three faces.",
                ),
                io.Combo.Input(
                    "speed",
                    options=list(SPEEDS),
                    default="visible",
                    tooltip="visible: the picture changes by the same amount from frame to frame. even: the same "
                    "number of frames from keyframe to keyframe.",
                ),
                io.Boolean.Input(
                    "loop",
                    default=True,
                    tooltip="Lead back to the first keyframe, so that the film can be repeated without a jump.",
                ),
                io.Int.Input(
                    "hold", default=0, min=0, max=MOST_FRAMES, tooltip="Frames to stay at each keyframe."
                ),
                io.Combo.Input(
                    "ease",
                    options=list(EASINGS),
                    default="none",
                    tooltip="Slow down after keyframes (in), before them (out) or both; for speed even.",
                ),
            ],
            outputs=[LATENT.Output(display_name="latent", tooltip="The W+ codes, one per frame.")],
            hidden=[io.Hidden.unique_id],
        )

    @classmethod
    @host.speaking
    def execute(
        cls,
        generator: host.AnyModel,
        latent: Latents,
        frames: int,
        curve: str,
        speed: str,
        loop: bool,
        hold: int,
        ease: str,
    ) -> io.NodeOutput:
        host.warn(cls.hidden.unique_id, check_generator(latent, generator.network()))
        report = host.step_reporter(cls.hidden.unique_id)
        walk = host.work(
            [generator],
            CHUNK,
            1,
            lambda save_memory: latent_walk(
                latent,
                frames,
                curve,
                loop,
                speed,
                generator.network(),
                holds=hold,
                easing=ease,
                on_step=report,
                chunk=1 if save_memory else CHUNK,
            ),
        )
        return io.NodeOutput(walk, ui=scrubbed(generator, walk))


class RandomWalk(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="StyleMixRandomWalk",
            display_name="Random Walk",
            category="StyleMix/motion",
            description="Wander through faces without an aim: one W+ code per frame. The same seed gives the same "
            "walk.",
            **search_words("walk", "wander", "animation", "video", "noise", "StyleGAN", "W+"),
            **host.shows(),
            inputs=[
                GENERATOR.Input("generator", tooltip="The generator, from Load StyleGAN2."),
                seed_input("Which walk."),
                io.Int.Input("frames", default=120, min=2, max=MOST_FRAMES, tooltip="How many frames."),
                io.Float.Input(
                    "smooth",
                    default=24.0,
                    min=0.5,
                    max=10000.0,
                    step=0.5,
                    tooltip="Over how many frames the walk is averaged: more is calmer.",
                ),
                *truncation_inputs(),
                io.Int.Input(
                    "class_label",
                    default=-1,
                    min=-1,
                    max=MOST_CLASSES - 1,
                    tooltip="Which class to draw, for generators with classes. -1: none.",
                ),
                io.Boolean.Input(
                    "loop", default=True, tooltip="Lead back to the first frame without a jump."
                ),
            ],
            outputs=[LATENT.Output(display_name="latent", tooltip="The W+ codes, one per frame.")],
            hidden=[io.Hidden.unique_id],
        )

    @classmethod
    @host.speaking
    def execute(
        cls,
        generator: host.AnyModel,
        seed: int,
        frames: int,
        smooth: float,
        truncation_psi: float,
        truncation_cutoff: int,
        class_label: int,
        loop: bool,
    ) -> io.NodeOutput:
        walk = random_walk(
            host.placed(generator),
            frames,
            seed,
            smooth,
            truncation_psi,
            cutoff_of(truncation_cutoff),
            None if class_label < 0 else class_label,
            loop,
        )
        return io.NodeOutput(walk, ui=scrubbed(generator, walk))


class StrengthCurve(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="StyleMixStrengthCurve",
            display_name="Strength Curve",
            category="StyleMix/motion",
            description="Make a curve for InjectW+ of the numbers, one per frame, that any other node gives.",
            **search_words("curve", "float list", "keyframes", "schedule", "animation", "StyleGAN", "W+"),
            is_input_list=True,
            inputs=[
                io.Float.Input(
                    "values",
                    force_input=True,
                    tooltip="The numbers: a list, or several. 1 leaves InjectW+'s strengths as they are, 0 is none.",
                )
            ],
            outputs=curve_outputs(),
        )

    @classmethod
    def execute(cls, values: list[Any]) -> io.NodeOutput:
        curve = tuple(
            float(value) for item in values for value in (item if isinstance(item, list | tuple) else [item])
        )
        if not all(map(math.isfinite, curve)):
            raise StyleMixError(
                "the curve holds numbers that are not finite; look at the node before this one"
            )
        return io.NodeOutput(curve, len(curve))


class LoudnessCurve(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="StyleMixLoudnessCurve",
            display_name="Loudness Curve",
            category="StyleMix/motion",
            description="Make a curve of how loud a sound is at each frame, so that InjectW+ follows the music.",
            **search_words(
                "audio", "music", "beat", "loudness", "curve", "reactive", "animation", "StyleGAN"
            ),
            inputs=[
                io.Audio.Input("audio", tooltip="The sound, from Load Audio."),
                io.Float.Input(
                    "fps",
                    default=24.0,
                    min=0.01,
                    max=1000.0,
                    step=0.01,
                    tooltip="Frames a second of the film.",
                ),
                io.Int.Input(
                    "frames",
                    default=0,
                    min=0,
                    max=MOST_FRAMES,
                    tooltip="How many frames; beyond the end of the sound it is silent. 0: as long as the sound.",
                ),
                io.Combo.Input(
                    "band",
                    options=list(BANDS),
                    default="all",
                    tooltip="What of the sound is heard: all, bass (below 250 Hz), middle, treble (above 4000 Hz).",
                ),
                io.Float.Input(
                    "smooth",
                    default=2.0,
                    min=0.0,
                    max=1000.0,
                    step=0.5,
                    tooltip="Over how many frames loudness is averaged: more is calmer.",
                ),
                io.Float.Input(
                    "gain",
                    default=1.0,
                    min=0.0,
                    max=100.0,
                    step=0.1,
                    tooltip="Above 1, quieter parts reach high as well.",
                ),
                io.Float.Input(
                    "low", default=0.0, min=-3.0, max=3.0, step=0.05, tooltip="The curve where it is silent."
                ),
                io.Float.Input(
                    "high",
                    default=1.0,
                    min=-3.0,
                    max=3.0,
                    step=0.05,
                    tooltip="The curve where it is loudest.",
                ),
            ],
            outputs=curve_outputs(),
        )

    @classmethod
    def execute(
        cls,
        audio: dict[str, Any] | None,
        fps: float,
        frames: int,
        band: str,
        smooth: float,
        gain: float,
        low: float,
        high: float,
    ) -> io.NodeOutput:
        if audio is None:  # as Get Video Components gives it
            raise StyleMixError("the clip has no sound; take a file that has, with Load Audio")
        sound, rate = audio["waveform"][0], audio["sample_rate"]
        curve = loudness(sound, rate, fps, frames or None, band, smooth, gain, low, high)
        return io.NodeOutput(curve, len(curve))


class SaveFilm(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="StyleMixSaveFilm",
            display_name="Save Face Film",
            category="StyleMix/motion",
            description="Draw W+ codes and save them as a film, frame by frame, so that thousands of frames need no "
            "more memory than a few. A film that was stopped goes on where it was.",
            **search_words("video", "film", "mp4", "webm", "gif", "animation", "save", "StyleGAN", "W+"),
            is_output_node=True,
            inputs=[
                GENERATOR.Input("generator", tooltip="Draws the frames."),
                LATENT.Input("latent", tooltip="The W+ codes, one per frame, from Latent Walk or InjectW+."),
                io.Float.Input(
                    "fps", default=24.0, min=0.01, max=1000.0, step=0.01, tooltip="Frames a second."
                ),
                io.Combo.Input(
                    "format",
                    options=[*(ending[1:] for ending in ENDINGS), FOLDER],
                    default="mp4",
                    tooltip="mp4: H.264, plays everywhere. webm: VP9. mov: ProRes, for editing. webp and gif: "
                    "animations, for short films. png: a folder of pictures.",
                ),
                noise_mode_input(),
                filename_prefix_input("films"),
                io.Int.Input(
                    "walks",
                    default=1,
                    min=1,
                    max=100,
                    optional=True,
                    tooltip="How many equally long walks the codes are, one after the other, as Batch W+ joins them. "
                    "They are shown side by side.",
                ),
            ],
            hidden=[io.Hidden.unique_id],
        )

    @classmethod
    @host.speaking
    def execute(
        cls,
        generator: host.AnyModel,
        latent: Latents,
        fps: float,
        format: str,
        noise_mode: str,
        filename_prefix: str,
        walks: int = 1,
    ) -> io.NodeOutput:
        host.warn(cls.hidden.unique_id, check_generator(latent, generator.network()))
        columns, latent = columns_for(walks), side_by_side(latent, walks)
        count = len(latent) // walks
        file = host.new_file(filename_prefix)
        stamp = stamp_of(latent, generator.network(), str(generator), noise_mode, walks)
        texts = host.workflow_texts(cls.hidden)
        film = Film(named(Path(file.path("")), format), count, fps, stamp, texts)
        film = film.begun() or film
        report = host.step_reporter(cls.hidden.unique_id)

        def write(save_memory: bool) -> None:
            newest: torch.Tensor | None = None

            def draw(codes: Latents) -> Iterator[torch.Tensor]:
                nonlocal newest
                most = 1 if save_memory else CHUNK
                for picture in draw_each(generator.network(), [codes], noise_mode, most=most):
                    newest = picture
                    yield picture

            def told(done: int) -> None:
                shown = None if newest is None or done % SHOWN_EVERY else newest[None]
                report(done, count, shown)

            film.write(drawn(latent, draw, columns, walks // columns), told)

        host.work([generator], CHUNK, 1, write)
        return io.NodeOutput(ui=shown_film(film, file.subfolder))


class TrackFace(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="StyleMixTrackFace",
            display_name="Track Face",
            category="StyleMix/motion",
            description="Crop one person's face in every frame of a clip, steadily, for PSPEncode, InjectW+ and Paste "
            "Face Back.",
            **search_words("track", "video", "crop", "stabilise", "align", "face", "frames"),
            inputs=[
                io.Image.Input("image", tooltip="The frames, in order: Get Video Components gives them."),
                face_input(),
                io.Int.Input(
                    "size",
                    default=256,
                    min=MIN_SIZE,
                    max=MAX_SIZE,
                    tooltip="Side of the crops in pixels: what the encoder reads, or more.",
                ),
            ],
            outputs=[
                io.Image.Output(
                    display_name="face", tooltip="The crops, one for each frame that shows the face."
                ),
                TRANSFORM.Output(display_name="transform", tooltip="Where they were, for Paste Face Back."),
            ],
            hidden=[io.Hidden.unique_id],
        )

    @classmethod
    @host.speaking
    def execute(cls, image: torch.Tensor, face: int, size: int) -> io.NodeOutput:
        report = host.step_reporter(cls.hidden.unique_id)

        def frames() -> Iterator[Frame]:
            for number in range(len(image)):
                (picture,) = comfy_to_pil(image[number : number + 1])
                yield np.asarray(picture)

        seen = []
        for frame in look(frames()):
            seen.append(frame)
            report(len(seen), len(image))
        found = follow(seen, None if face < 0 else face)
        height, width = image.shape[1:3]
        transforms = [each for each in crops(seen, found, (width, height), size) if each is not None]
        cropped = []
        for transform in transforms:
            (picture,) = comfy_to_pil(image[transform.picture : transform.picture + 1])
            cropped.append(crop_face(picture, transform))
        if len(transforms) < len(image):
            host.tell(cls.hidden.unique_id, f"{len(transforms)} of {len(image)} frames show the face")
        return io.NodeOutput(pil_to_comfy(cropped), tuple(transforms))


class RestyleFilm(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="StyleMixRestyleFilm",
            display_name="Restyle Face Film",
            category="StyleMix/motion",
            description="Give the face in a clip layers of a style, frame by frame, and save the film with its sound. "
            "One person is followed, encoded, changed, drawn and pasted back.",
            **search_words("video", "restyle", "hair", "face swap", "film", "mp4", "StyleGAN", "pSp", "W+"),
            is_output_node=True,
            inputs=[
                GENERATOR.Input("generator", tooltip="Draws the faces."),
                ENCODER.Input("encoder", tooltip="Reads the faces of the clip."),
                io.Video.Input(
                    "video", tooltip="The clip, from Load Video. It may be long: few frames are in memory."
                ),
                LATENT.Input("style", tooltip="The style whose layers are put in: one code."),
                mask_list_input("4-5"),
                alpha_input(),
                mask_seed_input(),
                face_input(),
                io.Boolean.Input(
                    "steady",
                    default=True,
                    tooltip="Average colours and small structure over each scene, so that they do not flicker.",
                ),
                io.Float.Input(
                    "feather",
                    default=0.1,
                    min=0.0,
                    max=MAX_FEATHER,
                    step=0.01,
                    tooltip="Width of the soft edge around what is pasted, of the face's side.",
                ),
                io.Combo.Input(
                    "format",
                    options=[ending[1:] for ending in CODECS],
                    default="mp4",
                    tooltip="mp4: H.264, plays everywhere. webm: VP9. mov: ProRes, for editing.",
                ),
                noise_mode_input(),
                filename_prefix_input("films"),
                masks_input(),
                io.Int.Input(
                    "tune_steps",
                    default=0,
                    min=0,
                    max=10_000,
                    optional=True,
                    tooltip="Tune the generator to the face first, once for all frames, for so many steps, such as "
                    "100: nearer to the face, and slower. 0: off.",
                ),
                io.Int.Input(
                    "seam_steps",
                    default=0,
                    min=0,
                    max=10_000,
                    optional=True,
                    tooltip="Then tune it, for so many steps, such as 50, to draw around the changed heads what the "
                    "clip has there: a seam that is not seen. 0: off.",
                ),
            ],
            outputs=[
                LATENT.Output(
                    display_name="latent", tooltip="The changed codes, one for each frame with the face."
                )
            ],
            hidden=[io.Hidden.unique_id],
        )

    @classmethod
    @host.speaking
    def execute(
        cls,
        generator: host.AnyModel,
        encoder: host.Model,
        video: Any,
        style: Latents,
        mask_list: str,
        alpha: float,
        seed: int,
        face: int,
        steady: bool,
        feather: float,
        format: str,
        noise_mode: str,
        filename_prefix: str,
        masks: object = None,
        tune_steps: int = 0,
        seam_steps: int = 0,
    ) -> io.NodeOutput:
        node_id = cls.hidden.unique_id
        host.warn(node_id, check_encoder(encoder.network(), generator.network()))
        text = MaskText.of(mask_list if masks is None else masks, alpha, seed)
        injection = Injection(text.resolve(generator.network().num_ws))  # before anything that takes long
        if len(injection.masks.strengths) != 1:
            raise StyleMixError(ONE_MASK)
        clip = Clip.of(host.film_file(video))
        followed = Followed.of(clip, None if face < 0 else face, on_step=host.step_reporter(node_id))
        codes = host.work(
            [encoder],
            CHUNK,
            1,
            lambda save_memory: followed.encode(
                encoder.network(), steady, 1 if save_memory else CHUNK, host.step_reporter(node_id)
            ),
        )
        injected = injection.run(codes, style)
        for warning in injected.warnings:
            host.warn(node_id, warning)
        if len(injected.codes) != len(codes):
            raise StyleMixError(ONE_MASK)
        if tune_steps:
            tuning = host.descend(
                [generator, encoder],
                TUNED_TO,
                lambda save_memory: followed.tune(
                    generator.network(),
                    encoder.network(),
                    tune_steps,
                    host.step_reporter(node_id),
                    save_memory,
                ),
            )
            generator = host.tuned(generator, tuning.delta)
        if seam_steps:
            tuning = host.descend(
                [generator],
                TUNED_TO,
                lambda save_memory: followed.tune_seam(
                    generator.network(),
                    injected.codes,
                    seam_steps,
                    noise_mode,
                    host.step_reporter(node_id),
                    save_memory,
                ),
            )
            generator = host.tuned(generator, tuning.delta)
        file, ending = host.new_file(filename_prefix), f".{format}"
        stamp = stamp_of(
            injected.codes, generator.network(), str(generator), noise_mode, feather, sha256(clip.path)
        )
        film = Film(
            Path(file.path(ending)),
            len(clip),
            float(clip.rate),
            stamp,
            host.workflow_texts(cls.hidden),
            clip.path if clip.sound else None,
        )
        film = film.begun() or film
        report = host.step_reporter(node_id)

        def write(save_memory: bool) -> None:
            chunk = 1 if save_memory else CHUNK
            film.write(
                lambda first: followed.frames(
                    generator.network(), injected.codes, first, noise_mode, feather, chunk
                ),
                lambda done: report(done, len(clip)),
            )

        host.work([generator], CHUNK, 1, write)
        host.tell(node_id, f"{len(codes)} of {len(clip)} frames show the face")
        return io.NodeOutput(injected.codes, ui=shown_film(film, file.subfolder))
