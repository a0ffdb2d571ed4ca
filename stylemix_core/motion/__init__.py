"""Codes that move: `walk` leads through keyframes by `curves`, at a constant visible `speed` where wanted."""
