"""Data sets: named ones, one's own, and files that are not what they say they are."""

import gzip
import importlib.util
import os
import pickle
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from urllib.error import URLError

import numpy as np
import pytest
import torch

from splitlab.data import Data, from_tensors, load_data, sources
from splitlab.data.dataset import stratified
from splitlab.data.files import write_arrays
from splitlab.data.sources import CIFAR10_SUBSET, IDX, OMNIGLOT, SOURCES
from splitlab.errors import DataError

HERE = os.environ.get("SPLITLAB_DATA")
real = pytest.mark.skipif(not HERE, reason="SPLITLAB_DATA names no folder with data")


@pytest.fixture(scope="module")
def digits() -> Data:
    return load_data("digits")


def test_digits_are_there_without_a_download(digits):
    assert (len(digits.train), len(digits.test), digits.shape, len(digits.classes)) == (1437, 360, (1, 8, 8), 10)
    assert digits.train.inputs.dtype == torch.uint8
    assert digits.reference == "digits"
    assert repr(digits).startswith("digits: 1x8x8 uint8\n  train      1,437\n")


def test_digits_are_scikit_learns():
    both = load_data("digits")
    pixels = torch.cat([both.train.inputs, both.test.inputs]).flatten(1).double() * 16 / 255
    theirs = pytest.importorskip("sklearn.datasets").load_digits().data
    assert sorted(map(tuple, pixels.round().tolist())) == sorted(map(tuple, theirs.tolist()))


def test_without_scikit_learn_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setattr(sources, "find_spec", lambda name: None)
    with pytest.raises(DataError, match=r"pip install 'splitlab\[lab\]'"):
        load_data("digits")


def test_digits_are_held_out_class_by_class(digits):
    held_out = np.bincount(digits.test.labels) / np.bincount(torch.cat([digits.train.labels, digits.test.labels]))
    assert np.allclose(held_out, 0.2, atol=0.01)


def test_a_batch_is_normalised_and_in_the_order_asked_for(digits):
    x, y = digits.batch(np.arange(1437))
    assert x.dtype == torch.float32 and abs(float(x.mean())) < 1e-3 and abs(float(x.std()) - 1) < 1e-3
    some, labels = digits.batch([5, 3])
    assert torch.equal(some, x[[5, 3]]) and torch.equal(labels, y[[5, 3]])
    assert digits.example.shape == (2, 1, 8, 8)
    with pytest.raises(DataError, match=r"unknown split 'tset'\. Did you mean 'test'"):
        digits.batch([0], "tset")


def test_the_reference_gives_the_same_data_in_another_process(tmp_path):
    data = load_data("digits", limit=100)
    code = (
        f"from splitlab.data import load_data; print(load_data({data.reference!r}).train.inputs.double().sum().item())"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    output = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert float(output.stdout) == data.train.inputs.double().sum().item(), output.stderr


def test_a_limit_keeps_classes_in_proportion(digits):
    data = load_data("digits", limit=100)
    assert data.reference == "digits(limit=100)"
    assert (len(data.train), len(data.test)) == (100, 100)
    assert set(np.bincount(data.train.labels)) <= {9, 10, 11}
    assert len(digits.limited(10**6).train) == 1437
    for limit in (0, -1, 1.5):
        with pytest.raises(DataError, match="1 or more"):
            load_data("digits", limit=limit)


def test_stratified_takes_each_class_in_proportion():
    labels = np.repeat([0, 1, 2], [600, 300, 100])
    assert np.bincount(labels[stratified(labels, 100, 0)]).tolist() == [60, 30, 10]
    assert sorted(stratified(labels, 5000, 0)) == list(range(1000))


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("digit", "Did you mean 'digits'"),
        ("digits(limt=5)", "Did you mean 'limit'"),
        ("digits(5)", "cannot load digits"),
        ("file('/nowhere/data.safetensors')", "there is no /nowhere/data.safetensors"),
        ("file", "missing a required argument: 'path'"),
    ],
)
def test_what_is_not_known_is_an_error_that_helps(source, message):
    with pytest.raises(DataError, match=message):
        load_data(source)


