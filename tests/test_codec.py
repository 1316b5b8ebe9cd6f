"""Every codec: exact sizes, bounded error, defined special values, the same bytes for ever, and no way in."""

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from splitlab.codec import CODECS, Encoder, codec, decode
from splitlab.errors import CodecError
from splitlab.messages import Packed

# Error of one value: relative·|x| + absolute·(largest finite |x|) + tiny
BOUNDS = {
    "float32": (0.0, 0.0, 0.0),
    "float16": (2.0**-11, 0.0, 2.0**-25),
    "bfloat16": (2.0**-8, 0.0, 2.0**-134),
    "float8_e4m3fn": (2.0**-4, 2.0**-18, 2.0**-100),
    "float8_e5m2": (2.0**-3, 2.0**-31, 2.0**-100),
    "int8": (0.0, 1 / 253, 2.0**-100),
    "float8(4, 3)": (2.0**-4, 2.0**-17, 2.0**-67),
    "float8(5, 2)": (2.0**-3, 2.0**-31, 2.0**-66),
    "float8(4, 3, 7)": (2.0**-4, 0.0, 2.0**-10),
}
LOSSY = [text for text in BOUNDS if text != "float32"]
EVERY = [*BOUNDS, "topk(0.05)"]
GOLDEN = Path(__file__).parent / "golden" / "codecs.json"
VALUES = torch.tensor([0.0, 1.0, -1.0, 0.3, -0.7, 1e-3, -1e-4, 3.14159, -2.71828, 1e-9, 0.0625, -0.099])


def values(*shape: int, seed: int = 0, spread: float = 1.0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=generator) * torch.exp(spread * torch.randn(shape, generator=generator))


def bytes_of(packed: Packed) -> int:
    return sum(tensor.nbytes for tensor in packed.tensors.values())


@pytest.mark.parametrize("text", EVERY)
@pytest.mark.parametrize("shape", [(), (1,), (0, 3), (7,), (2, 3, 5, 7)])
def test_size_is_exact_and_shape_comes_back(text: str, shape: tuple[int, ...]) -> None:
    tensor = values(*shape)
    packed = codec(text).encode(tensor)
    assert bytes_of(packed) == codec(text).size(shape)
    assert decode(packed).shape == tensor.shape and decode(packed).dtype == torch.float32


@pytest.mark.parametrize("text", EVERY)
def test_the_text_names_the_codec(text: str) -> None:
    assert codec(text).text == text and codec(codec(text).text) is codec(text)


@pytest.mark.parametrize("text", [*LOSSY, "topk(0.05)"])
def test_compression_was_on(text: str) -> None:
    tensor = values(1000)
    assert not torch.allclose(decode(codec(text).encode(tensor)), tensor, rtol=1e-4)
    assert codec(text).size(tensor.shape) <= tensor.nbytes / 2


def test_float32_is_exact() -> None:
    assert torch.equal(decode(codec("float32").encode(values(99))), values(99))


@pytest.mark.parametrize("text", BOUNDS)
@given(numbers=st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=1, max_size=40))
@settings(max_examples=60, deadline=None)
def test_the_error_is_bounded(text: str, numbers: list[float]) -> None:
    tensor = torch.tensor(numbers)
    limit = {"float16": 65504.0, "bfloat16": 3.3e38, "float8(4, 3)": 2.0**79, "float8(4, 3, 7)": 480.0}.get(
        text, 2.0**90
    )
    tensor = tensor.clamp(-limit, limit)
    relative, absolute, tiny = BOUNDS[text]
    error = (decode(codec(text).encode(tensor)).double() - tensor.double()).abs()
    bound = relative * tensor.double().abs() + absolute * tensor.abs().max().double() + tiny
    assert (error <= bound * (1 + 1e-6)).all()


