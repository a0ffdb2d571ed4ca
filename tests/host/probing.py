"""What a host asks of the outputs of nodes, outside of the nodes' own errors. Imports no more than a host has."""

import copy
import pickle
import sys
from collections.abc import Iterable, Mapping, Sized
from typing import Any
from unittest.mock import patch

import torch

NAMES = ("patcher", "model", "models", "get_models", "is_dynamic", "nbytes", "device", "outputs", "ui")
"""Attributes that caches and trackers of memory look for."""


def look(outputs: Any) -> None:
    """What cores from 0.33 on do with every output after every node, to know of the models in use."""
    for output in outputs.values() if isinstance(outputs, Mapping) else outputs:
        if isinstance(output, Mapping | list | tuple):
            look(output)
        else:
            getattr(output, "patcher", None)
            get_models = getattr(output, "get_models", None)
            if callable(get_models):
                get_models()


def probe(output: Any) -> None:
    """Whatever else a cache, a provider of caches or a debugger may do. Fails where that fails or moves a network."""
    with patch.object(torch.nn.Module, "_apply", side_effect=AssertionError("a network is moved")):
        look([output])
        own = (
            () if isinstance(output, torch.Tensor) else dir(output)
        )  # some of a tensor's are for some tensors alone
        for name in {*NAMES, *own}:
            getattr(output, name, None)
        if isinstance(output, Sized):
            len(output)
        if isinstance(output, Iterable):
            list(output)
        for same in (copy.copy(output), copy.deepcopy(output), pickle.loads(pickle.dumps(output))):
            assert type(same) is type(output)
            _ = same == output, same != output
        hash(output)
        repr(output), str(output), sys.getsizeof(output)
