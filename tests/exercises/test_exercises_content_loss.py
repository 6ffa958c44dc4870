"""The exercises of lab 02: each takes its reference, waits for an untouched stub, and knows what people write."""

import itertools

import pytest
import torch
import torch.nn as nn
import torch.nn.functional as F
from torchvision.transforms import Normalize

from srlab.base.errors import SrlabError
from srlab.exercises import check, find, names
from srlab.models import features

from .answers import assert_recognised, assert_taken

NAMES = [name for name in names() if name.startswith("content_loss.")]
CUT, FREEZE, NORMAL, LOSS, BLOCKS, BALANCE = (
    f"content_loss.{name}" for name in ("vgg_cut", "freeze", "to_imagenet", "content_loss", "resnet_blocks", "balance")
)


# --- Where VGG is cut -----------------------------------------------------------------------------------------


def cut(shift=0, first=1, conv_first=1, restart=True, kind=None):
    """Count through the list, with what goes wrong in it."""

    def vgg_cut(kinds, stage, conv, after):
        at_stage, at_conv = first, conv_first - 1
        for place, layer in enumerate(kinds):
            if layer == "pool":
                at_stage += 1
                at_conv = conv_first - 1 if restart else at_conv
            at_conv += layer == "conv"
            wanted = layer == (kind or ("relu" if after else "conv"))
            if wanted and (at_stage == stage or not restart) and at_conv == conv:
                return place + 1 + shift

    return vgg_cut


def cut_from_the_end(kinds, stage, conv, after, more=1):
    """As the content-loss study does it."""
    pools, found = 1, []
    for place, kind in enumerate(kinds):
        if kind == "pool":
            if pools == stage:
                break
            pools += 1
        elif kind == "conv":
            found.append(place + 1)
    return found[-(conv + more)]


def cut_by_stage_end(kinds, stage, conv, after):
    pools = [place for place, kind in enumerate(kinds) if kind == "pool"]
    return pools[stage - 1] + 1


def cut_in_place(kinds, stage, conv, after):
    for _ in range(stage - 1):
        while kinds.pop(0) != "pool":
            pass
    return 0


def cut_convs_only(kinds, stage, conv, after):
    starts = [i for i, kind in enumerate(kinds) if kind == "pool"]
    return kinds[: starts[stage - 2] if stage > 1 else 0].count("conv") + conv


def cut_of_vgg19(kinds, stage, conv, after):
    return cut()(["conv", "relu"] * 2 + ["pool"] + ["conv", "relu"] * 2 + ["pool"] + DEEP, stage, conv, after)


DEEP = (["conv", "relu"] * 4 + ["pool"]) * 3


def cut_by_pools(kinds, stage, conv, after):
    pools = [-1, *(place for place, kind in enumerate(kinds) if kind == "pool")]
    return pools[stage - 1] + 1 + 2 * conv - (not after)


def cut_by_names(kinds, stage, conv, after):
    stages = "".join(kind[0] for kind in kinds).split("p")
    return sum(len(layers) + 1 for layers in stages[: stage - 1]) + 2 * conv - 1 + int(after)


# --- Freezing -------------------------------------------------------------------------------------------------


def freezing(how, mode=nn.Module.eval):
    def freeze(network):
        how(network)
        return mode(network)

    return freeze


def set_on_modules(network):
    for module in network.modules():
        module.requires_grad = False


def set_on_children(network):
    for module in network.children():
        module.requires_grad = False


def only_the_top(network):
    for module in network.children():
        for parameter in module.parameters(recurse=False):
            parameter.requires_grad = False


def only_the_first(network):
    next(network.parameters()).requires_grad = False


def only_weights(network):
    for name, parameter in network.named_parameters():
        parameter.requires_grad = "weight" not in name


def assigned(network):
    network.requires_grad_ = False


def assigned_to_parameters(network):
    for parameter in network.parameters():
        parameter.requires_grad_ = False


def all_parameters(network):
    for parameter in network.parameters():
        parameter.requires_grad = False


def same(network):
    return network


def children_eval(network):
    for module in network.children():
        module.eval()
    return network


class WithoutGraph(nn.Module):
    def __init__(self, network):
        super().__init__()
        self.network = network

    def forward(self, image):
        with torch.no_grad():
            return self.network(image)


def freeze_in_no_grad(network):
    return WithoutGraph(network.eval().requires_grad_(False)).eval()


