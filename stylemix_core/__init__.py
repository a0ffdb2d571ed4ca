"""StyleMix: generate faces with StyleGAN2, read a picture's style with pSp, inject chosen W+ layers.

>>> import stylemix_core as sm
>>> G, E = sm.load_generator("demo"), sm.load_encoder("demo")
>>> faces = G.mapping(sm.sample_z([0, 1], G.z_dim), truncation_psi=0.7)
>>> style = E(sm.load_image("photo.jpg"))
>>> mixed = sm.inject(faces, style, sm.parse_masks("0; 1; 2; 3; 4; 5; 0-6", G.num_ws))
>>> pictures = G.synthesis(mixed)

Names are imported when they are first used, so that importing the package costs nothing. `__init__.pyi` lists them.
"""

from importlib import import_module

__version__ = "0.1.0"


_known: dict[str, str] = {}


def _homes() -> dict[str, str]:
    """The modules of the public names, from the list that type checkers and editors read; it is read once."""
    if not _known:
        import ast
        from pathlib import Path

        for statement in ast.parse(Path(__file__).with_suffix(".pyi").read_text(encoding="utf-8")).body:
            if isinstance(statement, ast.ImportFrom):
                _known.update((name.name, f".{statement.module}") for name in statement.names)
    return _known


def __getattr__(name: str) -> object:
    if name == "__all__":
        return sorted(_homes())
    home = None if name.startswith("__") else _homes().get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(home, __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_homes()})
