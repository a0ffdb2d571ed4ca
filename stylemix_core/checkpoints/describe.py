"""What a file is that no reader can use, as the rest of a sentence that starts with "it is"."""

import mmap
from typing import Any

from ..files.pickle_globals import PROGAN_NETWORK, TF_NETWORK
from ..files.pickle_machine import Record, shown
from ..files.source import Source, flat
from ..files.stored import StoredTensor
from ..wording import counted
from . import own_files

PAGE = "a web page saved by a download that went wrong; download the file itself"
HEADS = {
    b"\x89PNG": "a PNG picture",
    b"\xff\xd8\xff": "a JPEG picture",
    b"GIF8": "a GIF picture",
    b"%PDF": "a PDF document",
    b"\x1f\x8b": "a gzip archive; unpack it first",
    b"BZh": "a bzip2 archive, such as dlib's landmark models come in, not a checkpoint",
    b"\xfd7zXZ": "an xz archive; unpack it first",
    b"\x28\xb5\x2f\xfd": "a zstd archive; unpack it first",
    b"Rar!": "a RAR archive; unpack it first",
    b"7z\xbc\xaf": "a 7-Zip archive; unpack it first",
    b"GGUF": "a GGUF language model",
    b"\x89HDF": "an HDF5 file, such as Keras writes",
    b"\x93NUMPY": "a numpy array (.npy), not a model",
    b"version https://git-lfs": "a Git LFS pointer, not the file itself; fetch it with `git lfs pull`",
    b"\x08": "an ONNX model or another program's message file",
}
"""First bytes."""
TEXTS = {
    b"quota exceeded": 'Google Drive\'s page "Quota exceeded", not the file; download it again later',
    b"<html": PAGE,
    b"<!doctype": PAGE,
    b"<?xml": "an XML page, such as a failed download leaves behind; download the file itself",
    b"<": PAGE,
    b"{": "a JSON text, such as a failed download leaves behind; download the file itself",
}
"""Lower-case texts near the start of a file that starts with < or {."""
SUFFIXES = {
    ".onnx": "an ONNX model",
    ".dat": "another program's data, such as dlib's landmark model",
    ".pb": "a TensorFlow graph",
    ".index": "the index of a TensorFlow checkpoint",
    ".ckpt": "no PyTorch file, perhaps a TensorFlow checkpoint",
}
"""Endings, where the bytes tell nothing."""
PARTS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("a LoRA for a diffusion model", ("lora_", "lora.down", ".hada_w", ".lokr_w")),
    ("a ControlNet for a diffusion model", ("control_model.", "controlnet_", "input_hint_block.")),
    (
        "a diffusion model",
        (
            "diffusion_model.",
            "first_stage_model.",
            "down_blocks.0.attentions",
            "double_blocks.",
            "joint_blocks.",
        ),
    ),
    ("a VAE of a diffusion model", ("decoder.up_blocks.", "decoder.up.0.block", "quant_conv.")),
    (
        "a text or picture encoder of the CLIP kind",
        ("text_model.encoder.", "vision_model.encoder.", "visual.transformer.resblocks."),
    ),
    ("a face restorer of the GFPGAN kind", ("stylegan_decoder.",)),
    ("a CodeFormer face restorer", ("quantize.embedding.weight", "idx_pred_layer.")),
    ("an upscaler of the ESRGAN kind", ("RRDB_trunk.", "rdb1.conv1.", "RDB1.conv1.")),
    ("a StyleGAN3 generator", ("synthesis.input.freqs", "synthesis.L0_36")),
    ("an EG3D generator, which draws in three dimensions", ("superresolution.block0.",)),
    (
        "a StyleGAN of 2018, whose layers are not StyleGAN2's",
        (".epilogue.apply_noise", "g_synthesis.", "generator.progression.", "synthesis.lod"),
    ),
    (
        "a StyleGAN2 of genforce's library, whose layers have names of their own",
        ("truncation.w_avg", "mapping.dense0."),
    ),
    (
        "a StyleGAN of mmgeneration (MMagic), whose layers have names of their own",
        ("style_mapping.", "constant_input.const"),
    ),
    (
        "a StyleGAN2 of lucidrains' stylegan2_pytorch, which is another network than NVIDIA's",
        (".to_style1.",),
    ),
    ("a StyleGAN2 of BasicSR, as face restorers are built on", ("style_conv1.modulated_conv.",)),
)
"""Parts of tensor names that occur in one kind of model only."""
BEGINNINGS = (
    (
        "VGG16's or LPIPS' weights, which compare pictures",
        ("features.28.weight", "net.slice5.", "lin0.model."),
    ),
    ("a face-recognition network (ArcFace's IR-SE50)", ("body.0.res_layer.", "input_layer.0.weight")),
    (
        "a StyleGAN discriminator without its generator",
        ("b4.mbstd", "b4.out.weight", "final_linear.1.weight"),
    ),
)
"""How tensor names, or their ends, start in models of few names of their own."""
COMPLETE = (
    ("directions of rosinality's closed_form_factorization", {"eigvec"}),
    ("principal components of W, as e4e edits with", {"mean", "comp", "std"}),
)
"""All tensors of small files."""
SEARCHED = 1 << 22
"""Bytes of a file that are searched for names."""


