"""The bundled models, the avatars that they draw, and the study project's experiment on them (`experiment`).

`attributes` are what an avatar is made of, one layer each; `renderer` draws it, with `geometry` (where), `shading`
(how), `shapes`, `colours` and `canvas`. `truth` says how codes and attributes belong together; `train` is the recipe.
"""
