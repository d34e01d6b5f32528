#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Random small templates through jinja2 and through our interpreter, and what differs.

    random_templates.py [-n COUNT] [-s SEED] [--only KIND] T_RENDER

T_RENDER is tests/conformance/t_render of a build; the kinds are those of template_grammar.py and
template_kinds.py. jinja2 is set up as Hugging Face's apply_chat_template does it (see
../golden/templates.py). An error is equal to an error, whatever it says, and texts with addresses
of objects count as such; what we refuse by name (OURS) is counted apart.
"""
import argparse
import collections
import copy
import json
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "golden"))
sys.dont_write_bytecode = True
import template_grammar as grammar  # noqa: E402
import template_kinds  # noqa: E402
from templates import env  # noqa: E402

KINDS = {**grammar.KINDS, **template_kinds.KINDS}


# What we refuse and say so: random text, names of characters, complex numbers, most entities.
OURS = ["random text", "another prompt", "by their names", "no real number", "striptags does not know"]


def reference(template):
    try:
        return env.from_string(template).render(**copy.deepcopy(grammar.CONTEXT))
    except Exception as e:  # a RecursionError too, where we are nested too deep
        return e


def main():
    p = argparse.ArgumentParser()
    p.add_argument("t_render")
    p.add_argument("-n", type=int, default=2000)
    p.add_argument("-s", type=int, default=0)
    p.add_argument("--only")
    p.add_argument("-v", type=int, default=20, help="differences shown")
    a = p.parse_args()
    grammar.R.seed(a.s)
    kinds = [a.only] if a.only else list(KINDS)
    templates = [KINDS[kinds[i % len(kinds)]]() for i in range(a.n)]
    rows = "\n".join(json.dumps({"context": grammar.CONTEXT, "template": t}) for t in templates)
    out = subprocess.run([a.t_render, "-"], input=rows, capture_output=True, text=True, check=True).stdout
    counts, shown = collections.Counter(), 0
    for template, line in zip(templates, out.split("\n")):
        got, want = json.loads(line), reference(template)
        error = isinstance(want, Exception)
        if error and "error" in got:
            counts["both fail"] += 1
        elif not error and got.get("text") == want:
            counts["equal"] += 1
        elif not error and any(x in got.get("error", "") for x in OURS):
            counts["refused by name"] += 1
        elif not error and " at 0x" in want.lower():
            counts["addresses of objects"] += 1
        elif error and "text" in got:
            counts["only the reference fails"] += 1
            counts["  " + type(want).__name__ + ": " + str(want)[:60]] += 1
            if shown < a.v:
                shown += 1
                print(f"{template!r}\n   got  {got['text']!r}\n   want {want!r}")
        else:
            counts["different"] += 1
            if shown < a.v:
                shown += 1
                print(f"{template!r}\n   got  {got.get('text', got.get('error'))!r}\n   want {want!r}")
    for what, n in counts.most_common(25):
        print(f"{n:6d} {what}")


if __name__ == "__main__":
    main()
