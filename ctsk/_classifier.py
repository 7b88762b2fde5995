"""The estimator of counterfactual training."""

from copy import copy
from functools import partial
from numbers import Integral, Real
from os import PathLike
from typing import ClassVar

import numpy as np
import torch
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted

from ctsk._columns import validation
from ctsk._columns.constraints import Constraints
from ctsk._columns.containers import chunks_of
from ctsk._columns.encoder import Encoder
from ctsk._columns.labels import check_two_classes, encode_labels
from ctsk._columns.user_columns import check_resolution
from ctsk._columns.user_constraints import (
    check_constraints,
    check_costs,
    check_inferred_domains,
)
from ctsk._columns.validation import Interval, StrOptions, check_partial_fit_first_call
from ctsk._explaining.models import ExplainableModel, Judge, softmax
from ctsk._explaining.request import SHARED_SETTINGS, Settings, make_request
from ctsk._explaining.search import search
from ctsk._storing.checkpoints import checkpoint_of
from ctsk._storing.state import attributes_of_pickle, plain_state
from ctsk._torch.networks import ACTIVATIONS
from ctsk._torch.utils import chunk_size, default_torch_modes
from ctsk._training.fit import train
from ctsk._training.optimizers import OPTIMIZERS
from ctsk.generators import ECCCoGenerator
from ctsk.generators.shortcuts import SHORTCUTS

# What an error recommends instead of nested parameters, for parameters that have none.
_REMEDIES = {
    "optimizer": "Use optimizer=functools.partial(torch.optim.AdamW, weight_decay=0.1), for "
    "example.",
    "module": "Use module=lambda n_features, n_classes: MyModule(n_features, n_classes, "
    "dropout=0.1), for example.",
    "callbacks": "Set parameters of a callback when you create it, as in "
    'callbacks=[EarlyStopping(monitor="train_loss", patience=3)].',
}


