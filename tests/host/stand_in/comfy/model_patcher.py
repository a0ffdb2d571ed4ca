class ModelPatcher:
    """Moves a model. A load that is not full leaves the direct parameters of non-leaf modules, as the real one does."""

    def __init__(self, model, load_device, offload_device, size=0, weight_inplace_update=False) -> None:
        self.model, self.load_device, self.offload_device = model, load_device, offload_device
        model.device = offload_device

    def patch_model(
        self, device_to=None, lowvram_model_memory=0, load_weights=True, force_patch_weights=False
    ):
        if lowvram_model_memory == 0:
            self.model.to(device_to)
        else:
            for module in self.model.modules():
                if not any(True for _ in module.children()):
                    module.to(device_to)
        self.model.device = device_to
        return self.model
