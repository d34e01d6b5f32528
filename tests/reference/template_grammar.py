# SPDX-License-Identifier: MIT
"""Random expressions and statements of the template language, for random_templates.py. All that is
random comes from R, so that a seed makes the same templates again."""
import random

CONTEXT = {
    "i": 3, "n": -7, "z": 0, "f": 2.5, "g": -0.125, "big": 10**12, "t": True, "no": None,
    "s": "Hello wörld", "e": "", "w": "  a b\tc \n", "u": "ǅ ßÉ ﬁ Σας ½²١", "c": "a,b,,c",
    "m": "line\r\nline two\n\n  x", "q": "it's \"q\" \\ <b>&", "digits": "0042", "num": "-3.50",
    "l": [3, 1, 2, 3], "ls": ["b", "A", "a", "C"], "le": [], "mix": [1, "x", None, 2.0, False],
    "ll": [[1, 2], [3, 4], []], "d": {"b": 1, "a": 2, "C": None},
    "dn": {"k": {"x": [1, {"y": "z"}]}, "n": 1.5},
    "objs": [{"n": "x", "v": 2, "o": {"p": 1}}, {"n": "Y", "v": 1}, {"n": "x", "v": 3.5}],
}
STRINGS = ["''", "'a'", "'ab'", "' '", "','", "'é'", "'x y  z'", "'A-b_c'", "'%s'", "'{}'",
           "'\\n'", "'ß'", "'12'", "'<a href=\"x\">'", "'a.b.c'", "'ÀÉ'", "'\\u200bx'", "'00'"]
INTS = ["0", "1", "2", "3", "-1", "-2", "5", "10", "100", "-7", "1000003"]
FLOATS = ["0.0", "-0.0", "1.5", "2.0", "-2.5", "1e20", "1e-7", "3.14159", "1e16", "0.1", "123456.789"]
NAMES = list(CONTEXT) + ["undef", "loop", "none"]
R = random.Random(0)


def pick(*xs):
    return R.choice(xs)


def string(depth):
    k = R.random()
    if depth <= 0 or k < 0.4:
        return R.choice(STRINGS + ["s", "e", "w", "u", "c", "m", "q", "digits", "num"])
    if k < 0.55:
        return f"({string(depth - 1)} ~ {expr(depth - 1)})"
    if k < 0.65:
        return f"({string(depth - 1)} + {string(depth - 1)})"
    if k < 0.75:
        return f"{string(0)}[{index(depth - 1)}]"
    return method(depth - 1)


def integer(depth):
    if depth <= 0 or R.random() < 0.7:
        return R.choice(INTS + ["i", "n", "z", "true", "t"])
    return f"({integer(depth - 1)} {pick('+', '-', '*', '//', '%')} {integer(depth - 1)})"


def number(depth):
    if depth <= 0 or R.random() < 0.5:
        return R.choice(INTS + FLOATS + ["i", "n", "f", "g", "big", "true"])
    op = pick("+", "-", "*", "/", "//", "%", "**")
    right = R.choice(["0", "1", "2", "3", "-1", "0.5"]) if op == "**" else number(depth - 1)
    return pick(f"({number(depth - 1)} {op} {right})", f"-{number(depth - 1)}")


def lst(depth):
    k = R.random()
    if depth <= 0 or k < 0.5:
        return R.choice(["l", "ls", "le", "mix", "ll", "objs", "[1, 2.0, 'x']", "(1, 'a')", "(5,)",
                         "range(4)", "range(5, 0, -2)", "[none, undef]", "d.items()", "d.keys()"])
    if k < 0.7:
        return "[" + ", ".join(expr(depth - 1) for _ in range(R.randint(0, 3))) + "]"
    return R.choice([f"{string(depth - 1)}.split()", f"({lst(depth - 1)}|list)",
                     f"({lst(0)} + {lst(0)})", f"{lst(0)}[{index(0)}]", f"{string(0)}|list"])


