"""pSp's checkpoints (.pt): `state_dict` with `encoder.*` and `decoder.*`, `opts`, and `latent_avg`.

e4e and ReStyle write the same layout; of their files the decoder is read, not yet the encoder.
"""

from collections.abc import Mapping
from typing import Any

from ..encoder import EncoderConfig
from ..errors import CheckpointError
from ..generator import GeneratorConfig
from .base import Checkpoint, CheckpointInfo, StoredTensor, generator_facts, sampled_w_avg, shapes
from .rosinality import to_nvidia
from .source import Source
from .unpickle import NAMESPACE, Record

LICENCE = (
    "that of the weights' publisher; the face models embed NVIDIA's FFHQ generator (non-commercial research)"
)
READ_ENCODER = "GradualStyleEncoder"
MAX_OPTS = 500
MAX_TEXT = 1000


def detect(source: Source) -> bool:
    """Whether the file is a PyTorch file with an encoder or a decoder in its `state_dict`."""
    if source.kind != "torch" or not isinstance(source.content, dict):
        return False
    state = source.content.get("state_dict")
    return isinstance(state, dict) and any(str(name).startswith(("encoder.", "decoder.")) for name in state)


def read(source: Source) -> Checkpoint:
    """Encoder and decoder. `CheckpointError` when neither is complete."""
    content = source.content
    encoder_tensors = below("encoder.", content["state_dict"])
    decoder_tensors = below("decoder.", content["state_dict"])
    opts = plain_opts(content.get("opts"))
    average = content.get("latent_avg")
    average = average if isinstance(average, StoredTensor) else None

    facts: dict[str, Any] = {}
    config, generator = None, {}
    if decoder_tensors:
        generator = to_nvidia(decoder_tensors)
        config = GeneratorConfig.from_shapes(shapes(generator))
        facts |= generator_facts(config)
        if average is None:
            generator["mapping.w_avg"] = sampled_w_avg(config, generator)
        else:
            require_average(average, config.w_dim, config.num_ws)
            width = config.w_dim
            generator["mapping.w_avg"] = average.map(lambda x: x.reshape(-1, width).mean(0), (width,))

    encoder, kind, refusals = None, None, {}
    if encoder_tensors:
        kind = encoder_kind(opts, encoder_tensors)
        if kind == READ_ENCODER:
            encoder = EncoderConfig.from_shapes(shapes(encoder_tensors))
            facts |= {"num_ws": encoder.num_ws, "w_dim": encoder.w_dim}
            if average is not None:
                require_average(average, encoder.w_dim, encoder.num_ws)
                # The original keeps an average that it does not add when this option is off.
                if opts.get("start_from_latent_avg") is not False:
                    encoder_tensors["latent_avg"] = average
            if config is not None and (config.num_ws, config.w_dim) != (encoder.num_ws, encoder.w_dim):
                raise CheckpointError(
                    f"the encoder writes {encoder.num_ws} w vectors of {encoder.w_dim}, but the decoder reads "
                    f"{config.num_ws} of {config.w_dim}"
                )
        else:
            refusals["encoder"] = (
                f"the file's encoder is of the kind {kind}; this version reads pSp's {READ_ENCODER}. "
                "Its generator can be loaded."
            )
    info = CheckpointInfo(
        path=str(source.path),
        format="pSp checkpoint",
        contents=("generator",) * bool(decoder_tensors) + ("encoder",) * bool(encoder_tensors),
        has_w_avg=average is not None,
        encoder=kind,
        encoder_input=(encoder.input_nc, encoder.input_size) if encoder else None,
        licence=LICENCE,
        opts=opts,
        **facts,
    )
    return Checkpoint(
        info,
        generator=config,
        generator_tensors=generator,
        encoder=encoder,
        encoder_tensors=encoder_tensors,
        refusals=refusals,
    )


def below(prefix: str, state: Mapping[Any, Any]) -> dict[str, StoredTensor]:
    """The tensors whose names start with `prefix`, without it."""
    return {
        name.removeprefix(prefix): tensor
        for name, tensor in state.items()
        if isinstance(name, str) and name.startswith(prefix) and isinstance(tensor, StoredTensor)
    }


def encoder_kind(opts: Mapping[str, Any], tensors: Mapping[str, StoredTensor]) -> str:
    """The encoder's class in its original tool; several share tensor names, so the options decide."""
    kind = opts.get("encoder_type")
    if "n_iters_per_batch" in opts:
        return f"ReStyle {kind or 'encoder'}"
    if isinstance(kind, str):
        return kind
    if "stylegan_size" in opts:
        return "Encoder4Editing"
    if "latlayer1.weight" in tensors:
        return READ_ENCODER
    learned = "BackboneEncoderUsingLastLayerInto"
    return learned + ("W" if opts.get("learn_in_w") or "linear.weight" in tensors else "WPlus")


def require_average(average: StoredTensor, w_dim: int, num_ws: int) -> None:
    if average.shape not in ((w_dim,), (1, w_dim), (num_ws, w_dim)):
        raise CheckpointError(
            f"latent_avg has the shape {list(average.shape)}; expected [{num_ws}, {w_dim}] or [1, {w_dim}]"
        )


def plain_opts(opts: Any) -> dict[str, Any]:
    """The options, a dictionary or an `argparse.Namespace`, as numbers, texts and short lists of them."""
    if isinstance(opts, Record) and opts.name == NAMESPACE:
        opts = opts.state
    if not isinstance(opts, dict):
        return {}
    return {str(key)[:MAX_TEXT]: plain(value) for key, value in list(opts.items())[:MAX_OPTS]}


def plain(value: Any) -> Any:
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
    return type(value).__name__