# ---- one's own tensors -----------------------------------------------------------------------------------------------


def test_any_pair_of_tensors_is_a_data_set():
    data = from_tensors(torch.randn(9, 3), torch.arange(9) % 3, np.zeros((2, 3)), [0, 1], name="points")
    assert (data.shape, data.classes, data.reference) == ((3,), ("0", "1", "2"), None)
    assert torch.equal(data.batch([4])[0], data.train.inputs[[4]])


def test_pictures_stay_bytes_and_tokens_stay_whole_numbers():
    pictures = from_tensors(
        torch.full((2, 3, 4, 4), 255, dtype=torch.uint8), [0, 1], torch.zeros(1, 3, 4, 4).byte(), [0]
    )
    assert pictures.train.inputs.dtype == torch.uint8 and float(pictures.example.max()) == 1
    tokens = from_tensors(torch.ones(2, 5, dtype=torch.int32), [0, 1], torch.ones(1, 5, dtype=torch.int32), [0])
    assert tokens.example.dtype == torch.int64


ONES, LABELS = torch.ones(4, 2), torch.tensor([0, 1, 0, 1])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((ONES, LABELS[:3], ONES, LABELS), r"train: inputs \(4, 2\) and labels \(3\)"),
        ((ONES, LABELS, ONES[:0], LABELS[:0]), "test: inputs"),
        ((ONES, LABELS.float(), ONES, LABELS), "labels are torch.float32"),
        ((ONES, LABELS - 1, ONES, LABELS), "label -1"),
        ((ONES / 0, LABELS, ONES, LABELS), "NaN or infinity"),
        ((ONES, LABELS, ONES[:, :1], LABELS), "must be of one kind"),
        ((ONES > 0, LABELS, ONES > 0, LABELS), "torch.bool"),
    ],
)
def test_tensors_that_do_not_fit_are_refused(arguments, message):
    with pytest.raises(DataError, match=message):
        from_tensors(*arguments)


@pytest.mark.parametrize(
    "settings",
    [
        {"users": [1, 2]},
        {"users": [0.5] * 4},
        {"classes": ["one"]},
        {"mean": [0.0]},
        {"mean": [0.0] * 2, "std": [0, 1]},
    ],
)
def test_settings_that_do_not_fit_are_refused(settings):
    with pytest.raises(DataError):
        from_tensors(ONES, LABELS, ONES, LABELS, **settings)


def test_saved_data_comes_back_the_same(tmp_path):
    pictures = torch.arange(48, dtype=torch.uint8).view(4, 3, 2, 2)
    data = from_tensors(
        pictures, LABELS, pictures, LABELS, users=[3, 3, 1, 1], classes="ab", mean=[0.5] * 3, std=[0.2] * 3
    )
    reference = data.save(tmp_path / "new")
    again = load_data(reference)
    assert load_data(again.reference).name == "mine"
    assert torch.equal(again.example, data.example) and torch.equal(again.test.labels, data.test.labels)
    assert again.classes == ("a", "b") and again.users.tolist() == [3, 3, 1, 1]
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["data.safetensors"]


# ---- files -----------------------------------------------------------------------------------------------------------


def write_idx(folder: Path, end: str = ".gz", count: int = 6) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name in IDX:
        sizes = (count, 28, 28) if "images" in name else (count,)
        values = np.arange(int(np.prod(sizes))) % (200 if len(sizes) > 1 else 10)
        content = bytes((0, 0, 8, len(sizes))) + np.array(sizes, ">u4").tobytes() + values.astype(np.uint8).tobytes()
        (folder / f"{name}{end}").write_bytes(gzip.compress(content) if end else content)


@pytest.mark.parametrize(("folder", "end"), [("", ".gz"), ("mnist", ".gz"), ("MNIST/raw", ""), ("raw", "")])
def test_mnist_is_found_in_either_layout(folder, end, tmp_path, monkeypatch):
    write_idx(tmp_path / folder, end)
    data = load_data("mnist", root=tmp_path, download=False)
    assert data.shape == (1, 28, 28) and data.train.labels.tolist() == list(range(6))
    monkeypatch.setenv("SPLITLAB_DATA", str(tmp_path))
    assert load_data("mnist(download=False)").reference == "mnist(download=False)"


