"""The public names, and where they live. `__init__.py` imports each from there when it is first used."""

from .analysis.direction_effects import measure_directions as measure_directions
from .analysis.explain import explain_layers as explain_layers
from .analysis.explain_report import LayerReport as LayerReport
from .analysis.find import find_layers as find_layers
from .analysis.found import FoundLayers as FoundLayers
from .analysis.found import FoundMask as FoundMask
from .checkpoints import convert_checkpoint as convert_checkpoint
from .checkpoints import inspect_checkpoint as inspect_checkpoint
from .checkpoints import load_encoder as load_encoder
from .checkpoints import load_generator as load_generator
from .codes.channel_directions import style_channels as style_channels
from .codes.derived_directions import condition_directions as condition_directions
from .codes.direction_files import load_directions as load_directions
from .codes.direction_files import save_directions as save_directions
from .codes.directions import Directions as Directions
from .codes.directions import apply_direction as apply_direction
from .codes.latents import Latents as Latents
from .codes.latents import load_latents as load_latents
from .codes.latents import save_latents as save_latents
from .codes.learning import learn_direction as learn_direction
from .codes.seeds import sample_z as sample_z
from .codes.unsupervised import find_directions as find_directions
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

__all__: list[str]
__version__: str
