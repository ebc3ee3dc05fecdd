"""Draws pictures from prompts with Janus-Pro-style models: Engine.draw(), Engine.draw_batch()."""
from bifrons._native import Error, version
from bifrons.engine import Chat, Drawing, Engine

__version__ = version()
__all__ = ["Chat", "Drawing", "Engine", "Error"]
