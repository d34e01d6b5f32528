# SPDX-License-Identifier: MIT
"""More kinds of random templates for random_templates.py, each for a part of the language: scopes,
white space, filters with all their arguments, undefined values, JSON, times, attributes, broken
syntax, formats, integers of any size. Each function of KINDS gives one template."""

import template_grammar as grammar
from template_grammar import dct, integer, lst, number, pick, string

R = grammar.R
NM = ["a", "b", "c", "x"]


# ---- scopes: few names, set and read everywhere


def lit():
    return R.choice(["1", "2", "'p'", "[1,2]", "true", "none", "a", "b", "c", "x", "s", "l", "i", "undef"])


def ex():
    return R.choice(
        [
            lit, lit, lit,
            lambda: f"{lit()} ~ {lit()}",
            lambda: f"{lit()} if {lit()}",
            lambda: f"{lit()} if {lit()} else {lit()}",
            lambda: f"{lit()} == {lit()}",
            lambda: f"{lit()} is {pick('defined','none','undefined','string')}",
            lambda: f"m{pick(1,2)}({', '.join(lit() for n in NM[:R.choice([0,0,1,1,2])])})",
            lambda: f"m{pick(1,2)}({R.choice(NM)}={lit()}) if 0",
            lambda: f"{lit()}|default({lit()})",
            lambda: f"loop.{R.choice(['index','depth','first','last','length','previtem','nextitem','revindex0'])} if loop is defined",
            lambda: "caller() if caller is defined",
            lambda: "caller(" + lit() + ") if caller",
            lambda: "varargs",
            lambda: "kwargs",
            lambda: "ns.q",
            lambda: "loop.changed(" + lit() + ") if loop",
        ]
    )()


def prt():
    return "{{ " + ex() + " }}"


def params():
    n = R.sample(NM, R.randint(0, 3))
    out = []
    d = False
    for k in n:
        d = d or R.random() < 0.4
        out.append(k + (("=" + R.choice([lit, ex])()) if d else ""))
    return ", ".join(out)


def b2(d):
    return "".join(st(d - 1) for _ in range(R.randint(1, 3)))


def st(d):
    if d <= 0 or R.random() < 0.3:
        return R.choice(["-", "", "\n", " "]) + prt()
    return R.choice(
        [
            lambda: "{% set " + R.choice(NM) + " = " + ex() + " %}",
            lambda: "{% set " + R.choice(NM) + " = " + ex() + " %}",
            lambda: "{% set ns = namespace(q=0) %}",
            lambda: "{% set ns.q = " + ex() + " %}",
            lambda: "{% set " + R.choice(NM) + ", " + R.choice(NM) + " = " + lit() + ", " + lit() + " %}",
            lambda: "{% if "
            + ex()
            + " %}"
            + b2(d)
            + pick("", "{% elif " + ex() + " %}" + b2(d))
            + pick("", "{% else %}" + b2(d))
            + "{% endif %}",
            lambda: "{% for "
            + R.choice(NM)
            + " in "
            + pick("[1,2]", "l", "[]", "ls", "[[1],[2,[3]]]", "range(3)")
            + pick("", "", " if " + ex())
            + pick("", "", " recursive")
            + " %}"
            + b2(d)
            + pick("", "{{ loop(" + pick("[]", "x", "a") + ") if loop.depth < 3 }}")
            + pick("", "{% else %}" + b2(d))
            + "{% endfor %}",
            lambda: "{% for "
            + R.choice(NM)
            + ", "
            + R.choice(NM)
            + " in d.items() %}"
            + b2(d)
            + "{% endfor %}",
            lambda: "{% for "
            + R.choice(NM)
            + " in l %}"
            + b2(d)
            + "{% if "
            + ex()
            + " %}{% "
            + pick("break", "continue")
            + " %}{% endif %}"
            + b2(d)
            + "{% endfor %}",
            lambda: "{% macro m" + str(pick(1, 2)) + "(" + params() + ") %}" + b2(d) + "{% endmacro %}",
            lambda: "{% macro m" + str(pick(1, 2)) + "(" + params() + ") %}" + b2(d) + "{% endmacro %}",
            lambda: "{% call"
            + pick("", "(" + params() + ")")
            + " m"
            + str(pick(1, 2))
            + "("
            + pick("", lit())
            + ") %}"
            + b2(d)
            + "{% endcall %}",
            lambda: "{% set "
            + R.choice(NM)
            + pick("", "|upper", "|length", "|default('z')")
            + " %}"
            + b2(d)
            + "{% endset %}",
            lambda: "{% filter "
            + pick("upper", "trim", "length", "indent", "replace('a',b)")
            + " %}"
            + b2(d)
            + "{% endfilter %}",
            lambda: "{% with " + pick("", R.choice(NM) + "=" + ex()) + " %}" + b2(d) + "{% endwith %}",
            lambda: "{% with "
            + R.choice(NM)
            + "="
            + ex()
            + ", "
            + R.choice(NM)
            + "="
            + ex()
            + " %}"
            + b2(d)
            + "{% endwith %}",
            lambda: "{% generation %}" + b2(d) + "{% endgeneration %}",
            lambda: "{% block k"
            + str(R.randint(1, 9))
            + pick("", " scoped")
            + " %}"
            + b2(d)
            + "{% endblock %}",
            lambda: "{{ self.k" + str(R.randint(1, 9)) + "() }}" if R.random() < 0.3 else prt(),
            lambda: "{% include " + ex() + pick("", " with context") + " %}" if R.random() < 0.1 else prt(),
            lambda: "{% import 'x' as a %}" if R.random() < 0.1 else prt(),
        ]
    )()


