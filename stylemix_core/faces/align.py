"""Which faces of which pictures are cropped: one, one per picture, or all."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from PIL import Image

from ..errors import NoFaceError, StyleMixError
from ..images import check_finite, from_pil, resize, to_pil, to_rgb
from .crop import crop_face
from .detection import Face, find_faces
from .landmarks import Landmarks
from .transform import FaceTransform

ALIGN_MODES = ("auto", "always", "never")
"""When a picture is cropped to its face: where it is not aligned yet, always, or never."""

NEVER = "set align to never if it is a crop already or shows something else"
"""What to do with a picture without a face where there is a choice of modes."""

ALIGNED_ANGLE, ALIGNED_SCALE, ALIGNED_CENTRE = 3.0, 0.08, 0.015
"""How far a picture counted as aligned may lean (degrees) and deviate in size and centre (fractions of its side)."""

Points = Landmarks | Mapping[str, Sequence[float]]


@dataclass(frozen=True, eq=False)
class AlignedFace:
    """A face, cropped."""

    crop: Image.Image
    """RGB, `transform.size` pixels square."""
    transform: FaceTransform
    landmarks: Landmarks
    number: int = 0
    """Which face of the picture, counted from the left."""


def align_face(
    image: Image.Image,
    landmarks: Points | None = None,
    output_size: int = 256,
    face: str | int = "largest",
    margin: float = 0.0,
    any_angle: bool = True,
) -> tuple[Image.Image, FaceTransform]:
    """Crop a picture to a face, turned upright and framed as in FFHQ.

    image: of any mode and size, as its pixels lie; transparency is composited over white.
    landmarks: {"eye_left", "eye_right", "mouth_left", "mouth_right": (x, y)} in pixels, left as seen in the upright
        face; None to find them.
    output_size: side of the crop, 16…2048.
    face: "largest", or a number, 0 being the leftmost face.
    margin: how much more of the picture to show, as a fraction of the side; negative for less.
    any_angle: also find faces that lie on their side or upside down. False is for pictures known to be upright, several
        times faster: turned ones are then framed wrongly or not found.
    Returns the crop (RGB) and its `FaceTransform`, with which `paste_face` puts it back. `NoFaceError` when there
    is no such face, `StyleMixError` on impossible sizes and points.

    >>> photo = Image.open("photo.jpg")
    >>> crop, transform = sm.align_face(photo)
    >>> sm.paste_face(photo, crop, transform).size == photo.size
    True
    """
    if face == "all":
        raise StyleMixError('align_face returns one face; use align_faces for all, or face="largest"')
    (aligned,) = align_pictures([image], landmarks, output_size, face, margin, any_angle)
    return aligned.crop, aligned.transform


def align_faces(
    image: Image.Image, output_size: int = 256, margin: float = 0.0, any_angle: bool = True
) -> list[tuple[Image.Image, FaceTransform]]:
    """`align_face` for every face of a picture, from left to right."""
    faces = align_pictures([image], None, output_size, "all", margin, any_angle)
    return [(aligned.crop, aligned.transform) for aligned in faces]


def align_pictures(
    images: Sequence[Image.Image],
    landmarks: Points | None = None,
    output_size: int = 256,
    face: str | int = "largest",
    margin: float = 0.0,
    any_angle: bool = True,
    found: Sequence[Sequence[Face]] | None = None,
) -> list[AlignedFace]:
    """`align_face` for several pictures: the results of the first one, then of the second, and so on.

    landmarks: used for every picture, if given.
    face: also "all", for every face from left to right. `NoFaceError` names the picture that lacks the face.
    found: the faces of every picture, from left to right, where they were found elsewhere; None to find them.
    """
    if face not in ("largest", "all") and (isinstance(face, bool) or not isinstance(face, int) or face < 0):
        raise StyleMixError(
            f"the face {face!r} is unknown; choose largest, all, or a number from 0, the leftmost"
        )
    pictures = [to_rgb(image) for image in images]
    chosen: list[tuple[int, int, Landmarks]] = []  # picture, number, points
    if landmarks is not None:
        chosen = [(index, 0, Landmarks.of(landmarks)) for index in range(len(pictures))]
    else:
        for index, faces in enumerate(find_faces(pictures, any_angle) if found is None else found):
            numbers = _choose(faces, face, _name(index, len(pictures)))
            chosen += [(index, number, faces[number].landmarks) for number in numbers]
    results = []
    for index, number, points in chosen:
        transform = FaceTransform.ffhq(points, pictures[index].size, output_size, margin, index)
        results.append(AlignedFace(crop_face(pictures[index], transform), transform, points, number))
    return results


def align_batch(
    images: torch.Tensor, output_size: int, mode: str = "auto", any_angle: bool = True
) -> tuple[torch.Tensor, tuple[FaceTransform | None, ...]]:
    """The largest face of every picture of a batch, framed as in FFHQ.

    images: float32 `[B, 3, H, W]` in −1…1.
    mode: "auto" only resizes pictures that are aligned already (see `is_aligned`), "always" crops all, "never"
        only resizes.
    any_angle: as for `align_face`.
    Returns the crops, `[B, 3, output_size, output_size]` in −1…1 on the device of `images`, and where each lies in
    its picture, None where it was only resized. `NoFaceError` names the picture without a face.
    """
    if mode not in ALIGN_MODES:
        raise StyleMixError(f"align {mode!r} is unknown; choose one of: {', '.join(ALIGN_MODES)}")
    check_finite(images, "the image")
    if mode == "never":
        return resize(images, output_size, output_size), (None,) * len(images)
    faces = crop_largest([to_pil(image) for image in images], output_size, mode, any_angle)
    crops = [
        resize(images[index : index + 1], output_size, output_size)
        if face is None
        else from_pil(face.crop).to(images)
        for index, face in enumerate(faces)
    ]
    transforms = tuple(None if face is None else face.transform for face in faces)
    return torch.cat(crops) if crops else resize(images, output_size, output_size), transforms


def is_aligned(transform: FaceTransform) -> bool:
    """Whether the picture is, within what landmarks are sure of, the crop already."""
    width, height = transform.picture_size
    x, y = transform.centre
    off_centre = max(abs(x - (width - 1) / 2), abs(y - (height - 1) / 2))
    return (
        width == height
        and abs(transform.angle) < ALIGNED_ANGLE
        and abs(transform.side / width - 1) < ALIGNED_SCALE
        and off_centre < ALIGNED_CENTRE * width
    )


def crop_largest(
    pictures: Sequence[Image.Image], output_size: int, mode: str = "auto", any_angle: bool = True
) -> list[AlignedFace | None]:
    """The largest face of every RGB picture, cropped; None where the picture need not be, as it is aligned already.

    mode: "auto", or "always" to crop aligned ones as well. any_angle and errors: as for `align_batch`.
    """
    faces: list[AlignedFace | None] = []
    for index, (picture, found) in enumerate(zip(pictures, find_faces(pictures, any_angle), strict=True)):
        (number,) = _choose(found, "largest", _name(index, len(pictures)), NEVER)
        landmarks = found[number].landmarks
        transform = FaceTransform.ffhq(landmarks, picture.size, output_size, picture=index)
        if mode == "always" or not is_aligned(transform):
            faces.append(AlignedFace(crop_face(picture, transform), transform, landmarks, number))
        else:
            faces.append(None)
    return faces


def _name(index: int, count: int) -> str:
    return f"picture {index + 1} of {count}" if count > 1 else "the picture"


def _choose(
    faces: Sequence[Face], which: str | int, name: str, otherwise: str = "give the points of eyes and mouth"
) -> list[int]:
    """Numbers of the faces asked for. otherwise: what to do where none is found."""
    numbers = range(len(faces))
    if not faces:
        raise NoFaceError(
            f"no face was found in {name}; take one whose face is larger than about a twentieth of the picture, or "
            f"{otherwise}"
        )
    if which == "all":
        return list(numbers)
    if which == "largest":
        return [max(numbers, key=lambda number: faces[number].area)]
    if which not in numbers:
        counted = (
            "one face, number 0" if len(faces) == 1 else f"{len(faces)} faces, numbers 0 to {len(faces) - 1}"
        )
        raise NoFaceError(
            f"there is no face number {which} in {name}, which shows {counted}, counted from the left"
        )
    return [int(which)]
