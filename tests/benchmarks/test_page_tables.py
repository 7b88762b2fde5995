"""Tables of the results page have data sets as rows and models as columns."""

import page_tables
import pandas as pd


def outcomes(**means):
    """Return a final table with one quantity for each model of moons and circles."""
    lines = [
        {"data": data, "model": model, "quantity": quantity, "mean": mean + (data == "circles")}
        for quantity in ("accuracy", "robust")
        for data in ("moons", "circles")
        for model, mean in means.items()
    ]
    return pd.DataFrame(lines).assign(**{"from": None, "to": None})


def test_each_quantity_has_a_table_and_only_the_first_is_open():
    quantities = {"robust": ("Accuracy under attack", 1), "accuracy": ("Accuracy", 3)}
    text = page_tables.by_quantity(outcomes(BL=0.5, CT=0.25), "data", "model", quantities)
    assert text.count("<details class=table open><summary>Accuracy under attack</summary>") == 1
    assert text.count("<details class=table><summary>Accuracy</summary>") == 1
    assert text.count("</details>") == 2
    assert text.count(':header: "data", "BL", "CT"') == 2
    assert '   "moons", "0.500", "0.250"\n   "circles", "1.500", "1.250"' in text


def test_table_1_puts_the_paper_next_to_ours():
    lines = [
        {"data": data, "measure": measure, "published": 2.5, "+-": 0.5, "star": star, "mean": mean}
        for data, star in (("moons", "*"), ("circles", None))
        for measure, mean in (("IP", 1.0), ("IP* 5.0", 2.0), ("cost", 3.0), ("IP* 0.5", 9.0))
    ]
    table = pd.DataFrame(lines).assign(**{"from": 0.0, "to": 4.0, "error": 7.0})
    text = page_tables.table_1(table.assign(stars="1 better, 0 worse of 5", sign="agrees"))
    heads = ("IP: paper", "IP: ours", "IP*: paper", "IP*: ours", "cost: paper", "cost: ours")
    assert ", ".join(f'"{head}"' for head in heads) in text
    paper = "2.50 ± 0.50*"
    row = (paper, "1.0 [0.0, 4.0]", paper, "2.0 [0.0, 4.0]", paper, "3.0 [0.0, 4.0]")
    assert '"moons", ' + ", ".join(f'"{cell}"' for cell in row) in text
    assert '"circles", "2.50 ± 0.50", "1.0 [0.0, 4.0]"' in text
    assert '"7.0", "1 better, 0 worse of 5", "agrees"' in text
    assert "9.0" not in text


def test_attributions_have_a_table_for_each_part():
    parts = ("share", "attribution", "total")
    means = {"BL": 1.0, "mutable": 2.0, "CT": 3.0}
    columns = {f"{part} {model}": [mean] for part in parts for model, mean in means.items()}
    text = page_tables.attributions(pd.DataFrame({"data": ["moons"], **columns}))
    assert text.count('"data", "BL", "CT, all mutable", "CT, protected"') == 3
    assert text.count('"moons", "1.00", "2.00", "3.00"') == 3


def test_digits_have_a_table_of_their_own():
    lines = [
        {"data": data, "class": label, "quantity": quantity, "mean": 0.5, "from": None}
        for data, n_classes in (("moons", 2), ("MNIST", 3))
        for label in range(n_classes)
        for quantity in ("IP reduction", "IP* 5.0 reduction", "recall BL", "recall CT")
    ]
    text = page_tables.classes(pd.DataFrame(lines))
    assert text.count(':header: "data", "class 0", "class 1"\n') == 4
    assert '"2", "0.5", "0.5", "0.500", "0.500"' in text