@pytest.mark.parametrize("name", ["mnist", "fashion_mnist", "cifar10"])
def test_missing_files_are_named_with_the_remedy(name, tmp_path):
    with pytest.raises(DataError, match=r"expected .*(ubyte|cifar).*root=.*SPLITLAB_DATA.*download=True"):
        load_data(name, root=tmp_path, download=False)
    assert not list(tmp_path.iterdir())


def test_without_a_network_the_error_is_the_same(tmp_path, monkeypatch):
    def fetch(root: str, download: bool) -> None:
        raise URLError("no route to host")

    monkeypatch.setattr(sources, "torchvision", lambda: SimpleNamespace(datasets=SimpleNamespace(MNIST=fetch)))
    with pytest.raises(DataError, match=r"mnist/train-images-idx3-ubyte.gz.*root=.*no route to host"):
        load_data("mnist", root=tmp_path)


def test_a_folder_is_remembered_as_seen_from_anywhere(tmp_path, monkeypatch):
    write_idx(tmp_path / "mnist")
    monkeypatch.chdir(tmp_path)
    assert load_data("mnist", root=".").reference == f"mnist(root={str(tmp_path)!r})"
    monkeypatch.setenv("SPLITLAB_DATA", str(tmp_path))
    assert load_data("mnist", root=None).shape == (1, 28, 28)
    with pytest.raises(DataError, match="cannot load mnist"):
        load_data("mnist", root=5)


def test_missing_omniglot_names_the_script_that_writes_it(tmp_path):
    with pytest.raises(DataError, match=r"omniglot_small_28.npz.*prepare.py"):
        load_data("omniglot", root=tmp_path)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda data: data[: len(data) // 2],
        lambda data: b"",
        lambda data: b"not gzip at all",
        lambda data: gzip.compress(b"\0\0\x0d\x03" + gzip.decompress(data)[4:]),
        lambda data: gzip.compress(gzip.decompress(data)[:-1]),
        lambda data: gzip.compress(gzip.decompress(data) + b"\0"),
        lambda data: gzip.compress(b"\0\0\x08\x03" + b"\xff" * 12),
        lambda data: gzip.compress(b"\0\0\x08\x03" + b"\0"),
    ],
)
def test_a_spoilt_idx_file_is_refused_by_name(spoil, tmp_path):
    write_idx(tmp_path)
    victim = tmp_path / f"{IDX[0]}.gz"
    victim.write_bytes(spoil(victim.read_bytes()))
    with pytest.raises(DataError, match="train-images"):
        load_data("mnist", root=tmp_path)


class Trap:
    def __reduce__(self):
        return (Path.touch, (Path("trapped"),))


