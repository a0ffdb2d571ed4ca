"""W+ codes: what they are, where they come from, and where else they can be moved to.

`latents` are codes with their provenance, `sampling` makes them of `seeds`, `combine` joins, blends and truncates them.
`style_space` is S, the channels that a generator makes of W+; `directions` are sliders in W, named as `direction_text`
reads them.
"""
