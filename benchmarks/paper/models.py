"""The models to be compared, each trained once per data set and seed and then stored."""

import kept
import rivals
from protocol import PROTOCOLS, split, three_sigma_domain

from ctsk import CounterfactualTrainedClassifier, ECCCoGenerator

STEP_SIZE = 0.1


# Conventional and counterfactual training and the baselines. Each variant is an estimator and the
# parameters that differ from the settings of the data set.
VARIANTS = {
    "BL": (CounterfactualTrainedClassifier, rivals.CONVENTIONAL),
    "CT": (CounterfactualTrainedClassifier, {}),
    "AR": (CounterfactualTrainedClassifier, {"lambda_div": 0, "lambda_reg": 0}),
    "CD": (CounterfactualTrainedClassifier, {"lambda_adv": 0}),
    "burn-in": (CounterfactualTrainedClassifier, {"burn_in": 0.5}),
    "fine-tuned": (rivals.FineTunedClassifier, {}),
    "unmasked": (rivals.UnmaskedClassifier, {}),
    "augmented": (rivals.AugmentedClassifier, {}),
    "PGD": (rivals.PGDClassifier, {}),
    "TRADES": (rivals.TRADESClassifier, {}),
    "JEM": (rivals.JEMClassifier, {}),
}


def protection(name, protected):
    """Return the mutability under which protected features are immutable; see `train`."""
    features = PROTOCOLS[name].protected if protected is True else protected or ()
    return dict.fromkeys(features, "none")


def untrained(name, seed, variant, *, protected=False, step_size=STEP_SIZE, **parameters):
    """Return a classifier with the paper's settings for a data set; see `train`.

    All classifiers of the paper's questions are constructed here. Settings that the paper shares
    among all data sets, but that are not the package's defaults, belong to `settings_of_data`.
    """
    estimator, differing = VARIANTS[variant]
    X_train, _ = split(name, seed).train
    settings = settings_of_data(name, X_train, step_size)
    settings |= {"mutability": protection(name, protected), "random_state": seed}
    return estimator(**{**settings, **differing, **parameters})


def settings_of_data(name, X_train, step_size):
    """Return the paper's parameters for a data set, apart from constraints and the seed."""
    return {
        "domain": three_sigma_domain(X_train),
        "resolution": None,
        "tau": PROTOCOLS[name].tau,
        "lambda_reg": PROTOCOLS[name].lambda_reg,
        "generator": ECCCoGenerator(step_size=step_size, max_step=None),
        # The paper trains all epochs, without a decay of the weights.
        "early_stopping": False,
        "weight_decay": 0.0,
        **PROTOCOLS[name].training,
    }


def settings(name, seed, variant, *, protected=False, step_size=STEP_SIZE, **parameters):
    """Return the parameters of a model, by which it is stored; see `train`."""
    how = {"protected": protected, "step_size": step_size, **parameters}
    return kept.description(untrained(name, seed, variant, **how))


def settings_of_paper(name, seed, *_):
    """Return the parameters of conventional and counterfactual training on a data set.

    Outcomes of questions are stored by them, so that they are computed again if a default of the
    package changes.
    """
    return [settings(name, seed, variant) for variant in ("BL", "CT")]


@kept.MODELS.cache(settings=settings)
def train(name, seed, variant, *, protected=False, step_size=STEP_SIZE, **parameters):
    """Return a fitted classifier with the paper's settings for a data set.

    Parameters
    ----------
    name : str
        Name of a data set.
    seed : int
    variant : str
        Key of `VARIANTS`.
    protected : bool or tuple
        Features that are immutable in training. True stands for those of the data set.
    step_size : float
        Step of the search by ECCCo in training.
    **parameters : dict
        Parameters that override the settings.
    """
    how = {"protected": protected, "step_size": step_size, **parameters}
    return untrained(name, seed, variant, **how).fit(*split(name, seed).train)
