"""srlab.course.recipes: which numbers a lab trains by, laid out for the length that is asked for."""

import pytest

from srlab.course.parameters import check_parameters
from srlab.course.recipes import pick_recipe, read_book
from srlab.errors import SrlabError
from tests.conftest import RECIPES

LAPTOP = {"device": "cpu", "iters": 0, "memory_gib": 0.0, "processes": 1, "megapixels": 3.6}
H200 = {"device": "cuda", "iters": 100_000, "memory_gib": 139.0, "processes": 1, "megapixels": 2200.0}


def recipes_of(lab):
    return read_book(next(file for file in RECIPES if file.stem.startswith(lab)))


@pytest.mark.parametrize("file", RECIPES, ids=lambda file: file.stem)
def test_what_a_file_says_is_about_parameters_and_numbers_that_there_are(file):
    book = read_book(file)
    assert {*book.choices, *book.least} <= {*book.parameters, *book.meaning}
    assert set(book.sides) <= set(book.parameters)
    check_parameters(book.parameters, book.parameters, book.choices, book.least)
    for recipe in book.recipes.values():
        check_parameters(book.recipes["laptop"].values, recipe.values, book.choices, book.least)
        assert {*recipe.scales, *recipe.without_weights, *recipe.sources} <= set(recipe.values)
        assert set(recipe.when or ()) <= set(LAPTOP)


@pytest.mark.parametrize(
    ("lab", "facts", "name", "better"),
    [
        ("04", LAPTOP, "laptop", ""),
        ("04", LAPTOP | {"iters": 100_000, "megapixels": 2200.0}, "photos", ""),
        ("04", H200, "gpu", ""),
        ("04", H200 | {"memory_gib": 14.6}, "gpu-small", ""),
        ("04", H200 | {"memory_gib": 6.0}, "photos", ""),
        ("04", H200 | {"processes": 8}, "gpus", ""),
        ("04", H200 | {"megapixels": 3.6}, "photos", "needs 30 megapixels of photos, such as -p images div2k"),
        ("04", H200 | {"iters": 0}, "laptop", "needs -p iters 5,000 or more"),
        ("03", H200, "gpu", ""),
        ("05", H200, "laptop", ""),
    ],
)
def test_auto_takes_what_fits_and_names_what_would_be_better_and_can_be_had(lab, facts, name, better):
    taken = pick_recipe(recipes_of(lab), "auto", facts)
    assert taken.name == name
    assert better in taken.why
    assert ("needs" in taken.why) == bool(better)


def test_a_network_of_the_papers_never_gets_the_rate_of_the_laptop():
    """2e-3 took RRDBNet-23 to a loss of 1e30; for 23 blocks and 64 features 2e-4 holds."""
    for recipe in recipes_of("04").recipes.values():
        if recipe.values["size"] == "paper":
            assert 0 < recipe.values["pretrain_rate"] <= 4e-4
            assert recipe.values["learning_rate"] <= 2e-4


def test_a_longer_run_keeps_the_shares_of_the_whole():
    recipes = recipes_of("04").recipes
    assert recipes["gpu"].laid_out(0) is recipes["gpu"].laid_out(100_000) is recipes["gpu"]
    paper = recipes["paper"].laid_out(100_000)
    assert paper.values["pretrain_iters"] == 250_000
    assert paper.values["milestones"] == [12_500, 25_000, 50_000, 75_000]
    assert paper.values["ema"] == 0.999
    assert "for 100,000 steps" in paper.sources["milestones"]
    long = recipes["photos"].laid_out(2800)
    assert long.values["pretrain_iters"] == 6000
    assert long.values["ema"] == pytest.approx(0.995)  # looks back over the same share: 20 of 280, 200 of 2,800
    assert long.values["validate_every"] == 280
    assert long.laid_out(280_000).values["validate_every"] == 5600
    assert long.laid_out(280_000).values["ema"] == 0.999
    without_stage = recipes["esrdgan"].laid_out(1000)
    assert (without_stage.values["pretrain_iters"], without_stage.values["ema"]) == (0, 0)


def test_without_imagenet_weights_a_gpu_takes_the_losses_of_photos_and_not_its_rates():
    gpu, photos = (recipes_of("04").recipes[name] for name in ("gpu", "photos"))
    without, of_photos = (one.values | one.without_weights for one in (gpu, photos))
    for name in ("features", "relative", "shift", "pixel", "pixel_weight", "content_weight", "discriminator"):
        assert without[name] == of_photos[name]
    assert "learning_rate" not in gpu.without_weights
    assert gpu.values["features"] == "vgg19 conv5_4"


def test_the_table_has_each_number_with_its_meaning_and_where_it_comes_from():
    recipe = recipes_of("04").recipes["paper"].changed_by({"noise": 0.5})
    table, rows = recipe.table(), recipe.rows()
    assert table.count("<tr>") == len(rows) == len(recipe.values) + 1
    for cells in (
        ("learning_rate", "0.0001", "learning rate of G", "Wang et al. 2018, section 4.1"),
        ("ema", "0.999", "decay of the moving average of G&#x27;s weights; 0 keeps none", "this course"),
        ("iters", "400,000", "steps of the GAN stage", "Wang et al. 2018, section 4.1"),
    ):
        assert "".join(f'<td style="text-align:left">{cell}</td>' for cell in cells) in table
    assert ">you<" in table


HEAD = "parameters: {}\nchoices: {}\nleast: {}\nsides: {}\nmeaning: {a: b}"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "its head: "),
        ("meaning: [", "its head: "),
        (f"{HEAD}\nlaptop: {{about: x, source: y, values: {{a: 1}}, wehn: {{}}}}", "laptop: .* 'wehn'"),
        (f"{HEAD}\nlaptop: {{about: x, source: y, values: {{b: 1}}}}", "laptop: .* lack a, b"),
        (f"{HEAD}\nlaptop: {{about: x, values: {{a: 1}}}}", "laptop: .* 'source'"),
        (f"{HEAD}\nlaptop: {{about: x, source: y, like: lapptop, values: {{a: 1}}}}", "laptop: 'lapptop'"),
    ],
)
def test_a_damaged_file_is_one_sentence(tmp_path, text, words):
    (tmp_path / "lab.yaml").write_text(text)
    with pytest.raises(SrlabError, match=rf"lab.yaml cannot be read \({words}"):
        read_book(tmp_path / "lab.yaml")
