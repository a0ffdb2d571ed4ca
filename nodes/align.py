"""Nodes that crop pictures to faces, put faces back, and tell hair, face and background apart."""

from typing import Any

import torch
from comfy_api.v0_0_2 import io

from ..stylemix_core.faces.align import align_pictures
from ..stylemix_core.faces.landmarks import EXAMPLE, parse_landmarks
from ..stylemix_core.faces.mediapipe import read_face_landmarks
from ..stylemix_core.faces.paste import BLENDS, COLOUR_MATCHES, MAX_FEATHER, paste_faces
from ..stylemix_core.faces.preview import draw_all_faces
from ..stylemix_core.faces.regions import REGIONS, find_regions
from ..stylemix_core.faces.regions.preview import paint_regions
from ..stylemix_core.faces.transform import (
    MAX_MARGIN,
    MAX_SIZE,
    MIN_MARGIN,
    MIN_SIZE,
    FaceTransform,
    real_areas,
)
from ..stylemix_core.images import comfy_to_pil, from_comfy, pil_to_comfy, to_comfy
from . import host
from .inputs import region_source, region_source_input
from .search_words import search_words
from .sockets import FACE_LANDMARKS, TRANSFORM


class AlignFace(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="StyleMixAlignFace",
            display_name="Align Face",
            category="StyleMix/align",
            description="Find a face in any picture and crop the picture to it, turned upright and framed as the "
            "pictures that FFHQ models and pSp encoders know.",
            **search_words(
                "crop face", "face crop", "landmarks", "FFHQ", "face detection", "rotate", "portrait"
            ),
            **host.shows(),
            inputs=[
                io.Image.Input("image", tooltip="Pictures of any size: photos, drawings, several people."),
                io.Combo.Input(
                    "face",
                    options=["largest", "index", "all"],
                    default="largest",
                    tooltip="Which face of every picture. largest: one per picture. index: the one with the number in "
                    "face_index. all: every face, as one batch; the preview shows their numbers.",
                ),
                io.Int.Input(
                    "face_index",
                    default=0,
                    min=0,
                    max=255,
                    tooltip="Which face with index above; 0 is the leftmost. Without index it does nothing.",
                ),
                io.Float.Input(
                    "margin",
                    default=0.0,
                    min=MIN_MARGIN,
                    max=MAX_MARGIN,
                    step=0.05,
                    tooltip="How much more of the picture to show, as a fraction of the crop's side. 0 is the framing "
                    "that the models know; negative values show less.",
                ),
                io.Int.Input(
                    "output_size",
                    default=256,
                    min=MIN_SIZE,
                    max=MAX_SIZE,
                    step=8,
                    tooltip="Side of the crop in pixels. 256 is what pSp encoders read; more keeps more detail for "
                    "pasting back.",
                ),
                io.String.Input(
                    "points",
                    optional=True,
                    multiline=True,
                    default="",
                    dynamic_prompts=False,
                    tooltip="Where the eyes and the corners of the mouth are, in pixels, for a face that is not found "
                    f"by itself; used for every picture. For example: {EXAMPLE}. Empty: find the face.",
                ),
                io.Boolean.Input(
                    "any_angle",
                    optional=True,
                    default=True,
                    tooltip="Also find faces that lie on their side or upside down. Off: upright ones alone, "
                    "several times faster; turned faces are then cropped wrongly or not found.",
                ),
                FACE_LANDMARKS.Input(
                    "landmarks",
                    optional=True,
                    tooltip="Faces that ComfyUI's own Detect Face Landmarks has found in the same pictures. Without "
                    "them, faces are looked for here; points go before both.",
                ),
            ],
            outputs=[
                io.Image.Output(display_name="face", tooltip="The crops."),
                io.Mask.Output(
                    display_name="real_area",
                    tooltip="White where a crop shows the picture, black where it was padded.",
                ),
                TRANSFORM.Output(
                    display_name="transform", tooltip="Where the crops lie, for Paste Face Back."
                ),
                io.Image.Output(
                    display_name="preview", tooltip="The pictures with crops, points and numbers drawn."
                ),
            ],
        )

    @classmethod
    @host.speaking
    def execute(
        cls,
        image: torch.Tensor,
        face: str,
        face_index: int,
        margin: float,
        output_size: int,
        points: str = "",
        any_angle: bool = True,
        landmarks: Any = None,
    ) -> io.NodeOutput:
        pictures = comfy_to_pil(image)
        faces = align_pictures(
            pictures,
            parse_landmarks(points) if points.strip() else None,
            output_size,
            face_index if face == "index" else face,
            margin,
            any_angle,
            None if landmarks is None else read_face_landmarks(landmarks, pictures),
        )
        transforms = tuple(aligned.transform for aligned in faces)
        preview = pil_to_comfy(draw_all_faces(pictures, faces))
        return io.NodeOutput(
            pil_to_comfy([aligned.crop for aligned in faces]),
            real_areas(transforms),
            transforms,
            preview,
            ui=host.pictures(preview),
        )


