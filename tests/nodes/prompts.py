"""API-format prompts that several tests share."""

from typing import Any

from ..host import Prompt


def node(class_type: str, **inputs: Any) -> dict[str, Any]:
    return {"class_type": class_type, "inputs": inputs}


def sampler(generator: list, **changes: Any) -> dict[str, Any]:
    inputs = {
        "generator": generator,
        "seed": 7,
        "batch_size": 1,
        "truncation_psi": 0.7,
        "truncation_cutoff": -1,
        "class_label": -1,
        "noise_mode": "const",
    }
    return node("StyleMixSampler", **{**inputs, **changes})


def inject(latent: list, style: list, mask_list: str, **changes: Any) -> dict[str, Any]:
    inputs = {
        "latent": latent,
        "style": style,
        "mask_list": mask_list,
        "alpha": 1.0,
        "pairing": "match",
        "seed": 0,
    }
    return node("StyleMixInject", **{**inputs, **changes})


def faces_and_style(checkpoint: str = "tiny.safetensors", **sampling: Any) -> Prompt:
    """Both models of a file, faces, and another one for a style."""
    return {
        "generator": node("StyleMixLoadGenerator", checkpoint=checkpoint, dtype="float32"),
        "encoder": node("StyleMixLoadEncoder", checkpoint=checkpoint, dtype="float32"),
        "faces": sampler(["generator", 0], **sampling),
        "style": sampler(["generator", 0], seed=100),
    }


def experiment(mask_list: str = "0; 1; 0-6", checkpoint: str = "tiny.safetensors", **sampling: Any) -> Prompt:
    """Two faces, the encoded style of a third, a mask list, and a sheet of all results."""
    return {
        **faces_and_style(checkpoint, **{"batch_size": 2, **sampling}),
        "encode": node("StyleMixEncode", encoder=["encoder", 0], image=["style", 0], align="never"),
        "inject": inject(["faces", 1], ["encode", 0], mask_list),
        "decode": node(
            "StyleMixDecode", generator=["generator", 0], latent=["inject", 0], noise_mode="const"
        ),
        "grid": node(
            "StyleMixGrid",
            images=["decode", 0],
            labels=["inject", 1],
            columns=0,
            source=["faces", 0],
            style=["style", 0],
        ),
        "save faces": node("SaveImage", images=["faces", 0], filename_prefix="faces"),
        "save style": node("SaveImage", images=["style", 0], filename_prefix="style"),
        "save results": node("SaveImage", images=["decode", 0], filename_prefix="results"),
        "save grid": node("SaveImage", images=["grid", 0], filename_prefix="grid"),
        "labels": node("PreviewAny", source=["inject", 1]),
    }


def find_prompt(**changes: Any) -> Prompt:
    """All of the picture as the target, and the mask that is found in use."""
    return {
        **faces_and_style(),
        "two": sampler(["generator", 0], batch_size=2),
        "black": node("SolidMask", value=0.0, width=32, height=32),
        "white": node("SolidMask", value=1.0, width=32, height=32),
        "find": node(
            "StyleMixFindLayers",
            **{
                "generator": ["generator", 0],
                "latent": ["faces", 1],
                "style": ["style", 1],
                "target": "mask",
                "what": "anything",
                "keep": "nothing",
                "care": 2.0,
                "steps": 1,
                "target_mask": ["white", 0],
                "others": 1,
                **changes,
            },
        ),
        "inject": inject(["faces", 1], ["style", 1], "all", masks=["find", 0]),
        "decode": node(
            "StyleMixDecode", generator=["generator", 0], latent=["inject", 0], noise_mode="const"
        ),
        "save": node("SaveImage", images=["decode", 0], filename_prefix="found"),
        "save sheet": node("SaveImage", images=["find", 2], filename_prefix="found sheet"),
        "masks": node("PreviewAny", source=["find", 1]),
        "table": node("PreviewAny", source=["find", 3]),
    }
