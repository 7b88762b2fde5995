"""The results page compares searches on the same seeds, and reports what is proven."""

import re

import page_proofs
import pandas as pd
import pytest


def outcomes(reduction, **columns):
    """Return outcomes of ``cheapest.py`` for BL and CT on moons, for two seeds."""
    lines = [
        {
            "data": "moons",
            "seed": seed,
            "model": model,
            "validity": 1.0,
            "decision validity": 1.0,
            "IP reduction": reduction * (model == "CT"),
            "IP* 5.0 reduction": -1.0 * (model == "CT"),
            "decision IP": 2.0 if model == "BL" else 1.0,
            "decision IP5": 1.0 if model == "BL" else 1.5,
            **dict.fromkeys(("ECCCo", "nearest", "exists", "optimal"), 0.5),
            **dict.fromkeys(("impossible", "impossible at 0.5"), 0.5),
            **{"open": 0.0, "nearest / cheapest": 1.0, "ECCCo / nearest": 2.0},
            **columns,
        }
        for seed in (0, 1)
        for model in ("BL", "CT")
    ]
    return pd.DataFrame(lines)


def folded_tables(text):
    """Return the header and rows of each table by its title."""
    titles = re.findall(r"<summary>(.*)</summary>", text)
    tables = [
        re.findall(r'^   (?::header: )?(".*")$', part, re.M) for part in text.split("<summary>")
    ]
    return dict(zip(titles, tables[1:], strict=True))


@pytest.fixture
def by_eccco():
    """Outcomes by seed of Figure 6 and of the baselines; a third seed has no proof."""
    known = [
        {"data": "moons", "seed": seed, "model": "CT", "measure": measure, "reduction": reduction}
        for seed, reduction in enumerate((10.0, 30.0, 500.0))
        for measure in ("IP", "IP* 5.0")
    ]
    baselines = pd.DataFrame(
        {"data": "moons", "seed": [0], "model": "CT", "IP reduction": 9.0, "IP* 5.0 reduction": 9.0}
    )
    return pd.DataFrame(known), baselines


def test_reductions_by_both_searches_are_of_the_same_seeds(by_eccco):
    known = page_proofs.reductions(outcomes(4.0), *by_eccco)
    assert known["IP reduction by ECCCo"].tolist() == [10.0, 30.0]
    assert known["IP reduction"].tolist() == [4.0, 4.0]
    # Half of the distance, and one and a half times the distance, of BL.
    assert known["decision IP reduction"].tolist() == [50.0, 50.0]
    assert known["decision IP5 reduction"].tolist() == [-50.0, -50.0]
    tables = folded_tables(page_proofs.plausibility(outcomes(4.0), *by_eccco))
    rows = ["20.0", "4.0", "50.0", "20.0", "-1.0", "-50.0", "2"]
    assert list(tables.values()) == [['"data", "CT"', f'"moons", "{row}"'] for row in rows]
    assert list(tables)[-1] == "Number of seeds"


def test_gains_that_the_nearest_search_does_not_see_are_named(by_eccco):
    text = page_proofs.kept_gains(outcomes(-4.0), *by_eccco)
    assert "- IP, by nearest: 0 of the 1 reductions" in text
    assert "remain on none and do not on moons." in text
    assert "- IP, by nearest up to the decision: 1 of the 1 reductions" in text


def test_costs_are_relative_to_conventional_training():
    known = outcomes(4.0)
    factor = known["model"].map({"BL": 1.0, "CT": 3.0})
    known = known.assign(**{"cost": 2 * factor, "decision cost": factor})
    assert page_proofs.costs(known).count(": 3.00 on moons.") == 2


def test_existence_counts_all_rows():
    text = page_proofs.existence(outcomes(4.0))
    assert "Over all 200 rows" in text
    assert "known for 50.0%, proven not to exist for 50.0%, and neither for 0.0%" in text
    assert "For 100 rows it is proven" in text
    assert "For no row is it proven" in page_proofs.existence(
        outcomes(4.0, **{"impossible at 0.5": 0.0})
    )


def test_validity_has_an_interval_for_five_seeds_only():
    few = outcomes(4.0)
    many = pd.concat([few[few["model"] == "CT"].assign(seed=seed) for seed in range(5)])
    many = many.drop_duplicates("seed")
    table_3 = many[["data", "seed", "model", "validity"]]
    assert "[" not in page_proofs.validity(many[many["seed"] < 4], table_3)
    tables = folded_tables(page_proofs.validity(many, table_3))
    assert tables["Valid: ECCCo"] == ['"data", "CT"', '"moons", "1.00 [1.00, 1.00]"']
    assert tables["Number of seeds"] == ['"data", "CT"', '"moons", "5"']


def test_models_are_columns_in_the_order_of_the_protocol():
    known = pd.concat([outcomes(4.0), outcomes(4.0).assign(data="Adult")])
    known = known[(known["data"] == "moons") | (known["model"] == "BL")]
    table_3 = known[["data", "seed", "model", "validity"]]
    tables = folded_tables(page_proofs.validity(known.iloc[::-1], table_3))
    assert tables["Exists"] == [
        '"data", "BL", "CT"',
        '"Adult", "0.50", "–"',
        '"moons", "0.50", "0.50"',
    ]


def test_recourse_has_a_table_for_each_model_with_groups_as_rows():
    titles = [
        *("ECCCo finds none", "nearest finds none", "rows proven", "exists", "impossible", "open"),
        *("optimal", "nearest cost", "cheapest cost", "cheapest changes", "ECCCo / nearest"),
    ]
    lines = [
        {"model": model, "group": group, "quantity": title, "mean": mean}
        for model, mean in (("BL", 0.25), ("CT", 0.5))
        for group in ("Male", "Female")
        for title in titles
    ]
    tables = folded_tables(page_proofs.recourse(pd.DataFrame(lines)))
    assert list(tables) == ["BL", "CT"]
    head, men, women = tables["CT"]
    assert head.startswith('"group", "ECCCo finds none", "nearest finds none", "rows proven"')
    assert men.startswith('"Male", "0.50", "0.50", "0", "0.50"')
    assert women.startswith('"Female"')


def test_models_with_low_validity_are_counted_by_eccco_and_named_by_nearest():
    known = outcomes(4.0)
    known["decision validity"] = known["model"].map({"BL": 0.75, "CT": 0.99})
    table_3 = known[["data", "seed", "model"]].copy()
    table_3["validity"] = 0.5
    text = page_proofs.reached_by_nearest(known, table_3)
    assert "valid for 2 of these 2 models" in text
    assert text.endswith("valid for: BL on moons (75%).")


def test_recourse_is_reported_by_model_and_group():
    titles = ["exists", "impossible", "open", "cheapest cost", "nearest finds none"]
    lines = [
        {"model": model, "group": group, "quantity": title, "mean": mean, "from": 0.4, "to": 0.6}
        for model in ("BL", "CT")
        for group in ("Female", "Male")
        for title, mean in zip(titles, (0.75, 0.25, 0.0, 0.5, 0.125), strict=True)
    ]
    text = page_proofs.has_recourse(pd.DataFrame(lines))
    assert (
        "- CT: 75.0% of the proven rows have recourse, 25.0% have none, and 0.0% are open" in text
    )
    assert "finds none for at most 12.5% of all rejected rows" in text
    assert "0.50 [0.40, 0.60] for women" in text
