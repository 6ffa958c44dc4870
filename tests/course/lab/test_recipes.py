"""Test srlab_course.lab.recipes: the hyperparameters of a lab, scaled to the requested length."""

import pytest

from srlab.errors import SrlabError
from srlab_course.lab.lab import Lab
from srlab_course.lab.parameters import from_text
from srlab_course.lab.recipes import Machine, pick_recipe, read_book
from srlab_course.lab.settings import STAGES, ours, parameter, setting
from tests.conftest import RECIPES, ROOT

LAPTOP = Machine("cpu", memory_gib=0.0, iters=0, megapixels=3.6)


def recipes_of(lab):
    return read_book(next(file for file in RECIPES if file.stem.startswith(lab)))


def picked(lab, name):
    return pick_recipe(recipes_of(lab), name, LAPTOP)


# --- Declaring settings -------------------------------------------------------------------------------------------


class Own(Lab):
    source = "us"
    photo = parameter("", smallest=64)
    steps = setting(8, "training steps", least=1)
    rate = setting(0.1, "learning rate", least=0)
    loss = setting("mse", "pixel loss", choices=("mse", "l1"), answers_follow=False)
    betas = setting([0.5, 0.9], "Adam's betas")


class Published(Own):
    source = "a paper"
    steps = 8
    rate = ours(0.2)


class Longer(Published):
    source = "another paper"
    steps = 80


def test_recipe_inherits_values_with_their_sources():
    assert Own.values() == {"steps": 8, "rate": 0.1, "loss": "mse", "betas": [0.5, 0.9]}
    assert Longer.values() == Own.values() | {"steps": 80, "rate": 0.2}
    assert set(Own.sources().values()) == {"us"}
    assert Published.sources() == {"steps": "a paper", "rate": "this course", "loss": "us", "betas": "us"}
    assert Longer.sources() == Published.sources() | {"steps": "another paper"}
    assert Own.in_cell() == {"photo": "", "recipe": "auto", "seed": 0, "device": "auto", "overrides": {}}
    assert (Own.smallest("photo"), Own.smallest("validation")) == (64, 1)


def test_answers_follow_only_the_value_of_the_lab():
    assert Longer.not_followed(Longer.values()) == {}
    assert Longer.not_followed(Longer.values() | {"loss": "l1", "steps": 3}) == {"loss": "l1"}


def test_nearest_declaration_of_a_shared_setting_counts():
    class Other(Own):
        steps = setting(5, "steps of something else", least=5)

    class Both(Other, Own):
        pass

    assert Both.values()["steps"] == 5
    for one in (Other, Both):
        assert (one.settings["steps"].least, one.settings["steps"].help) == (5, "steps of something else")


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ({"stepps": 3}, r"Unknown parameter 'stepps' \(did you mean steps\?\)"),
        ({"steps": 0}, "steps=0 must be at least 1"),
        ({"steps": ours(0.5)}, "steps=0.5 must be a whole number"),
        ({"loss": "l2"}, "loss='l2' must be one of mse, l1"),
        ({"betas": [0.5]}, "must be a list of 2 numbers"),
        ({"without_weights": {"losss": "l1"}}, "did you mean loss"),
        ({"photo": "me.png"}, "No recipe sets photo, which is a parameter"),
    ],
    ids=str,
)
def test_invalid_recipe_is_rejected_where_it_is_defined(written, words):
    with pytest.raises(SrlabError, match=words):
        type("Wrong", (Own,), written)


def test_file_with_an_invalid_recipe_is_named(tmp_path):
    text = (ROOT / "docs" / "own_lab" / "09_my_lab.py").read_text(encoding="utf-8")
    file = tmp_path / "09_my_lab.py"
    file.write_text(text, encoding="utf-8")
    assert read_book(file).lab.values()["batch"] == 8
    file.write_text(text.replace("iters = 4", "itters = 4"), encoding="utf-8")
    with pytest.raises(SrlabError, match=r"09_my_lab.py are not valid\. In Smoke: Unknown parameter 'itters'"):
        read_book(file)


# --- The recipes of the course ------------------------------------------------------------------------------------


@pytest.mark.parametrize("file", RECIPES, ids=lambda file: file.stem)
def test_each_recipe_is_described_and_used(file):
    book = read_book(file)
    assert {"laptop", "smoke"} <= book.recipes.keys()
    for name, recipe in book.recipes.items():
        assert issubclass(recipe, book.lab), name
        assert vars(recipe)["description"], name
        assert vars(recipe)["source"], name
        assert type(f"{name} again", (recipe,), recipe.values()).values() == recipe.values(), "all values are valid"