def scope():
    return (
        "{% set ns = namespace(q=0) %}"
        + pick("", "{% set a, b = 1, 'B' %}")
        + "{% macro m1(x='X', a=x, c=none) %}"
        + pick("", "{{ varargs }}{{ kwargs }}")
        + b2(2)
        + "{% endmacro %}"
        + "{% macro m2(b='Y', c=b, q=3) %}"
        + pick("", "{{ varargs }}")
        + b2(2)
        + "{{ caller() if caller }}{% endmacro %}"
        + "".join(st(3) for _ in range(R.randint(2, 5)))
    )


# white space
# ---- white space around tags


def ws():
    out = ""
    for _ in range(R.randint(1, 9)):
        o, c = pick("", "-", "+"), pick("", "-", "+")
        out += (
            R.choice([" ", "  ", "\n", "\n\n", "\t", "x", "\r\n", " \n ", "é", " ", ""])
            + R.choice(
                [
                    lambda: "{%"
                    + o
                    + " if 1 "
                    + c
                    + "%}"
                    + R.choice([" ", "\n", "y", " \n"])
                    + "{%"
                    + c
                    + " endif "
                    + o
                    + "%}",
                    lambda: "{{" + o.replace("+", "") + " 1 " + c.replace("+", "") + "}}",
                    lambda: "{#" + o + " c " + c + "#}",
                    lambda: "{%"
                    + o
                    + " raw "
                    + c.replace("+", "")
                    + "%}"
                    + R.choice([" ", "\n", " r \n", "{{"])
                    + "{%"
                    + o
                    + " endraw "
                    + c
                    + "%}",
                    lambda: "{%" + o + " set q = 1 " + c + "%}",
                    lambda: "{{ '\n' }}",
                    lambda: "{%"
                    + o
                    + "for w in [1,2]"
                    + c
                    + "%}"
                    + R.choice([" ", "\n", "z\n"])
                    + "{%"
                    + c
                    + "endfor"
                    + o
                    + "%}",
                    lambda: "{" + R.choice(["", "{", "%", "#", "-"]),
                    lambda: R.choice(["}}", "%}", "#}"]),
                    lambda: "{{ {'a':{}} }}",
                    lambda: "{%- generation -%} \n {%- endgeneration %}",
                ]
            )()
        )
    return out + pick("", "\n", " ", "\n\n")


# ---- filters with all their arguments: INT, X (anything), B (truth value), AT (attribute), S (string), ...

