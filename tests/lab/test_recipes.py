"""srlab.lab.recipes: which numbers a lab trains by, laid out for the length that is asked for."""

import pytest

from srlab.base.errors import SrlabError
from srlab.lab.parameters import check_parameters
from srlab.lab.recipes import pick_recipe, read_book
from tests.conftest import ROOT

FILES = sorted((ROOT / "notebooks" / "recipes").glob("*.yaml"))
LAPTOP = {"device": "cpu", "iters": 0, "memory_gib": 0.0, "processes": 1, "megapixels": 3.6}
H200 = {"device": "cuda", "iters": 100_000, "memory_gib": 139.0, "processes": 1, "megapixels": 2200.0}


@pytest.fixture(params=FILES, ids=lambda file: file.stem)
def book(request):
    return read_book(request.param)


def recipes_of(lab):
    return read_book(next(file for file in FILES if file.stem.startswith(lab)))


def test_each_recipe_has_each_number_of_the_kind_of_the_laptops(book):
    for recipe in book.recipes.values():
        check_parameters(book.recipes["laptop"].values, recipe.values, book.choices, book.least)
        assert set(recipe.sources) == set(recipe.values)
        assert recipe.about
        names = {*recipe.get("scales", ()), *recipe.get("ours", ()), *recipe.get("without_weights", ())}
        assert names <= set(recipe.values)
        assert set(recipe.get("when", ())) <= set(LAPTOP)


def test_what_values_are_checked_by_is_said_of_parameters_and_numbers_that_there_are(book):
    assert {*book.choices, *book.least} <= {*book.parameters, *book.meaning}
    assert set(book.sides) <= set(book.parameters)
    check_parameters(book.parameters, book.parameters, book.choices, book.least)


FEW_PHOTOS = "needs 30 megapixels of photos, such as -p images div2k"


@pytest.mark.parametrize(
    ("lab", "facts", "name", "better"),
    [
        ("04", LAPTOP, "laptop", ""),
        ("04", LAPTOP | {"iters": 100_000, "megapixels": 2200.0}, "photos", ""),
        ("04", H200, "gpu", ""),
        ("04", H200 | {"memory_gib": 14.6}, "gpu-small", ""),
        ("04", H200 | {"memory_gib": 6.0}, "photos", ""),
        ("04", H200 | {"processes": 8}, "gpus", ""),
        ("04", H200 | {"megapixels": 3.6}, "photos", FEW_PHOTOS),
        ("04", H200 | {"iters": 0}, "laptop", "needs -p iters 5,000 or more"),
        ("01", H200, "gpu", ""),
        ("02", H200, "gpu", ""),
        ("03", H200, "gpu", ""),
        ("05", H200, "laptop", ""),
        ("00", LAPTOP, "laptop", ""),
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
    gpu = pick_recipe(recipes_of("04"), "gpu", LAPTOP)
    assert gpu.laid_out(0) is gpu.laid_out(100_000) is gpu, "its own length leaves it as it is"
    paper = pick_recipe(recipes_of("04"), "paper", LAPTOP).laid_out(100_000)
    assert paper.values["pretrain_iters"] == 250_000
    assert paper.values["milestones"] == [12_500, 25_000, 50_000, 75_000]
    assert paper.values["ema"] == 0.999
    assert "for 100,000 steps" in paper.sources["milestones"]
    long = pick_recipe(recipes_of("04"), "photos", LAPTOP).laid_out(2800)
    assert long.values["pretrain_iters"] == 6000
    assert long.values["ema"] == pytest.approx(0.995)  # looks back over the same share: 20 of 280, 200 of 2,800
    assert long.values["validate_every"] == 280
    assert long.laid_out(280_000).values["validate_every"] == 5600
    assert long.laid_out(280_000).values["ema"] == 0.999
    without_stage = pick_recipe(recipes_of("04"), "esrdgan", LAPTOP).laid_out(1000)
    assert without_stage.values["pretrain_iters"] == 0
    assert without_stage.values["ema"] == 0


def test_without_imagenet_weights_a_gpu_takes_the_losses_of_photos_and_not_its_rates():
    gpu, photos = (pick_recipe(recipes_of("04"), name, H200, real_features=False) for name in ("gpu", "photos"))
    for name in ("features", "relative", "shift", "pixel", "pixel_weight", "content_weight", "discriminator"):
        assert gpu.values[name] == photos.values[name]
        assert gpu.sources[name] == "this course, as there are no ImageNet weights here"
    assert gpu.values["learning_rate"] == 1e-4
    assert pick_recipe(recipes_of("04"), "gpu", H200).values["features"] == "vgg19 conv5_4"


def test_the_table_has_each_number_with_its_meaning_and_where_it_comes_from():
    recipe = pick_recipe(recipes_of("04"), "paper", LAPTOP).changed_by({"noise": 0.5})
    table = recipe.table()
    assert table.count("<tr>") == len(recipe.values) + 1
    for cells in (
        ("learning_rate", "0.0001", "learning rate of G", "Wang et al. 2018, section 4.1"),
        ("ema", "0.999", "decay of the moving average of G&#x27;s weights; 0 keeps none", "this course"),
        ("iters", "400,000", "steps of the GAN stage", "Wang et al. 2018, section 4.1"),
    ):
        assert "".join(f'<td style="text-align:left">{cell}</td>' for cell in cells) in table
    assert ">you<" in table
    text = recipe.text().splitlines()
    assert len(text) == len(recipe.values) + 1
    assert [line.split()[:2] for line in text if line.startswith("learning_rate ")] == [["learning_rate", "0.0001"]]


def test_the_table_says_once_where_its_numbers_come_from_if_it_is_the_same_for_all():
    recipe = pick_recipe(recipes_of("01"), "laptop", LAPTOP)
    table = recipe.table()
    assert table.count("<tr>") == len(recipe.values) + 1
    assert table.count("this course, by trying on two cores") == 1
    assert ">from<" not in table
    assert ">from<" in recipe.changed_by({"batch": 4}).table()


def test_an_unknown_recipe_is_refused_with_the_known_ones():
    with pytest.raises(SrlabError, match=r"no recipe 'gpuu'; choose auto, laptop, photos, smoke, paper, .*, gpus\."):
        pick_recipe(recipes_of("04"), "gpuu", LAPTOP)


HEAD = "parameters: {}\nchoices: {}\nleast: {}\nsides: {}\nmeaning: {a: b}"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "cannot be read"),
        (f"{HEAD}\nlaptop: {{about: x, source: y, values: {{a: 1}}, wehn: {{}}}}", "has wehn"),
        (f"{HEAD}\nlaptop: {{about: x, source: y, values: {{b: 1}}}}", "lack a, b"),
        (f"{HEAD}\nlaptop: {{about: x, values: {{a: 1}}}}", "laptop has no source"),
        (f"{HEAD}\nlaptop: {{about: x, source: y, like: lapptop, values: {{a: 1}}}}", "is like lapptop, and no recipe"),
        ("meaning: [", "cannot be read"),
    ],
)
def test_a_damaged_file_is_one_sentence(tmp_path, text, words):
    (tmp_path / "lab.yaml").write_text(text)
    with pytest.raises(SrlabError, match=words):
        read_book(tmp_path / "lab.yaml")
