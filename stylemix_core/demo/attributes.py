"""What a demo avatar is made of, and which W+ layer carries each part.

This table is the ground truth behind the demo models: the renderer draws from it, the training
recipe binds every attribute to its layer, and tests and benchmarks read it to check what the
pack says about layers. An avatar is one row of `len(ATTRIBUTES)` numbers in 0…1, each uniform
and independent of the others.

The order of the groups follows what is published for FFHQ models: pose first, then the shapes
of head and hair, the features, and colours and light last.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from types import SimpleNamespace

Values = SimpleNamespace
"""Every attribute's numbers by its name, `[B, 1, 1]` each, where B avatars are drawn."""


@dataclass(frozen=True)
class Attribute:
    """One number in 0…1 that the renderer draws."""

    name: str
    layer: int
    """The W+ layer that alone carries it (256² model, layers 0 … 13)."""
    low: str
    """What a person sees at 0 …"""
    high: str
    """… and at 1."""


@dataclass(frozen=True)
class Group:
    """Attributes a person would name together, carried by one run of layers."""

    name: str
    first_layer: int
    last_layer: int

    @property
    def layers(self) -> range:
        return range(self.first_layer, self.last_layer + 1)


GROUPS = (
    Group("pose", 0, 1),
    Group("face shape", 2, 3),
    Group("hair shape", 4, 5),
    Group("features", 6, 7),
    Group("colour", 8, 10),
    Group("background and light", 11, 13),
)

ATTRIBUTES = (
    # pose and framing
    Attribute("tilt", 0, "head leans left", "head leans right"),
    Attribute("turn", 0, "looks to the left", "looks to the right"),
    Attribute("shift_x", 1, "left in the frame", "right in the frame"),
    Attribute("shift_y", 1, "higher in the frame", "lower in the frame"),
    Attribute("scale", 1, "smaller in the frame", "larger in the frame"),
    # head and face shape
    Attribute("face_width", 2, "narrow face", "wide face"),
    Attribute("face_height", 2, "short face", "long face"),
    Attribute("jaw", 3, "narrow jaw", "broad jaw"),
    Attribute("chin", 3, "rounded chin", "pointed chin"),
    Attribute("ears", 3, "small ears", "large ears"),
    Attribute("age", 3, "smooth skin", "wrinkles"),
    # hair shape
    Attribute("cut", 4, "bald, then cropped", "long; a bob in the middle"),
    Attribute("volume", 4, "flat hair", "full hair"),
    Attribute("buns", 4, "none", "two buns"),
    Attribute("fringe", 5, "bare forehead", "full fringe; swept aside in the middle"),
    Attribute("parting", 5, "parted left", "parted right"),
    Attribute("wave", 5, "straight", "curls; waves in the middle"),
    Attribute("beard", 5, "none", "full beard; stubble in between"),
    # eyes, brows, nose, mouth, glasses, hat
    Attribute("eye_size", 6, "small eyes", "large eyes"),
    Attribute("eye_spacing", 6, "close-set eyes", "wide-set eyes"),
    Attribute("eye_slant", 6, "outer corners down", "outer corners up"),
    Attribute("eyelids", 6, "closed eyes", "wide open eyes"),
    Attribute("brow_height", 6, "low brows", "raised brows"),
    Attribute("brow_angle", 6, "worried brows", "stern brows"),
    Attribute("brow_thickness", 6, "thin brows", "thick brows"),
    Attribute("nose_size", 7, "small nose", "large nose"),
    Attribute("mouth_width", 7, "narrow mouth", "wide mouth"),
    Attribute("smile", 7, "frown", "smile"),
    Attribute("mouth_open", 7, "closed mouth", "open mouth"),
    Attribute("lips", 7, "thin lips", "full lips"),
    Attribute("glasses", 7, "none", "glasses"),
    Attribute("hat", 7, "none", "a woollen hat"),
    # colours of the person
    Attribute("hair_tone", 8, "black to brown", "blond, red, grey"),
    Attribute("hair_warmth", 8, "cool hair", "warm hair"),
    Attribute("skin_tone", 9, "light skin", "dark skin"),
    Attribute("skin_warmth", 9, "rosy skin", "golden skin"),
    Attribute("freckles", 10, "none", "freckles"),
    Attribute("eye_colour", 10, "brown eyes", "green to blue eyes"),
    Attribute("lip_colour", 10, "natural lips", "painted lips"),
    # background, light and clothes
    Attribute("background_hue", 13, "once around the colour wheel", "back at red"),
    Attribute("background_strength", 13, "pale background", "deep background"),
    Attribute("light_side", 11, "lit from the left", "lit from the right"),
    Attribute("backdrop", 11, "plain background", "window blinds; lights in the middle"),
    Attribute("collar", 11, "round neckline", "polo neck; a shirt's collar in the middle"),
    Attribute("light_strength", 12, "dim light", "bright light"),
    Attribute("clothes_hue", 13, "once around the colour wheel", "back at red"),
    Attribute("clothes_tone", 13, "dark clothes", "light clothes"),
)


def index(name: str) -> int:
    """Column of the attribute `name` in an avatar row; `KeyError` if there is none."""
    for column, attribute in enumerate(ATTRIBUTES):
        if attribute.name == name:
            return column
    raise KeyError(f"no attribute is called {name!r}; there are: {', '.join(a.name for a in ATTRIBUTES)}")


def columns_of_layers(layers: Iterable[int]) -> list[int]:
    """Columns whose attribute is carried by one of `layers`."""
    wanted = set(layers)
    return [column for column, attribute in enumerate(ATTRIBUTES) if attribute.layer in wanted]
