from .picture import LEGEND, Example, render_page, render_terminal
from .plot import Curve, line_plot

__all__ = ["LEGEND", "Curve", "Example", "line_plot", "render_page", "render_terminal"]
