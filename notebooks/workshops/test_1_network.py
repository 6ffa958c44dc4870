"""Tests of workshop 1. Each states a promise of the specification, and after it a hint.

python -m pytest test_1_network.py --mine my_file.py -k test_psnr
"""

import math
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from torch import nn
from torch.nn.modules.module import register_module_forward_pre_hook


def random_image(*shape, seed=0):
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed))


def downscaled(hr):
    return F.interpolate(hr, scale_factor=1 / 4, mode="bicubic", antialias=True)


# --- sample_pairs -------------------------------------------------------------------------------


def coded_photos(*sizes):
    """Return photos in which each pixel has the number of its row, its column and its photo."""
    photos = {}
    for number, (height, width) in enumerate(sizes):
        rows = torch.arange(height).view(-1, 1).expand(height, width)
        columns = torch.arange(width).expand(height, width)
        pixels = torch.stack([rows, columns, torch.full_like(rows, number)])
        photos[f"{number}.png"] = pixels / 255
    return photos


def four_photos():
    return coded_photos((128, 240), (240, 128), (144, 176), (176, 144))


def draw(mine, photos, random=None, count=32):
    random = random or torch.Generator().manual_seed(0)
    return mine.sample_pairs(photos, count, 16, random)


def places(hr):
    """Return (photo, top, left) of each patch of coded photos."""
    rows, columns, photos = (255 * hr).round().long().unbind(1)
    return [
        (photo.min().item(), row.min().item(), column.min().item())
        for photo, row, column in zip(photos, rows, columns, strict=True)
    ]


def test_sample_pairs_returns_two_batches(mine):
    """It returns lr and hr: float32 tensors of shape (count, 3, side, side) and four times as large.

    Which comes first? Does torch.stack make a tensor of a list of patches?
    """
    lr, hr = draw(mine, four_photos())
    assert lr.shape == (32, 3, 16, 16)
    assert hr.shape == (32, 3, 64, 64)
    assert lr.dtype == hr.dtype == torch.float32


def test_sample_pairs_keeps_the_pixels_of_the_photos(mine):
    """HR patches are parts of the photos that you pass, maybe flipped or turned by 90 degrees.

    Use only the photos of the argument, and keep their pixels: no resizing, no noise.
    """
    _, hr = draw(mine, four_photos())
    for patch, (number, top, left) in zip(hr, places(hr), strict=True):
        photo = four_photos()[f"{number}.png"]
        part = photo[:, top : top + 64, left : left + 64]
        flips = part, part.flip(2)
        assert any(torch.equal(patch, one.rot90(k, (1, 2))) for one in flips for k in range(4))


def test_sample_pairs_leaves_the_photos_as_they_are(mine):
    """The photos are the same afterward.

    Which line changes a tensor in place, such as with +=?
    """
    photos = four_photos()
    draw(mine, photos)
    assert photos.keys() == four_photos().keys()
    assert all(torch.equal(photos[name], photo) for name, photo in four_photos().items())


def test_sample_pairs_draws_a_photo_for_each_patch(mine):
    """A batch of 32 has patches of several photos, and small batches reach all photos.

    Draw a photo for each patch. In turn isn't at random: a batch of 2 never gets to the third.
    """
    random = torch.Generator().manual_seed(0)
    _, large = draw(mine, four_photos(), random)
    small = torch.cat([draw(mine, four_photos(), random, count=2)[1] for _ in range(40)])
    photos_in_a_large_batch = len({photo for photo, *_ in places(large)})
    photos_in_small_batches = len({photo for photo, *_ in places(small)})
    assert photos_in_a_large_batch > 1
    assert photos_in_small_batches == 4


def test_sample_pairs_draws_from_everywhere(mine):
    """Patches come from everywhere in a photo: the rows from all of its height, the columns from
    all of its width.

    Draw a row and a column for each patch. What are the largest ones that are possible?
    """
    random = torch.Generator().manual_seed(0)
    hr = torch.cat([draw(mine, coded_photos((128, 240)), random)[1] for _ in range(4)])
    _, tops, lefts = zip(*places(hr), strict=True)
    assert min(tops) < 16
    assert max(tops) > 128 - 64 - 16
    assert min(lefts) < 40
    assert max(lefts) > 240 - 64 - 40


