"""The pack's socket types. Their names are saved in workflows."""

from comfy_api.v0_0_2 import io

GENERATOR = io.Custom("STYLEMIX_GENERATOR")
"""Carries a `host.AnyModel` whose network is a `Generator`."""

ENCODER = io.Custom("STYLEMIX_ENCODER")
"""Carries a `host.Model` whose network is an `Encoder`."""

LATENT = io.Custom("STYLEMIX_LATENT")
"""Carries `Latents`."""

MASKS = io.Custom("STYLEMIX_MASKS")
"""Carries a `MaskText`, a `MaskList` or lists of layers: what `MaskText.of` takes."""

DIRECTIONS = io.Custom("STYLEMIX_DIRECTIONS")
"""Carries `Directions`."""

TRANSFORM = io.Custom("STYLEMIX_TRANSFORM")
"""Carries a tuple of `FaceTransform`, one per face."""

INVERSION = io.Custom("STYLEMIX_INVERSION")
"""Carries fields of `InversionOptions` as pairs of name and value."""

MOVE = io.Custom("STYLEMIX_MOVE")
"""Carries a `Move`."""

CURVE = io.Custom("STYLEMIX_CURVE")
"""Carries a tuple of numbers, one per frame."""

FACE_LANDMARKS = io.Custom("FACE_LANDMARKS")
"""ComfyUI's own, of cores that have Detect Face Landmarks: see `faces.mediapipe`."""
