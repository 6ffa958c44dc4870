"""Test that a right answer is accepted however it is written.

A rewrite changes how any answer is written, and not what it computes. Each is applied to the reference and to the
accepted answers of all exercises, wherever it fits, and none of the results may be rejected or get another remark.
"""

import ast
import functools
import inspect
import linecache
import operator
from types import FunctionType, MethodType

import numpy as np
import pytest
import torch
import torch.nn as nn
import torch.nn.functional as F

from srlab_course.feedback.all_exercises import find, names
from srlab_course.feedback.exercise_text import USUAL
from srlab_course.feedback.judging import judge

# --- Calls: each rewrite gets a function and its arguments, and calls it in another way. ------------------------------


def forward(function, *args, **kwargs):
    """``generator.forward(lr)`` for ``generator(lr)``."""
    return (function.forward if isinstance(function, nn.Module) else function)(*args, **kwargs)


def by_name(function, *args, **kwargs):
    """``d_loss(real=a, fake=b)`` for ``d_loss(a, b)``."""
    written = function.forward if isinstance(function, nn.Module) else BUILT_IN.get(function, function)
    if not isinstance(written, FunctionType | MethodType):
        return function(*args, **kwargs)
    given = list(inspect.signature(written).parameters.values())[: len(args)]
    if any(one.kind is not inspect.Parameter.POSITIONAL_OR_KEYWORD for one in given):
        return function(*args, **kwargs)
    return function(**dict(zip((one.name for one in given), args, strict=True)), **kwargs)


BUILT_IN = {
    F.conv2d: lambda input, weight, bias=None, stride=1, padding=0: None,
    F.softplus: lambda input, beta=1, threshold=20: None,
    F.logsigmoid: lambda input: None,
    F.avg_pool2d: lambda input, kernel_size, stride=None, padding=0: None,
    F.pixel_shuffle: lambda input, upscale_factor: None,
    torch.cat: lambda tensors, dim=0: None,
    torch.stack: lambda tensors, dim=0: None,
    torch.lerp: lambda input, end, weight: None,
}


def as_functions(function, *args, **kwargs):
    """``torch.mean(x)`` for ``x.mean()``."""
    owner, name = getattr(function, "__self__", None), getattr(function, "__name__", "")
    if not isinstance(owner, torch.Tensor) or not inspect.isroutine(getattr(torch, name, None)):
        return function(*args, **kwargs)
    if name in ("reshape", "permute", "flip") and isinstance(args[0], int):
        args = [args]
    return getattr(torch, name)(owner, *args, **kwargs)


def as_methods(function, *args, **kwargs):
    """``x.mean()`` for ``torch.mean(x)``."""
    name = getattr(function, "__name__", "")
    if name == "where" or getattr(torch, name, None) is not function or not isinstance((*args, 0)[0], torch.Tensor):
        return function(*args, **kwargs)
    return getattr(args[0], name, functools.partial(function, args[0]))(*args[1:], **kwargs)


def as_modules(function, *args, **kwargs):
    """``nn.ReLU()(x)`` for ``F.relu(x)``."""
    if function in LOSSES:
        return LOSSES[function](**kwargs)(*args)
    if function in MODULES and "antialias" not in kwargs:
        return MODULES[function](*args[1:], **kwargs)(args[0])
    return function(*args, **kwargs)


LOSSES = {F.mse_loss: nn.MSELoss, F.l1_loss: nn.L1Loss, F.binary_cross_entropy_with_logits: nn.BCEWithLogitsLoss}
MODULES = {F.relu: nn.ReLU, F.leaky_relu: nn.LeakyReLU, F.softplus: nn.Softplus, F.logsigmoid: nn.LogSigmoid}
MODULES |= {F.silu: nn.SiLU, F.pixel_shuffle: nn.PixelShuffle, F.pixel_unshuffle: nn.PixelUnshuffle}
MODULES |= {F.avg_pool2d: nn.AvgPool2d, F.interpolate: nn.Upsample}


def written_out(function, *args, **kwargs):
    """``((a - b) ** 2).mean()`` for ``F.mse_loss(a, b)``."""
    return (function if kwargs else FORMULAS.get(function, function))(*args, **kwargs)


FORMULAS = {
    F.mse_loss: lambda a, b: ((a - b) ** 2).mean(),
    F.l1_loss: lambda a, b: (a - b).abs().mean(),
    F.relu: lambda x: x.clamp(min=0),
    F.leaky_relu: lambda x, slope=0.01: torch.where(x > 0, x, slope * x),
    F.silu: lambda x: x / (1 + (-x).exp()),
    F.softplus: lambda x: torch.logaddexp(x, torch.zeros_like(x)),
    F.logsigmoid: lambda x: -torch.logaddexp(-x, torch.zeros_like(x)),
    F.binary_cross_entropy_with_logits: lambda x, y: (F.softplus(x) - x * y).mean(),
    torch.zeros_like: lambda x: 0 * x.detach(),
    torch.ones_like: lambda x: torch.full(x.shape, 1.0),
    sum: lambda values: functools.reduce(lambda a, b: a + b, values),
    float: lambda x: x.item() if isinstance(x, torch.Tensor) else float(x),
}