class PasteFace(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="StyleMixPasteFace",
            display_name="Paste Face Back",
            category="StyleMix/align",
            description="Put changed faces back into the pictures that Align Face cropped them from. What lies "
            "outside stays exactly as it was.",
            **search_words("uncrop", "stitch", "composite", "restore", "face", "paste back", "inpaint"),
            **host.shows(),
            inputs=[
                io.Image.Input("image", tooltip="The pictures that went into Align Face."),
                io.Image.Input(
                    "face",
                    tooltip="The changed faces, of any size. Several versions of each, as InjectW+ gives them, make as "
                    "many pictures.",
                ),
                TRANSFORM.Input("transform", tooltip="Where the faces came from, from Align Face."),
                io.Float.Input(
                    "feather",
                    default=0.1,
                    min=0.0,
                    max=MAX_FEATHER,
                    step=0.01,
                    tooltip="Width of the soft edge, as a fraction of the face's side; around a head half of it. 0 is "
                    "a hard edge.",
                ),
                io.Combo.Input(
                    "colour_match",
                    options=list(COLOUR_MATCHES),
                    default="seam",
                    tooltip="Fit colours to the picture. seam: along the edge; a head keeps its own colours and only "
                    "the background around it is fitted. whole: mean and contrast of all that is pasted. A "
                    "cast over the whole crop needs it, but it also undoes wanted changes of colour.",
                ),
                io.Mask.Input(
                    "mask",
                    optional=True,
                    tooltip="Where on the face to paste, white is pasted, instead of what blend says: one for all "
                    "faces, or one each.",
                ),
                io.Combo.Input(
                    "blend",
                    options=list(BLENDS),
                    default="head",
                    # Prompts from before there was this input lack it.
                    optional=True,
                    tooltip="What to paste. head: hair and face, old and new, so that the background stays; where no "
                    "head is found, all of it. square: all of the crop.",
                ),
            ],
            outputs=[io.Image.Output(display_name="image", tooltip="The pictures, at their original size.")],
        )

    @classmethod
    @host.speaking
    def execute(
        cls,
        image: torch.Tensor,
        face: torch.Tensor,
        transform: tuple[FaceTransform, ...],
        feather: float,
        colour_match: str,
        mask: torch.Tensor | None = None,
        blend: str = "head",
    ) -> io.NodeOutput:
        faces = to_comfy(from_comfy(face))
        pasted = paste_faces(image, faces, transform, feather, mask, colour_match, blend)
        return io.NodeOutput(pasted, ui=host.pictures(pasted))


class FaceRegions(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="StyleMixFaceRegions",
            display_name="Face Regions",
            category="StyleMix/align",
            description="Tell hair, face, eyes, brows, nose, mouth, background and body apart, as masks for any node.",
            **search_words(
                "face parsing", "segmentation", "hair mask", "face mask", "background", "mask", "BiSeNet"
            ),
            **host.shows(),
            inputs=[
                io.Image.Input(
                    "image", tooltip="Pictures that show one face each, cropped to it as Align Face does."
                ),
                region_source_input("source"),
            ],
            outputs=[
                io.Mask.Output(
                    display_name="masks", tooltip="All regions of the first picture, then of the second, …"
                ),
                io.String.Output(display_name="names", tooltip="What the masks show, in order."),
                *(
                    io.Mask.Output(display_name=name, tooltip=f"Only the {name}, one mask for each picture.")
                    for name in REGIONS
                ),
                io.Image.Output(display_name="preview", tooltip="The pictures tinted by region."),
                io.String.Output(display_name="found_by", tooltip="What told the regions apart."),
            ],
            hidden=[io.Hidden.unique_id],
        )

    @classmethod
    @host.speaking
    def execute(cls, image: torch.Tensor, source: str) -> io.NodeOutput:
        pictures = from_comfy(image)
        regions = find_regions(pictures, source=region_source(source))
        host.tell(cls.hidden.unique_id, f"{regions.told[0].upper()}{regions.told[1:]}.")
        preview = to_comfy(paint_regions(pictures, regions))
        return io.NodeOutput(
            regions.masks(),
            ", ".join(REGIONS),
            *regions.values(),
            preview,
            regions.found_by,
            ui=host.pictures(preview),
        )