def dct(depth):
    if depth <= 0 or R.random() < 0.6:
        return R.choice(["d", "dn", "{}", "{'a': 1, 'b': [2]}", "objs[0]", "{1: 2, none: 3, 1.5: 4}"])
    return "{" + ", ".join(f"{pick(STRINGS[1], STRINGS[2], '1', 'true')}: {expr(depth - 1)}"
                           for _ in range(R.randint(0, 3))) + "}"


def index(depth):
    b = lambda: R.choice(["", "", "0", "1", "2", "-1", "-2", "7", "-9", "none"])
    return pick(b() or "0", f"{b()}:{b()}", f"{b()}:{b()}:{pick('', '1', '2', '-1', '-2')}", integer(depth))


def args(*kinds):
    out = []
    for kind in kinds:
        out.append({"s": string, "i": integer, "x": expr, "l": lst}[kind](0)
                   if kind in "sixl" else kind)
    return ", ".join(out)


STR_METHODS = {
    "strip": ["", "s", "none"], "lstrip": ["", "s"], "rstrip": ["", "s"], "upper": [""], "lower": [""],
    "title": [""], "capitalize": [""], "swapcase": [""], "casefold": [""],
    "split": ["", "s", "s,i", "none,i"], "rsplit": ["", "s", "s,i", "none,i"],
    "splitlines": ["", "true"], "partition": ["s"], "rpartition": ["s"],
    "startswith": ["s", "s,i", "s,i,i", "('a','H')"], "endswith": ["s", "s,i", "s,i,i"],
    "find": ["s", "s,i", "s,i,i"], "rfind": ["s", "s,i", "s,i,i"], "index": ["s"], "rindex": ["s"],
    "count": ["s", "s,i", "s,i,i"], "replace": ["s,s", "s,s,i"], "removeprefix": ["s"],
    "removesuffix": ["s"], "center": ["i", "i,'*'"], "ljust": ["i", "i,'*'"], "rjust": ["i", "i,'*'"],
    "zfill": ["i"], "isalpha": [""], "isalnum": [""], "isdigit": [""], "isdecimal": [""],
    "isnumeric": [""], "isspace": [""], "isascii": [""], "isupper": [""], "islower": [""],
    "istitle": [""], "isprintable": [""], "expandtabs": ["", "i"], "join": ["l", "ls"],
    "format": ["x", "x,x", ""],
}
FILTERS = {
    "abs": [""], "attr": ["'upper'", "'n'"], "batch": ["i", "2,x"], "capitalize": [""], "center": ["", "i"],
    "count": [""], "default": ["x", "x,true", ""], "dictsort": ["", "true", "false,'value'", "reverse=true"],
    "escape": [""], "filesizeformat": ["", "true"], "first": [""], "float": ["", "x"],
    "forceescape": [""], "format": ["x", "x,x"], "groupby": ["'n'", "'v'", "'zz',default=1", "0"],
    "indent": ["", "2", "2,true", "2,true,true", "'> '", "width=3,first=true"], "int": ["", "x", "0,16"],
    "items": [""], "join": ["", "s", "','", "'-',attribute='n'"], "last": [""], "length": [""], "list": [""],
    "lower": [""], "map": ["'upper'", "'string'", "attribute='n'", "attribute='o.p',default=0", "'int'",
                           "'default','q',true", "attribute=0", "'replace','a','b'", "'tojson'"],
    "max": ["", "true", "attribute='v'"], "min": ["", "true", "attribute='v'"],
    "reject": ["", "'none'", "'odd'", "'eq',1"], "rejectattr": ["'v'", "'n','eq','x'", "'o','defined'"],
    "replace": ["s,s", "s,s,i"], "reverse": [""], "round": ["", "i", "1,'ceil'", "0,'floor'", "2"],
    "safe": [""], "select": ["", "'string'", "'number'", "'gt',1"], "selectattr": ["'v'", "'v','gt',1", "'n','in',['x']"],
    "slice": ["2", "3", "2,x"], "sort": ["", "true", "false,true", "attribute='v'", "attribute='n,v'"],
    "string": [""], "striptags": [""], "sum": ["", "attribute='v'", "start=1", "start='x'"], "title": [""],
    "tojson": ["", "indent=2", "true", "separators=(',', ':')", "sort_keys=true", "indent='--'"],
    "trim": ["", "s"], "truncate": ["5", "5,true", "4,false,'..'", "7,true,'',0", "3,true,'*',0"],
    "unique": ["", "true", "attribute='n'"], "upper": [""], "urlencode": [""], "wordcount": [""],
    "wordwrap": ["5", "4,false", "6,true,'|'", "3,true,none,false"], "xmlattr": ["", "false"], "pprint": [""],
}
TESTS = ["defined", "undefined", "none", "string", "mapping", "iterable", "sequence", "number", "integer",
         "float", "boolean", "true", "false", "callable", "escaped", "lower", "upper", "even", "odd",
         "divisibleby 2", "divisibleby(i)", "in [1, 'a', none]", "sameas none", "eq 1", "ne 1", "lt 2",
         "gt 2", "le 2", "ge('a')", "equalto 'a'", "filter", "test", "eq(true)"]


