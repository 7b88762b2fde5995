"""Counterfactual training as a bare torch loop: the same mathematics without a framework.

``fit`` is timed against this loop by ``fit_speed.py``, and the tests compare both: with the same
random draws, they must end at the same weights. The loop supports numeric features, an MLP with
one hidden layer of ReLU units, ECCCo, and Adam.
"""

import math

import torch
from torch import nn
from torch.nn.functional import cross_entropy


def initial_module(n_features, n_hidden, n_classes, g):
    """Return an MLP, initialized as torch initializes linear layers but from `g`."""
    layers = []
    for n_in, n_out in ((n_features, n_hidden), (n_hidden, n_classes)):
        layer = nn.utils.skip_init(nn.Linear, n_in, n_out)
        for weights in (layer.weight, layer.bias):
            nn.init.uniform_(weights, -(n_in**-0.5), n_in**-0.5, generator=g)
        layers.append(layer)
    return nn.Sequential(layers[0], nn.ReLU(), layers[1])


def search(model, x, target, low, high, tau, T, epsilon, step=0.25, cost=1e-3, weight=5.0):
    """Search a batch of counterfactuals by ECCCo; rows leave the batch when they are mature."""
    found = x.clone()
    nascent = x.clone()
    mature = torch.zeros(len(x), dtype=torch.bool)
    idx = torch.arange(len(x))
    state = x.clone()
    b = max(1, round(T / 25))
    # One iteration more than steps: the last one evaluates the final states.
    for t in range(1, T + 2):
        state.requires_grad_()
        logits = model(state)
        ce = cross_entropy(logits, target, reduction="none")
        # The cross-entropy is minus the logarithm of the target's probability.
        done = ce.detach() <= -math.log(tau)
        any_done = bool(done.any())
        if any_done:
            mature[idx[done]] = True
        if t == T + 1 or done.all():
            break
        e = -logits.gather(1, target[:, None])[:, 0]
        phi = weight * b / 10 * (b + t) ** -0.9
        loss = ce + cost * (state - x).abs().sum(1) + phi * (e + 1e-3 * e**2)
        (gradient,) = torch.autograd.grad(loss.sum(), state)
        state = torch.clamp(state.detach() - step * gradient, low, high)
        if any_done:
            searching = (~done).nonzero()[:, 0]
            idx, state, x, target, low, high = (
                v.index_select(0, searching) for v in (idx, state, x, target, low, high)
            )
        found[idx] = state
        near = (state - x).abs().amax(1) < epsilon
        nascent[idx[near]] = state[near]
    return found, mature, nascent


def train(
    X, y, *, low, high, epochs, batch_size, n_counterfactuals, seed,
    n_hidden=32, lambdas=(0.5, 0.25, 0.1), tau=0.75, T=30, epsilon=0.3, lr=1e-3,
):  # fmt: skip
    """Train on rows in module units, all features of which are mutable."""
    # The order of all draws from `g` is that of `fit`.
    g = torch.Generator().manual_seed(seed)
    n, n_classes = len(X), int(y.max()) + 1
    model = initial_module(X.shape[1], n_hidden, n_classes, g)
    optimizer = torch.optim.Adam(model.parameters(), lr=lr, fused=True)
    by_class = torch.argsort(y, stable=True)
    counts = torch.bincount(y, minlength=n_classes)
    starts = counts.cumsum(0) - counts
    div, adv, reg = lambdas
    n_batches = math.ceil(n / batch_size)
    history = []
    for _ in range(epochs):
        tuples = []
        if any(lambdas):
            # Draw factuals, and a target other than the predicted class for each.
            chosen = torch.randperm(n, generator=g)[:n_counterfactuals]
            factual, label = X[chosen], y[chosen]
            with torch.no_grad():
                prediction = model(factual).argmax(1)
            others = torch.ones(len(factual), n_classes)
            others[torch.arange(len(factual)), prediction] = 0.0
            target = torch.multinomial(others, 1, generator=g)[:, 0]
            # A factual outside of the domain widens its own box.
            box = torch.minimum(low, factual), torch.maximum(high, factual)
            found, mature, nascent = search(model, factual, target, *box, tau, T, epsilon)
            # Draw exemplars: training rows sorted by class are one block per class.
            drawn = torch.rand(len(factual), generator=g, dtype=torch.float64) * counts[target]
            exemplar = X[by_class[starts[target] + drawn.long()]]
            # An immature counterfactual is replaced by its exemplar, as in the authors' code.
            found = torch.where(mature[:, None], found, exemplar)
            tuples = [exemplar, found, nascent, target, label]
        parts = zip(*(torch.tensor_split(part, n_batches) for part in tuples), strict=True)
        parts = list(parts) or [()] * n_batches

        order = torch.randperm(n, generator=g)
        batches = zip(X[order].split(batch_size), y[order].split(batch_size), parts, strict=True)
        losses = []
        for xb, yb, part in batches:
            optimizer.zero_grad()
            if not any(map(len, part)):
                loss = cross_entropy(model(xb), yb)
            else:
                plus, ce, ae, tb, lb = part
                inputs = [xb, plus, ce, ae]
                logits = model(torch.cat(inputs)).split([len(rows) for rows in inputs])
                loss = cross_entropy(logits[0], yb)
                e_plus, e_ce = (-v.gather(1, tb[:, None])[:, 0] for v in logits[1:3])
                loss = loss + div * (e_plus - e_ce).mean()
                loss = loss + adv * cross_entropy(logits[3], lb)
                loss = loss + reg * (e_plus**2 + e_ce**2).mean()
            loss.backward()
            optimizer.step()
            losses.append(loss.item() * len(xb))
        history.append(sum(losses) / n)
    return model, history