KW = {
    "batch": ["linecount=INT", "linecount=INT,fill_with=X", "INT,X"],
    "slice": ["slices=INT", "INT,fill_with=X"],
    "center": ["width=INT"],
    "default": ["default_value=X", "X,boolean=B", "default_value=X,boolean=B"],
    "d": ["X"],
    "dictsort": ["case_sensitive=B", "by=BY", "reverse=B", "B,BY,B", "case_sensitive=B,by=BY,reverse=B"],
    "groupby": [
        "attribute=AT", "AT,default=X", "AT,case_sensitive=B", "attribute=AT,default=X,case_sensitive=B",
    ],
    "indent": ["width=INT", "width=S", "INT,B", "INT,B,B", "first=B", "blank=B", "width=INT,first=B,blank=B"],
    "int": ["default=X", "base=INT", "X,INT", "default=X,base=INT"],
    "float": ["default=X", "X"],
    "join": ["d=S", "attribute=AT", "S,AT", "d=X"],
    "map": [
        "F", "attribute=AT", "attribute=AT,default=X", "F", "'replace',S,S", "'round',INT", "'join',S",
        "'default',X", "'attr',S", "'batch',2", "'truncate',INT",
    ],
    "max": ["case_sensitive=B", "attribute=AT", "B,AT"],
    "min": ["case_sensitive=B", "attribute=AT", "B,AT"],
    "pprint": [""],
    "select": ["", "T", "T,X"],
    "reject": ["", "T", "T,X"],
    "selectattr": ["AT", "AT,T", "AT,T,X"],
    "rejectattr": ["AT", "AT,T", "AT,T,X"],
    "replace": ["S,S", "old=S,new=S", "S,S,INT", "S,S,count=INT", "X,X"],
    "round": ["precision=INT", "method=M", "INT,M", "precision=INT,method=M"],
    "sort": ["reverse=B", "case_sensitive=B", "attribute=AT", "B,B,AT"],
    "sum": ["attribute=AT", "start=X", "AT,X"],
    "tojson": [
        "indent=INT", "indent=S", "ensure_ascii=B", "sort_keys=B", "separators=(S,S)",
        "indent=INT,sort_keys=B", "B,INT",
    ],
    "trim": ["chars=S", "S"],
    "truncate": ["length=INT", "INT,B", "INT,B,S", "INT,B,S,INT", "length=INT,killwords=B,end=S,leeway=INT"],
    "unique": ["case_sensitive=B", "attribute=AT", "B,AT"],
    "urlencode": [""],
    "wordwrap": [
        "width=INT", "INT,B", "INT,B,S", "INT,break_on_hyphens=B",
        "width=INT,break_long_words=B,wrapstring=S,break_on_hyphens=B",
    ],
    "xmlattr": ["autospace=B", ""],
    "filesizeformat": ["", "binary=B", "B"],
    "format": ["X", "X,X", "a=X", "b=X,a=X", "X,a=1"],
    "items": [""],
    "first": [""],
    "last": [""],
    "length": [""],
    "list": [""],
    "reverse": [""],
    "string": [""],
    "striptags": [""],
    "title": [""],
    "upper": [""],
    "lower": [""],
    "capitalize": [""],
    "wordcount": [""],
    "abs": [""],
    "attr": ["S", "AT"],
    "count": [""],
    "escape": [""],
    "e": [""],
    "forceescape": [""],
    "safe": [""],
}
AT = [
    "'n'", "'v'", "'o.p'", "'o'", "0", "1", "'0'", "'n,v'", "'v,n'", "'zz'", "'k.x.0'", "'upper'", "none",
    "''", "'a'", "-1", "'k'", "'-1'",
]
TS = [
    "'odd'", "'string'", "'defined'", "'none'", "'eq'", "'in'", "'gt'", "'lt'", "'sameas'",
    "'divisibleby'", "'mapping'", "'iterable'", "'lower'", "'number'", "'=='", "'nope'", "'true'",
    "'callable'", "'escaped'", "'test'", "'filter'", "'undefined'", "'integer'",
]
FS = [
    "'upper'", "'length'", "'string'", "'list'", "'first'", "'int'", "'tojson'", "'trim'", "'title'",
    "'nope'", "'e'", "'abs'", "'float'", "'items'", "'reverse'", "'sort'", "'capitalize'",
]
STRS = [
    "'Hello-World foo_bar, well-known.'", "'a--b -- c-d'", "'<p class=\"x\">a &amp; b</p> <!-- c --> d'",
    "'x\\n\\ny z'", "'&lt;&#65;&#x42; &copy;'", "'The quick  brown fox-trot jumps'", "'ab-cd-ef-gh'",
    "'%s %(a)s'", "'%(a)s'", "'0x1F'", "' 12 '", "'1_000'", "'1e3'", "'-7.9'", "'http://a.b/c?d=e f&g'",
    "'ÀB ß ŉ ﬀ'", "'ΑΣ Σ ΑΣ.'", "'İı'", "'\\u2028x\\x85y'", "'a\\tb\\rc'", "'0b101'", "'٣'", "'inf'",
    "'nan'", "'x'*30", "'word '*8",
]
MORE = [
    "objs|map(attribute='n')", "d.items()", "d|items", "ll", "dn",
    "[{'n':'A','v':1},{'n':'a','v':2},{'n':'b'}]", "[[3,'x'],[1,'y'],[3,'X']]",
    "{'x':none,'y':undef,'z':1,'<':'\"'}", "{'B':1,'a':3,'C':2}", "['b','A','a','B']", "[1.5,2,true]",
    "[none]", "('a',)", "range(7)", "[undef]", "(1,2)", "{'a b':1}", "[1,[2,[3]]]", "2.675", "1e16",
    "1234567", "-0.5", "0.1+0.2", "1e-5", "123456789.123", "true", "none", "undef", "f", "g", "big", "'' ",
    "namespace(a=1)", "'%s'|e", "'<b>'|safe", "('<i>'|safe)", "s|e",
]


