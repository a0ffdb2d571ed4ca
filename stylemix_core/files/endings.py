"""Endings of picture files, apart from `pictures` so that a command line can look at names without PyTorch."""

from collections.abc import Collection

PICTURES = (".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".webp", ".avif", ".gif", ".bmp", ".tif", ".tiff")
"""Those that are read; the newer ones not with every build of Pillow, see `pictures.picture_endings`."""

HEIC = (".heic", ".heif", ".hif")
"""Those that are refused with advice."""

HEIC_REFUSED = (
    "is a HEIC picture, which is not read here; save it as JPEG or PNG. An iPhone takes JPEGs with Settings, Camera, "
    "Formats, Most Compatible"
)


ARRAYS = (".npz", ".npy", ".pt")
"""Those in which other tools read codes and directions, for export."""

EXPORTS = tuple(ending.removeprefix(".") for ending in ARRAYS)
"""How users name these."""

CODES = (".safetensors", *ARRAYS, ".pth", ".pkl")
"""Those of files with W+ codes or directions."""


def listed(endings: Collection[str]) -> str:
    """Endings for a message that refuses a file of another kind, with what to do where pictures are expected.

    >>> listed({".safetensors"}), listed({".png", ".gif"})
    ('.safetensors', '.gif, .png (save HEIC pictures as JPEG or PNG first)')
    """
    read = ", ".join(sorted({*endings} - {*HEIC}))
    return (
        f"{read} (save HEIC pictures as JPEG or PNG first)" if not {*PICTURES}.isdisjoint(endings) else read
    )
