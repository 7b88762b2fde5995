import pytest
import torch

from ctsk import BaseGenerator, ECCCoGenerator, GenericGenerator, REVISEGenerator
from ctsk.generators import SearchResult


class Still(BaseGenerator):
    """The smallest generator: its counterfactuals are the factuals."""

    def search(self, model, factuals, targets, box, *, T, **settings):
        is_mature = torch.zeros(len(factuals), dtype=torch.bool)
        return SearchResult.of_jumps(factuals, factuals, is_mature, T=T, epsilon=1.0)


class Fond(Still):
    """Learns a tensor and a module, but can search without them."""

    must_learn = False

    def learn(self, reference):
        self.center_, self.net_ = torch.zeros(3), torch.nn.Linear(3, 1)
        return self


def test_generator_without_search_is_abstract():
    with pytest.raises(TypeError, match="abstract method '?search"):
        type("Nothing", (BaseGenerator,), {})()


@pytest.mark.parametrize(
    ("generator", "learns", "must_learn"),
    [
        (Still(), False, False),
        (Fond(), True, False),
        (ECCCoGenerator(), False, False),
        (GenericGenerator(), False, False),
        (GenericGenerator(distance="mad"), True, True),
        (GenericGenerator(lambda_gravity=0.1), True, True),
        (REVISEGenerator(), True, True),
    ],
    ids=repr,
)
def test_generator_that_overrides_learn_learns(generator, learns, must_learn):
    assert (generator.learns, generator.must_learn) == (learns, must_learn)


def test_search_on_another_device_leaves_the_generator_where_it_is():
    generator = Fond().learn(None)
    before = dict(vars(generator))
    moved = generator._on_device(torch.device("meta"))
    assert {moved.center_.device.type, moved.net_.weight.device.type} == {"meta"}
    assert vars(generator) == before
    assert generator.net_.weight.device.type == generator.center_.device.type == "cpu"
    assert generator._on_device(torch.device("cpu")) is generator
