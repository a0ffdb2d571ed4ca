"""What options may be, apart from the modules that act on it: those import tensors, which help must not wait for.

A test keeps both alike.
"""

PAIRINGS = ("match", "all")
SPACES = ("W+", "convolutions", "to-RGB", "channels")
CHANNEL_SHARE = 0.25
DIRECTION_METHODS = ("SeFa", "GANSpace")
SAMPLES = 10_000
DIRECTION_STRENGTH = 20.0
MOST_COLUMNS = 64
INVERSION_METHODS = ("encode", "iterate", "optimize", "tune")
QUALITIES = ("balanced", "editable", "faithful")
PARTS = ("generator", "encoder")
ALIGN_MODES = ("auto", "always", "never")
BLENDS = ("head", "square")
COLOUR_MATCHES = ("none", "seam", "whole")
REGION_SOURCES = ("auto", "photo", "drawn")
CARE = 2.0
OTHERS = 6
DEVICES = ("cpu", "cuda", "mps", "xpu")
PRECISIONS = ("auto", "float32", "tf32", "float16", "bfloat16")
NOISE_MODES = ("const", "random", "none")
CURVES = ("cubic", "linear", "slerp", "circle")
SPEEDS = ("visible", "even")
EASINGS = ("none", "in", "out", "in-out")
ENCODER_SIZES = ("auto", "small", "medium", "large")
FILMS = ("mp4", "webm", "mov", "webp", "gif", "png")