def freeze_forward(network):
    network.eval().requires_grad_(False)
    network.forward = torch.no_grad()(network.forward)
    return network


def freeze_globally(network):
    torch.set_grad_enabled(False)
    return network.eval()


def freeze_to_zero(network):
    for parameter in network.parameters():
        parameter.requires_grad = False
        parameter.zero_()
    return network.eval()


def freeze_detached(network):
    for parameter in network.parameters():
        parameter.detach_()
    return network.train(False)


# --- Normalising ------------------------------------------------------------------------------------------------

MEAN, STD = (torch.tensor(values).view(3, 1, 1) for values in (features.MEAN, features.STD))


def own(*dims):
    return lambda x: (x - x.mean(dims, keepdim=True)) / x.std(dims, keepdim=True)


def normalize_in_place(image):
    image -= MEAN
    image /= STD
    return image


def normalize_channels(image):
    planes = [(image[:, i] - features.MEAN[i]) / features.STD[i] for i in range(3)]
    return torch.stack(planes, dim=1)


# --- The loss on features ---------------------------------------------------------------------------------------


def loss(measure, on_hr=torch.no_grad):
    def content_loss(extract, sr, hr):
        with on_hr():
            wanted = extract(hr)
        return measure(extract(sr) - wanted)

    return content_loss


def mean_square(difference):
    return difference.square().mean()


def loss_without_graph(extract, sr, hr):
    with torch.no_grad():
        return F.mse_loss(extract(sr), extract(hr))


def loss_turned(extract, sr, hr):
    with torch.no_grad():
        seen = extract(sr)
    return F.mse_loss(seen, extract(hr))


def loss_in_one_batch(extract, sr, hr):
    found, wanted = extract(torch.cat([sr, hr.detach()])).chunk(2)
    return F.mse_loss(found, wanted)


def half_detached(extract, sr, hr):
    with torch.no_grad():
        a = extract(sr)
    return F.mse_loss(a + 0 * extract(sr), extract(hr).detach())


# --- ResNet blocks ----------------------------------------------------------------------------------------------


def flat(stages):
    return list(itertools.chain.from_iterable(stages))


def blocks_of_the_study(stages, count):
    blocks = []
    for counted, stage in enumerate(stages[1:], start=1):
        for block in stage:
            blocks.append(block)
        if counted > count:
            break
    return blocks


def blocks_by_whole_stages(stages, count):
    blocks = []
    for stage in stages:
        for block in stage:
            blocks.append(block)
        if len(blocks) >= count:
            break
    return blocks


def blocks_too_late(stages, count):
    blocks = []
    for block in flat(stages):
        blocks.append(block)
        if len(blocks) > count:
            break
    return blocks


def blocks_popped(stages, count):
    return [next(stage for stage in stages if stage).pop(0) for _ in range(count)]


def blocks_of_resnet34(stages, count):
    """Right for stages of 3, 4, 6 and 3 blocks, and takes one block too few from the second stage of any other."""
    sizes = [len(stage) for stage in stages]
    sizes[1] -= sizes != [3, 4, 6, 3]
    return [block for stage, size in zip(stages, sizes, strict=True) for block in stage[:size]][:count]


def blocks_in_loops(stages, count):
    blocks = []
    for stage in stages:
        for block in stage:
            if len(blocks) < count:
                blocks.append(block)
    return blocks


# --- Weights of a hybrid ----------------------------------------------------------------------------------------


def weighed(weigh, size=torch.norm):
    """A weight made of the sizes of both gradients and the share."""

    def balance(pixel, content, sr, share):
        a, b = (size(torch.autograd.grad(loss, sr, retain_graph=True)[0]) for loss in (pixel, content))
        return weigh(a, b, share)

    return balance


def odds(a, b, share):
    return share / (1 - share) * a / b


def balance_backward(pixel, content, sr, share):
    pixel.backward(retain_graph=True)
    a = sr.grad.norm()
    content.backward(retain_graph=True)
    return share / (1 - share) * a / sr.grad.norm()


def balance_without_graph(pixel, content, sr, share):
    a, b = (torch.autograd.grad(loss, sr)[0].norm() for loss in (pixel, content))
    return odds(a, b, share)


def balance_cleaning_up(pixel, content, sr, share):
    norms = []
    for loss in (pixel, content):
        loss.backward(retain_graph=True)
        norms.append(sr.grad.square().sum().sqrt())
        sr.grad = None
    return odds(*norms, share).item()


