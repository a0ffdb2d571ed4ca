"""The list of nodes that ComfyUI asks for."""

from comfy_api.v0_0_2 import ComfyExtension, io

from . import (
    align,
    directions,
    encode,
    explore,
    figures,
    host,
    inject,
    latent,
    learn,
    load,
    motion,
    routes,
    sample,
    training,
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
            sample.TurnAndShift,
            encode.Encode,
            inject.Inject,
            inject.MaskListNode,
            latent.SaveLatent,
            latent.LoadLatent,
            latent.BlendLatent,
            latent.TruncateLatent,
            latent.LatentFromBatch,
            latent.LatentBatch,
            encode.Invert,
            encode.InvertOptions,
            encode.SaveTuning,
            encode.LoadTuning,
            explore.ExplainLayers,
            explore.FindLayers,
            inject.IdentityCap,
            directions.FindDirections,
            directions.DirectionSheet,
            directions.ApplyDirection,
            directions.SaveDirections,
            directions.LoadDirections,
            learn.LearnDirection,
            learn.SortFaces,
            learn.ConditionDirections,
            learn.ExplainDirections,
            learn.StyleChannels,
            figures.Matrix,
            figures.Strip,
            figures.Grid,
            align.AlignFace,
            align.PasteFace,
            align.FaceRegions,
            motion.LatentWalk,
            motion.RandomWalk,
            motion.StrengthCurve,
            motion.LoudnessCurve,
            motion.SaveFilm,
            motion.TrackFace,
            motion.RestyleFilm,
            training.MakeEncoder,
        ]
