"""Words for people."""

import doctest

from stylemix_core import wording as texts


def test_one_is_no_plural_and_zero_has_no_sign():
    failed, tried = doctest.testmod(texts)
    assert (failed, tried) == (0, 3)
