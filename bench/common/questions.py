"""Made-up names, lists and questions; the same on every machine."""

import itertools
import random
import subprocess

from place import BUILD

NAMES_LAST = 1 << 29  # numbers of list_names that no list here reaches
CACHED_NAMES = 20000
CACHED_QUESTIONS = 200000
BLOCKED_QUESTIONS = 50000
FRESH_NAMES = 5000
ZONE = "bench"  # above the names that no list has


def write_list(path, form, first, count):
    """A list of `count` names; it is there at once or not at all."""
    aside = path.with_suffix(".new")
    with open(aside, "wb") as file:
        command = [BUILD / "bench/lists/list_names", form, str(first), str(count)]
        subprocess.run(command, stdout=file, check=True)
    aside.replace(path)
    return path


def names(first, count):
    command = [BUILD / "bench/lists/list_names", "plain", str(first), str(count)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()


def write(path, questions):
    path.write_text("".join("%s\n" % question for question in questions))
    return path


def write_cached(path):
    """Names as often as Zipf has it (the n-th 1/n as often as the first), of three types. Returns
    the file, and one in which each question is once."""
    draw = random.Random(3)
    known = ["%s.%s" % (name, ZONE) for name in names(NAMES_LAST, CACHED_NAMES)]
    weights = list(itertools.accumulate(1 / (i + 1) for i in range(len(known))))
    chosen = draw.choices(known, cum_weights=weights, k=CACHED_QUESTIONS)
    types = draw.choices(("A", "AAAA", "HTTPS"), (6, 3, 1), k=CACHED_QUESTIONS)
    questions = ["%s %s" % both for both in zip(chosen, types)]
    return write(path, questions), write(path.with_suffix(".once"), sorted(set(questions)))


def write_fresh(path):
    """Names before which the load sets a label that nobody has asked for."""
    known = names(NAMES_LAST + CACHED_NAMES, FRESH_NAMES)
    return write(path, ["%s.%s A" % (name, ZONE) for name in known])


def write_blocked(path, size):
    """Names of a list of that size, every second one below what is listed."""
    draw = random.Random(4)
    listed = draw.sample(names(0, size), min(size, BLOCKED_QUESTIONS))
    types = draw.choices(("A", "AAAA"), (2, 1), k=len(listed))
    below = ["x%d.%s" % (draw.randrange(1000), name) if i % 2 else name
             for i, name in enumerate(listed)]
    return write(path, ["%s %s" % both for both in zip(below, types)])