def test_sample_pairs_uses_a_photo_to_its_borders(mine):
    """A photo of 64 x 64 pixels is enough for a patch of this size, and the last row and column of
    any photo are drawn, too.

    torch.randint(n, ...) draws from 0 to n - 1. What is n if there is one place?
    """
    draw(mine, coded_photos((64, 64)))
    random = torch.Generator().manual_seed(0)
    hr = torch.cat([draw(mine, coded_photos((68, 68)), random)[1] for _ in range(4)])
    _, tops, lefts = zip(*places(hr), strict=True)
    assert (min(tops), max(tops)) == (0, 4)
    assert (min(lefts), max(lefts)) == (0, 4)


def test_sample_pairs_repeats_with_the_same_random(mine):
    """The same state of `random` draws the same pairs, and the next call draws other pairs.

    Draw every number with generator=random, and don't seed it.
    """
    photos, random = four_photos(), torch.Generator().manual_seed(0)
    _, first = draw(mine, photos, random)
    _, second = draw(mine, photos, random)
    _, again = draw(mine, photos, torch.Generator().manual_seed(0))
    assert torch.equal(first, again)
    assert not torch.equal(first, second)


def test_sample_pairs_downscales_hr(mine):
    """LR is HR downscaled by 4, bicubic and antialiased. The border of 3 pixels may differ.

    Bilinear is 0.23 off, no antialiasing 3.3, and a shift by one HR pixel 0.4 or more. Do LR and
    HR have the same flips and turns?
    """
    photos = {"noise.png": (255 * random_image(3, 128, 160)).round() / 255}
    lr, hr = draw(mine, photos)
    wanted = downscaled(hr)[..., 3:-3, 3:-3]
    error = (lr[..., 3:-3, 3:-3] - wanted).square().mean().sqrt() / wanted.std()
    assert error.item() < 0.125  # 8 bits: 0.02, another bicubic kernel: 0.09


# --- Generator ----------------------------------------------------------------------------------


def moved(network):
    """Add noise to all weights, because small ones would hide what other layers do."""
    with torch.no_grad():
        for weight in network.parameters():
            weight += 0.05 * torch.randn_like(weight)
    return network.eval()


def idle(network, loss):
    """Train for some steps, and return the parameters that are unused, or stay 0 forever.

    Zeros hide the layers before them in the first step, and from each other forever.
    """
    learned, optimizer = set(), torch.optim.Adam(network.parameters(), 1e-3)
    parameters = {name: one for name, one in network.named_parameters() if one.requires_grad}
    for _ in range(6):
        optimizer.zero_grad()
        if (value := loss()).requires_grad:
            value.backward()
        grads = {name: one.grad for name, one in parameters.items() if one.grad is not None}
        learned |= {name for name, grad in grads.items() if grad.any()}
        optimizer.step()
    if not learned:
        return list(parameters)
    rest = [name for name in parameters if name not in learned]
    return [name for name in rest if parameters[name].grad is None or not parameters[name].any()]


@pytest.mark.parametrize("size", [(2, 16, 16), (2, 17, 23), (2, 40, 9), (1, 8, 12)])
def test_generator_upscales_images_of_any_size(mine, size):
    """Generator() maps (N, 3, h, w) to (N, 3, 4h, 4w), for any h and w from 8 on.

    Does each convolution keep the size? Is Generator the class, and not an object of it?
    """
    count, height, width = size
    sr = mine.Generator()(random_image(count, 3, height, width))
    assert sr.shape == (count, 3, 4 * height, 4 * width)
    assert sr.dtype == torch.float32


def test_generator_upscales_each_image_by_itself(mine):
    """In eval mode, an image has the same SR again, and in every batch.

    Is something random? Does a layer mix images, which are along dim=0? Is += in place?
    """
    network = moved(mine.Generator())
    lr = random_image(2, 3, 12, 15) * torch.tensor([0.3, 1.0]).view(2, 1, 1, 1)
    with torch.no_grad():
        sr, again, alone = network(lr), network(lr), network(lr[:1])
    assert ((again - sr).abs().max() / sr.std()).item() < 1e-4
    assert ((alone - sr[:1]).abs().max() / sr.std()).item() < 1e-4


