"""Engine, Drawing and Chat: the C interface with numpy arrays and exceptions."""
import contextlib
import ctypes
import os
import pathlib
import queue
import secrets
import threading

import numpy as np

from bifrons import _native
from bifrons._call import Call
from bifrons._native import Error
from bifrons._request import pixels, request_of, set_options, text_of


def _default_model():
    """BIFRONS_MODEL, or the storybook model of this package or of an installation."""
    if os.environ.get("BIFRONS_MODEL"):
        return os.environ["BIFRONS_MODEL"]
    places = [_native.INSTALLED, pathlib.Path("/usr/local"), pathlib.Path("/usr")]
    models = [place / "share/bifrons/models/storybook" for place in places]
    return next((model for model in models if model.is_dir()), models[0])


class Drawing:
    """A picture: `picture` (array of uint8), `codes` (array of int32), `prompt`, `seed`, `seconds`,
    and `thought`, the text that it was drawn from, or None.

    In a batch also `index`, the place of its prompt, and `error`, an Error when it was refused.
    """

    def __init__(self, handle=None, prompt=None, seed=None, index=0, error=None):
        self.prompt, self.seed, self.index, self.error = prompt, seed, index, error
        self.seconds, self.thought = 0.0, None
        if handle is None:
            return
        try:
            shape = (_native.call("drawing_height", handle), _native.call("drawing_width", handle), 3)
            rgb = _native.call("drawing_rgb", handle)
            self._picture = np.ctypeslib.as_array(rgb, shape=shape).copy()
            count = _native.call("drawing_code_count", handle)
            codes = _native.call("drawing_codes", handle)
            self.codes = np.ctypeslib.as_array(codes, shape=(count,)).copy() if count else None
            self.seconds = _native.call("drawing_seconds", handle)
            thought = _native.call("drawing_thought", handle)
            self.thought = None if thought is None else thought.decode()
        finally:
            _native.call("drawing_free", handle)

    @property
    def picture(self):
        if self.error is not None:
            raise self.error
        return self._picture

    def __array__(self, dtype=None, copy=None):
        return np.array(self.picture, dtype=dtype) if copy else np.asarray(self.picture, dtype=dtype)

    @property
    def image(self):
        """The picture as an image of Pillow."""
        from PIL import Image
        return Image.fromarray(self.picture)

    def save(self, path):
        """Writes a .png, .jpg or .webp file, without metadata."""
        array, words = pixels(self.picture)
        file, count = ctypes.c_void_p(), ctypes.c_size_t()
        kind = pathlib.Path(path).suffix.lstrip(".")
        _native.checked("encode_file", *words, kind.encode(), ctypes.byref(file),
                        ctypes.byref(count))
        try:
            pathlib.Path(path).write_bytes(ctypes.string_at(file, count.value))
        finally:
            _native.call("free", file)