@pytest.mark.parametrize(
    ("text", "infinity", "nan"),
    [
        ("float32", math.inf, math.nan),
        ("bfloat16", math.inf, math.nan),
        ("float16", 65504.0, math.nan),
        ("float8_e4m3fn", 2.0, math.nan),
        ("float8_e5m2", 2.0, math.nan),
        ("int8", 2.0, 0.0),
        ("float8(4, 3)", 3.75, 0.0),
        ("float8(4, 3, 7)", 480.0, 0.0),
        ("topk(1.0)", torch.finfo(torch.float32).max, 0.0),
    ],
)
def test_zero_infinity_and_nan_are_defined(text: str, infinity: float, nan: float) -> None:
    tensor = torch.tensor([0.0, 2.0, -1.0, math.inf, -math.inf, math.nan])
    expected = torch.tensor([0.0, 2.0, -1.0, infinity, -infinity, nan])
    assert torch.allclose(decode(codec(text).encode(tensor)), expected, rtol=1e-2, equal_nan=True)


@pytest.mark.parametrize("text", EVERY)
def test_zeros_stay_zeros(text: str) -> None:
    assert torch.equal(decode(codec(text).encode(torch.zeros(3, 4))), torch.zeros(3, 4))


@pytest.mark.parametrize("text", EVERY)
@pytest.mark.parametrize("special", [math.nan, math.inf])
def test_nothing_but_special_values_still_decodes(text: str, special: float) -> None:
    assert decode(codec(text).encode(torch.full((4,), special))).shape == (4,)


@pytest.mark.parametrize("text", ["float8_e4m3fn", "float8_e5m2", "int8"])
@pytest.mark.parametrize("size", [1e-45, 1e-38, 1e-30, 1e30, 3.4e38])
def test_extreme_scales_stay_finite(text: str, size: float) -> None:
    tensor = torch.tensor([size, -size / 2, 0.0])
    assert torch.allclose(decode(codec(text).encode(tensor)), tensor, rtol=0.07, atol=2.0**-100)


@pytest.mark.parametrize(("text", "peak"), [("float8_e4m3fn", 448.0), ("float8_e5m2", 57344.0)])
def test_float8_is_what_torch_casts(text: str, peak: float) -> None:
    patterns = torch.arange(-(1 << 15), 1 << 15).to(torch.int16).view(torch.float16).float()
    for tensor in (patterns[patterns.abs() <= peak], values(300_000, spread=4.0)):
        packed = codec(text).encode(tensor)
        scaled = (tensor * packed.numbers["scale"]).clamp(-peak, peak)
        expected = scaled.to(codec(text).dtype)  # type: ignore[attr-defined]
        assert torch.equal(packed.tensors["values"].view(torch.uint8), expected.view(torch.uint8))
        assert torch.equal(decode(packed), expected.float() * (1 / packed.numbers["scale"]))


@pytest.mark.parametrize("text", ["float8_e4m3fn", "float8_e5m2", "int8"])
def test_every_code_decodes(text: str) -> None:
    codes = torch.arange(256, dtype=torch.uint8).view(codec(text).dtype)  # type: ignore[attr-defined]
    for part in (codes, codes[codes.float().isfinite()]):
        decoded = decode(Packed(text, part.shape, {"values": part}, {"scale": 2.0}))
        assert torch.equal(decoded.nan_to_num(7.0), (part.float() / 2).nan_to_num(7.0))


@pytest.mark.parametrize(("exponent", "mantissa"), [(2, 5), (3, 4), (4, 3), (5, 2)])
@pytest.mark.parametrize("bias", [-20, 7, 30])
def test_every_code_of_the_8_bit_float_is_a_number_and_comes_back(exponent: int, mantissa: int, bias: int) -> None:
    text = f"float8({exponent}, {mantissa}, {bias})"
    codes = torch.arange(256, dtype=torch.uint8)
    numbers = decode(Packed(text, (256,), {"codes": codes}))
    assert numbers.isfinite().all() and len(numbers.unique()) == 255  # 0 and -0 are one number
    assert torch.equal(codec(text).encode(numbers).tensors["codes"], codes)


def test_the_8_bit_float_rounds_like_float8_e4m3fn_where_both_have_the_number() -> None:
    tensor = values(100_000, spread=3.0).clamp(-448, 448)
    ours = codec("float8(4, 3, 7)").encode(tensor).tensors["codes"]
    assert torch.equal(ours, tensor.to(torch.float8_e4m3fn).view(torch.uint8))


