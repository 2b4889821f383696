"""Pictures of what a model did with one sentence: a page to explore and a figure to print."""

from endash.inspection.look import Look
from endash.inspection.page import write_page
from endash.inspection.picture import write_png

__all__ = ["Look", "write_page", "write_png"]