def one_by_one(function, *args, **kwargs):
    """Do with each parameter what a method of an optimizer or a network does with all."""
    owner, name = getattr(function, "__self__", None), getattr(function, "__name__", "")
    if isinstance(owner, torch.optim.Optimizer) and name == "zero_grad":
        for parameter in owner.param_groups[0]["params"]:
            parameter.grad = None
        return None
    if isinstance(owner, nn.Module) and name == "requires_grad_":
        for parameter in owner.parameters():
            parameter.requires_grad = (*args, True)[0]
        return owner
    return function(*args, **kwargs)


def other_methods(function, *args, **kwargs):
    """Methods that do the same: ``train(False)`` for ``eval()``, ``float(x)`` for ``x.item()``."""
    owner, name = getattr(function, "__self__", None), getattr(function, "__name__", "")
    if isinstance(owner, nn.Module) and name == "eval":
        return owner.train(mode=False)
    if isinstance(owner, torch.optim.Optimizer) and name == "zero_grad":
        return owner.zero_grad(set_to_none=False)
    if isinstance(owner, torch.Tensor) and name == "backward":
        return torch.autograd.backward([owner], **kwargs)
    if isinstance(owner, torch.Tensor) and name in ("item", "detach"):
        return float(owner.detach()) if name == "item" else owner.detach().clone()
    return function(*args, **kwargs)


def channels_last(function, *args, **kwargs):
    """Pass networks copies of images in another memory format."""
    if isinstance(function, nn.Module):
        images = [isinstance(one, torch.Tensor) and one.ndim == 4 for one in args]
        kinds = [torch.channels_last if image else torch.preserve_format for image in images]
        args = [one.clone(memory_format=kind) for one, kind in zip(args, kinds, strict=True)]
    return function(*args, **kwargs)


CALLS = (forward, by_name, as_functions, as_methods, as_modules, written_out, one_by_one, other_methods, channels_last)


class OfCalls(ast.NodeTransformer):
    """``_forward(generator, lr)`` for ``generator(lr)``."""

    def __init__(self, name):
        self.name = name

    def visit_Call(self, node):
        self.generic_visit(node)
        if ast.unparse(node.func) == "super":
            return node
        return ast.Call(ast.Name(f"_{self.name}"), [node.func, *node.args], node.keywords)


# --- Code -------------------------------------------------------------------------------------------------------------


class OtherOrder(ast.NodeTransformer):
    """``b + a`` for ``a + b``, and ``-b + a`` for ``a - b``."""

    def visit_BinOp(self, node):
        self.generic_visit(node)
        if isinstance(node.op, ast.Sub):
            return ast.BinOp(ast.UnaryOp(ast.USub(), node.right), ast.Add(), node.left)
        name = {ast.Add: "_sum", ast.Mult: "_product"}.get(type(node.op))
        return ast.Call(ast.Name(name), [node.left, node.right], []) if name else node


class InPlace(ast.NodeTransformer):
    """``a.clone().add_(b)`` for ``a + b``."""

    def visit_BinOp(self, node):
        self.generic_visit(node)
        name = {ast.Add: "add", ast.Sub: "sub", ast.Mult: "mul", ast.Div: "truediv"}.get(type(node.op))
        return ast.Call(ast.Name("_in_place"), [ast.Constant(name), node.left, node.right], []) if name else node


def in_place(name, a, b):
    fits = isinstance(a, torch.Tensor) and torch.broadcast_shapes(a.shape, getattr(b, "shape", ())) == a.shape
    if fits and a.is_floating_point():
        return getattr(operator, f"i{name}")(a.clone(), b)
    return getattr(operator, name)(a, b)


class Loops(ast.NodeTransformer):
    """A loop that appends, for a comprehension; and ``x ** 2`` for ``x.square()``."""

    def visit_ListComp(self, node):
        self.generic_visit(node)
        return ast.Call(ast.Name("_looped"), [ast.GeneratorExp(node.elt, node.generators)], [])

    def visit_DictComp(self, node):
        self.generic_visit(node)
        pairs = ast.GeneratorExp(ast.Tuple([node.key, node.value], ast.Load()), node.generators)
        return ast.Call(ast.Name("dict"), [ast.Call(ast.Name("_looped"), [pairs], [])], [])

    def visit_Call(self, node):
        self.generic_visit(node)
        is_square = isinstance(node.func, ast.Attribute) and node.func.attr == "square" and not node.args
        return ast.BinOp(node.func.value, ast.Pow(), ast.Constant(2)) if is_square else node


