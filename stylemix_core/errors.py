"""Errors a caller can act on. Each message says what was found, what was expected and what to do."""


class StyleMixError(ValueError):
    """Base of every error this package raises on purpose."""


class CheckpointError(StyleMixError):
    """A file is not one that this package reads, or it is damaged."""


class MaskSyntaxError(StyleMixError):
    """A mask list cannot be understood."""


class LatentMismatchError(StyleMixError):
    """W+ codes do not fit each other or the generator."""


class NoFaceError(StyleMixError):
    """A picture shows no face, or not the one asked for."""
