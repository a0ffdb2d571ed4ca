"""StyleMix: generate faces with StyleGAN2, read a picture's style with pSp, inject chosen W+ layers.

>>> import stylemix_core as sm
>>> G, E = sm.load_generator("demo"), sm.load_encoder("demo")
>>> faces = G.mapping(sm.sample_z([0, 1], G.z_dim), truncation_psi=0.7)
>>> style = E(sm.load_image("style.png"))
>>> mixed = sm.inject(faces, style, sm.parse_masks("0; 1; 2; 3; 4; 5; 0-6", G.num_ws))
>>> pictures = G.synthesis(mixed)

Names are imported when they are first used, so that importing the package costs nothing.
"""

import importlib

TYPE_CHECKING = (
    False  # type checkers know it by its name; importing typing would be half of this package's start
)
if TYPE_CHECKING:
    from .analysis.explain import explain_layers as explain_layers
    from .analysis.explain_report import LayerReport as LayerReport
    from .analysis.find import find_layers as find_layers
    from .analysis.found import FoundLayers as FoundLayers
    from .analysis.found import FoundMask as FoundMask
    from .checkpoints import convert_checkpoint as convert_checkpoint
    from .checkpoints import inspect_checkpoint as inspect_checkpoint
    from .checkpoints import load_encoder as load_encoder
    from .checkpoints import load_generator as load_generator
    from .codes.directions import Directions as Directions
    from .codes.directions import apply_direction as apply_direction
    from .codes.directions import find_directions as find_directions
    from .codes.directions import load_directions as load_directions
    from .codes.directions import save_directions as save_directions
    from .codes.latents import Latents as Latents
    from .codes.latents import load_latents as load_latents
    from .codes.latents import save_latents as save_latents
    from .codes.seeds import sample_z as sample_z
    from .decoding import decode as decode
    from .decoding import leakage as leakage
    from .encoder.identity import find_identity as find_identity
    from .errors import CheckpointError as CheckpointError
    from .errors import LatentMismatchError as LatentMismatchError
    from .errors import MaskSyntaxError as MaskSyntaxError
    from .errors import NoFaceError as NoFaceError
    from .errors import StyleMixError as StyleMixError
    from .faces import FaceTransform as FaceTransform
    from .faces import align_face as align_face
    from .faces import align_faces as align_faces
    from .faces.paste import paste_face as paste_face
    from .faces.regions import find_regions as find_regions
    from .figures.grid import compare_grid as compare_grid
    from .figures.sheets import direction_sheet as direction_sheet
    from .figures.sheets import mixing_matrix as mixing_matrix
    from .figures.sheets import strength_strip as strength_strip
    from .files.pictures import load_image as load_image
    from .files.pictures import save_image as save_image
    from .inversion import InversionResult as InversionResult
    from .inversion import invert as invert
    from .masks.mask_list import MaskList as MaskList
    from .masks.mask_list import MaskText as MaskText
    from .masks.mask_list import parse_masks as parse_masks
    from .mixing.identity_cap import Capped as Capped
    from .mixing.identity_cap import cap_identity as cap_identity
    from .mixing.identity_cap import seen_by as seen_by
    from .mixing.inject import inject as inject
    from .mixing.inject import inject_latents as inject_latents

__version__ = "0.1.0"

_HOMES = {
    "faces": ("FaceTransform", "align_face", "align_faces"),
    "faces.paste": ("paste_face",),
    "analysis.explain": ("explain_layers",),
    "analysis.explain_report": ("LayerReport",),
    "mixing.identity_cap": ("Capped", "cap_identity", "seen_by"),
    "checkpoints": ("convert_checkpoint", "inspect_checkpoint", "load_encoder", "load_generator"),
    "decoding": ("decode", "leakage"),
    "codes.directions": (
        "Directions",
        "apply_direction",
        "find_directions",
        "load_directions",
        "save_directions",
    ),
    "errors": ("CheckpointError", "LatentMismatchError", "MaskSyntaxError", "NoFaceError", "StyleMixError"),
    "figures.sheets": ("direction_sheet", "mixing_matrix", "strength_strip"),
    "analysis.find": ("find_layers",),
    "analysis.found": ("FoundLayers", "FoundMask"),
    "figures.grid": ("compare_grid",),
    "encoder.identity": ("find_identity",),
    "files.pictures": ("load_image", "save_image"),
    "mixing.inject": ("inject", "inject_latents"),
    "inversion": ("InversionResult", "invert"),
    "codes.latents": ("Latents", "load_latents", "save_latents"),
    "masks.mask_list": ("MaskList", "MaskText", "parse_masks"),
    "faces.regions": ("find_regions",),
    "codes.seeds": ("sample_z",),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = sorted(_HOME_OF)


def __getattr__(name: str):
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f".{_HOME_OF[name]}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(set(globals()) | set(__all__))
