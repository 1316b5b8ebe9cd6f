"""Frames: any message there and back, readable by safetensors, the same bytes for ever, and no way in."""

import json
import math
import time
import tracemalloc
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from splitlab.codec import codec
from splitlab.errors import FrameError
from splitlab.messages import (
    Backward,
    Collect,
    Collected,
    Drop,
    Failure,
    Features,
    Forward,
    Join,
    Leave,
    Message,
    Packed,
    Report,
    Rows,
    Settings,
    Shared,
    Stop,
    TailGradient,
    Watch,
    Weights,
    Welcome,
)
from splitlab.protocol import frame, layout

GOLDEN = Path(__file__).parent / "golden" / "frames.json"
ROW = (12.5, 0, 1, 2, "loss", 0.25, "")


def packed(text: str = "float8_e4m3fn", count: int = 6) -> tuple[Packed, ...]:
    return (codec(text).encode(torch.arange(count).float().view(2, -1) - 2),)


WEIGHTS = {"head.weight": torch.arange(3.0), "head.steps": torch.tensor(7), "tail.bias": torch.zeros(0, 2)}
MESSAGES: list[Message] = [
    Join("secret", "client", 1, 0, {"host": "pi", "cores": 4, "free": 0.5, "tags": ["a", None, True]}),
    Forward(3, 2, packed(), torch.tensor([1, 0]), "train", 2),
    Forward(3, 2, (*packed("topk(0.5)"), *packed("int8")), None, "evaluate"),
    TailGradient(3, packed("float16"), 0.5, 1),
    Weights(0, 60, WEIGHTS),
    Report((ROW, (12.5, 0, 1, 2, "loss", math.nan, ""), (1.0, 0, 0, 0, "codec", "int8", "setting"))),
    Leave("done"),
    Welcome(1, '{"lr": 0.1}', "[]", "é ☃", 3, 1, WEIGHTS),
    Features(3, packed("bfloat16"), {"arrived": 1.5}),
    Backward(3, packed("float32"), math.nan, 0, {"started": 2.0}),
    Shared(1, WEIGHTS, True),
    Settings(2, {"codec": "int8", "paused": False, "learning_rate": None}),
    Stop("enough"),
    Failure("FrameError", "malformed"),
    Watch(5),
    Rows(5, (ROW,)),
    Drop(1, "slow"),
    Collect(0),
    Collected(0, WEIGHTS),
]
FRAMES = [frame.encode(message) for message in MESSAGES]
NAMES = [repr(message)[:30] for message in MESSAGES]


def plain(value: Any) -> Any:
    """A value with tensors as lists, so that messages can be compared; NaN becomes a word."""
    if isinstance(value, torch.Tensor):
        return [str(value.dtype), list(value.shape), value.contiguous().view(-1).view(torch.uint8).tolist()]
    if isinstance(value, Packed):
        return [value.codec, value.shape, plain(value.tensors), plain(value.numbers)]
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, tuple):
        return tuple(plain(item) for item in value)
    return "nan" if value != value else value


def content(message: Message) -> list[Any]:
    return [type(message), *(plain(getattr(message, item.name)) for item in fields(message))]


@pytest.mark.parametrize("message", MESSAGES, ids=NAMES)
def test_every_message_comes_back(message: Message) -> None:
    assert content(frame.decode(frame.encode(message))) == content(message)


@pytest.mark.parametrize("message", MESSAGES, ids=NAMES)
def test_safetensors_opens_every_frame(message: Message) -> None:
    tensors = safetensors.torch.load(frame.encode(message))
    assert all(tensor.isfinite().all() for tensor in tensors.values() if tensor.dtype == torch.float32)
    assert len(tensors) == frame.encode(message).count(b'"data_offsets"')


def test_every_message_is_tested() -> None:
    assert {type(message) for message in MESSAGES} == set(frame.MESSAGES.values())


def test_a_frame_that_safetensors_wrote_decodes() -> None:
    metadata = {"message": "Weights", "fields": '{"round":0,"samples":1,"weights":["b","a"]}'}
    data = safetensors.torch.save({"weights.a": torch.ones(2), "weights.b": torch.arange(3)}, metadata)
    message = frame.decode(data)
    assert isinstance(message, Weights) and list(message.weights) == ["b", "a"]
    assert torch.equal(message.weights["a"], torch.ones(2))