@pytest.mark.parametrize(
    ("lab", "machine", "name"),
    [
        ("04", LAPTOP, "laptop"),
        ("04", Machine("cpu", 0.0, 100_000, 2200.0), "photos"),
        ("04", Machine("cuda", 139.0, 100_000, 2200.0), "gpu"),
        ("04", Machine("cuda", 14.6, 100_000, 2200.0), "gpu-small"),
        ("04", Machine("cuda", 6.0, 100_000, 2200.0), "photos"),
        ("04", Machine("cuda", 139.0, 100_000, 3.6), "photos"),
        ("04", Machine("cuda", 139.0, 0, 2200.0), "laptop"),
        ("03", Machine("cuda", 139.0, 100_000, 2200.0), "gpu"),
        ("05", Machine("cuda", 139.0, 100_000, 2200.0), "laptop"),
    ],
)
def test_auto_selects_recipe_that_fits(lab, machine, name):
    found = pick_recipe(recipes_of(lab), "auto", machine)
    assert found.name == name
    assert found.why == f"it fits {machine}"


def test_paper_network_never_gets_laptop_rate():
    """Check the rate: with 2e-3, RRDBNet-23 reached a loss of 1e30; 2e-4 is stable for 23 blocks and 64 features."""
    for recipe in recipes_of("04").recipes.values():
        if recipe.size == "paper":
            assert 0 < recipe.pretrain_rate <= 4e-4
            assert recipe.learning_rate <= 2e-4


def test_only_the_high_rate_of_small_networks_needs_a_bound_on_the_gradient():
    for name, recipe in recipes_of("01").recipes.items():
        assert recipe.max_gradient == (0.0 if recipe.size == "paper" else 0.04), name


@pytest.mark.parametrize("file", RECIPES, ids=lambda file: file.stem)
def test_iters_are_steps_of_each_stage_of_each_recipe(file):
    book = read_book(file)
    for recipe in (pick_recipe(book, name, LAPTOP) for name in book.recipes):
        stages = {name: steps for name, steps in recipe.values.items() if name in STAGES}
        assert recipe.laid_out(0, {}) is recipe
        assert recipe.laid_out(recipe.values.get("iters", 0), stages) is recipe, "the same numbers, passed by name"
        for iters in (7, 100_000):
            found = recipe.laid_out(iters, {}).values
            assert {name: found[name] for name in stages} == {name: iters if stages[name] else 0 for name in stages}
            named = recipe.laid_out(iters, {"pretrain_iters": 500}).values
            assert named.get("pretrain_iters", 500) == (500 if stages.get("pretrain_iters", 500) else 0)
            for stage, milestones in STAGES.items():  # each at the same share of its stage
                for before, after in zip(recipe.values.get(milestones, []), found.get(milestones, []), strict=True):
                    assert not stages[stage] or after == max(1, round(before * iters / stages[stage]))


@pytest.mark.parametrize(
    ("name", "iters", "named", "wanted"),
    [
        ("gpu", 100_000, {}, {}),  # unchanged
        ("paper", 100_000, {}, {"milestones": [12_500, 25_000, 50_000, 75_000], "ema": 0.999}),
        ("paper", 100_000, {}, {"pretrain_milestones": [20_000, 40_000, 60_000, 80_000]}),
        ("paper", 0, {"pretrain_iters": 100_000}, {"pretrain_milestones": [20_000, 40_000, 60_000, 80_000]}),
        ("paper", 0, {"pretrain_iters": 0}, {"pretrain_iters": 0, "iters": 400_000}),
        ("photos", 2800, {}, {"validate_every": 280, "ema": 0.995}),  # the last 20 of 280 steps
        ("photos", 280_000, {}, {"validate_every": 5600, "ema": 0.999}),
        ("esrdgan", 1000, {}, {"pretrain_iters": 0, "ema": 0}),
    ],
)
def test_recipe_follows_its_numbers_of_steps(name, iters, named, wanted):
    recipe = picked("04", name)
    found = recipe.laid_out(iters, named)
    for key, value in wanted.items():
        assert found.values[key] == pytest.approx(value), key
    assert (found is recipe) == (not wanted)


def test_gpu_without_imagenet_uses_photos_losses_but_not_rates():
    gpu, photos = (recipes_of("04").recipes[name] for name in ("gpu", "photos"))
    without, of_photos = (one.values() | one.without_weights for one in (gpu, photos))
    for name in ("features", "relative", "max_shift", "pixel", "pixel_weight", "content_weight", "discriminator"):
        assert without[name] == of_photos[name]
    assert "learning_rate" not in gpu.without_weights


def test_table_lists_each_setting_with_help_and_source():
    recipe = picked("04", "paper").changed_by({"instance_noise": 0.5})
    table = recipe.table()
    assert table.count("<tr>") == len(recipe.rows()) == len(recipe.values) + 1
    for words in ("learning_rate", "0.0001", "learning rate of G", "Wang et al. 2018, section 4.1", "400,000", "you"):
        assert f">{words}<" in table
    assert "average of G&#39;s weights" in table


@pytest.mark.parametrize("text", ["-" * 10_000 + "1", "1+" * 10_000 + "1", "(" * 1000], ids=lambda text: text[:2])
def test_deeply_nested_text_stays_text(text):
    assert from_text(text) == text
