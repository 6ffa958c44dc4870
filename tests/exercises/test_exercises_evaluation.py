"""The exercises of lab 05: each takes its reference, waits for an untouched stub, and knows what people write."""

import math
import statistics
from functools import partial

import pytest
import torch
import torch.nn as nn
import torch.nn.functional as F

import srlab
from srlab.data.images import luma, quantize
from srlab.evaluation import perception
from srlab.exercises import _energy, _gain, check, evaluation, find, names

from .answers import apart, assert_recognised, assert_taken, said

NAMES = [name for name in names() if name.startswith("evaluation.")]


# --- PSNR: what people write ----------------------------------------------------------------------------------

CORE = (..., slice(4, -4), slice(4, -4))


def decibels(error):
    return -10 * error.square().mean().log10()


def paper(prepare=quantize, plane=luma, crop=CORE, finish=decibels):
    def paper_psnr(sr, hr):
        sr, hr = (plane(prepare(image))[crop] for image in (sr, hr))
        return finish(sr - hr)

    return paper_psnr


def full_range(rgb):
    return 0.299 * rgb[:, :1] + 0.587 * rgb[:, 1:2] + 0.114 * rgb[:, 2:]


def truncated(image):
    return (image * 255).to(torch.uint8).float() / 255


def psnr_with_peak_of_hr(sr, hr):
    mse = (luma(quantize(sr)) - luma(quantize(hr)))[CORE].square().mean()
    return 10 * (hr.max() ** 2 / mse).log10()


def psnr_with_peak_of_luma(sr, hr):
    sr, hr = (luma(quantize(image))[CORE] for image in (sr, hr))
    return 20 * (hr.max() / (sr - hr).square().mean().sqrt()).log10()


def psnr_of_channels(sr, hr):
    error = (quantize(sr) - quantize(hr))[CORE]
    return (-10 * error.square().mean((2, 3)).log10()).mean()


def psnr_rounding_one(of_sr, of_hr):
    return lambda sr, hr: decibels((luma(of_sr(sr)) - luma(of_hr(hr)))[CORE])


def added(small):
    return paper(finish=lambda e: -10 * (e.square().mean() + small).log10())


def psnr_in_place(sr, hr):
    for image in (sr, hr):
        image.mul_(255).round_().div_(255)
    return paper()(sr, hr)


# --- Tiles ----------------------------------------------------------------------------------------------------


def tiles(height, width, tile):
    for top in range(0, height, tile):
        for left in range(0, width, tile):
            yield top, left, min(top + tile, height), min(left + tile, width)


def tiled(window=None, cut=None, place=None, step=None, canvas=None):
    """A tiler of which one part is replaced.

    window: what the upscaler gets; cut: where the tile begins in what comes back; place: where it goes.
    """

    def upscale_tiled(upscaler, lr, scale, tile, overlap):
        h, w = lr.shape[-2:]
        sr = (canvas or torch.zeros)(1, 3, h * scale, w * scale)
        for top, left, bottom, right in tiles(h, w, tile):
            y0, x0 = max(top - overlap, 0), max(left - overlap, 0)
            y1, x1 = min(bottom + overlap, h), min(right + overlap, w)
            y0, x0, y1, x1 = window(top, left, bottom, right, overlap, h, w) if window else (y0, x0, y1, x1)
            piece = (step or (lambda f, x: f(x)))(upscaler, lr[..., y0:y1, x0:x1])
            y, x = cut(top, left, overlap, scale) if cut else ((top - y0) * scale, (left - x0) * scale)
            core = piece[..., y : y + (bottom - top) * scale, x : x + (right - left) * scale]
            y, x = place(top, left, scale) if place else (top * scale, left * scale)
            sr[..., y : y + core.shape[-2], x : x + core.shape[-1]] = core
        return sr

    return upscale_tiled


def negative_start(top, left, bottom, right, overlap, h, w):
    return top - overlap, left - overlap, min(bottom + overlap, h), min(right + overlap, w)


def cut_alike(upscaler, lr, scale, tile, overlap, join=False):
    """Context is cut off on all sides, also where there is none, so that tiles at the border come out too short."""
    h, w = lr.shape[-2:]
    sr, c = torch.zeros(1, 3, h * scale, w * scale), overlap * scale
    cores = {}
    for top, left, bottom, right in tiles(h, w, tile):
        piece = upscaler(lr[..., max(top - overlap, 0) : bottom + overlap, max(left - overlap, 0) : right + overlap])
        core = piece[..., c : piece.shape[-2] - c, c : piece.shape[-1] - c]
        if join:
            cores.setdefault(top, []).append(core)
        else:
            sr[..., top * scale : bottom * scale, left * scale : right * scale] = core
    return torch.cat([torch.cat(row, -1) for row in cores.values()], -2) if join else sr


def context_kept(upscaler, lr, scale, tile, overlap):
    h, w = lr.shape[-2:]
    sr = torch.zeros(1, 3, h * scale, w * scale)
    for top, left, bottom, right in tiles(h, w, tile):
        piece = upscaler(lr[..., max(top - overlap, 0) : bottom + overlap, max(left - overlap, 0) : right + overlap])
        sr[..., top * scale : bottom * scale, left * scale : right * scale] = piece
    return sr


def context_kept_and_cut_off(upscaler, lr, scale, tile, overlap):
    return tiled(cut=lambda top, left, overlap, scale: (0, 0))(upscaler, lr, scale, tile, overlap)