def method(depth):
    name = R.choice(list(STR_METHODS))
    how = R.choice(STR_METHODS[name])
    how = how if "'H'" in how else args(*[a for a in how.split(",") if a])
    return f"{string(depth)}.{name}({how})"


def filtered(depth):
    v = R.choice([string, lst, expr, dct, number])(depth)
    for _ in range(R.choice([1, 1, 1, 2])):
        name = R.choice(list(FILTERS))
        how = R.choice(FILTERS[name])
        if how in ("s", "i", "x", "s,s", "s,s,i", "x,x", "2,x", "x,true"):
            how = args(*how.split(","))
        v = f"({v})|{name}" + (f"({how})" if how else "")
        if name in ("batch", "slice", "map", "select", "reject", "selectattr", "rejectattr", "unique",
                    "reverse", "items") and R.random() < 0.9:
            v += "|list"
    return f"({v})"


def tested(depth):
    return f"({expr(depth)} is {pick('', '', 'not ')}{R.choice(TESTS)})"


def formatted(depth):
    v = lambda: R.choice([number, string, integer, expr])(0)
    if R.random() < 0.5:
        spec = "%" + pick("", "", "-", "+", "0", " ", "#", "-0", "+0") + pick("", "", "5", "12") + \
            pick("", "", ".0", ".2", ".5") + R.choice("sdrfgexXoiEGc")
        return f"('<{spec}>' % ({v()},))"
    spec = pick("", "", "<", ">", "^", "*^", "=", "0=") + pick("", "", "+", " ", "-") + pick("", "", "", "#") + \
        pick("", "0") + pick("", "6", "13") + pick("", "", "", ",", "_") + pick("", "", ".0", ".2", ".4") + \
        pick("", "", "d", "f", "g", "e", "x", "X", "o", "b", "s", "%", "E", "G", "c", "n" if 0 else "")
    return f"('<{{:{spec}}}>'.format({v()}))"


def compared(depth):
    x = expr(depth - 1)
    for _ in range(pick(1, 1, 2)):
        x += f" {pick('==', '!=', '<', '>', '<=', '>=', 'in', 'not in')} {expr(depth - 1)}"
    return f"({x})"


def expr(depth):
    k = R.random()
    if depth <= 0 or k < 0.15:
        return R.choice([string(0), integer(0), number(0), lst(0), dct(0), R.choice(NAMES)])
    return R.choice([
        lambda: string(depth), lambda: number(depth), lambda: lst(depth), lambda: dct(depth),
        lambda: method(depth - 1), lambda: filtered(depth - 1), lambda: tested(depth - 1),
        lambda: compared(depth), lambda: formatted(depth),
        lambda: f"({expr(depth - 1)} {pick('and', 'or')} {expr(depth - 1)})",
        lambda: f"(not {expr(depth - 1)})",
        lambda: f"({expr(depth - 1)} if {expr(depth - 1)} else {expr(depth - 1)})",
        lambda: f"({expr(depth - 1)} if {expr(depth - 1)})",
        lambda: f"{R.choice(NAMES)}.{R.choice(['a', 'k', 'n', 'x', 'items', 'upper', 'count', '0'])}",
        lambda: f"{R.choice([lst, dct, string])(depth - 1)}[{R.choice([index, string, integer])(0)}]",
        lambda: f"({expr(depth - 1)} {pick('+', '*', '-', '%')} {expr(depth - 1)})",
        lambda: f"{dct(0)}.get({string(0)}, {expr(0)})",
    ])()