def looped(values):
    found = []
    for value in values:
        found += [value]
    return found


class Plain(ast.NodeTransformer):
    """Functions without annotations and docstrings, that print something and name their results."""

    def visit_FunctionDef(self, node):
        self.generic_visit(node)
        for argument in (*node.args.args, *node.args.kwonlyargs):
            argument.annotation = None
        body = node.body[1:] if ast.get_docstring(node) else node.body
        node.returns, node.body = None, [*ast.parse("print('here')").body, *body]
        return node

    def visit_Return(self, node):
        self.generic_visit(node)
        return [ast.Assign([ast.Name("result_")], node.value), ast.Return(ast.Name("result_"))] if node.value else node


class Gradients(ast.NodeTransformer):
    """``torch.autograd.grad`` for ``backward``, and ``set_grad_enabled(False)`` for ``no_grad()``."""

    def visit_Call(self, node):
        self.generic_visit(node)
        off = "torch.set_grad_enabled(False)"
        return ast.parse(off, mode="eval").body if ast.unparse(node) == "torch.no_grad()" else node

    def generic_visit(self, node):
        super().generic_visit(node)
        body = node.body if isinstance(getattr(node, "body", None), list) else []
        for place, one in enumerate(body):
            loss, is_backward, _ = ast.unparse(one).partition(".backward()")
            steps = [step for step in map(ast.unparse, body[place:]) if step.endswith(".step()")]
            if is_backward and steps:
                body[place] = ast.parse(f"_gradients({loss}, {steps[0].removesuffix('.step()')})").body[0]
        return node


def gradients(loss, optimizer):
    having = [one for one in optimizer.param_groups[0]["params"] if one.requires_grad]
    for parameter, found in zip(having, torch.autograd.grad(loss, having, allow_unused=True), strict=True):
        if found is not None:
            parameter.grad = found if parameter.grad is None else parameter.grad + found


class InferenceMode(ast.NodeTransformer):
    """``torch.inference_mode()`` for ``torch.no_grad()``."""

    def visit_Attribute(self, node):
        return ast.Attribute(node.value, "inference_mode") if ast.unparse(node) == "torch.no_grad" else node


class ZeroFirst(ast.NodeTransformer):
    """``zero_grad`` at the beginning of a step."""

    def generic_visit(self, node):
        super().generic_visit(node)
        if isinstance(node, ast.FunctionDef | ast.For):
            created = {ast.unparse(one.targets[0]) for one in node.body if isinstance(one, ast.Assign)}
            zeros = [one for one in node.body if (text := ast.unparse(one)).endswith("zero_grad()")
                     and text.partition(".")[0] not in created]  # fmt: skip
            node.body = [*zeros, *(one for one in node.body if one not in zeros)]
        return node


class ZeroLast(ast.NodeTransformer):
    """``zero_grad`` after the step, if there is one optimizer."""

    def generic_visit(self, node):
        super().generic_visit(node)
        body = node.body if isinstance(getattr(node, "body", None), list) else []
        zeros, steps = ([one for one in body if ast.unparse(one).endswith(end)] for end in ("zero_grad()", ".step()"))
        if len(zeros) == len(steps) == 1:
            body.remove(zeros[0])
            body.insert(body.index(steps[0]) + 1, zeros[0])
        return node


class OtherLayers(ast.NodeTransformer):
    """Layers with other names, created in the reverse order, and each in nn.Sequential."""

    found = ()

    def visit_ClassDef(self, node):
        for one in node.body:
            if getattr(one, "name", "") == "__init__":
                made = [line for line in one.body if "nn." in (text := ast.unparse(line)) and text.startswith("self.")]
                one.body = [*(line for line in one.body if line not in made), *reversed(made)]
                self.found = {line.targets[0].attr for line in made}
        return self.generic_visit(node)

    def visit_Attribute(self, node):
        self.generic_visit(node)
        if ast.unparse(node.value) == "self" and node.attr in self.found:
            node.attr += "_of_mine"
        return node

    def visit_Assign(self, node):
        self.generic_visit(node)
        if isinstance(node.targets[0], ast.Attribute) and ast.unparse(node.value).startswith(("nn.Conv2d", "nn.PReLU")):
            node.value = ast.parse(f"nn.Sequential({ast.unparse(node.value)})", mode="eval").body
        return node


CODE = (OtherOrder, InPlace, Loops, Plain, Gradients, InferenceMode, ZeroFirst, ZeroLast, OtherLayers)
NAMED = ("esrgan", "flow")  # labs whose exercises require names of layers
# An inference tensor can't be used for a gradient.
UNFIT = {(InferenceMode, "content_loss"), *((OtherLayers, lab) for lab in NAMED)}


