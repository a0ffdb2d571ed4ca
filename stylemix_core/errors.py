"""Errors a caller can act on. Each message says what was found, what was expected and what to do."""

from pathlib import Path


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


def why_unwritable(folder: Path, error: Exception) -> str:
    """Why nothing can be written into a folder, in a few words."""
    lowest = next((place for place in (folder, *folder.parents) if place.exists()), folder)
    if lowest.is_file():  # systems tell this in different ways
        return "a file stands where a folder is needed"
    return getattr(error, "strerror", None) or str(error)
