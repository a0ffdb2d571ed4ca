"""Checkpoints of pSp, e4e and ReStyle (.pt): `state_dict` with `encoder.*` and `decoder.*`, `opts`, `latent_avg`.

All three tools write this layout, and so do those that descend from them; their encoders share tensor names. The
tensors tell which network it is, `opts` what tensors do not. Other entries (optimizers, discriminators) are left alone.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ..encoder import KINDS, Encoder, EncoderConfig, kind_of
from ..errors import CheckpointError, StyleMixError
from ..files.info import CheckpointInfo
from ..files.pickle_globals import NAMESPACES
from ..files.pickle_machine import Global, Record
from ..files.source import Source, below, prefix_of
from ..files.stored import StoredTensor, Tensors, shapes
from ..generator import Config
from ..networks import without_numbers
from .base import Checkpoint, generator_facts, require_usual
from .native import MARKS as NVIDIA_MARKS
from .native import generator_of
from .rosinality import MARK as ROSINALITY_MARK
from .rosinality import convert, latent_avg

LICENCE = (
    "that of the weights' publisher; the face models embed NVIDIA's FFHQ generator (non-commercial research)"
)
DECODERS = tuple(f"decoder.{mark}" for mark in (ROSINALITY_MARK, *NVIDIA_MARKS))
MARKS = ("encoder.input_layer.0.weight", "encoder.styles.0.linear.weight", *DECODERS)
"""Tensors that tell where encoder and decoder are."""
PROGRESSIVE = ("progressive", "editing")
"""Parts of the names of encoders that are e4e's, in lower case, whatever their tool calls them."""
E4E_ONLY = {"stylegan_size", "progressive_steps", "delta_norm", "w_discriminator_lambda", "use_w_pool"}
"""Options that e4e has, alone or inside ReStyle."""
MAX_OPTS = 500
MAX_TEXT = 1000


def detect(source: Source) -> bool:
    """Whether the file has an encoder or a decoder. Safetensors are `native`'s, but those with rosinality's decoder."""
    if source.kind == "safetensors":
        return prefix_of(source.tensors, DECODERS[0]) is not None
    return root(source.tensors) is not None


def root(tensors: Tensors) -> str | None:
    """What stands before `encoder.` and `decoder.`; None when there is neither."""
    found = prefix_of(tensors, *MARKS)
    if found is None and any(
        name.startswith(("state_dict.encoder.", "state_dict.decoder.")) for name in tensors
    ):
        return "state_dict."  # its tensors are not complete, and `read` names those that are missing
    return found


def read(source: Source) -> Checkpoint:
    """Encoder and decoder. `CheckpointError` when neither is complete."""
    content = source.content if isinstance(source.content, dict) else {}
    prefix = root(source.tensors) or ""
    encoder_tensors = below(f"{prefix}encoder.", source.tensors)
    decoder_tensors = below(f"{prefix}decoder.", source.tensors)
    opts = plain_opts(content.get("opts", content.get("args")))
    average = latent_avg(source.tensors, prefix)
    if average is not None and average.shape[:1] == (1,) and len(average.shape) == 3:
        average = average.map(lambda x: x[0])  # [1, num_ws, w_dim]

    facts: dict[str, Any] = {}
    refusals: dict[str, str] = {}
    config, encoder, encoder_name = None, None, None
    generator: dict[str, StoredTensor] = {}
    if decoder_tensors:
        config, generator = read_decoder(decoder_tensors)
        facts |= generator_facts(config)
        average = without_surplus(average, config.num_ws, encoder_tensors)
        generator["mapping.w_avg"] = average_w(config, generator, average)
    if encoder_tensors:
        try:
            kind = encoder_kind(opts, content, encoder_tensors)
            encoder = encoder_config(kind, opts, encoder_tensors, config, average)
            added = added_average(encoder, opts, average, generator.get("mapping.w_avg"))
            if added is not None:
                encoder_tensors["latent_avg"] = added
            encoder_name = encoder.name
            facts |= {"num_ws": encoder.num_ws, "w_dim": encoder.w_dim}
        except StyleMixError as error:
            if config is None:
                raise
            encoder, encoder_name = None, str(opts.get("encoder_type") or "of an unknown kind")
            refusals["encoder"] = f"{error}. The file's generator can be loaded"
    info = CheckpointInfo(
        path=str(source.path),
        format=f"{tool(encoder, opts)} checkpoint",
        contents=("generator",) * bool(decoder_tensors) + ("encoder",) * bool(encoder_tensors),
        has_w_avg=average is not None or "mapping.w_avg" in decoder_tensors,
        encoder=encoder_name,
        encoder_input=(encoder.picture_nc, encoder.input_size) if encoder else None,
        licence=LICENCE,
        opts=opts,
        **facts,
    )
    return Checkpoint(info, config, generator, encoder, encoder_tensors, refusals)