def test_the_best_bias_covers_the_largest_value() -> None:
    for largest in (1e-6, 0.99, 1.0, 1.93, 1.94, 1000.0):
        packed = codec("float8(4, 3)").encode(torch.tensor([largest, 0.0]))
        assert decode(packed)[0].item() == pytest.approx(largest, rel=2.0**-4)
        larger = decode(codec(f"float8(4, 3, {int(packed.numbers['bias']) + 1})").encode(torch.tensor([largest])))
        assert larger.item() < largest  # one more would not have covered it


def test_topk_keeps_the_largest_with_their_places() -> None:
    packed = codec("topk(0.5)").encode(torch.tensor([1.0, -5.0, 0.0, 3.0, -2.0]))
    assert packed.tensors["indices"].tolist() == [1, 3, 4]
    assert decode(packed).tolist() == [0.0, -5.0, 0.0, 3.0, -2.0]


def test_what_topk_leaves_out_is_sent_later_and_nothing_is_lost() -> None:
    encoder, sent, given_ = Encoder("topk(0.1)"), torch.zeros(50), torch.zeros(50)
    for step in range(20):
        tensor = torch.randint(-8, 9, (50,), generator=torch.Generator().manual_seed(step)).float()
        given_ += tensor
        sent += decode(encoder.encode([tensor])[0])
    assert not torch.equal(sent, given_)
    for _ in range(10):
        sent += decode(encoder.encode([torch.zeros(50)])[0])
    assert torch.equal(sent, given_)  # whole numbers: exact


def test_error_feedback_is_per_position_and_dropped_with_the_shape() -> None:
    encoder = Encoder("topk(0.5)")
    encoder.encode([torch.tensor([2.0, 1.0]), torch.tensor([0.0, 0.0])])
    assert decode(encoder.encode([torch.zeros(2), torch.zeros(2)])[1]).tolist() == [0.0, 0.0]
    encoder.encode([torch.tensor([2.0, 1.0])])
    assert decode(encoder.encode([torch.zeros(3)])[0]).tolist() == [0.0, 0.0, 0.0]


def test_evaluation_neither_uses_nor_changes_what_was_left_out() -> None:
    encoder = Encoder("topk(0.5)")
    encoder.encode([torch.tensor([2.0, 1.0])])
    assert decode(encoder.encode([torch.tensor([0.0, 0.5])], "evaluation")[0]).tolist() == [0.0, 0.5]
    assert decode(encoder.encode([torch.zeros(2)])[0]).tolist() == [0.0, 1.0]


def test_error_feedback_survives_infinity_and_nan() -> None:
    encoder = Encoder("topk(0.5)")
    encoder.encode([torch.tensor([math.inf, math.inf, math.nan, 1.0])])
    assert decode(encoder.encode([torch.ones(4)])[0]).isfinite().all()


def test_an_encoder_without_feedback_says_what_the_codec_says() -> None:
    tensor = values(30)
    (packed,) = Encoder("int8").encode([tensor], "gradient")
    assert torch.equal(decode(packed), decode(codec("int8").encode(tensor)))
    assert Encoder("int8").text == "int8"


@pytest.mark.parametrize("tensor", [torch.arange(6).view(2, 3), torch.tensor([True, False]), torch.tensor(3)])
def test_whole_numbers_and_booleans_travel_as_they_are(tensor: torch.Tensor) -> None:
    packed = codec("topk(0.05)").encode(tensor)
    assert packed.codec == "raw" and torch.equal(decode(packed), tensor) and decode(packed).dtype == tensor.dtype
    assert Encoder("topk(0.05)").encode([tensor])[0].codec == "raw"


@pytest.mark.parametrize("text", EVERY)
def test_any_float_tensor_will_do(text: str) -> None:
    tensor = values(4, 6)
    expected = decode(codec(text).encode(tensor.t().contiguous()))
    assert torch.equal(decode(codec(text).encode(tensor.t())), expected)
    assert torch.equal(decode(codec(text).encode(tensor.double().t().requires_grad_())), expected)
    assert not decode(codec(text).encode(tensor.clone().requires_grad_())).requires_grad