def X():
    return R.choice(
        [
            lambda: R.choice(STRS),
            lambda: R.choice(MORE),
            lambda: integer(1),
            lambda: string(0),
            lambda: lst(0),
            lambda: dct(0),
            lambda: number(0),
        ]
    )()


def fill(how):
    out = []
    for tok in how.replace("(S,S)", "SEP").split(","):
        if not tok:
            continue
        k, eq, v = tok.rpartition("=")
        v = {
            "INT": lambda: R.choice(
                ["0", "1", "2", "3", "5", "8", "-1", "16", "20", "none", "'x'"] + ["2"] * 6
            ),
            "X": X,
            "B": lambda: pick("true", "false", "true", "false", "0"),
            "BY": lambda: pick("'key'", "'value'", "'value'", "'x'"),
            "AT": lambda: R.choice(AT),
            "S": lambda: (
                R.choice(["''", "'a'", "','", "' '", "'-'", "'--'", "'é'", "'<'", "'ab'", "none"])
                if R.random() < 0.9
                else X()
            ),
            "M": lambda: pick("'common'", "'ceil'", "'floor'", "'x'"),
            "T": lambda: R.choice(TS),
            "F": lambda: R.choice(FS),
            "SEP": lambda: pick("(',',':')", "(', ',': ')", "['','']"),
        }.get(v, lambda: v)()
        out.append(k + eq + v)
    return ", ".join(out)


def filt():
    v = X()
    for _ in range(pick(1, 1, 2)):
        n = R.choice(list(KW))
        h = fill(R.choice(KW[n]))
        v = f"({v})|{n}" + (f"({h})" if h else "")
        if n in (
            "batch", "slice", "map", "select", "reject", "selectattr", "rejectattr", "unique", "reverse",
            "items",
        ):
            v += pick("|list", "|list", "|list", "|join(',')", "|tojson", "")
    return "{{ " + v + " }}"


# ---- what is undefined, in every operation


def undefs():
    u = R.choice(
        [
            "undef", "d.zz", "undef|default", "none.x", "''.y", "l[99]", "d['q']", "(1).z", "l.zz",
            "dn.k.q", "loop", "(s if false)", "ns.z", "[]|first", "[]|last", "[]|max", "namespace(a=1).b",
            "''.__class__", "d.pop", "l.append", "s.format.x", "range.x", "undef.x",
        ]
    )
    return (
        "{{ "
        + R.choice(
            [
                "%s", "%s + 1", "1 + %s", "%s ~ 'x'", "%s == 1", "%s == undef", "%s != undef", "%s < 1",
                "1 > %s", "%s in l", "1 in %s", "%s is defined", "%s is undefined", "%s is none",
                "%s is string", "%s is iterable", "%s is sequence", "%s is mapping", "%s is callable",
                "%s is number", "not %s", "%s and 1", "%s or 1", "%s.x", "%s['x']", "%s[0]", "%s()",
                "%s|length", "%s|list", "%s|join", "%s|tojson", "[%s]", "[%s]|tojson", "{'a':%s}",
                "{'a':%s}|tojson", "{%s:1}", "%s|upper", "%s|int", "%s|float", "%s|default(1)",
                "%s|default(1,true)", "%s * 2", "-%s", "+%s", "%s % 2", "'%%s' % %s", "'{}'.format(%s)",
                "'a'.join([%s])", "l[%s]", "d[%s]", "%s|string", "%s|first", "%s|last", "%s|sort",
                "%s|map('upper')|list", "%s|select|list", "%s|selectattr('a')|list", "%s|trim",
                "%s|replace('a','b')", "%s|e", "%s|indent", "%s|sum", "%s|unique|list", "%s|items|list",
                "%s|dictsort", "%s|groupby('a')", "%s|attr('a')", "%s|abs", "%s|round", "%s|wordcount",
                "%s|title", "%s|reverse|list", "%s|batch(2)|list", "%s|truncate", "%s|urlencode",
                "%s|pprint", "%s|xmlattr", "%s|safe", "%s|striptags", "%s|format", "%s|center(5)",
                "%s|min", "%s|max", "%s|filesizeformat", "%s[1:]", "%s is eq 1", "%s is in l",
                "%s is sameas none", "%s is sameas undef", "%s is divisibleby 2", "%s is odd",
                "%s is lower", "%s is true", "%s is boolean", "%s is escaped", "%s ** 2", "%s // 2",
                "2 / %s", "range(%s)", "dict(a=%s)", "dict(%s)", "namespace(%s)", "'a' if %s else 'b'",
                "%s is filter", "l|map(attribute=%s)|list", "s.replace('a',%s)", "s.startswith(%s)",
                "s.split(%s)", "d.get('zz',%s)", "d.get(%s)", "%s.upper()", "loop.%s", "joiner(%s)()",
                "cycler(%s).next()", "%s is test",
            ]
        )
        .replace("%%", "\0")
        .replace("%s", u)
        .replace("\0", "%")
        + " }}"
    )


