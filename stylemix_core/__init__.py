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
    from .alignment import FaceTransform as FaceTransform
    from .alignment import align_face as align_face
    from .alignment import align_faces as align_faces
    from .alignment.paste import paste_face as paste_face
    from .attribution import LayerReport as LayerReport
    from .attribution import explain_layers as explain_layers
    from .cap import Capped as Capped
    from .cap import cap_identity as cap_identity
    from .cap import seen_by as seen_by
    from .checkpoints import convert_checkpoint as convert_checkpoint
    from .checkpoints import inspect_checkpoint as inspect_checkpoint
    from .checkpoints import load_encoder as load_encoder
    from .checkpoints import load_generator as load_generator
    from .decoding import decode as decode
    from .decoding import leakage as leakage
    from .directions import Directions as Directions
    from .directions import apply_direction as apply_direction
    from .directions import find_directions as find_directions
    from .directions import load_directions as load_directions
    from .directions import save_directions as save_directions
    from .errors import CheckpointError as CheckpointError
    from .errors import LatentMismatchError as LatentMismatchError
    from .errors import MaskSyntaxError as MaskSyntaxError
    from .errors import NoFaceError as NoFaceError
    from .errors import StyleMixError as StyleMixError
    from .figures import direction_sheet as direction_sheet
    from .figures import mixing_matrix as mixing_matrix
    from .figures import strength_strip as strength_strip
    from .finding import FoundLayers as FoundLayers
    from .finding import FoundMask as FoundMask
    from .finding import find_layers as find_layers
    from .grid import compare_grid as compare_grid
    from .identity import find_identity as find_identity
    from .images import load_image as load_image
    from .images import save_image as save_image
    from .injection import inject as inject
    from .injection import inject_latents as inject_latents
    from .inversion import InversionResult as InversionResult
    from .inversion import invert as invert
    from .latents import Latents as Latents
    from .latents import load_latents as load_latents
    from .latents import save_latents as save_latents
    from .masks import MaskList as MaskList
    from .masks import MaskText as MaskText
    from .masks import parse_masks as parse_masks
    from .regions import find_regions as find_regions
    from .seeds import sample_z as sample_z

__version__ = "0.1.0"

_HOMES = {
    "alignment": ("FaceTransform", "align_face", "align_faces"),
    "alignment.paste": ("paste_face",),
    "attribution": ("LayerReport", "explain_layers"),
    "cap": ("Capped", "cap_identity", "seen_by"),
    "checkpoints": ("convert_checkpoint", "inspect_checkpoint", "load_encoder", "load_generator"),
    "decoding": ("decode", "leakage"),
    "directions": (
        "Directions",
        "apply_direction",
        "find_directions",
        "load_directions",
        "save_directions",
    ),
    "errors": ("CheckpointError", "LatentMismatchError", "MaskSyntaxError", "NoFaceError", "StyleMixError"),
    "figures": ("direction_sheet", "mixing_matrix", "strength_strip"),
    "finding": ("FoundLayers", "FoundMask", "find_layers"),
    "grid": ("compare_grid",),
    "identity": ("find_identity",),
    "images": ("load_image", "save_image"),
    "injection": ("inject", "inject_latents"),
    "inversion": ("InversionResult", "invert"),
    "latents": ("Latents", "load_latents", "save_latents"),
    "masks": ("MaskList", "MaskText", "parse_masks"),
    "regions": ("find_regions",),
    "seeds": ("sample_z",),
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
