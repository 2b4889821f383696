"""Pictures of what a model did with one sentence, and of its latent space: a page to explore and a figure to print."""

from endash.inspection.latent_page import write_latent_page, write_latent_png
from endash.inspection.look import Look
from endash.inspection.page import write_page
from endash.inspection.picture import write_png

__all__ = ["Look", "write_latent_page", "write_latent_png", "write_page", "write_png"]
