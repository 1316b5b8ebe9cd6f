"""Partitions: whatever the data, every example goes to exactly one client."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from splitlab.data import PARTITIONS, partition
from splitlab.errors import DataError, PlanError


@st.composite
def cases(draw: st.DrawFn) -> tuple[str, np.ndarray, int, int, np.ndarray]:
    clients = draw(st.integers(1, 6))
    labels = np.array(draw(st.lists(st.integers(0, 4), min_size=clients * 5, max_size=120)))
    users = np.concatenate([np.arange(clients), draw(st.integers(0, 20)) * np.arange(len(labels) - clients) % 7])
    weights = draw(st.lists(st.floats(0.01, 100), min_size=clients, max_size=clients))
    alpha = draw(st.sampled_from([1e-300, 1e-3, 0.1, 1, 1000]))
    kinds = ["iid", f"dirichlet({alpha!r})", "classes(5)", f"sizes({', '.join(map(repr, weights))})", "users"]
    return draw(st.sampled_from(kinds)), labels, clients, draw(st.integers(0, 5)), users


@settings(max_examples=150, deadline=None)
@given(cases())
def test_every_sample_goes_to_exactly_one_client_and_no_client_is_empty(case):
    text, labels, clients, seed, users = case
    parts = partition(text, torch.from_numpy(labels), clients, seed, users=users)
    assert len(parts) == clients
    assert sorted(np.concatenate(parts)) == list(range(len(labels)))
    assert all(len(part) and part.dtype == np.int64 for part in parts)


@settings(max_examples=50, deadline=None)
@given(cases())
def test_the_same_seed_gives_the_same_partition_and_leaves_numpy_alone(case):
    text, labels, clients, seed, users = case
    np.random.seed(1)
    first = partition(text, labels, clients, seed, users=users)
    np.random.seed(2)
    before = np.random.get_state()[1].copy()
    again = partition(text, labels, clients, seed, users=users)
    assert all(np.array_equal(*pair) for pair in zip(first, again, strict=True))
    assert np.array_equal(before, np.random.get_state()[1])


def test_a_partition_is_the_same_in_every_release():
    labels = np.arange(12) % 3
    assert [part.tolist() for part in partition("iid", labels, 3)] == [[7, 8, 1, 5], [2, 10, 11, 6], [4, 0, 9, 3]]
    dirichlet = [part.tolist() for part in partition("dirichlet(0.5)", labels, 3)]
    assert dirichlet == [[5, 2, 8, 1, 7, 4], [10, 9, 3, 6, 0], [11]]


@pytest.mark.parametrize("text", ["iid", "dirichlet(0.5)", "classes(5)", "sizes(1, 1, 1)"])
def test_another_seed_gives_another_partition(text):
    labels = np.arange(300) % 10
    first, second = (np.concatenate(partition(text, labels, 3, seed)) for seed in (0, 1))
    assert not np.array_equal(first, second)


def test_iid_shares_differ_by_one_at_most():
    assert sorted(len(part) for part in partition("iid", np.zeros(11), 3)) == [3, 4, 4]


def test_a_small_alpha_skews_the_classes_and_a_large_one_does_not():
    labels = np.arange(5000) % 10

    def largest_share(alpha: float) -> float:
        parts = partition(f"dirichlet({alpha})", labels, 5)
        return float(np.mean([np.bincount(labels[part]).max() / len(part) for part in parts]))

    assert largest_share(0.05) > 0.3 > 0.13 > largest_share(1000)


@pytest.mark.parametrize(("clients", "each"), [(50, 2), (5, 2), (3, 4), (10, 1)])
def test_no_client_has_more_classes_than_asked_for(clients, each):
    labels = np.repeat(np.arange(10), np.arange(40, 140, 10))
    parts = partition(f"classes({each})", labels, clients)
    assert max(len(np.unique(labels[part])) for part in parts) <= each


def test_shards_have_nearly_the_same_size():
    parts = partition("classes(2)", np.arange(6000) % 10, 50)  # SplitGP: 50 clients, 100 shards
    assert {len(part) for part in parts} == {120}


def test_sizes_follow_the_weights():
    assert [len(part) for part in partition("sizes(0.7, 0.2, 0.1)", np.zeros(100), 3)] == [70, 20, 10]
    assert [len(part) for part in partition("sizes(7, 2, 1)", np.zeros(100), 3)] == [70, 20, 10]


def test_a_user_is_never_divided():
    users = np.arange(200) % 20
    parts = partition("users", np.zeros(200), 3, users=users)
    owners = [set(users[part]) for part in parts]
    assert sum(map(len, owners)) == 20
    assert max(map(len, parts)) - min(map(len, parts)) <= 10


def test_with_as_many_clients_as_users_each_is_one():
    users = np.arange(30) % 5
    assert {len(set(users[part])) for part in partition("users", np.zeros(30), 5, users=users)} == {1}


@pytest.mark.parametrize(
    ("text", "clients", "message"),
    [
        ("iid", 31, "more clients than samples: 31 clients, 30 samples: use fewer"),
        ("iid", 0, "0 clients"),
        ("iid(3)", 2, "cannot divide by"),
        ("dirichlet", 2, "cannot divide by"),
        ("dirichlet(0)", 2, "above 0"),
        ("dirichlet('a')", 2, "above 0"),
        ("classes(1)", 2, "use classes\\(2\\) or more"),
        ("classes(20)", 2, "use fewer"),
        ("classes(0)", 2, "1 or more"),
        ("sizes(1, 2)", 3, "2 weights for 3 clients"),
        ("sizes(1, -1)", 2, "above 0"),
        ("users", 2, "does not say who"),
        ("iidd", 2, "Did you mean 'iid'"),
    ],
)
def test_what_cannot_be_divided_says_why_and_what_to_do(text, clients, message):
    with pytest.raises(DataError, match=message):
        partition(text, np.arange(30) % 3, clients)


def test_more_clients_than_users_is_refused():
    with pytest.raises(DataError, match="3 clients, 2 users"):
        partition("users", np.zeros(10), 3, users=np.arange(10) % 2)


def test_nothing_but_a_call_is_read():
    with pytest.raises(PlanError, match="cannot read"):
        partition("__import__('os').getcwd()", np.zeros(10), 2)


def test_every_partition_is_documented():
    assert all(divide.__doc__ for divide in PARTITIONS.values())
