"""CUDA graphs of passes that come again.

A picture is some hundred small pieces of work, and a GPU does most of them faster than Python hands them over. A graph
hands over all of them at once. Taking one costs as much as a few pictures, and it keeps the memory of its pass; so a
pass is drawn as it comes the first time, and becomes a graph the second time.
"""

import logging
import threading
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass

import torch

LIMIT = 4
"""Graphs that are kept: those of a batch's parts, say, or of two sizes of pictures."""

log = logging.getLogger(__name__)

Draw = Callable[[Sequence[torch.Tensor]], torch.Tensor]


@dataclass(frozen=True)
class Graph:
    """One pass, ready to be run again."""

    graph: torch.cuda.CUDAGraph
    inputs: torch.Tensor
    output: torch.Tensor
    held: object
    """What the pass reads and nothing else may keep: a graph knows addresses only."""

    def __call__(self, inputs: Sequence[torch.Tensor]) -> torch.Tensor:
        self.inputs.copy_(torch.cat([*inputs], 1))
        self.graph.replay()
        return self.output.clone()


class Graphs:
    """The graphs of one network. Threads take turns; streams need keys of their own."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.state: Hashable = None
        self.known: dict[Hashable, Graph | None] = {}
        """By what tells passes apart; None where a pass came once, or cannot be taken."""
        self.failed = False

    def draw(
        self,
        key: Hashable,
        state: Hashable,
        inputs: Sequence[torch.Tensor],
        draw: Draw,
        held: Callable[[], object] = lambda: None,
    ) -> torch.Tensor:
        """What `draw` gives for `inputs`, each `[B, channels]`.

        key: what tells this pass from others. state: changes when anything does that `draw` reads beside its inputs.
        held: gives, after a pass, what it read that is not kept for as long as the state stays the same.
        """
        key = (key, len(inputs[0]))
        with self.lock:
            if state != self.state:
                self.forget()
                self.state = state
            if key not in self.known:
                self.known[key] = None
                return draw(inputs)
            graph = self.known.pop(key) or (None if self.failed else self._take(inputs, draw, held))
            self.known[key] = graph  # the latest is last
            taken = [known for known, graph in self.known.items() if graph is not None]
            for oldest in taken[:-LIMIT]:
                self.known[oldest] = None
            return draw(inputs) if graph is None else graph(inputs)

    def forget(self) -> None:
        """To be called where tensors that passes read are replaced; frees the memory."""
        self.known.clear()
        self.state = None
        self.failed = False

    def __reduce__(self) -> tuple[type["Graphs"], tuple[()]]:
        return type(self), ()  # a copy of a network takes its own

    def _take(self, inputs: Sequence[torch.Tensor], draw: Draw, held: Callable[[], object]) -> Graph | None:
        # Outside of inference mode: tensors that are made inside could not be written to later.
        try:
            with torch.inference_mode(False), torch.no_grad():
                return take(inputs, draw, held)
        except RuntimeError as error:  # too little memory, above all
            self.failed = True
            log.info("StyleMix: pictures are drawn without CUDA graphs: %s", error)
            return None


def take(inputs: Sequence[torch.Tensor], draw: Draw, held: Callable[[], object]) -> Graph:
    """Record a pass."""
    widths = [x.shape[1] for x in inputs]
    static = torch.cat([*inputs], 1)
    stream = torch.cuda.Stream(static.device)  # type: ignore[no-untyped-call]
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        # What libraries do once, they must not do while the pass is recorded.
        drawn = draw(torch.split(static, widths, 1))
    torch.cuda.current_stream().wait_stream(stream)
    output = torch.empty_like(drawn)  # not of the recording's own memory, which nothing else should hold
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph, stream=stream, capture_error_mode="thread_local"):
        output.copy_(draw(torch.split(static, widths, 1)))
    return Graph(graph, static, output, held())
