"""Where everything is: the outlines of face, hair and eyes, in units where the picture spans −1…1 (y down)."""

import math
from dataclasses import dataclass

import torch

from .attributes import Values
from .canvas import Canvas
from .shapes import between, smooth_max, smoothstep, superellipse


@dataclass(frozen=True, eq=False)
class Frame:
    """Pixel positions as seen by the frame, the body, the head and the turned features."""

    frame_x: torch.Tensor
    frame_y: torch.Tensor
    body_x: torch.Tensor
    body_y: torch.Tensor
    x: torch.Tensor
    y: torch.Tensor
    feature_x: torch.Tensor
    turn: torch.Tensor
    light: torch.Tensor
    """Where the light comes from: −1 left … 1 right."""


@dataclass(frozen=True, eq=False)
class Face:
    """The head's outline."""

    width: torch.Tensor
    chin: torch.Tensor
    distance: torch.Tensor
    """Signed, of every pixel."""


@dataclass(frozen=True, eq=False)
class Hair:
    """The outline of all hair, and the part of it in front of the face."""

    outline: torch.Tensor
    front: torch.Tensor
    hairline: torch.Tensor
    part: torch.Tensor
    width: torch.Tensor
    height: torch.Tensor
    middle: float
    ripple: torch.Tensor
    parted: torch.Tensor
    """How much the parting shows."""
    bob: torch.Tensor
    """0 for cropped hair, 1 from a bob on."""
    grown: torch.Tensor
    """0 on bald heads."""
    curls: torch.Tensor


@dataclass(frozen=True, eq=False)
class Eyes:
    """Both eyes at once: coordinates mirrored so that +x points to the outer corner."""

    size: torch.Tensor
    side: torch.Tensor
    """−1 for the left eye in the picture, 1 for the right one."""
    x: torch.Tensor
    y: torch.Tensor
    flat_x: torch.Tensor
    """As x and y, but not slanted."""
    flat_y: torch.Tensor
    width: torch.Tensor
    upper: torch.Tensor
    """Signed distances below the upper lid …"""
    lower: torch.Tensor
    """… and the lower one."""
    within: torch.Tensor
    """1 between the corners of the eye, 0 beyond."""
    crease: torch.Tensor
    """Signed distance below the crease of the upper lid, which stays where it is when the eye closes."""


def place(a: Values, canvas: Canvas) -> Frame:
    """Pixel positions as seen by the frame, the body, the head and the turned features."""
    size = canvas.image.shape[-1]
    line = (torch.arange(size, device=canvas.image.device) + 0.5) * (2 / size) - 1
    frame_x, frame_y = line.view(1, 1, -1), line.view(1, -1, 1)
    # The average avatar fills its picture as the crop does that `faces` makes of it.
    scale = between(1.09, 1.254, a.scale)
    body_x = (frame_x - between(-0.06, 0.06, a.shift_x)) / scale
    body_y = (frame_y - between(-0.037, 0.083, a.shift_y)) / scale
    angle = between(-8, 8, a.tilt) * (math.pi / 180)
    cos, sin, pivot = torch.cos(angle), torch.sin(angle), 0.5  # the head leans about the neck
    x = body_x * cos + (body_y - pivot) * sin
    y = (body_y - pivot) * cos - body_x * sin + pivot
    turn = between(-0.09, 0.09, a.turn)
    feature_x = x - turn
    feature_x = feature_x * (1 + 2.5 * turn * feature_x)  # the far side of the face is foreshortened
    return Frame(
        frame_x=frame_x,
        frame_y=frame_y,
        body_x=body_x,
        body_y=body_y,
        x=x,
        y=y,
        feature_x=feature_x,
        turn=turn,
        light=between(-1, 1, a.light_side),
    )


def shape_face(a: Values, frame: Frame) -> Face:
    """The head's outline: a superellipse whose two exponents set how broad jaw and chin are."""
    width = between(0.395, 0.475, a.face_width)
    middle = 0.02
    chin = between(0.64, 0.78, a.face_height)
    jaw = between(1.9, 3.6, a.jaw)
    point = between(2.55, 1.5, a.chin)
    down = frame.y - middle
    down = torch.where(down < 0, down * ((chin - middle) / 0.72), down)  # the skull, mostly under hair
    distance = superellipse(frame.x, down, width, chin - middle, point, jaw)
    return Face(width=width, chin=chin, distance=distance)