WRONG = [
    (CUT, "counted from the end", cut_from_the_end),
    (CUT, "counted from the end", lambda *a: cut_from_the_end(*a, more=0)),
    (CUT, "ends with conv4_4, and conv5_4 was asked for", cut_from_the_end),
    (CUT, "one too small", cut(shift=-1)),
    (CUT, "ends with relu5_4, and conv5_4", cut(shift=1)),
    (CUT, "behind the ReLU, but `after` is False", cut(kind="relu")),
    (CUT, "before the ReLU, but `after` asks", cut(kind="conv")),
    (CUT, "ends with conv4_4, and conv5_4 was asked for. The cut falls in the stage before", cut(first=2)),
    (CUT, "The pool at the end of the stage", cut_by_stage_end),
    (CUT, "through the whole network", cut(restart=False)),
    (CUT, "Only convolutions were counted", cut_convs_only),
    (CUT, "the convolution before it", cut(conv_first=2)),
    (CUT, "never comes to conv5_4", cut(first=0)),
    (CUT, "never comes to conv5_4", cut(conv_first=0)),
    (CUT, "changed in place", cut_in_place),
    (CUT, "place in VGG19", cut_of_vgg19),
    (CUT, "is a float", lambda *question: float(cut()(*question))),
    (FREEZE, "set on a module", freezing(set_on_modules)),
    (FREEZE, "set on a module", freezing(set_on_children)),
    (FREEZE, "module within a module", freezing(only_the_top)),
    (FREEZE, "5 of 6 parameters still take", freezing(only_the_first)),
    (FREEZE, "A bias is a parameter", freezing(only_weights)),
    (FREEZE, "is called, and not assigned", freezing(assigned)),
    (FREEZE, "is called, and not assigned", freezing(assigned_to_parameters)),
    (FREEZE, "eval() switches batch norm and dropout, and no more", freezing(same)),
    (FREEZE, "All 6 parameters still take", same),
    (FREEZE, "still in training mode", freezing(all_parameters, same)),
    (FREEZE, "Still in training mode: the network as a whole", freezing(all_parameters, children_eval)),
    (FREEZE, "No gradient comes back", freeze_in_no_grad),
    (FREEZE, "No gradient comes back", freeze_forward),
    (FREEZE, "Gradients are now off", freeze_globally),
    (FREEZE, "says something else", freeze_to_zero),
    (FREEZE, "The result is None", lambda network: None),
    (FREEZE, "should be the network", lambda network: network.state_dict()),
    (NORMAL, "came back as it was", lambda x: x),
    (NORMAL, "[-1, 1], as other networks", lambda x: x * 2 - 1),
    (NORMAL, "[-1, 1], as other networks", Normalize([0.5] * 3, [0.5] * 3)),
    (NORMAL, "have changed places", Normalize(features.STD, features.MEAN)),
    (NORMAL, "multiplied by", lambda x: (x - MEAN) * STD),
    (NORMAL, "its own mean", own(1, 2, 3)),
    (NORMAL, "its own mean", own(2, 3)),
    (NORMAL, "its own mean", lambda x: F.instance_norm(x, eps=0)),
    (NORMAL, "against the columns", lambda x: (x - MEAN.flatten()) / STD.flatten()),
    (NORMAL, "against the rows", lambda x: (x - MEAN[..., 0]) / STD[..., 0]),
    (NORMAL, "against the images of a batch", lambda x: (x - MEAN[:, None]) / STD[:, None]),
    (LOSS, "by the size of one picture's maps", lambda e, sr, hr: F.mse_loss(e(sr), e(hr).detach()) * len(sr)),
    (NORMAL, "changed in place", normalize_in_place),
    (NORMAL, "changed in place", Normalize(features.MEAN, features.STD, inplace=True)),
    (NORMAL, "Levels of 0 to 255", lambda x: (x * 255 - MEAN) / STD),
    (NORMAL, "Levels of 0 to 255", lambda x: (x - 255 * MEAN) / (255 * STD)),
    (NORMAL, "Red and blue", lambda x: (x.flip(1) - MEAN) / STD),
    (NORMAL, "Red and blue", Normalize(features.MEAN[::-1], features.STD[::-1])),
    (NORMAL, "the way back", lambda x: x * STD + MEAN),
    (NORMAL, "What is left to do", lambda x: x - MEAN),
    (NORMAL, "divided first", lambda x: x / STD - MEAN),
    (NORMAL, "CIFAR-10", Normalize((0.4914, 0.4822, 0.4465), (0.2023, 0.1994, 0.2010))),
    (NORMAL, "cut off at 0 and 1", lambda x: ((x - MEAN) / STD).clamp(0, 1)),
    (NORMAL, "RuntimeError", lambda x: (x - MEAN.expand(3, 3, 3, 3)) / STD),
    (NORMAL, "has no graph", lambda x: normalize_channels(x.detach())),
    (LOSS, "were added up, so a larger patch", loss(lambda d: d.square().sum())),
    (LOSS, "averaged over the pixels", loss(lambda d: d.square().sum(1).mean())),
    (LOSS, "a root of squares", loss(torch.norm)),
    (LOSS, "a root of squares", loss(lambda d: d.square().mean().sqrt())),
    (LOSS, "pixel by pixel", lambda extract, sr, hr: F.mse_loss(sr, hr)),
    (LOSS, "absolute differences, as in ESRGAN", loss(lambda d: d.abs().mean())),
    (LOSS, "signs cancel", loss(torch.mean)),
    (LOSS, "before they were compared", loss(lambda d: d.mean((2, 3)).square().mean())),
    (LOSS, "features of the difference", lambda extract, sr, hr: extract(sr - hr).square().mean()),
    (LOSS, "The sign", loss(lambda d: -d.square().mean())),
    (LOSS, "half of what", loss(lambda d: d.square().mean() / 2)),
    (LOSS, "A loss is one number", loss(torch.square)),
    (LOSS, "No graph leads", loss_without_graph),
    (LOSS, "No graph leads", lambda extract, sr, hr: F.mse_loss(extract(sr.detach()), extract(hr))),
    (LOSS, "No graph leads", lambda extract, sr, hr: F.mse_loss(extract(sr), extract(hr)).item()),
    (LOSS, "No graph leads", loss_turned),
    (LOSS, "also flows to HR", lambda extract, sr, hr: F.mse_loss(extract(sr), extract(hr))),
    (LOSS, "The gradient at SR", half_detached),
    (BLOCKS, "counts whole stages", lambda stages, count: flat(stages[:count])),
    (BLOCKS, "block 3' and 'block 5' were the same", blocks_of_the_study),
    (BLOCKS, "block 3' and 'block 5' were the same", lambda stages, count: flat(stages[1 : count + 1])),
    (BLOCKS, "start at the second stage", lambda stages, count: flat(stages[1:])[:count]),
    (BLOCKS, "missing at the end", lambda stages, count: flat(stages)[: count - 1]),
    (BLOCKS, "one block more", blocks_too_late),
    (BLOCKS, "first block is missing", lambda stages, count: flat(stages)[1 : count + 1]),
    (BLOCKS, "of each stage", lambda stages, count: [block for stage in stages for block in stage[:count]]),
    (BLOCKS, "a list of lists", lambda stages, count: stages[:count]),
    (BLOCKS, "Only the first stage", lambda stages, count: stages[0][:count]),
    (BLOCKS, "taken to its end", blocks_by_whole_stages),
    (BLOCKS, "the last blocks", lambda stages, count: flat(stages)[-count:]),
    (BLOCKS, "opposite order", lambda stages, count: flat(stages)[count - 1 :: -1]),
    (BLOCKS, "single one, block 2 of stage 1", lambda stages, count: flat(stages)[count - 1]),
    (BLOCKS, "changed in place", blocks_popped),
    (BLOCKS, "With count=16 the result has 13 blocks.", lambda stages, count: flat(stages[:3])[:count]),
    (BLOCKS, "should be block 2 of stage 2, but there is block 1 of stage 3", blocks_of_resnet34),
    (BALANCE, "ratio of the losses themselves", lambda pixel, content, sr, share: odds(pixel, content, share)),
    (BALANCE, "ratio of the losses, upside down", lambda pixel, content, sr, share: odds(content, pixel, share)),
    (BALANCE, "harder a loss pulls by itself", weighed(lambda a, b, share: odds(b, a, share))),
    (BALANCE, "no weight yet", weighed(lambda a, b, share: a / (a + b))),
    (BALANCE, "another size than their norm", weighed(odds, lambda g: g.abs().sum())),
    (BALANCE, "another size than their norm", weighed(odds, lambda g: g.abs().max())),
    (BALANCE, "another size than their norm", weighed(odds, lambda g: g.square().sum())),
    (BALANCE, "signs cancel", weighed(odds, torch.mean)),
    (BALANCE, "Nothing was weighed", weighed(lambda a, b, share: share / (1 - share))),
    (BALANCE, "The share itself", lambda pixel, content, sr, share: share),
    (BALANCE, "Where does `share` come in", weighed(lambda a, b, share: a / b)),
    (BALANCE, "as a factor", weighed(lambda a, b, share: 2 * share * a / b)),
    (BALANCE, "have changed places", weighed(lambda a, b, share: (1 - share) / share * a / b)),
    (BALANCE, "Two values came back", weighed(lambda a, b, share: (1.0, odds(a, b, share)))),
    (BALANCE, "SR has a gradient now", balance_backward),
    (BALANCE, "the graph is gone", balance_without_graph),
]


