"""What several tests share: small real data, and one torch thread, so that results can be compared bit for bit."""

import pytest
import torch
from torch.nn import functional

import splitlab as sl


@pytest.fixture(autouse=True)
def one_thread():
    """Kernels of a run use `plan.threads`; convolutions may round otherwise with another number of threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def digits():
    """The whole of digits, 1x8x8."""
    return sl.load_data("digits")


@pytest.fixture(scope="session")
def small(digits):
    """A hundred digits to train on and forty to test with."""
    return excerpt(digits, 100, 40)


@pytest.fixture(scope="session")
def coloured(digits):
    """Digits as 3x32x32 images, for networks that are made for CIFAR."""

    def grow(examples, count):
        inputs = functional.interpolate(examples.inputs[:count].float(), size=(32, 32), mode="bilinear")
        return inputs.repeat(1, 3, 1, 1) / inputs.max(), examples.labels[:count]

    return sl.from_tensors(*grow(digits.train, 48), *grow(digits.test, 16), name="coloured digits")


def excerpt(data, train, test):
    """The first examples of a data set, as a data set of its own."""
    return sl.from_tensors(
        data.train.inputs[:train].float() / 16,
        data.train.labels[:train],
        data.test.inputs[:test].float() / 16,
        data.test.labels[:test],
        name="few digits",
    )