def swapped(operation):
    def operate(a, b):
        return operation(b, a) if isinstance(a, torch.Tensor) or isinstance(b, torch.Tensor) else operation(a, b)

    return operate


HELPERS = {f"_{function.__name__}": function for function in (*CALLS, in_place, looped, gradients)}
HELPERS |= {"_sum": swapped(lambda a, b: a + b), "_product": swapped(lambda a, b: a * b)}

# --- Whole answers ----------------------------------------------------------------------------------------------------


def called(answer):
    """A function that calls the answer."""
    return lambda *args, **kwargs: answer(*args, **kwargs)


def derived(answer):
    """A derived class, or an object with a method ``__call__``."""
    if isinstance(answer, type):
        return type(answer.__name__, (answer,), {"__module__": answer.__module__})
    return type("Mine", (), {"__call__": staticmethod(answer)})()


def of_copies(answer):
    """Copies of inputs that need no gradient."""

    def copied(value):
        return value.clone() if isinstance(value, torch.Tensor) and not value.requires_grad else value

    return lambda *args, **kwargs: answer(*map(copied, args), **kwargs)


def converting(change):
    """Results of another type, with the same values."""

    def convert(value):
        if type(value) in (list, tuple):
            value = type(value)(map(convert, value))
        return change(value)

    return lambda answer: lambda *args, **kwargs: convert(answer(*args, **kwargs))


WHOLE = {"called": called, "derived": derived, "of copies": of_copies}
for of_numbers in (np.float32, np.float64, torch.tensor):
    WHOLE[of_numbers.__name__] = converting(lambda value, of=of_numbers: of(value) if type(value) is float else value)
OTHER = {list: tuple, tuple: list}
WHOLE["lists and tuples"] = converting(lambda value: OTHER.get(type(value), lambda same: same)(value))


def source_of(answer):
    if isinstance(answer, type):
        code = next(vars(answer)[name] for name in ("__init__", "forward") if name in vars(answer)).__code__
    else:
        code = answer.__code__
    if code.co_filename.startswith("<answer"):
        return "".join(linecache.getlines(code.co_filename))
    return inspect.getsource(answer)


def rewrite(answer, reference, change):
    """Return an answer in another form, or the answer if nothing changes."""
    tree = ast.parse(source_of(answer))
    before, after = ast.unparse(tree), ast.unparse(ast.fix_missing_locations(change.visit(tree)))
    if after == before:
        return answer
    place = f"<rewritten {reference.__name__} {hash(after):x}>"
    linecache.cache[place] = (len(after), None, after.splitlines(keepends=True), place)  # for the line of an error
    scope = USUAL | vars(inspect.getmodule(reference)) | HELPERS
    exec(compile(after, place, "exec"), scope)
    return scope[reference.__name__]


def forms(answer, name, reference):
    """Return the answer in all forms, by the names of the rewrites."""
    changes = {one.__name__: one() for one in CODE if (one, name.partition(".")[0]) not in UNFIT}
    changes |= {one.__name__: OfCalls(one.__name__) for one in CALLS}
    found = {label: rewrite(answer, reference, change) for label, change in changes.items()}
    if not isinstance(answer, type):
        found |= {label: change(answer) for label, change in WHOLE.items()}
    else:
        found["derived"] = derived(answer)
    return {label: form for label, form in found.items() if form is not answer}


def remarks(exercise, answer):
    return [text for word, text in judge(exercise, answer) if word == "note"]


def rejected(name, answers):
    """Return what is said about forms of right answers that are rejected or get another remark."""
    exercise, told = find(name), []
    for number, answer in enumerate(answers):
        usual = remarks(exercise, answer)
        for label, form in forms(answer, name, exercise.reference).items():
            try:
                if (said := remarks(exercise, form)) != usual:
                    told.append(f"answer {number}, {label}: {said}")
            except Exception as error:
                told.append(f"answer {number}, {label}: {error}")
    return told


NAMES = [name for name in names() if ".repair_" not in name]  # which train a project
NIGHTLY = pytest.mark.nightly
SLOW = ("esrgan.RRDB", "esrgan.RRDBNet", "srgan.PatchDiscriminator", "srgan.train_gan", "content_loss.fixed_training")


@pytest.mark.parametrize("name", [pytest.param(name, marks=NIGHTLY) if name in SLOW else name for name in NAMES])
def test_reference_may_be_written_in_any_way(name):
    told = rejected(name, [find(name).reference])
    assert not told, "\n".join(told)


@NIGHTLY
@pytest.mark.parametrize("name", [name for name in NAMES if find(name).also_accepted])
def test_accepted_answers_may_be_written_in_any_way(name):
    told = rejected(name, find(name).also_accepted)
    assert not told, "\n".join(told)
