"""Inputs that several nodes have, and what reads them. Their limits are the core's."""

from typing import Any

from comfy_api.v0_0_2 import io

from ..stylemix_core.codes.latents import Latents, check_generator
from ..stylemix_core.codes.seed_text import MAX_SEED
from ..stylemix_core.encoder.config import MAX_WS
from ..stylemix_core.errors import StyleMixError
from ..stylemix_core.faces.regions import SOURCES
from ..stylemix_core.files.endings import EXPORTS
from ..stylemix_core.generator.engine.noise import NOISE_MODES
from ..stylemix_core.masks.grammar import MAX_STRENGTH, MIN_STRENGTH, STUDY_SWEEP
from ..stylemix_core.masks.mask_list import MaskList, MaskText
from ..stylemix_core.mixing.pairing import PAIRINGS, check_styles
from . import host
from .sockets import GENERATOR, LATENT, MASKS, MOVE

AUTO, *KINDS = SOURCES
OWN_FORMAT = "safetensors"
PARSING = "face parsing file"


def seed_input(tooltip: str, control_after_generate: bool = False) -> io.Int.Input:
    """control_after_generate: whether the page offers to change it by itself, which makes everything behind it anew."""
    return io.Int.Input(
        "seed",
        default=0,
        min=0,
        max=MAX_SEED,
        control_after_generate=control_after_generate,
        tooltip=tooltip,
    )


def truncation_inputs() -> list[io.Input]:
    """How far from the average face, and on which layers; `cutoff_of` reads the second."""
    return [
        io.Float.Input(
            "truncation_psi",
            default=0.7,
            min=-2.0,
            max=2.0,
            step=0.01,
            tooltip="How far from the average face. 0 is the average itself, 0.7 gives good pictures, 1 the "
            "full variety with odd ones among them; negative values give opposites.",
        ),
        io.Int.Input(
            "truncation_cutoff",
            default=-1,
            min=-1,
            # The model is not known yet, and has fewer.
            max=MAX_WS,
            tooltip="How many layers truncation_psi acts on, counted from the coarsest; at most as many as the model "
            "has. -1: on all of them. "
            "8 keeps shapes typical while colours vary freely.",
        ),
    ]


def cutoff_of(truncation_cutoff: int) -> int | None:
    """What the core takes for it: None for all layers."""
    return None if truncation_cutoff < 0 else truncation_cutoff


def noise_mode_input() -> io.Combo.Input:
    return io.Combo.Input(
        "noise_mode",
        options=list(NOISE_MODES),
        default="const",
        tooltip="Fine detail such as single hairs. const: the same in every picture, so that pictures can be "
        "compared. random: different in every picture of a batch. none: without, which looks smoother.",
    )


def move_input() -> io.Input:
    return MOVE.Input(
        "move", optional=True, tooltip="From Turn and Shift. Only StyleGAN3 can turn and shift its pictures."
    )


def mask_list_input(default: str = STUDY_SWEEP) -> io.String.Input:
    return io.String.Input(
        "mask_list",
        multiline=True,
        default=default,
        dynamic_prompts=False,
        tooltip="Which layers to take from the style. Masks are separated by ; or line breaks, each gives "
        "one result. A mask is a list of layers (0, 2, 5), ranges (0-6) and names (all, none, pose, coarse, "
        "middle, fine, random(3)). A label may come first, as in hair: 2-6, and a strength after an at sign. "
        "# starts a comment.",
    )


def strength_input(name: str, default: float, tooltip: str) -> io.Float.Input:
    return io.Float.Input(
        name, default=default, min=MIN_STRENGTH, max=MAX_STRENGTH, step=0.05, tooltip=tooltip
    )


def alpha_input() -> io.Float.Input:
    return strength_input(
        "alpha",
        1.0,
        "Strength where the mask list names none. 0 keeps the source, 1 takes the style, more exaggerates it, negative "
        "values go the opposite way.",
    )


