"""The estimator."""

from functools import partial
from numbers import Integral, Real
from typing import ClassVar

import numpy as np
import torch
from scipy.special import softmax
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.multiclass import _check_partial_fit_first_call, check_classification_targets
from sklearn.utils.validation import check_is_fitted

from ctsk._columns import validation
from ctsk._columns.constraints import Constraints
from ctsk._columns.containers import chunks_of
from ctsk._columns.encoder import Encoder
from ctsk._columns.user_constraints import check_constraints, check_costs
from ctsk._explaining.models import ExplainableModel, Judge
from ctsk._explaining.request import SHARED_SETTINGS, Settings, make_request
from ctsk._explaining.search import search
from ctsk._torch.networks import ACTIVATIONS
from ctsk._torch.utils import CHUNK, default_torch_modes
from ctsk._training.fit import train
from ctsk._training.optimizers import OPTIMIZERS
from ctsk.generators import SHORTCUTS, ECCCoGenerator

# What to do instead of setting a nested parameter of one that has none.
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

    In every epoch, counterfactuals are searched for some of the training rows:
    what would have to be different for the model to predict another class? The
    loss then contrasts those that got there (mature ones) with observed rows of
    that class, and treats those that did not get far (nascent ones) as
    adversarial examples. The model learns a notion of each class that looks
    like the data, and the counterfactuals found later, by :meth:`explain`, are
    more plausible, respect what may not change, and the model is harder to
    attack [1]_.

    Parameters
    ----------
    hidden_layer_sizes : sequence of int or int, default=(32,)
        Units of the hidden layers; ``()`` is a linear model.
    activation : {"identity", "logistic", "tanh", "relu"}, default="relu"
        Of the hidden layers.
    module : callable, default=None
        Called with the number of features and of classes, returns a
        :class:`torch.nn.Module` whose forward returns logits: any architecture.
        None builds the multilayer perceptron described by the two parameters
        above. The rows of a minibatch and its counterfactuals pass through it
        together, which statistics over a batch (BatchNorm) do not expect.
    lambda_div : float, default=0.5
        Weight of the contrastive divergence, which pulls mature counterfactuals
        towards observed rows of their class.
    lambda_adv : float, default=0.25
        Weight of the adversarial loss on nascent counterfactuals.
    lambda_reg : float, default=0.1
        Weight of the ridge on the energies. The one to tune, between 0.01 and
        0.5: too small lets the energies run away, too large flattens them until
        no search matures.
    tau : float, default=0.75
        Probability of the target, in (0, 1), at which a counterfactual is mature.
    T : int, default=30
        Largest number of steps of a search.
    epsilon : float, default=0.3
        Radius, in module units and the maximum norm, within which a
        counterfactual counts as nascent.
    n_counterfactuals : int or float, default=1000
        Factuals drawn per epoch (at most all training rows); a float is a share
        of the training rows.
    burn_in : float, default=0.0
        Share of the epochs of a `fit` that train conventionally first.
    generator : {"generic", "eccco", "revise"} or BaseGenerator, default="eccco"
        How counterfactuals are searched. Tuning its parameters, as in
        ``generator__lambda_energy``, needs an instance.
    mutability : dict, sequence or None, default=None
        What may move: ``"both"``, ``"increase"``, ``"decrease"`` or ``"none"``, by
        column name or index in a dict, or as one word per feature. Features that
        are not named, and all under None, may move both ways. A category can rise
        or fall if it is an ordered pandas categorical, or a bool.
    domain : "auto", dict, sequence or None, default="auto"
        Where values may move, by column name or index, or one entry per feature.
        For numbers a pair ``(low, high)`` in X's units, None for an open side; for
        categories the list of those that may be reached. None in place of either
        leaves the feature free. ``"auto"`` infers the domain of a feature from the
        training rows, as do features that are not named. For numbers that is the
        range of three standard deviations around the mean, widened to hold all
        training rows, and cut at zero where none of them is negative (or positive).
        For categories it is those that training rows hold. None leaves all
        features free. A value outside the domain may stay, or move towards it.
    feature_costs : dict, sequence or None, default=None
        What it costs to change a feature by one unit of X, or to another
        category, by column name or index, or one number per feature: the weights
        of the distance that the search pays for and `Explanation` reports.
        Features that are not named cost 1 per standard deviation (with
        ``standardize=False``, per unit of X) or change of category. To the search
        only the ratios of costs matter; how much distance counts at all is the
        generator's `lambda_cost`.
    categorical_features : "from_dtype", array-like or None, default="from_dtype"
        Columns that hold categories: their names or indices, or a mask; they are
        coded one-hot inside. ``"from_dtype"`` takes a DataFrame's columns of
        category, string, object or bool dtype; None none. Known categories are
        those of the first rows that were fitted, and all that a category dtype
        declares; a missing value is a category of its own, which can be left but
        not reached. At most 1,000 per column.
    standardize : bool, default=True
        Whether to standardise the numeric features inside the estimator, so that
        raw rows go in and rows in the same units come out.
    optimizer : {"adam", "sgd"} or callable, default="adam"
        Or a :class:`torch.optim.Optimizer` class (one that needs no closure).
    lr : float, default=1e-3
        Learning rate.
    batch_size : "auto" or int, default="auto"
        Rows per minibatch; ``"auto"`` is a hundredth of the training rows, but
        between 32 and 1,000.
    max_epochs : int, default=100
        Passes over the training rows.
    class_weight : dict, "balanced" or None, default=None
        Weights of the classes in both cross-entropies.
    callbacks : list or None, default=None
        skorch callbacks. They see rows in module units; as there is no validation
        set, let EarlyStopping monitor ``"train_loss"``.
    warm_start : bool, default=False
        Whether `fit` goes on from the last one. Module, optimiser, scales,
        inferred domain and what an unchanged generator has learnt are kept, and so
        is what the first `fit` was told of
        architecture, `optimizer`, `standardize`, `callbacks`, `device`,
        `random_state` and `verbose`; all other parameters may change.
    device : str or torch.device, default="cpu"
        Where to compute.
    random_state : int, RandomState or None, default=None
        Initial weights, minibatches and draws. The same int gives the same bits
        on one machine. Global random states are left as they are.
    verbose : int, default=0
        1 shows a line that follows the training.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
    n_features_in_ : int
    feature_names_in_ : ndarray of shape (n_features,)
        Only where X had string column names.
    net_ : CounterfactualNet
        The fitted skorch net; ``net_.module_`` maps module rows to logits.
    history_ : skorch.history.History
        Per epoch: ``train_loss``; the terms ``classification``, ``divergence``,
        ``adversarial`` and ``ridge`` before weighting (NaN where a term was not
        computed); ``mature_share`` and ``mean_n_iter`` of the searches (NaN
        without a search); ``n_skipped`` updates.
    encoder_ : Encoder
        The map between X's units and module units.
    constraints_ : Constraints
        Domain and mutability in X's units.
    feature_costs_ : ndarray of shape (n_features,)
        Cost per unit of X, or per change of category.
    generator_ : BaseGenerator
    n_iter_ : int
        Epochs trained, over all calls of `partial_fit` or of a warm-started `fit`.

    See Also
    --------
    Explanation : What `explain` returns.
    GenericGenerator, ECCCoGenerator, REVISEGenerator : The searches.

    Notes
    -----
    The objective of a minibatch is

    .. math::

        \mathrm{CE}(M(x), y)
        + \lambda_{div} \, \overline{E(x^+, y^+) - E(x'_{CE}, y^+)}
        + \lambda_{adv} \, \overline{\mathrm{CE}(M(x'_{AE}), y)}
        + \lambda_{reg} \, \overline{E(x^+, y^+)^2 + E(x'_{CE}, y^+)^2}

    with logits :math:`M`, energies :math:`E(x, k) = -M(x)_k`, exemplars
    :math:`x^+` (training rows of the target class :math:`y^+`), mature
    counterfactuals :math:`x'_{CE}` and nascent ones :math:`x'_{AE}`. An exemplar
    takes the counterfactual's value where the counterfactual was not allowed to
    move towards it, so that the divergence does not speak of protected features.
    With all weights 0 training is conventional and searches nothing.

    Protection lowers the model's sensitivity to an immutable feature relative to
    training without that step. It does not follow that the sensitivity is lower
    than under conventional training: a search that must reach `tau` on the other
    features alone can overshoot the exemplars.

    Training and search use float32; predictions, and the judgement of
    counterfactuals, a float64 copy of the module. Small computations run on one
    torch thread unless ``torch.set_num_threads``, called after ctsk was imported,
    or ``OMP_NUM_THREADS`` says otherwise. A user's `module` is built and trained
    under torch's global random state, forked and seeded from `random_state`,
    because layers such as dropout know no other; this is not safe in threads.

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
        **SHARED_SETTINGS,
        "hidden_layer_sizes": ["array-like", Interval(Integral, 1, None, closed="left")],
        "activation": [StrOptions(set(ACTIVATIONS))],
        "module": [callable, None],
        "lambda_div": [Interval(Real, 0, None, closed="left")],
        "lambda_adv": [Interval(Real, 0, None, closed="left")],
        "lambda_reg": [Interval(Real, 0, None, closed="left")],
        "epsilon": [Interval(Real, 0, None, closed="neither")],
        "n_counterfactuals": [
            Interval(Integral, 1, None, closed="left"),
            Interval(Real, 0, 1, closed="right"),
        ],
        "burn_in": [Interval(Real, 0, 1, closed="both")],
        "categorical_features": [StrOptions({"from_dtype"}), "array-like", None],
        "standardize": ["boolean"],
        "optimizer": [StrOptions(set(OPTIMIZERS)), callable],
        "lr": [Interval(Real, 0, None, closed="neither")],
        "batch_size": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")],
        "max_epochs": [Interval(Integral, 1, None, closed="left")],
        "class_weight": [dict, StrOptions({"balanced"}), None],
        "callbacks": [list, None],
        "warm_start": ["boolean"],
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
        standardize=True,
        optimizer="adam",
        lr=1e-3,
        batch_size="auto",
        max_epochs=100,
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
        self.standardize = standardize
        self.optimizer = optimizer
        self.lr = lr
        self.batch_size = batch_size
        self.max_epochs = max_epochs
        self.class_weight = class_weight
        self.callbacks = callbacks
        self.warm_start = warm_start
        self.device = device
        self.random_state = random_state
        self.verbose = verbose

    def set_params(self, **params):
        """Set parameters; see :meth:`sklearn.base.BaseEstimator.set_params`.

        Raises
        ------
        ValueError
            If a parameter is unknown, or if a nested parameter such as
            ``generator__step_size`` or ``optimizer__weight_decay`` belongs to a parameter
            whose value has no parameters.
        """
        for name in params:
            parent, is_nested, _ = name.partition("__")
            if not is_nested or parent not in self._get_param_names():
                continue
            value = params.get(parent, getattr(self, parent))
            if hasattr(value, "get_params"):
                continue
            remedy = _REMEDIES.get(parent, f"Set {parent} itself.")
            if parent == "generator":
                example = SHORTCUTS.get(value, ECCCoGenerator).__name__
                remedy = f"Give an instance, such as generator={example}()."
            raise ValueError(
                f"{name!r} cannot be set while {parent}={value!r}, which has no parameters. "
                f"{remedy}"
            )
        return super().set_params(**params)

    def __sklearn_tags__(self):
        """Say what X may hold, for scikit-learn's meta-estimators and checks."""
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.input_tags.categorical = True
        tags.input_tags.string = True
        return tags

    @property
    def history_(self):
        """Record of the training, by skorch."""
        check_is_fitted(self)
        return self.net_.history

    @property
    def generator_(self):
        """The search that the estimator trains by, with what it has learnt."""
        check_is_fitted(self)
        return self.net_.generator

    @property
    def n_iter_(self):
        """Epochs trained."""
        return sum("train_loss" in epoch for epoch in self.history_)

    def fit(self, X, y):
        """Train the classifier.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_rows, n_features)
            Numbers without missing values, and categories; see
            `categorical_features`.
        y : array-like of shape (n_rows,)
            Class labels; at least two classes.

        Returns
        -------
        self : CounterfactualTrainedClassifier

        Raises
        ------
        ValueError
            If a parameter, X or y is not what it has to be, or training diverges
            (`NonFiniteLossError`). The estimator is then left as it was.
        """
        fresh = not (self.warm_start and hasattr(self, "net_"))
        with validation.undo_on_failure(self):
            rows, y = self._read_training_rows(X, y, fresh)
            if fresh:
                self.classes_ = np.unique(y)
            return self._train(rows, y, fresh, epochs=self.max_epochs, burn_in=self.burn_in)

    def partial_fit(self, X, y, classes=None):
        """Train one epoch, without burn-in.

        The first call fixes categories, scales, inferred domain and what an unchanged
        generator has learnt: let it have rows of every class.

        Parameters
        ----------
        X : array-like of shape (n_rows, n_features)
        y : array-like of shape (n_rows,)
        classes : array-like of shape (n_classes,), default=None
            All classes that will ever be seen; required at the first call.

        Returns
        -------
        self : CounterfactualTrainedClassifier

        Raises
        ------
        ValueError
            As in `fit`; also for ``class_weight="balanced"``, which a chunk does
            not tell, and for a label that is not among the classes.
        """
        fresh = not hasattr(self, "net_")
        with validation.undo_on_failure(self):
            if isinstance(self.class_weight, str):
                raise ValueError(
                    f"class_weight={self.class_weight!r} is unavailable in partial_fit, which sees "
                    "a chunk of the rows only. Pass the weights as a dict, for example from "
                    "sklearn.utils.compute_class_weight."
                )
            rows, y = self._read_training_rows(X, y, fresh)
            _check_partial_fit_first_call(self, classes)
            return self._train(rows, y, fresh, epochs=1)

    def predict(self, X):
        """Predict the class of each row.

        Parameters
        ----------
        X : array-like of shape (n_rows, n_features)

        Returns
        -------
        y : ndarray of shape (n_rows,)
        """
        logits = self._validated_logits(X)
        return self.classes_[logits.argmax(axis=1)]

    def predict_proba(self, X):
        """Predict class probabilities, the softmax of the logits.

        Parameters
        ----------
        X : array-like of shape (n_rows, n_features)

        Returns
        -------
        proba : ndarray of shape (n_rows, n_classes)
            Columns in the order of `classes_`.
        """
        return softmax(self._validated_logits(X), axis=1)

    def decision_function(self, X):
        """Return the logits: their difference for two classes, all of them for more.

        Parameters
        ----------
        X : array-like of shape (n_rows, n_features)

        Returns
        -------
        scores : ndarray of shape (n_rows,) or (n_rows, n_classes)
        """
        logits = self._validated_logits(X)
        return logits[:, 1] - logits[:, 0] if len(self.classes_) == 2 else logits

    @default_torch_modes()
    def explain(
        self,
        X,
        target=None,
        *,
        generator=None,
        tau=None,
        T=None,
        mutability=None,
        domain=None,
        feature_costs=None,
        X_reference=None,
        n_alternatives=1,
        sparse=False,
        return_path=False,
    ):
        """Search, for each row, what would have to be different to reach the target.

        Parameters
        ----------
        X : array-like of shape (n_rows, n_features)
            The factuals, in the units of the rows that were fitted. Columns of
            integer dtype, now or when fitted, get integers back.
        target : None, label or array-like of shape (n_rows,), default=None
            The class to reach; labels are matched with rows by position. None is
            the other class of two, and the runner-up of each row for more. A row
            that is predicted as its target already, but not with probability
            `tau`, is moved, too.
        generator : str or BaseGenerator, default=None
            The search; None, as for the next three, is what the estimator
            trained with.
        tau : float, default=None
            Probability of the target at which a search stops.
        T : int, default=None
            Largest number of steps.
        mutability, domain : dict or sequence, default=None
            Features that are named override their fitted constraint (in `domain`
            by None, which frees them, or ``"auto"``, too); all others keep theirs.
            Rows may differ: a list with one dict (or None) per row;
            for `mutability` also an array or DataFrame of shape (n_rows,
            n_features); for `domain` an array of shape (n_rows, n_features, 2), in
            which a single NaN is an open side and two keep the fitted domain.
        feature_costs : dict or sequence, default=None
            Features that are named override their fitted cost.
        X_reference : array-like of shape (n_reference, n_features), default=None
            Rows that a `generator` learns from which the estimator was not trained
            with (a model keeps no training rows), such as the training rows. For
            what it learns of classes, they are those that the model predicts.
        n_alternatives : int, default=1
            Counterfactuals for each row, the first the one that would be found alone.
            The others keep a distance of 0.1 (l1, in module units) from those
            before, or say in ``reason`` that they could not, and leave alone what
            these changed most where they can.
        sparse : bool, default=False
            Whether to put features back to the factual's values, as many as a greedy
            search can, while a row stays valid (mature, if it was).
        return_path : bool, default=False
            Whether to return the states of the search, too.

        Returns
        -------
        explanation : Explanation
            A row that found no counterfactual is returned as well: ``valid``
            says so.

        Raises
        ------
        ValueError
            If X, `target` or a setting is not what it has to be.

        Notes
        -----
        A search stops once the row that would be handed over (decoded, clamped to
        its box, integers rounded) is predicted as its target, with probability
        `tau` at least. 4,096 rows are searched at once, which bounds the memory
        that the search takes besides its results.

        An alternative is searched anew until one is found: with those features held
        fixed that earlier ones changed by more than half of what they changed the most,
        then the most changed of each, then the second; with a push away from earlier
        ones; with none of it.
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
            sparse=sparse,
            return_path=return_path,
        )
        return search(make_request(self._explainable(), X, target, settings))

    def _explainable(self):
        """Return the fitted model as a search sees it."""
        check_is_fitted(self)
        return ExplainableModel(
            module=self.net_.module_,
            classes=self.classes_,
            read=partial(validation.check_X, self),
            predict_proba=Judge(self.net_.module_, self.encoder_).predict_proba,
            encoder=self.encoder_,
            constraints=self.constraints_,
            feature_costs=self.feature_costs_,
            generator=self.generator_,
            tau=self.tau,
            T=self.T,
            has_learned=True,
        )

    def _read_training_rows(self, X, y, fresh):
        """Validate parameters and training data; return the rows and the labels."""
        self._validate_params()
        schema = None if fresh else self.encoder_.schema
        rows, y = validation.check_training_rows(self, X, y, schema)
        check_classification_targets(y)
        return rows, y

    def _train(self, rows, y, fresh, *, epochs, burn_in=0.0):
        """Train a fresh net, or the fitted one further."""
        validation.check_two_classes(self.classes_, len(y))
        remedy = "Pass all classes to the first partial_fit, or refit with warm_start=False."
        labels = validation.encode_labels(y, self.classes_, "y", remedy)
        if fresh:
            self.encoder_ = Encoder.fit(rows, standardize=self.standardize)
        encoder = self.encoder_
        inferred = Constraints.free(*encoder.domain, encoder.groups, is_inferred=True)
        # None frees all features, whereas check_constraints takes it for "as by default".
        domain = [None] * len(encoder.names) if self.domain is None else self.domain
        self.constraints_ = check_constraints(self.mutability, domain, encoder, inferred)
        self.feature_costs_ = check_costs(self.feature_costs, encoder)
        net = None if fresh else self.net_
        self.net_ = train(self, net, rows.values, labels, epochs=epochs, burn_in=burn_in)
        return self

    @default_torch_modes()
    def _validated_logits(self, X):
        check_is_fitted(self)
        judge = Judge(self.net_.module_, self.encoder_)
        # A sparse matrix is made dense a chunk at a time.
        parts = [judge.logits(validation.check_X(self, part)) for part in chunks_of(X, CHUNK)]
        return np.concatenate(parts)
