"""Endings of picture files, apart from `images` so that a command line can look at names without PyTorch."""

PICTURES = (".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".webp", ".avif", ".gif", ".bmp", ".tif", ".tiff")
"""Those that are read; the newer ones not with every build of Pillow, see `images.picture_endings`."""

HEIC = (".heic", ".heif", ".hif")
"""Those that are refused with advice."""