def unscaled_places(upscaler, lr, scale, tile, overlap):
    h, w = lr.shape[-2:]
    sr = torch.zeros(1, 3, h * scale, w * scale)
    for top, left, bottom, right in tiles(h, w, tile):
        sr[..., top:bottom, left:right] = upscaler(lr[..., top:bottom, left:right])
    return sr


def unscaled_size(upscaler, lr, scale, tile, overlap):
    sr = torch.zeros_like(lr)
    for top, left, bottom, right in tiles(*lr.shape[-2:], tile):
        core = upscaler(lr[..., top:bottom, left:right])
        sr[..., top:bottom, left:right] = core[..., : bottom - top, : right - left]
    return sr


def whole_tiles_only(upscaler, lr, scale, tile, overlap, short=False):
    h, w = lr.shape[-2:]
    rows = []
    for top in range(0, h - tile + 1, tile):
        row = [upscaler(lr[..., top : top + tile, left : left + tile]) for left in range(0, w - tile + 1, tile)]
        rows.append(torch.cat(row, -1))
    sr = torch.cat(rows, -2)
    return sr if short else F.pad(sr, (0, w * scale - sr.shape[-1], 0, h * scale - sr.shape[-2]))


def every_tile_full(upscaler, lr, scale, tile, overlap):
    h, w = lr.shape[-2:]
    sr = torch.zeros(1, 3, h * scale, w * scale)
    for top, left, _, _ in tiles(h, w, tile):
        piece = upscaler(lr[..., top : top + tile, left : left + tile])
        sr[..., top * scale : (top + tile) * scale, left * scale : (left + tile) * scale] = piece[
            ..., : tile * scale, : tile * scale
        ].expand(1, 3, tile * scale, tile * scale)
    return sr


def empty_slices(upscaler, lr, scale, tile, overlap):
    h, w = lr.shape[-2:]
    sr = torch.zeros(1, 3, h * scale, w * scale)
    for top, left, bottom, right in tiles(h, w, tile):
        piece = upscaler(lr[..., max(top - overlap, 0) : bottom + overlap, max(left - overlap, 0) : right + overlap])
        c = overlap * scale
        sr[..., top * scale : bottom * scale, left * scale : right * scale] = piece[..., c:-c, c:-c]
    return sr


def columns_first(upscaler, lr, scale, tile, overlap):
    h, w = lr.shape[-2:]
    pieces = [upscaler(lr[..., t:b, x:r]) for t, x, b, r in tiles(h, w, tile)]
    sr = torch.zeros(1, 3, h * scale, w * scale)
    places = [(y, x) for x in range(0, w, tile) for y in range(0, h, tile)]
    for (y, x), piece in zip(places, pieces, strict=True):
        sr[..., y * scale : y * scale + piece.shape[-2], x * scale : x * scale + piece.shape[-1]] = piece
    return sr


def padded(mode):
    def upscale_tiled(upscaler, lr, scale, tile, overlap):
        h, w = lr.shape[-2:]
        if overlap == 0:
            return tiled()(upscaler, lr, scale, tile, overlap)
        lr = F.pad(lr, (overlap,) * 4, mode=mode)
        sr = torch.zeros(1, 3, h * scale, w * scale)
        c = overlap * scale
        for top, left, bottom, right in tiles(h, w, tile):
            piece = upscaler(lr[..., top : bottom + 2 * overlap, left : right + 2 * overlap])
            sr[..., top * scale : bottom * scale, left * scale : right * scale] = piece[..., c:-c, c:-c]
        return sr

    return upscale_tiled


def averaged(upscaler, lr, scale, tile, overlap):
    h, w = lr.shape[-2:]
    sr, count = torch.zeros(1, 3, h * scale, w * scale), torch.zeros(1, 1, h * scale, w * scale)
    for top, left, bottom, right in tiles(h, w, tile):
        y0, x0, y1, x1 = (
            max(top - overlap, 0),
            max(left - overlap, 0),
            min(bottom + overlap, h),
            min(right + overlap, w),
        )
        where = (..., slice(y0 * scale, y1 * scale), slice(x0 * scale, x1 * scale))
        sr[where] += upscaler(lr[..., y0:y1, x0:x1])
        count[where] += 1
    return sr / count


def swallowing(upscaler, piece):
    try:
        return upscaler(piece)
    except RuntimeError as error:
        print("error in a tile:", error)
        return torch.zeros(1, 3, 2 * piece.shape[-2], 2 * piece.shape[-1])


def explaining(upscaler, piece):
    try:
        return upscaler(piece)
    except RuntimeError as error:
        raise MemoryError("take smaller tiles") from error


def tiled_in_place(upscaler, lr, scale, tile, overlap):
    sr = tiled()(upscaler, lr, scale, tile, overlap)
    lr.clamp_(0, 1)
    return sr


def moved_inwards(upscaler, lr, scale, tile, overlap):
    """As many do it: the last tile of a row is not smaller but begins earlier."""
    h, w = lr.shape[-2:]
    sr = torch.empty(1, 3, h * scale, w * scale)
    for top, left, _, _ in tiles(h, w, tile):
        top, left = max(min(top, h - tile), 0), max(min(left, w - tile), 0)
        y0, x0 = max(top - overlap, 0), max(left - overlap, 0)
        piece = upscaler(lr[..., y0 : top + tile + overlap, x0 : left + tile + overlap])
        piece = piece[..., (top - y0) * scale :, (left - x0) * scale :][..., : tile * scale, : tile * scale]
        sr[..., top * scale :, left * scale :][..., : tile * scale, : tile * scale] = piece
    return sr


