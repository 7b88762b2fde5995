"""The first figure and its text show what counterfactual training changes, by seed."""

import matplotlib.pyplot as plt
import page_summary
import pandas as pd
import pytest

BETTER, WORSE, UNDECIDED = (10.0, 11.0, 12.0), (-10.0, -11.0, -12.0), (-10.0, 0.0, 11.0)


@pytest.fixture
def tables():
    """Outcomes of three seeds, and the paper's figures, on three data sets."""
    reductions = {"moons": BETTER, "circles": WORSE, "Adult": UNDECIDED}
    seeds = [
        {"data": data, "seed": seed, "measure": measure, "reduction": reduction}
        for data, values in reductions.items()
        for seed, reduction in enumerate(values)
        for measure in ("IP", "IP* 5.0", "cost", "IP* 0.5")
    ]
    models = [
        {"data": data, "seed": seed, "model": model, "attack": attack, "epsilon": epsilon}
        for data in reductions
        for seed in range(3)
        for model in ("CT", "BL")
        for attack in ("fgsm", "pgd")
        for epsilon in (0.0, 0.1)
    ]
    models = pd.DataFrame(models)
    gain = (models["model"] == "CT") * models["data"].map(
        {"moons": 0.1, "circles": -0.2, "Adult": 0}
    )
    models["accuracy"] = 0.5 + gain * (models["epsilon"] > 0) * (models["attack"] == "pgd")
    validity = models[(models["attack"] == "pgd") & (models["epsilon"] == 0)].copy()
    validity["validity"] = 0.5 + gain
    papers = [
        {"data": data, "measure": measure, "published": 5.0}
        for data in reductions
        for measure in ("IP", "IP* 5.0", "cost")
    ]
    shares = [
        {"data": data, "model": model, "published": 0.5 + 0.25 * (model == "CT")}
        for data in reductions
        for model in ("CT", "BL", "CT protected")
    ]
    return {
        "table1": pd.DataFrame(papers),
        "table3": pd.DataFrame(shares),
        "table1_by_seed": pd.DataFrame(seeds),
        "table3_by_seed": validity,
        "figure5_by_seed": models,
    }


def by_seed(tables):
    return [tables[f"{name}_by_seed"] for name in ("table1", "table3", "figure5")]


def test_changes_are_reductions_and_differences_in_points(tables):
    found = page_summary.changes(*by_seed(tables)).set_index(["title", "data"])["change"]
    # A stable sort keeps the order of the seeds; older versions of pandas warn without it.
    found = found.sort_index(kind="stable")
    assert found["IP", "moons"].tolist() == list(BETTER)
    assert found["validity", "circles"].tolist() == pytest.approx([-20] * 3)
    assert found["accuracy", "moons"].tolist() == [0] * 3
    assert found["accuracy under attack", "moons"].tolist() == pytest.approx([10] * 3)


def test_text_sorts_data_sets_by_the_interval_over_seeds(tables):
    lines = page_summary.text(*by_seed(tables)).splitlines()
    assert lines[0] == "- IP: better on moons; worse on circles; undecided on Adult."
    assert [line.split(":")[0] for line in lines[1:]] == [
        *("- IP*", "- cost", "- validity", "- accuracy", "- accuracy under attack")
    ]


def test_figure_shows_every_seed_every_mean_and_the_paper(tables):
    figure = page_summary.draw(tables)
    panel, *_, last = figure.axes
    markers = {marker: [] for marker in (".", "o", "D")}
    for line in panel.lines:
        if line.get_marker() in markers:
            markers[line.get_marker()] += list(line.get_xdata())
    assert markers["."] == [*BETTER, *WORSE, *UNDECIDED]
    assert markers["o"] == pytest.approx([11, -11, 1 / 3])
    assert markers["D"] == [5.0] * 3
    assert [label.get_text() for label in panel.get_yticklabels()] == ["moons", "circles", "Adult"]
    assert last.get_xlabel() == "change, percentage points"
    assert not any(line.get_marker() == "D" for line in last.lines)
    plt.close(figure)