class Engine:
    """An open model on a device.

    model: a directory; without it BIFRONS_MODEL, or the storybook model that comes with the package.
    device: auto, cpu, cpu:ISA, cuda or cuda:N. threads: 0 takes all cores.
    weights: stored, or int8 or int4, quantised while loading. kv: stored, or int8 for the KV cache.
    """

    def __init__(self, model=None, *, device="auto", threads=0, speculate=0, rope="f32",
                 weights="stored", kv="stored"):
        self._handle = None
        options = _native.initialised(_native.EngineOptions, "engine_options_init")
        options.model = os.fsencode(model if model is not None else _default_model())
        options.device = text_of(device, "the device")
        options.threads, options.speculate = threads, speculate
        if rope not in ("f32", "bf16"):
            raise ValueError("rope is f32 or bf16")
        options.rope_bf16 = rope == "bf16"
        options.weights, options.kv = text_of(weights, "weights"), text_of(kv, "kv")
        handle = ctypes.c_void_p()
        _native.checked("engine_open", ctypes.byref(options), ctypes.byref(handle))
        self._handle = handle
        self._lock = threading.Lock()
        self._batch_in = None  # the thread that iterates over a batch
        info = _native.ModelInfo()
        _native.checked("engine_info", handle, ctypes.byref(info), ctypes.sizeof(info))
        for name, kind in _native.ModelInfo._fields_[1:]:
            value = getattr(info, name)
            setattr(self, name, os.fsdecode(value) if kind is ctypes.c_char_p else value)

    def close(self):
        """Frees the model. Chats must be closed first."""
        if self._handle is not None:
            with self._using():
                handle, self._handle = self._handle, None
                _native.call("engine_close", handle)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def __del__(self):
        handle, self._handle = getattr(self, "_handle", None), None
        if handle is not None:
            _native.call("engine_close", handle)

    @contextlib.contextmanager
    def _using(self):
        if self._batch_in == threading.get_ident():
            raise RuntimeError("this engine is drawing a batch; finish it or close() it first")
        with self._lock:
            if self._handle is None:
                raise ValueError("the engine is closed")
            yield

    def draw(self, prompt, *, seed=None, progress=None, **settings):
        """Draws a picture. Settings: negative_prompt, guidance, temperature, top_k, top_p,
        allow_special, fixed. progress(done, total) is called after every step, on another thread;
        if it returns False or raises, drawing stops.

        think=True lets the model write a thought first, in its own style; think="got-r1" names
        another style, and a text that begins with { is a style as JSON. thought gives the thought.
        think_options: temperature, top_k, max_tokens of the thought.
        """
        with self._using():
            return self._draw(prompt, seed, progress, settings)

    def edit(self, picture, instruction, *, style=None, seed=None, progress=None, **settings):
        """Changes a picture as the instruction says, with a model that was trained for it.

        style: janus-4o or janus-pro-r1, the form in which it was trained; without it the model's
        name decides. image_guidance: the weight of the row that sees the picture without its codes
        (janus-4o). Other settings as of draw(), without negative_prompt and thoughts.
        """
        array, words = pixels(picture)
        with self._using():
            editor = ctypes.c_void_p()
            _native.checked("editor_open", self._handle,
                            None if style is None else text_of(style, "the style"),
                            ctypes.byref(editor))
            try:
                _native.checked("editor_show", editor, *words)
                return self._draw(instruction, seed, progress, {**settings, "editor": editor})
            finally:
                _native.call("editor_close", editor)

    def _draw(self, prompt, seed, progress, settings):
        seed = secrets.randbits(32) if seed is None else seed
        with Call() as call:
            request, keep = request_of(self._handle, prompt, seed, **settings)
            handle = ctypes.c_void_p()
            report = call.callback(_native.PROGRESS, lambda user, done, total:
                                   progress is None or progress(done, total))
            call.run("engine_draw", self._handle, ctypes.byref(request), report, None,
                     ctypes.byref(handle))
            del keep
            return Drawing(handle, prompt, seed)

    def draw_batch(self, prompts, *, seed=None, lanes=0, **settings):
        """Draws prompts by continuous batching and yields Drawings as they are finished.

        prompts: an iterable of texts, or of dictionaries with `prompt` and settings of their own,
        such as `thought`.
        The i-th has seed + i unless it has its own. It is read as the engine needs it, on a thread
        of its own. Leaving the loop, or close(), stops the batch.
        """
        return _Batch(self, prompts, seed, lanes, settings).results()

    def decode(self, codes):
        """Codes in raster order to a picture."""
        codes = np.ascontiguousarray(codes, dtype=np.int32).reshape(-1)
        handle = ctypes.c_void_p()
        with self._using():
            _native.checked("engine_decode", self._handle,
                            codes.ctypes.data_as(ctypes.POINTER(ctypes.c_int32)), codes.size,
                            ctypes.byref(handle))
        return Drawing(handle).picture

    def encode(self, picture):
        """A picture of any size, cut and scaled as the model's training pictures, to its codes."""
        array, words = pixels(picture)
        handle = ctypes.c_void_p()
        with self._using():
            _native.checked("engine_encode", self._handle, *words, ctypes.byref(handle))
        return Drawing(handle).codes

    def chat(self):
        """A conversation about pictures, with a model that sees."""
        return Chat(self)

    def describe(self, picture, **options):
        return self.ask(picture, None, **options)

    def ask(self, picture, question, **options):
        """The answer to a question about a picture. Options as of Chat.say()."""
        with self.chat() as chat:
            chat.show(picture)
            return chat.say(question, **options)


