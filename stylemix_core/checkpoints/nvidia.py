"""NVIDIA's PyTorch pickles: stylegan2-ada-pytorch, both networks of stylegan3, and StyleGAN-XL, its descendant.

A dictionary `G, D, G_ema, training_set_kwargs, augment_pipe` of modules that embed their own source code, or
one such module alone. Only the averaged generator is read, and no code: what the network is follows from the
modules' tensors and attributes.
"""

from collections.abc import Iterator
from typing import Any

from ..errors import CheckpointError
from ..files.pickle_globals import PERSISTENT_OBJECT
from ..files.pickle_machine import Record, shown
from ..files.source import LONGEST_NAME, Source
from ..files.stored import StoredTensor
from . import stylegan3
from .base import Checkpoint, of_generator
from .canonical import generator_checkpoint, refuse_activation, with_lr_multiplier

FORMAT = "NVIDIA PyTorch pickle"
EMBEDDING = "torch.nn.modules.sparse.Embedding"
MAX_PREFIX = 100
NETWORK_KEYS = ("G_ema", "G", "D")
ACCEPTED = "expected the generator of NVIDIA's StyleGAN2 (stylegan2-ada-pytorch) or StyleGAN3"

State = dict[str, Any]


def detect(source: Source) -> bool:
    """Whether the file is a pickle of NVIDIA's networks."""
    return bool(networks(source.content))


def read(source: Source) -> Checkpoint:
    """The averaged generator, or the one in training where the file has no average of it.

    `CheckpointError` for other networks than the generators of StyleGAN2 and StyleGAN3.
    """
    key, network = next(iter(networks(source.content).items()))
    generator = module_state(network)
    synthesis = module_state(modules_of(generator).get("synthesis"))
    refuse_other_networks(shown(network.args[0].get("class_name")), generator, synthesis)
    tensors = dict(tensors_of(generator))
    format = FORMAT if key != "G" else f"{FORMAT} without an averaged generator (its G is used)"
    if "b4" in modules_of(synthesis):
        return generator_checkpoint(source, tensors, format, conv_clamp(generator, synthesis))
    parts = {name: module_state(module) for name, module in modules_of(synthesis).items()}
    averaged = "mapping.w_avg" in tensors
    tensors = stylegan3.completed(tensors)
    config = stylegan3.from_modules(tensors, synthesis, parts)
    tensors = stylegan3.with_average(config, tensors)
    return of_generator(source, config, tensors, format=format, averaged=averaged)


def networks(content: Any) -> dict[str, Record]:
    """The pickled networks by their keys, the best to use first; a network alone counts as `G_ema`."""
    held = content if isinstance(content, dict) else {"G_ema": content}
    return {
        key: held[key]
        for key in NETWORK_KEYS
        if is_module(held.get(key)) and held[key].name == PERSISTENT_OBJECT
    }


def is_module(value: Any) -> bool:
    """Whether a value is a module that was pickled with its source code, or StyleGAN-XL's table of classes."""
    if not isinstance(value, Record):
        return False
    if value.name == EMBEDDING:
        return isinstance(value.state, dict)
    return (
        value.name == PERSISTENT_OBJECT
        and len(value.args) == 1
        and isinstance(value.args[0], dict)
        and isinstance(value.args[0].get("state"), dict)
    )


def module_state(module: Any) -> State:
    """The attributes of a pickled module, none for what is not one."""
    if not is_module(module):
        return {}
    state: State = module.state if module.name == EMBEDDING else module.args[0]["state"]
    return state


def modules_of(state: State) -> dict[str, Any]:
    """A module's children by their names."""
    children = state.get("_modules")
    return children if isinstance(children, dict) else {}


def walk(state: State, prefix: str = "", seen: set[int] | None = None) -> Iterator[tuple[str, State]]:
    """Every module at and below one: the prefix of its tensors' names, and its attributes."""
    seen = set() if seen is None else seen
    # A module below itself has no end, and few that each hold the next a hundred times have billions of names.
    if id(state) in seen or len(prefix) > MAX_PREFIX:
        raise CheckpointError("the network's modules are nested as in no StyleGAN")
    seen.add(id(state))
    yield prefix, state
    for name, module in modules_of(state).items():
        if is_module(module):
            yield from walk(module_state(module), f"{prefix}{name}.", seen)


def tensors_of(generator: State) -> Iterator[tuple[str, StoredTensor]]:
    """Every tensor of the generator by its name."""
    for prefix, state in walk(generator):
        layer = prefix.rstrip(".").rpartition(".")[2]
        if "activation" in state:
            refuse_activation(
                state["activation"],
                "lrelu" if layer.startswith(("fc", "conv", "embed_proj")) else "linear",
                f"the activation of {prefix.rstrip('.')}",
            )
        for kind in ("_parameters", "_buffers"):
            for name, tensor in (state.get(kind) or {}).items():
                # Every name is joined to its module's: long ones, shared by many, would fill the memory.
                if not isinstance(tensor, StoredTensor) or len(str(name)) > LONGEST_NAME:
                    continue
                if prefix.startswith("mapping.fc"):
                    tensor = with_lr_multiplier(tensor, lr_multiplier(generator, state))
                yield prefix + str(name), tensor


def lr_multiplier(generator: State, layer: State) -> Any:
    """As the layer keeps it, else as constructed."""
    return layer.get("bias_gain", arguments(generator, "mapping_kwargs").get("lr_multiplier", 0.01))


def conv_clamp(generator: State, synthesis: State) -> float | None:
    """The limit on activations as the layers keep it (its default differs between tools), else as constructed."""
    layer = module_state(modules_of(module_state(modules_of(synthesis)["b4"])).get("conv1"))
    for holder in (layer, arguments(generator, "synthesis_kwargs"), arguments(generator)):
        if "conv_clamp" in holder:
            value = holder["conv_clamp"]
            return float(value) if isinstance(value, int | float) else None
    return None


def arguments(generator: State, *path: str) -> State:
    """The generator's constructor arguments, or those of a part. stylegan3 gives the synthesis' directly."""
    found: Any = generator.get("_init_kwargs")
    for key in path:
        found = found.get(key) if isinstance(found, dict) else None
    return found if isinstance(found, dict) else {}


def refuse_other_networks(class_name: str, generator: State, synthesis: State) -> None:
    """Refuses all but StyleGAN2's and StyleGAN3's generators, by what its synthesis is made of."""
    children = modules_of(synthesis)
    if any(is_module(children.get(name)) for name in ("b4", "input")):
        return
    if not synthesis and ("b4" in modules_of(generator) or "Discriminator" in class_name):
        raise CheckpointError(f"the file holds a discriminator only; {ACCEPTED}")
    raise CheckpointError(f"the file holds another kind of network ({class_name}); {ACCEPTED}")