LOOP = ["index", "index0", "revindex", "revindex0", "first", "last", "length", "depth", "depth0", "previtem",
        "nextitem", "cycle('a', 'b')", "changed(x)"]


def tag(x):
    return "{%" + pick("", "", "", "-", "+") + " " + x + " " + pick("", "", "", "-") + "%}"


def body(depth):
    return "".join(stmt(depth) for _ in range(R.randint(1, 3)))


def stmt(depth):
    text = pick("", " ", "\n", " a ", "\n  b\n", "x", "{# c #}", "{#- c -#}\n", "  ")
    k = R.random()
    if depth <= 0 or k < 0.35:
        return text + "{{" + pick("", "-") + " " + R.choice([expr(1), R.choice(["x", "y", "ns.a"]), expr(0)]) + " " + pick("", "-") + "}}"
    b = lambda: body(depth - 1)
    return text + R.choice([
        lambda: tag(f"if {expr(1)}") + b() + pick("", tag(f"elif {expr(1)}") + b()) + pick("", tag("else") + b()) + tag("endif"),
        lambda: tag(f"for x in {lst(1)}" + pick("", "", f" if {expr(1)}")) + "{{ loop." + R.choice(LOOP) + " }}" + b() +
        pick("", tag("else") + b()) + tag("endfor"),
        lambda: tag("for x, y in " + pick("d.items()", "d|dictsort", "[[1, 2], ['a', 'b']]", "ll")) + b() + tag("endfor"),
        lambda: tag("for x in ll recursive") + "{{ loop.depth }}" + tag("if x is iterable and x is not string") +
        "({{ loop(x) }})" + tag("else") + "{{ x }}" + tag("endif") + tag("endfor"),
        lambda: tag(f"for x in {lst(0)}") + b() + tag(f"if {expr(1)}") + tag(pick("break", "continue")) + tag("endif") + b() + tag("endfor"),
        lambda: tag(f"set {pick('x', 'y')} = {expr(2)}"),
        lambda: tag("set ns = namespace(a=1)") + tag(f"for x in {lst(0)}") + tag(f"set ns.a = {expr(1)}") + tag("endfor") + "{{ ns.a }}",
        lambda: tag(f"set x, y = {expr(0)}, {expr(0)}"),
        lambda: tag("set x" + pick("", " | upper", " | trim | replace('a', 'b')")) + b() + tag("endset"),
        lambda: tag("macro mm(x, y='d'" + pick("", ", z=x") + ")") + b() + pick("", "{{ varargs }}", "{{ kwargs }}", "{{ caller() if caller }}") + tag("endmacro") +
        "{{ mm(" + pick("", expr(0), f"{expr(0)}, {expr(0)}", f"y={expr(0)}", f"1, 2, 3, 4", "q=1", "*l", "**d") + ") }}",
        lambda: tag("macro mc()") + "<{{ caller(1) }}>" + tag("endmacro") + tag("call(x) mc()") + b() + tag("endcall"),
        lambda: tag("filter " + pick("upper", "trim", "replace('a', 'b')|upper", "indent(2)", "string")) + b() + tag("endfilter"),
        lambda: tag(f"with x = {expr(1)}, y = {expr(0)}") + b() + tag("endwith"),
        lambda: tag("raw") + "{{ x }}" + text + tag("endraw"),
        lambda: tag("generation") + b() + tag("endgeneration"),
        lambda: pick("{% autoescape true %}", "{% autoescape false %}") + b() + "{% endautoescape %}",
    ])()


KINDS = {
    "expr": lambda: "{{ " + expr(3) + " }}", "method": lambda: "{{ " + method(1) + " }}",
    "filter": lambda: "{{ " + filtered(1) + " }}", "test": lambda: "{{ " + tested(1) + " }}",
    "format": lambda: "{{ " + formatted(1) + " }}", "number": lambda: "{{ " + number(3) + " }}",
    "stmt": lambda: body(3),
}