def mask_seed_input() -> io.Int.Input:
    return seed_input("Which layers random in a mask list draws. Without random it does nothing.")


def masks_input(replaces: str = "mask_list, alpha and seed") -> io.Input:
    """replaces: the inputs in whose place it is."""
    return MASKS.Input("masks", optional=True, tooltip=f"A mask list from another node. Replaces {replaces}.")


def pairing_input() -> io.Combo.Input:
    return io.Combo.Input(
        "pairing",
        options=list(PAIRINGS),
        default="match",
        tooltip="match: the one style for all sources, or the first style for the first source, and so "
        "on. all: every style for every source.",
    )


def codes_inputs() -> list[io.Input]:
    """The codes that are mixed."""
    return [
        LATENT.Input("latent", tooltip="The source: codes that keep what the masks leave alone."),
        LATENT.Input("style", tooltip="The style: codes whose layers are put in."),
    ]


def mixing_inputs(masks: str) -> list[io.Input]:
    """What to mix, and how; `checked_masks` reads it, and `masks_input`, which goes last.

    masks: the mask list that stands there first.
    """
    return [
        GENERATOR.Input("generator", tooltip="Draws the faces."),
        *codes_inputs(),
        mask_list_input(masks),
        alpha_input(),
        mask_seed_input(),
    ]


def checked_masks(
    cls: Any,
    generator: host.AnyModel,
    latent: Latents,
    style: Latents,
    mask_list: str,
    alpha: float,
    seed: int,
    masks: object,
) -> MaskList:
    """The masks for the codes; warns at the node when codes and generator do not belong together."""
    host.warn(cls.hidden.unique_id, check_generator(latent, generator.network()))
    host.warn(cls.hidden.unique_id, check_styles(latent, style))
    return MaskText.of(mask_list if masks is None else masks, alpha, seed).resolve(latent.w.shape[1])


def filename_prefix_input(folder: str) -> io.String.Input:
    """Where `host.new_file` puts a file. folder: below the output folder, for those who name none."""
    return io.String.Input(
        "filename_prefix",
        default=f"{folder}/StyleMix",
        tooltip="Name of the file, with folders if you like. A number is added, so that nothing is "
        "overwritten. %date:yyyy-MM-dd%, %year% and the like are filled in.",
    )


def format_input() -> io.Combo.Input:
    """What kind of file is saved."""
    return io.Combo.Input(
        "format",
        options=[OWN_FORMAT, *EXPORTS],
        default=OWN_FORMAT,
        optional=True,
        tooltip="safetensors keeps all, with where it comes from and the workflow. npz, npy and pt are for other "
        "tools and keep the numbers alone.",
    )


def file_input(options: list[str], tooltip: str, default: str | None = None) -> io.Combo.Input:
    """A file of the input or output folder, which can be uploaded here as well. `host.check_file` checks it."""
    return io.Combo.Input(
        "file",
        options=options or [host.NONE],
        default=default,
        upload=io.UploadType.model,
        tooltip=tooltip,
    )


def region_source_input(name: str, optional: bool = False) -> io.Combo.Input:
    """By what hair, face and the other regions are found; `region_source` reads it."""
    return io.Combo.Input(
        name,
        options=[AUTO, PARSING, *KINDS],
        default=AUTO,
        optional=optional,
        tooltip="What tells hair, face and the rest apart. auto: a face parsing file where you have one "
        "(parsing_bisenet.pth in models/facedetection, models/face_parsing or models/psp), else what fits each "
        "picture. photo: a network that knows people, and colours. drawn: colours alone.",
    )


def region_source(choice: str) -> str:
    """What the core takes for it: one of its words, or the file."""
    file = host.parsing_file() if choice in (AUTO, PARSING) else None
    if choice == PARSING and file is None:
        raise StyleMixError(
            "there is no face parsing file; put parsing_bisenet.pth (or 79999_iter.pth) into models/facedetection, "
            "models/face_parsing or models/psp, or choose auto"
        )
    return file or choice
