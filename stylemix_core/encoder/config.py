"""What shape an encoder has: its kind among the published ones, its sizes, and how a file's tensors tell both."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from ..errors import CheckpointError, StyleMixError

MAX_WS = 64
"""More w vectors than any StyleGAN2 has: 1024 px takes 18."""


@dataclass(frozen=True)
class Kind:
    """What tells the encoders of pSp, e4e and ReStyle apart."""

    body: Literal["ir_se", "resnet34"]
    """The network that finds features."""
    heads: Literal["pyramid", "last", "w", "w+"]
    """How features become codes. "pyramid": one head for every w, on features of three sizes. "last": one head
    for every w, all on the last features. "w": one w for all layers. "w+": one linear layer for all w."""
    progressive: bool = False
    """Whether the first head finds w0 and every other one only how its layer differs from w0."""


KINDS = {
    "GradualStyleEncoder": Kind("ir_se", "pyramid"),
    "Encoder4Editing": Kind("ir_se", "pyramid", progressive=True),
    "BackboneEncoderUsingLastLayerIntoW": Kind("ir_se", "w"),
    "BackboneEncoderUsingLastLayerIntoWPlus": Kind("ir_se", "w+"),
    "BackboneEncoder": Kind("ir_se", "last"),
    "ProgressiveBackboneEncoder": Kind("ir_se", "last", progressive=True),
    "ResNetGradualStyleEncoder": Kind("resnet34", "pyramid"),
    "ResNetBackboneEncoder": Kind("resnet34", "last"),
    "ResNetProgressiveBackboneEncoder": Kind("resnet34", "last", progressive=True),
}
"""The kinds by their class names in the original tools: pSp's, e4e's, then ReStyle's."""


@dataclass(frozen=True)
class EncoderConfig:
    """What shape an encoder has. The defaults are pSp's for a 1024 px generator."""

    num_ws: int = 18
    """Number of w vectors of the codes it writes."""
    w_dim: int = 512
    """Length of one w vector."""
    input_size: int = 256
    """Width, and unless `input_height` says otherwise height, of the pictures it reads; a power of two."""
    input_nc: int = 3
    """Channels that the network reads: 3 for RGB, 1 for sketches, 6 for a picture beside the one drawn last
    (`iterative`); any other number is that of the labels of a label map."""
    stage_channels: tuple[int, ...] = (64, 128, 256, 512)
    """Channels of the body's four stages; the first is the stem's too, the last the pyramid's."""
    stage_units: tuple[int, ...] = (3, 4, 14, 3)
    """Residual units of each stage."""
    style_channels: int = 512
    """Channels inside a style head."""
    coarse_ws: int = 3
    """In a pyramid, heads 0 … `coarse_ws` − 1 read the smallest features, 1/16 of the picture."""
    middle_ws: int = 7
    """In a pyramid, heads `coarse_ws` … `middle_ws` − 1 read 1/8 of the picture, all later ones 1/4."""
    se_reduction: int = 16
    """Squeeze factor of the channel attention in an IR-SE body."""
    kind: str = "GradualStyleEncoder"
    """A key of `KINDS`."""
    iterative: bool = False
    """Whether it refines codes with its generator, as ReStyle's encoders do."""
    input_height: int | None = None
    """Height of the pictures where it is less than the width: 192 for models of cars."""
    error_bars: bool = False
    """Whether it tells how wrong its codes may be; see `ErrorBars`."""

    def __post_init__(self) -> None:
        # JSON metadata brings lists.
        object.__setattr__(self, "stage_channels", tuple(self.stage_channels))
        object.__setattr__(self, "stage_units", tuple(self.stage_units))
        if len(self.stage_channels) != 4 or len(self.stage_units) != 4:
            raise StyleMixError(
                f"the encoder has {len(self.stage_channels)} stage widths and {len(self.stage_units)} stage "
                "depths; expected 4 of each"
            )
        if self.input_size < 32 or self.input_size & (self.input_size - 1):
            raise StyleMixError(
                f"the encoder's input_size is {self.input_size}; expected a power of two from 32 up"
            )
        if self.input_height is not None and not 32 <= self.input_height <= self.input_size:
            raise StyleMixError(
                f"the encoder's input_height is {self.input_height}; expected 32 to {self.input_size}"
            )
        if not 1 <= self.num_ws <= MAX_WS:
            raise StyleMixError(
                f"the encoder writes {self.num_ws} w vectors; expected at most {MAX_WS} (18 for 1024 px)"
            )
        if self.kind not in KINDS:
            raise StyleMixError(
                f"the encoder's kind {self.kind!r} is unknown; expected one of: {', '.join(KINDS)}"
            )

    @property
    def traits(self) -> Kind:
        """What its kind means."""
        return KINDS[self.kind]

    @property
    def name(self) -> str:
        """Its kind for people: the class name in the original tool, with "ReStyle" before it where it iterates."""
        return f"ReStyle {self.kind}" if self.iterative else self.kind

    @property
    def input_shape(self) -> tuple[int, int]:
        """Height and width of the pictures it reads."""
        return self.input_height or self.input_size, self.input_size

    @property
    def picture_nc(self) -> int:
        """Channels of the pictures that are given to it; an iterative encoder adds the drawn ones by itself."""
        return self.input_nc // 2 if self.iterative else self.input_nc

    @property
    def reads_labels(self) -> bool:
        """Whether its pictures are label maps."""
        return self.picture_nc not in (1, 3)

    @property
    def reads_photos(self) -> bool:
        """Whether its pictures may be photos of faces: square and coloured, neither sketches nor label maps."""
        return self.picture_nc == 3 and self.input_height in (None, self.input_size)

    @property
    def levels(self) -> tuple[int, ...]:
        """For every w the pyramid level that it is read from: 0 coarse, 1 middle, 2 fine."""
        if self.traits.heads != "pyramid":
            return (0,) * self.num_ws
        return tuple((i >= self.coarse_ws) + (i >= self.middle_ws) for i in range(self.num_ws))

    @classmethod
    def from_shapes(cls, shapes: Mapping[str, tuple[int, ...]], **known: Any) -> "EncoderConfig":
        """Read the configuration off the tensors' shapes (the original names without the prefix `encoder.`).

        known: fields that are known from elsewhere. Shapes do not tell `iterative`, `input_height`, a progressive
            `kind`, and of encoders without style heads `input_size` and mostly `num_ws`.
        A new stage is seen by its change of channels. `CheckpointError` when a tensor is missing or the build is
        another one.
        """
        kind = known.get("kind") or kind_of(shapes)
        try:
            read = read_body(shapes, KINDS[kind].body) | read_heads(shapes, KINDS[kind].heads)
        except KeyError as missing:
            raise CheckpointError(f"the encoder lacks the tensor {missing} of a {kind}") from None
        except (IndexError, ZeroDivisionError):
            raise CheckpointError(f"a tensor of the encoder has the wrong shape for a {kind}") from None
        return cls(**{**read, "kind": kind, **known})


