#!/usr/bin/env python3
"""Checks the documentation: every path and preset that it names exists, every link has a target,
and every section of docs/janus-pro.md that a comment cites exists.

usage: check_paths.py [ROOT]      prints every violation; exit status 1 if there is one
"""
import json
import pathlib
import re
import sys

PAGES = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md", "docs/*.md"]
CODE = ["kernels", "src", "vision", "tools", "tests"]
CODE_ENDINGS = {".h", ".cpp", ".cu", ".py", ".txt"}

# A path begins with a folder of this repository and ends before a comma, a full stop or a bracket.
PATH = re.compile(
    r"(?<![\w./-])((?:kernels|src|vision|tools|tests|samples|docs|\.github)/[\w.*+/-]*[\w*/])")
LINK = re.compile(r"\]\(([^)\s#]+)(#[^)\s]+)?\)")
CITATION = re.compile(
    r"docs/janus-pro\.md\s+(?://\s+)?(\d+(?:\.\d+)?)((?:(?:,|\s+and|\s+to)\s+\d+\.\d+)*)")
SECTION = re.compile(r"^#{2,3} (\d+(?:\.\d+)?)\b", re.MULTILINE)
PRESET = re.compile(r"--preset (\w[\w-]*)")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)


def exists(root: pathlib.Path, path: str) -> bool:
    if "*" in path:
        return any(root.glob(path))
    return (root / path).exists()


def anchor(heading: str) -> str:
    """The anchor of a heading, as GitHub makes it."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


def presets(root: pathlib.Path) -> set[str]:
    file = root / "CMakePresets.json"
    listed = json.loads(file.read_text())["configurePresets"] if file.exists() else []
    return {preset["name"] for preset in listed if not preset.get("hidden")}


def faults_of_page(root: pathlib.Path, page: pathlib.Path):
    text = page.read_text()
    known = presets(root)
    name = page.relative_to(root)
    for number, line in enumerate(text.splitlines(), 1):
        # A link is relative to its page, not a path from the root.
        for match in PATH.finditer(LINK.sub("]", line)):
            if not exists(root, match.group(1)):
                yield f"{name}:{number}: there is no {match.group(1)}"
        for preset in PRESET.findall(line):
            if preset not in known:
                yield f"{name}:{number}: there is no preset {preset}"
        for target, place in LINK.findall(line):
            if re.match(r"\w+:", target):
                continue
            goal = page.parent / target
            if not goal.exists():
                yield f"{name}:{number}: the link {target} leads nowhere"
            elif place and anchor(place[1:]) not in map(anchor, HEADING.findall(goal.read_text())):
                yield f"{name}:{number}: {target} has no heading {place}"


def cited_sections(text: str):
    for first, others in CITATION.findall(text):
        yield first
        yield from re.findall(r"\d+\.\d+", others)


def faults_of_citations(root: pathlib.Path):
    sections = set(SECTION.findall((root / "docs/janus-pro.md").read_text()))
    for folder in CODE:
        for path in sorted((root / folder).rglob("*")):
            if path.suffix not in CODE_ENDINGS or path.parent.name == "docs":
                continue
            for section in cited_sections(path.read_text(errors="replace")):
                if section not in sections:
                    yield f"{path.relative_to(root)}: docs/janus-pro.md has no section {section}"


def faults(root: pathlib.Path):
    for pattern in PAGES:
        for page in sorted(root.glob(pattern)):
            yield from faults_of_page(root, page)
    yield from faults_of_citations(root)


def main() -> int:
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parents[2])
    found = list(faults(root.resolve()))
    print("\n".join(found) if found else "docs: every path, link and citation leads somewhere")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