def read_decoder(tensors: Tensors) -> tuple[Config, dict[str, StoredTensor]]:
    """The generator's configuration, and its tensors under NVIDIA's names.

    A StyleGAN3's stored transform is left out: it is the one of the last picture in training.
    """
    found = dict(tensors) if any(mark in tensors for mark in NVIDIA_MARKS) else convert(tensors)
    found.pop("synthesis.input.transform", None)
    config, weights = generator_of(found, None, {})
    if "mapping.w_avg" not in weights:
        raise CheckpointError(
            "the decoder has an average w for each class; encoders are for decoders with one"
        )
    return config, weights


def average_w(config: Config, generator: Tensors, average: StoredTensor | None) -> StoredTensor:
    """The generator's average w: the file's, else what the generator was completed with."""
    if average is None:
        return generator["mapping.w_avg"]
    require_average(average, config.w_dim, config.num_ws)
    return average.map(lambda x: x.reshape(-1, config.w_dim).mean(0), (config.w_dim,))


def encoder_kind(opts: Mapping[str, Any], content: Mapping[Any, Any], tensors: Tensors) -> str:
    """The encoder's class in its original tool, a key of `KINDS`, by its tensors.

    Whether it is progressive these do not tell, so its name does; where that is silent, what else of e4e's training is
    there. Other tools have classes of their own, which are known when no tensor is left over.
    """
    named = opts.get("encoder_type")
    name = named if isinstance(named, str) else ""
    if name in KINDS:
        progressive = KINDS[name].progressive
    else:
        e4e = bool(E4E_ONLY & opts.keys()) or "discriminator_state_dict" in content
        progressive = any(part in name.lower() for part in PROGRESSIVE) or e4e
    try:
        kind = kind_of(tensors, progressive)
        if name in ("", kind):
            return kind
        config = EncoderConfig.from_shapes(shapes(tensors), kind=kind)
        require_usual(config)
        with without_numbers():
            expected = Encoder(config).state_dict()
        surplus = [one for one in tensors if one not in expected]
        if not surplus:
            return kind
        found = f"with tensors that these lack, such as {surplus[0][:60]}"
    except CheckpointError as error:
        if not name:
            raise
        found = str(error)
    raise CheckpointError(
        f"the file's encoder is of the kind {name[:60]} ({found}); this version reads {', '.join(KINDS)}"
    )


def encoder_config(
    kind: str,
    opts: Mapping[str, Any],
    tensors: Tensors,
    decoder: Config | None,
    average: StoredTensor | None,
) -> EncoderConfig:
    """The encoder's configuration from shapes, the options, and the decoder that it writes for."""
    known: dict[str, Any] = {"kind": kind}
    if KINDS[kind].heads == "w":
        known["num_ws"] = decoder.num_ws if decoder else announced_num_ws(opts)
    config = EncoderConfig.from_shapes(shapes(tensors), **known)
    changes: dict[str, Any] = {}
    if str(opts.get("dataset_type")).startswith("cars"):
        changes["input_height"] = config.input_size * 3 // 4
    # 6 channels are two pictures, unless they are labels. Only ReStyle has that.
    if config.input_nc == 6 and not opts.get("label_nc"):
        changes["iterative"] = True
    # The original decoder overlooks codes beyond its own layers.
    if decoder and config.num_ws > decoder.num_ws and KINDS[kind].heads in ("pyramid", "last"):
        changes["num_ws"] = decoder.num_ws
    config = replace(config, **changes)
    if decoder and (decoder.num_ws, decoder.w_dim) != (config.num_ws, config.w_dim):
        raise CheckpointError(
            f"the encoder writes {config.num_ws} w vectors of {config.w_dim}, but the decoder reads "
            f"{decoder.num_ws} of {decoder.w_dim}"
        )
    if average is not None:
        require_average(average, config.w_dim, config.num_ws)
    return config


