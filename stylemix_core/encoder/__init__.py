"""The encoders of pSp, e4e and ReStyle: pictures to W+ codes."""

from .config import KINDS, EncoderConfig, kind_of
from .network import SURE, Encoder

__all__ = ["KINDS", "SURE", "Encoder", "EncoderConfig", "kind_of"]
