"""StyleGAN3 as its paper describes it (Karras et al. 2021, arXiv:2106.12423), with NVIDIA's tensor names.

StyleGAN-XL is the same network with another mapping. Weights come from `stylemix_core.checkpoints`.
"""
