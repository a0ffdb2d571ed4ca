"""Pictures between their homes: ComfyUI's IMAGE, Pillow, and the networks' NCHW; masks; sizes.

Inside the package a batch of pictures is float32 `[B, 3, H, W]` in −1…1. Nothing else in the package converts such
batches or resizes them. Files are read and written by `files.pictures`.
"""

import math
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image

from .errors import StyleMixError
from .wording import counted

SQUEEZED = 0.02
"""Proportions may differ by so much before a mask counts as squeezed."""
_BAND_PIXELS = 1 << 20
"""Pixels converted at a time where a picture may be huge."""


def from_comfy(image: torch.Tensor) -> torch.Tensor:
    """ComfyUI's IMAGE, float `[B, H, W, C]` in 0…1, as float32 `[B, 3, H, W]` in −1…1.

    A single channel is repeated, a fourth is transparency and is composited over white.
    `StyleMixError` on other shapes, on whole numbers and where `check_finite` has it.
    """
    if image.ndim != 4 or image.shape[3] not in (1, 3, 4) or 0 in image.shape:
        raise StyleMixError(
            f"the image has the shape {list(image.shape)}; expected [batch, height, width, channels] "
            "with 1 (grey), 3 (RGB) or 4 (RGBA) channels"
        )
    if not image.is_floating_point():
        raise StyleMixError(f"the image holds {image.dtype}; expected floating point in 0…1")
    check_finite(image, "the image")
    image = image.to(torch.float32)
    if image.shape[3] == 4:
        colour, alpha = image[..., :3], image[..., 3:]
        image = colour * alpha + (1 - alpha)
    return image.expand(-1, -1, -1, 3).permute(0, 3, 1, 2).mul(2).sub_(1)


def check_finite(numbers: torch.Tensor, name: str) -> None:
    """`StyleMixError` when pictures or masks hold NaN or infinite numbers."""
    if not numbers.numel() or not numbers.is_floating_point():
        return
    # The extremes, not `isfinite`, which would make a mask as large as the picture. NaN is both of them.
    low, high = (float(extreme) for extreme in numbers.detach().aminmax())
    if not (math.isfinite(low) and math.isfinite(high)):
        found = "NaN" if math.isnan(low) else "infinite numbers"
        raise StyleMixError(f"{name} holds {found}; look for the failure in the step that made it")


def as_masks(mask: Any, name: str, count: int | None = None, each: str = "picture") -> torch.Tensor:
    """A mask, as ComfyUI's nodes and users of Python give them, as float32 `[B, H, W]` in 0…1.

    mask: floating point or bool, `[H, W]`, `[B, H, W]` or `[B, 1, H, W]`. What exceeds 0…1 is cut off.
    name: what messages call it: "the region".
    count: there may be one for all, or so many: one for each of what `each` calls them. None: as many as there are.
    `StyleMixError` on other shapes, counts and kinds of numbers, and where `check_finite` has it.
    """
    masks = torch.as_tensor(mask)
    shape = list(masks.shape)
    if masks.ndim == 2:
        masks = masks[None]
    elif masks.ndim == 4 and shape[1] == 1:
        masks = masks[:, 0]
    if masks.ndim != 3 or 0 in shape:
        raise StyleMixError(
            f"{name} has the shape {shape}; expected a mask [height, width] or several [count, height, width]"
        )
    if not (masks.is_floating_point() or masks.dtype == torch.bool):
        raise StyleMixError(f"{name} holds {masks.dtype}; expected floating point in 0…1")
    if count is not None and len(masks) not in (1, count):
        raise StyleMixError(
            f"{name} has the shape {shape}, which is {counted(len(masks), 'mask')}; expected one, or one for each of "
            f"{counted(count, each)}"
        )
    check_finite(masks, name)
    return masks.float().clamp(0, 1)


