"""`cmake --install` puts everything in its place, and the program runs from there.

usage: test_install.py CMAKE BUILD_DIRECTORY

The program runs from a prefix that it cannot write, as another user if this one is root, and with
an empty environment: without HOME and PATH.
"""
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).parents[2]
NOBODY = 65534


class Install(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="bifrons-install-"))
        cls.prefix = cls.folder / "prefix"
        cls.scratch = cls.folder / "scratch"
        cls.scratch.mkdir()
        subprocess.run([CMAKE, "--install", BUILD, "--prefix", cls.prefix], check=True,
                       stdout=subprocess.DEVNULL)
        cls.as_user = {}
        cls.folder.chmod(0o755)
        if os.getuid() == 0:
            cls.as_user = {"user": NOBODY, "group": NOBODY, "extra_groups": []}
            os.chown(cls.scratch, NOBODY, NOBODY)
        for path in [cls.prefix, *cls.prefix.rglob("*")]:
            if not path.is_symlink():
                path.chmod(path.stat().st_mode & ~0o222)

    @classmethod
    def tearDownClass(cls):
        for path in cls.prefix.rglob("*"):
            if path.is_dir():
                path.chmod(0o755)
        cls.prefix.chmod(0o755)
        shutil.rmtree(cls.folder)

    def run_program(self, *words, program=None):
        return subprocess.run([program or self.prefix / "bin/bifrons", *words], cwd=self.scratch,
                              env={}, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              **self.as_user)

    def test_everything_has_its_place(self):
        for name in ("bin/bifrons", "share/bifrons/models/storybook/config.json",
                     "share/bifrons/models/storybook/LICENSE", "share/man/man1/bifrons.1",
                     "share/man/man1/bifrons-generate.1", "share/man/man1/bifrons-bench-batch.1",
                     "share/bash-completion/completions/bifrons",
                     "share/fish/vendor_completions.d/bifrons.fish"):
            self.assertTrue((self.prefix / name).is_file(), name)
        self.assertEqual(len(list(self.prefix.glob("share/zsh/*/_bifrons"))), 1)

    def test_it_draws_with_the_installed_model(self):
        done = self.run_program("generate", "a fox in the snow", "-s", "1", "-o", "fox.png")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual((self.scratch / "fox.png").read_bytes()[:8], b"\x89PNG\r\n\x1a\n")
        told = self.run_program("doctor").stdout
        place = str(self.prefix / "share/bifrons/models/storybook")
        self.assertIn(place, told)

    def test_a_link_to_the_program_finds_model_and_module(self):
        link = self.scratch / "link"
        link.symlink_to(self.prefix / "bin/bifrons")
        done = self.run_program("generate", "a fox", "-s", "1", "-o", "by-link.png", program=link)
        self.assertEqual((done.returncode, done.stdout), (0, "by-link.png\n"), done.stderr)

    def without_opencv(self, change):
        """A copy of the installation, in which `change` gets the path of OpenCV's module."""
        modules = list(self.prefix.rglob("libbifrons_opencv.so"))
        if not modules:
            self.skipTest("a build without OpenCV")
        copy = pathlib.Path(tempfile.mkdtemp(dir=self.folder)) / "prefix"
        for path in [modules[0].parent / "libbifrons_stb.so", self.prefix / "bin/bifrons"]:
            (copy / path.relative_to(self.prefix)).parent.mkdir(parents=True)
            shutil.copy(path, copy / path.relative_to(self.prefix))
        (copy / "share").symlink_to(self.prefix / "share")
        change(copy / modules[0].relative_to(self.prefix))
        copy.parent.chmod(0o755)
        return copy / "bin/bifrons"

    def test_without_the_module_of_opencv_it_draws_png_but_no_webp(self):
        program = self.without_opencv(lambda module: None)
        for name in ("stb.png", "stb.jpg"):
            done = self.run_program("a fox", "-s", "1", "-o", name, program=program)
            self.assertEqual((done.returncode, done.stdout), (0, name + "\n"), done.stderr)
        done = self.run_program("a fox", "-o", "stb.webp", program=program)
        self.assertEqual((done.returncode, len(done.stderr.splitlines())), (2, 1), done.stderr)
        self.assertIn("bifrons-opencv", done.stderr)

    def test_a_module_that_cannot_be_loaded_is_an_error(self):
        program = self.without_opencv(lambda module: module.write_bytes(b"no library"))
        done = self.run_program("a fox", "-o", "never.png", program=program)
        self.assertEqual(done.returncode, 69, done.stderr)
        self.assertIn("libbifrons_opencv.so", done.stderr)
        self.assertFalse((self.scratch / "never.png").exists())

    def test_nothing_else_is_loaded_from_the_build(self):
        libraries = subprocess.run(["ldd", *self.prefix.rglob("*.so"), self.prefix / "bin/bifrons"],
                                   capture_output=True, text=True, check=True).stdout
        self.assertNotIn("not found", libraries)
        self.assertNotIn(str(BUILD), libraries)

    def test_every_command_has_a_page_that_man_reads(self):
        pages = {path.name for path in (self.prefix / "share/man/man1").iterdir()}
        first = (self.prefix / "share/man/man1/bifrons.1").read_text()
        listed = re.findall(r"\\fB(bifrons\\-[a-z\\-]+)\\fR\(1\)", first)
        self.assertGreater(len(listed), 15)
        for name in listed:
            self.assertIn(name.replace("\\-", "-") + ".1", pages)
        for path in (self.prefix / "share/man/man1").iterdir():
            text = path.read_text()
            for part in (".TH ", ".SH NAME", ".SH SYNOPSIS", ".SH OPTIONS"):
                self.assertIn(part, text, path.name)
        if not shutil.which("man"):
            self.skipTest("man is not installed")
        for path in (self.prefix / "share/man/man1").iterdir():
            done = subprocess.run(["man", "--warnings", "-l", path], capture_output=True, text=True,
                                  env={**os.environ, "MANWIDTH": "100", "LC_ALL": "C.UTF-8"})
            self.assertEqual((done.returncode, done.stderr), (0, ""), path.name)
            self.assertIn("NAME", done.stdout)

    def test_the_page_of_the_program_says_the_exit_codes_of_the_manual(self):
        page = (self.prefix / "share/man/man1/bifrons.1").read_text()
        table = (ROOT / "docs/generate.md").read_text().split("## Exit codes")[1]
        codes = re.findall(r"^\| (\d+) \| (.+) \|$", table, re.MULTILINE)
        self.assertGreater(len(codes), 8)
        for code, meaning in codes:
            self.assertIn(f".TP\n\\fB{code}\\fR\n{meaning}\n", page)


if __name__ == "__main__":
    BUILD = pathlib.Path(sys.argv.pop(2)).resolve()
    CMAKE = sys.argv.pop(1)
    unittest.main()
