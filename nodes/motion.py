"""Nodes for moving pictures: codes in order, and films of them."""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from comfy_api.v0_0_2 import io

from ..stylemix_core.checkpoints.base import MOST_CLASSES
from ..stylemix_core.codes.latents import Latents, check_generator
from ..stylemix_core.decoding import draw_each
from ..stylemix_core.errors import StyleMixError
from ..stylemix_core.generator.engine.parts import CHUNK
from ..stylemix_core.motion.curves import EASINGS
from ..stylemix_core.motion.film import ENDINGS, Film, frames_of, stamp_of
from ..stylemix_core.motion.loudness import BANDS, loudness
from ..stylemix_core.motion.walk import CURVES, MOST_FRAMES, SPEEDS, latent_walk, random_walk
from . import host
from .inputs import cutoff_of, filename_prefix_input, noise_mode_input, seed_input, truncation_inputs
from .search_words import search_words
from .sockets import CURVE, GENERATOR, LATENT

SHOWN_EVERY = 24
"""Frames from one preview to the next."""
FOLDER = "png"
"""The format that is a folder of pictures."""


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
        return io.NodeOutput(walk)


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
        )

    @classmethod
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
        return io.NodeOutput(walk)


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
            outputs=[
                CURVE.Output(display_name="curve", tooltip="The curve, for InjectW+."),
                io.Int.Output(display_name="frames", tooltip="How many frames it has."),
            ],
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
            outputs=[
                CURVE.Output(display_name="curve", tooltip="The curve, for InjectW+."),
                io.Int.Output(display_name="frames", tooltip="How many frames it has."),
            ],
        )

    @classmethod
    def execute(
        cls,
        audio: dict[str, Any],
        fps: float,
        frames: int,
        band: str,
        smooth: float,
        gain: float,
        low: float,
        high: float,
    ) -> io.NodeOutput:
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
    ) -> io.NodeOutput:
        host.warn(cls.hidden.unique_id, check_generator(latent, generator.network()))
        file = host.new_file(filename_prefix)
        ending = "" if format == FOLDER else f".{format}"
        stamp = stamp_of(latent, str(generator), noise_mode)
        texts = host.workflow_texts(cls.hidden)
        film = Film(Path(file.path(ending)), len(latent), fps, stamp, texts)
        film = film.begun() or film
        report = host.step_reporter(cls.hidden.unique_id)

        def write(save_memory: bool) -> None:
            def pictures(first: int) -> Iterator[torch.Tensor]:
                codes, most = latent.take(slice(first, None)), 1 if save_memory else CHUNK
                drawn = draw_each(generator.network(), [codes], noise_mode, most=most)
                for place, picture in enumerate(drawn):
                    yield picture
                    newest = None if place % SHOWN_EVERY else picture[None]
                    report(first + place + 1, len(latent), newest)

            film.write(lambda first: frames_of(pictures(first)))

        host.work([generator], CHUNK, 1, write)
        shown = {"filename": film.path.name, "subfolder": file.subfolder, "type": "output"}
        return io.NodeOutput(ui={"images": [shown] if ending else [], "animated": (True,)})