def to_comfy(images: torch.Tensor, places: Sequence[int] | None = None) -> torch.Tensor:
    """`[B, C, H, W]` in −1…1 as ComfyUI's IMAGE, float32 `[B, H, W, 3]` clamped to 0…1.

    C is 3 (RGB), 1 (grey, repeated) or 4 (RGBA, whose transparency is kept: `[B, H, W, 4]`).
    places: which pictures, in which order; None for all.
    """
    if images.ndim != 4 or images.shape[1] not in (1, 3, 4):
        raise StyleMixError(
            f"the pictures have the shape {list(images.shape)}; expected [batch, 3, 1 or 4, height, width]"
        )
    places = range(len(images)) if places is None else places
    _, channels, height, width = images.shape
    result = images.new_empty(len(places), height, width, max(channels, 3), dtype=torch.float32)
    for i, place in enumerate(places):  # in place, so that there is no copy besides the result
        result[i].copy_(images[place].permute(1, 2, 0)).div_(2).add_(0.5).clamp_(0, 1)
    return result


def resize(images: torch.Tensor, height: int, width: int) -> torch.Tensor:
    """Antialiased bilinear resize of `[B, C, H, W]` to `[B, C, height, width]`; differentiable.

    Pictures that already have the size are returned as they are.
    """
    if height < 1 or width < 1:
        raise StyleMixError(f"cannot resize to {width}×{height}; both sides need at least one pixel")
    if images.shape[2:] == (height, width):
        return images
    shrinks = height < images.shape[2] or width < images.shape[3]  # else there is nothing to antialias
    return _beside_apple(
        images,
        lambda x: F.interpolate(x, (height, width), mode="bilinear", align_corners=False, antialias=shrinks),
    )


def average(images: torch.Tensor, height: int, width: int) -> torch.Tensor:
    """`[B, C, H, W]` to `[B, C, height, width]`, each pixel the mean of those that it covers; differentiable."""
    return _beside_apple(images, lambda x: F.adaptive_avg_pool2d(x, (height, width)))


def _beside_apple(images: torch.Tensor, function: Callable[[torch.Tensor], torch.Tensor]) -> torch.Tensor:
    """Apple's GPUs lack some kernels in some of the PyTorch versions in use; the processor has them."""
    if images.device.type != "mps":
        return function(images)
    return function(images.cpu()).to(images.device)


def shrink(images: torch.Tensor, side: int) -> torch.Tensor:
    """Square pictures `[B, C, R, R]`, averaged down by a whole factor until they are less than twice `side`."""
    factor = images.shape[-1] // side
    return F.avg_pool2d(images, factor) if factor > 1 else images


def resize_labels(images: torch.Tensor, height: int, width: int) -> torch.Tensor:
    """Nearest-neighbour resize of `[B, C, H, W]`: no level appears that was not there, as label maps need it."""
    if height < 1 or width < 1:
        raise StyleMixError(f"cannot resize to {width}×{height}; both sides need at least one pixel")
    return F.interpolate(images, (height, width), mode="nearest-exact")


def check_proportions(name: str, mask: torch.Tensor, pictures: tuple[int, int]) -> str | None:
    """A sentence to warn with when a mask is squeezed onto pictures of other proportions, else None.

    mask, name: as for `as_masks`, whose errors are raised. pictures: their height and width.
    """
    (height, width), (high, wide) = as_masks(mask, name).shape[1:], pictures
    if not is_squeezed((height, width), pictures):
        return None
    return (
        f"{name} is {width}×{height} pixels, the pictures are {wide}×{high}, so it is squeezed onto them; give a mask "
        "of their proportions"
    )


def is_squeezed(size: Sequence[int], to: Sequence[int]) -> bool:
    """Whether the proportions of a height and width are others than those of another one."""
    (height, width), (high, wide) = size, to
    return abs(width * high - wide * height) > SQUEEZED * wide * height


