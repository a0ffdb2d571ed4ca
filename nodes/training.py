"""Encoders for generators of the user's own."""

import torch
from comfy_api.v0_0_2 import io

from ..stylemix_core.checkpoints import inspect_checkpoint, load_encoder
from ..stylemix_core.files.pictures import load_image
from ..stylemix_core.images import as_masks, from_comfy, to_comfy
from ..stylemix_core.training.encoder_maker import BATCH, SIZES, train_encoder
from . import host
from .inputs import seed_input
from .search_words import search_words
from .sockets import ENCODER, GENERATOR


class MakeEncoder(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="StyleMixMakeEncoder",
            display_name="Make Encoder",
            category="StyleMix/train",
            description="Train an encoder for any generator, on pictures that it draws itself. If you stop it, the "
            "next run carries on.",
            **search_words("train", "encoder", "pSp", "e4e", "own model", "inversion", "photo", "StyleGAN"),
            **host.shows(),
            inputs=[
                GENERATOR.Input("generator", tooltip="The generator to read pictures for."),
                io.String.Input(
                    "name",
                    default="my_encoder",
                    tooltip="The encoder's name. It is saved under it in the output folder's encoders, and Load pSp "
                    "Encoder lists it.",
                ),
                io.Float.Input(
                    "minutes",
                    default=60.0,
                    min=0.0,
                    max=100_000.0,
                    step=0.5,
                    tooltip="How long to train in all. Give more to go on with a training, 0 to make an encoder of "
                    "what is there.",
                ),
                io.Combo.Input(
                    "size",
                    options=["auto", *SIZES],
                    default="auto",
                    tooltip="Of the encoder. auto: as it was begun, else small on a CPU, and by the minutes elsewhere.",
                ),
                io.Float.Input(
                    "truncation_psi",
                    default=1.0,
                    min=-2.0,
                    max=2.0,
                    step=0.05,
                    tooltip="Of the pictures that it is trained on. Below 1 where the generator's extreme pictures are "
                    "bad.",
                ),
                io.Boolean.Input(
                    "editable",
                    default=False,
                    tooltip="As e4e: codes that are easier to edit, and pictures that are less alike.",
                ),
                io.Float.Input(
                    "good_enough",
                    default=0.0,
                    min=0.0,
                    max=2.0,
                    step=0.001,
                    round=0.0001,
                    tooltip="Stop before the time is over when held-out pictures come back with this mean error, of −1 "
                    "to 1. 0: use all the time.",
                ),
                seed_input("Of the pictures and of the encoder's first weights."),
                ENCODER.Input(
                    "start",
                    optional=True,
                    tooltip="An encoder to begin with: best of a similar generator, for which a third of the time is "
                    "enough.",
                ),
                io.Image.Input(
                    "pictures",
                    optional=True,
                    tooltip="Pictures like those to be encoded later: cropped as the generator's are. They are drawn "
                    "again besides.",
                ),
                io.Mask.Input("mask", optional=True, tooltip="Where those pictures count: white."),
            ],
            outputs=[
                ENCODER.Output(display_name="encoder", tooltip="The encoder, for PSPEncode and Invert."),
                io.Image.Output(
                    display_name="image",
                    tooltip="Pictures that it was not trained on, above what their codes draw.",
                ),
                io.String.Output(
                    display_name="report",
                    tooltip="How it was trained and how good it is, with its error bars.",
                ),
            ],
            hidden=[io.Hidden.unique_id],
        )

    @classmethod
    @host.speaking
    def execute(
        cls,
        generator: host.AnyModel,
        name: str,
        minutes: float,
        size: str,
        truncation_psi: float,
        editable: bool,
        good_enough: float,
        seed: int,
        start: host.Model | None = None,
        pictures: torch.Tensor | None = None,
        mask: torch.Tensor | None = None,
    ) -> io.NodeOutput:
        given = None if pictures is None else from_comfy(pictures)
        masks = None if mask is None else as_masks(mask, "the mask", None if given is None else len(given))
        begin_with = None if start is None else start.network()
        folder = host.encoder_folder(name)
        report = host.step_reporter(cls.hidden.unique_id)
        sheets: list[torch.Tensor] = []

        def on_step(done: int, total: int, sheet: torch.Tensor | None = None, note: str = "", /) -> None:
            if sheet is not None:
                sheets[:] = [sheet]
            report(done, total, sheet, note)

        made = host.descend(
            [generator],
            BATCH,
            lambda save_memory: train_encoder(
                generator.network(),
                folder,
                minutes=minutes,
                size=size,
                start=begin_with,
                editable=editable,
                truncation_psi=truncation_psi,
                pictures=given,
                masks=masks,
                good_enough=good_enough or None,
                seed=seed,
                batch=BATCH // 4 if save_memory else BATCH,
                on_step=on_step,
            ),
        )
        encoder = host.open_model(load_encoder, host.ENCODERS, f"{folder.name}/{made.name}", "float32")
        text = inspect_checkpoint(made).made or ""
        host.tell(cls.hidden.unique_id, text)
        image = to_comfy(sheets[0])
        shown = host.pictures(image)
        curve = folder / "curve.png"
        if curve.exists():
            shown["images"] += host.pictures(to_comfy(load_image(curve)))["images"]
        return io.NodeOutput(encoder, image, text, ui=shown)
