"""A long call of the library: callbacks, their exceptions, and Ctrl-C."""
import contextlib
import threading

from bifrons import _native
from bifrons._native import Error


class Call:
    """A call of the library on a thread of its own. Ctrl-C arrives in the thread that waits, never
    in a callback, where Python would lose it; so it stops the call and is raised after its end.
    """

    def __init__(self):
        self.caught = None  # the exception of a callback
        self.stopped = threading.Event()
        self.ended = threading.Event()

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
        threading.Thread(target=run, name="bifrons", daemon=True).start()

    def stop(self):
        """Stops the call and waits for its end, also if Ctrl-C is pressed again."""
        self.stopped.set()
        while not self.ended.is_set():
            with contextlib.suppress(KeyboardInterrupt):
                self.ended.wait()

    def run(self, name, *arguments):
        failures = []

        def work():
            try:
                self.checked(name, *arguments)
            except BaseException as failure:
                failures.append(failure)
        self.start(work)
        try:
            self.ended.wait()
        except BaseException:
            self.stop()
            raise
        if failures:
            raise failures[0]
