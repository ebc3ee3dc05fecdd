"""A long call of the library: callbacks, their exceptions, and Ctrl-C."""
import signal
import threading

from bifrons import _native
from bifrons._native import Error


class Call:
    """A call of the library on a thread of its own.

    In a `with` block of a Call, Ctrl-C stops the call, and its exception is raised at the end of the
    block. Without that, Python raises it between any two lines: in a callback or in a __del__, where
    it is lost, or beside a call that goes on with memory that its caller has left.
    """

    def __init__(self):
        self.caught = None  # the exception of a callback
        self.stopped = threading.Event()
        self.ended = threading.Event()
        self.ended.set()  # as long as nothing has begun
        self._handler = None  # of Ctrl-C, outside the block
        self._interrupt = None  # the exception of that handler

    def __enter__(self):
        handler = signal.getsignal(signal.SIGINT)
        if threading.current_thread() is threading.main_thread() and callable(handler):
            self._handler = handler
            signal.signal(signal.SIGINT, self._pressed)
        return self

    def __exit__(self, *_):
        if self._handler is not None:
            signal.signal(signal.SIGINT, self._handler)
            self._handler = None
        if self._interrupt is not None:
            interrupt, self._interrupt = self._interrupt, None
            raise interrupt from None

    def _pressed(self, number, frame):
        try:
            self._handler(number, frame)
        except BaseException as interrupt:
            self._interrupt = interrupt
            self.stopped.set()

    def callback(self, kind, function):
        """A C function that goes on unless `function` returns False or raises, or stop() came."""
        def guarded(*arguments):
            try:
                return 0 if self.stopped.is_set() or function(*arguments) is False else 1
            except BaseException as caught:
                self.caught = self.caught or caught
                return 0
        return kind(guarded)

    def checked(self, name, *arguments):
        """_native.checked(), but an exception of a callback is raised instead of the stop."""
        try:
            _native.checked(name, *arguments)
        except Error as error:
            if self.caught is None or error.status != _native.INTERRUPTED:
                raise
        if self.caught is not None:
            raise self.caught

    def start(self, work):
        def run():
            try:
                work()
            finally:
                self.ended.set()
        self.ended.clear()
        try:
            threading.Thread(target=run, name="bifrons", daemon=True).start()
        except BaseException:  # no thread began
            self.ended.set()
            raise

    def stop(self):
        """Stops the call and waits for its end."""
        self.stopped.set()
        self.ended.wait()

    def run(self, name, *arguments):
        failures = []

        def work():
            try:
                self.checked(name, *arguments)
            except BaseException as failure:
                failures.append(failure)
        self.start(work)
        self.ended.wait()
        if failures:
            raise failures[0]
