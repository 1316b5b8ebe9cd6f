"""A call is a name with literal arguments; nothing is ever evaluated."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from splitlab.call import Call, make, parse
from splitlab.errors import PlanError

VALUES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()


@given(st.lists(VALUES, max_size=3), st.dictionaries(st.sampled_from(["a", "b", "lr"]), VALUES))
def test_a_call_read_again_is_the_same(args, kwargs):
    call = Call("SGD", tuple(args), kwargs)
    assert len(str(call)) > 1000 or parse(str(call)) == call


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1",
        "a.b",
        "a.b()",
        "f(x)",
        "f(g())",
        "f(*[1])",
        "f(lambda: 1)",
        "f(1)(2)",
        "f(",
        "a; b",
        "a" * 1001,
        None,
        3,
    ],
)
def test_anything_else_is_refused(text):
    with pytest.raises(PlanError, match="expected a name, or a name with literal arguments"):
        parse(text)


def test_wrong_arguments_are_answered_with_the_right_ones():
    def crop(size, padding=0):
        return size + padding

    assert make(crop, parse("crop(3, padding=1)")) == 4
    with pytest.raises(PlanError, match=r"cannot make 'crop\(pad=1\)': .*; expected crop\(size, padding=0\)"):
        make(crop, parse("crop(pad=1)"))