JV = lambda: R.choice(
    [
        "1", "-0.0", "1.5", "1e22", "1e-7", "123456789012", "true", "none", "'a'",
        "'é\\u2028\"\\\\/<>&\\''", "'\\x00\\x1f\\x7f'", "'😀'", "[]", "{}", "()", "(1,)", "[1,[2,{}]]",
        "{'a':[]}", "{1:2}", "{none:1,true:2,1.5:3}", "{'b':1,'a':{'d':1,'c':2}}", "undef", "[undef]",
        "{'a':undef}", "range(3)", "d.items()", "l|map('string')", "(l|map('string')|list)", "'<b>'|safe",
        "namespace(a=1)", "1e400", "-1e400", "1e400-1e400", "{'a':1}.items()|list", "big", "objs", "dn",
        "{(1,2):3}", "s", "u", "q", "d.keys()|list", "'a'.encode()", "dict", "d.get",
    ]
)


# ---- as JSON


def tj():
    v = R.choice(
        [JV, JV, lambda: "[" + JV() + ", " + JV() + "]", lambda: "{'k': " + JV() + ", 'é': " + JV() + "}"]
    )()
    return (
        "{{ ("
        + v
        + ")|"
        + pick(
            "tojson", "tojson", "string", "pprint", "tojson(indent=2)",
            "tojson(indent=4,ensure_ascii=true)", "tojson(indent=0)", "tojson(indent=-1)",
            "tojson(indent='\\t')", "tojson(separators=(',',':'))",
            "tojson(separators=(',',':'),indent=2)", "tojson(sort_keys=true)", "tojson(true)",
            "tojson(ensure_ascii=true)", "list", "tojson|tojson", "string|tojson", "tojson(indent=none)",
            "tojson(indent=true)", "tojson(none)", "e", "tojson|e", "tojson|safe|e", "urlencode",
            "xmlattr",
        )
        + " }}"
    )


def stf():
    return (
        "{{ strftime_now("
        + repr(
            "".join(
                R.choice(
                    ["%" + c for c in "aAbBcdDeFfGgHhIjklmMnpPQrRsStTuUvVwWxXyYzZ%C"]
                    + [
                        "%-d", "%-m", "%_d", "%05d", "%:z", "%^a", "%E", "%Ey", "%Od", "% d", "é", "-",
                        " ", ":", "%",
                    ]
                )
                for _ in range(R.randint(1, 4))
            )
        )
        + ") }}"
    )


