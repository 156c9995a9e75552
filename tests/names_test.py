"""No function stands in two headers: the program is linked from archives, and of two functions of
one name in two of them the linker takes the first and says nothing.

Prints what stands twice. Usage: names_test.py [ROOT]"""

import re
import sys
from pathlib import Path

ROOT = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).resolve().parent.parent
FOLDERS = ("base", "dns", "rules", "tls", "proxy")

COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
DECLARATION = re.compile(
    r"^(?!static|typedef)[a-z][\w *]*?[ *](\w+)\([^;{}]*\);", re.MULTILINE
)


def declared_in(path):
    return DECLARATION.findall(COMMENT.sub("", path.read_text(errors="replace")))


def main():
    places = {}
    for folder in FOLDERS:
        for path in sorted((ROOT / folder).rglob("*.h")):
            for name in set(declared_in(path)):
                places.setdefault(name, []).append(path.relative_to(ROOT).as_posix())
    twice = {name: paths for name, paths in places.items() if len(paths) > 1}
    for name, paths in sorted(twice.items()):
        print("%s(): %s" % (name, ", ".join(paths)))
    assert len(places) > 20, "no functions found below %s" % ROOT
    print("%d functions, %d in two headers" % (len(places), len(twice)))
    return 1 if twice else 0


if __name__ == "__main__":
    sys.exit(main())
