"""Mask lists: how they are written (`grammar`, which needs no tensors) and what they mean for a model (`mask_list`)."""