def test_nothing_in_an_npz_is_unpickled(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    np.savez(tmp_path / CIFAR10_SUBSET, x_train=np.array([Trap()], dtype=object))
    (tmp_path / OMNIGLOT).write_bytes(pickle.dumps(Trap()))
    for name in ("cifar10", "omniglot"):
        with pytest.raises(DataError, match="cannot read"):
            load_data(name, root=tmp_path)
    assert not (tmp_path / "trapped").exists()


def test_an_npz_without_its_arrays_or_shapes_is_refused(tmp_path):
    np.savez(tmp_path / CIFAR10_SUBSET, x=np.zeros(3))
    with pytest.raises(DataError, match="another kind of file"):
        load_data("cifar10", root=tmp_path)
    flat = {
        "x_train": np.zeros((2, 3)),
        "y_train": np.zeros(2, int),
        "x_test": np.zeros((2, 3)),
        "y_test": np.zeros(2, int),
    }
    np.savez(tmp_path / CIFAR10_SUBSET, **flat)
    with pytest.raises(DataError, match=r"does not hold images \(N, H, W, C\)"):
        load_data("cifar10", root=tmp_path)


@pytest.mark.parametrize(
    "change",
    [{"x": np.zeros((2, 3))}, {"y": np.zeros(2)}, {"drawer": np.zeros(3, int)}, {"alphabet": np.array([0, 1])}],
)
def test_an_omniglot_file_that_contradicts_itself_is_refused(change, tmp_path):
    good = {"x": np.zeros((2, 28, 28), np.uint8), "y": np.array([0, 0]), "drawer": np.array([1, 5])}
    good |= {"alphabet": np.zeros(2, int), "alphabet_names": np.array(["Greek"])}
    np.savez(tmp_path / OMNIGLOT, **good)
    assert load_data("omniglot", root=tmp_path).classes == ("Greek 1",)
    np.savez(tmp_path / OMNIGLOT, **(good | change))
    with pytest.raises(DataError, match="write it again"):
        load_data("omniglot", root=tmp_path)


@pytest.mark.parametrize("content", [b"", b"\xff" * 100, (2).to_bytes(8, "little") + b"{}"])
def test_a_file_that_save_did_not_write_is_refused(content, tmp_path):
    path = tmp_path / "data.safetensors"
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"write it again with data\.save"):
        load_data(f"file({str(path)!r})")


def test_a_safetensors_file_of_something_else_is_refused(tmp_path):
    path = tmp_path / "data.safetensors"
    write_arrays(path, {"weights": np.zeros(3)}, {})
    with pytest.raises(DataError, match=r"was not written by Data\.save"):
        load_data(f"file({str(path)!r})")


# ---- the real ones ---------------------------------------------------------------------------------------------------


@real
@pytest.mark.parametrize(
    ("name", "shape", "classes"),
    [("fashion_mnist", (1, 28, 28), 10), ("cifar10", (3, 32, 32), 10), ("omniglot", (1, 28, 28), 242)],
)
def test_real_data_have_their_shape_and_are_normalised(name, shape, classes):
    data = load_data(name, limit=2000)
    assert data.shape == shape and len(data.classes) == classes
    x, y = data.batch(np.arange(len(data.train)))
    assert abs(float(x.mean())) < 0.05 and abs(float(x.std()) - 1) < 0.05
    assert len(y.unique()) == classes


@real
def test_every_omniglot_user_draws_one_alphabet_and_every_character_is_held_out():
    data = load_data("omniglot")
    alphabet = np.array([name.rpartition(" ")[0] for name in data.classes])[data.train.labels]
    assert len(set(data.users)) == 160
    assert all(len(set(alphabet[data.users == user])) == 1 for user in range(160))
    assert np.bincount(data.test.labels).tolist() == [4] * 242


def test_every_data_set_has_a_card():
    cards = {path.parent.name for path in (Path(__file__).parents[1] / "datasets").glob("*/README.md")}
    assert cards == set(SOURCES) - {"file"}


def test_omniglot_is_converted_drawing_by_drawing(tmp_path):
    image = pytest.importorskip("PIL.Image")
    path = Path(__file__).parents[1] / "datasets" / "omniglot" / "prepare.py"
    specification = importlib.util.spec_from_file_location("prepare", path)
    prepare = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(prepare)
    paper = np.full((105, 105), 255, np.uint8)
    paper[:7, :3] = 0  # ink where the first two rows of pixels of the small picture will be
    for alphabet in prepare.ALPHABETS:
        folder = tmp_path / alphabet / "character01"
        folder.mkdir(parents=True)
        for drawer in range(1, 6):
            image.fromarray(paper).save(folder / f"0001_{drawer:02}.png")
    prepare.convert(tmp_path, tmp_path / OMNIGLOT)
    data = load_data("omniglot", root=tmp_path)
    assert (len(data.train), len(data.test), len(set(data.users))) == (32, 8, 32)
    picture = data.train.inputs[0, 0]
    assert picture.nonzero().tolist() == [[0, 0], [1, 0]] and picture.unique().tolist() == [0, 255]
