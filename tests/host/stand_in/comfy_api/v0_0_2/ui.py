"""What nodes show on the page."""


class PreviewImage:
    def __init__(self, image, animated=False, cls=None, **kwargs) -> None:
        self.image = image

    def as_dict(self) -> dict:
        """The pictures themselves; ComfyUI saves them and names the files."""
        return {"images": self.image}
