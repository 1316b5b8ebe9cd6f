"""How two ends talk: which bytes a message is (`frame`), and who may say what when (`Order`)."""

from . import frame
from .order import Order

__all__ = ["Order", "frame"]
