"""StyleGAN2 as its paper describes it (Karras et al. 2020, arXiv:1912.04958), with NVIDIA's tensor names.

Weights may come from any tool: `stylemix_core.checkpoints` brings them into these names. What makes drawing fast
stands beside it, in `generator.engine`.
"""
