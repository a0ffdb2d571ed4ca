"""What networks keep of their weights, while other threads change them."""

from types import SimpleNamespace

import torch

from stylemix_core.networks import Derived


class Doubled(Derived):
    """Twice the weight. `meanwhile` is what another thread does while it is computed."""

    def meanwhile(self) -> None:
        pass

    def make(self, weight: torch.Tensor) -> torch.Tensor:
        made = 2 * weight
        self.meanwhile()
        return made


def test_what_was_made_of_replaced_memory_is_not_kept():
    weight, doubled = torch.ones(3), Doubled()

    def replace() -> None:
        del doubled.meanwhile
        weight.data = torch.full((3,), 5.0)
        doubled.forget()

    doubled.meanwhile = replace
    doubled(weight)  # of the old memory: when it began, there was no other
    assert doubled(weight).tolist() == [10, 10, 10]


def test_forgetting_between_a_look_and_an_answer_does_no_harm():
    class Weight(SimpleNamespace):
        """Stands in for a weight; something is forgotten whenever its version is asked for."""

        @property
        def _version(self) -> int:
            doubled.forget()
            return 0

        def __rmul__(self, factor: int) -> int:
            return factor * self.number

    doubled = Doubled()
    weight = Weight(number=4, requires_grad=False, is_inference=lambda: False)
    assert [doubled(weight) for _ in range(3)] == [8, 8, 8]