@pytest.mark.parametrize("text", EVERY)
def test_encoding_leaves_the_tensor_alone(text: str) -> None:
    tensor = torch.tensor([1.0, math.nan, math.inf, -2.0])
    before = tensor.clone()
    Encoder(text).encode([tensor])
    assert torch.equal(tensor.nan_to_num(9.0), before.nan_to_num(9.0))


NONE = [
    "float9",
    "",
    "float8_e4m3",
    "raw",
    "topk",
    "topk(0)",
    "topk(2.0)",
    "topk(1e-9)",
    "topk('1')",
    "float8",
    "int8(3)",
]
NONE += [
    "__import__('os')",
    "topk(0.1, 2)",
    "float8(4, 4)",
    "float8(7, 0)",
    "float8(4, 3, 99)",
    "float8(4, 3, 1.5)",
    "(" * 500,
]


@pytest.mark.parametrize("text", NONE)
def test_a_codec_that_does_not_exist_is_refused(text: str) -> None:
    with pytest.raises(CodecError):
        codec(text)


def test_the_error_names_the_right_ones() -> None:
    with pytest.raises(CodecError, match=r"float8_e4m3fn.*float8_e5m2"):
        codec("float8_e4m3")


def hostile(text: str) -> list[Packed]:
    good = codec(text).encode(values(6, 10))
    name, tensor = next(iter(good.tensors.items()))
    others = {key: item for key, item in good.tensors.items() if key != name}
    bad = [
        replace(good, shape=(6, 11)),
        replace(good, shape=(1 << 40, 1 << 40)),
        replace(good, shape=(-6, -10)),
        replace(good, codec="float9"),
        replace(good, codec="raw", tensors={"values": torch.zeros(6, 10)}),
        replace(good, tensors={}),
        replace(good, tensors={**good.tensors, "more": tensor}),
        replace(good, tensors={**others, name: tensor[:-1]}),
        replace(good, tensors={**others, name: tensor.view(1, -1)}),
        replace(good, tensors={**others, name: torch.zeros(len(tensor), dtype=torch.int64)}),
        replace(good, numbers={**good.numbers, "more": 1.0}),
    ]
    wrong = [math.nan, math.inf, 0.0, -1.0, 1e-44] if "scale" in good.numbers else [math.nan, math.inf, 0.5, 65.0]
    return bad + [replace(good, numbers={key: value}) for key in good.numbers for value in wrong]


@pytest.mark.parametrize("text", EVERY)
def test_what_no_codec_can_have_written_is_refused(text: str) -> None:
    for packed in hostile(text):
        with pytest.raises(CodecError):
            decode(packed)


@pytest.mark.parametrize("places", [[-1, 2, 3], [1, 2, 60], [2, 1, 3], [1, 1, 2]])
def test_places_that_topk_cannot_have_written_are_refused(places: list[int]) -> None:
    good = codec("topk(0.05)").encode(values(60))
    tensors = {**good.tensors, "indices": torch.tensor(places, dtype=torch.int32)}
    with pytest.raises(CodecError, match="ascending"):
        decode(replace(good, tensors=tensors))


def golden() -> list[dict[str, object]]:
    """What every codec makes of VALUES; regenerate with `python tests/test_codec.py`, and say why in the commit."""
    texts = [*BOUNDS, "float8(3, 4, 5)", "topk(0.25)"]
    return [
        {
            "codec": text,
            "values": VALUES.tolist(),
            "tensors": {key: item.view(torch.uint8).numpy().tobytes().hex() for key, item in packed.tensors.items()},
            "numbers": dict(packed.numbers),
            "decoded": decode(packed).tolist(),
        }
        for text in texts
        for packed in [codec(text).encode(VALUES)]
    ]


def test_the_bytes_are_golden() -> None:
    assert golden() == json.loads(GOLDEN.read_text())


def test_every_entry_of_the_table_is_tested() -> None:
    assert set(CODECS) == {text.split("(")[0] for text in EVERY}


if __name__ == "__main__":
    GOLDEN.write_text(json.dumps(golden(), indent=1) + "\n")
