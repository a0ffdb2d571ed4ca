"""The encoders of pSp, e4e and ReStyle: pictures to W+ codes."""

from .config import KINDS, EncoderConfig, kind_of
from .network import Encoder

__all__ = ["KINDS", "Encoder", "EncoderConfig", "kind_of"]