@contextmanager
def without_size_warning() -> Iterator[None]:
    """Without Pillow's warning of large pictures: what it refuses to read is refused in words of our own."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        yield


def cut(image: Image.Image, box: tuple[int, int, int, int]) -> Image.Image:
    """Left, top, right and bottom of a Pillow picture, which may be huge."""
    with without_size_warning():
        return image.crop(box)


def from_pil(image: Image.Image) -> torch.Tensor:
    """A Pillow picture of any mode as `[1, 3, H, W]` in −1…1; transparency is composited over white.

    It is converted a few rows at a time, so that of a huge picture there is no second copy in floating point.
    """
    if image.mode == "F":
        raise StyleMixError(
            "the picture holds floating point numbers of unknown range; save it with 8 or 16 bits"
        )
    deep = image.mode.startswith("I")  # 16-bit grey, which Pillow's own conversion clips at 255
    image = image if deep or _is_plain(image) else image.convert("RGBA")
    result = torch.empty(1, 3, image.height, image.width)
    rows = max(1, _BAND_PIXELS // max(image.width, 1))
    for top in range(0, max(image.height, 1), rows):
        bottom = min(top + rows, image.height)
        pixels = torch.from_numpy(np.asarray(image.crop((0, top, image.width, bottom)), dtype=np.float32))
        pixels = pixels[..., None].clamp(0, 65535) / 65535 if deep else pixels / 255
        result[:, :, top:bottom] = from_comfy(pixels[None])
    return result


def to_rgb(image: Image.Image) -> Image.Image:
    """A Pillow picture of any mode as 8-bit RGB, itself if it is; transparency is composited over white."""
    if _is_plain(image):
        return image
    if image.mode.startswith("I") or image.mode == "F":
        return to_pil(from_pil(image)[0])
    if "A" in image.getbands() or "transparency" in image.info:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        return Image.alpha_composite(white, image).convert("RGB")
    return image.convert("RGB")


def bands(image: torch.Tensor, rows: int) -> Iterator[torch.Tensor]:
    """Views of a tensor, so many rows of its second dimension at a time."""
    return (image[:, top : top + rows] for top in range(0, max(image.shape[1], 1), rows))


def _is_plain(image: Image.Image) -> bool:
    """Whether a Pillow picture is 8-bit RGB without transparency."""
    return image.mode == "RGB" and "transparency" not in image.info


def comfy_to_pil(image: torch.Tensor) -> list[Image.Image]:
    """ComfyUI's IMAGE, as `from_comfy` takes it, as 8-bit RGB Pillow pictures.

    It is converted a few rows at a time, so that of a huge picture there is no second copy in floating point.
    """
    rows = max(1, _BAND_PIXELS // max(image.shape[2], 1)) if image.ndim == 4 else 1
    parts = [
        (from_comfy(part) * 127.5 + 127.5)
        .clamp(0, 255)
        .round()
        .to(torch.uint8)
        .permute(0, 2, 3, 1)
        .cpu()
        .numpy()
        for part in bands(image, rows)
    ]
    return [Image.fromarray(np.concatenate(bands)) for bands in zip(*parts, strict=True)]


def pil_to_comfy(pictures: Sequence[Image.Image]) -> torch.Tensor:
    """Pillow pictures of one size as a ComfyUI IMAGE, float32 `[B, H, W, 3]` in 0…1."""
    return to_comfy(torch.cat([from_pil(picture) for picture in pictures]))


def to_pil(image: torch.Tensor) -> Image.Image:
    """One picture `[C, H, W]` in −1…1, of 3 or 1 channels as an 8-bit RGB Pillow picture, of 4 as RGBA; clamped."""
    if image.ndim != 3:
        raise StyleMixError(f"the picture has the shape {list(image.shape)}; expected [3, height, width]")
    rows = max(1, _BAND_PIXELS // max(image.shape[2], 1))
    parts = [
        (to_comfy(part.detach()[None])[0] * 255).round().to(torch.uint8).cpu().numpy()
        for part in bands(image, rows)
    ]
    return Image.fromarray(np.concatenate(parts))


def thumbnail(image: torch.Tensor, side: int) -> Image.Image:
    """One picture of ComfyUI's IMAGE, float `[H, W, C]` in 0…1 with 3 or 4 channels, at most `side` pixels wide or
    high, to look at: quick rather than exact. Transparency is composited over white."""
    step = max(1, max(image.shape[:2]) // (2 * side))
    pixels = image[::step, ::step].float().mul(255).round_().clamp_(0, 255).to(torch.uint8)
    picture = to_rgb(Image.fromarray(pixels.cpu().numpy()))
    picture.thumbnail((side, side))
    return picture
