"""How everything looks: each part is painted over those behind it, then shaded."""

import math

import torch

from .attributes import Values
from .canvas import REGIONS, Canvas
from .colours import Colours, colour
from .geometry import Eyes, Face, Frame, Hair
from .shapes import between, blob, ellipse, smooth_max, smoothstep, soft, superellipse

LIGHTS = (
    (-0.86, -0.82, 0.15),
    (-0.70, -0.40, 0.10),
    (-0.90, -0.02, 0.13),
    (-0.78, 0.42, 0.09),
    (-0.42, -0.90, 0.08),
    (0.16, -0.95, 0.07),
    (0.52, -0.86, 0.12),
    (0.88, -0.66, 0.10),
    (0.74, -0.24, 0.14),
    (0.92, 0.16, 0.08),
    (0.80, 0.50, 0.12),
)
"""Where a backdrop of lights has them: x, y and radius."""


def draw_background(a: Values, canvas: Canvas, frame: Frame, colours: Colours) -> None:
    x, y = frame.frame_x, frame.frame_y
    glow = 1.08 - 0.20 * (x.square() + (y + 0.2).square())
    torch.mul(colours.background, glow[:, None], out=canvas.image)
    lights = smoothstep(0.30, 0.38, a.backdrop) - smoothstep(0.62, 0.70, a.backdrop)
    blinds = smoothstep(0.62, 0.70, a.backdrop)
    spots = torch.zeros_like(glow)
    for left, top, radius in LIGHTS:
        spots = torch.maximum(spots, canvas.fill(ellipse(x - left, y - top, radius, radius)))
    canvas.paint(colours.background * 0.55 + 0.42, spots * lights * 0.75)
    slats = canvas.fill(0.04 * torch.sin(8 * math.pi * (y + 0.04)))
    canvas.darken(colour(0.62, 0.64, 0.72, colours.background), slats * blinds)
    cord = canvas.stroke(x.abs() - 0.62, 0.008)
    canvas.darken(colour(0.62, 0.64, 0.72, colours.background), cord * blinds)
    if canvas.labels is not None:
        canvas.labels[:, REGIONS.index("background")] = 1


def draw_hair_back(a: Values, canvas: Canvas, frame: Frame, hair: Hair, colours: Colours) -> None:
    x, y = frame.x.abs() - 0.41, frame.y + 0.64
    bun = canvas.fill(ellipse(x, y, 0.155, 0.15)) * smoothstep(0.66, 0.72, a.buns) * hair.grown
    canvas.paint(colours.hair * 0.9, bun, "hair")
    radius = (x.square() + y.square()).sqrt_()
    turns = torch.sin(radius * 70 + torch.atan2(y, x)).mul_(0.5).add_(0.5)
    canvas.paint(colours.hair_dark, bun * (turns * 0.35 + (radius * 5 - 0.35).clamp_(0, 0.4)))
    canvas.paint(colours.hair * 0.62, canvas.fill(hair.outline), "hair")


def draw_neck(canvas: Canvas, frame: Frame, face: Face, colours: Colours) -> None:
    x, y = frame.body_x, frame.body_y
    slope = (y - 0.70).clamp(min=0)
    neck = torch.maximum(x.abs() - 0.185 - 1.6 * slope.square(), 0.3 - y)
    coverage = canvas.fill(neck)
    canvas.paint(colours.skin, coverage, "skin")
    under_chin = (1 - face.distance * 4.5).clamp_(0, 1).square_().mul_(0.75)
    rounded = (x.abs() / 0.3).square().mul(0.35) + 0.12
    canvas.darken(colours.skin_shadow, torch.maximum(under_chin, rounded).mul_(coverage).clamp_(max=1))


