"""From any picture to a face as FFHQ shows it, and back.

Landmarks come from two small networks whose weights lie here (`detection`, `networks`); four of them decide which
square of the picture is cropped (`transform`, `crop`) and where it is pasted back (`paste`). A third one knows people
(`person`), from whom `regions` tells hair, face and background apart. No dependency beyond torch, numpy and Pillow;
nothing is read before the first picture.
"""

from .align import AlignedFace, align_batch, align_face, align_faces, align_pictures, is_aligned
from .detection import Face, find_faces
from .landmarks import Landmarks, parse_landmarks
from .mediapipe import read_face_landmarks
from .preview import draw_faces
from .transform import FaceTransform

__all__ = [
    "AlignedFace",
    "Face",
    "FaceTransform",
    "Landmarks",
    "align_batch",
    "align_face",
    "align_faces",
    "align_pictures",
    "draw_faces",
    "find_faces",
    "is_aligned",
    "parse_landmarks",
    "read_face_landmarks",
]