class _Batch:
    """A batch that a thread draws, and the queue to the thread that iterates."""

    def __init__(self, engine, prompts, seed, lanes, settings):
        self.engine, self.lanes, self.settings = engine, lanes, settings
        self.prompts = enumerate(prompts)
        self.seed = secrets.randbits(32) if seed is None else seed
        self.jobs = {}  # index: (prompt, seed)
        self.keep = None  # the last request's memory
        self.done = queue.Queue(maxsize=4)
        self.call = Call()

    def give(self, user, id_out, request_out):
        for index, item in self.prompts:
            words = dict(self.settings)
            words.update({"prompt": item} if isinstance(item, str) else item)
            prompt, seed = words.pop("prompt"), words.pop("seed", self.seed + index)
            self.keep = request_of(self.engine._handle, prompt, seed, **words)
            self.jobs[index] = (prompt, seed)
            id_out[0], request_out[0] = index, self.keep[0]
            return True
        return False

    def take(self, user, index, handle, error):
        prompt, seed = self.jobs.pop(index)
        fault = error[0].exception() if handle is None else None
        self.put(Drawing(handle, prompt, seed, index, fault))

    def put(self, result):
        """Waits for the reader, unless it has gone."""
        while not self.call.stopped.is_set():
            with contextlib.suppress(queue.Full):
                return self.done.put(result, timeout=0.1)

    def run(self):
        batch = _native.initialised(_native.Batch, "batch_init")
        batch.lanes = self.lanes
        batch.source = self.call.callback(_native.SOURCE, self.give)
        batch.sink = self.call.callback(_native.SINK, self.take)
        batch.progress = self.call.callback(_native.PROGRESS, lambda *_: True)
        try:
            self.call.checked("engine_draw_batch", self.engine._handle, ctypes.byref(batch))
            self.put(None)
        except BaseException as error:
            self.put(error)

    def next(self):
        """The next result, or None after the last one and after a stop."""
        with self.call:
            while not self.call.stopped.is_set():
                with contextlib.suppress(queue.Empty):
                    return self.done.get(timeout=0.1)
        return None

    def results(self):
        with self.engine._using():
            try:
                with self.call:
                    self.engine._batch_in = threading.get_ident()
                    self.call.start(self.run)
                while (result := self.next()) is not None:
                    if isinstance(result, BaseException):
                        raise result
                    yield result
            finally:
                with self.call:
                    self.call.stop()
                    self.engine._batch_in = None


class Chat:
    """A conversation with the model of an engine. Use it as a context, or close() it."""

    def __init__(self, engine):
        self._engine, self._handle = engine, None
        handle = ctypes.c_void_p()
        with engine._using():
            _native.checked("chat_open", engine._handle, ctypes.byref(handle))
        self._handle = handle

    def close(self):
        handle, self._handle = self._handle, None
        if handle is not None:
            _native.call("chat_close", handle)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def __del__(self):
        self.close()

    def show(self, picture):
        """Shows a picture; it comes before the words of the next say()."""
        array, words = pixels(picture)
        with self._engine._using():
            _native.checked("chat_show", self._handle, *words)

    def say(self, words=None, *, listener=None, **options):
        """Says something and returns the reply; None asks for a description. Options: temperature,
        top_k, top_p, seed, max_tokens. listener(piece) gets the reply as it comes, and ends it by
        returning False.
        """
        asked = _native.initialised(_native.ReplyOptions, "reply_options_init")
        set_options(asked, 1, options)
        reply = ctypes.c_void_p()
        text = None if words is None else text_of(words, "the text")
        with self._engine._using(), Call() as call:
            hear = call.callback(_native.LISTENER, lambda user, piece:
                                 listener is None or listener(piece.decode()))
            call.run("chat_say", self._handle, text, ctypes.byref(asked), hear, None,
                     ctypes.byref(reply))
            try:
                return ctypes.string_at(reply).decode()
            finally:
                _native.call("free", reply)

    def reset(self):
        """Starts a new conversation."""
        with self._engine._using():
            _native.call("chat_reset", self._handle)