def draw_clothes(a: Values, canvas: Canvas, frame: Frame, colours: Colours) -> None:
    x, y = frame.body_x, frame.body_y
    side = x.abs()
    shoulder = 0.765 + 0.30 * (side - 0.15).clamp(min=0).pow(1.6)
    neckline = ellipse(x, y - 0.74, 0.275, 0.165)
    coverage = canvas.fill(torch.maximum(shoulder - y, -neckline))
    canvas.paint(colours.clothes, coverage, "clothes")
    folds = (side * 0.5).square() + 0.5 * soft(neckline - 0.07, 0.07) + 0.3 * (y - 0.82).clamp(min=0)
    shade = colour(0.60, 0.60, 0.66, colours.clothes)
    canvas.darken(shade, folds.mul_(coverage).clamp_(0, 1))
    shirt = smoothstep(0.34, 0.42, a.collar) - smoothstep(0.66, 0.74, a.collar)
    polo = smoothstep(0.66, 0.74, a.collar)
    hem = canvas.fill((neckline - 0.024).abs_().sub_(0.024)).mul_(coverage)
    canvas.paint(colours.clothes * 0.84 + 0.14, hem * (1 - shirt - polo))
    # Two flaps that meet at the throat.
    flap = smooth_max((side - 0.15 - 0.45 * (y - 0.78)).abs() - 0.07, (y - 0.80).abs() - 0.085, 0.03)
    cut = canvas.fill(flap) * shirt
    canvas.paint(colours.clothes * 0.55 + 0.43, cut, "clothes")
    canvas.darken(shade, canvas.stroke(flap, 0.006) * shirt * 0.8)
    tube = smooth_max(side - 0.215, 0.655 + 0.25 * side.square() - y, 0.04)
    covered = canvas.fill(tube) * polo
    canvas.paint(colours.clothes * 0.92 + 0.05, covered, "clothes")
    rolled = soft(y - 0.735, 0.03) * 0.5 + (side / 0.28).square() * 0.35
    canvas.darken(shade, rolled.mul_(covered).clamp_(0, 1))


def draw_ears(a: Values, canvas: Canvas, frame: Frame, face: Face, hair: Hair, colours: Colours) -> None:
    size = between(0.72, 1.38, a.ears)
    x = (frame.x + 0.35 * frame.turn).abs() - (face.width + 0.018)
    y = frame.y - 0.06 + 0.25 * x
    coverage = canvas.fill(ellipse(x, y, 0.068 * size, 0.120 * size))
    coverage *= (1 - hair.bob).square()  # longer hair hides them
    canvas.paint(colours.skin, coverage, "skin")
    hollow = blob(x - 0.012, y + 0.005, 0.052 * size, 0.10 * size).mul_(0.75).add_(0.18).mul_(coverage)
    canvas.darken(colours.skin_shadow, hollow)


def draw_face(
    a: Values,
    canvas: Canvas,
    frame: Frame,
    face: Face,
    hair: Hair,
    colours: Colours,
    noise: torch.Tensor | None,
) -> None:
    coverage = canvas.fill(face.distance)
    canvas.paint(colours.skin, coverage, "face")
    x, y = frame.feature_x, frame.y
    across = frame.x / face.width
    form = (across * frame.light).mul_(-0.30).add_(0.02).clamp_(min=0)  # the side away from the light
    form += (1 + face.distance / 0.16).clamp_(min=0).square_().mul_(0.26)
    under_hair = (1 - hair.front / 0.11).clamp_(0, 1).square_()
    form += under_hair.mul_(0.42)
    form += blob(x.abs() - 0.20, y + 0.10, 0.17, 0.13).mul_(0.16)  # eye sockets
    canvas.darken(colours.skin_shadow, form.mul_(coverage).clamp_(max=1))
    blush = blob(x.abs() - 0.27, y - 0.19, 0.17, 0.13).mul_(0.42).mul_(coverage)
    canvas.darken(colour(1.0, 0.74, 0.72, colours.skin), blush)
    gleam = blob(x + 0.12 * frame.light, y + 0.50, 0.22, 0.13).mul_(0.25 * (1 - hair.grown))
    canvas.paint(colours.skin * 0.7 + 0.3, gleam)  # on a bald head
    draw_wrinkles(a, canvas, frame, colours)
    if noise is not None:
        cheeks = blob(x, y - 0.08, 0.42, 0.30).sqrt_().mul_(1.3).clamp_(max=1)
        spots = (noise - 1.1).clamp(0, 0.6) / 0.6
        canvas.darken(colours.freckles, spots * cheeks * coverage * smoothstep(0.4, 0.9, a.freckles))


