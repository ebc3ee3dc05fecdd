"""check_paths.py finds each kind of violation, in a tree made for the test."""
import pathlib
import tempfile
import unittest

import check_paths

SPEC = "# Model\n\n## 4. Text to picture\n\n### 4.5 Numerics\n"


class CheckPaths(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.root = pathlib.Path(self.folder.name)
        self.write("docs/janus-pro.md", SPEC)
        self.write("src/model/rope.h", "// Frequencies (docs/janus-pro.md 4.5).\n")

    def tearDown(self):
        self.folder.cleanup()

    def write(self, name, text):
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def faults(self):
        return list(check_paths.faults(self.root))

    def test_a_true_tree_has_no_fault(self):
        self.write("README.md", "See `src/model/rope.h`, `src/*/rope.h` and "
                                "[numerics](docs/janus-pro.md#45-numerics). See src/model.\n")
        self.assertEqual(self.faults(), [])

    def test_a_path_that_is_gone(self):
        self.write("docs/architecture.md", "It is in `src/model/rope.cpp`.\n")
        self.assertEqual(self.faults(), ["docs/architecture.md:1: there is no src/model/rope.cpp"])

    def test_a_pattern_without_a_file(self):
        self.write("docs/architecture.md", "They are `tests/model/*.cpp`.\n")
        self.assertEqual(len(self.faults()), 1)

    def test_a_link_and_a_heading_that_are_gone(self):
        self.write("docs/a.md", "[x](b.md) [y](janus-pro.md#46-nothing) "
                                "[z](https://example.org/q)\n")
        self.assertEqual(len(self.faults()), 2)

    def test_a_preset_that_is_gone(self):
        self.write("CMakePresets.json", '{"configurePresets": [{"name": "release"}]}')
        self.write("docs/a.md", "cmake --preset release\nctest --preset fast\n")
        self.assertEqual(self.faults(), ["docs/a.md:2: there is no preset fast"])

    def test_a_section_that_is_gone(self):
        self.write("kernels/a.h", "// See docs/janus-pro.md 4.5, 4.6 and 7, and docs/janus-pro.md\n"
                                  "// 3.1.\n")
        self.assertEqual(self.faults(), ["kernels/a.h: docs/janus-pro.md has no section 4.6",
                                         "kernels/a.h: docs/janus-pro.md has no section 3.1"])


if __name__ == "__main__":
    unittest.main()
