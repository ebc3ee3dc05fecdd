"""Puts the library, its modules and the storybook model into the package.

Without BIFRONS_BUILD, the library is built here with CMake; with it, that build directory is used.
"""
import os
import pathlib
import shutil
import subprocess
import tempfile

from setuptools import Distribution, setup
from setuptools.command.build_py import build_py
from wheel.bdist_wheel import bdist_wheel

ROOT = pathlib.Path(__file__).resolve().parents[2]


def built():
    if "BIFRONS_BUILD" in os.environ:
        return pathlib.Path(os.environ["BIFRONS_BUILD"])
    if not (ROOT / "CMakeLists.txt").exists():
        raise SystemExit("bifrons: install it from a checkout: pip install CHECKOUT/tools/python")
    build = ROOT / "build" / "python"
    subprocess.run(["cmake", "-S", ROOT, "-B", build, "-G", "Ninja", "-DCMAKE_BUILD_TYPE=Release",
                    "-DBIFRONS_TESTS=OFF", "-DBIFRONS_SHAPING=OFF"], check=True)
    subprocess.run(["cmake", "--build", build, "--parallel"], check=True)
    return build


class WithLibrary(build_py):
    def run(self):
        super().run()
        goal = pathlib.Path(self.build_lib) / "bifrons" / "_installed"
        shutil.rmtree(goal, ignore_errors=True)
        with tempfile.TemporaryDirectory() as folder:
            prefix = pathlib.Path(folder)
            subprocess.run(["cmake", "--install", built(), "--prefix", prefix], check=True,
                           stdout=subprocess.DEVNULL)
            library = next(prefix.rglob("libbifrons.so.0"))
            (goal / "lib").mkdir(parents=True)
            shutil.copy(library, goal / "lib")  # the file behind the links
            shutil.copytree(library.parent / "bifrons", goal / "lib" / "bifrons")
            shutil.copytree(prefix / "share" / "bifrons", goal / "share" / "bifrons")


class OneForAllPythons(bdist_wheel):
    """The library knows nothing of Python, so the wheel serves every version."""

    def get_tag(self):
        return ("py3", "none", super().get_tag()[2])


class Binary(Distribution):
    def has_ext_modules(self):
        return True


setup(distclass=Binary, cmdclass={"build_py": WithLibrary, "bdist_wheel": OneForAllPythons})
