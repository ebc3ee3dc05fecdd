"""Cases of the Python package; test_python.sh runs them where it is installed."""
import importlib.metadata
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import threading
import time
import unittest

import numpy as np

import bifrons

PROGRAM = os.environ["BIFRONS_PROGRAM"]


class Package(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.engine = bifrons.Engine()

    def test_the_model_is_the_one_of_the_package(self):
        self.assertEqual(self.engine.name, "storybook")
        self.assertIn(str(pathlib.Path(bifrons.__file__).parent), self.engine.directory)

    def test_it_has_the_version_of_the_program(self):
        told = subprocess.run([PROGRAM, "version"], capture_output=True, text=True).stdout.split()[1]
        self.assertEqual((importlib.metadata.version("bifrons"), bifrons.__version__), (told, told))

    def test_a_picture_is_that_of_the_program(self):
        drawing = self.engine.draw("a fox in the snow", seed=42)
        self.assertEqual(drawing.picture.shape, (self.engine.image_size,) * 2 + (3,))
        self.assertEqual((drawing.picture.dtype, drawing.codes.dtype), (np.uint8, np.int32))
        self.assertEqual(drawing.codes.shape, (self.engine.image_tokens,))
        with tempfile.TemporaryDirectory() as folder:
            theirs, ours = pathlib.Path(folder, "theirs.png"), pathlib.Path(folder, "ours.png")
            subprocess.run([PROGRAM, "a fox in the snow", "-s", "42", "--no-metadata", "-o", theirs],
                           check=True, capture_output=True)
            drawing.save(ours)
            self.assertEqual(ours.read_bytes(), theirs.read_bytes())
            try:
                from PIL import Image
            except ImportError:
                self.skipTest("Pillow is not installed")
            with Image.open(theirs) as image:
                np.testing.assert_array_equal(np.asarray(image.convert("RGB")), drawing.picture)
            np.testing.assert_array_equal(np.asarray(drawing.image), drawing.picture)

    def test_seeds_and_settings_count(self):
        one = self.engine.draw("a fox", seed=1)
        np.testing.assert_array_equal(one.codes, self.engine.draw("a fox", seed=1).codes)
        for other in ({"seed": 2}, {"seed": 1, "guidance": 1}, {"seed": 1, "negative_prompt": "red"}):
            self.assertFalse(np.array_equal(one.codes, self.engine.draw("a fox", **other).codes))
        self.assertNotEqual(self.engine.draw("a fox").seed, self.engine.draw("a fox").seed)
        fixed = np.full(self.engine.image_tokens, -1)
        fixed[:8] = one.codes[:8]
        kept = self.engine.draw("a cat", seed=5, fixed=fixed)
        np.testing.assert_array_equal(kept.codes[:8], one.codes[:8])

    def test_a_batch_gives_the_same_pictures(self):
        prompts = ["a fox", {"prompt": "a cat", "guidance": 3}, {"prompt": "an owl", "seed": 99}]
        drawn = {each.index: each for each in self.engine.draw_batch(prompts, seed=7, lanes=2)}
        self.assertEqual(sorted(drawn), [0, 1, 2])
        self.assertEqual([drawn[i].seed for i in range(3)], [7, 8, 99])
        alone = self.engine.draw("a cat", seed=8, guidance=3)
        np.testing.assert_array_equal(drawn[1].picture, alone.picture)

    def test_a_refused_prompt_is_a_result_of_its_own(self):
        drawn = {each.index: each for each in
                 self.engine.draw_batch(["a fox", {"prompt": "a cat", "top_p": 7}], seed=1)}
        self.assertIsNone(drawn[0].error)
        self.assertEqual(drawn[1].error.status, 2)
        with self.assertRaises(bifrons.Error):
            drawn[1].picture

    def test_an_exception_of_the_prompts_arrives(self):
        def prompts():
            yield "a fox"
            raise KeyError("no more")
        with self.assertRaises(KeyError):
            list(self.engine.draw_batch(prompts()))
        self.engine.draw("a fox", seed=1)  # the engine is free again

    def test_a_loop_can_be_left(self):
        endless = iter(lambda: "a fox", None)
        begin = time.monotonic()
        for drawing in self.engine.draw_batch(endless, lanes=2):
            break
        self.assertLess(time.monotonic() - begin, 20)
        with self.assertRaises(RuntimeError):
            for drawing in self.engine.draw_batch(["a fox"] * 3):
                self.engine.draw("a cat")
        self.engine.draw("a fox", seed=1)

    def test_progress_can_stop(self):
        seen = []
        with self.assertRaises(bifrons.Error) as raised:
            self.engine.draw("a fox", progress=lambda done, total: seen.append(done) or done < 5)
        self.assertEqual(raised.exception.status, 75)
        self.assertGreaterEqual(seen[-1], 5)

        def broken(done, total):
            raise ZeroDivisionError
        with self.assertRaises(ZeroDivisionError):
            self.engine.draw("a fox", progress=broken)

    def test_other_threads_run_while_it_draws(self):
        counted, stop = [0], threading.Event()

        def count():
            while not stop.is_set():
                counted[0] += 1
                time.sleep(0.001)
        other = threading.Thread(target=count)
        other.start()
        self.engine.draw("a fox", seed=1)
        stop.set()
        other.join()
        self.assertGreater(counted[0], 5)

    def test_weights_and_the_cache_may_have_fewer_bits(self):
        with bifrons.Engine(weights="int8", kv="int8") as engine:
            self.assertEqual(engine.weights_dtype, "int8")
            self.assertNotEqual(engine.weights_hash, self.engine.weights_hash)
        with self.assertRaises(bifrons.Error) as raised:
            bifrons.Engine(kv="int4")
        self.assertEqual(str(raised.exception), "kv is one of stored, int8")

    def test_failures_are_exceptions(self):
        with self.assertRaises(bifrons.Error) as raised:
            bifrons.Engine("/nowhere/model")
        self.assertEqual(raised.exception.status, 66)
        self.assertIn("/nowhere/model", str(raised.exception))
        for words in ({"prompt": 3}, {"prompt": "a fox", "colour": 1}):
            with self.assertRaises(TypeError):
                self.engine.draw(**words)
        with self.assertRaises(ValueError):
            self.engine.encode(np.zeros((4, 4, 4), np.uint8))
        with self.assertRaises(bifrons.Error):
            self.engine.decode([1, 2, 3])

    def test_codes_and_back(self):
        drawing = self.engine.draw("a fox", seed=1)
        np.testing.assert_array_equal(self.engine.decode(drawing.codes), drawing.picture)
        codes = self.engine.encode(drawing)  # anything that numpy takes as an array
        self.assertEqual(codes.shape, drawing.codes.shape)

    def test_it_talks(self):
        picture = self.engine.draw("a fox", seed=1).picture
        try:
            heard = []
            with self.engine.chat() as chat:
                chat.show(picture)
                reply = chat.say(listener=heard.append, max_tokens=30)
            self.assertIn(reply, "".join(heard))
            self.assertEqual(self.engine.describe(picture, max_tokens=30), reply)
        except bifrons.Error as error:
            self.assertEqual(error.status, 65)  # this model draws but does not see

    def test_it_thinks_before_it_draws(self):
        plain = self.engine.draw("a fox", seed=1)
        self.assertIsNone(plain.thought)
        written = self.engine.draw("a fox", seed=1, think="janus-pro-r1",
                                   think_options={"max_tokens": 8})
        self.assertIsInstance(written.thought, str)
        given = self.engine.draw("a fox", seed=1, thought="It sleeps in the snow.")
        self.assertEqual(given.thought, "It sleeps in the snow.")
        self.assertFalse(np.array_equal(given.codes, plain.codes))
        prompts = ["a fox", {"prompt": "a fox", "seed": 1, "thought": "It sleeps in the snow."}]
        drawn = {each.index: each for each in self.engine.draw_batch(prompts, seed=1)}
        np.testing.assert_array_equal(drawn[0].codes, plain.codes)
        np.testing.assert_array_equal(drawn[1].codes, given.codes)
        for words in ({"think": "no style"}, {"think": "{}"}):
            with self.assertRaises(bifrons.Error):
                self.engine.draw("a fox", **words)
        for options in ({"colour": 1}, {"max_tokens": 8}):
            with self.assertRaises(TypeError):
                self.engine.draw("a fox", think="colour" in options, think_options=options)

    def test_it_changes_a_picture(self):
        before = self.engine.draw("a fox", seed=1).picture
        try:
            after = self.engine.edit(before, "make it red", seed=7)
        except bifrons.Error as error:
            self.assertEqual(error.status, 65)  # this model does not see, or has no encoder
            return
        with tempfile.TemporaryDirectory() as folder:
            seen, theirs = pathlib.Path(folder, "before.png"), pathlib.Path(folder, "after.png")
            self.engine.draw("a fox", seed=1).save(seen)
            subprocess.run([PROGRAM, "edit", seen, "make it red", "-s", "7", "--no-metadata", "-o",
                            theirs], check=True, capture_output=True)
            ours = pathlib.Path(folder, "ours.png")
            after.save(ours)
            self.assertEqual(ours.read_bytes(), theirs.read_bytes())
        weak = self.engine.edit(before, "make it red", seed=7, image_guidance=0)
        self.assertEqual(weak.picture.shape, after.picture.shape)
        for words in ({"style": "no style"}, {"negative_prompt": "blue"}, {"think": True}):
            with self.assertRaises(bifrons.Error):
                self.engine.edit(before, "make it red", **words)

    def test_ctrl_c_stops_drawing_and_batches(self):
        for work in ("engine.draw('a fox') and None", "list(engine.draw_batch(['a fox'] * 2))"):
            script = ("import bifrons\nengine = bifrons.Engine()\nprint('ready', flush=True)\n"
                      f"try:\n    while True: {work}\n"
                      "except KeyboardInterrupt:\n    print('stopped', flush=True)\n"
                      "engine.draw('a fox', seed=1)\nprint('drew', flush=True)\n")
            run = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, text=True)
            self.addCleanup(run.kill)
            self.assertEqual(run.stdout.readline(), "ready\n")
            time.sleep(0.7)
            run.send_signal(signal.SIGINT)
            out, err = run.communicate(timeout=60)
            self.assertEqual((run.returncode, out, err), (0, "stopped\ndrew\n", ""))

    def test_ctrl_c_at_any_line_stops_and_leaves_the_engine_usable(self):
        """A trace presses Ctrl-C before the n-th line of Python code in the main thread."""
        script = pathlib.Path(__file__).with_name("interrupted_lines.py")
        for work in ("draw", "batch"):
            run = subprocess.run([sys.executable, script, work], capture_output=True, text=True,
                                 timeout=300)
            self.assertEqual((run.returncode, run.stderr), (0, ""), run.stdout)

    def test_an_engine_closes(self):
        with bifrons.Engine() as engine:
            engine.draw("a fox", seed=1)
        with self.assertRaises(ValueError):
            engine.draw("a fox")


if __name__ == "__main__":
    unittest.main()