@pytest.mark.parametrize("name", layout.DTYPES)
def test_every_dtype_travels_aligned(name: str) -> None:
    dtype = layout.DTYPES[name]
    tensors = {"flag": torch.tensor([True]), "x": torch.ones(3, 5).to(dtype), "y": torch.ones(3).t().to(dtype)}
    message = frame.decode(frame.encode(Weights(0, 1, tensors)))
    assert isinstance(message, Weights)
    assert plain(dict(message.weights)) == plain(tensors)
    assert all(tensor.data_ptr() % tensor.element_size() == 0 for tensor in message.weights.values())


def test_tensors_of_any_layout_travel() -> None:
    tensor = torch.arange(6.0).view(2, 3).t().requires_grad_()
    message = frame.decode(frame.encode(Weights(0, 1, {"t": tensor, "scalar": torch.tensor(2.5)})))
    assert isinstance(message, Weights)
    assert torch.equal(message.weights["t"], tensor) and message.weights["scalar"].item() == 2.5


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf, 0.1, 1e-300, 1e300, 2.0, -0.0, 5])
def test_any_float_travels_in_strict_json(number: float) -> None:
    data = frame.encode(Backward(0, (), number, 0))
    header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")], parse_constant=pytest.fail)
    json.loads(header["__metadata__"]["fields"], parse_constant=pytest.fail)
    message = frame.decode(data)
    assert isinstance(message, Backward) and isinstance(message.loss, float)
    assert message.loss == number or (math.isnan(number) and math.isnan(message.loss))


def test_the_same_message_gives_the_same_bytes() -> None:
    one, other = {"a": torch.ones(1), "b": torch.ones(2)}, {"b": torch.ones(2), "a": torch.ones(1)}
    assert frame.encode(Collected(0, one))[-12:] == frame.encode(Collected(0, other))[-12:]
    assert [frame.encode(message) for message in MESSAGES] == FRAMES


def test_the_data_is_not_copied_when_received() -> None:
    data = frame.encode(Forward(0, 64, (codec("float32").encode(torch.zeros(64, 1000)),)))
    tracemalloc.start()
    message = frame.decode(data)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert isinstance(message, Forward) and peak < 50_000
    base = torch.frombuffer(data, dtype=torch.uint8).data_ptr()
    assert 0 < message.activations[0].tensors["values"].data_ptr() - base < 1000


def test_the_frame_adds_less_than_a_thousandth() -> None:
    tensor = torch.zeros(64, 64, 32, 32)
    data = frame.encode(Forward(10**6, 64, (codec("float32").encode(tensor),), torch.zeros(64, dtype=torch.int64)))
    assert len(data) <= 1.001 * tensor.nbytes


def test_a_bytearray_or_a_memoryview_will_do() -> None:
    for data in (bytearray(FRAMES[0]), memoryview(FRAMES[0])):
        assert content(frame.decode(data)) == content(MESSAGES[0])


@pytest.mark.parametrize(
    "message",
    [
        Join(5),  # type: ignore[arg-type]
        Forward(True, 1, ()),
        Forward(1.0, 1, ()),  # type: ignore[arg-type]
        Forward(1 << 53, 1, ()),
        Forward(0, 1, (), labels=[1]),
        Backward(0, (), "nan", 0),  # type: ignore[arg-type]
        Weights(0, 1, {"a": 1.0}),
        Weights(0, 1, {"a": torch.zeros(1, dtype=torch.complex64)}),
        Settings(0, {"a": math.nan}),
        Settings(0, {"a": torch.zeros(1)}),
        Join("\ud800"),
        Report(((1.0, 2),)),
        Shared(0, {}, 1),  # type: ignore[arg-type]
    ],
    ids=str,
)
def test_a_message_that_is_not_what_it_should_be_is_not_sent(message: Message) -> None:
    with pytest.raises(FrameError):
        frame.encode(message)


def raw(header: str | bytes, data: bytes = b"") -> bytes:
    text = header.encode() if isinstance(header, str) else header
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text + data


def with_tensor(entry: str, data: bytes = bytes(8), name: str = "weights.a", names: str = '[\\"a\\"]') -> bytes:
    stub = f'{{\\"round\\":0,\\"samples\\":1,\\"weights\\":{names}}}'
    return raw(f'{{"__metadata__":{{"message":"Weights","fields":"{stub}"}},"{name}":{entry}}}', data)


