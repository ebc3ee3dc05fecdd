"""Requests and pictures in the form of the C interface."""
import ctypes

import numpy as np

from bifrons import _native

_SETTINGS = ("guidance", "temperature", "top_k", "top_p", "image_guidance")


def text_of(text, name):
    if not isinstance(text, str):
        raise TypeError(f"{name} is text, not {type(text).__name__}")
    if "\0" in text:
        raise ValueError(f"{name} has a zero character")
    return text.encode("utf-8", "surrogateescape")


def pixels(picture):
    """An array of shape (height, width, 3), and the words that the C interface takes it by."""
    array = np.asarray(picture)
    if array.dtype != np.uint8 or array.ndim not in (2, 3):
        raise ValueError("a picture is an array of uint8 of shape (height, width, 3)")
    if array.ndim == 2:
        array = np.repeat(array[:, :, None], 3, axis=2)
    if array.shape[2] != 3:
        raise ValueError(f"a picture has 3 channels, not {array.shape[2]}; convert it to RGB")
    array = np.ascontiguousarray(array)
    pointer = array.ctypes.data_as(ctypes.POINTER(ctypes.c_uint8))
    return array, (pointer, array.shape[1], array.shape[0])


def set_options(asked, first, options, of=""):
    """Sets fields of a structure, from the field number first on, by their names."""
    known = [name for name, _ in asked._fields_[first:]]
    for name, value in options.items():
        if name not in known:
            raise TypeError(f"no option {name}{of}; there are {', '.join(known)}")
        setattr(asked, name, value)


class _Thinking:
    """What is written before a picture: think is True, the name of a style, or a style as JSON."""

    def __init__(self, engine, think, thought, options):
        asked = _native.initialised(_native.ThinkOptions, "think_options_init")
        set_options(asked, 3, options, " of a thought")
        if isinstance(think, str):
            asked.style = text_of(think, "the style")
        if thought is not None:
            asked.thought = text_of(thought, "the thought")
        self.handle = ctypes.c_void_p()
        _native.checked("thinking_open", engine, ctypes.byref(asked), ctypes.byref(self.handle))

    def __del__(self):
        if getattr(self, "handle", None):
            _native.call("thinking_close", self.handle)


def _thinking(engine, think, thought, think_options):
    if not think and thought is None:
        if think_options:
            raise TypeError("think_options go with think")
        return None
    return _Thinking(engine, think, thought, think_options or {})


def request_of(engine, prompt, seed, negative_prompt=None, allow_special=False, fixed=None, think=None,
             thought=None, think_options=None, editor=None, **settings):
    """A filled request to the engine of that handle, and what must live as long as it."""
    unknown = sorted(set(settings) - set(_SETTINGS))
    if unknown:
        raise TypeError(f"no setting {unknown[0]}; there are {', '.join(_SETTINGS)}")
    request = _native.initialised(_native.Request, "request_init")
    request.prompt = text_of(prompt, "the prompt")
    if negative_prompt is not None:
        request.negative_prompt = text_of(negative_prompt, "the negative prompt")
    if not 0 <= seed < 2**64:
        raise ValueError("a seed is 0 to 2**64 - 1")
    request.seed = seed
    request.allow_special = bool(allow_special)
    for name, value in settings.items():
        setattr(request, name, value)
    codes = None
    if fixed is not None:
        codes = np.ascontiguousarray(fixed, dtype=np.int32).reshape(-1)
        request.fixed = codes.ctypes.data_as(ctypes.POINTER(ctypes.c_int32))
        request.fixed_count = codes.size
    thinking = _thinking(engine, think, thought, think_options)
    if thinking is not None:
        request.thinking = thinking.handle
    if editor is not None:
        request.editor = editor
    return request, (codes, thinking)