RIGHT = [
    (CUT, cut()),
    (CUT, cut_by_pools),
    (CUT, cut_by_names),
    (FREEZE, freezing(all_parameters)),
    (FREEZE, freeze_detached),
    (NORMAL, Normalize(features.MEAN, features.STD)),
    (NORMAL, normalize_channels),
    (NORMAL, lambda x: (x * 255 - 255 * MEAN) / (255 * STD)),
    (LOSS, lambda extract, sr, hr: F.mse_loss(extract(sr), extract(hr).detach())),
    (LOSS, lambda extract, sr, hr: (extract(hr.detach()) - extract(sr)).pow(2).mean()),
    (LOSS, loss_in_one_batch),
    (LOSS, loss(mean_square)),
    (BALANCE, weighed(odds)),
    (BALANCE, balance_cleaning_up),
    (BLOCKS, blocks_in_loops),
    (BLOCKS, lambda stages, count: list(itertools.islice(itertools.chain(*stages), count))),
    (BLOCKS, lambda stages, count: nn.Sequential(*flat(stages))[:count]),
]


@pytest.mark.parametrize(("name", "phrase", "answer"), WRONG, ids=[f"{name}-{phrase}" for name, phrase, _ in WRONG])
def test_a_wrong_answer_is_recognised(name, phrase, answer, capsys):
    assert_recognised(name, phrase, answer, capsys)


