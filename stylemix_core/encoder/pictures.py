"""From pictures as people have them to what an encoder's network reads, as the original tools' datasets do it."""

import torch

from ..errors import StyleMixError
from ..images import check_finite, resize, resize_labels
from .config import EncoderConfig


def fit(images: torch.Tensor, config: EncoderConfig) -> torch.Tensor:
    """Pictures `[B, C, H, W]` in the size that the encoder reads. Label maps keep their levels."""
    return (resize_labels if config.reads_labels else resize)(images, *config.input_shape)


def network_input(images: torch.Tensor, config: EncoderConfig) -> torch.Tensor:
    """`[B, picture_nc, height, width]` for the network, resized.

    images: `[B, C, H, W]`. With `picture_nc` channels they are what the network reads. Else they are pictures in
        −1…1 with 3 channels (for label maps also 1), and become grey in 0…1 for an encoder of sketches, and one
        channel per label for one of label maps, whose grey level 0…255 is the label.
    `StyleMixError` on other channels, on a label that the encoder does not know, and where `check_finite` has it.
    """
    check_finite(images, "the image")
    needed = config.picture_nc
    if images.ndim == 4 and 0 not in images.shape[2:]:
        given = images.shape[1]
        if given == needed:
            return fit(images.float(), config)
        if needed == 1 and given == 3:
            return grey_levels(fit(images.float(), config)) / 255
        if config.reads_labels and given in (1, 3):
            return one_hot(grey_levels(fit(images.float(), config)), needed)
    also = {3: "", 1: ", or RGB pictures"}.get(needed, ", or label maps with the label as grey level")
    raise StyleMixError(
        f"the pictures have the shape {list(images.shape)}; this encoder takes "
        f"[batch, {needed}, height, width]{also}"
    )


def grey_levels(images: torch.Tensor) -> torch.Tensor:
    """Whole numbers 0…255, float32 `[B, 1, H, W]`, of pictures in −1…1 with 1 or 3 channels.

    Colours are weighed as in Pillow's mode "L": ITU-R 601 luma in sixteen-bit fixed point.
    """
    levels = ((images + 1) * 127.5).round().clamp(0, 255)
    if images.shape[1] == 1:
        return levels
    weights = torch.tensor([19595, 38470, 7471], device=levels.device).view(1, 3, 1, 1)
    luma = (levels.int() * weights).sum(1, keepdim=True)
    return ((luma + 32768) // 65536).float()


def one_hot(labels: torch.Tensor, count: int) -> torch.Tensor:
    """Labels `[B, 1, H, W]` as `[B, count, H, W]` of ones and zeros."""
    highest = int(labels.max()) if labels.numel() else 0
    if highest >= count:
        raise StyleMixError(
            f"the label map has the grey level {highest}, but this encoder knows the labels 0 to {count - 1}; give a "
            "picture whose grey levels (of 255) are the labels, such as CelebAMask-HQ's"
        )
    return (labels == torch.arange(count, device=labels.device).view(1, -1, 1, 1)).float()
