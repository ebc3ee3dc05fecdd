"""docs/library.md contains the sample unchanged, and the sample draws a picture.

usage: test_library.py PROGRAM      the built samples/library/draw.cpp
"""
import pathlib
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).parents[2]
SAMPLE = ROOT / "samples" / "library"


def draw(model, file):
    return subprocess.run([PROGRAM, model, "a fox in the snow", file], capture_output=True,
                          text=True)


class Library(unittest.TestCase):
    def test_the_page_shows_the_sample(self):
        page = (ROOT / "docs" / "library.md").read_text()
        for language, name in (("cpp", "draw.cpp"), ("cmake", "CMakeLists.txt")):
            shown = f"```{language}\n{(SAMPLE / name).read_text()}```"
            self.assertIn(shown, page, f"docs/library.md does not show {name} as it is")

    def test_the_sample_draws(self):
        with tempfile.TemporaryDirectory() as folder:
            file = pathlib.Path(folder) / "fox.png"
            done = draw(ROOT / "samples" / "models" / "storybook", file)
            self.assertEqual((done.returncode, done.stderr), (0, ""))
            self.assertEqual(file.read_bytes()[:8], b"\x89PNG\r\n\x1a\n")

    def test_the_sample_says_what_is_wrong(self):
        done = draw("/nowhere/model", "/nowhere/fox.png")
        self.assertEqual(done.returncode, 66)
        self.assertEqual(len(done.stderr.splitlines()), 1)


if __name__ == "__main__":
    PROGRAM = sys.argv.pop(1)
    unittest.main()