def draw_wrinkles(a: Values, canvas: Canvas, frame: Frame, colours: Colours) -> None:
    x, y = frame.feature_x, frame.y
    side = x.abs()
    old = smoothstep(0.45, 0.90, a.age)
    lines = torch.zeros_like(x * y)
    for height in (-0.40, -0.335):
        lines = torch.maximum(
            lines, soft(y - height + 0.10 * x.square(), 0.014) * (1.6 - 7 * side).clamp(0, 1)
        )
    along = ((y - 0.16) / 0.20).clamp(-0.2, 1.2)
    fold = soft(side - 0.105 - 0.10 * along, 0.017) * (4 * along * (1 - along) + 0.2).clamp(0, 1)
    bag = soft(y - 0.055 - 0.045 * (1 - ((side - 0.215) / 0.11).square()), 0.016)
    bag = bag * (3 - 28 * (side - 0.215).abs()).clamp(0, 1)
    lines = torch.maximum(lines, torch.maximum(fold, bag))
    canvas.darken(colours.skin_shadow, lines * old * 0.85)


def draw_beard(a: Values, canvas: Canvas, frame: Frame, face: Face, colours: Colours) -> None:
    stubble, full = smoothstep(0.52, 0.60, a.beard), smoothstep(0.74, 0.82, a.beard)
    x = frame.feature_x - 0.2 * frame.turn
    across = (x.abs() / face.width).clamp(max=1.2)
    edge = (
        0.275
        + 0.3 * (face.chin - 0.71)
        + 0.06 * soft(across - 0.30, 0.25)
        - 0.40 * (across - 0.45).clamp(min=0)
    )
    covered = smooth_max(face.distance - 0.035 * full, edge - frame.y, 0.03)
    coverage = canvas.fill(covered) * (stubble * 0.30 + full * 0.66)
    canvas.paint(colours.brows, coverage, "beard")
    strand = torch.sin(40 * x + 7 * torch.sin(9 * frame.y)).mul_(0.5).add_(0.5)
    canvas.paint(colours.hair * 0.8, canvas.fill(covered) * strand * full * 0.2)


def draw_nose(a: Values, canvas: Canvas, frame: Frame, colours: Colours) -> None:
    size = between(0.68, 1.42, a.nose_size)
    tip = 0.115 + 0.045 * size
    y = frame.y - tip
    across = frame.feature_x - 0.5 * frame.turn  # the tip stands out, so it moves further than the face
    shadow_side = across + 0.045 * size * frame.light
    bridge = blob(shadow_side, y + 0.12, 0.042 * size, 0.20).mul_(0.30 * frame.light.abs())
    below = blob(across, y - 0.035 * size, 0.105 * size, 0.040 * size).mul_(0.9)
    wings = blob(across.abs() - 0.062 * size, y - 0.005, 0.030 * size, 0.042 * size).mul_(0.6)
    canvas.darken(colours.skin_shadow, (bridge + below + wings).clamp_(max=1))
    nostrils = blob(across.abs() - 0.040 * size, y - 0.022 * size, 0.030 * size, 0.017 * size).mul_(0.85)
    canvas.darken(colour(0.50, 0.32, 0.30, colours.skin), nostrils)
    gleam = blob(across - 0.012 * frame.light, y + 0.012, 0.040 * size, 0.040 * size).mul_(0.30)
    canvas.paint(colours.skin * 0.75 + 0.25, gleam)
    canvas.label("nose", blob(across, y + 0.03, 0.12 * size, 0.16 * size).mul_(1.6).clamp_(max=1))