@pytest.mark.parametrize(("name", "answer"), RIGHT)
def test_another_right_answer_is_taken(name, answer, capsys):
    assert_taken(name, answer, capsys)


def test_every_exercise_has_wrong_and_right_answers_enough():
    assert len(NAMES) == 6
    assert all(sum(name == wrong for wrong, _, _ in WRONG) >= 5 for name in NAMES)
    assert all(sum(name == right for right, _ in RIGHT) >= 2 for name in NAMES)


def test_gradients_are_on_again_after_an_answer_that_turns_them_off():
    check(FREEZE, freeze_globally)
    assert torch.is_grad_enabled()


# --- The references against the package -------------------------------------------------------------------------


@pytest.mark.parametrize("network", ["vgg16", "vgg19"])
def test_the_cut_is_where_the_package_has_its_layers(network):
    layers = features.layer_names(network)
    kinds = [name.rstrip("_0123456789") for name in layers]
    for place, name in enumerate(layers, start=1):
        if not name.startswith("pool"):
            stage, conv = (int(number) for number in name[4:].split("_"))
            assert find(CUT).reference(kinds, stage, conv, name.startswith("relu")) == place


def test_the_cut_of_a_layer_that_is_not_there_is_refused():
    with pytest.raises(SrlabError, match="conv1_2"):
        find(CUT).reference(["conv", "relu", "pool"], 1, 2, False)


def test_the_references_are_the_content_loss_of_the_package():
    from srlab.losses import content_loss

    sr, hr = torch.rand(2, 2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    seen = features.FeatureExtractor("vgg16 conv2_2", backbone="random")
    plain = features.FeatureExtractor("vgg16 conv2_2", backbone="random", normalize=False)
    normalize = find(NORMAL).reference
    wanted = content_loss(seen, sr, hr)
    found = find(LOSS).reference(lambda image: plain(normalize(image))["conv2_2"], sr, hr)
    assert torch.allclose(found, wanted)
