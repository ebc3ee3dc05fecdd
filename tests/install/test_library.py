"""The installed library: programs that find it through CMake and through pkg-config.

usage: test_library.py CMAKE BUILD_DIRECTORY CXX_COMPILER

docs/library.md contains the sample unchanged, and the sample is built against the installation.
"""
import os
import pathlib
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).parents[2]
HERE = ROOT / "tests" / "install"
SAMPLE = ROOT / "samples" / "library"
STORYBOOK = ROOT / "samples" / "models" / "storybook"
PNG = b"\x89PNG\r\n\x1a\n"


def run(*words, **options):
    return subprocess.run([str(word) for word in words], capture_output=True, text=True, **options)


class Library(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="bifrons-library-"))
        cls.prefix = cls.folder / "prefix"
        cls.built = cls.folder / "built"
        install = run(CMAKE, "--install", BUILD, "--prefix", cls.prefix)
        assert install.returncode == 0, install.stderr
        for step in (["-S", SAMPLE, "-B", cls.built, f"-DCMAKE_PREFIX_PATH={cls.prefix}",
                      f"-DCMAKE_CXX_COMPILER={COMPILER}"], ["--build", cls.built]):
            done = run(CMAKE, *step)
            assert done.returncode == 0, done.stdout + done.stderr

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.folder)

    def compiled(self, source, *flags):
        """A program built with the words of pkg-config."""
        if not shutil.which("pkg-config"):
            self.skipTest("pkg-config is not installed")
        config = next(self.prefix.glob("lib*/**/pkgconfig"))
        words = run("pkg-config", "--cflags", "--libs", "bifrons",
                    env={**os.environ, "PKG_CONFIG_PATH": str(config)})
        self.assertEqual(words.returncode, 0, words.stderr)
        program = self.folder / source.stem
        flags = [*flags, source, *shlex.split(words.stdout), f"-Wl,-rpath,{config.parent}"]
        done = run(COMPILER, "-Wall", "-Wextra", "-Werror", "-o", program, *flags)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        return program

    def draw(self, model, file):
        return run(self.built / "draw", model, "a fox in the snow", file)

    def test_the_page_shows_the_sample(self):
        page = (ROOT / "docs" / "library.md").read_text()
        for language, path in (("cpp", SAMPLE / "draw.cpp"), ("cmake", SAMPLE / "CMakeLists.txt"),
                               ("c", SAMPLE / "draw.c")):
            shown = f"```{language}\n{path.read_text()}```"
            self.assertIn(shown, page, f"docs/library.md does not show {path.name} as it is")

    def test_the_sample_draws_what_the_program_draws(self):
        file = self.folder / "fox.png"
        done = self.draw(STORYBOOK, file)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        drawn = run(self.prefix / "bin/bifrons", "a fox in the snow", "-s", "42", "--no-metadata",
                    "-o", self.folder / "by-program.png")
        self.assertEqual(drawn.returncode, 0, drawn.stderr)
        self.assertEqual(file.read_bytes()[:8], PNG)
        self.assertEqual(file.read_bytes(), (self.folder / "by-program.png").read_bytes())

    def test_the_sample_says_what_is_wrong(self):
        done = self.draw("/nowhere/model", "/nowhere/fox.png")
        self.assertEqual(done.returncode, 66)  # the exception's type is known across the library
        self.assertEqual(len(done.stderr.splitlines()), 1)

    def test_every_public_function_is_exported(self):
        done = run(self.compiled(HERE / "every_function.cpp", "-std=c++20"))
        self.assertEqual((done.returncode, done.stderr), (0, ""))

    def test_nothing_else_is_exported(self):
        library = next(self.prefix.rglob("libbifrons.so"))
        listed = run("nm", "-D", "-C", "--defined-only", library).stdout.splitlines()
        names = [line.split(maxsplit=2)[2] for line in listed]
        self.assertGreater(len(names), 60)
        headers = "".join(path.read_text() for path in (self.prefix / "include/bifrons").iterdir())
        for name in names:
            if re.match(r"(typeinfo|typeinfo name|vtable) for bifrons::(Contract)?Error$", name):
                continue
            word = re.match(r"(?:bifrons::(?:Engine|Understanding)::|bifrons::)?([~\w]+)", name)
            self.assertRegex(headers, rf"\b{word[1].lstrip('~')}\b", name)

    def test_it_has_a_soname(self):
        library = next(self.prefix.rglob("libbifrons.so"))
        self.assertEqual(os.readlink(library), "libbifrons.so.0")
        self.assertIn("Library soname: [libbifrons.so.0]", run("readelf", "-d", library).stdout)

    def test_the_sample_in_c_draws_the_same(self):
        program = self.compiled(SAMPLE / "draw.c", "-xc", "-std=c99", "-pedantic")
        done = run(program, STORYBOOK, "a fox in the snow", self.folder / "c.png")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertEqual(self.draw(STORYBOOK, self.folder / "cpp.png").returncode, 0)
        self.assertEqual((self.folder / "c.png").read_bytes(), (self.folder / "cpp.png").read_bytes())

    def test_the_c_interface(self):
        done = run(self.compiled(HERE / "c_interface.c", "-xc", "-std=c99", "-pedantic"), STORYBOOK)
        self.assertEqual((done.returncode, done.stderr), (0, ""))


if __name__ == "__main__":
    COMPILER = sys.argv.pop(3)
    BUILD = pathlib.Path(sys.argv.pop(2)).resolve()
    CMAKE = sys.argv.pop(1)
    unittest.main()
