"""Faces that ComfyUI's own face landmarker has found: the FACE_LANDMARKS of Detect Face Landmarks
(MediaPipe), which Comfy-Org/ComfyUI has since its pull request 14009.

They are a dict with "frames", a list of faces for every picture of the batch, and "image_size", the height and width
of these. A face is a dict whose "landmarks_xy" `[478, 2]` are the mesh's points in pixels, whole numbers being the
centres of pixels, and whose "score" says how sure the detector was. The points are numbered as those of our mesh; the
ten beyond its 468 are the irises.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from PIL import Image

from ..errors import StyleMixError
from .detection import Face

MESH_POINTS = 468

CONNECT = "connect the face_landmarks output of Detect Face Landmarks (MediaPipe)"


def read_face_landmarks(found: Any, pictures: Sequence[Image.Image]) -> list[list[Face]]:
    """The faces of every picture from left to right, as `find_faces` gives them.

    `StyleMixError` when `found` is something else, or of other pictures.
    """
    frames = found.get("frames") if isinstance(found, Mapping) else None
    if not isinstance(frames, Sequence) or not all(isinstance(faces, Sequence) for faces in frames):
        raise StyleMixError(
            f"the landmarks are {type(found).__name__}, not ComfyUI's face landmarks; {CONNECT}"
        )
    if len(frames) != len(pictures):
        raise StyleMixError(
            f"the landmarks are of {len(frames)} pictures, but there are {len(pictures)}; find them in the same ones"
        )
    size = tuple(found.get("image_size") or ())
    for index, picture in enumerate(pictures):
        if size and size != (picture.height, picture.width):
            raise StyleMixError(
                f"the landmarks were found in pictures of {size[-1]}×{size[0]} pixels, but picture {index + 1} has "
                f"{picture.width}×{picture.height}; find them in the same ones"
            )
    faces = [[_face(face, index) for face in frame] for index, frame in enumerate(frames)]
    return [sorted(frame, key=lambda face: face.points[:, 0].mean()) for frame in faces]


def _face(face: Any, picture: int) -> Face:
    try:
        points = np.asarray(face["landmarks_xy"], dtype=np.float64)[:MESH_POINTS, :2]
    except (IndexError, KeyError, TypeError, ValueError) as error:
        raise StyleMixError(
            f"a face of picture {picture + 1} has no landmarks_xy ({error!r}); {CONNECT}"
        ) from None
    if points.shape != (MESH_POINTS, 2) or not np.isfinite(points).all():
        raise StyleMixError(
            f"the landmarks of a face of picture {picture + 1} have the shape {list(points.shape)} or hold NaN; "
            f"expected at least {MESH_POINTS} points x, y in pixels, as MediaPipe's mesh has them"
        )
    return Face(points)
