"""What avatars are painted on."""

import torch

REGIONS = (
    "background",
    "clothes",
    "skin",
    "face",
    "hair",
    "beard",
    "eyes",
    "brows",
    "nose",
    "mouth",
    "glasses",
    "hat",
)
"""What a pixel shows. "face" is the bare skin of the face, its features being regions of their own; "skin" is that
of ears and neck."""


class Canvas:
    """The picture being painted and, if wanted, the region labels painted along with it."""

    def __init__(self, image: torch.Tensor, labels: torch.Tensor | None) -> None:
        self.image = image
        self.labels = labels
        self.pixel = 2 / image.shape[-1]

    def fill(self, distance: torch.Tensor) -> torch.Tensor:
        """Coverage of the shape whose signed distance (negative inside) is given."""
        return (distance * (-1 / self.pixel)).add_(0.5).clamp_(0, 1)

    def stroke(self, distance: torch.Tensor, half_width: torch.Tensor | float) -> torch.Tensor:
        """Coverage of a line along `distance` = 0; lines thinner than a pixel fade, not vanish."""
        coverage = self.fill(distance.abs().sub_(half_width))
        return coverage.mul_(torch.as_tensor(2 / self.pixel * half_width).clamp(0, 1))

    def paint(self, colour: torch.Tensor, coverage: torch.Tensor, region: str | None = None) -> None:
        """Lay `colour` over the picture; without a `region`, only shade what is there."""
        self.image.lerp_(colour, coverage[:, None])
        if region is not None:
            self.label(region, coverage)

    def label(self, region: str, coverage: torch.Tensor) -> None:
        if self.labels is not None:
            self.labels.mul_(1 - coverage[:, None])
            self.labels[:, REGIONS.index(region)] += coverage

    def darken(self, tint: torch.Tensor, amount: torch.Tensor) -> None:
        """Multiply the picture by `tint` where `amount` is 1."""
        self.image.mul_((amount[:, None] * (tint - 1)).add_(1))
