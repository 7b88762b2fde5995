"""The smallest generators that a user may write: one with a penalty, one with a search."""

import torch

from ctsk import BaseGenerator, GradientGenerator
from ctsk.generators import SearchResult
from ctsk.generators.penalties import class_centroids


class Minimal(GradientGenerator):
    """Penalizes the squared distance to the factual."""

    def __init__(self, step_size=0.2):
        self.step_size = step_size

    def penalty(self, step):
        return (step.rows - step.factuals).square().sum(dim=1) / 100


class TowardCenter(BaseGenerator):
    """Moves all numbers toward the center of the target class, without a gradient."""

    def learn(self, reference):
        self.centers_, self.n_numeric_ = class_centroids(reference), reference.groups.n_numeric
        return self

    def search(self, model, factuals, targets, box, *, tau, T, accept=None, **settings):
        found, mature = factuals.clone(), torch.zeros(len(factuals), dtype=torch.bool)
        n_iter = torch.full(mature.shape, T)
        moves = self.centers_[targets] - factuals
        moves[:, self.n_numeric_ :] = 0
        for t in range(T + 1):
            states = torch.clamp(factuals + t / T * moves, box.lower, box.upper)
            shares = model(states).detach().softmax(dim=1).gather(1, targets[:, None])[:, 0]
            idx = ((shares >= tau) & ~mature).nonzero()[:, 0]
            if accept is not None:
                idx = idx[accept(states[idx], idx)]
            found[idx], mature[idx], n_iter[idx] = states[idx], True, t
        found[~mature] = states[~mature]
        settings = {name: settings.get(name) for name in ("epsilon", "return_path")}
        return SearchResult.of_jumps(factuals, found, mature, T=T, n_iter=n_iter, **settings)
