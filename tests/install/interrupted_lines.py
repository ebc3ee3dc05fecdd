"""Presses Ctrl-C before the n-th line that Python runs while it draws, for n = 1, 1 + step, ...

Each time KeyboardInterrupt must arrive, nothing may be said on standard error, and the engine must
draw the same picture as before. Ends with 1 and says the line where that does not hold.

usage: interrupted_lines.py draw|batch
"""
import signal
import sys

import bifrons

STEPS = {"draw": 7, "batch": 31}
MOST = 40  # times; a batch waits in a loop, so its number of lines has no limit
FEWEST = 100  # lines, or something is not traced
FILES = ("/bifrons/", "/threading.py", "/queue.py", "/contextlib.py")


def pressing_before(line):
    """A trace function; it presses Ctrl-C before the line of that number and says which it was."""
    left, pressed = line, []

    def trace(frame, event, _):
        nonlocal left
        if not any(part in frame.f_code.co_filename for part in FILES):
            return None
        if event == "line":
            left -= 1
            if left == 0:
                pressed.append(f"{frame.f_code.co_filename}:{frame.f_lineno}")
                sys.settrace(None)
                signal.raise_signal(signal.SIGINT)
        return trace
    return trace, pressed


def main(work):
    engine = bifrons.Engine()
    expected = engine.draw("a fox", seed=1).codes.tobytes()
    for line in range(1, 1 + MOST * STEPS[work], STEPS[work]):
        trace, pressed = pressing_before(line)
        arrived = False
        try:
            sys.settrace(trace)
            if work == "draw":
                engine.draw("a cat", seed=2)
            else:
                for drawing in engine.draw_batch(["a cat", "an owl"], seed=2):
                    drawing.codes.tobytes()
        except KeyboardInterrupt:
            arrived = True
        finally:
            sys.settrace(None)
        if not pressed:
            return line > FEWEST or "too few lines were traced"
        if not arrived:
            return f"Ctrl-C was lost at {pressed[0]}"
        if engine.draw("a fox", seed=1).codes.tobytes() != expected:
            return f"another picture after Ctrl-C at {pressed[0]}"
    return True


if __name__ == "__main__":
    result = main(sys.argv[1])
    if result is not True:
        print(result)
        sys.exit(1)