def draw_mouth(a: Values, canvas: Canvas, frame: Frame, face: Face, colours: Colours) -> None:
    width = between(0.145, 0.22, a.mouth_width)
    full = between(0.55, 1.35, a.lips)
    x = frame.feature_x - 0.2 * frame.turn
    t = x / width
    t2 = t.square()
    bow = (1 - t2).clamp_(min=-0.3)
    curve = between(-0.055, 0.085, a.smile)
    y = frame.y - (0.375 + 0.3 * (face.chin - 0.71)) + curve * (t2 - 0.4).clamp_(max=1.2)
    cupid = 1 - 0.28 * soft(t, 0.42)
    upper = -y - 0.050 * full * bow * cupid
    lower = y - 0.068 * full * bow
    opened = smoothstep(0.55, 0.95, a.mouth_open)
    gap = 0.085 * opened * bow.clamp(min=0)
    lower = lower - gap
    lips = canvas.fill(torch.maximum(upper, lower))
    shadow = blob(x, y - 0.085 - 0.02 * full - 0.085 * opened, 0.6 * width, 0.035).mul_(0.45)
    canvas.darken(colours.skin_shadow, shadow)
    canvas.paint(colours.lips, lips * colours.lip_cover, "mouth")
    upper_lip = canvas.fill(y).mul_(lips)  # it faces away from the light
    canvas.darken(colour(0.80, 0.70, 0.72, t), upper_lip.mul_(0.75))
    gleam = blob(x + 0.02 * frame.light, y - 0.032 * full - 0.085 * opened, 0.5 * width, 0.020 * full).mul_(
        0.30
    )
    canvas.paint(colour(1.0, 0.86, 0.86, t), gleam)
    inside = canvas.fill(torch.maximum(-y, y - gap)) * (8 * opened * bow).clamp(0, 1)
    canvas.paint(colour(0.27, 0.06, 0.08, t), inside, "mouth")
    teeth = canvas.fill(y - 0.42 * gap) * inside * (1 - t2.clamp(max=1)).mul(6).clamp(0, 1)
    canvas.paint(colour(0.96, 0.95, 0.91, t), teeth)
    parting = canvas.stroke(y, 0.0085).mul_((bow * 3 + 0.35).clamp_(0, 1)) * (1 - opened)
    canvas.paint(colour(0.30, 0.09, 0.10, t), parting.mul_(0.85), "mouth")


def draw_eyes(canvas: Canvas, frame: Frame, eyes: Eyes, colours: Colours) -> None:
    size = eyes.size
    gaze = eyes.x - 0.25 * frame.turn * eyes.side
    inside = canvas.fill(torch.maximum(-eyes.upper, eyes.lower)).mul_(eyes.within)
    canvas.paint(colour(0.97, 0.96, 0.95, inside), inside, "eyes")
    radius = (gaze.square() + (eyes.y + 0.014 * size).square()).sqrt_()
    canvas.paint(colours.iris * 0.55, canvas.fill(radius - 0.064 * size).mul_(inside))
    ring = canvas.fill(radius - 0.052 * size).mul_(inside)
    canvas.paint(colours.iris * 1.05 + 0.03, ring * (0.72 + 6 * eyes.y / size).clamp_(0.1, 1))
    canvas.paint(colour(0.05, 0.04, 0.05, inside), canvas.fill(radius - 0.029 * size).mul_(inside))
    lid_shadow = (1 - eyes.upper / (0.050 * size)).clamp_(0, 1).mul_(inside).mul_(0.38)
    canvas.darken(colour(0.45, 0.40, 0.45, inside), lid_shadow)
    shine_x = gaze * eyes.side + 0.022 * size
    shine = canvas.fill(ellipse(shine_x, eyes.y + 0.036 * size, 0.016 * size, 0.016 * size)).mul_(inside)
    canvas.paint(colour(1, 1, 1, inside), shine)

    along = (eyes.x / eyes.width).clamp(-1.5, 1.5)
    reach = (1.12 + 0.10 * along - along.abs()).mul_(5).clamp_(0, 1)
    lash = canvas.stroke(eyes.upper + 0.004, (0.0115 + 0.0055 * along) * size).mul_(reach)
    canvas.paint(colour(0.13, 0.08, 0.08, inside), lash, "eyes")
    crease = soft(eyes.crease + 0.036 * size, 0.014).mul_(0.45)
    lower_lid = soft(eyes.lower - 0.004, 0.014).mul_(0.50)
    lids = crease.add_(lower_lid).mul_((1 - along.abs()).mul_(4).clamp_(0, 1))
    canvas.darken(colour(0.55, 0.40, 0.38, inside), lids)


def draw_brows(a: Values, canvas: Canvas, eyes: Eyes, colours: Colours) -> None:
    height = between(0.135, 0.205, a.brow_height)
    angle = between(0.22, -0.24, a.brow_angle)
    thickness = between(0.013, 0.032, a.brow_thickness)
    t = (eyes.flat_x - 0.005) / 0.150
    centre = eyes.flat_y + height + 0.032 * (1 - (t - 0.25).square()) - angle * 0.150 * t
    taper = 1 - ((t + 0.35) / 1.38).square_()  # full at the inner end, pointed at the outer one
    inner_end = ((t + 1.0) * 4).clamp_(0, 1)
    brow = canvas.fill(centre.abs_() - thickness * taper).mul_(inner_end).mul_(0.92)
    canvas.paint(colours.brows, brow, "brows")


