import numpy as np
import torch
from numpy.testing import assert_allclose
from scipy.special import expit, log_softmax, logit
from sklearn.isotonic import IsotonicRegression
from torch import nn

from ctsk._explaining.calibrated_nets import (
    Affine,
    CalibratedNet,
    CalibratedNets,
    Isotonic,
    Sigmoid,
    Temperature,
)

ROWS = np.random.default_rng(0).normal(size=(200, 3))


def net(seed, n_classes=2):
    torch.manual_seed(seed)
    return nn.Linear(3, n_classes).double()


def scores(module):
    with torch.no_grad():
        return module(torch.as_tensor(ROWS)).numpy()


def isotonic(seed):
    rng = np.random.default_rng(seed)
    margins = rng.normal(size=60)
    calibrator = IsotonicRegression(out_of_bounds="clip")
    return calibrator.fit(margins, margins + rng.normal(size=60) > 0)


def curve(calibrator):
    return Isotonic(calibrator.X_thresholds_, calibrator.y_thresholds_)


def proba_of(module):
    with torch.no_grad():
        return module.double()(torch.as_tensor(ROWS)).softmax(dim=1).numpy()


def test_binary_sigmoids_are_averaged_as_probabilities():
    modules, lines = [net(0), net(1)], [(0.5, 0.2), (2.0, -0.3)]
    nets = [
        CalibratedNet(nn.Identity(), module, [Sigmoid(*line)], "margins")
        for module, line in zip(modules, lines, strict=True)
    ]
    expected = np.mean(
        [
            expit(slope * np.diff(scores(module))[:, 0] + intercept)
            for module, (slope, intercept) in zip(modules, lines, strict=True)
        ],
        axis=0,
    )
    assert_allclose(proba_of(CalibratedNets(nets))[:, 1], expected)


def test_each_class_is_calibrated_against_all_others():
    module, lines = net(0, 3), [(0.5, 0.2), (2.0, -0.3), (1.0, 0.0)]
    curves = [Sigmoid(*line) for line in lines]
    nets = [CalibratedNet(nn.Identity(), module, curves, "logits")]
    logits = scores(module)
    shares = np.stack([expit(a * logits[:, i] + b) for i, (a, b) in enumerate(lines)], axis=1)
    expected = shares / shares.sum(axis=1, keepdims=True)
    assert_allclose(proba_of(CalibratedNets(nets)), expected)


def test_a_calibrator_may_take_probabilities():
    module = net(0)
    nets = [CalibratedNet(nn.Identity(), module, [Sigmoid(3.0, -1.0)], "probabilities")]
    of_one = expit(np.diff(scores(module))[:, 0])
    assert_allclose(proba_of(CalibratedNets(nets))[:, 1], expit(3.0 * of_one - 1.0))


def test_a_temperature_scales_both_logits_of_a_margin():
    module = net(0)
    nets = [CalibratedNet(nn.Identity(), module, [Temperature(0.7)], "margins")]
    margins = np.diff(scores(module))[:, 0]
    both = np.stack([-margins, margins], axis=1)
    expected = np.exp(log_softmax(0.7 * both, axis=1))
    assert_allclose(proba_of(CalibratedNets(nets)), expected)


def test_isotonic_values_are_exact_but_gradients_never_vanish():
    modules, calibrators = [net(0), net(1)], [isotonic(0), isotonic(1)]
    nets = CalibratedNets(
        [
            CalibratedNet(nn.Identity(), module, [curve(calibrator)], "margins")
            for module, calibrator in zip(modules, calibrators, strict=True)
        ]
    ).double()
    expected = np.mean(
        [
            calibrator.predict(np.diff(scores(module))[:, 0])
            for module, calibrator in zip(modules, calibrators, strict=True)
        ],
        axis=0,
    )
    assert_allclose(proba_of(nets)[:, 1], expected, atol=2e-6)
    rows = torch.as_tensor(ROWS).requires_grad_()
    logits = nets(rows)
    (logits[:, 1] - logits[:, 0]).sum().backward()
    assert (rows.grad.abs().sum(dim=1) > 1e-4).all()


def test_the_smooth_curve_rises_everywhere():
    margins = torch.linspace(-30, 30, 2_000, dtype=torch.float64)
    for calibrator in (isotonic(0), IsotonicRegression().fit([0.0, 1.0], [0.4, 0.4])):
        smooth = curve(calibrator)(margins.clamp(-9, 9))
        inside = (margins.abs() < 9)[1:]
        assert (smooth.diff()[inside] > 0).all()


def test_the_smooth_curve_joins_the_centers_of_plateaus_and_goes_on_with_its_mean_slope():
    margins = torch.tensor([0.5, 1.25, 2.0, 3.5, 5.0, -7.5, 11.0], dtype=torch.float64)
    module = Isotonic(np.arange(7.0), np.array([0.1, 0.1, 0.5, 0.5, 0.5, 0.6, 0.6]))
    # The plateaus end at 1, 4 and 6.
    centers, logits = [0.5, 3.0, 5.5], logit([0.1, 0.5, 0.6])
    slope = (logits[-1] - logits[0]) / 5
    expected = np.interp(margins, centers, logits)
    expected[-2:] = logits[0] - 8 * slope, logits[-1] + 5.5 * slope
    assert_allclose(module(margins), expected, rtol=1e-12)


def test_a_single_plateau_has_the_slope_of_the_network():
    module = Isotonic(np.array([1.0, 3.0]), np.array([0.8, 0.8]))
    margins = torch.tensor([-4.0, 2.0, 5.0], dtype=torch.float64)
    assert_allclose(module(margins), logit(0.8) + np.array([-6.0, 0.0, 3.0]), rtol=1e-12)


def test_a_nearly_flat_curve_still_rises_beyond_its_corners():
    module = Isotonic(np.array([0.0, 100.0]), np.array([0.5, 0.5 + 1e-9]))
    margins = torch.tensor([100.0, 600.0], dtype=torch.float64)
    assert_allclose(module(margins).diff(), 1e-3 * 500, rtol=1e-6)


def test_rows_are_aligned_before_they_reach_a_net():
    weights, bias = np.random.default_rng(1).normal(size=(3, 3)), np.array([1.0, 2.0, 3.0])
    module = net(0)
    nets = [CalibratedNet(Affine(weights, bias), module, [Sigmoid(1.0, 0.0)], "margins")]
    with torch.no_grad():
        logits = module(torch.as_tensor(ROWS @ weights + bias)).numpy()
    assert_allclose(proba_of(CalibratedNets(nets))[:, 1], expit(np.diff(logits)[:, 0]))
