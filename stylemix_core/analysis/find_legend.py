"""What the table of a search means: text alone, for help that waits for no tensors."""

LEGEND = (
    "inside: how far the target is on its way from the source, 0%, to the style, 100%; below 0%, it is farther from "
    "the style than the source is.",
    "outside, kept: how much of all else, and of what is to be kept, changes, in % of what all layers change.",
    "score: inside, less care times outside and kept, less a little for every layer; a third for these faces, two "
    "thirds for what the layers do with other faces as styles. Masks are ranked by it.",
    "agree: in how many of the pairs, these and those with other faces, it does more for the wish than against it.",
    "sure: how sure it is of the regions, where they were found, times how far the pairs agree on the best mask.",
    "In brackets, where a mask comes from: a layer alone, all but one, a preset (coarse, middle, fine, all), greedy "
    "(layers added one by one while it helps), or strengths (the best of these with its strengths refined).",
)
"""What its columns mean, a sentence or two each."""