def attrs():
    v = R.choice(
        [
            "1", "-5", "2.5", "true", "s", "l", "d", "(1,2)", "range(3)", "none", "undef", "loop",
            "'<a>'|safe", "d.items()", "mm", "namespace(a=1,items=2)", "cycler(1,2)", "joiner('x')",
            "'a'.encode()", "self", "range",
        ]
    )
    m = R.choice(
        [
            "real", "imag", "numerator", "denominator", "bit_length()", "is_integer()", "hex()",
            "as_integer_ratio()", "conjugate()", "bit_count()", "isidentifier()", "name", "arguments",
            "catch_kwargs", "catch_varargs", "caller", "__class__", "__class__.x", "__len__", "__len__()",
            "__init__", "_x", "copy()", "copy() == l", "items()", "items", "keys()|list", "values()|list",
            "get('a')", "get('zz',3)", "index(1)", "index(3,1)", "index(1,-2)", "index(1,0,1)", "count(3)",
            "count('a')", "fromkeys([1])", "pop()", "append(1)", "update({})", "a", "b", "next()",
            "current", "reset()", "upper", "lower()", "format_map({'a':1})", "mro", "func_name", "start",
            "stop", "step", "format", "join('ab')", "join([1])", "encode()", "encode('latin1')",
            "decode()", "strip().x", "__doc__", "__mro__", "__getitem__(0)", "__add__(1)", "x", "0",
            "used", "sep", "items", "pos",
        ]
    )
    e = f"({v}).{m}" if R.random() < 0.8 else f"({v})['{m}']"
    return (
        "{% macro mm(p,q=1) %}{{ kwargs }}{% endmacro %}{{ "
        + e
        + R.choice(["", "", " is defined", " is callable", "|string", " is none"])
        + " }}"
    )


# ---- broken syntax


def syn():
    toks = [
        "{{", "}}", "{%", "%}", "if", "else", "endif", "for", "in", "endfor", "set", "=", "==", "x", "l",
        "1", "'a'", "(", ")", "[", "]", "{", "}", ":", ",", ".", "|", "upper", "is", "not", "defined",
        "and", "or", "+", "-", "*", "**", "~", "%", "/", "//", "<", ">=", "!=", "none", "true", "loop",
        "recursive", "macro", "endmacro", "call", "endcall", "filter", "endfilter", "raw", "endraw",
        "with", "endwith", "block", "endblock", "break", "continue", "elif", "\n", " ", "-%}", "{%-", "{#",
        "#}", ";", "!", "?", "@", "$", "^", "&", '"', "\\", "1.5", "1e3", "0x1f", "1_0", "007", ".5", "5.",
        "0b1", "a.b.c", "'%s' % 1", "[1:2]", "x.0", "is not", "not in", "is odd", "is divisibleby 2",
        "import", "as", "do", "trans", "autoescape",
    ]
    if R.random() < 0.5:
        return "{{ " + " ".join(R.choice(toks[10:]) for _ in range(R.randint(1, 6))) + " }}"
    if R.random() < 0.5:
        t = list(R.choice([scope, ws, filt])())
        for _ in range(R.randint(1, 2)):
            k = R.randrange(len(t)) if t else 0
            if R.random() < 0.5 and t:
                del t[k]
            else:
                t.insert(k, R.choice("{}%#-+'\"()[]|.,=:~ \n1ax"))
        return "".join(t)
    return "".join(R.choice(toks) + pick("", " ") for _ in range(R.randint(2, 8)))


def fmt():
    v = lambda: R.choice(
        [
            "1", "-5", "255", "2.5", "-0.0", "1e10", "true", "'ab'", "'é'", "none", "[1]", "{'a':1}",
            "undef", "1e400", "123456789", "0.00001", "'<'|safe", "d", "l",
        ]
    )
    k = R.random()
    if k < 0.35:
        f = (
            "{"
            + R.choice(
                [
                    "", "0", "1", "a", "a.b", "0.real", "0[a]", "a[0]", "0[0]", "b", "a[b]", "0.upper",
                    "0.__class__", "-1", " ", "0.x", "0.x.y",
                ]
            )
            + pick("", "", "!r", "!s", "!a", "!x", "!")
            + pick(
                "",
                ":"
                + pick(
                    "", ">5", "^6", "*<4", ".2", "05", "+", "#x", "n", "d", ",", "_", "s", "e", "%", ".3f",
                    "{}", "{1}", "{a}", "<{}", "c", "b", "=5", "08,", "010.2f", "z", "G", ",d", "_x",
                    ",.2f", " d", "-", "é>4",
                ),
            )
            + "}"
        )
        f = R.choice(["", "{{", "x"]) + f + R.choice(["", "}}", "{}", "{", "{0}"])
        return (
            "{{ '"
            + f
            + "'.format("
            + R.choice([v() + ", " + v(), v(), "a=" + v(), v() + ", a=" + v(), "*l", "**d", "l, a=d", ""])
            + ") }}"
        )
    if k < 0.5:
        return (
            "{{ '{a}{b[0]}{C!r}'.format_map("
            + pick("d", "{'a':1,'b':[2],'C':3}", "l", "undef", "dn")
            + ") }}"
        )
    f = (
        "%"
        + R.choice(["", "(a)", "(b)", "(zz)", "(a"])
        + R.choice(["", "-", "+", "0", " ", "#", "-0", "+ "])
        + R.choice(["", "5", "*", "12"])
        + R.choice(["", ".2", ".0", ".*", "."])
        + R.choice(list("sdrafgexXoiuEGc%bykhl") + ["ld", "hs"])
    )
    f = R.choice(["", "x", "%%"]) + f + R.choice(["", "", " %s", "%"])
    if R.random() < 0.5:
        return (
            "{{ '"
            + f
            + "' % "
            + R.choice(
                [
                    "(" + v() + ",)",
                    "(" + v() + ", " + v() + ")",
                    v(),
                    "{'a':" + v() + ",'b':" + v() + "}",
                    "(1,2,3)", "()", "[1]",
                ]
            )
            + " }}"
        )
    return (
        "{{ '"
        + f
        + "'|format("
        + R.choice([v(), v() + ", " + v(), "a=" + v(), "a=" + v() + ", b=1", "", "*l", "**d"])
        + ") }}"
    )


