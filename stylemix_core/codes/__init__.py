"""W+ codes: what they are, where they come from, and where else they can be moved to.

`latents` are codes with their provenance, `sampling` makes them of `seeds`, which `seed_text` reads, `combine` joins,
blends and truncates them.
`style_space` is S, the channels that a generator makes of W+. `directions` are sliders, named as `direction_text` reads
them and kept by `direction_files`: `unsupervised` finds some, `learning` makes one from examples, which `sorting` reads
of clicks, `channel_directions` takes single channels, and
`derived_directions` makes some of others. `foreign_codes` and `foreign_directions` read what other tools
have written, `foreign_files` says what that is.
"""
