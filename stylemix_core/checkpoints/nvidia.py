"""NVIDIA's PyTorch pickles: stylegan2-ada-pytorch, and StyleGAN2 from the stylegan3 repository.

A dictionary `G, D, G_ema, training_set_kwargs, augment_pipe` of modules that embed their own source code.
Only the averaged generator `G_ema` is read, and no code.
"""

from typing import Any

from ..errors import CheckpointError
from ..generator import GeneratorConfig
from .base import Checkpoint, CheckpointInfo, StoredTensor, generator_facts, sampled_w_avg, shapes
from .machine import shown
from .source import Source
from .unpickle import PERSISTENT_OBJECT, Record

FORMAT = "NVIDIA PyTorch pickle"
LICENCE = "that of the weights' publisher; NVIDIA's own are for non-commercial research"
MAX_PREFIX = 100
NETWORK_KEYS = ("G", "D", "G_ema")


def detect(source: Source) -> bool:
    """Whether the file is a pickled dictionary of NVIDIA's networks."""
    content = source.content if source.kind == "pickle" else None
    return isinstance(content, dict) and any(is_module(content.get(key)) for key in NETWORK_KEYS)


def read(source: Source) -> Checkpoint:
    """The averaged generator. `CheckpointError` for other networks than StyleGAN2 with skip architecture."""
    network = source.content.get("G_ema")
    if not is_module(network):
        held = ", ".join(key for key in NETWORK_KEYS if is_module(source.content.get(key)))
        raise CheckpointError(
            f"the NVIDIA pickle holds {held} only; expected one with the averaged generator G_ema"
        )
    generator = module_state(network)
    synthesis = module_state(modules_of(generator).get("synthesis"))
    refuse_other_networks(network.args[0].get("class_name"), synthesis)
    tensors = dict(walk(generator, ""))
    config = GeneratorConfig.from_shapes(shapes(tensors), conv_clamp=conv_clamp(generator, synthesis))
    averaged = "mapping.w_avg" in tensors
    if not averaged:
        tensors["mapping.w_avg"] = sampled_w_avg(config, tensors)
    info = CheckpointInfo(
        path=str(source.path),
        format=FORMAT,
        contents=("generator",),
        has_w_avg=averaged,
        licence=LICENCE,
        **generator_facts(config),
    )
    return Checkpoint(info, generator=config, generator_tensors=tensors)


def is_module(value: Any) -> bool:
    return (
        isinstance(value, Record)
        and value.name == PERSISTENT_OBJECT
        and len(value.args) == 1
        and isinstance(value.args[0], dict)
        and isinstance(value.args[0].get("state"), dict)
    )


def module_state(module: Any) -> dict[str, Any]:
    """The attributes of a pickled module."""
    if not is_module(module):
        raise CheckpointError(
            "a network of the NVIDIA pickle is not the kind of module that NVIDIA's tools write"
        )
    return module.args[0]["state"]


def modules_of(state: dict[str, Any]) -> dict[str, Any]:
    children = state.get("_modules")
    return children if isinstance(children, dict) else {}


def walk(state: dict[str, Any], prefix: str, seen: set[int] | None = None):
    """Every (name, tensor) below a module."""
    seen = set() if seen is None else seen
    # A module below itself has no end, and few that each hold the next twice have billions of names.
    if id(state) in seen or len(prefix) > MAX_PREFIX:
        raise CheckpointError("the network's modules are nested as in none of NVIDIA's")
    seen.add(id(state))
    for kind in ("_parameters", "_buffers"):
        for name, tensor in (state.get(kind) or {}).items():
            if isinstance(tensor, StoredTensor):
                yield prefix + str(name), tensor
    for name, module in modules_of(state).items():
        if module is not None:
            yield from walk(module_state(module), f"{prefix}{name}.", seen)


def refuse_other_networks(class_name: Any, synthesis: dict[str, Any]) -> None:
    children = modules_of(synthesis)
    if "input" in children:
        raise CheckpointError(
            "this is a StyleGAN3 network; expected StyleGAN2, whose W+ layers StyleMix works on"
        )
    if "b4" not in children:
        raise CheckpointError(f"the network {shown(class_name)} has no block b4; expected NVIDIA's StyleGAN2")
    for name, block in children.items():
        architecture = module_state(block).get("architecture", "skip")
        if architecture != "skip":
            raise CheckpointError(
                f"the generator has the architecture {shown(architecture)} (block {shown(name)}); this version reads "
                "'skip', which NVIDIA's published models have"
            )


def conv_clamp(generator: dict[str, Any], synthesis: dict[str, Any]) -> float | None:
    """The limit on activations as the layers keep it (its default differs between tools), else as constructed."""
    block = module_state(modules_of(synthesis)["b4"])
    layer = modules_of(block).get("conv1")
    arguments = generator.get("_init_kwargs")
    arguments = arguments if isinstance(arguments, dict) else {}
    nested = arguments.get("synthesis_kwargs")
    for holder in (module_state(layer) if is_module(layer) else {}, nested, arguments):
        if isinstance(holder, dict) and "conv_clamp" in holder:
            value = holder["conv_clamp"]
            return float(value) if isinstance(value, int | float) else None
    return None