def test_generator_can_learn_with_every_parameter(mine):
    """Every parameter can learn.

    These never change. Are they unused, or is a detach, a no_grad or a round() after them? Two
    layers that start with zeros and are multiplied hide their gradients from each other.
    """
    network, lr, hr = mine.Generator(), random_image(2, 3, 12, 15), random_image(2, 3, 48, 60)
    never_change = idle(network.train(), lambda: (network(lr) - hr).square().mean())
    assert never_change == []


def test_generator_keeps_pixels_at_their_place(mine):
    """If a square of LR changes, at least 60 % of the change in SR is near the same place.

    reshape and view count pixels row by row. Which operation moves channels next to a pixel?
    """
    network, lr = mine.Generator().eval(), torch.rand(1, 3, 48, 48)
    changed = lr.clone()
    changed[..., 28:36, 8:16] = torch.rand(3, 8, 8)
    with torch.no_grad():
        for weight in [one for one in network.parameters() if one.dim() > 1]:
            weight += torch.randn_like(weight) / weight[0].numel() ** 0.5
        change = (network(changed) - network(lr)).abs().sum((0, 1))
    assert not (change[80:176, :96].sum() / change.sum()).item() < 0.6  # with reshape 0.25


def test_generator_has_all_it_learns_in_its_state_dict(mine):
    """With the state_dict of the first, a second Generator computes the same.

    A module doesn't know layers in a Python list, or what forward puts into an attribute. Use
    nn.ModuleList, and register_buffer.
    """
    first, second, lr = moved(mine.Generator()), moved(mine.Generator()), torch.rand(2, 3, 12, 15)
    with torch.no_grad():
        for _ in range(5):
            first.train()(lr)  # which may change what the network remembers
        second.load_state_dict(first.eval().state_dict())
        difference = (first(lr) - second(lr)).abs().max().item()
    assert difference < 1e-4


# --- psnr ---------------------------------------------------------------------------------------


def test_psnr_is_that_of_each_image(mine):
    """It returns the PSNR of each image, a tensor (N,): errors of 0.1 and 0.01 have 20 and 40 dB.

    What are the mean of the squares and its logarithm? Which dimensions does the mean run over?
    """
    hr = torch.full((2, 3, 16, 16), 0.5)
    sr = hr + torch.tensor([0.1, 0.01]).view(2, 1, 1, 1)
    assert mine.psnr(sr, hr, 0).shape == (2,)
    first, second = mine.psnr(sr, hr, 0).tolist()
    assert first == pytest.approx(20, abs=1e-3)
    assert second == pytest.approx(40, abs=1e-3)


def test_psnr_has_the_peak_1(mine):
    """The peak is 1 for a dark image, too.

    The peak is the largest value that an image can have, and not HR's maximum.
    """
    hr = torch.full((1, 3, 16, 16), 0.2)
    assert mine.psnr(hr + 0.1, hr, 0).item() == pytest.approx(20, abs=1e-3)


def test_psnr_counts_all_channels(mine):
    """All channels count the same: an error of 0.1 in one of three has 24.77 dB.

    An MSE of 0.01 in one channel is 0.01 / 3 over all. Do you average decibels, or weight colors?
    """
    hr = torch.full((1, 3, 16, 16), 0.5)
    for channel in range(3):
        sr = hr.clone()
        sr[:, channel] += 0.1
        assert mine.psnr(sr, hr, 0).item() == pytest.approx(24.771, abs=1e-3)


def test_psnr_ignores_the_border(mine):
    """`crop` pixels at each border don't count, and the pixels next to them do.

    What does [4:-4] do, and [0:-0]?
    """
    sr = torch.full((1, 3, 20, 24), 0.5)
    hr = sr + 0.1
    hr[..., :4, :] = hr[..., -4:, :] = hr[..., :, :4] = hr[..., :, -4:] = 1
    assert mine.psnr(sr, hr, 4).item() == pytest.approx(20, abs=1e-3)
    assert mine.psnr(sr, hr, 3).item() < 19
    assert mine.psnr(sr, hr, 0).item() < 19


