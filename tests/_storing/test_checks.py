"""Parts of a document are what they are said to be, or are rejected by their title."""

import pytest

from ctsk._storing.checks import check_choice, check_flag, check_list
from ctsk.exceptions import ModelFileError


@pytest.mark.parametrize("value", ["relu", None])
def test_one_of_the_choices_is_accepted(value):
    assert check_choice(value, ("relu", "tanh", None), "activation") == value


@pytest.mark.parametrize("value", ["sine", "", None, 1, ["relu"], True])
def test_another_choice_is_rejected(value):
    with pytest.raises(ModelFileError, match="activation is unknown"):
        check_choice(value, ("relu", "tanh"), "activation")


@pytest.mark.parametrize("value", [0, 1, "true", None])
def test_only_true_and_false_are_flags(value):
    with pytest.raises(ModelFileError, match="frozen is neither true nor false"):
        check_flag(value, "frozen")


@pytest.mark.parametrize(
    ("value", "message"), [({}, "names is no list"), ([1], "names has another length")]
)
def test_lists_of_another_type_or_length_are_rejected(value, message):
    with pytest.raises(ModelFileError, match=message):
        check_list(value, "names", length=2)
