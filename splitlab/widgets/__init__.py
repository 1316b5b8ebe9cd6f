"""What a notebook shows: one Python file and one JavaScript file for each widget; no widget knows another."""

from .comparison import Comparison as Comparison
from .controls import Controls as Controls
from .cut_picker import CutPicker as CutPicker
from .devices import Devices as Devices
from .inspect import Inspect as Inspect
from .live_charts import LiveCharts as LiveCharts

__all__ = ["Comparison", "Controls", "CutPicker", "Devices", "Inspect", "LiveCharts"]
