"""The results page says what its tables say."""

import re

import page
import pandas as pd
import pytest


@pytest.fixture
def results(tmp_path, monkeypatch):
    monkeypatch.setattr(page, "RESULTS", tmp_path)

    def put(name, **columns):
        pd.DataFrame(columns).to_csv(tmp_path / f"{name}.csv", index=False)

    return put


def test_every_place_of_the_text_has_a_part_and_every_part_a_place():
    places = re.findall(r"^\|(.+)\|$", page.TEXT.read_text(), re.MULTILINE)
    assert sorted(places) == sorted(page.PARTS)


def test_signs_count_starred_figures_and_name_the_others(results):
    results(
        "table1",
        data=["moons", "circles", "Adult"],
        measure=["cost", "cost", "cost"],
        published=[2.9, 45.6, -2.8],
        star=["*", "*", None],
        mean=[24.0, -12.25, 3.0],
        **{"from": [20.0, -57.0, 1.0], "to": [28.0, 32.5, 5.0]},
    )
    text = page.signs()
    assert "cost: our mean has the published sign on 1 of the 2 starred sets" in text
    assert "not on circles (-12.2 [-57.0, 32.5])." in text


def test_proposition_lists_values_of_tau_by_effect(results):
    lines = [
        (0.5, "masked", "sensitivity", 0.3),
        (0.5, "not masked", "sensitivity", 2.0),
        (0.5, "conventional", "sensitivity", 0.6),
        (0.5, "masked", "short", 0.4),
        (0.8, "masked", "sensitivity", 0.7),
        (0.8, "not masked", "sensitivity", 1.0),
        (0.8, "conventional", "sensitivity", 0.6),
        (0.8, "masked", "short", -0.4),
    ]
    tau, way, quantity, mean = zip(*lines, strict=True)
    results("figure1", tau=tau, way=way, quantity=quantity, mean=mean)
    text = page.proposition()
    assert "without it at 2 of 2 values" in text
    assert "conventional training at tau = 0.5 and more at 0.8" in text
    assert "stop before the exemplars at tau = 0.5 and move beyond them at 0.8" in text


def test_masking_lists_sets_by_the_interval_over_seeds(results):
    shares = {
        ("moons", "CT"): (0.2, 0.21, 0.2),
        ("moons", "unmasked"): (0.4, 0.4, 0.41),
        ("Adult", "CT"): (0.5, 0.51, 0.5),
        ("Adult", "unmasked"): (0.1, 0.1, 0.11),
        ("GMSC", "CT"): (0.2, 0.4, 0.3),
        ("GMSC", "unmasked"): (0.3, 0.3, 0.3),
    }
    lines = [
        {"data": data, "model": model, "seed": seed, "share": share}
        for (data, model), values in shares.items()
        for seed, share in enumerate(values)
    ]
    usual = pd.DataFrame(lines).assign(protected="other", step=0.1, rounds=100)
    results("masking_by_seed", **pd.concat([usual, usual.assign(step=0.25, share=0.0)]))
    text = page.masking_brings()
    assert "lower than without it on moons (other feature)" in text
    assert "higher on Adult (other feature)" in text
    assert "contains zero on GMSC (other feature)" in text


def test_protection_lists_sets_by_attribution_and_by_total(results):
    results(
        "table2",
        data=["moons", "Adult"],
        **{"total BL": [4.0, 4.0], "total CT": [2.0, 5.0]},
        **{"attribution mutable": [1.0, 1.0], "attribution CT": [1.5, 0.5]},
    )
    text = page.attributed()
    assert "lowers the total on moons." in text
    assert "on Adult and raises it on moons." in text


def test_rivals_list_the_sets_on_which_they_are_as_good(results):
    models = ["CT", "PGD", "TRADES", "JEM", "augmented"]
    means = {"moons": [30.0, 31.0, 30.0, -5.0, 2.0], "Adult": [10.0, 2.0, 11.0, 1.0, 0.0]}
    lines = [
        {"data": data, "model": model, "quantity": quantity, "mean": mean}
        for quantity in ("IP reduction", "IP* 5.0 reduction", "robust")
        for data, values in means.items()
        for model, mean in zip(models, values, strict=True)
    ]
    results("baselines", **pd.DataFrame(lines))
    sentences = page.rivals_as_good().splitlines()
    assert len(sentences) == 3
    as_good = "PGD on moons; TRADES on moons, Adult; JEM on none; augmented on none."
    assert sentences[0] == f"- Reduction of IP: {as_good}"


def test_ridge_and_divergence_list_sets_with_half_of_the_gain(results):
    means = {
        "moons": {"CT": 10, "CD": 9, "ridge": 5, "divergence": 4},
        "circles": {"CT": 10, "CD": 4, "ridge": -5, "divergence": 6},
        "Adult": {"CT": 1, "CD": 4, "ridge": 5, "divergence": 6},
    }
    lines = [
        {"data": data, "model": model, "quantity": quantity, "mean": mean, "from": mean - 2}
        for data, models in means.items()
        for model, mean in models.items()
        for quantity in ("IP reduction", "IP* 5.0 reduction")
    ]
    results("ridge", **pd.DataFrame(lines))
    text = page.ridge_and_divergence()
    assert "CT reduces IP on 2 sets" in text
    assert "by the ridge alone on moons; by the divergence alone on circles;" in text
    assert text.count("without the adversarial loss, on moons.") == 2


def test_stronger_attacks_report_the_largest_loss_of_accuracy(results):
    known = {"data": ["moons", "moons"], "model": ["CT", "BL"]}
    results("figure5", **known, attack=["pgd"] * 2, epsilon=[0.1] * 2, mean=[0.9, 0.8])
    results("attacks", **known, quantity=["worst"] * 2, mean=[0.85, 0.79])
    assert "reduces the accuracy by at most 0.050" in page.stronger()


def test_wide_table_keeps_the_order_and_marks_what_is_missing():
    frame = pd.DataFrame(
        {
            "data": ["moons", "moons", "circles"],
            "model": ["CT", "BL", "CT"],
            "mean": [1.0, 2.0, 3.0],
            "from": [0.5, None, 2.5],
            "to": [1.5, None, 3.5],
        }
    )
    table = page.wide(frame, "data", "model")
    assert table.columns.tolist() == ["data", "CT", "BL"]
    assert table.to_numpy().tolist() == [
        ["moons", "1.0 [0.5, 1.5]", "2.0"],
        ["circles", "3.0 [2.5, 3.5]", "–"],
    ]
    assert page.directive(table).splitlines()[0] == ".. csv-table::"
    assert '   "circles", "3.0 [2.5, 3.5]", "–"' in page.directive(table)