def draw_glasses(a: Values, canvas: Canvas, frame: Frame, face: Face, eyes: Eyes) -> None:
    worn = smoothstep(0.57, 0.63, a.glasses)
    x, y = eyes.flat_x - 0.005, eyes.flat_y - 0.020
    u, v = (x / 0.168).square_(), (y / 0.135).square_()
    lens = (u.square_() + v.square_()).sqrt_().sqrt_().sub_(1).mul_(0.145)
    glass = canvas.fill(lens).mul_(worn)
    canvas.paint(colour(0.92, 0.96, 1.0, x), glass * (0.10 + 0.10 * soft(x * eyes.side + y * 0.6, 0.05)))
    rim = canvas.stroke(lens, 0.0105)
    outside = canvas.fill(-lens)
    bridge = canvas.stroke(y + 0.045 - 0.35 * frame.feature_x.square(), 0.0095).mul_((x < 0) * outside)
    arm = canvas.stroke(y + 0.040, 0.0095).mul_((x > 0) * outside * canvas.fill(face.distance - 0.01))
    covered = torch.maximum(rim, torch.maximum(bridge, arm)).mul_(worn).mul_(0.94)
    canvas.paint(colour(0.13, 0.12, 0.15, x), covered, "glasses")


def draw_hair_front(
    canvas: Canvas, frame: Frame, hair: Hair, colours: Colours, noise: torch.Tensor | None
) -> None:
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
    dark += soft(hair.front, 0.05).mul_(((y - hair.hairline) * 6 + 1.3).clamp_(0, 1)).mul_(0.24)
    dark += soft(from_part, 0.022).mul_((hair.hairline - y).mul(4).clamp_(0, 1)).mul_(0.35 * hair.parted)
    dark += (u * frame.light).mul_(-0.22).clamp_(min=0)
    rings = torch.sin(28 * x + 2 * torch.sin(14 * y)) * torch.sin(25 * y + 2 * torch.sin(13 * x))
    dark += hair.curls * rings.mul_(0.8).add_(0.1).clamp_(0, 0.5)
    if noise is not None:
        dark += noise.clamp(-2, 2) * 0.05  # single hairs
    canvas.paint(colours.hair_dark, dark.clamp_(0, 1).mul_(coverage))

    towards_light = (0.75 + 0.6 * u * frame.light - 0.4 * u.square()).clamp_(0, 1)
    band = soft(radius - 0.76 + 0.018 * strand, 0.17).mul_(towards_light).mul_(above)
    canvas.paint(colours.hair_bright, band.mul_(coverage).mul_(0.62))


def draw_hat(a: Values, canvas: Canvas, frame: Frame, hair: Hair, colours: Colours) -> None:
    x, y = frame.x, frame.y
    worn = smoothstep(0.72, 0.78, a.hat)
    crown = superellipse(x, y + 0.30, hair.width * 1.0 + 0.045, hair.height * 1.0 - 0.045, 2.4, 2.2)
    brim = y + 0.40 - 0.22 * x.square()
    coverage = canvas.fill(torch.maximum(crown, brim)) * worn
    canvas.paint(colours.hat, coverage, "hat")
    ribs = torch.sin(48 * x / (y + 1.6).clamp(min=0.5)).mul_(0.5).add_(0.5)
    shade = ribs * 0.22 + (x / 0.6).square() * 0.4 - 0.15 * frame.light * x
    shade = shade + 0.55 * soft(brim + 0.15, 0.022)
    canvas.darken(colour(0.55, 0.55, 0.62, colours.hat), (shade * coverage).clamp(0, 1))


def light(a: Values, canvas: Canvas, frame: Frame) -> None:
    """Brightness and direction of the light, on everything."""
    added = between(-0.11, 0.05, a.light_strength) + 0.08 * frame.light * frame.frame_x
    canvas.image.add_(added[:, None]).clamp_(0, 1)