def with_fields(name: str, text: str) -> bytes:
    return raw(json.dumps({"__metadata__": {"message": name, "fields": text}}))


GOOD = '{"dtype":"F32","shape":[2],"data_offsets":[0,8]}'
BAD = {
    "empty": b"",
    "short": b"\0" * 7,
    "header longer than the frame": (1 << 62).to_bytes(8, "little") + b"{}      ",
    "header over the limit": ((16 << 20) + 8).to_bytes(8, "little") + bytes((16 << 20) + 8),
    "unaligned header": (2).to_bytes(8, "little") + b"{}",
    "no JSON": raw("hello"),
    "no object": raw("[]"),
    "no UTF-8": raw(b'{"__metadata__":{"message":"\xff"}}'),
    "no metadata": raw("{}"),
    "metadata no strings": raw('{"__metadata__":{"message":1}}'),
    "no fields": raw('{"__metadata__":{"message":"Leave"}}'),
    "unknown message": with_fields("Exec", "{}"),
    "base message": with_fields("Message", "{}"),
    "key twice": raw('{"__metadata__":{},"__metadata__":{}}'),
    "field missing": with_fields("Leave", "{}"),
    "field too many": with_fields("Leave", '{"reason":"","x":1}'),
    "field twice": with_fields("Leave", '{"reason":"","reason":""}'),
    "field type": with_fields("Leave", '{"reason":1}'),
    "bool is no int": with_fields("Watch", '{"after":true}'),
    "float is no int": with_fields("Watch", '{"after":1.0}'),
    "int too large": with_fields("Watch", '{"after":9007199254740992}'),
    "int of 5000 digits": with_fields("Watch", '{"after":' + "9" * 5000 + "}"),
    "NaN literal": with_fields("Settings", '{"version":1,"values":{"a":NaN}}'),
    "overflowing number": with_fields("Settings", '{"version":1,"values":{"a":1e999}}'),
    "too deep": with_fields("Settings", '{"version":1,"values":' + '{"a":' * 20 + "1" + "}" * 22),
    "far too deep": with_fields("Settings", '{"version":1,"values":' + "[" * 100_000),
    "too many values": with_fields("Settings", '{"version":1,"values":{"a":[' + "[]," * (1 << 20) + "[]]}}"),
    "half a surrogate pair": raw('{"__metadata__":{"message":"Leave","fields":"{\\"reason\\":\\"\\ud800\\"}"}}'),
    "row too short": with_fields("Report", '{"rows":[[1,2]]}'),
    "row of wrong types": with_fields("Report", '{"rows":[[1,0,0,0,5,1,""]]}'),
    "rows no list": with_fields("Report", '{"rows":{}}'),
    "packed no list": with_fields(
        "Forward", '{"step":0,"samples":1,"activations":{},"labels":false,"mode":"","settings":0}'
    ),
    "packed no object": with_fields(
        "Forward", '{"step":0,"samples":1,"activations":[1],"labels":false,"mode":"","settings":0}'
    ),
    "tensor missing": with_fields("Weights", '{"round":0,"samples":1,"weights":["a"]}'),
    "tensor named twice": with_tensor(GOOD, names='[\\"a\\",\\"a\\"]'),
    "tensor nobody names": with_tensor(GOOD, names="[]"),
    "name no string": with_tensor(GOOD, names="[[]]"),
    "dtype unknown": with_tensor(GOOD.replace("F32", "C64")),
    "dtype no string": with_tensor(GOOD.replace('"F32"', "[]")),
    "shape negative": with_tensor(GOOD.replace("[2]", "[-2]")),
    "shape no integers": with_tensor(GOOD.replace("[2]", "[2.0]")),
    "shape huge": with_tensor(GOOD.replace("[2]", "[1099511627776,1099511627776]")),
    "shape huge and empty": with_tensor(
        GOOD.replace("[2]", "[0,1099511627776,1099511627776]").replace("8]", "0]"), b""
    ),
    "shape of 17": with_tensor(GOOD.replace("[2]", "[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,2]")),
    "shape and offsets disagree": with_tensor(GOOD.replace("[2]", "[3]")),
    "hole": with_tensor(GOOD.replace("[0,8]", "[4,12]"), bytes(12)),
    "too little data": with_tensor(GOOD, bytes(7)),
    "too much data": with_tensor(GOOD, bytes(9)),
    "entry with more": with_tensor(GOOD.replace('"dtype"', '"x":1,"dtype"')),
    "entry no object": with_tensor("[]"),
    "bool of 2": with_tensor('{"dtype":"BOOL","shape":[1],"data_offsets":[0,1]}', b"\2"),
    "overlap": with_tensor(GOOD + ',"weights.b":' + GOOD, names='[\\"a\\",\\"b\\"]'),
    "unaligned tensor": with_tensor(
        '{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"weights.b":{"dtype":"F32","shape":[1],"data_offsets":[1,5]}',
        bytes(5),
        names='[\\"a\\",\\"b\\"]',
    ),
}


