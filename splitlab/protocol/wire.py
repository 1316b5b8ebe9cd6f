"""How many bytes a frame takes on a WebSocket, fragments and masks included."""

from __future__ import annotations

# A frame travels in fragments: one end still masks and sends while the other already reads, and nobody has to grow one
# large buffer. Together with roomy socket buffers this halves the time of large tensors on a loopback link.
FRAGMENT = 1024**2  # bytes


def wire_size(size: int, masked: bool) -> int:
    """Bytes that a frame of this length takes on a WebSocket: RFC 6455 §5.2. TCP and TLS add their own."""
    full, rest = divmod(size, FRAGMENT)
    parts = [size] if size <= FRAGMENT else [FRAGMENT] * full + [rest] * (rest > 0) + [0]  # an empty one ends it
    return size + sum(2 + (0 if part < 126 else 2 if part < 65536 else 8) + (4 if masked else 0) for part in parts)