def test_psnr_rounds_nothing(mine):
    """Nothing is rounded, and there is no ceiling: an error of 1e-7 has 140 dB.

    Do you round to 8 bits, add something tiny to the MSE, or clamp it?
    """
    score = mine.psnr(torch.full((1, 3, 16, 16), 1e-7), torch.zeros(1, 3, 16, 16), 0)
    assert score.item() == pytest.approx(140, abs=0.01)


# --- validate -----------------------------------------------------------------------------------


class Fourfold(nn.Module):
    """Multiply by a weight, normalize and repeat pixels: a network whose mode and weights matter."""

    modes = []  # noqa: RUF012 - of the class, because `validate` may use a copy

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(0.7))
        self.norm = nn.BatchNorm2d(3)
        self.drop = nn.Dropout(0.5)

    def forward(self, lr):
        self.modes.append({layer.training for layer in self.modules()})
        sr = self.scale * self.drop(self.norm(lr)).repeat_interleave(4, 2).repeat_interleave(4, 3)
        return 0.5 + 0.1 * sr.tanh()  # inside [0, 1], so that a clamp changes nothing


def two_pairs():
    """Return two pairs whose scores differ by 0.8 dB, so that a test notices if one is left out."""
    random = torch.Generator().manual_seed(0)
    lr = [torch.rand(1, 3, side, side, generator=random) for side in (8, 12)]
    hr = [torch.rand(1, 3, side, side, generator=random) for side in (32, 48)]
    return [(lr[0], 0.5 * hr[0]), (lr[1], hr[1])]


def test_validate_is_the_mean_of_scores(mine):
    """The score is the mean of psnr(sr, hr, 4) over the pairs, in eval mode.

    With batch norm or dropout, a network computes something else in training mode. Nothing is
    rounded.
    """
    network = Fourfold().eval()
    with torch.no_grad():
        scores = [float(mine.psnr(network(lr), hr, 4)) for lr, hr in two_pairs()]
    score = float(mine.validate(network.train(), two_pairs()))
    assert score == pytest.approx(sum(scores) / 2, abs=1e-3)


def test_validate_counts_photos_equally(mine):
    """Each photo counts the same: the mean is one of decibels, not of errors.

    A mean of squared errors is nearly that of the hardest photo alone. Which mean do you take?
    """
    easy, hard = torch.full((1, 3, 32, 32), 0.51), torch.full((1, 3, 32, 32), 0.9)
    network, gray = nn.Upsample(scale_factor=4), torch.full((1, 3, 8, 8), 0.5)
    score = float(mine.validate(network, [(gray, easy), (gray, hard)]))
    assert score == pytest.approx((40 - 20 * math.log10(0.4)) / 2, abs=0.01)


def test_validate_returns_a_number_without_graph(mine):
    """It returns a number without a graph.

    A score with its graph keeps the network's activations in memory. Which block builds no graphs?
    """
    result = mine.validate(Fourfold(), two_pairs())
    assert float(result) > 0
    assert not getattr(result, "requires_grad", False)


@pytest.mark.parametrize("training", [True, False])
def test_validate_scores_in_eval_mode_and_restores_all_modes(mine, training):
    """The network runs in eval mode, and each of its layers has its mode back afterward.

    Remember generator.training, and restore it with train(mode). Does your way reach every layer?
    """
    network = Fourfold().train(training)
    Fourfold.modes.clear()
    mine.validate(network, two_pairs())
    assert Fourfold.modes == [{False}, {False}]
    assert {layer.training for layer in network.modules()} == {training}


def test_validate_leaves_no_trace(mine):
    """It leaves no trace: weights, statistics, gradients, requires_grad and random numbers are as
    before.

    Gradients belong to the training step. Do you clear some, freeze a weight, set a seed, or
    forbid graphs for good?
    """
    network = Fourfold()
    network.norm.requires_grad_(False)
    network.scale.grad = torch.tensor(7.0)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    random = torch.get_rng_state()
    mine.validate(network, two_pairs())
    assert torch.equal(torch.get_rng_state(), random)
    assert network.scale.grad == 7
    assert network.scale.requires_grad
    assert not network.norm.weight.requires_grad
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert torch.is_grad_enabled()


