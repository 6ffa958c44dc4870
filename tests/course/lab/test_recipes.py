"""Test srlab_course.lab.recipes: the hyperparameters of a lab, scaled to the requested length."""

import sys

import pytest

from srlab.errors import SrlabError
from srlab_course.lab.parameters import check_parameters, from_text
from srlab_course.lab.recipes import STAGES, pick_recipe, read_book
from tests.conftest import RECIPES

LAPTOP = {"device": "cpu", "iters": 0, "memory_gib": 0.0, "megapixels": 3.6}
H200 = {"device": "cuda", "iters": 100_000, "memory_gib": 139.0, "megapixels": 2200.0}


def recipes_of(lab):
    return read_book(next(file for file in RECIPES if file.stem.startswith(lab)))


@pytest.mark.parametrize("file", RECIPES, ids=lambda file: file.stem)
def test_recipes_only_set_known_parameters(file):
    book = read_book(file)
    assert {*book.choices, *book.minimum} <= {*book.parameters, *book.help}
    assert set(book.min_image_size) <= set(book.parameters)
    check_parameters(book.parameters, book.parameters, book.choices, book.minimum)
    for recipe in book.recipes.values():
        check_parameters(book.recipes["laptop"].values, recipe.values, book.choices, book.minimum)
        assert {*recipe.without_weights, *recipe.sources} <= set(recipe.values)
        assert set(recipe.requires or ()) <= set(LAPTOP)


@pytest.mark.parametrize(
    ("lab", "facts", "name"),
    [
        ("04", LAPTOP, "laptop"),
        ("04", LAPTOP | {"iters": 100_000, "megapixels": 2200.0}, "photos"),
        ("04", H200, "gpu"),
        ("04", H200 | {"memory_gib": 14.6}, "gpu-small"),
        ("04", H200 | {"memory_gib": 6.0}, "photos"),
        ("04", H200 | {"megapixels": 3.6}, "photos"),
        ("04", H200 | {"iters": 0}, "laptop"),
        ("03", H200, "gpu"),
        ("05", H200, "laptop"),
    ],
)
def test_auto_selects_recipe_that_fits(lab, facts, name):
    assert pick_recipe(recipes_of(lab), "auto", facts).name == name


def test_paper_network_never_gets_laptop_rate():
    """Check the rate: with 2e-3, RRDBNet-23 reached a loss of 1e30; 2e-4 is stable for 23 blocks and 64 features."""
    for recipe in recipes_of("04").recipes.values():
        if recipe.values["size"] == "paper":
            assert 0 < recipe.values["pretrain_rate"] <= 4e-4
            assert recipe.values["learning_rate"] <= 2e-4


def test_only_the_high_rate_of_small_networks_needs_a_bound_on_the_gradient():
    for recipe in recipes_of("01").recipes.values():
        assert recipe.values["max_gradient"] == (0.0 if recipe.values["size"] == "paper" else 0.04), recipe.name


@pytest.mark.parametrize("file", RECIPES, ids=lambda file: file.stem)
def test_iters_are_steps_of_each_stage_of_each_recipe(file):
    for recipe in read_book(file).recipes.values():
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
    recipe = recipes_of("04").recipes[name]
    found = recipe.laid_out(iters, named)
    for key, value in wanted.items():
        assert found.values[key] == pytest.approx(value), key
    assert (found is recipe) == (not wanted)


def test_gpu_without_imagenet_uses_photos_losses_but_not_rates():
    gpu, photos = (recipes_of("04").recipes[name] for name in ("gpu", "photos"))
    without, of_photos = (one.values | one.without_weights for one in (gpu, photos))
    for name in ("features", "relative", "max_shift", "pixel", "pixel_weight", "content_weight", "discriminator"):
        assert without[name] == of_photos[name]
    assert "learning_rate" not in gpu.without_weights


def test_table_lists_each_setting_with_help_and_source():
    recipe = recipes_of("04").recipes["paper"].changed_by({"instance_noise": 0.5})
    table = recipe.table()
    assert table.count("<tr>") == len(recipe.rows()) == len(recipe.values) + 1
    for words in ("learning_rate", "0.0001", "learning rate of G", "Wang et al. 2018, section 4.1", "400,000", "you"):
        assert f">{words}<" in table
    assert "average of G&#39;s weights" in table


HEAD = "parameters: {}\nchoices: {}\nminimum: {}\nmin_image_size: {}\nhelp: {a: b}"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "its head: "),
        ("help: [", "its head: "),
        pytest.param("help: " + "[" * 10_000, "its head: ", id="nested"),
        (f"{HEAD}\nlaptop: {{description: x, source: y, values: {{a: 1}}, requries: {{}}}}", "laptop: .* 'requries'"),
        (f"{HEAD}\nlaptop: {{description: x, source: y, values: {{b: 1}}}}", "laptop: missing .* a, b"),
        (f"{HEAD}\nlaptop: {{description: x, values: {{a: 1}}}}", "laptop: .* 'source'"),
        (f"{HEAD}\nlaptop: {{description: x, source: y, extends: lapptop, values: {{a: 1}}}}", "laptop: 'lapptop'"),
    ],
)
def test_damaged_recipe_file_is_reported(tmp_path, text, words):
    (tmp_path / "lab.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(SrlabError, match=rf"lab.yaml cannot be read \({words}"):
        read_book(tmp_path / "lab.yaml")


@pytest.mark.parametrize(
    "path", ["own.x", "srlab_course.workshops.designs.__main__.x", "srlab.__main__", "srlab.losses.no", "srlab.losses"]
)
def test_choices_import_only_tables_of_srlab(tmp_path, monkeypatch, path):
    (tmp_path / "own.py").write_text("raise AssertionError('it was imported')", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(SrlabError, match=rf"choices of scale are '{path}'\. Use a list, or a table of srlab"):
        check_parameters({"scale": 4}, {"scale": 2}, {"scale": path})
    assert not [name for name in sys.modules if name.endswith(".__main__")]


@pytest.mark.parametrize("text", ["-" * 10_000 + "1", "1+" * 10_000 + "1", "(" * 1000], ids=lambda text: text[:2])
def test_deeply_nested_text_stays_text(text):
    assert from_text(text) == text