def describe(source: Source) -> str:
    """What the file is, by its kind, its content or its first bytes."""
    if source.size == 0:
        return "empty"
    for head, description in HEADS.items():
        if source.head.startswith(head) and source.kind == "other":
            return description
    if source.kind == "zip":
        return describe_zip(source.head)
    if source.kind == "safetensors":
        tensors, metadata = source.safetensors
        own = own_files.kind_of(tensors, metadata)
        if own is not None:
            return own.is_a
        architecture = metadata.get("modelspec.architecture")
        known = f"a model of the architecture {shown(architecture)}" if architecture else None
        return describe_names(list(tensors)) or known or unknown(list(tensors))
    if source.kind in ("pickle", "torch"):
        return describe_value(source.content)
    return describe_bytes(source)


def describe_bytes(source: Source) -> str:
    """What a file is that is neither an archive nor a pickle nor safetensors."""
    start = source.head.lstrip().lower()
    if start[:1] in (b"<", b"{"):
        return next(description for text, description in TEXTS.items() if text in start)
    if source.head[257:262] == b"ustar":
        return "a tar archive; unpack it first"
    if source.path.suffix.lower() in SUFFIXES:
        return SUFFIXES[source.path.suffix.lower()]
    if (
        source.head.isascii()
        and source.head.decode("ascii").replace("\n", " ").replace("\r", " ").isprintable()
    ):
        return "a text"
    if source.size < 1000:
        return f"a file of {counted(source.size, 'byte')}, too small for a checkpoint"
    return "of no known checkpoint format"


def describe_zip(head: bytes) -> str:
    """What an archive is, by the name of its first member."""
    name = head[30 : 30 + int.from_bytes(head[26:28], "little")]
    if name.endswith(b".npy"):
        return "an archive of numpy arrays (.npz), not a model"
    return "a zip archive; unpack it and choose the checkpoint inside"


def describe_value(value: Any) -> str:
    """What the value of a pickle or PyTorch file is."""
    items = value if isinstance(value, tuple) else (value,)
    classes = {item.name for item in items if isinstance(item, Record)}
    if PROGAN_NETWORK in classes:
        return "a Progressive GAN of NVIDIA's TensorFlow tools, not a StyleGAN2"
    if TF_NETWORK in classes:
        return "a TensorFlow pickle of NVIDIA's tools without a StyleGAN2 generator"
    if isinstance(value, StoredTensor):
        return f"a single tensor of shape {list(value.shape)}, not a network"
    if not isinstance(value, dict):
        return f"a pickle of something else (a {type(value).__name__})"
    names = list(flat(value))
    if names:
        return describe_names(names) or unknown(names)
    keys = [str(key)[:60] for key in list(value)[:4]]
    return f"a Python dictionary of something else (its first keys: {', '.join(keys) or 'none'})"


def describe_names(names: list[str]) -> str | None:
    """What a file with tensors of these names is, None if that is unknown."""
    if names == ["w"]:
        return own_files.CODES.is_a
    for description, parts in PARTS:
        if any(part in name for name in names for part in parts):
            return description
    for description, beginnings in BEGINNINGS:
        if any(f".{name}".find(f".{beginning}") >= 0 for name in names for beginning in beginnings):
            return description
    for description, complete in COMPLETE:
        if complete == set(names):
            return description
    return None


def unknown(names: list[str]) -> str:
    """What is left to say of tensors that nothing is known of: the names of the first."""
    first = ", ".join(name[:60] for name in names[:3])
    return f"a file of tensors of another kind of model (the first: {first or 'none'})"


def another_model(source: Source) -> str | None:
    """What a pickle or PyTorch file is that could not be read, by the names that it contains."""
    if source.kind not in ("pickle", "torch"):
        return None
    with open(source.path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        for description, parts in PARTS:
            if any(data.find(part.encode(), 0, SEARCHED) >= 0 for part in parts):
                return description
    return None