class CounterfactualTrainedClassifier(ClassifierMixin, BaseEstimator):
    r"""A neural classifier that trains on its own counterfactual explanations.

    In every epoch, counterfactuals are searched for some of the training rows: what
    would have to change for the model to predict another class? The loss contrasts the
    counterfactuals that reach their target (mature ones) with observed rows of that
    class, and treats those that are still close to their factual (nascent ones) as
    adversarial examples. The model thus learns classes that resemble the data: its
    explanations, by :meth:`explain`, are more plausible and respect the constraints on
    features, and the model is more robust to adversarial attacks [1]_.

    Parameters
    ----------
    hidden_layer_sizes : sequence of int or int, default=(32,)
        Number of units of each hidden layer; ``()`` is a linear model.
    activation : {"identity", "logistic", "tanh", "relu"}, default="relu"
        Activation function of the hidden layers.
    module : callable, default=None
        Function of the numbers of features and of classes that returns a
        :class:`torch.nn.Module` of any architecture, whose forward returns logits.
        If it has a parameter ``n_numeric``, it also receives the number of features that
        are numbers, which come before the one-hot columns: layers that embed numbers need it.
        None builds the multilayer perceptron described by the two parameters above.
        Training rows and counterfactuals go through the module in one batch; layers
        that use batch statistics (BatchNorm) mix both. A module that is an ensemble may have
        a method ``heads``, which maps rows to logits of shape (n_rows, n_heads, n_classes):
        both cross-entropies are then means over the heads; see also `Explanation.agreement`.
    lambda_div : float, default=0.5
        Weight of the contrastive divergence, which pulls mature counterfactuals toward
        observed rows of their class.
    lambda_adv : float, default=0.25
        Weight of the adversarial loss on nascent counterfactuals.
    lambda_reg : float, default=0.1
        Weight of the ridge on the energies. Tune this first, between 0.01 and 0.5. If
        too small, energies diverge; if too large, they flatten and no counterfactual
        reaches `tau`.
    tau : float, default=0.75
        Probability of the target, in (0, 1), at which a counterfactual is mature.
    T : int, default=30
        Maximum number of steps of a search in training. ``explain`` has a `T` of its own.
    epsilon : float, default=0.3
        Radius, in module units and the maximum norm, within which a counterfactual
        counts as nascent.
    n_counterfactuals : int or float, default=1000
        Number of factuals drawn per epoch (at most all training rows), or their share
        of the training rows.
    burn_in : float, default=0.0
        Share of the epochs of a `fit` that train conventionally first.
    generator : {"nearest", "generic", "eccco", "revise"} or BaseGenerator, default="eccco"
        Search for counterfactuals in training; ``explain`` has a default of its own. The
        parameters of the generator can be tuned, as in ``generator__lambda_energy``, if it
        is an instance.
    mutability : dict, sequence or None, default=None
        Direction in which each feature may change: ``"both"``, ``"increase"``,
        ``"decrease"`` or ``"none"``. A dict maps column names or indices to directions; a
        sequence holds one per feature. Features that are not named may change both ways;
        the key ``"*"`` of a dict stands for all of them, so that ``{"*": "none",
        "income": "increase"}`` lets only the income change. A category can increase or
        decrease if it is an ordered pandas categorical or a bool. A number that is missing
        or special, which is neither more nor less than others, stays so unless its feature
        may change both ways.
    domain : "auto", dict, sequence or None, default="auto"
        Values to which each feature may move, in a dict by column name or index, or a
        sequence with one entry per feature. An entry is a pair ``(low, high)`` in X's
        units for a number, with None for an open side; a list of the reachable
        categories for a category; None for no bounds; or ``"auto"``, which is also the
        entry of features that are not named; the key ``"*"`` stands for these, too.
        ``"auto"`` is what the training rows hold: the range of a number from minimum to
        maximum, the observed categories. None in place of the whole removes all bounds.
        A value outside the domain either stays or moves into it. A list that begins with
        the bounds of a number may add some of its `special_values`, which can then be
        reached, too: ``[(0, 100), -9]``.
    feature_costs : dict, sequence or None, default=None
        Cost of changing each feature by one unit of X, or to another category, in a dict
        by column name or index, or a sequence with one number per feature. The costs
        weight the distance that the search penalizes and `Explanation` reports. Features
        that are not named cost 1 per standard deviation (with ``standardize=False``, per
        unit of X) or per change of category; the key ``"*"`` stands for them. To leave a
        missing or special value costs as much as one standard deviation, in addition to
        the distance of the new number from the mean. Only the ratios of the costs of features
        whose `mutability` is not "none" matter to the search; the overall weight of the
        distance is the generator's `lambda_cost`.
    categorical_features : "from_dtype", array-like or None, default="from_dtype"
        Columns that hold categories, by names, indices or a mask; they are coded one-hot
        inside the estimator. ``"from_dtype"`` selects the columns of a DataFrame with
        category, string, object or bool dtype, and rejects those whose words read as
        numbers or dates, or identify the rows; None selects no column. Categories are
        fixed by the first call to `fit`: the observed ones, and those that a category
        dtype declares. Missing values form their own category; a counterfactual can
        leave it but never enter it. A column can have at most 1,000 categories.
    one_hot_groups : dict, list or None, default=None
        Columns that are the one-hot columns (dummies) of a category: a dict from the name
        of the category to the names or indices of its columns, or a list of lists. Each row
        has exactly one 1 in a group, and so has each counterfactual. `mutability` and
        `domain` of a column state whether its category may be reached and left.
    special_values : dict or None, default=None
        Codes among the numbers of a feature that are not amounts, such as
        ``{"income": [-9, -8]}``, by column name or index. Like a missing number, each is a
        state of its own, which a counterfactual can leave but not enter, unless the domain
        lists it. Scale, domain and resolution are those of the amounts.
    resolution : "auto", dict or None, default="auto"
        Steps of which the numbers of counterfactuals are multiples, in a dict by column
        name or index; its entries are a step, ``"auto"`` or None, and the key ``"*"`` stands
        for all numeric features that are not named. ``"auto"`` infers the
        numbers that a feature can take from the training rows: the two values of a column
        that has only two; otherwise multiples of the largest step among 1, 2 and 5 times a
        power of ten of which all values are multiples, given at least 20 distinct values;
        whole numbers if all values are whole; and else any number. None rounds only to what
        the dtype can hold, that is, to whole numbers for integers.
    handle_unknown : {"missing", "error"}, default="missing"
        What to do with categories that the first `fit` did not have. ``"missing"`` warns and
        codes them like missing values, or, if the column had none in training, by the
        shares of its categories; a counterfactual keeps or leaves them. ``"error"`` raises
        a ValueError.
    standardize : bool or "quantile", default=True
        Whether to standardize numeric features inside the estimator. X is passed, and
        counterfactuals are returned, in the original units either way. ``"quantile"`` maps
        numbers to the normal quantiles of their ranks, clipped at 3, which suits amounts with
        long tails. Distances, costs and proofs are then in quantiles: a change by one quantile
        costs the entry of `feature_costs` times the standard deviation of the column. No
        counterfactual leaves the quantiles from -3 to 3. A column of fewer than three distinct
        numbers is standardized.
    optimizer : {"adam", "sgd"} or callable, default="adam"
        Name, or optimizer class that does not require a closure.
    lr : float, default=1e-3
        Learning rate.
    lr_schedule : {"constant", "cosine"}, default="constant"
        ``"cosine"`` lowers the learning rate along half a cosine from `lr` to zero after
        `max_epochs`, in each `fit`.
    weight_decay : float, default=0.1
        Decoupled decay of the weights per step, relative to the learning rate, without the
        biases. It applies to the optimizers that are given by name.
    label_smoothing : float, default=0.0
        Share of the probability of each label that is spread over all classes in the
        classification term. Probabilities near 1 become rare, so that a high `tau` is out of
        reach.
    dropout : float, default=0.0
        Share of the hidden units that are dropped in each step of the training.
    batch_size : "auto" or int, default="auto"
        Number of rows per minibatch. ``"auto"`` is a hundredth of the training rows,
        clipped to the range from 32 to 1,000.
    max_epochs : int, default=100
        Number of passes over the training rows, or their maximum with `early_stopping`.
    early_stopping : bool or "auto", default="auto"
        Whether `fit` holds out rows, stops when their cross-entropy has not improved for
        `n_iter_no_change` epochs, and keeps the weights of the best epoch. Epochs of the
        `burn_in` do not count. ``"auto"`` does so if there are at least 100 rows. The rows
        that are held out enter scales, domains and categories, but neither the loss nor the
        searches nor prototypes. They are a random share of each class.
    validation_fraction : float, default=0.1
        Share of the rows to hold out, with `early_stopping`, or if one of the `callbacks`
        monitors their loss or accuracy.
    n_iter_no_change : int, default=10
        Number of epochs without an improvement after which `early_stopping` stops.
    checkpoint_dir : str, path-like or None, default=None
        Folder in which `fit` stores its whole state after each epoch. When `fit` is called
        again with the same parameters and rows, also after its process was killed, it
        continues after the last stored epoch, and ends with the same bits; a finished fit is
        read from its file. Any number of different fits, such as those of a grid search, may
        share the folder. `random_state` must be an integer, and `callbacks` None. Delete the
        folder when it is no longer needed; see :ref:`resuming`. `partial_fit` ignores it.
    class_weight : dict, "balanced" or None, default=None
        Weights of the classes in both cross-entropies.
    callbacks : list or None, default=None
        skorch callbacks, which receive rows in module units. If one of them monitors
        ``"valid_loss"``, ``"valid_acc"`` or whether these are the best so far, such as
        ``Checkpoint()``, rows are held out, also in `partial_fit`.
    warm_start : bool, default=False
        Continue from the previous fit: module, optimizer state, scaling, inferred domain
        and, if its parameters are unchanged, the fitted generator are reused. Changes to
        the architecture, `dropout`, `optimizer`, `weight_decay`, `standardize`, `callbacks`,
        `device`, `random_state` and `verbose` are ignored, and so are changes to
        `categorical_features`, `one_hot_groups`, `special_values` and `resolution`, which
        describe the columns of the first fit; all other parameters may change.
    device : str or torch.device, default="cpu"
        Device of the computations.
    random_state : int, RandomState or None, default=None
        Determines initial weights, minibatches and draws. The same int gives the same
        bits on one machine. Global random states are left unchanged.
    verbose : int, default=0
        If 1, show a progress line.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Class labels.
    n_features_in_ : int
        Number of features seen during `fit`.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of the features; defined only if all column names of X are strings.
    net_ : CounterfactualNet
        The fitted skorch net; ``net_.module_`` maps module rows to logits.
    history_ : skorch.history.History
        Records of each epoch: ``train_loss``; ``valid_loss`` and ``valid_acc``, the
        cross-entropy (at most log 1000 for a row, so that an outlier does not decide) and the
        accuracy of held-out rows, if there are any; whether these
        are the best so far (``train_loss_best`` and so on); the terms ``classification``,
        ``divergence``, ``adversarial`` and ``ridge`` before weighting (NaN for a term
        that was not computed); ``mature_share`` and ``mean_n_iter`` of the searches (NaN
        without a search); and the number of skipped updates, ``n_skipped``.
    encoder_ : Encoder
        The map between X's units and module units.
    constraints_ : Constraints
        Domain and mutability in X's units.
    feature_costs_ : ndarray of shape (n_features,)
        Cost per unit of X, or per change of category.
    generator_ : BaseGenerator
        The fitted generator of the training.
    explainer_ : NearestGenerator
        The fitted generator that ``explain`` uses by default. It holds prototypes, which are
        centers of at least 20 training rows each, but no training row.
    n_iter_ : int
        Number of trained epochs, over all calls of `partial_fit` or of a warm-started
        `fit`.

    See Also
    --------
    Explanation : The result of `explain`.
    NearestGenerator : The search for the cheapest counterfactual, the default of `explain`.
    ECCCoGenerator, GenericGenerator, REVISEGenerator : Searches by gradient descent.

    Notes
    -----
    The objective of a minibatch is

    .. math::

        \mathrm{CE}(M(x), y)
        + \lambda_{div} \, \overline{E(x^+, y^+) - E(x'_{CE}, y^+)}
        + \lambda_{adv} \, \overline{\mathrm{CE}(M(x'_{AE}), y)}
        + \lambda_{reg} \, \overline{E(x^+, y^+)^2 + E(x'_{CE}, y^+)^2}

    with logits :math:`M`, energies :math:`E(x, k) = -M(x)_k`, exemplars :math:`x^+`
    (training rows of the target class :math:`y^+`), mature counterfactuals
    :math:`x'_{CE}` and nascent ones :math:`x'_{AE}`. An exemplar takes the value of the
    counterfactual wherever the counterfactual was not allowed to move toward it, so that
    protected features do not enter the divergence. If all weights are 0, training is
    conventional and searches nothing.

    This protection lowers the model's sensitivity to an immutable feature compared with
    the same training without it. The sensitivity is not necessarily lower than under
    conventional training: a search that has to reach `tau` on the other features alone
    can overshoot the exemplars.

    Training and search use float32. Predictions, and the judgment of counterfactuals,
    use a float64 copy of the module. Small computations run on one torch thread unless
    the user has set a number of threads, by ``torch.set_num_threads`` or
    ``OMP_NUM_THREADS``. A user's `module` is built and trained under torch's global
    random state, forked and seeded from `random_state`, because layers such as dropout
    have no other source of random numbers; fits of such modules in several threads
    therefore run one after the other.

    A missing number, and each of the `special_values`, is a state of its own: the module
    sees a one-hot column beside the number, which is then the mean. These columns exist for
    what the first `fit` has seen; a gap elsewhere is taken for the mean, with a warning
    (`UnknownValueWarning`). A counterfactual can leave a state for a number of the domain,
    but never enter it.

    X may be a sparse matrix, which is converted to a dense array: as a whole in `fit` and
    `explain`, and in chunks in the prediction methods. Wherever a model that was fitted
    on a DataFrame takes X, a dict or a Series stands for a single row, and a list of them
    for several rows.

    References
    ----------
    .. [1] Altmeyer, Buszydlik, van Deursen and Liem, "Counterfactual training:
       teaching models plausible and actionable explanations", 2025.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from ctsk import CounterfactualTrainedClassifier
    >>> X, progression = load_diabetes(return_X_y=True, as_frame=True, scaled=False)
    >>> y = (progression > progression.median()).map({True: "fast", False: "slow"})
    >>> clf = CounterfactualTrainedClassifier(
    ...     mutability={"age": "none", "sex": "none"}, max_epochs=20, random_state=0
    ... ).fit(X, y)
    >>> explanation = clf.explain(X.head(20), target="slow")
    >>> bool((explanation.counterfactual["age"] == X["age"].head(20)).all())
    True
    """

    _parameter_constraints: ClassVar[dict] = {
        # `explain` validates these settings by the same entries.
        **SHARED_SETTINGS,
        "hidden_layer_sizes": ["array-like", Interval(Integral, 1, None, closed="left")],
        "activation": [StrOptions(set(ACTIVATIONS))],
        "module": [callable, None],
        "lambda_div": [Interval(Real, 0, None, closed="left")],
        "lambda_adv": [Interval(Real, 0, None, closed="left")],
        "lambda_reg": [Interval(Real, 0, None, closed="left")],
        "epsilon": [Interval(Real, 0, None, closed="neither")],
        # An int is a number of rows and a float is a share of them: 1 is one row, 1.0 all.
        "n_counterfactuals": [
            Interval(Integral, 1, None, closed="left"),
            Interval(Real, 0, 1, closed="right"),
        ],
        # A burn-in of all epochs is conventional training.
        "burn_in": [Interval(Real, 0, 1, closed="both")],
        "categorical_features": [StrOptions({"from_dtype"}), "array-like", None],
        "one_hot_groups": [dict, list, tuple, None],
        "special_values": [dict, None],
        "resolution": [StrOptions({"auto"}), dict, None],
        "handle_unknown": [StrOptions({"missing", "error"})],
        "standardize": ["boolean", StrOptions({"quantile"})],
        "optimizer": [StrOptions(set(OPTIMIZERS)), callable],
        "lr": [Interval(Real, 0, None, closed="neither")],
        "lr_schedule": [StrOptions({"constant", "cosine"})],
        "weight_decay": [Interval(Real, 0, None, closed="left")],
        "label_smoothing": [Interval(Real, 0, 1, closed="left")],
        "dropout": [Interval(Real, 0, 1, closed="left")],
        "batch_size": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")],
        "max_epochs": [Interval(Integral, 1, None, closed="left")],
        "early_stopping": ["boolean", StrOptions({"auto"})],
        "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
        "n_iter_no_change": [Interval(Integral, 1, None, closed="left")],
        "checkpoint_dir": [str, PathLike, None],
        "class_weight": [dict, StrOptions({"balanced"}), None],
        "callbacks": [list, None],
        "warm_start": ["boolean"],
        # Only torch knows which names of devices are valid on this machine.
        "device": [str, torch.device],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }

    def __init__(
        self,
        hidden_layer_sizes=(32,),
        *,
        activation="relu",
        module=None,
        lambda_div=0.5,
        lambda_adv=0.25,
        lambda_reg=0.1,
        tau=0.75,
        T=30,
        epsilon=0.3,
        n_counterfactuals=1000,
        burn_in=0.0,
        generator="eccco",
        mutability=None,
        domain="auto",
        feature_costs=None,
        categorical_features="from_dtype",
        one_hot_groups=None,
        special_values=None,
        resolution="auto",
        handle_unknown="missing",
        standardize=True,
        optimizer="adam",
        lr=1e-3,
        lr_schedule="constant",
        weight_decay=0.1,
        label_smoothing=0.0,
        dropout=0.0,
        batch_size="auto",
        max_epochs=100,
        early_stopping="auto",
        validation_fraction=0.1,
        n_iter_no_change=10,
        checkpoint_dir=None,
        class_weight=None,
        callbacks=None,
        warm_start=False,
        device="cpu",
        random_state=None,
        verbose=0,
    ):
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.module = module
        self.lambda_div = lambda_div
        self.lambda_adv = lambda_adv
        self.lambda_reg = lambda_reg
        self.tau = tau
        self.T = T
        self.epsilon = epsilon
        self.n_counterfactuals = n_counterfactuals
        self.burn_in = burn_in
        self.generator = generator
        self.mutability = mutability
        self.domain = domain
        self.feature_costs = feature_costs
        self.categorical_features = categorical_features
        self.one_hot_groups = one_hot_groups
        self.special_values = special_values
        self.resolution = resolution
        self.handle_unknown = handle_unknown
        self.standardize = standardize
        self.optimizer = optimizer
        self.lr = lr
        self.lr_schedule = lr_schedule
        self.weight_decay = weight_decay
        self.label_smoothing = label_smoothing
        self.dropout = dropout
        self.batch_size = batch_size
        self.max_epochs = max_epochs
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.checkpoint_dir = checkpoint_dir
        self.class_weight = class_weight
        self.callbacks = callbacks
        self.warm_start = warm_start
        self.device = device
        self.random_state = random_state
        self.verbose = verbose

    def set_params(self, **params):
        """Set parameters; see :meth:`sklearn.base.BaseEstimator.set_params`.

        Parameters
        ----------
        **params : dict
            Values by name of the parameter.

        Returns
        -------
        self : CounterfactualTrainedClassifier

        Raises
        ------
        ValueError
            If a parameter is unknown, or if a nested parameter such as
            ``generator__step_size`` or ``optimizer__weight_decay`` belongs to a parameter
            whose value has no parameters.
        """
        # scikit-learn would fail on these nested parameters with an AttributeError that names no
        # remedy. Unknown parameters are left to its own error.
        for name in params:
            parent, is_nested, _ = name.partition("__")
            if not is_nested or parent not in self._get_param_names():
                continue
            # A value that is passed in the same call is set before its nested parameters.
            value = params.get(parent, getattr(self, parent))
            if hasattr(value, "get_params"):
                continue
            remedy = _REMEDIES.get(parent, f"Set {parent} itself.")
            if parent == "generator":
                example = SHORTCUTS.get(str(value), ECCCoGenerator).__name__
                remedy = f"Give an instance, such as generator={example}()."
            raise ValueError(
                f"{name!r} cannot be set while {parent}={value!r}, which has no parameters. "
                f"{remedy}"
            )
        return super().set_params(**params)

    def __sklearn_tags__(self):
        """Return the tags that tell scikit-learn which X is accepted."""
        # Text is accepted in a DataFrame only, but the tag does not distinguish containers.
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.input_tags.categorical = True
        tags.input_tags.string = True
        tags.input_tags.allow_nan = True
        return tags

    def __getstate__(self):
        """Return the state as names, numbers and arrays, apart from objects of a user."""
        return plain_state(super().__getstate__())

    def __setstate__(self, state):
        """Restore the state, with a warning if another version of ctsk has returned it."""
        super().__setstate__(attributes_of_pickle(state))

    @property
    def history_(self):
        """Records of the epochs, by skorch."""
        check_is_fitted(self)
        return self.net_.history

    @property
    def generator_(self):
        """The fitted generator, which searches during training."""
        check_is_fitted(self)
        return self.net_.generator

    @property
    def n_iter_(self):
        """Number of trained epochs."""
        # skorch opens a record when an epoch begins; that of an interrupted epoch has no loss.
        return sum("train_loss" in epoch for epoch in self.history_)

    def fit(self, X, y, sample_weight=None):
        """Train the classifier.

        Parameters
        ----------
        X : DataFrame, array-like or sparse matrix of shape (n_rows, n_features)
            Numbers and categories, some of which may be missing; see the class.
        y : array-like of shape (n_rows,)
            Class labels of at least two classes.
        sample_weight : array-like of shape (n_rows,), default=None
            Nonnegative weights of the rows, of which only the ratios matter. They weight the
            scales, both cross-entropies, the terms of the counterfactuals of a row, and the draw
            of exemplars. A row of weight 0 is left out. Other statistics, such as inferred domains
            and prototypes, count each row once.

        Returns
        -------
        self : CounterfactualTrainedClassifier

        Raises
        ------
        ValueError
            If a parameter, X or y is invalid, or training diverges
            (`NonFiniteLossError`), or a checkpoint is damaged (`ModelFileError`). The
            estimator is then left as it was.
        TypeError
            If X is a DataFrame of a library that is not supported.
        OSError
            If a checkpoint cannot be read or written.
        KeyboardInterrupt
            If Ctrl-C interrupts the first epoch. The estimator is then left as it was.

        Warns
        -----
        UserWarning
            If Ctrl-C interrupts a later epoch. The estimator is then fitted as of the last
            finished epoch.
        ColumnKindWarning
            If numbers look like codes of categories, or columns like dummies.
        UnobservedDomainWarning
            If a domain holds no observed value of a feature that may change.
        UnknownValueWarning
            If a domain lists categories that X does not have, beside others.
        """
        fresh = not (self.warm_start and hasattr(self, "net_"))
        with validation.undo_on_failure(self):
            rows, y, weights = self._read_training_rows(X, y, sample_weight, fresh)
            # A warm start keeps the classes, because the logits of the net are in their order.
            if fresh:
                self.classes_ = np.unique(y)
            checkpoint = checkpoint_of(self, None if fresh else self.net_)
            return self._train(rows, y, weights, fresh, checkpoint=checkpoint)

    def partial_fit(self, X, y, classes=None, sample_weight=None):
        """Train one epoch, without burn-in.

        The first call fixes the categories, the missing and special values that are states
        of a number, the numbers that a column can take, the scaling, the inferred domain
        and the prototypes of `explainer_`. It also fixes the fitted generator, as long as
        its parameters are unchanged. The first chunk should contain every class.

        Parameters
        ----------
        X : DataFrame, array-like or sparse matrix of shape (n_rows, n_features)
        y : array-like of shape (n_rows,)
        classes : array-like of shape (n_classes,), default=None
            All classes that will ever be seen; required in the first call.
        sample_weight : array-like of shape (n_rows,), default=None
            As in `fit`; the weights have a mean of 1 in each chunk.

        Returns
        -------
        self : CounterfactualTrainedClassifier

        Raises
        ------
        ValueError
            As in `fit`; also if ``class_weight="balanced"``, which cannot be computed
            from a chunk, or if a label is not among the classes.
        TypeError
            If X is a DataFrame of a library that is not supported.
        """
        # Every call but the first continues from the net, whatever `warm_start` is.
        fresh = not hasattr(self, "net_")
        with validation.undo_on_failure(self):
            rows, y, weights = self._read_training_rows(X, y, sample_weight, fresh)
            if self.class_weight == "balanced":
                raise ValueError(
                    "class_weight='balanced' is unavailable in partial_fit, which sees only a "
                    "chunk of the rows. Pass the weights as a dict, for example from "
                    "sklearn.utils.compute_class_weight."
                )
            # This sets `classes_`, so it follows the validation of everything else.
            check_partial_fit_first_call(self, classes)
            return self._train(rows, y, weights, fresh, epochs=1)

    def predict(self, X):
        """Predict the class of each row.

        Parameters
        ----------
        X : DataFrame, array-like or sparse matrix of shape (n_rows, n_features)

        Returns
        -------
        y : ndarray of shape (n_rows,)

        Raises
        ------
        ValueError
            If X is invalid.
        TypeError
            If X is a DataFrame of a library that is not supported.
        sklearn.exceptions.NotFittedError
            If the estimator is not fitted.
        """
        # The softmax would not change which class is largest.
        logits = self._validated_logits(X)
        return self.classes_[logits.argmax(axis=1)]

    def predict_proba(self, X):
        """Predict class probabilities, the softmax of the logits.

        Parameters
        ----------
        X : DataFrame, array-like or sparse matrix of shape (n_rows, n_features)

        Returns
        -------
        proba : ndarray of shape (n_rows, n_classes)
            Columns in the order of `classes_`.

        Raises
        ------
        ValueError
            If X is invalid.
        TypeError
            If X is a DataFrame of a library that is not supported.
        sklearn.exceptions.NotFittedError
            If the estimator is not fitted.
        """
        return softmax(self._validated_logits(X))

    def decision_function(self, X):
        """Return the logits: their difference for two classes, all of them for more.

        Parameters
        ----------
        X : DataFrame, array-like or sparse matrix of shape (n_rows, n_features)

        Returns
        -------
        scores : ndarray of shape (n_rows,) or (n_rows, n_classes)

        Raises
        ------
        ValueError
            If X is invalid.
        TypeError
            If X is a DataFrame of a library that is not supported.
        sklearn.exceptions.NotFittedError
            If the estimator is not fitted.
        """
        # The convention of scikit-learn for two classes: positive scores predict the second.
        logits = self._validated_logits(X)
        return logits[:, 1] - logits[:, 0] if len(self.classes_) == 2 else logits

    @default_torch_modes()
    def explain(
        self,
        X,
        target=None,
        *,
        generator="nearest",
        tau=None,
        T=None,
        mutability=None,
        domain=None,
        feature_costs=None,
        X_reference=None,
        n_alternatives=1,
        max_changes=None,
        sparse=False,
        prove=False,
        time_limit=5.0,
        n_jobs=None,
        verbose=0,
        return_path=False,
    ):
        """Search for the changes of each row after which the model predicts the target.

        By default, the cheapest counterfactual of each row is searched.

        Parameters
        ----------
        X : DataFrame, array-like or sparse matrix of shape (n_rows, n_features)
            The factuals, in the units of the training rows. Numbers that change are rounded
            by `resolution` of the estimator, and to integers in columns that have an
            integer dtype, in X or in the training rows.
        target : None, label or array-like of shape (n_rows,), default=None
            The class to reach; labels are matched with rows by position. None stands for
            the other one of two classes, or for the runner-up of each row among more. A row
            that is already predicted as its target, but with a probability below `tau`,
            is changed, too.
        generator : str, BaseGenerator or None, default="nearest"
            The search: one of {"nearest", "generic", "eccco", "revise"}, or an instance.
            ``"nearest"`` finds the cheapest counterfactual; see :class:`NearestGenerator`.
            None stands for the generator of the training.
        tau : float, default=None
            Probability of the target that a counterfactual has to reach. None stands for the
            value of the training.
        T : int, default=None
            Maximum number of steps. None stands for the `default_T` of the generator: 100
            rounds of ``"nearest"``, or 300 steps of gradient descent, which are shorter
            than in training; see the parameter `max_step` of these generators. The `T` of the
            training has no effect.
        mutability, domain : dict or sequence, default=None
            Features that are named override their fitted constraint; all others keep
            theirs. In `domain`, None removes the bounds of a feature and ``"auto"``
            restores the inferred ones. The key ``"*"`` stands for all features that a dict
            does not name; these no longer keep their fitted constraint. Rows may differ:
            pass a list with one dict (or None) per row. `mutability` may also be an array
            of shape (n_rows, n_features), or a DataFrame with the index of X and some of
            its columns. `domain` may also be an array of shape (n_rows, n_features, 2), in
            which a single NaN is an open side and a pair of NaN keeps the fitted domain.
        feature_costs : dict or sequence, default=None
            Features that are named override their fitted cost.
        X_reference : DataFrame or array-like of shape (n_reference, n_features), default=None
            Rows to fit `generator` on, needed if it must be fitted and differs from the
            generator of the training; typically the training data. Their labels are the
            model's predictions. ``"nearest"`` takes its prototypes from them instead of
            from the training rows.
        n_alternatives : int, default=1
            Number of counterfactuals per row, sorted by cost. They differ from one another by
            at least 0.1 (l1, module units), preferably by changing other features. Where no
            other one is found, a row is returned with ``valid=False``, and with the reason.
        max_changes : int or None, default=None
            Maximum number of features that a counterfactual changes. If none is found, the
            row that is returned keeps to this maximum, too, and has a reason.
        sparse : bool, default=False
            Whether the number of changed features counts before the cost. ``"nearest"``
            searches for counterfactuals with few changes. After every search, features are
            greedily reverted to their original values as long as the row stays valid (and
            mature, if it was).
        prove : bool, default=False
            Whether to prove, for each row, that its counterfactual is the cheapest, to replace
            it by a cheaper one if there is one, or to prove that none exists. This requires a
            network of linear layers and ReLUs (``activation="relu"`` or ``"identity"``) and
            ``generator="nearest"``. See `Explanation.proof`.
        time_limit : float, default=5.0
            Seconds for the proof of each row, after which it is "open".
        n_jobs : int, default=None
            Number of jobs that prove rows, as in joblib.
        verbose : int, default=0
            If positive, a line on the standard output tells how many rows are proven.
        return_path : bool, default=False
            Whether to return the states of the search as the attribute `path`.

        Returns
        -------
        explanation : Explanation
            Rows without a counterfactual are returned, too, with ``valid=False``. Such a row
            is the best state that the search knows: for ``"nearest"``, one of high probability
            of the target, at least cost; for a gradient descent, its last state. A keyboard
            interrupt during a proof returns what is proven so far.

        Warns
        -----
        UnknownValueWarning
            If X holds categories or gaps that the training rows did not have.
        UnobservedDomainWarning
            If a domain of this call holds no observed value of a feature that may change.

        Raises
        ------
        ValueError
            If X, `target` or a setting is invalid.
        TypeError
            If X is a DataFrame of a library that is not supported.
        sklearn.exceptions.NotFittedError
            If the estimator is not fitted.

        Notes
        -----
        A counterfactual is accepted only if the row that would be returned (decoded, within
        its domain, with numbers rounded) is predicted as its target with a probability of at
        least `tau`. Gradient descent stops at the first such row. ``"nearest"`` searches
        among the numbers that the columns can hold, until the cost no longer decreases. At
        most 4,096 rows are searched at once, which bounds the memory that the search needs in
        addition to its results.

        For another alternative, three searches hold different features fixed: all that earlier
        alternatives changed, if these are at most half of the features, or else those that they
        changed by more than half of the largest change; the most changed feature of each
        earlier alternative; and the second most changed one of each. The cheapest mature row
        is kept. Only if none is found, all features are free, in a gradient descent first with
        a penalty on the proximity to earlier alternatives. The alternatives of a row are
        sorted: mature ones come first, then other valid ones, each by their cost.
        """
        settings = Settings(
            generator=generator,
            tau=tau,
            T=T,
            mutability=mutability,
            domain=domain,
            feature_costs=feature_costs,
            X_reference=X_reference,
            n_alternatives=n_alternatives,
            max_changes=max_changes,
            sparse=sparse,
            prove=prove,
            time_limit=time_limit,
            n_jobs=n_jobs,
            verbose=verbose,
            return_path=return_path,
        )
        return search(make_request(self._explainable(), X, target, settings))

    def _explainable(self):
        """Return the fitted model in the form that a search explains."""
        check_is_fitted(self)
        # Search and judge copy the module themselves; X is read as in `predict`.
        judge = Judge(self.net_.module_, self.encoder_)
        return ExplainableModel(
            module=self.net_.module_,
            classes=self.classes_,
            read=partial(validation.check_X, self),
            predict_proba=judge.predict_proba,
            head_predictions=judge.head_predictions,
            encoder=self.encoder_,
            constraints=self.constraints_,
            feature_costs=self.feature_costs_,
            generator=self.generator_,
            learned=(self.generator_, self.explainer_),
            tau=self.tau,
        )

    def _read_training_rows(self, X, y, sample_weight, fresh):
        """Validate parameters and training data; return the rows, the labels and the weights."""
        # As in scikit-learn, parameters are validated before data. Only a fresh fit learns columns.
        self._validate_params()
        schema = None if fresh else self.encoder_.schema
        X, y, weights = validation.drop_rows_without_weight(X, y, sample_weight)
        rows, y = validation.check_training_rows(self, X, y, schema)
        check_classification_targets(y)
        return rows, y, weights

    def _train(self, rows, y, weights, fresh, **settings):
        """Train a new net, or continue to train the fitted one."""
        check_two_classes(self.classes_, len(y))
        remedy = "Pass all classes to the first partial_fit, or refit with warm_start=False."
        labels = encode_labels(y, self.classes_, "y", remedy)
        # The net depends on scales and categories, which therefore never change after the first
        # fit. Constraints and costs may: they are read again in every fit.
        if fresh:
            steps = check_resolution(self.resolution, rows.schema)
            self.encoder_ = Encoder.fit(
                rows, standardize=self.standardize, steps=steps, weights=weights
            )
        elif self.handle_unknown != self.encoder_.schema.handle_unknown:
            # A copy, because the encoder must be unchanged if the fit fails.
            self.encoder_ = copy(self.encoder_)
            self.encoder_.schema = rows.schema
        encoder = self.encoder_
        inferred = Constraints.free(
            *encoder.domain, encoder.groups, fill=encoder.fill, is_inferred=True
        )
        # As a parameter, None removes all bounds; in `check_constraints`, it keeps the default.
        domain = [None] * len(encoder.names) if self.domain is None else self.domain
        self.constraints_ = check_constraints(self.mutability, domain, encoder, inferred)
        check_inferred_domains(self.constraints_, encoder)
        self.feature_costs_ = check_costs(self.feature_costs, encoder)
        net = None if fresh else self.net_
        self.net_, self.explainer_ = train(self, net, rows.values, labels, weights, **settings)
        return self

    @default_torch_modes()
    def _validated_logits(self, X):
        check_is_fitted(self)
        judge = Judge(self.net_.module_, self.encoder_)
        # A sparse matrix is converted in chunks, which bounds the memory for dense rows.
        chunks = chunks_of(X, chunk_size(self.n_features_in_))
        parts = [judge.logits(validation.check_X(self, part)) for part in chunks]
        return np.concatenate(parts)
