"""Which layer carries what.

`explain` injects every layer alone (`explain_report` is what it gives, `explain_sheet` draws that, `published` is what
papers found). `find` searches the mask for a wish: `wish_text` reads it, `wish_regions` finds where it looks, `judges`
tell by `measures` how far pictures fulfil it, `trials` try masks, `search` leads them, and `found` is what comes out
(`find_sheet` draws it, `find_legend` explains its table).
"""
