"""Draws the demo avatars: the ground truth that the demo generator learns to paint.

An avatar is a row of numbers (see `attributes.py`). Every shape is a signed distance in units
where the picture spans −1…1 (y down), so edges are clean at any resolution, and the picture is a
continuous function of the attributes, so a network can learn it. Shapes are painted back to
front; the same coverages that mix the colours also mix the region labels, which gives exact masks.
"""

import math
from dataclasses import dataclass
from types import SimpleNamespace as Parts

import torch

from ..errors import StyleMixError
from .attributes import ATTRIBUTES

REGIONS = ("background", "clothes", "skin", "face", "hair", "eyes", "brows", "nose", "mouth", "glasses")
"""What a pixel shows. "face" is the bare skin of the face, its features being regions of their own; "skin" is that
of ears and neck."""

# A chunk this large stays in the processor's cache, which makes drawing several times faster.
_CHUNK_PIXELS = 2**17

_LIGHT_SKIN_TO_DARK = (
    (0.99, 0.87, 0.79),
    (0.94, 0.76, 0.64),
    (0.82, 0.60, 0.46),
    (0.64, 0.44, 0.32),
    (0.45, 0.30, 0.22),
)
_COOL_HAIR = (
    (0.10, 0.10, 0.13),
    (0.21, 0.17, 0.17),
    (0.38, 0.30, 0.26),
    (0.62, 0.55, 0.47),
    (0.83, 0.82, 0.81),
)
_WARM_HAIR = (
    (0.16, 0.09, 0.07),
    (0.32, 0.16, 0.09),
    (0.55, 0.26, 0.12),
    (0.80, 0.44, 0.17),
    (0.94, 0.74, 0.40),
)
_IRISES = ((0.30, 0.17, 0.09), (0.45, 0.28, 0.12), (0.35, 0.47, 0.24), (0.22, 0.50, 0.55), (0.28, 0.52, 0.82))


@dataclass(frozen=True)
class Avatars:
    """A batch of drawn avatars."""

    image: torch.Tensor
    """float32 [B, 3, R, R] in −1…1."""
    regions: dict[str, torch.Tensor]
    """What each pixel shows: region name → float32 [B, R, R] coverage; they sum to 1.
    Empty when drawn without regions."""


