"""A style's layers into other codes.

`inject` is the whole job; `pairing` says which source meets which style and whether they fit, `channels` measures which
style channels act in a region, and `identity_cap` injects as much as a face can take.
"""