def test_the_good_neighbour_of_the_bad_frames_decodes() -> None:
    assert repr(frame.decode(with_tensor(GOOD))) == "Weights(round=0, samples=1, weights={1 tensors})"


@pytest.mark.parametrize("name", BAD)
def test_what_is_not_a_frame_is_refused_quickly_and_briefly(name: str) -> None:
    begun = time.perf_counter()
    with pytest.raises(FrameError) as error:
        frame.decode(BAD[name])
    assert time.perf_counter() - begun < 2 and len(str(error.value)) < 1000


def test_a_frame_over_the_limit_is_refused() -> None:
    frame.decode(FRAMES[1], limit=len(FRAMES[1]))
    with pytest.raises(FrameError, match="size"):
        frame.decode(FRAMES[1], limit=len(FRAMES[1]) - 1)


def decodes_or_refuses(data: bytes) -> None:
    tracemalloc.start()
    try:
        assert isinstance(frame.decode(data), Message)
    except FrameError:
        pass
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak < 1_000_000


@given(st.sampled_from(FRAMES), st.data())
@settings(max_examples=400, deadline=None)
def test_any_mutation_of_a_frame_decodes_or_is_refused(data: bytes, draw: st.DataObject) -> None:
    mutated = bytearray(data)
    for _ in range(draw.draw(st.integers(1, 4))):
        position = draw.draw(st.integers(0, len(mutated)))
        match draw.draw(st.sampled_from(["set", "delete", "insert", "cut"])):
            case "set" if position < len(mutated):
                mutated[position] = draw.draw(st.integers(0, 255))
            case "delete":
                del mutated[position : position + draw.draw(st.integers(1, 9))]
            case "insert":
                mutated[position:position] = draw.draw(st.sampled_from([b"0", b"[", b"{", b'"', b"\\", b"-", b"9" * 9]))
            case "cut":
                del mutated[position:]
    decodes_or_refuses(bytes(mutated))


@given(
    st.sampled_from(MESSAGES),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    ),
    st.data(),
)
@settings(max_examples=400, deadline=None)
def test_any_json_in_any_field_decodes_or_is_refused(message: Message, value: Any, draw: st.DataObject) -> None:
    metadata, tensors = layout.read(frame.encode(message), frame.LIMIT)
    stubs = json.loads(metadata["fields"])
    stubs[draw.draw(st.sampled_from(list(stubs)))] = value
    decodes_or_refuses(b"".join(layout.write({**metadata, "fields": json.dumps(stubs)}, tensors)))


def golden() -> list[dict[str, str]]:
    """Small frames in hex; regenerate with `python tests/test_frame.py`, and say why in the commit."""
    return [
        {"message": type(message).__name__, "repr": repr(message), "hex": data.hex()}
        for message, data in zip(MESSAGES, FRAMES, strict=True)
    ]


def test_the_bytes_are_golden() -> None:
    assert golden() == json.loads(GOLDEN.read_text())


def test_these_are_the_bytes() -> None:
    header = b'{"__metadata__":{"message":"Watch","fields":"{\\"after\\":5}"}} '
    assert frame.encode(Watch(5)) == b"\x40\0\0\0\0\0\0\0" + header.ljust(64)


def test_a_field_of_a_new_kind_is_noticed() -> None:
    for kind in frame.MESSAGES.values():
        assert all(item.type in frame.KINDS for item in fields(kind))
    assert replace(Watch(1), after=2) == Watch(2)


if __name__ == "__main__":
    GOLDEN.write_text(json.dumps(golden(), indent=1, ensure_ascii=False) + "\n")
