"""Nodes that make directions by example and tell what directions change."""

import weakref
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
from comfy_api.v0_0_2 import io

from ..stylemix_core.analysis.direction_effects import (
    condition_on_effects,
    explained,
    measure_directions,
)
from ..stylemix_core.codes.channel_directions import style_channels
from ..stylemix_core.codes.derived_directions import condition_directions
from ..stylemix_core.codes.directions import (
    Directions,
    check_confidence,
    check_directions,
    meant_layers,
    moved,
)
from ..stylemix_core.codes.latents import Latents, check_generator
from ..stylemix_core.codes.learning import FEWEST, learn_direction
from ..stylemix_core.codes.sampling import sample_latents
from ..stylemix_core.codes.sorting import ask_next, read_choices
from ..stylemix_core.decoding import decode
from ..stylemix_core.encoder.identity import find_identity
from ..stylemix_core.errors import StyleMixError
from ..stylemix_core.images import to_comfy
from . import host
from .inputs import AUTO, region_source, region_source_input, seed_input
from .search_words import search_words
from .sockets import DIRECTIONS, ENCODER, GENERATOR, LATENT

MOST_FACES = 96
DRAWN, THUMBNAIL = 256, 128
"""Pixels in which faces to sort are drawn, at most, and shown."""
WITH_RGBS, WITHOUT_RGBS = "StyleSpace (with to-RGBs)", "StyleCLIP (convolutions)"


class LearnDirection(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="StyleMixLearnDirection",
            display_name="Learn Direction · slider from examples",
            category="StyleMix/directions",
            description="Learn a slider from faces with a feature and faces without it: ten of both are "
            "enough. Says how far to trust it.",
            **search_words(
                "train", "slider", "InterFaceGAN", "SVM", "attribute", "examples", "edit", "StyleGAN", "W+"
            ),
            **host.shows(),
            inputs=[
                GENERATOR.Input("generator", tooltip="The generator that the codes are for."),
                LATENT.Input("positive", tooltip="Faces that have it: three at least, better ten or more."),
                LATENT.Input("negative", tooltip="Faces without it."),
                io.String.Input(
                    "name", default="smile", dynamic_prompts=False, tooltip="What to call the direction."
                ),
                io.Boolean.Input(
                    "pairs",
                    default=False,
                    tooltip="Whether both are the same faces, after and before, in the same order. Then what sets the "
                    "faces apart drops out.",
                ),
                seed_input("Of the shuffled labels that the direction is compared with."),
            ],
            outputs=[
                DIRECTIONS.Output(
                    display_name="directions",
                    tooltip="The direction; strength 1 is the typical difference of the two groups.",
                ),
                io.String.Output(
                    display_name="report", tooltip="Its layers, and how far to trust it, by faces held out."
                ),
            ],
            hidden=[io.Hidden.unique_id],
        )

    @classmethod
    @host.speaking
    def execute(
        cls, generator: host.AnyModel, positive: Latents, negative: Latents, name: str, pairs: bool, seed: int
    ) -> io.NodeOutput:
        for side in (positive, negative):
            host.warn(cls.hidden.unique_id, check_generator(side, generator.network()))
        found = learn_direction(
            host.placed(generator),
            positive,
            negative,
            name.strip() or "learnt",
            pairs,
            seed,
            host.step_reporter(cls.hidden.unique_id),
        )
        host.warn(cls.hidden.unique_id, check_confidence(found))
        return io.NodeOutput(found, found.report())


