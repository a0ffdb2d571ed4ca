"""Work on the device that computes: memory, progress and interrupts are ComfyUI's."""

import logging
import time
from collections.abc import Callable, Sequence
from itertools import chain
from typing import Any, TypeVar

import comfy.utils
import torch
from comfy import model_management
from comfy_execution.graph_utils import ExecutionBlocker
from PIL import Image

from ...stylemix_core.images import to_pil
from ...stylemix_core.progress import OnStep
from ...stylemix_core.wording import duration
from .messages import show_progress
from .models import AnyModel

GPU_BATCH = 8
"""Pictures in one forward pass on a GPU."""

CPU_BATCH = 1
"""A CPU gains little from batches, and single pictures report progress sooner."""

PREVIEW_SECONDS, PREVIEW_SIDE = 1.0, 512
"""How often a picture is shown while more are made, and how large at most."""

BYTES_PER_PIXEL = 6 * 32 * 4
"""Memory that a forward pass needs at least: about six maps of 32 float32 channels at full resolution."""

GRADIENT_FACTOR = 4
"""How much more a pass needs whose maps are kept for its gradients; measured by benchmarks/inversion.py."""

PREVIEWS = 4
"""How many pictures of a batch are shown while all are worked on together."""

Result = TypeVar("Result")


def run(
    model: AnyModel,
    count: int,
    forward: Callable[[Any, slice], torch.Tensor],
    preview: Callable[[torch.Tensor], Image.Image] | None = None,
    beside: Sequence[AnyModel] = (),
) -> torch.Tensor:
    """Map `count` items through a network, with ComfyUI's memory management, progress and interrupts.

    forward: called as `forward(network, items)`; computes the items of that slice, `[n, …]`.
    preview: makes a picture of one result, to show the newest while the rest is computed.
    beside: other models whose networks `forward` uses.
    Returns all results `[count, …]` on the device where ComfyUI wants node outputs. When memory runs out the
    batch is halved; `OOM_EXCEPTION` when a single item is too much.
    """
    size = CPU_BATCH if model.handle().load_device.type == "cpu" else GPU_BATCH
    progress = comfy.utils.ProgressBar(count)
    shown = time.monotonic()
    results: torch.Tensor | None = None
    done = 0
    while done < count:
        model_management.throw_exception_if_processing_interrupted()
        items = slice(done, min(done + size, count))
        result = None
        try:
            _place([model, *beside], items.stop - items.start)
            result = forward(model.network(), items).to(model_management.intermediate_device())
        except model_management.OOM_EXCEPTION:
            if items.stop - items.start == 1:
                raise
        # Outside the except block: the exception held on to the tensors of the failed pass.
        if result is None:
            size = (items.stop - items.start + 1) // 2
            logging.info("StyleMix: out of memory, going on with batches of %d", size)
            model_management.soft_empty_cache()
            continue
        if results is None:
            results = result if len(result) == count else result.new_empty(count, *result.shape[1:])
        if results is not result:
            results[items] = result
        done = items.stop
        newest = None
        # Not the last one: the results themselves follow at once.
        if preview is not None and done < count and time.monotonic() - shown >= PREVIEW_SECONDS:
            picture = preview(result[-1])
            newest = ("JPEG", picture, min(PREVIEW_SIDE, max(picture.size)))  # ComfyUI enlarges small ones
            shown = time.monotonic()
        progress.update_absolute(done, count, newest)
    assert results is not None
    return results


def not_yet(outputs: int) -> tuple[ExecutionBlocker, ...]:
    """So many outputs that are not there yet: nodes behind them do not run, and nobody is told of an error."""
    return (ExecutionBlocker(None),) * outputs


def placed(model: AnyModel) -> Any:
    """A network on the device that computes, for a short job that is no map over items."""
    _place([model], 1)
    return model.network()


def descend(models: Sequence[AnyModel], count: int, job: Callable[[bool], Result]) -> Result:
    """Run a job that descends gradients through networks, on `count` pictures at once.

    job: called with whether to save memory by gradient checkpointing: without, and with when memory runs out.
    """
    return work(models, count * GRADIENT_FACTOR, count, job)


def work(models: Sequence[AnyModel], most: int, least: int, job: Callable[[bool], Result]) -> Result:
    """Run a job that passes batches through networks on its own.

    job: called with whether to save memory: without, for which there is room for passes of `most` pictures, and
        when that runs out, with, for passes of `least`.
    """
    _place(models, most)
    try:
        return job(False)
    except model_management.OOM_EXCEPTION:
        pass
    # Outside the except block: the exception held on to the tensors of the failed pass.
    logging.info("StyleMix: out of memory, going on with less at a time")
    model_management.soft_empty_cache()
    _place(models, least)
    return job(True)


def step_reporter(node_id: str | None) -> OnStep:
    """A callback for the steps of a node's long job: shows progress, the newest pictures, what there is to say by now
    and how long it will take, and raises on interrupts."""
    progress = comfy.utils.ProgressBar(1)
    said = time.monotonic()
    begun: tuple[int, float] | None = None
    """What was done when this was called first, which an earlier run may have done, and when that was."""

    def report(done: int, total: int, images: torch.Tensor | None = None, note: str = "", /) -> None:
        nonlocal said, begun
        model_management.throw_exception_if_processing_interrupted()
        preview = None
        if images is not None:
            preview = ("JPEG", to_pil(torch.cat([*images[:PREVIEWS]], dim=2)), PREVIEW_SIDE)
        progress.update_absolute(done, total, preview)
        now = time.monotonic()
        first, started = begun = begun or (done, now)
        if first < done < total and now - said >= PREVIEW_SECONDS:
            left = duration((now - started) * (total - done) / (done - first))
            show_progress(node_id, f"{note}, {left} left" if note else f"{left} left")
            said = now

    return report


def _place(models: Sequence[AnyModel], items: int) -> None:
    """Bring networks to the device that computes, and make room there for `items` pictures."""
    patchers = list(dict.fromkeys(model.handle() for model in models))
    memory = items * max(_working(patcher.model) for patcher in patchers)
    # Outside of ComfyUI's inference mode, whose tensors hide their changes: nothing could be kept with them.
    with torch.inference_mode(False), torch.no_grad():
        model_management.load_models_gpu(patchers, memory_required=memory, force_full_load=True)
        for patcher in patchers:
            network, device = patcher.model, patcher.load_device
            # Partial loads and --novram leave parameters behind that are not a leaf module's own.
            tensors = chain(network.parameters(), network.buffers())
            places = {(tensor.device.type, tensor.device.index) for tensor in tensors}
            if places != {(device.type, device.index)}:
                network.to(device)


def _working(network: Any) -> int:
    """Bytes that a network needs for a picture."""
    draws = getattr(network, "decoder", None) or network  # ReStyle's encoders draw pictures on their way
    side: int = getattr(draws, "img_resolution", None) or network.input_size
    return max(BYTES_PER_PIXEL * side**2, getattr(draws, "working_bytes", 0))
