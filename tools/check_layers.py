#!/usr/bin/env python3
"""Holds the layers: arrows point down only, heavy headers stay in the files meant for them, and the
library asks the environment for nothing.

usage: check_layers.py [ROOT]      prints every violation; exit status 1 if there is one
"""
import pathlib
import re
import sys

ROOT = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parent.parent)

# Which of our own folders a folder may include.
SRC_ORDER = ["io", "weights", "tokenizer", "model", "settings", "engine", "prompts", "store", "batch"]
ALLOWED = {"kernels": ["kernels"], "vision": ["kernels", "vision"]}
# Inside vision: networks include pictures, never the reverse.
PICTURES = ["kernels/error.h", "kernels/headroom.h", "kernels/bytes.h", "kernels/utf8.h", "vision/pictures"]

# Downloads need files and text; nothing of the library needs downloads.
HUB = ["kernels/error.h", "kernels/utf8.h", "src/io", "src/hub"]

# Headers that only the named files may include (regular expressions on the path).
WALLED = {
    r"opencv2/": r"vision/pictures/encode_opencv\.cpp|vision/pictures/decode_opencv\.cpp",
    r"stb_\w+\.h": r"vision/pictures/encode_stb\.cpp|vision/pictures/decode_stb\.cpp",
    r"ft2build|freetype/": r"vision/pictures/face_freetype\.cpp",
    r"hb|fribidi": r"vision/pictures/shaping_harfbuzz\.cpp",
    r"(oneapi/)?dnnl": r"kernels/cpu/.*onednn.*\.(cpp|h)",
    r"cuda|cublas|cudnn": r"kernels/cuda/.*",
    r"CLI/": r"tools/bifrons/.*",
    r"curl/": r"src/hub/http_curl\.cpp",
}


def allowed_targets(path: pathlib.Path) -> list[str]:
    """Prefixes of the headers of this repository that this file may include."""
    top = path.parts[0]
    if path.parts[:2] == ("vision", "pictures"):
        return PICTURES
    if path.parts[:2] == ("src", "hub"):
        return HUB
    if top in ALLOWED:
        return ALLOWED[top]
    if top == "src":
        base = ["kernels", "vision", "src/bifrons.h", "src/understand.h", "src/think.h", "src/variation.h",
                "src/edit.h", "src/reflect.h"]
        if len(path.parts) > 2 and path.parts[1] in SRC_ORDER:
            below = SRC_ORDER[: SRC_ORDER.index(path.parts[1]) + 1]
            return base + [f"src/{room}/" for room in below]
        return base + ["src/c/"] if path.parts[1] == "c" else base  # the C interface: public headers
    if path.parts[:2] == ("tools", "bench"):
        return ["kernels", "vision", "src", "tools/bench"]
    return ["kernels", "vision", "src", "tools"]  # tools/bifrons, samples


def violations():
    for top in ("kernels", "vision", "src", "tools"):
        for path in sorted((ROOT / top).rglob("*")):
            if path.suffix not in (".h", ".cpp", ".cu", ".cuh"):
                continue
            name = path.relative_to(ROOT)
            library = top != "tools" or name.parts[1] == "bench"
            for number, line in enumerate(path.read_text().splitlines(), 1):
                if library and re.search(r"\bgetenv\b", line):
                    yield f"{name}:{number}: the command line reads the environment, no library does"
                match = re.match(r'\s*#\s*include\s+([<"])([^>"]+)', line)
                if not match:
                    continue
                header = match.group(2)
                own = header.split("/")[0] in ("kernels", "vision", "src", "tools", "tests")
                if own and not any(header.startswith(a) for a in allowed_targets(name)):
                    yield f"{name}:{number}: may not include {header}"
                for pattern, files in WALLED.items():
                    if not own and re.match(pattern, header) and not re.fullmatch(files, str(name)):
                        yield f"{name}:{number}: {header} belongs behind {files}"


def main() -> int:
    found = list(violations())
    print("\n".join(found) if found else "layers: every arrow points down")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