class SortFaces(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="StyleMixSortFaces",
            display_name="Sort Faces · slider by clicking",
            category="StyleMix/directions",
            description="Make a slider by sorting faces: click those with a feature to the right and "
            "those without it to the left.",
            **search_words(
                "sort", "label", "click", "slider", "attribute", "active learning", "StyleGAN", "W+"
            ),
            is_output_node=True,
            inputs=[
                GENERATOR.Input("generator", tooltip="Draws the faces to sort."),
                seed_input(
                    "Of the first face; the next ones have the next seeds. Another seed brings other faces."
                ),
                io.Int.Input(
                    "count", default=24, min=6, max=MOST_FACES, tooltip="How many faces there are to sort."
                ),
                io.Float.Input(
                    "truncation_psi",
                    default=0.9,
                    min=0.0,
                    max=2.0,
                    step=0.01,
                    tooltip="How varied they are. 0.7 gives good pictures, 1 the full variety.",
                ),
                io.String.Input(
                    "name", default="mine", dynamic_prompts=False, tooltip="What to call the direction."
                ),
                io.String.Input(
                    "choices",
                    default="",
                    dynamic_prompts=False,
                    tooltip="What was sorted so far: +3 for the third face if it has it, -3 if it lacks it. "
                    "The faces below write it.",
                ),
            ],
            outputs=[
                DIRECTIONS.Output(
                    display_name="directions", tooltip="The direction, as soon as three of both are sorted."
                ),
                io.String.Output(display_name="report", tooltip="Its layers, and how far to trust it."),
                LATENT.Output(display_name="positive", tooltip="The faces that have it."),
                LATENT.Output(display_name="negative", tooltip="The faces without it."),
            ],
            hidden=[io.Hidden.unique_id],
        )

    @classmethod
    def validate_inputs(cls, choices: str | None, count: int | None) -> bool | str:
        try:
            if choices is not None and count is not None:  # wired values are not known yet
                read_choices(choices, count)
        except StyleMixError as error:
            return str(error)
        return True

    @classmethod
    @host.speaking
    def execute(
        cls, generator: host.AnyModel, seed: int, count: int, truncation_psi: float, name: str, choices: str
    ) -> io.NodeOutput:
        runner = partial(host.run, generator)
        label = 0 if generator.network().c_dim else None
        faces = sample_latents(
            generator.network(), range(seed, seed + count), truncation_psi, None, label, runner
        )
        positive, negative = read_choices(choices, count)
        shown: dict[str, list[Any]] = {"stylemix_faces": thumbnails(generator, faces)}
        if min(len(positive), len(negative)) < FEWEST:
            asked = ask_next(faces, positive, negative, None)
            return io.NodeOutput(*host.not_yet(4), ui=shown | {"stylemix_asked": asked})
        sides = faces.take(positive), faces.take(negative)
        found = learn_direction(host.placed(generator), *sides, name.strip() or "learnt")
        middle = Latents.of(faces.w.mean(0), "average")
        strip = decoded(generator, moved(middle, found, [0], [-1.5, 0.0, 1.5], meant_layers(middle, found)))
        shown |= {
            "stylemix_asked": ask_next(faces, positive, negative, found),
            "stylemix_strip": host.temporary_pictures(strip, THUMBNAIL),
            "stylemix_report": found.trust(),
        }
        return io.NodeOutput(found, found.report(), *sides, ui=shown)


def thumbnails(generator: host.AnyModel, faces: Latents) -> list[dict[str, str]]:
    """Small pictures of faces, which are drawn once: sorting runs the node with every choice."""
    if _shown.generator() is not generator or _shown.origins != faces.origins:  # tunings share a fingerprint
        pictures = host.temporary_pictures(decoded(generator, faces), THUMBNAIL)
        _shown.generator, _shown.origins, _shown.pictures = weakref.ref(generator), faces.origins, pictures
    return _shown.pictures


def decoded(generator: host.AnyModel, codes: Latents) -> torch.Tensor:
    """Small pictures of codes, as IMAGE."""
    inside = [size for size in generator.network().synthesis.colour_resolutions if size <= DRAWN]
    resolution = max(inside, default=None)  # StyleGAN3 has no smaller picture inside
    pictures = host.run(
        generator,
        len(codes),
        lambda network, items: decode(network, codes.take(items), resolution=resolution),
    )
    return to_comfy(pictures)


@dataclass
class _Shown:
    """The faces of the last run of Sort Faces."""

    generator: Callable[[], host.AnyModel | None] = lambda: None
    origins: tuple[str, ...] = ()
    pictures: list[dict[str, str]] = field(default_factory=list)


_shown = _Shown()