def announced_num_ws(opts: Mapping[str, Any]) -> int:
    """Layers of the generator that the options name; the tools' default is 1024 px."""
    announced = opts.get("n_styles")
    if isinstance(announced, int):
        return announced
    size = opts.get("output_size") or opts.get("stylegan_size") or 1024
    return 2 * int(size).bit_length() - 4  # 2·log2(size) − 2


def added_average(
    encoder: EncoderConfig, opts: Mapping[str, Any], average: StoredTensor | None, w_avg: StoredTensor | None
) -> StoredTensor | None:
    """What is added to the network's codes; None for nothing.

    average: the file's own. w_avg: the decoder's, which stands in where the codes need an average that the file does
    not keep: e4e samples it in the same way.
    """
    starts_from = opts.get("start_from_latent_avg")
    needed = encoder.iterative or starts_from is True or (is_e4e(encoder, opts) and starts_from is None)
    if average is not None:
        # The original keeps an average that it does not add when this option is off.
        return average if needed or starts_from is None else None
    if needed and w_avg is None:
        raise CheckpointError(
            "the encoder's codes start from an average w, but the file has neither `latent_avg` nor a generator to "
            "sample it from; use the original file"
        )
    return w_avg if needed else None


def is_e4e(encoder: EncoderConfig, opts: Mapping[str, Any]) -> bool:
    """Whether e4e's tool, or one that descends from it, trained the encoder."""
    return encoder.traits.progressive or "stylegan_size" in opts


def tool(encoder: EncoderConfig | None, opts: Mapping[str, Any]) -> str:
    """Which of the three tools wrote the file."""
    if encoder and encoder.iterative:
        return "ReStyle"
    return "e4e" if encoder and is_e4e(encoder, opts) else "pSp"


def without_surplus(average: StoredTensor | None, num_ws: int, encoder: Tensors) -> StoredTensor | None:
    """The average without rows for style heads beyond the decoder's layers."""
    heads = sum(name.startswith("styles.") and name.endswith(".linear.weight") for name in encoder)
    if average is not None and len(average.shape) == 2 and average.shape[0] == heads > num_ws:
        return average.map(lambda x: x[:num_ws])
    return average


def require_average(average: StoredTensor, w_dim: int, num_ws: int) -> None:
    """`CheckpointError` unless the average is one w, or one for each layer."""
    if average.shape not in ((w_dim,), (1, w_dim), (num_ws, w_dim)):
        raise CheckpointError(
            f"latent_avg has the shape {list(average.shape)}; expected [{num_ws}, {w_dim}] or [1, {w_dim}]"
        )


def plain_opts(opts: Any) -> dict[str, Any]:
    """The options, a dictionary or an `argparse.Namespace`, as numbers, texts and short lists of them."""
    if isinstance(opts, Record) and opts.name in NAMESPACES:
        opts = opts.state
    if not isinstance(opts, dict):
        return {}
    return {str(key)[:MAX_TEXT]: plain(value) for key, value in list(opts.items())[:MAX_OPTS]}


def plain(value: Any) -> Any:
    """A value of the options as a number, a text, a list of such, or the name of what else it is."""
    if isinstance(value, str):
        return value[:MAX_TEXT]
    if value is None or isinstance(value, bool | float) or (isinstance(value, int) and abs(value) < 2**64):
        return value
    if isinstance(value, list | tuple):
        return [
            plain(item) if not isinstance(item, list | tuple) else type(item).__name__ for item in value[:100]
        ]
    if isinstance(value, StoredTensor):
        return f"tensor {list(value.shape)}"
    if isinstance(value, Record | Global):
        return value.name.rpartition(".")[2][:MAX_TEXT]
    return type(value).__name__
