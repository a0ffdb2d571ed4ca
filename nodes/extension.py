"""The list of nodes that ComfyUI asks for."""

from comfy_api.v0_0_2 import ComfyExtension, io

from . import (
    align,
    cap,
    directions,
    encode,
    explain,
    explore,
    figures,
    find,
    host,
    inject,
    invert,
    latent,
    load,
    routes,
    sample,
    tuning,
)


class StyleMixExtension(ComfyExtension):
    async def get_node_list(self) -> list[type[io.ComfyNode]]:
        host.register_model_folders()
        routes.register()
        return [
            load.LoadGenerator,
            load.LoadEncoder,
            sample.Sampler,
            sample.Decode,
            encode.Encode,
            inject.Inject,
            inject.MaskListNode,
            latent.SaveLatent,
            latent.LoadLatent,
            latent.BlendLatent,
            latent.TruncateLatent,
            latent.LatentFromBatch,
            latent.LatentBatch,
            invert.Invert,
            invert.InvertOptions,
            tuning.SaveTuning,
            tuning.LoadTuning,
            explain.ExplainLayers,
            find.FindLayers,
            cap.IdentityCap,
            directions.FindDirections,
            directions.DirectionSheet,
            directions.ApplyDirection,
            directions.SaveDirections,
            directions.LoadDirections,
            figures.Matrix,
            figures.Strip,
            explore.Grid,
            align.AlignFace,
            align.PasteFace,
        ]