@torch.no_grad()
def render(attributes: torch.Tensor, resolution: int, with_regions: bool = True) -> Avatars:
    """Draw one avatar per row of `attributes` [B, len(ATTRIBUTES)] in 0…1, each `resolution` pixels square.

    Runs on the device of `attributes`. `StyleMixError` when the shape does not fit.
    """
    if attributes.dim() != 2 or attributes.shape[1] != len(ATTRIBUTES):
        raise StyleMixError(
            f"attributes must have the shape [count, {len(ATTRIBUTES)}], not {list(attributes.shape)}"
        )
    if resolution < 1:
        raise StyleMixError(f"resolution must be at least 1, not {resolution}")
    attributes = attributes.float()
    count = len(attributes)
    image = attributes.new_empty(count, 3, resolution, resolution)
    labels = attributes.new_zeros(count, len(REGIONS), resolution, resolution) if with_regions else None
    step = max(1, _CHUNK_PIXELS // resolution**2)
    for start in range(0, count, step):
        part = slice(start, start + step)
        _draw(attributes[part], _Canvas(image[part], None if labels is None else labels[part]))
    regions = {} if labels is None else dict(zip(REGIONS, labels.unbind(1), strict=True))
    return Avatars(image.mul_(2).sub_(1), regions)


def sample_attributes(count: int, generator: torch.Generator | None = None) -> torch.Tensor:
    """`count` random avatars: every attribute uniform in 0…1 and independent of the others."""
    device = "cpu" if generator is None else generator.device
    return torch.rand(count, len(ATTRIBUTES), generator=generator, device=device)


def _draw(attributes: torch.Tensor, canvas: "_Canvas") -> None:
    a = Parts(
        **{attribute.name: attributes[:, column, None, None] for column, attribute in enumerate(ATTRIBUTES)}
    )
    frame = _place(a, canvas)
    colours = _mix_colours(a)
    face = _shape_face(a, frame)
    hair = _shape_hair(a, frame, face)

    _draw_background(canvas, frame, colours)
    _draw_hair_back(canvas, hair, colours)
    _draw_neck(canvas, frame, face, colours)
    _draw_clothes(canvas, frame, colours)
    _draw_ears(a, canvas, frame, face, hair, colours)
    _draw_face(canvas, frame, face, hair, colours)
    _draw_nose(a, canvas, frame, colours)
    _draw_mouth(a, canvas, frame, face, colours)
    eyes = _shape_eyes(a, frame)
    _draw_eyes(canvas, frame, eyes, colours)
    _draw_brows(a, canvas, eyes, colours)
    _draw_glasses(a, canvas, frame, face, eyes)
    _draw_hair_front(canvas, frame, hair, colours)
    _light(a, canvas, frame)


class _Canvas:
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


def _colour(red: float, green: float, blue: float, like: torch.Tensor) -> torch.Tensor:
    return like.new_tensor((red, green, blue)).view(1, 3, 1, 1)


def _ramp(position: torch.Tensor, table: tuple) -> torch.Tensor:
    """The colour at `position` (0…1) on a row of evenly spaced colours."""
    keys = torch.arange(len(table), device=position.device)
    weights = (1 - (position.flatten(1) * (len(table) - 1) - keys).abs()).clamp_(min=0)
    return (weights @ position.new_tensor(table))[:, :, None, None]


def _hue(hue: torch.Tensor, saturation: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
    """A smooth colour wheel (cosines instead of the corners of HSV)."""
    third = torch.arange(3, device=hue.device).view(1, 3, 1, 1) / 3
    wheel = 0.5 + 0.5 * torch.cos(2 * math.pi * (hue[:, None] - third))
    return value[:, None] * (1 - saturation[:, None] * (1 - wheel))


def _between(low: float, high: float, position: torch.Tensor) -> torch.Tensor:
    return low + (high - low) * position


def _smoothstep(low: float, high: float, value: torch.Tensor) -> torch.Tensor:
    t = ((value - low) / (high - low)).clamp_(0, 1)
    return t * t * (3 - 2 * t)


def _soft(distance: torch.Tensor, width: torch.Tensor | float) -> torch.Tensor:
    """A smooth bump: 1 at `distance` 0, fading to 0 at `width`."""
    bump = (1 - (distance / width).square_()).clamp_(min=0)
    return bump.square_()


def _blob(x: torch.Tensor, y: torch.Tensor, width, height) -> torch.Tensor:
    """A smooth round spot of the given half-width and half-height."""
    bump = (1 - (x / width).square_()).sub_((y / height).square_()).clamp_(min=0)
    return bump.square_()


def _ellipse(x: torch.Tensor, y: torch.Tensor, width, height) -> torch.Tensor:
    """Signed distance to an ellipse, exact enough for edges that are a pixel soft."""
    u, v = x / width, y / height
    radius = (u.square() + v.square()).sqrt_()
    slope = ((u / width).square_() + (v / height).square_()).sqrt_().add_(1e-4)
    return (radius - 1).mul_(radius).div_(slope)


def _superellipse(x: torch.Tensor, y: torch.Tensor, width, height, power_x, power_y) -> torch.Tensor:
    """Signed distance to |x/width|^power_x + |y/height|^power_y = 1: an ellipse, squarer or more pointed."""
    u, v = (x.abs() / width).clamp_(min=1e-3), (y.abs() / height).clamp_(min=1e-3)
    across, along = u.pow(power_x), v.pow(power_y)
    slope = (across * (power_x / width) / u).square_() + (along * (power_y / height) / v).square_()
    return across.add_(along).sub_(1).div_(slope.sqrt_())


def _smooth_max(a: torch.Tensor, b: torch.Tensor, round_by: float) -> torch.Tensor:
    """The intersection of two shapes with a rounded corner."""
    blend = (round_by - (a - b).abs_()).clamp_(min=0).square_().div_(4 * round_by)
    return blend.add_(torch.maximum(a, b))


def _place(a: Parts, canvas: _Canvas) -> Parts:
    """Pixel positions as seen by the frame, the body, the head and the turned features."""
    size = canvas.image.shape[-1]
    line = (torch.arange(size, device=canvas.image.device) + 0.5) * (2 / size) - 1
    frame_x, frame_y = line.view(1, 1, -1), line.view(1, -1, 1)
    # The average avatar fills its picture as the crop does that `alignment` makes of it.
    scale = _between(1.09, 1.254, a.scale)
    body_x = (frame_x - _between(-0.06, 0.06, a.shift_x)) / scale
    body_y = (frame_y - _between(-0.037, 0.083, a.shift_y)) / scale
    angle = _between(-8, 8, a.tilt) * (math.pi / 180)
    cos, sin, pivot = torch.cos(angle), torch.sin(angle), 0.5  # the head leans about the neck
    x = body_x * cos + (body_y - pivot) * sin
    y = (body_y - pivot) * cos - body_x * sin + pivot
    turn = _between(-0.09, 0.09, a.turn)
    feature_x = x - turn
    feature_x = feature_x * (1 + 2.5 * turn * feature_x)  # the far side of the face is foreshortened
    return Parts(
        frame_x=frame_x,
        frame_y=frame_y,
        body_x=body_x,
        body_y=body_y,
        x=x,
        y=y,
        feature_x=feature_x,
        turn=turn,
        light=_between(-1, 1, a.light_side),
    )


def _mix_colours(a: Parts) -> Parts:
    skin = _ramp(a.skin_tone, _LIGHT_SKIN_TO_DARK)
    rosy, golden = _colour(1.04, 0.92, 0.98, skin), _colour(0.99, 1.0, 0.78, skin)
    skin = (skin * torch.lerp(rosy, golden, a.skin_warmth[:, None])).clamp_(max=1)
    hair = torch.lerp(_ramp(a.hair_tone, _COOL_HAIR), _ramp(a.hair_tone, _WARM_HAIR), a.hair_warmth[:, None])
    lips = torch.lerp(_colour(0.80, 0.36, 0.36, skin), _colour(0.74, 0.08, 0.20, skin), a.lip_colour[:, None])
    strength = a.background_strength
    background = _hue(a.background_hue, _between(0.16, 0.55, strength), _between(0.95, 0.66, strength))
    clothes = _hue(a.clothes_hue, _between(0.62, 0.38, a.clothes_tone), _between(0.34, 0.92, a.clothes_tone))
    return Parts(
        skin=skin,
        skin_shadow=_colour(0.78, 0.62, 0.60, skin),
        hair=hair,
        hair_dark=hair * 0.50,
        hair_bright=hair * 1.15 + 0.16,
        brows=hair * 0.42 + 0.02,
        iris=_ramp(a.eye_colour, _IRISES),
        lips=lips,
        lip_cover=_between(0.50, 0.95, a.lip_colour),
        background=background,
        clothes=clothes,
    )


def _shape_face(a: Parts, frame: Parts) -> Parts:
    """The head's outline: a superellipse whose two exponents set how broad jaw and chin are."""
    width = _between(0.395, 0.475, a.face_width)
    middle = 0.02
    chin = _between(0.64, 0.78, a.face_height)
    jaw = _between(1.9, 3.6, a.jaw)
    point = _between(2.55, 1.5, a.chin)
    down = frame.y - middle
    down = torch.where(down < 0, down * ((chin - middle) / 0.72), down)  # the skull, mostly under hair
    distance = _superellipse(frame.x, down, width, chin - middle, point, jaw)
    return Parts(width=width, chin=chin, distance=distance)


def _shape_hair(a: Parts, frame: Parts, face: Parts) -> Parts:
    """The outline of all hair, and the part of it in front of the face.

    `cut` climbs a staircase, so that cropped, bob and long are styles and not points on a line.
    """
    x, y = frame.x, frame.y
    side = x.abs()
    bob = _smoothstep(0.28, 0.36, a.cut)
    long = _smoothstep(0.64, 0.72, a.cut)
    crop = 1 - bob
    middle = -0.19
    volume = _between(0.0, 1.0, a.volume)
    width = face.width + 0.008 + 0.085 * volume + 0.037 * bob
    height = 0.555 + 0.15 * volume
    ripple = torch.sin(10.5 * y + 0.6).mul_(a.wave)
    curl = torch.cos(14 * x).mul_(a.wave)

    crown = _superellipse(x, y - middle, width + 0.018 * ripple, height * (1 + 0.02 * curl), 2.3, 2.3)
    fall = ((y - middle) / 0.8).clamp_(0, 1.6)
    reach = width + (bob - long) * fall.square() * (0.50 - 0.55 * fall) + long * 0.10 * fall.square()
    reach = reach - crop * 0.9 * fall.square() + ripple * (0.018 + 0.045 * bob * fall.clamp(max=1))
    end = -0.02 + 0.60 * bob + 0.62 * long + 0.03 * curl * bob - 0.10 * (bob - long) * side
    sides = _smooth_max(side - reach, y - end, 0.09)
    outline = torch.where(y < middle, crown, sides)  # both agree where they meet

    # The opening for the face: a hairline above, the inner edges of the side locks left and right.
    opening_x = x - 0.7 * frame.turn
    part = _between(-0.26, 0.26, a.parting)
    from_part = ((opening_x - part).square() + 0.004).sqrt_()
    swept = 4 * a.fringe * (1 - a.fringe)
    full = _smoothstep(0.4, 1.0, a.fringe)
    hairline = (
        _between(-0.56, -0.27, full)
        - 0.04 * swept
        + from_part * (0.16 * (1 - full) + 0.62 * swept)
        + opening_x.square() * (0.7 - 0.3 * full - 0.5 * swept)
        + 0.022 * curl
    )
    lock = face.width * 0.945
    cheek = ((y - 0.15) / 0.55).clamp_(-1, 1.2)
    inner = lock - (0.10 * bob - 0.02 * long) * cheek.square() + 0.035 * ripple * bob
    opening = _smooth_max(opening_x.abs() - inner, hairline - y, 0.12)
    front = torch.maximum(outline, -opening)
    return Parts(
        outline=outline,
        front=front,
        hairline=hairline,
        part=part,
        width=width,
        height=height,
        middle=middle,
        ripple=ripple,
        parted=1 - 0.8 * full,
        bob=bob,
    )


def _shape_eyes(a: Parts, frame: Parts) -> Parts:
    """Both eyes at once: coordinates mirrored so that +x points to the outer corner."""
    size = _between(0.78, 1.14, a.eye_size)
    spacing = _between(0.195, 0.24, a.eye_spacing)
    side = frame.feature_x.sign()
    flat_x = frame.feature_x.abs() - spacing
    flat_y = frame.y + 0.05
    slant = _between(0.28, -0.28, a.eye_slant)
    x, y = flat_x, flat_y - slant * flat_x
    width = 0.118 * size
    bow = 1 - (x / width).square_()
    return Parts(
        size=size,
        spacing=spacing,
        side=side,
        x=x,
        y=y,
        flat_x=flat_x,
        flat_y=flat_y,
        width=width,
        bow=bow,
        upper=y + 0.078 * size * bow,
        lower=y - 0.048 * size * bow,
    )


def _draw_background(canvas: _Canvas, frame: Parts, colours: Parts) -> None:
    glow = 1.08 - 0.20 * (frame.frame_x.square() + (frame.frame_y + 0.2).square())
    torch.mul(colours.background, glow[:, None], out=canvas.image)
    if canvas.labels is not None:
        canvas.labels[:, REGIONS.index("background")] = 1


def _draw_hair_back(canvas: _Canvas, hair: Parts, colours: Parts) -> None:
    canvas.paint(colours.hair * 0.62, canvas.fill(hair.outline), "hair")


def _draw_neck(canvas: _Canvas, frame: Parts, face: Parts, colours: Parts) -> None:
    x, y = frame.body_x, frame.body_y
    slope = (y - 0.70).clamp(min=0)
    neck = torch.maximum(x.abs() - 0.185 - 1.6 * slope.square(), 0.3 - y)
    coverage = canvas.fill(neck)
    canvas.paint(colours.skin, coverage, "skin")
    under_chin = (1 - face.distance * 4.5).clamp_(0, 1).square_().mul_(0.75)
    rounded = (x.abs() / 0.3).square().mul(0.35) + 0.12
    canvas.darken(colours.skin_shadow, torch.maximum(under_chin, rounded).mul_(coverage).clamp_(max=1))


def _draw_clothes(canvas: _Canvas, frame: Parts, colours: Parts) -> None:
    x, y = frame.body_x, frame.body_y
    side = x.abs()
    shoulder = 0.765 + 0.30 * (side - 0.15).clamp(min=0).pow(1.6)
    neckline = _ellipse(x, y - 0.74, 0.275, 0.165)
    cloth = torch.maximum(shoulder - y, -neckline)
    coverage = canvas.fill(cloth)
    canvas.paint(colours.clothes, coverage, "clothes")
    folds = (side * 0.5).square() + 0.5 * _soft(neckline - 0.07, 0.07) + 0.3 * (y - 0.82).clamp(min=0)
    canvas.darken(_colour(0.60, 0.60, 0.66, colours.clothes), folds.mul_(coverage).clamp_(0, 1))
    collar = canvas.fill((neckline - 0.024).abs_().sub_(0.024)).mul_(coverage)
    canvas.paint(colours.clothes * 0.84 + 0.14, collar)


def _draw_ears(a: Parts, canvas: _Canvas, frame: Parts, face: Parts, hair: Parts, colours: Parts) -> None:
    size = _between(0.72, 1.38, a.ears)
    x = (frame.x + 0.35 * frame.turn).abs() - (face.width + 0.018)
    y = frame.y - 0.06 + 0.25 * x
    coverage = canvas.fill(_ellipse(x, y, 0.068 * size, 0.120 * size))
    coverage *= (1 - hair.bob).square()  # longer hair hides them
    canvas.paint(colours.skin, coverage, "skin")
    hollow = _blob(x - 0.012, y + 0.005, 0.052 * size, 0.10 * size).mul_(0.75).add_(0.18).mul_(coverage)
    canvas.darken(colours.skin_shadow, hollow)


def _draw_face(canvas: _Canvas, frame: Parts, face: Parts, hair: Parts, colours: Parts) -> None:
    coverage = canvas.fill(face.distance)
    canvas.paint(colours.skin, coverage, "face")
    x, y = frame.feature_x, frame.y
    across = frame.x / face.width
    form = (across * frame.light).mul_(-0.30).add_(0.02).clamp_(min=0)  # the side away from the light
    form += (1 + face.distance / 0.16).clamp_(min=0).square_().mul_(0.26)
    under_hair = (1 - hair.front / 0.11).clamp_(0, 1).square_()
    form += under_hair.mul_(0.42)
    form += _blob(x.abs() - 0.20, y + 0.10, 0.17, 0.13).mul_(0.16)  # eye sockets
    canvas.darken(colours.skin_shadow, form.mul_(coverage).clamp_(max=1))
    blush = _blob(x.abs() - 0.27, y - 0.19, 0.17, 0.13).mul_(0.42).mul_(coverage)
    canvas.darken(_colour(1.0, 0.74, 0.72, colours.skin), blush)


def _draw_nose(a: Parts, canvas: _Canvas, frame: Parts, colours: Parts) -> None:
    size = _between(0.68, 1.42, a.nose_size)
    tip = 0.115 + 0.045 * size
    y = frame.y - tip
    across = frame.feature_x - 0.5 * frame.turn  # the tip stands out, so it moves further than the face
    shadow_side = across + 0.045 * size * frame.light
    bridge = _blob(shadow_side, y + 0.12, 0.042 * size, 0.20).mul_(0.30 * frame.light.abs())
    below = _blob(across, y - 0.035 * size, 0.105 * size, 0.040 * size).mul_(0.9)
    wings = _blob(across.abs() - 0.062 * size, y - 0.005, 0.030 * size, 0.042 * size).mul_(0.6)
    canvas.darken(colours.skin_shadow, (bridge + below + wings).clamp_(max=1))
    nostrils = _blob(across.abs() - 0.040 * size, y - 0.022 * size, 0.030 * size, 0.017 * size).mul_(0.85)
    canvas.darken(_colour(0.50, 0.32, 0.30, colours.skin), nostrils)
    gleam = _blob(across - 0.012 * frame.light, y + 0.012, 0.040 * size, 0.040 * size).mul_(0.30)
    canvas.paint(colours.skin * 0.75 + 0.25, gleam)
    canvas.label("nose", _blob(across, y + 0.03, 0.12 * size, 0.16 * size).mul_(1.6).clamp_(max=1))


def _draw_mouth(a: Parts, canvas: _Canvas, frame: Parts, face: Parts, colours: Parts) -> None:
    width = _between(0.145, 0.22, a.mouth_width)
    full = _between(0.55, 1.35, a.lips)
    x = frame.feature_x - 0.2 * frame.turn
    t = x / width
    t2 = t.square()
    bow = (1 - t2).clamp_(min=-0.3)
    curve = _between(-0.055, 0.085, a.smile)
    y = frame.y - (0.375 + 0.3 * (face.chin - 0.71)) + curve * (t2 - 0.4).clamp_(max=1.2)
    cupid = 1 - 0.28 * _soft(t, 0.42)
    upper = -y - 0.050 * full * bow * cupid
    lower = y - 0.068 * full * bow
    lips = canvas.fill(torch.maximum(upper, lower))
    shadow = _blob(x, y - 0.085 - 0.02 * full, 0.6 * width, 0.035).mul_(0.45)
    canvas.darken(colours.skin_shadow, shadow)
    canvas.paint(colours.lips, lips * colours.lip_cover, "mouth")
    upper_lip = canvas.fill(y).mul_(lips)  # it faces away from the light
    canvas.darken(_colour(0.80, 0.70, 0.72, t), upper_lip.mul_(0.75))
    gleam = _blob(x + 0.02 * frame.light, y - 0.032 * full, 0.5 * width, 0.020 * full).mul_(0.30)
    canvas.paint(_colour(1.0, 0.86, 0.86, t), gleam)
    parting = canvas.stroke(y, 0.0085).mul_((bow * 3 + 0.35).clamp_(0, 1))
    canvas.paint(_colour(0.30, 0.09, 0.10, t), parting.mul_(0.85), "mouth")


def _draw_eyes(canvas: _Canvas, frame: Parts, eyes: Parts, colours: Parts) -> None:
    size = eyes.size
    gaze = eyes.x - 0.25 * frame.turn * eyes.side
    inside = canvas.fill(torch.maximum(-eyes.upper, eyes.lower))
    canvas.paint(_colour(0.97, 0.96, 0.95, inside), inside, "eyes")
    radius = (gaze.square() + (eyes.y + 0.014 * size).square()).sqrt_()
    canvas.paint(colours.iris * 0.55, canvas.fill(radius - 0.064 * size).mul_(inside))
    ring = canvas.fill(radius - 0.052 * size).mul_(inside)
    canvas.paint(colours.iris * 1.05 + 0.03, ring * (0.72 + 6 * eyes.y / size).clamp_(0.1, 1))
    canvas.paint(_colour(0.05, 0.04, 0.05, inside), canvas.fill(radius - 0.029 * size).mul_(inside))
    lid_shadow = (1 - eyes.upper / (0.050 * size)).clamp_(0, 1).mul_(inside).mul_(0.38)
    canvas.darken(_colour(0.45, 0.40, 0.45, inside), lid_shadow)
    shine_x = gaze * eyes.side + 0.022 * size
    shine = canvas.fill(_ellipse(shine_x, eyes.y + 0.036 * size, 0.016 * size, 0.016 * size)).mul_(inside)
    canvas.paint(_colour(1, 1, 1, inside), shine)

    along = (eyes.x / eyes.width).clamp(-1.5, 1.5)
    reach = (1.12 + 0.10 * along - along.abs()).mul_(5).clamp_(0, 1)
    lash = canvas.stroke(eyes.upper + 0.004, (0.0115 + 0.0055 * along) * size).mul_(reach)
    canvas.paint(_colour(0.13, 0.08, 0.08, inside), lash, "eyes")
    crease = _soft(eyes.upper + 0.036 * size, 0.014).mul_(0.45)
    lower_lid = _soft(eyes.lower - 0.004, 0.014).mul_(0.50)
    lids = crease.add_(lower_lid).mul_((1 - along.abs()).mul_(4).clamp_(0, 1))
    canvas.darken(_colour(0.55, 0.40, 0.38, inside), lids)


def _draw_brows(a: Parts, canvas: _Canvas, eyes: Parts, colours: Parts) -> None:
    height = _between(0.135, 0.205, a.brow_height)
    angle = _between(0.22, -0.24, a.brow_angle)
    thickness = _between(0.013, 0.032, a.brow_thickness)
    t = (eyes.flat_x - 0.005) / 0.150
    centre = eyes.flat_y + height + 0.032 * (1 - (t - 0.25).square()) - angle * 0.150 * t
    taper = 1 - ((t + 0.35) / 1.38).square_()  # full at the inner end, pointed at the outer one
    inner_end = ((t + 1.0) * 4).clamp_(0, 1)
    brow = canvas.fill(centre.abs_() - thickness * taper).mul_(inner_end).mul_(0.92)
    canvas.paint(colours.brows, brow, "brows")


def _draw_glasses(a: Parts, canvas: _Canvas, frame: Parts, face: Parts, eyes: Parts) -> None:
    worn = torch.sigmoid((a.glasses - 0.5) * 30)
    x, y = eyes.flat_x - 0.005, eyes.flat_y - 0.020
    u, v = (x / 0.168).square_(), (y / 0.135).square_()
    lens = (u.square_() + v.square_()).sqrt_().sqrt_().sub_(1).mul_(0.145)
    glass = canvas.fill(lens).mul_(worn)
    canvas.paint(_colour(0.92, 0.96, 1.0, x), glass * (0.10 + 0.10 * _soft(x * eyes.side + y * 0.6, 0.05)))
    rim = canvas.stroke(lens, 0.0105)
    outside = canvas.fill(-lens)
    bridge = canvas.stroke(y + 0.045 - 0.35 * frame.feature_x.square(), 0.0095).mul_((x < 0) * outside)
    arm = canvas.stroke(y + 0.040, 0.0095).mul_((x > 0) * outside * canvas.fill(face.distance - 0.01))
    covered = torch.maximum(rim, torch.maximum(bridge, arm)).mul_(worn).mul_(0.94)
    canvas.paint(_colour(0.13, 0.12, 0.15, x), covered, "glasses")


def _draw_hair_front(canvas: _Canvas, frame: Parts, hair: Parts, colours: Parts) -> None:
    coverage = canvas.fill(hair.front)
    x, y = frame.x, frame.y
    from_part = x - hair.part
    canvas.paint(colours.hair, coverage, "hair")

    # Strands fan out from the parting and follow the waves; a slow sine only suggests them.
    strand = torch.sin((from_part + 0.03 * hair.ripple) / (y + 1.45).clamp_(min=0.3) * 34)
    u, v = x / hair.width, (y - hair.middle) / hair.height
    radius = (u.square() + v.square()).sqrt_()
    above = (-2.2 * v).clamp_(0, 1)
    dark = strand.mul(0.13).add_(0.14)
    dark += (y + 0.35).mul(0.42).clamp_(0, 0.42)
    dark += (radius - 0.72).clamp_(0, 0.4).mul_(0.45) * above
    dark += _soft(hair.front, 0.05).mul_(((y - hair.hairline) * 6 + 1.3).clamp_(0, 1)).mul_(0.24)
    dark += _soft(from_part, 0.022).mul_((hair.hairline - y).mul(4).clamp_(0, 1)).mul_(0.35 * hair.parted)
    dark += (u * frame.light).mul_(-0.22).clamp_(min=0)
    canvas.paint(colours.hair_dark, dark.clamp_(0, 1).mul_(coverage))

    towards_light = (0.75 + 0.6 * u * frame.light - 0.4 * u.square()).clamp_(0, 1)
    band = _soft(radius - 0.76 + 0.018 * strand, 0.17).mul_(towards_light).mul_(above)
    canvas.paint(colours.hair_bright, band.mul_(coverage).mul_(0.62))


def _light(a: Parts, canvas: _Canvas, frame: Parts) -> None:
    """Brightness and direction of the light, on everything."""
    gain = _between(0.80, 1.07, a.light_strength) * (1 + 0.13 * frame.light * frame.frame_x)
    canvas.image.mul_(gain[:, None]).clamp_(0, 1)