# ---- integers of any size


def N(d=2):
    if d <= 0 or R.random() < 0.4:
        return R.choice(
            [
                "9223372036854775807", "9223372036854775808", "-9223372036854775808",
                "18446744073709551616", "12345678901234567890", "10**30", "2**100", "-(2**70)", "3", "-7",
                "0", "1", "10**18", "999999999", "1000000000", "1e20", "2.5", "1e300",
                "0xffffffffffffffffffff",
                "0b1" + "01" * 40,
                "0o7777777777777777777777777", "i", "n", "big", "10**18*10**18",
                "123456789012345678901234567890", "2**64-1", "-3", "true", "0.5", "1e18", "-1e19",
                "2.0**63", "2.0**64",
                str(R.getrandbits(R.randint(1, 400))),
            ]
        )
    op = R.choice(["+", "-", "*", "//", "%", "/", "**"])
    if op == "**":
        return f"({N(d-1)} ** {pick('2','3','0','1','17','-1','64')})"
    return f"({N(d-1)} {op} {N(d-1)})"


def big():
    v = N()
    return (
        "{{ "
        + R.choice(
            [
                v,
                v,
                v,
                f"{v} {pick('<','>','<=','>=','==','!=')} {N()}",
                f"{v} is {pick('odd','even','integer','number','float','string','divisibleby 7')}",
                f"({v})|{pick('abs','int','float','string','tojson','round','round(-3)','round(-20)','round(2)','list','length','filesizeformat')}",
                f"'{v}'|int",
                f"'%{pick('d','s','x','X','o','f','e','g','r','30d','+d','05d','.30d','#x')}' % ({v})",
                f"'{{:{pick('d','x','X','b','o','#x',',','_','_x','e','f','g','40','<40','+','040','n','.2f','','%','s')}}}'.format({v})",
                f"-({v})",
                f"+({v})",
                f"({v}).bit_length()",
                f"({v}).bit_count()",
                f"({v}).as_integer_ratio()",
                f"({v}).real",
                f"({v}) in [1, 10**30, 2**64, 1e20]",
                f"{{ {v}: 1, {N()}: 2 }}",
                f"[{v},{N()}]|sort",
                f"[{v},{N()},{N()}]|sum",
                f"[{v},{N()},{N()}]|max",
                f"'{R.getrandbits(200):x}'|int(0,16)",
                f"'0x{R.getrandbits(200):x}'|int(base=16)",
                f"'{R.getrandbits(200):b}'|int(0,2)",
                f"'-{R.getrandbits(200)}'|int",
                f"1 if {v} else 2",
                f"not {v}",
                f"{v} ~ ''",
                f"l[{v}]",
                f"'a' * ({v})",
                f"range({v})|length",
            ]
        )
        + " }}"
    )


KINDS = {
    "scope": scope,
    "space": ws,
    "arguments": filt,
    "undefined": undefs,
    "json": tj,
    "time": stf,
    "attribute": attrs,
    "syntax": syn,
    "formats": fmt,
    "integers": big,
}
