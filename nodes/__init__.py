"""The ComfyUI side: schemas and thin adapters. The work is done in `stylemix_core`."""