# --- train_step ---------------------------------------------------------------------------------


class Tiny(nn.Module):
    """A network of one layer, which writes down its modes."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Sequential(nn.Conv2d(3, 48, 1), nn.PixelShuffle(4))
        self.modes = []

    def forward(self, lr):
        self.modes.append(self.training)
        return self.layer(lr)


class Color(nn.Module):
    """A network that ignores the image: SR has one color, its bias."""

    def __init__(self):
        super().__init__()
        self.bias = nn.Parameter(torch.tensor([-0.2, 0.5, 1.2]).view(3, 1, 1))

    def forward(self, lr):
        return self.bias.expand(len(lr), 3, 32, 32).contiguous()


def one_step(mine, rate):
    """Return the network, the loss, and the number of optimizer steps of a call."""
    network, hr, steps = Tiny(), random_image(4, 3, 32, 32), []
    optimizer = torch.optim.SGD(network.parameters(), rate)
    optimizer.register_step_post_hook(lambda *_: steps.append(1))
    loss = mine.train_step(network, optimizer, downscaled(hr), hr)
    return network, loss, len(steps)


def test_train_step_takes_one_step_in_training_mode(mine):
    """A call takes one step of the optimizer, with the network in training mode.

    Clear the gradients, call backward, then step, once each. Only validation needs eval mode.
    """
    network, _, steps = one_step(mine, rate=0.1)
    assert steps == 1
    assert all(network.modes)
    assert network.training


def test_train_step_returns_the_loss_from_before_the_update(mine):
    """It returns the loss from before the update, so the learning rate doesn't change it.

    Return the number that backward started from.
    """
    losses = []
    for rate in (0.0, 0.1):
        torch.manual_seed(0)
        losses.append(float(one_step(mine, rate)[1]))
    assert losses[1] == pytest.approx(losses[0], rel=1e-4)


def test_train_step_returns_a_number_without_graph(mine):
    """The loss is a number without a graph.

    A graph keeps everything in memory that the loss was computed from. What does item() return?
    """
    _, loss, _ = one_step(mine, rate=0.1)
    assert not getattr(loss, "requires_grad", False)


def test_train_step_trains_a_bias_to_the_color_of_hr(mine):
    """Trained on HR that is 0.3 everywhere, a network that is only a bias ends at 0.3.

    The bias starts at -0.2, 0.5 and 1.2. Is the loss smallest where SR equals HR, pixel by pixel?
    Does a clamp or a detach stop the gradient? backward adds to .grad: when do you clear it?
    """
    network, lr, hr = Color(), torch.rand(4, 3, 8, 8), torch.full((4, 3, 32, 32), 0.3)
    optimizer = torch.optim.Adam(network.parameters(), betas=(0.9, 0.99), eps=1e-6)
    for step in range(300):
        optimizer.param_groups[0]["lr"] = 0.05 * (1 - step / 300) ** 2
        mine.train_step(network, optimizer, lr, hr)
    red, green, blue = network.bias.flatten().tolist()
    assert red == pytest.approx(0.3, abs=1e-3)
    assert green == pytest.approx(0.3, abs=1e-3)
    assert blue == pytest.approx(0.3, abs=1e-3)


# --- fit ----------------------------------------------------------------------------------------


class Notes:
    """A checkpoint that writes down what is called; `done` steps were taken before."""

    def __init__(self, done=0):
        self.done, self.calls = done, []

    def load(self):
        self.calls.append("load")
        return self.done

    def save(self, done):
        self.calls.append(f"save {done}")


def run(mine, checkpoint=None, stop=None, interrupted=None):
    """Call fit for 10 steps in all; return its result, and the results of the steps."""
    taken = []

    def step():
        if len(taken) + 1 == interrupted:
            raise KeyboardInterrupt
        taken.append(10.0 * len(taken))
        if checkpoint:
            checkpoint.calls.append("step")
        return taken[-1]

    try:
        return mine.fit(step, 10, checkpoint=checkpoint, stop=stop), taken
    except KeyboardInterrupt:
        return "interrupted", taken


def test_fit_returns_the_results_of_its_steps(mine):
    """It calls step() until `iters` steps are done, and returns a list of what step returned.

    There may be no checkpoint. Where do you collect the results?
    """
    result, taken = run(mine)
    assert len(taken) == 10
    assert result == taken


@pytest.mark.parametrize(("stop", "steps"), [(4, 4), (0, 0), (20, 10)])
def test_fit_stops_early(mine, stop, steps):
    """`stop` ends the call early. It may be 0, or larger than `iters`.

    Is 0 the same as None for `or` and `if`?
    """
    _, taken = run(mine, stop=stop)
    assert len(taken) == steps


@pytest.mark.parametrize(("stop", "steps"), [(None, 3), (8, 1)])
def test_fit_counts_the_steps_of_earlier_calls(mine, stop, steps):
    """`iters` and `stop` count all steps, also those that load() returns: here 7.

    With 7 done, a `stop` of 8 leaves one step. Which number do you compare with `stop`, and when do
    you call load()?
    """
    notes = Notes(done=7)
    _, taken = run(mine, notes, stop)
    assert len(taken) == steps
    assert notes.calls[0] == "load"
    assert notes.calls.count("load") == 1


@pytest.mark.parametrize(("done", "stop", "last"), [(7, None, 10), (7, 8, 8), (10, None, 10)])
def test_fit_ends_with_save(mine, done, stop, last):
    """Every call ends with save(), with the number of all steps, also if no step is left.

    Which number does save() get, and is it called after a stop, too?
    """
    notes = Notes(done)
    run(mine, notes, stop)
    assert notes.calls[-1] == f"save {last}"


def test_fit_saves_if_it_is_interrupted(mine):
    """The stop button raises KeyboardInterrupt in a step: the steps that are complete are saved,
    and the exception passes on.

    In `finally`, or with `raise` after saving. Does the interrupted step count?
    """
    notes = Notes(done=2)
    result, taken = run(mine, notes, interrupted=4)
    assert len(taken) == 3
    assert notes.calls[-1] == "save 5"
    assert result == "interrupted"


# --- train --------------------------------------------------------------------------------------


def shapes(first=0):
    """Return four gray photos of dark and bright shapes, which a network learns quickly."""
    photos = {}
    for k in range(first, first + 4):
        spots = F.interpolate(
            random_image(1, 1, 20, 16 + k, seed=k), scale_factor=16, mode="bicubic"
        )
        photos[f"{k}.png"] = (0.2 + 0.6 * (spots > 0.5).float())[0].expand(3, -1, -1)
    return photos


def train(mine, photos, iters, seed=0, process=1):
    """Train as in a new process, whose random numbers begin differently."""
    torch.manual_seed(process)
    generator, losses = mine.train(photos, iters, seed)
    return generator, [float(loss) for loss in losses]


def test_training_returns_the_network_and_its_losses(mine):
    """It returns the network and a list of the loss of each step, all finite.

    Return what `fit` returns. If a loss isn't finite, lower the learning rate.
    """
    generator, losses = train(mine, shapes(), 6)
    assert isinstance(generator, nn.Module)
    assert len(losses) == 6
    assert all(map(math.isfinite, losses)), losses


def test_training_repeats_with_the_same_seed(mine):
    """The same seed gives the same run, whatever the random numbers were before.

    Seed PyTorch before you create the network. Does the torch.Generator of the pairs get the seed?
    """
    _, first = train(mine, shapes(), 2, process=1)
    _, again = train(mine, shapes(), 2, process=2)
    assert again == pytest.approx(first, rel=1e-6)


def test_training_draws_a_new_batch_in_each_step(mine):
    """Each step gets a new batch.

    Create the torch.Generator once, before the first step.
    """
    batches = set()

    def note(network, inputs):
        if type(network).__name__ == type(mine.Generator()).__name__:
            batches.add(inputs[0].double().sum().item())

    hook = register_module_forward_pre_hook(note)
    try:
        train(mine, shapes(), 6)
    finally:
        hook.remove()
    assert len(batches) >= 6


def test_training_learns_from_the_photos_of_the_argument(mine):
    """Other photos give another loss: training uses those that it gets, and no others.

    Does it look photos up in a global variable? They may be held out.
    """
    _, [first] = train(mine, shapes(), 1)
    _, [other] = train(mine, {name: (1 + photo) / 4 for name, photo in shapes().items()}, 1)
    assert other != pytest.approx(first, rel=1e-6)


def test_training_improves_the_network(mine):
    """After 24 steps, the error of the network that you return is smaller than after 2.

    Does the optimizer have its parameters? In which order are zero_grad, backward and step? Is the
    learning rate very low?
    """
    hr = torch.stack([photo[:, :192, :192] for photo in shapes().values()])
    errors = []
    for iters in (2, 24):
        generator, _ = train(mine, shapes(), iters)
        with torch.no_grad():
            errors.append((generator.eval()(downscaled(hr)) - hr).abs().mean().item())
    assert errors[1] < (1 - 1e-4) * errors[0]


def test_training_leaves_all_in_the_weights(mine, mine_again):
    """In a new process, a new Generator with the weights computes the same SR.

    Does training set a global variable, or an attribute? A new process has that of the file.
    """
    generator, _ = train(mine, shapes(), 2)
    there, lr = mine_again.Generator(), random_image(2, 3, 16, 20)
    if {name: one.shape for name, one in generator.state_dict().items()} != {
        name: one.shape for name, one in there.state_dict().items()
    }:
        pytest.skip("the network isn't that of Generator()")
    there.load_state_dict(moved(generator).state_dict())
    with torch.no_grad():
        here = generator(lr)
        difference = ((here - there.eval()(lr)).abs().max() / here.std()).item()
    assert difference < 1e-4


# --- The program --------------------------------------------------------------------------------

WITHOUT_SRLAB = """
import runpy, sys
sys.modules["srlab"] = sys.modules["srlab_course"] = sys.modules["spandrel"] = None
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def test_program_upscales_a_photo(mine, tmp_path):
    """`python mine.py photo.jpg` needs no srlab. It writes a PNG next to the photo, with what the
    weights in network.pt make of it, clamped.

    Does the file end with `if __name__ == "__main__":`? network.pt is in Path(__file__).parent.
    Remember eval mode, and clamp before you convert to 8 bits.
    """
    home, photos, elsewhere = (tmp_path / name for name in ("home", "photos", "elsewhere"))
    for folder in (home, photos, elsewhere):
        folder.mkdir()
    program, photo = home / "mine.py", photos / "photo.jpg"
    program.write_bytes(Path(mine.__file__).read_bytes())
    network = moved(mine.Generator())  # other weights than any new network
    torch.save(network.state_dict(), home / "network.pt")
    pixels = (255 * random_image(45, 38, 3)).byte()  # black to white, so that SR leaves [0, 1]
    Image.fromarray(pixels.numpy()).save(photo, quality=95)
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_SRLAB, program, photo],
        cwd=elsewhere,
        env=os.environ | {"PYTHONUTF8": "1", "PYTHONHASHSEED": "84"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        timeout=600,
    )
    message = (done.stderr.strip().splitlines() or ["no error"])[-1]
    assert done.returncode == 0, message
    written = [file for file in photos.iterdir() if file != photo]
    assert [file.suffix.lower() for file in written] == [".png"]
    sr, lr = (
        torch.frombuffer(bytearray(image.convert("RGB").tobytes()), dtype=torch.uint8)
        .view(image.height, image.width, 3)
        .permute(2, 0, 1)
        / 255
        for image in (Image.open(written[0]), Image.open(photo))
    )
    with torch.no_grad():
        wanted = network(lr[None])[0].clamp(0, 1)
    assert sr.shape == wanted.shape
    assert (sr - wanted).abs().mean().item() < 0.02
    assert (sr - wanted).abs().max().item() < 0.5  # a value that wraps around is 1 off
