"""StyleMix for ComfyUI: StyleGAN2 faces, pSp encoding and layer-wise style injection.

ComfyUI imports this folder and calls `comfy_entrypoint`. Importing it needs neither ComfyUI nor torch.
"""

WEB_DIRECTORY = "web"
"""What ComfyUI's page loads of this pack."""


async def comfy_entrypoint():
    """What ComfyUI calls to get the pack's nodes."""
    from .nodes.extension import StyleMixExtension

    return StyleMixExtension()
