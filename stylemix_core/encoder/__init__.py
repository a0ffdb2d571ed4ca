"""The pSp encoder: pictures to W+ codes."""

from .network import Encoder, EncoderConfig

__all__ = ["Encoder", "EncoderConfig"]