class ConditionDirections(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="StyleMixConditionDirections",
            display_name="Condition Directions · smile but not age",
            category="StyleMix/directions",
            description="Take out of directions what others do: a smile that does not age.",
            **search_words(
                "disentangle", "orthogonal", "conditional", "InterFaceGAN", "slider", "StyleGAN", "W+"
            ),
            **host.shows(),
            inputs=[
                DIRECTIONS.Input("directions", tooltip="The directions to free of the others."),
                DIRECTIONS.Input("others", tooltip="What they shall not do."),
                GENERATOR.Input(
                    "generator",
                    optional=True,
                    tooltip="With latent: measures in pictures what the others change, and takes that out. Without: "
                    "directions are made orthogonal in W+, layer by layer.",
                ),
                LATENT.Input("latent", optional=True, tooltip="Faces to measure on; two or four are enough."),
            ],
            outputs=[
                DIRECTIONS.Output(display_name="directions", tooltip="The directions without the others.")
            ],
            hidden=[io.Hidden.unique_id],
        )

    @classmethod
    @host.speaking
    def execute(
        cls,
        directions: Directions,
        others: Directions,
        generator: host.AnyModel | None = None,
        latent: Latents | None = None,
    ) -> io.NodeOutput:
        if generator is None or latent is None:
            if generator is not None or latent is not None:
                host.warn(
                    cls.hidden.unique_id,
                    "to measure in pictures, connect both generator and latent; with one of them alone directions are "
                    "made orthogonal in W+",
                )
            return io.NodeOutput(condition_directions(directions, others))
        host.warn(cls.hidden.unique_id, check_generator(latent, generator.network()))
        runner = partial(host.run, generator)
        return io.NodeOutput(condition_on_effects(generator.network(), latent, directions, others, runner))


class ExplainDirections(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="StyleMixExplainDirections",
            display_name="Explain Directions",
            category="StyleMix/directions",
            description="Tell what directions change, and name those that have a number only; those that hardly change "
            "anything come last.",
            **search_words(
                "explain", "name", "slider", "SeFa", "GANSpace", "what does it do", "StyleGAN", "W+"
            ),
            **host.shows(),
            inputs=[
                GENERATOR.Input("generator", tooltip="Draws the faces."),
                LATENT.Input("latent", tooltip="Faces to measure on; two or four are enough."),
                DIRECTIONS.Input("directions", tooltip="The directions to explain."),
                ENCODER.Input("encoder", optional=True, tooltip="Tells how far they move the identity."),
                region_source_input("regions_by", optional=True),
            ],
            outputs=[
                DIRECTIONS.Output(
                    display_name="directions",
                    tooltip="The same, named, for Direction Sheet and Save Directions.",
                ),
                io.String.Output(
                    display_name="report",
                    tooltip="One line per direction: its name, how much it changes, and where.",
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
        directions: Directions,
        encoder: host.Model | None = None,
        regions_by: str = AUTO,
    ) -> io.NodeOutput:
        host.warn(cls.hidden.unique_id, check_generator(latent, generator.network()))
        host.warn(cls.hidden.unique_id, check_directions(latent, directions))
        effects = measure_directions(
            generator.network(),
            latent,
            directions,
            region_source(regions_by),
            find_identity(
                host.arcface_file(),
                None if encoder is None else encoder.network(),
                generator.handle().load_device,
            ),
            partial(host.run, generator, beside=[] if encoder is None else [encoder]),
        )
        return io.NodeOutput(explained(directions, effects), "\n".join(effect.line() for effect in effects))


class StyleChannels(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="StyleMixStyleChannels",
            display_name="Style Channels",
            category="StyleMix/directions",
            description="Use single style channels as directions, as StyleSpace and StyleCLIP name them.",
            **search_words("StyleSpace", "StyleCLIP", "channel", "S space", "slider", "StyleGAN"),
            inputs=[
                GENERATOR.Input("generator", tooltip="The generator whose channels are meant."),
                io.String.Input(
                    "channels",
                    default="6:50",
                    multiline=True,
                    dynamic_prompts=False,
                    tooltip="Module and channel, several separated by commas or lines: 6:50, 9:40.",
                ),
                io.Combo.Input(
                    "numbering",
                    options=[WITH_RGBS, WITHOUT_RGBS],
                    default=WITH_RGBS,
                    tooltip="How modules are counted. StyleSpace: 4 conv1, 4 rgb, 8 conv0, 8 conv1, 8 rgb, … "
                    "StyleCLIP: the convolutions alone.",
                ),
            ],
            outputs=[
                DIRECTIONS.Output(
                    display_name="directions",
                    tooltip="One per channel; strength 1 is a standard deviation of sampled faces.",
                )
            ],
        )

    @classmethod
    def execute(cls, generator: host.AnyModel, channels: str, numbering: str) -> io.NodeOutput:
        return io.NodeOutput(style_channels(host.placed(generator), channels, numbering == WITH_RGBS))