def half_context(top, left, bottom, right, overlap, h, w):
    half = overlap // 2
    return max(top - half, 0), max(left - half, 0), min(bottom + half, h), min(right + half, w)


def context_after(top, left, bottom, right, overlap, h, w):
    return top, left, min(bottom + overlap, h), min(right + overlap, w)


def no_context(top, left, bottom, right, overlap, h, w):
    return top, left, bottom, right


def too_much_context(top, left, bottom, right, overlap, h, w):
    return half_context(top, left, bottom, right, 4 * overlap, h, w)


# --- Energy ---------------------------------------------------------------------------------------------------


def detail(image, size=5, pad=None, plane=luma):
    y = plane(image)
    if pad == "valid":
        return y[..., 2:-2, 2:-2] - F.avg_pool2d(y, 5, 1)
    if pad:
        return y - F.avg_pool2d(F.pad(y, (2, 2, 2, 2), mode=pad), 5, 1)
    return y - F.avg_pool2d(y, size, 1, size // 2, count_include_pad=False)


def zero_padded(image):
    y = luma(image)
    return y - F.conv2d(y, torch.full((1, 1, 5, 5), 1 / 25), padding=2)


def rms(x, **options):
    return F.avg_pool2d(x.square(), 16, **options).sqrt()


def relative(a, b):
    return (a - b).abs().mean() / b.mean()


def energy(of=detail, maps=rms, error=relative):
    return lambda sr, hr: error(maps(of(sr)), maps(of(hr)))


def same(x):
    return x


def each(a, b):
    return (a - b).abs().mean((1, 2, 3)) / b.mean((1, 2, 3))


def energy_from_blocks(sr, hr, count=None):
    """Written out, without a pooling layer for the blocks; a plain number for one picture."""

    def blocks(image):
        x = detail(image[None])[0, 0]
        rows, columns = x.shape[0] // 16, x.shape[1] // 16
        parts = [x[16 * i : 16 * i + 16, 16 * j : 16 * j + 16] for i in range(rows) for j in range(columns)]
        return torch.stack([part.square().mean().sqrt() for part in parts])

    errors = [relative(blocks(x), blocks(y)) for x, y in zip(sr[:count], hr[:count], strict=True)]
    return torch.stack(errors) if len(errors) > 1 else float(errors[0])


def energy_before_high_pass(sr, hr):
    difference = luma(sr) - luma(hr)
    high = difference - F.avg_pool2d(difference, 5, 1, 2, count_include_pad=False)
    return rms(high).mean((1, 2, 3)) / rms(detail(hr)).mean((1, 2, 3))


def energy_by_channel(sr, hr):
    a, b = (rms(detail(image, plane=same)) for image in (sr, hr))
    return (a - b).abs().mean((2, 3)) / b.mean((2, 3))


def before_root(a, b):
    return (a.square() - b.square()).abs().sqrt().mean((1, 2, 3)) / b.mean((1, 2, 3))


def correlation(x, y):
    return torch.corrcoef(torch.stack([x.flatten(), y.flatten()]))[0, 1]


# --- Mixing ---------------------------------------------------------------------------------------------------


def mix(rule, cast=True):
    def interpolate(a, b, alpha):
        return {
            key: rule(a[key], b[key], alpha) if a[key].is_floating_point() or not cast else a[key].clone() for key in a
        }

    return interpolate


def straight(a, b, alpha):
    return (1 - alpha) * a + alpha * b


def mix_in_place(a, b, alpha):
    for key in a:
        if a[key].is_floating_point():
            a[key] = straight(a[key], b[key], alpha)
    return a


def mix_into_b(a, b, alpha):
    for key in a:
        if a[key].is_floating_point():
            b[key].mul_(alpha).add_((1 - alpha) * a[key])
    return {**b}


def mix_weights_only(a, b, alpha):
    return {key: straight(a[key], b[key], alpha) for key in a if key.endswith("weight")}


def mix_floats_only(a, b, alpha):
    return {key: straight(a[key], b[key], alpha) for key in a if a[key].is_floating_point()}


def mix_named_weight(a, b, alpha):
    return {key: straight(a[key], b[key], alpha) if "weight" in key else a[key] for key in a}


def mix_by_place(a, b, alpha):
    return {
        key: straight(x, y, alpha) if x.is_floating_point() else x
        for (key, x), y in zip(a.items(), b.values(), strict=True)
    }


def mix_with_integers_of_b(a, b, alpha):
    return {key: straight(a[key], b[key], alpha) if a[key].is_floating_point() else b[key] for key in a}


def mix_rounding_integers(a, b, alpha):
    return {key: straight(a[key], b[key], alpha).to(a[key].dtype) for key in a}


def mix_images(a, b, alpha):
    return lambda lr: (1 - alpha) * a(lr) + alpha * b(lr)


# --- Opinions -------------------------------------------------------------------------------------------------


def opinions(score, mean=lambda given, votes, methods: sum(given) / len(given), all_methods=False):
    def opinion_scores(votes, methods):
        scores = {method: [] for method in methods}
        for ranking in votes:
            for place, method in enumerate(ranking):
                scores[method].append(score(place, len(ranking), len(methods)))
        return {m: mean(given, votes, methods) for m, given in scores.items() if given or all_methods}

    return opinion_scores


def right_score(place, count, methods):
    return 5 - 4 * place / (count - 1)


def opinions_reversed(votes, methods):
    return opinions(right_score)([ranking[::-1] for ranking in votes], methods)


def opinions_of_last(votes, methods):
    return {method: right_score(i, len(votes[-1]), 0) for i, method in enumerate(votes[-1])}


def opinions_first_only(votes, methods):
    return {method: right_score(i, len(votes[0]), 0) for i, method in enumerate(votes[0])}


# --- Gain over the same photos ----------------------------------------------------------------------------------


def sem(x):
    return x.std() / len(x) ** 0.5


def gained(mean=torch.mean, error=sem, pair=lambda ours, theirs: ours - theirs):
    """Of the gains photo by photo."""

    def paired_gain(ours, theirs):
        gains = pair(ours, theirs)
        return mean(gains), error(gains)

    return paired_gain


def gained_apart(error):
    """The error of a difference that takes no notice of the pairs."""
    return lambda ours, theirs: ((ours - theirs).mean(), error(ours, theirs))


def gained_in_place(ours, theirs):
    ours -= theirs
    return ours.mean(), sem(ours)


def gained_with_six(ours, theirs):
    return (ours - theirs).mean(), (ours - theirs).std() / 6**0.5


def gained_with_a_floor(ours, theirs):
    return (ours - theirs).mean(), sem(ours - theirs).clamp(min=0.01)


PSNR, TILED, ENERGY = "evaluation.paper_psnr", "evaluation.upscale_tiled", "evaluation.energy_error"
MIX, OPINION, GAIN = "evaluation.interpolate", "evaluation.opinion_scores", "evaluation.paired_gain"
WRONG = [
    (PSNR, "All three channels", paper(plane=same)),
    (PSNR, "All three channels", psnr_of_channels),
    (PSNR, "1.32 dB too low", paper(plane=full_range)),
    (PSNR, "is no luma", paper(plane=lambda rgb: rgb.mean(1, keepdim=True))),
    (PSNR, "How many pixels do papers leave out", paper(crop=...)),
    (PSNR, "3 pixels are cropped", paper(crop=(..., slice(3, -3), slice(3, -3)))),
    (PSNR, "The value is NaN", paper(crop=(slice(4, -4), slice(4, -4)))),
    (PSNR, "The value is NaN", paper(crop=(slice(None), slice(4, -4), slice(4, -4)))),
    (PSNR, "The value is NaN", paper(crop=(0, slice(4, -4), slice(4, -4)))),
    (PSNR, "Only SR was rounded", psnr_rounding_one(quantize, same)),
    (PSNR, "Only HR was rounded", psnr_rounding_one(same, quantize)),
    (PSNR, "1e-4 on the MSE no image gets past 40 dB", added(1e-4)),
    (PSNR, "1e-6 on the MSE no image gets past 60 dB", added(1e-6)),
    (PSNR, "1e-8 on the MSE no image gets past 80 dB", added(1e-8)),
    (PSNR, "1e-10 on the MSE no image gets past 100 dB", added(1e-10)),
    (
        PSNR,
        "1e-8 on the MSE no image gets past 80 dB",
        paper(finish=lambda e: -10 * e.square().mean().clamp(min=1e-8).log10()),
    ),
    (PSNR, "four sides", paper(crop=(..., slice(4, None), slice(4, None)))),
    (PSNR, "four sides", paper(crop=(..., slice(None, -4), slice(None, -4)))),
    (PSNR, "four sides", paper(crop=(..., slice(4, -4), slice(None)))),
    (PSNR, "four sides", paper(crop=(..., slice(4, -4)))),
    (PSNR, "2 pixels are cropped", paper(crop=(..., slice(2, -2), slice(2, -2)))),
    (PSNR, "8 pixels are cropped", paper(crop=(..., slice(8, -8), slice(8, -8)))),
    (PSNR, "not rounded to 8-bit", paper(prepare=same)),
    (PSNR, "not rounded to 8-bit", paper(prepare=lambda image: image.clamp(0, 1))),
    (PSNR, "cut off, not rounded", paper(prepare=truncated)),
    (PSNR, "luma is rounded here", paper(prepare=same, plane=lambda rgb: quantize(luma(rgb)))),
    (PSNR, "luma is rounded here", paper(plane=lambda rgb: quantize(luma(rgb)))),
    (PSNR, "not the largest that this HR has", psnr_with_peak_of_hr),
    (PSNR, "not the largest that this HR has", psnr_with_peak_of_luma),
    (PSNR, "past 80 dB", paper(finish=lambda e: -20 * (e.square().mean() + 1e-8).sqrt().log10())),
    (PSNR, "Which logarithm", paper(finish=lambda e: -10 * e.square().mean().log())),
    (PSNR, "20 belongs to a root", paper(finish=lambda e: -20 * e.square().mean().log10())),
    (PSNR, "20 belongs to a root", paper(finish=lambda e: -10 * e.square().mean().sqrt().log10())),
    (PSNR, "M in MSE", paper(finish=lambda e: -10 * e.square().sum().log10())),
    (PSNR, "M in MSE", paper(crop=..., finish=lambda e: -10 * e.square().sum().log10())),
    (PSNR, "That is the RMSE", paper(finish=lambda e: e.square().mean().sqrt())),
    (PSNR, "That is the MSE", paper(finish=lambda e: e.square().mean())),
    (PSNR, "turns it round", paper(finish=lambda e: 10 * e.square().mean().log10())),
    (PSNR, "48.13 dB", paper(finish=lambda e: 10 * (255**2 / e.square().mean()).log10())),
    (PSNR, "48.13 dB", paper(finish=lambda e: decibels(e / 255))),
    (PSNR, "One image has one value", paper(finish=lambda e: -10 * e.square().mean((0, 1)).log10())),
    (PSNR, "in place", psnr_in_place),
    (PSNR, "Your code stopped with AttributeError", lambda sr, hr: srlab.psnrr(sr, hr)),
    (TILED, "seams: each tile was upscaled without", tiled(window=no_context)),
    (TILED, "counts from the end", tiled(window=negative_start)),
    (TILED, "Where do your slices begin and end", tiled(window=lambda t, x, b, r, overlap, h, w: (t, x, -overlap, r))),
    (TILED, "is smaller than the tile", cut_alike),
    (TILED, "is smaller than the tile", partial(cut_alike, join=True)),
    (TILED, "Only the tile itself", context_kept),
    (TILED, "Only the tile itself", context_kept_and_cut_off),
    (TILED, "cuts both alike", tiled(cut=lambda top, left, overlap, scale: (overlap * scale, overlap * scale))),
    (
        TILED,
        "How many pixels is that",
        tiled(cut=lambda top, left, overlap, scale: (min(top, overlap), min(left, overlap))),
    ),
    (TILED, "Smaller tiles are left", whole_tiles_only),
    (TILED, "Smaller tiles are left", partial(whole_tiles_only, short=True)),
    (TILED, "Smaller tiles are left", every_tile_full),
    (TILED, "places in the result counted", unscaled_places),
    (TILED, "lie on top of each other", tiled(place=lambda top, left, scale: (top, left))),
    (TILED, "as large as HR", unscaled_size),
    (TILED, "rows and columns of tiles have changed places", columns_first),
    (TILED, "ends at -0", empty_slices),
    (TILED, "something was padded", padded("constant")),
    (TILED, "something was padded", padded("reflect")),
    (TILED, "something was padded", padded("replicate")),
    (TILED, "averaging with it", averaged),
    (TILED, "on all four sides", tiled(window=half_context)),
    (TILED, "on all four sides", tiled(window=context_after)),
    (TILED, "has at most 12", tiled(window=too_much_context)),
    (TILED, "let the error through", tiled(step=swallowing)),
    (TILED, "never sees more than one tile", lambda upscaler, lr, scale, tile, overlap: upscaler(lr)),
    (TILED, "never called", lambda upscaler, lr, scale, tile, overlap: lr.repeat_interleave(scale, -1)),
    (TILED, "changed in place", tiled_in_place),
    (ENERGY, "Is a root missing", energy(maps=lambda x: F.avg_pool2d(x.square(), 16))),
    (ENERGY, "pixel by pixel", energy(maps=same, error=lambda x, y: (x - y).abs().mean())),
    (ENERGY, "pixel by pixel", energy(maps=same, error=lambda x, y: (x - y).abs().mean() / y.abs().mean())),
    (ENERGY, "pixel by pixel", energy(maps=torch.abs)),
    (ENERGY, "Energy is a root mean square", energy(maps=lambda x: F.avg_pool2d(x.abs(), 16))),
    (ENERGY, "energy of the whole picture", energy(maps=lambda x: x.square().mean().sqrt())),
    (ENERGY, "energy of the whole picture", energy(error=lambda a, b: a.mean() / b.mean())),
    (ENERGY, "Blocks with too much detail", energy(error=lambda a, b: (a - b).mean() / b.mean())),
    (ENERGY, "Blocks with too much detail", energy(error=lambda a, b: ((a - b).mean() / b.mean()).abs())),
    (ENERGY, "not divided by anything", energy(error=lambda a, b: (a - b).abs().mean())),
    (ENERGY, "divided by the energy of SR", energy(error=lambda a, b: relative(b, a))),
    (ENERGY, "divided by its own energy", energy(error=lambda a, b: ((a - b).abs() / b).mean())),
    (ENERGY, "absolute values are averaged", energy(error=lambda a, b: (a - b).square().mean().sqrt() / b.mean())),
    (ENERGY, "leaves them out of the mean", energy(of=zero_padded)),
    (ENERGY, "leaves them out of the mean", energy(of=partial(detail, pad="reflect"))),
    (ENERGY, "leaves them out of the mean", energy(of=partial(detail, pad="replicate"))),
    (ENERGY, "leaves them out of the mean", energy(of=partial(detail, pad="valid"))),
    (ENERGY, "over 5x5 pixels", energy(of=partial(detail, size=3))),
    (ENERGY, "over 5x5 pixels", energy(of=partial(detail, size=7))),
    (ENERGY, "have 8x8 pixels", energy(maps=lambda x: F.avg_pool2d(x.square(), 8).sqrt())),
    (ENERGY, "have 8x8 pixels", energy(maps=lambda x: F.avg_pool2d(x.square(), 8).sqrt(), error=each)),
    (ENERGY, "difference is taken before the root", energy(error=before_root)),
    (ENERGY, "before the energy of each is known", energy_before_high_pass),
    (ENERGY, "the mean is taken before the square", energy(maps=lambda x: F.avg_pool2d(x, 16).square().sqrt())),
    (ENERGY, "standard deviations", energy(maps=lambda x: (rms(x) ** 2 - F.avg_pool2d(x, 16) ** 2).sqrt())),
    (ENERGY, "they were averaged", energy()),
    (ENERGY, "that of the first", partial(energy_from_blocks, count=1)),
    (ENERGY, "look at the dimensions", energy(error=lambda a, b: each(a, b)[:, None])),
    (ENERGY, "mean of all HR maps together", energy(error=lambda a, b: (a - b).abs().mean((1, 2, 3)) / b.mean())),
    (ENERGY, "over all pictures of a batch", energy(error=lambda a, b: (a - b).abs().mean() / b.mean((1, 2, 3)))),
    (ENERGY, "Where does luma come in", energy_by_channel),
    (ENERGY, "Where does luma come in", energy(of=partial(detail, plane=same), error=each)),
    (ENERGY, "is no luma", energy(of=partial(detail, plane=lambda rgb: rgb.mean(1, keepdim=True)))),
    (ENERGY, "blocks overlap", energy(maps=partial(rms, stride=1))),
    (ENERGY, "cut off at the border", energy(maps=partial(rms, ceil_mode=True))),
    (ENERGY, "Where does luma come in", energy(of=partial(detail, plane=same))),
    (ENERGY, "a correlation", energy(maps=same, error=correlation)),
    (ENERGY, "a correlation", energy(maps=same, error=lambda x, y: 1 - correlation(x, y))),
    (ENERGY, "brightness counts as energy", energy(of=luma)),
    (ENERGY, "One picture has one error", energy(error=lambda a, b: (a - b).abs())),
    (MIX, "ends have changed places", mix(lambda a, b, alpha: alpha * a + (1 - alpha) * b)),
    (MIX, "sum of both", mix(lambda a, b, alpha: a + alpha * b)),
    (MIX, "Where does alpha come in", mix(lambda a, b, alpha: (a + b) / 2)),
    (MIX, "that of one of them", mix(lambda a, b, alpha: a if alpha < 0.5 else b)),
    (MIX, "in a were changed in place", mix_in_place),
    (MIX, "in b were changed in place", mix_into_b),
    (MIX, "came out as", mix(straight, cast=False)),
    (MIX, "does not mix with a fraction", mix(torch.lerp, cast=False)),
    (MIX, "norm.num_batches_tracked is missing", mix_floats_only),
    (MIX, "conv.bias is missing", mix_weights_only),
    (MIX, "conv.bias is still that of `a`", mix_named_weight),
    (MIX, "conv.bias was mixed with an entry of another name", mix_by_place),
    (MIX, "is that of `b`", mix_with_integers_of_b),
    (MIX, "came out as 150", mix_rounding_integers),
    (
        MIX,
        "The first entry that differs is conv.weight. The first difference is at [0, 0]",
        mix(lambda a, b, w: a + 9 + w),
    ),
    (MIX, "not the images", mix_images),
    (MIX, "not the images", lambda a, b, alpha: straight(*(w["conv.weight"] for w in (a, b)), alpha)),
    (MIX, "is a list", lambda a, b, alpha: [straight(a[key], b[key], alpha) for key in a]),
    (OPINION, "changed places", opinions_reversed),
    (OPINION, "changed places", opinions(lambda place, count, methods: place + 1)),
    (OPINION, "run from 4 down to 0", opinions(lambda place, count, methods: count - 1 - place)),
    (OPINION, "run from 4 down to 0", opinions(lambda place, count, methods: 5 - (place + 1))),
    (OPINION, "counted from 1 is not a score", opinions(lambda place, count, methods: place + 1)),
    (OPINION, "the last has more than 1", opinions(lambda place, count, methods: 5 - 4 * place / count)),
    (OPINION, "Not even the first has 5", opinions(lambda place, count, methods: 5 - 4 * (place + 1) / count)),
    (OPINION, "counted from 0", opinions(lambda place, count, methods: place)),
    (OPINION, "A ranking of 3 methods also", opinions(lambda place, count, methods: 5 - place)),
    (OPINION, "A ranking of 3 methods also", opinions(lambda place, count, methods: count - place)),
    (OPINION, "which grows with every vote", opinions(right_score, lambda given, votes, methods: sum(given))),
    (
        OPINION,
        "missing from one of the four",
        opinions(right_score, lambda given, votes, methods: sum(given) / len(votes)),
    ),
    (OPINION, "divided by the number of methods", opinions(right_score, lambda g, v, m: sum(g) / len(m))),
    (OPINION, "its own ranking", opinions(lambda place, count, methods: 5 - 4 * place / (methods - 1))),
    (
        OPINION,
        "No vote is no opinion",
        opinions(right_score, lambda g, v, m: sum(g) / len(g) if g else 0.0, all_methods=True),
    ),
    (
        OPINION,
        "No vote is no opinion",
        opinions(right_score, lambda g, v, m: sum(g) / len(g) if g else math.nan, all_methods=True),
    ),
    (OPINION, "Only one of the rankings", opinions_of_last),
    (OPINION, "Only one of the rankings", opinions_first_only),
    (OPINION, "is a list", lambda votes, methods: [5.0 - i for i in range(len(methods))]),
    (OPINION, "has no score", lambda votes, methods: {votes[0][0]: 5.0}),
    (GAIN, "sign is turned round", gained(pair=lambda ours, theirs: theirs - ours)),
    (GAIN, "What does a mean do", gained(mean=torch.sum)),
    (GAIN, "Keep the sign", gained(pair=lambda ours, theirs: (ours - theirs).abs())),
    (GAIN, "That is the median", gained(mean=torch.median)),
    (GAIN, "That is a ratio", gained(pair=lambda ours, theirs: ours / theirs)),
    (GAIN, "That is a ratio", lambda ours, theirs: (ours.mean() / theirs.mean(), sem(ours - theirs))),
    (GAIN, "gain is over something", lambda ours, theirs: (ours.mean(), sem(ours))),
    (GAIN, "photos of its own", gained_apart(lambda ours, theirs: (sem(ours) ** 2 + sem(theirs) ** 2).sqrt())),
    (GAIN, "photos of its own", gained_apart(lambda ours, theirs: sem(ours) + sem(theirs))),
    (GAIN, "photos of its own", gained_apart(lambda ours, theirs: sem(ours))),
    (GAIN, "do not subtract", gained_apart(lambda ours, theirs: sem(ours) - sem(theirs))),
    (GAIN, "pairs are torn apart", gained(pair=lambda ours, theirs: ours.sort().values - theirs.sort().values)),
    (GAIN, "by which factor of N", gained(error=torch.std)),
    (GAIN, "divide by N - 1", gained(error=lambda x: x.std(correction=0) / len(x) ** 0.5)),
    (GAIN, "Two corrections", gained(error=lambda x: x.std() / (len(x) - 1) ** 0.5)),
    (GAIN, "with the root of N", gained(error=lambda x: x.std() / len(x))),
    (GAIN, "That is a variance", gained(error=lambda x: x.var() / len(x))),
    (GAIN, "sign of the gains was dropped", gained(error=lambda x: sem(x.abs()))),
    (GAIN, "half width", gained(error=lambda x: 1.96 * sem(x))),
    (GAIN, "two standard errors", gained(error=lambda x: 2 * sem(x))),
    (GAIN, "have changed places", lambda ours, theirs: (sem(ours - theirs), (ours - theirs).mean())),
    (GAIN, "changed in place", gained_in_place),
    (GAIN, "gain of every photo came back", lambda ours, theirs: ours - theirs),
    (GAIN, "One number came back", lambda ours, theirs: (ours - theirs).mean()),
    (GAIN, "Return two numbers", lambda ours, theirs: {"gain": 0.6, "error": 0.3, "photos": 6}),
    (GAIN, "one number for all photos", gained(error=lambda x: x - x.mean())),
    (GAIN, "With three photos instead of six", gained_with_six),
    (GAIN, "With the same gain on every photo", gained_with_a_floor),
]


@pytest.mark.parametrize(("name", "phrase", "answer"), WRONG, ids=[f"{name}-{phrase}" for name, phrase, _ in WRONG])
def test_a_wrong_answer_is_recognised(name, phrase, answer, capsys):
    assert_recognised(name, phrase, answer, capsys)


def off_by_a_little_in_one_pixel(upscaler, lr, scale, tile, overlap):
    sr = tiled()(upscaler, lr, scale, tile, overlap)
    sr[0, 1, 3, 5] += 0.0002
    return sr


def test_the_first_place_that_differs_is_shown_with_both_values(capsys):
    check(TILED, off_by_a_little_in_one_pixel)
    assert "The first difference is at [0, 1, 3, 5]: expected 6, but your answer gives 6.0002." in said(capsys)


def test_the_first_score_that_differs_is_shown_with_its_name(capsys):
    check(OPINION, opinions(lambda place, count, methods: 5 - place - (place == 2)))
    assert "The first difference is at SRGAN: expected 3, but your answer gives 2." in said(capsys)


def test_numbers_that_differ_late_are_shown_with_as_many_digits_as_it_takes(capsys):
    check(PSNR, paper(finish=lambda e: decibels(e) + 0.002))
    expected, given = said(capsys).split("Expected ")[1].split(" The lab")[0].split(", but your answer gives ")
    assert float(given.rstrip(".")) > float(expected)


def test_a_nan_is_shown_where_it_is(capsys):
    def with_nan(upscaler, lr, scale, tile, overlap):
        sr = tiled()(upscaler, lr, scale, tile, overlap)
        sr[0, 2, 1, 0] = math.nan
        return sr

    check(TILED, with_nan)
    assert "at [0, 2, 1, 0]: expected 3, but your answer gives nan" in said(capsys)


def test_no_hint_says_that_the_border_is_worst():
    """In the table of the lab PSNR is higher without the border cut."""
    sr, hr = evaluation._bad_border()
    hints = [hint for hint, _ in evaluation._paper_mistakes(sr, hr)]
    assert any("border counts" in hint for hint in hints)
    assert not any("worst" in hint for hint in hints)


@pytest.mark.parametrize("size", [(48, 64), (40, 56)])
def test_no_two_mistakes_of_the_energy_have_the_same_value(size):
    sr, hr = _energy._misplaced(*size)
    values = [(hint, float(value)) for hint, value in _energy._mistakes(sr, hr)]
    values.insert(0, ("right", float(_energy.energy_error(sr, hr))))
    for i, (hint, value) in enumerate(values):
        same_value = [other for other, v in values[:i] if other != hint and abs(v - value) < 4e-5]
        whole = "cut off" in hint and size == (48, 64)  # where no block is cut off this is no mistake
        assert same_value == (["right"] if whole else []), hint


def test_no_two_mistakes_of_the_standard_error_have_the_same_value():
    ours, theirs = _gain._scores()
    assert apart(_gain._error_mistakes(ours, theirs), _gain.paired_gain(ours, theirs)[1]) == []


def test_the_last_hint_is_said_to_be_the_last(capsys):
    count = 1 + len(find(OPINION).hints)
    for hints in range(1, count + 2):
        check(OPINION, opinions_reversed, hints=hints)
        text = said(capsys)
        assert ("That was the last hint." in text) is (hints >= count)
        assert (f"add hints={hints + 1}" in text) is (hints < count)


# --- Right answers, written differently from the reference ----------------------------------------------------


def right_by_protocol(sr, hr):
    return float(srlab.psnr(sr, hr))


RIGHT = [
    (PSNR, paper()),
    (PSNR, right_by_protocol),
    (PSNR, paper(finish=lambda e: -20 * e.square().mean().sqrt().log10())),
    (PSNR, paper(prepare=lambda image: image.mul(255).round() / 255)),
    (PSNR, lambda sr, hr: srlab.psnr(sr, hr)),
    (TILED, tiled()),
    (TILED, tiled(canvas=torch.empty)),
    (TILED, moved_inwards),
    (TILED, tiled(step=explaining)),
    (ENERGY, energy(error=each)),
    (ENERGY, perception.energy_error),
    (ENERGY, energy_from_blocks),
    (MIX, mix(straight)),
    (MIX, mix(torch.lerp)),
    (MIX, lambda a, b, alpha: {k: straight(a[k], b[k], alpha) if b[k].is_floating_point() else a[k] for k in b}),
    (OPINION, opinions(right_score)),
    (OPINION, opinions(lambda place, count, methods: 1 + 4 * (count - 1 - place) / (count - 1))),
    (GAIN, gained()),
    (GAIN, lambda ours, theirs: [ours.mean() - theirs.mean(), (ours - theirs).var().div(len(ours)).sqrt()]),
    (GAIN, lambda ours, theirs: torch.stack(gained()(ours, theirs))),
    (GAIN, gained(error=lambda x: statistics.stdev(x.tolist()) / math.sqrt(len(x)))),
]


@pytest.mark.parametrize(("name", "answer"), RIGHT)
def test_another_right_answer_is_taken(name, answer, capsys):
    assert_taken(name, answer, capsys)


def test_every_exercise_has_wrong_and_right_answers_enough():
    assert len(NAMES) == 6
    assert all(sum(name == wrong for wrong, _, _ in WRONG) >= 3 for name in NAMES)
    assert {name for name, _ in RIGHT} == {name for name, _, _ in WRONG} == set(NAMES)


# --- The references themselves --------------------------------------------------------------------------------


def test_the_papers_psnr_is_that_of_the_package(astronaut):
    sr = srlab.resize(srlab.downsample(astronaut, 4), 4).clamp(0, 1)
    reference = find(PSNR).reference
    assert float(reference(sr, astronaut)) == pytest.approx(float(srlab.psnr(sr, astronaut)), abs=1e-4)
    assert float(reference(sr, astronaut)) == pytest.approx(26.84, abs=0.01)


@pytest.mark.parametrize(("tile", "overlap"), [(8, 8), (13, 8), (64, 8), (5, 20)])
def test_tiles_of_a_real_network_have_no_seams(tile, overlap):
    torch.manual_seed(0)
    network = srlab.MSRResNet(blocks=1, features=4).double().eval()
    lr = torch.rand(1, 3, 19, 30, dtype=torch.float64)
    with torch.no_grad():
        tiled_sr = find(TILED).reference(network, lr, 4, tile, overlap)
        assert torch.allclose(tiled_sr, network(lr), atol=1e-12)


def test_the_energy_error_is_that_of_the_package_but_for_its_rounding(astronaut):
    levels = quantize(srlab.resize(srlab.downsample(astronaut, 4), 4).clamp(0, 1))
    sr, hr = torch.cat([levels, astronaut]), torch.cat([astronaut, levels])
    reference = find(ENERGY).reference(sr, hr)
    assert reference.shape == (2,)
    assert reference.tolist() == pytest.approx(perception.energy_error(sr, hr).tolist(), abs=1e-5)


def test_the_energy_error_is_near_that_of_the_package_and_noise_does_not_fool_it(astronaut):
    soft = srlab.resize(srlab.downsample(astronaut, 4), 4).clamp(0, 1)
    noisy = soft + 0.015 * torch.randn(soft.shape, generator=torch.Generator().manual_seed(0))
    reference = find(ENERGY).reference
    assert 0.3 < float(reference(soft, astronaut)) < 0.7
    assert 0.8 < float(reference(noisy, astronaut)) / float(reference(soft, astronaut)) < 1


def test_the_gain_is_more_certain_than_two_means_of_the_same_photos():
    ours, theirs = _gain._scores()
    gain, error = find(GAIN).reference(ours, theirs)
    assert float(gain) == pytest.approx(statistics.mean((ours - theirs).tolist()))
    assert float(error) == pytest.approx(statistics.stdev((ours - theirs).tolist()) / 6**0.5)
    assert error < 0.2 * sem(ours)


def test_mixed_weights_fit_into_the_network():
    networks = [nn.Sequential(nn.Conv2d(3, 3, 3), nn.BatchNorm2d(3)) for _ in range(3)]
    networks[1][1].num_batches_tracked += 7
    networks[2].load_state_dict(find(MIX).reference(networks[0].state_dict(), networks[1].state_dict(), 0.3))
    for first, second, mixed in zip(*(network.parameters() for network in networks), strict=True):
        assert torch.allclose(mixed, 0.7 * first + 0.3 * second)
