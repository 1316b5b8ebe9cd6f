"""Augmentation: the same draws for the same key, and no trace left in torch's generator."""

import threading

import pytest
import torch

from splitlab.data import augment
from splitlab.data.augment import TRANSFORMS
from splitlab.errors import DataError, PlanError
from splitlab.vision import torchvision

try:
    torchvision()
except PlanError as missing:
    pytest.skip(str(missing), allow_module_level=True)

ARGUMENTS = {
    "ElasticTransform": "(30.0, sigma=0.5)",
    "GaussianBlur": "(3)",
    "RandomAffine": "(0, translate=(0.1, 0.1))",
    "RandomCrop": "(8, padding=2)",
    "RandomErasing": "(1.0)",
    "RandomHorizontalFlip": "(0.5)",
    "RandomPerspective": "(p=1.0)",
    "RandomResizedCrop": "(8)",
    "RandomRotation": "(40)",
}
TEXTS = [name + ARGUMENTS.get(name, "") for name in TRANSFORMS]
PICTURES = torch.randn(6, 1, 8, 8, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("text", TEXTS)
def test_the_same_key_gives_the_same_pictures_whatever_the_generators_state(text):
    alter = augment(text)
    torch.manual_seed(1)
    first = alter(PICTURES, 0, 1, 2, 3)
    torch.manual_seed(2)
    before = torch.get_rng_state()
    assert torch.equal(alter(PICTURES, 0, 1, 2, 3), first)
    assert torch.equal(torch.get_rng_state(), before)
    assert first.shape == PICTURES.shape and not torch.equal(first, PICTURES)


def test_each_part_of_the_key_matters():
    alter = augment("RandomAffine(90, translate=(0.3, 0.3))")
    results = [alter(PICTURES, *key) for key in [(0, 0), (1, 0), (0, 1)]]
    assert not torch.equal(results[0], results[1]) and not torch.equal(results[0], results[2])


def test_samples_of_a_batch_are_altered_one_by_one():
    same = PICTURES[:1].expand(6, -1, -1, -1)
    assert len({tuple(picture.flatten().tolist()) for picture in augment("RandomRotation(90)")(same, 0)}) > 1


def test_threads_do_not_disturb_each_other():
    alter, results = augment(["RandomCrop(8, padding=2)", "RandomHorizontalFlip"]), {}
    expected = [alter(PICTURES, 0, client) for client in range(4)]

    def work(client: int) -> None:
        results[client] = [alter(PICTURES, 0, client) for _ in range(10)]

    threads = [threading.Thread(target=work, args=(client,)) for client in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(torch.equal(result, expected[client]) for client in range(4) for result in results[client])


def test_several_are_applied_in_their_order_and_none_changes_nothing():
    assert (
        repr(augment(["RandomCrop(8, padding=2)", "RandomVerticalFlip"]))
        == "RandomCrop(8, padding=2), RandomVerticalFlip"
    )
    for nothing in (None, "", [], ()):
        assert augment(nothing)(PICTURES, 0) is PICTURES


def test_a_transform_that_changes_the_size_is_refused():
    with pytest.raises(DataError, match="makes 1x6x6 of 1x8x8"):
        augment("RandomCrop(6)")(PICTURES, 0)


def test_a_transform_that_does_not_work_on_the_pictures_says_so():
    with pytest.raises(DataError, match=r"RandomCrop\(64\) does not work on 1x8x8"):
        augment("RandomCrop(64)")(PICTURES, 0)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("RandomCrap(8)", "Did you mean 'RandomCrop'"),
        ("Lambda(8)", "unknown augmentation"),
        ("RandomCrop", "cannot augment by RandomCrop"),
        ("RandomCrop(8, pad=1)", "cannot augment by RandomCrop"),
    ],
)
def test_what_is_not_on_the_list_is_refused(text, message):
    with pytest.raises(PlanError, match=message):
        augment(text)
