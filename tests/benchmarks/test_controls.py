"""The strongest setting that keeps the validation accuracy is chosen, and no test row counts."""

import controls
import pytest
from controls import strongest
from protocol import PROTOCOLS

ACCURACIES = {0.1: 0.900, 0.3: 0.896, 1: 0.899, 3: 0.890, 10: 0.7}


def test_the_strongest_setting_within_half_a_point_is_chosen():
    assert strongest(ACCURACIES.get, ACCURACIES, 0.901) == (1, True)
    # Half a point itself is permitted, whatever the rounding of the difference.
    assert strongest(ACCURACIES.get, ACCURACIES, 0.895) == (3, True)
    assert strongest(ACCURACIES.get, ACCURACIES, 0.8951) == (1, True)


def test_the_weakest_setting_is_chosen_if_none_keeps_the_accuracy():
    assert strongest(ACCURACIES.get, ACCURACIES, 0.95) == (0.1, False)


def test_settings_below_the_chosen_one_are_not_trained():
    asked = []

    def accuracy_of(strength):
        asked.append(strength)
        return ACCURACIES[strength]

    strongest(accuracy_of, (0.3, 10, 0.1, 3, 1), 0.9)
    assert asked == [10, 3, 1]


@pytest.mark.parametrize("name", [name for name in controls.CONTROLS if name != "CT within"])
def test_a_control_trains_without_counterfactuals_at_each_strength(name):
    control = controls.CONTROLS[name]
    for strength in control.grid:
        clf = control.estimator(**control.parameters(strength, None))
        assert strength in clf.get_params().values()
        is_rival = "strength" in clf.get_params()
        assert is_rival or not (clf.lambda_div or clf.lambda_adv or clf.lambda_reg)


def test_counterfactual_training_scales_all_weights_of_the_paper():
    parameters = controls.CONTROLS["CT within"].parameters(0.3, PROTOCOLS["circles"])
    expected = {"lambda_div": 0.15, "lambda_adv": 0.075, "lambda_reg": 0.15}
    assert parameters == pytest.approx(expected)