def shape_hair(a: Values, frame: Frame, face: Face) -> Hair:
    """The outline of all hair, and the part of it in front of the face.

    `cut` climbs a staircase, so that bald, cropped, bob and long are styles and not points on a line.
    """
    x, y = frame.x, frame.y
    side = x.abs()
    grown = smoothstep(0.09, 0.12, a.cut)
    bob = smoothstep(0.36, 0.44, a.cut)
    long = smoothstep(0.66, 0.74, a.cut)
    crop = 1 - bob
    middle = -0.19
    curls = smoothstep(0.60, 0.76, a.wave)
    waves = (1.6 * a.wave).clamp(max=1) * (1 - 0.6 * curls)
    volume = between(0.0, 1.0, a.volume)
    width = face.width + 0.008 + 0.085 * volume + 0.037 * bob + 0.02 * curls
    height = 0.555 + 0.15 * volume + 0.01 * curls
    ripple = torch.sin(10.5 * y + 0.6).mul_(waves)
    curl = torch.cos(14 * x).mul_(waves)

    crown = superellipse(x, y - middle, width + 0.018 * ripple, height * (1 + 0.02 * curl), 2.3, 2.3)
    fall = ((y - middle) / 0.8).clamp_(0, 1.6)
    reach = width + (bob - long) * fall.square() * (0.50 - 0.55 * fall) + long * 0.10 * fall.square()
    reach = reach - crop * 0.9 * fall.square() + ripple * (0.018 + 0.045 * bob * fall.clamp(max=1))
    end = -0.02 + 0.60 * bob + 0.62 * long + 0.03 * curl * bob - 0.10 * (bob - long) * side
    sides = smooth_max(side - reach, y - end, 0.09)
    outline = torch.where(y < middle, crown, sides)  # both agree where they meet
    around = torch.where(y < middle, 18 * torch.atan2(middle - y, side), 24 * (y - middle))
    outline = outline - curls * 0.02 * torch.cos(around)
    outline = outline + 2 * (1 - grown)  # thin hair draws back to the crown, and is gone

    # The opening for the face: a hairline above, the inner edges of the side locks left and right.
    opening_x = x - 0.7 * frame.turn
    part = between(-0.26, 0.26, a.parting)
    from_part = ((opening_x - part).square() + 0.004).sqrt_()
    swept = 4 * a.fringe * (1 - a.fringe)
    full = smoothstep(0.4, 1.0, a.fringe)
    hairline = (
        between(-0.56, -0.27, full)
        - 0.04 * swept
        + from_part * (0.16 * (1 - full) + 0.62 * swept)
        + opening_x.square() * (0.7 - 0.3 * full - 0.5 * swept)
        + 0.022 * curl
    )
    lock = face.width * 0.945
    cheek = ((y - 0.15) / 0.55).clamp_(-1, 1.2)
    inner = lock - (0.10 * bob - 0.02 * long) * cheek.square() + 0.035 * ripple * bob
    opening = smooth_max(opening_x.abs() - inner, hairline - y, 0.12)
    front = torch.maximum(outline, -opening)
    return Hair(
        outline=outline,
        front=front,
        hairline=hairline,
        part=part,
        width=width,
        height=height,
        middle=middle,
        ripple=ripple,
        parted=(1 - 0.8 * full) * (1 - 0.7 * curls),
        bob=bob,
        grown=grown,
        curls=curls,
    )


def shape_eyes(a: Values, frame: Frame) -> Eyes:
    """Both eyes at once: coordinates mirrored so that +x points to the outer corner."""
    size = between(0.78, 1.14, a.eye_size)
    spacing = between(0.195, 0.24, a.eye_spacing)
    side = frame.feature_x.sign()
    flat_x = frame.feature_x.abs() - spacing
    flat_y = frame.y + 0.05
    slant = between(0.28, -0.28, a.eye_slant)
    x, y = flat_x, flat_y - slant * flat_x
    width = 0.118 * size
    bow = 1 - (x / width).square_()
    # A closed lid lies on the lower one; above that it opens, and wide eyes show a little more.
    opened = smoothstep(0.10, 0.20, a.eyelids)
    lid = between(-0.048, between(0.056, 0.084, a.eyelids), opened)
    return Eyes(
        size=size,
        side=side,
        x=x,
        y=y,
        flat_x=flat_x,
        flat_y=flat_y,
        width=width,
        upper=y + lid * size * bow,
        lower=y - 0.048 * size * bow,
        within=(10 * bow).clamp(0, 1),
        crease=y + 0.078 * size * bow,
    )
