"""The C interface bifrons_c.h through ctypes, which releases the GIL during every call."""
import ctypes
import os
import pathlib
from ctypes import POINTER, Structure, c_char, c_char_p, c_double, c_int, c_int32, c_int64
from ctypes import c_size_t, c_uint8, c_uint64, c_void_p

INSTALLED = pathlib.Path(__file__).parent / "_installed"
INTERRUPTED = 75


class Error(Exception):
    """A failure of the library. `status` is the exit code that the command line would end with."""

    def __init__(self, status, message):
        super().__init__(message)
        self.status = status


class CError(Structure):
    _fields_ = [("status", c_int32), ("message", c_char * 2044)]

    def exception(self):
        return Error(self.status, self.message.decode("utf-8", "replace"))


class EngineOptions(Structure):
    _fields_ = [("size", c_size_t), ("model", c_char_p), ("device", c_char_p), ("threads", c_int32),
                ("pictures_at_once", c_int32), ("speculate", c_int32), ("rope_bf16", c_int32),
                ("weights", c_char_p), ("kv", c_char_p)]


class ModelInfo(Structure):
    _fields_ = [("size", c_size_t), ("name", c_char_p), ("directory", c_char_p), ("form", c_char_p),
                ("weights_dtype", c_char_p), ("weights_hash", c_char_p), ("device", c_char_p),
                ("image_size", c_int64), ("image_tokens", c_int64), ("codebook", c_int64)]


class Request(Structure):
    _fields_ = [("size", c_size_t), ("prompt", c_char_p), ("negative_prompt", c_char_p),
                ("seed", c_uint64), ("guidance", c_double), ("temperature", c_double),
                ("top_k", c_int64), ("top_p", c_double), ("allow_special", c_int32),
                ("fixed", POINTER(c_int32)), ("fixed_count", c_size_t), ("thinking", c_void_p),
                ("editor", c_void_p), ("image_guidance", c_double)]


class ThinkOptions(Structure):
    _fields_ = [("size", c_size_t), ("style", c_char_p), ("thought", c_char_p),
                ("temperature", c_double), ("top_k", c_int64), ("max_tokens", c_int64)]


PROGRESS = ctypes.CFUNCTYPE(c_int, c_void_p, c_int64, c_int64)
SOURCE = ctypes.CFUNCTYPE(c_int, c_void_p, POINTER(c_uint64), POINTER(Request))
SINK = ctypes.CFUNCTYPE(c_int, c_void_p, c_uint64, c_void_p, POINTER(CError))
LISTENER = ctypes.CFUNCTYPE(c_int, c_void_p, c_char_p)


class Batch(Structure):
    _fields_ = [("size", c_size_t), ("lanes", c_int32), ("user", c_void_p), ("source", SOURCE),
                ("sink", SINK), ("progress", PROGRESS)]


class ReplyOptions(Structure):
    _fields_ = [("size", c_size_t), ("temperature", c_double), ("top_k", c_int64),
                ("top_p", c_double), ("seed", c_uint64), ("max_tokens", c_int64)]


HANDLE_OUT = POINTER(c_void_p)
ERROR = POINTER(CError)
PIXELS = POINTER(c_uint8)
# name: (result, arguments); a result c_int is a status.
FUNCTIONS = {
    "version": (c_char_p, []),
    "engine_options_init": (None, [POINTER(EngineOptions), c_size_t]),
    "engine_open": (c_int, [POINTER(EngineOptions), HANDLE_OUT, ERROR]),
    "engine_close": (None, [c_void_p]),
    "engine_info": (c_int, [c_void_p, POINTER(ModelInfo), c_size_t, ERROR]),
    "request_init": (None, [POINTER(Request), c_size_t]),
    "engine_draw": (c_int, [c_void_p, POINTER(Request), PROGRESS, c_void_p, HANDLE_OUT, ERROR]),
    "think_options_init": (None, [POINTER(ThinkOptions), c_size_t]),
    "thinking_open": (c_int, [c_void_p, POINTER(ThinkOptions), HANDLE_OUT, ERROR]),
    "thinking_close": (None, [c_void_p]),
    "editor_open": (c_int, [c_void_p, c_char_p, HANDLE_OUT, ERROR]),
    "editor_close": (None, [c_void_p]),
    "editor_show": (c_int, [c_void_p, PIXELS, c_int64, c_int64, ERROR]),
    "batch_init": (None, [POINTER(Batch), c_size_t]),
    "engine_draw_batch": (c_int, [c_void_p, POINTER(Batch), ERROR]),
    "engine_decode": (c_int, [c_void_p, POINTER(c_int32), c_size_t, HANDLE_OUT, ERROR]),
    "engine_encode": (c_int, [c_void_p, PIXELS, c_int64, c_int64, HANDLE_OUT, ERROR]),
    "drawing_width": (c_int64, [c_void_p]),
    "drawing_height": (c_int64, [c_void_p]),
    "drawing_rgb": (PIXELS, [c_void_p]),
    "drawing_code_count": (c_size_t, [c_void_p]),
    "drawing_codes": (POINTER(c_int32), [c_void_p]),
    "drawing_seconds": (c_double, [c_void_p]),
    "drawing_thought": (c_char_p, [c_void_p]),
    "drawing_free": (None, [c_void_p]),
    "encode_file": (c_int, [PIXELS, c_int64, c_int64, c_char_p, HANDLE_OUT, POINTER(c_size_t),
                            ERROR]),
    "free": (None, [c_void_p]),
    "chat_open": (c_int, [c_void_p, HANDLE_OUT, ERROR]),
    "chat_close": (None, [c_void_p]),
    "chat_show": (c_int, [c_void_p, PIXELS, c_int64, c_int64, ERROR]),
    "reply_options_init": (None, [POINTER(ReplyOptions), c_size_t]),
    "chat_say": (c_int, [c_void_p, c_char_p, POINTER(ReplyOptions), LISTENER, c_void_p, HANDLE_OUT,
                         ERROR]),
    "chat_reset": (None, [c_void_p]),
}


def _load():
    bundled = INSTALLED / "lib" / "libbifrons.so.0"
    name = os.environ.get("BIFRONS_LIBRARY") or (str(bundled) if bundled.exists() else bundled.name)
    library = ctypes.CDLL(name)
    functions = {}
    for name, (result, arguments) in FUNCTIONS.items():
        function = getattr(library, "bifrons_" + name)
        function.restype, function.argtypes = result, arguments
        functions[name] = function
    return functions


_functions = _load()


def call(name, *arguments):
    """Calls a function of the C interface that cannot fail."""
    return _functions[name](*arguments)


def checked(name, *arguments):
    """Calls a function that returns a status; raises Error unless that is OK."""
    error = CError()
    if _functions[name](*arguments, ctypes.byref(error)) != 0:
        raise error.exception()


def initialised(structure, name):
    value = structure()
    call(name, ctypes.byref(value), ctypes.sizeof(value))
    return value


def version():
    return call("version").decode()
