"""Drawing with any family of generators, fast and within bounded memory.

A family's synthesis network derives from `synthesis.Synthesis` and gives its `stages`; everything here works with
those alone and knows no family.
"""
