"""What tests/layers and tests/style share: which files are ours, and C++ without its words."""
import os
import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parent.parent
OURS = (".ci", "docs", "k8s", "saga", "schemas", "scripts", "services", "shared", "tests")
CPP = {".cpp", ".hpp"}

# A raw string, a string, a character, a comment: what a pattern for code must not look into.
WORDS = re.compile(r'R"(\w*)\(.*?\)\1"|"(?:\\.|[^"\\\n])*"|'
                   r"(?<!\w)'(?:\\.|[^'\\\n])*'|//[^\n]*|/\*.*?\*/", re.S)


def files(*folders, root=ROOT):
    """Our files below these folders, as paths from the root, in order."""
    for folder in folders or OURS:
        for here, below, names in os.walk(root / folder):
            below[:] = sorted(name for name in below if name != "__pycache__")
            for name in sorted(names):
                yield (pathlib.Path(here) / name).relative_to(root)


def code(text):
    """The text with strings and comments emptied; lines keep their numbers."""
    return WORDS.sub(lambda found: "\n" * found.group().count("\n") or " ", text)
