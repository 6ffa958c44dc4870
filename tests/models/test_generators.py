"""What every generator of `srlab.models.GENERATORS` keeps to: a new one is tested by being named there."""

import pytest
import torch

from srlab import models
from srlab.base.errors import SrlabError
from srlab.inference.tiling import upscale
from srlab.models import pick_size
from srlab.models.weights import load_generator
from srlab.training.runs import Run


@pytest.fixture(params=models.GENERATORS)
def generator(request):
    torch.manual_seed(0)
    size = pick_size("tiny", request.param)
    network = getattr(models, request.param)(**size, scale=2)
    for parameter in network.parameters():  # of the size of trained ones, so that whatever reaches far shows
        torch.nn.init.normal_(parameter, std=0.3)
    return network.eval()


def test_it_enlarges_by_its_scale(generator):
    with torch.no_grad():
        assert generator(torch.rand(2, 3, 7, 5)).shape == (2, 3, 14, 10)


def test_a_run_keeps_it_and_gives_it_back_by_its_name(generator):
    Run("lab", "run").save_generator(generator, 7)
    again = load_generator("lab", "run")
    assert type(again) is type(generator)
    lr = torch.rand(1, 3, 6, 5)
    with torch.no_grad():
        assert torch.equal(again(lr), generator(lr))


def test_no_lr_pixel_beyond_its_radius_has_an_influence_and_the_tiles_fit(generator):
    radius, side = generator.radius, 2 * generator.radius + 3
    lr = torch.rand(1, 3, side, side, requires_grad=True)
    middle = 2 * (side // 2)
    generator(lr)[..., middle : middle + 2, middle : middle + 2].square().sum().backward()
    reached = lr.grad.abs().amax(dim=(0, 1)).nonzero() - side // 2
    assert 0 < reached.abs().max() <= radius
    whole, tiled = upscale(generator, lr.detach()), upscale(generator, lr.detach(), tile=8, overlap=radius)
    torch.testing.assert_close(tiled, whole, atol=1e-4, rtol=0)


def test_an_unknown_network_is_refused_with_the_known_ones():
    with pytest.raises(SrlabError, match=r"Unknown network 'Unheard'; choose one of SRResNet, MSRResNet, .*\."):
        pick_size("tiny", "Unheard")
