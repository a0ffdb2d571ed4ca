import numpy as np
import torch

from stylemix_core.codes.seeds import sample_z


def test_a_seed_gives_the_row_that_nvidias_tools_draw():
    z = sample_z([0, 7], 512)
    assert z.dtype == torch.float32
    assert z.shape == (2, 512)
    assert np.array_equal(z[1:].numpy(), np.random.RandomState(7).randn(1, 512).astype(np.float32))
    assert np.allclose(z[0, :3].numpy(), [1.7640524, 0.4001572, 0.978738])


def test_rows_do_not_depend_on_their_neighbours():
    assert torch.equal(sample_z(range(3, 6), 8)[1], sample_z([4], 8)[0])


def test_seeds_wrap_at_32_bits():
    assert torch.equal(sample_z([2**32 + 5, -1, 2**64 - 1], 8), sample_z([5, 2**32 - 1, 2**32 - 1], 8))


def test_no_seed_gives_an_empty_batch():
    assert sample_z([], 8).shape == (0, 8)