def kind_of(names: Collection[str], progressive: bool = False) -> str:
    """An encoder's kind by its tensors' names. Whether it is progressive they do not tell.

    `CheckpointError` when there is no such encoder.
    """
    body: Literal["ir_se", "resnet34"] = "resnet34" if "conv1.weight" in names else "ir_se"
    heads: Literal["pyramid", "last", "w", "w+"]
    if "styles.0.linear.weight" in names:
        heads = "pyramid" if "latlayer1.weight" in names else "last"
    else:
        heads = "w+" if "output_layer_2.3.weight" in names else "w"
    by_kind = {kind: name for name, kind in KINDS.items()}
    name = by_kind.get(Kind(body, heads, progressive)) or by_kind.get(Kind(body, heads))
    if name is None or (heads == "w" and "linear.weight" not in names):
        raise CheckpointError(
            "this encoder has no style heads and no last layer that makes codes; expected an encoder of pSp, e4e or "
            "ReStyle"
        )
    return name


def read_body(shapes: Mapping[str, tuple[int, ...]], body: str) -> dict[str, Any]:
    stem, first = (
        ("conv1.weight", "conv1.weight")
        if body == "resnet34"
        else ("input_layer.0.weight", "res_layer.1.weight")
    )
    widths: list[int] = []
    while f"body.{len(widths)}.{first}" in shapes:
        widths.append(shapes[f"body.{len(widths)}.{first}"][0])
    stages = [width for i, width in enumerate(widths) if i == 0 or width != widths[i - 1]]
    if len(stages) != 4:
        raise CheckpointError(
            f"the encoder's body has {len(widths)} residual units in {len(stages)} widths; expected four widths, as "
            "in IR-SE50 and ResNet-34"
        )
    read = {
        "input_nc": shapes[stem][1],
        "stage_channels": tuple(stages),
        "stage_units": tuple(widths.count(width) for width in stages),
    }
    if body == "ir_se":
        read["se_reduction"] = widths[0] // shapes["body.0.res_layer.5.fc1.weight"][0]
    return read


def read_heads(shapes: Mapping[str, tuple[int, ...]], heads: str) -> dict[str, Any]:
    if heads == "w":
        return {"w_dim": shapes["linear.weight"][0]}
    if heads == "w+":
        outputs, w_dim = shapes["linear.weight"]
        return {"w_dim": w_dim, "num_ws": outputs // w_dim}
    convs: list[int] = []
    while f"styles.{len(convs)}.linear.weight" in shapes:
        prefix = f"styles.{len(convs)}.convs."
        convs.append(sum(name.startswith(prefix) and name.endswith(".weight") for name in shapes))
    w_dim, style_channels = shapes["styles.0.linear.weight"]
    read = {
        "num_ws": len(convs),
        "w_dim": w_dim,
        "input_size": 16 << convs[0],
        "style_channels": style_channels,
    }
    if heads == "pyramid":
        read["coarse_ws"] = convs.count(convs[0])
        read["middle_ws"] = convs.count(convs[0]) + convs.count(convs[0] + 1)
    return read
