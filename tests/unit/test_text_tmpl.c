/* SPDX-License-Identifier: MIT */
/* The template interpreter where the golden file cannot look: who wrote which byte, the limits,
 * the messages, and what hostile sources and failing memory do. */
#include <string.h>

#include <jansson.h>

#include "common/zc_mem.h"
#include "tests/unit/t_unit.h"
#include "zoracd/text/zt_tmpl.h"

enum { MAX_OUT = 1 << 20 };

/* Compiles and renders with vars (JSON); text gets the result, untrusted bytes between [ and ]. */
static int render(const char *src, const char *vars, uint64_t steps, struct zc_buf *text,
                  struct zc_diag *dg)
{
    struct zt_tmpl *tmpl = NULL;
    struct zt_text out;
    json_t *trusted = json_pack("{ss}", "bos", "<s>");
    struct zt_tmpl_in in = {
        .json = vars, .json_len = strlen(vars), .trusted_vars = trusted, .max_steps = steps};

    dg->text[0] = '\0';
    zt_text_init(&out, MAX_OUT);
    int r = zt_tmpl_new(&tmpl, "t", src, strlen(src), dg);
    if (r == ZC_OK)
        r = zt_tmpl_render(tmpl, &in, &out, dg);
    zc_buf_clear(text);
    for (size_t i = 0; r == ZC_OK && i < out.n_spans; i++) {
        zc_buf_adds(text, out.spans[i].trusted ? "" : "[");
        zc_buf_add(text, out.buf.data + out.spans[i].off, out.spans[i].len);
        zc_buf_adds(text, out.spans[i].trusted ? "" : "]");
    }
    zt_text_release(&out);
    zt_tmpl_free(tmpl);
    json_decref(trusted);
    return r;
}

static const char vars[] =
    "{\"u\": \"Ab cd\", \"l\": [\"x\", \"y\"], \"d\": {\"k\": \"v\"}, \"n\": 7,"
    " \"m\": \"<s>\", \"w\": \" a \"}";

START_TEST(every_byte_remembers_who_wrote_it)
{
    static const char *const rows[][2] = {
        {"<a>{{ u }}</a>", "<a>[Ab cd]</a>"},
        {"{{ bos }}{{ m }}", "<s>[<s>]"},
        {"{{ 'x' ~ u ~ 'y' }}{{ 'x' + u }}", "x[Ab cd]yx[Ab cd]"},
        {"{{ ('<' ~ u ~ '>')[0:3] }}", "<[Ab]"},
        {"{{ ('<' ~ u ~ '>')[::-1] }}", ">[dc bA]<"},
        {"{{ ('<' ~ u ~ '>')|upper }}{{ ('<B' ~ u)|lower }}", "<[AB CD]><b[ab cd]"},
        {"{{ ('<' ~ u)|title }}{{ ('<' ~ u).title() }}", "<[Ab Cd]<[Ab Cd]"},
        {"{{ ('  ' ~ w ~ '  ')|trim }}", "[a]"},
        {"{{ u.replace('b', '<b>') }}", "[A]<b>[ cd]"},
        {"{{ 'a-b'.replace('-', u) }}", "a[Ab cd]b"},
        {"{{ ('p ' ~ u ~ ' q').split(' ')|join('|') }}", "p|[Ab]|[cd]|q"},
        {"{{ u.split()|join('|') }}", "[Ab]|[cd]"},
        {"{{ l|join(', ') }}{{ ','.join(l) }}", "[x], [yx],[y]"},
        {"{{ l|map('upper')|join('-') }}", "[X]-[Y]"},
        {"{% for k, v in d.items() %}{{ k }}={{ v }}{% endfor %}", "[k]=[v]"},
        {"{% for c in 'a' ~ w %}{{ c }}.{% endfor %}", "a.[ ].[a].[ ]."},
        {"{% set x %}<{{ u }}>{% endset %}{{ x }}", "<[Ab cd]>"},
        {"{% macro f(a) %}<{{ a }}>{% endmacro %}{{ f(u) }}{{ f('t') }}", "<[Ab cd]><t>"},
        {"{% filter upper %}a{{ u }}{% endfilter %}", "A[AB CD]"},
        {"{{ '%s=%s' % ('k', u) }}{{ '{}={}'.format('k', u) }}", "k=[Ab cd]k=[Ab cd]"},
        {"{{ u|e }}{{ '<'|e }}{{ m|e }}", "[Ab cd]&lt;[&lt;s&gt;]"},
        {"{{ ('\n' ~ u)|indent(2) }}", "\n  [Ab cd]"},
        {"{{ ('a' ~ u).center(10, '*') }}", "**a[Ab cd]**"},
        {"{{ u|default('t') }}{{ zz|default('t') }}", "[Ab cd]t"},
        {"{{ u|first }}{{ u[1] }}{{ u|last }}", "[Abd]"},
        {"{{ 'ab'|truncate(1, true, u[:0], 0) }}", "a"},
        {"{{ u|wordwrap(2) }}", "[Ab]\n[cd]"},
        {"{{ (u ~ '<s>').partition('<')[2] }}", "s>"},
        {"{{ 'a' if u == 'Ab cd' else 'b' }}{{ u == 'Ab' ~ ' cd' }}", "a[True]"},
        {"{{ '<image_' ~ (1 + 1) ~ '>' }}", "<image_2>"},
        {"{{ '<image_' ~ n ~ '>' }}{{ n + 1 }}", "<image_[7]>[8]"},
        {"{% for x in l %}{{ loop.index }}{% endfor %}", "12"},
        {"{{ strftime_now('%Y') }}", "1970"},
        {"{{ strftime_now('') }}{{ strftime_now('%Y' * 100000)|length }}", "400000"},
        {"{{ strftime_now('a' * 254) == 'a' * 254 }}", "[True]"},
        {"{{ 1.5|round(-400) }}{{ 1e400|round(-400) }}", "0.0inf"},
        /* punctuation of tojson and of lists is nobody's: untrusted */
        {"{{ d|tojson }}", "[{\"k\": \"v\"}]"},
        {"{{ ['t', u] }}", "[[']t[', 'Ab cd']]"},
        {"{{ {'t': 't'}|tojson }}", "[{\"]t[\": \"]t[\"}]"},
    };
    struct zc_buf text;
    struct zc_diag dg;

    zc_buf_init(&text, MAX_OUT);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        t_assert_err(render(rows[i][0], vars, 0, &text, &dg), ZC_OK, &dg);
        ck_assert_msg(strcmp(zc_buf_str(&text), rows[i][1]) == 0, "%s: got %s, want %s", rows[i][0],
                      zc_buf_str(&text), rows[i][1]);
    }
    zc_buf_release(&text);
}
END_TEST

START_TEST(appending_in_place_changes_no_other_string)
{
    static const char src[] = "{% set a = 'x' ~ u %}{% set b = a ~ '1' %}{% set c = a ~ '2' %}"
                              "{% set d = b ~ u %}{{ a }}/{{ b }}/{{ c }}/{{ d }}";
    struct zc_buf text;
    struct zc_diag dg;

    zc_buf_init(&text, MAX_OUT);
    t_assert_err(render(src, "{\"u\": \"U\"}", 0, &text, &dg), ZC_OK, &dg);
    ck_assert_str_eq(zc_buf_str(&text), "x[U]/x[U]1/x[U]2/x[U]1[U]");
    zc_buf_release(&text);
}
END_TEST

/* Work on texts of a million characters, ninety thousand times. */
#define LONG_TEXTS                                                               \
    "{% set l = 'a' * 1000000 %}{% set k = 'a' * 1000000 %}{% set d = {k: 1} %}" \
    "{% for i in range(90000) %}"

START_TEST(errors_name_line_and_construct)
{
    static const struct {
        const char *src;
        int err;
        const char *message;
    } rows[] = {
        {"a\n{{ 1|foo }}", ZC_EINVAL, "t:2: unknown filter 'foo'"},
        {"\n\n{% if x is bar %}{% endif %}", ZC_EINVAL, "t:3: unknown test 'bar'"},
        {"{% frob %}", ZC_EINVAL, "t:1: unknown tag 'frob'"},
        {"{% include 'x' %}", ZC_EINVAL,
         "t:1: 'include' needs another template, and there is none"},
        {"{% for x in y %}", ZC_EINVAL, "t:1: the template ends before 'endfor'"},
        {"{{ (1 }}", ZC_EINVAL, "t:1: unexpected '}'"},
        {"{{ 1 +\n }}", ZC_EINVAL, "t:2: expected an expression, got the tag's end"},
        {"x\n{{ raise_exception('no ' ~ u) }}", ZC_EINVAL, "t:2: no U"},
        {"{{ a.b.c }}", ZC_EINVAL, "t:1: 'a' is undefined"},
        {"{{ u.b.c }}", ZC_EINVAL, "t:1: str has no element 'b'"},
        {"{% set x = [1,\n 'a'\n + 1\n, 2] %}", ZC_EINVAL,
         "t:3: '+' cannot be computed of str and int"},
        {"{% if u\n.b\n.c %}{% endif %}", ZC_EINVAL, "t:3: str has no element 'b'"},
        {"{% set x = u\n[1:\n'a'\n] %}", ZC_EINVAL, "t:2: str has no such slice"},
        {"{{ u\n|center('a') }}", ZC_EINVAL, "t:2: center needs an integer as 'width', got str"},
        {"{{ u.encode().hex() }}", ZC_EINVAL, "t:1: bytes has no element 'hex'"},
        {"{{ u|truncate(3, true, '', -1) }}", ZC_EINVAL,
         "t:1: truncate with a leeway of less than 0"},
        {"{% set x = [].append(1) %}", ZC_EINVAL,
         "t:1: 'append' of list is not allowed in a template"},
        {"{{ 'a' + 1 }}", ZC_EINVAL, "t:1: '+' cannot be computed of str and int"},
        {"{{ 10 ** 4300 }}", ZC_EINVAL, "t:1: an integer of more than 4300 digits"},
        {"{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}", ZC_ELIMIT,
         "t:1: nested too deep, at '{{'"},
        {"{% set l = range(500) %}{% for i in range(9000) %}{% for j in l %}{% endfor %}{% endfor "
         "%}",
         ZC_ELIMIT, "t:1: the template takes too many steps, at 'for'"},
        {LONG_TEXTS "{% set y = l == k %}{% endfor %}", ZC_ELIMIT,
         "t:1: the template takes too many steps, at 'set'"},
        {LONG_TEXTS "{% set y = l < k %}{% endfor %}", ZC_ELIMIT,
         "t:1: the template takes too many steps, at 'set'"},
        {LONG_TEXTS "{% set y = d[l] %}{% endfor %}", ZC_ELIMIT,
         "t:1: the template takes too many steps, at 'set'"},
        {LONG_TEXTS "{% set y = l in [k] %}{% endfor %}", ZC_ELIMIT,
         "t:1: the template takes too many steps, at 'set'"},
        {LONG_TEXTS "{% set y = l.isalpha() %}{% endfor %}", ZC_ELIMIT,
         "t:1: the template takes too many steps, at 'isalpha'"},
        {LONG_TEXTS "{% set y = l.upper() %}{% endfor %}", ZC_ELIMIT,
         "t:1: the template takes too many steps, at 'upper'"},
        {LONG_TEXTS "{% set y = l.strip(k) %}{% endfor %}", ZC_ELIMIT,
         "t:1: the template takes too many steps, at 'strip'"},
        {LONG_TEXTS "{% set y = l|wordwrap(2) %}{% endfor %}", ZC_ELIMIT,
         "t:1: the template takes too many steps, at 'wordwrap'"},
        {"{{ 1.5|round(-400, 'ceil') }}", ZC_EINVAL,
         "t:1: round with a number or a precision that is out of range"},
        {"{{ 1.7e308|round(-308) }}", ZC_EINVAL,
         "t:1: round with a number or a precision that is out of range"},
        {"{{ '%*d' % (-9223372036854775807 - 1, 5) }}", ZC_EINVAL,
         "t:1: a format that is too wide"},
        {"{{ strftime_now('%Y' * 300000) }}", ZC_EINVAL,
         "t:1: a time of more than 1048576 characters"},
        {"{{ range(100001) }}", ZC_EINVAL, "t:1: a range of more than 100000 numbers"},
        {"{% set n = namespace(s='x' * 1000) %}{% for i in range(40) %}{% set n.s = n.s ~ n.s %}"
         "{% endfor %}",
         ZC_ELIMIT, "t:1: the template needs too much memory, at 'set'"},
        {"{{ 'x' * 2000000 }}", ZC_ELIMIT, "t:1: the text is longer than allowed"},
    };
    struct zc_buf text;
    struct zc_diag dg;

    zc_buf_init(&text, MAX_OUT);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        int r = render(rows[i].src, "{\"u\": \"U\"}", 3000000, &text, &dg);
        ck_assert_msg(r == rows[i].err && strcmp(dg.text, rows[i].message) == 0,
                      "%.60s: got %s: %s", rows[i].src, zc_err_name(r), dg.text);
    }
    zc_buf_release(&text);
}
END_TEST

/* Integers beyond 64 bits: divided by one limb, by several, with digits that have to be corrected;
 * in other bases; and none of it takes memory for each digit. */
START_TEST(big_integers_are_divided_and_formatted)
{
    static const char *const rows[][2] = {
        {"{% set y = 10 ** 4200 %}{% for i in range(300) %}{% set z = '%d' % y %}{% endfor %}"
         "{{ ('%d' % y)|length }}{{ '%d' % -y == '-' ~ '%d' % y }}{{ '%x' % y == '%x' % (y + 0) }}",
         "4201TrueTrue"},
        {"{{ '%x %o' % (2 ** 100 + 10, -(2 ** 99)) }} {{ '{:b}'.format(2 ** 70) }}",
         "1000000000000000000000000a -1000000000000000000000000000000000 "
         "10000000000000000000000000000000000000000000000000000000000000000000000"},
        {"{{ (10 ** 30 + 12) // 7 }} {{ (10 ** 30 + 12) % 7 }} {{ -(10 ** 30) // 7 }} "
         "{{ -(10 ** 30) % 7 }} {{ 7 // 10 ** 30 }} {{ -7 % 10 ** 30 }}",
         "142857142857142857142857142858 6 -142857142857142857142857142858 6 0 "
         "999999999999999999999999999993"},
        {"{{ 999999999000000000000000000 // 999999999999999999 }} "
         "{{ 999999999000000000000000000 % 999999999999999999 }} "
         "{{ 499999999999999999999999999999999999 // 500000000000000000999999999 }}",
         "999999999 999999999 999999999"},
        {"{% for i in range(50) %}{% set z = (10 ** 4200 + i) // (10 ** 2100 + 1) %}{% endfor %}"
         "{{ (10 ** 4200 - 1) // (10 ** 2100 + 1) == 10 ** 2100 - 1 }}"
         "{{ (10 ** 4200 + 5) % (10 ** 2100 + 1) }}",
         "True6"},
        {"{{ '0xffffffffffffffffffff'|int(base=16) }} {{ ('1' * 70)|int(base=2) }}",
         "1208925819614629174706175 1180591620717411303423"},
    };
    struct zc_buf text;
    struct zc_diag dg;

    zc_buf_init(&text, MAX_OUT);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        size_t n = 0;
        t_assert_err(render(rows[i][0], "{}", 0, &text, &dg), ZC_OK, &dg);
        for (const char *p = zc_buf_str(&text); *p; p++) /* whoever wrote it */
            if (*p != '[' && *p != ']')
                text.data[n++] = *p;
        ck_assert_msg(n == strlen(rows[i][1]) && memcmp(text.data, rows[i][1], n) == 0,
                      "%s: got %.*s", rows[i][0], (int)n, text.data);
    }
    zc_buf_release(&text);
}
END_TEST

START_TEST(what_an_if_avoids_may_be_unknown)
{
    struct zc_buf text;
    struct zc_diag dg;

    zc_buf_init(&text, MAX_OUT);
    t_assert_err(render("{% if false %}{{ 1|foo }}{% endif %}a{{ 1|foo if false else 'b' }}", "{}",
                        0, &text, &dg),
                 ZC_OK, &dg);
    ck_assert_str_eq(zc_buf_str(&text), "ab");
    t_assert_err(render("{% if true %}{{ 1|foo }}{% endif %}", "{}", 0, &text, &dg), ZC_EINVAL,
                 &dg);
    zc_buf_release(&text);
}
END_TEST

START_TEST(json_text_holds_what_a_tree_cannot)
{
    static const char *const bad[] = {"",          "[]",          "{",    "{\"a\":}",
                                      "{\"a\" 1}", "{\"a\":tru}", "{} x", "{\"a\": \"\xff\"}"};
    struct zc_buf text;
    struct zc_diag dg;

    zc_buf_init(&text, MAX_OUT);
    t_assert_err(render("{{ b|tojson }}{{ d|list|length }}",
                        "{\"b\": -123456789012345678901, "
                        "\"d\": {\"x\\u0000y\": 1}}",
                        0, &text, &dg),
                 ZC_OK, &dg);
    ck_assert_str_eq(zc_buf_str(&text), "[-123456789012345678901]1");
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        t_assert_err(render("{{ a }}", bad[i], 0, &text, &dg), ZC_EFORMAT, &dg);
    zc_buf_release(&text);
}
END_TEST

/* Compiles, renders with a tree, which it takes, and gives the text. */
static int render_tree(const char *src, json_t *tree, struct zc_buf *text, struct zc_diag *dg)
{
    struct zt_tmpl *tmpl = NULL;
    struct zt_text out;

    ck_assert_ptr_nonnull(tree);
    t_assert_err(zt_tmpl_new(&tmpl, "t", src, strlen(src), dg), ZC_OK, dg);
    zt_text_init(&out, MAX_OUT);
    int r = zt_tmpl_render(tmpl, &(struct zt_tmpl_in){.vars = tree}, &out, dg);
    zc_buf_clear(text);
    zc_buf_add(text, out.buf.data, out.buf.len);
    zt_text_release(&out);
    zt_tmpl_free(tmpl);
    json_decref(tree);
    return r;
}

START_TEST(a_tree_says_what_its_text_says)
{
    static const char all[] = "{\"a\": [1, -2, 2.5, true, false, null, \"x\\u0000\u00e9\", [], "
                              "{\"z\": {}, \"b\": 1e300}]}";
    const char *src = "{% for k, v in a[8].items() %}{{ k }}{{ v }}{% endfor %}{{ a|tojson }}";
    json_t *deep = json_object();
    struct zc_buf text;
    struct zc_diag dg;

    zc_buf_init(&text, MAX_OUT);
    json_t *tree = json_loads(all, JSON_ALLOW_NUL, NULL);
    t_assert_err(render_tree(src, tree, &text, &dg), ZC_OK, &dg);
    ck_assert_str_eq(zc_buf_str(&text), "z{}b1e+300[1, -2, 2.5, true, false, null, "
                                        "\"x\\u0000\u00e9\", [], {\"z\": {}, \"b\": 1e+300}]");
    tree = json_pack("{so}", "a", json_stringn_nocheck("a\xff", 2));
    t_assert_err(render_tree("{{ a }}", tree, &text, &dg), ZC_EFORMAT, &dg);
    for (int i = 0; i < 2000; i++)
        deep = json_pack("{so}", "a", deep);
    t_assert_err(render_tree("{{ a }}", deep, &text, &dg), ZC_ELIMIT, &dg);
    zc_buf_release(&text);
}
END_TEST

/* Work is counted by what was looked at, not by what is left of the text. */
START_TEST(a_long_text_may_be_cut_into_its_lines)
{
    enum { LINES = 40000 };
    char *lines = zc_xmalloc(LINES * 20);
    struct zc_buf text;
    struct zc_diag dg;

    for (size_t i = 0; i < LINES; i++)
        memcpy(lines + i * 20, "some words of a line", 20);
    for (size_t i = 0; i < LINES; i++)
        lines[i * 20 + 19] = '\n';
    zc_buf_init(&text, MAX_OUT);
    json_t *tree = json_pack("{ss#}", "s", lines, LINES * 20);
    t_assert_err(render_tree("{{ s.split('\n')|length }} {{ s.count('\n') }} "
                             "{{ s.replace('\n', '')|length }} {{ s.splitlines()|length }}",
                             tree, &text, &dg),
                 ZC_OK, &dg);
    ck_assert_str_eq(zc_buf_str(&text), "40001 40000 760000 40000");
    zc_buf_release(&text);
    zc_free(lines);
}
END_TEST

/* Uses most of the language; renders with `vars`. */
static const char sample[] =
    "{%- set ns = namespace(a=1, s='') -%}{# c #}\n"
    "{% macro f(a, b='x') -%}<{{ a }}{{ b ~ varargs }}{{ caller() if caller is defined }}>"
    "{%- endmacro %}{% for m in l if m != 'z' recursive %}{{ loop.index }}{{ f(m, *[1, 2]) }}"
    "{% set ns.s = ns.s + m|upper %}{% else %}none{% endfor %}{% call f(u) %}{{ n }}{% endcall %}\n"
    "{% if u is string and not n in [1, 2.5, none] %}{{ {'k': (1,), 'j': d}|tojson(indent=2) }}"
    "{% elif u %}a{% else %}b{% endif %}{% raw %}{{ x }}{% endraw %}{{ l[1:] }}{{ u[::-1] }}"
    "{% filter trim %} {{ ns.s }} {% endfilter %}{% with q = 0x1f %}{{ q ** 2 // 3 }}{% endwith %}"
    "{{ '%05.2f' % 1.5 }}{{ '{:>4}'.format('\\u00e9') }}{{ d.items()|list }}{{ l|sort|join(',') }}";

START_TEST(sources_cut_or_flipped_anywhere_are_harmless)
{
    char src[sizeof sample];
    struct zc_buf text;
    struct zc_diag dg;

    zc_buf_init(&text, MAX_OUT);
    t_assert_err(render(sample, vars, 0, &text, &dg), ZC_OK, &dg);
    for (size_t n = 0; n < sizeof sample; n++) {
        memcpy(src, sample, n);
        src[n] = '\0';
        int r = render(src, vars, 100000, &text, &dg);
        ck_assert(r == ZC_OK || dg.text[0]);
    }
    for (size_t bit = 0; bit < (sizeof sample - 1) * 8; bit++) {
        memcpy(src, sample, sizeof sample);
        src[bit / 8] ^= (char)(1 << bit % 8);
        int r = render(src, vars, 100000, &text, &dg);
        ck_assert(r == ZC_OK || dg.text[0]);
    }
    zc_buf_release(&text);
}
END_TEST

START_TEST(every_allocation_may_fail)
{
    struct zt_tmpl *tmpl = NULL;
    struct zt_tmpl_in in = {.json = vars, .json_len = sizeof vars - 1};
    struct zt_text out;
    struct zc_diag dg;
    int r = ZC_ENOMEM;

    for (long n = 1; r != ZC_OK; n++) {
        zc_mem_fail_at(n);
        r = zt_tmpl_new(&tmpl, "t", sample, sizeof sample - 1, &dg);
        zc_mem_fail_at(0);
        ck_assert(r == ZC_OK || r == ZC_ENOMEM);
        ck_assert_int_lt(n, 1000);
    }
    r = ZC_ENOMEM;
    for (long n = 1; r != ZC_OK; n++) { /* a template that has no memory of a rendering */
        zt_tmpl_free(tmpl);
        t_assert_err(zt_tmpl_new(&tmpl, "t", sample, sizeof sample - 1, &dg), ZC_OK, &dg);
        zt_text_init(&out, MAX_OUT);
        zc_mem_fail_at(n);
        r = zt_tmpl_render(tmpl, &in, &out, &dg);
        zc_mem_fail_at(0);
        ck_assert(r == ZC_OK || r == ZC_ENOMEM);
        ck_assert_int_lt(n, 1000);
        zt_text_release(&out);
    }
    zt_tmpl_free(tmpl);
}
END_TEST

START_TEST(a_compiled_template_keeps_nothing_of_a_rendering)
{
    static const char src[] =
        "{% set c = cycler('a', 'b') %}{{ c.next() }}{% set n = namespace(x=0) %}"
        "{% set n.x = n.x + 1 %}{{ n.x }}{{ 'k' ~ 'l' ~ u }}";
    struct zt_tmpl *tmpl = NULL;
    struct zt_text out;
    struct zc_diag dg;
    struct zt_tmpl_in in = {.json = vars, .json_len = sizeof vars - 1};

    zt_text_init(&out, MAX_OUT);
    t_assert_err(zt_tmpl_new(&tmpl, "t", src, sizeof src - 1, &dg), ZC_OK, &dg);
    for (int i = 0; i < 3; i++) {
        zt_text_clear(&out);
        t_assert_err(zt_tmpl_render(tmpl, &in, &out, &dg), ZC_OK, &dg);
        ck_assert_str_eq(zc_buf_str(&out.buf), "a1klAb cd");
    }
    zt_tmpl_free(tmpl);
    zt_text_release(&out);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("text_tmpl");
    TCase *tc = tcase_create("text_tmpl");

    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, every_byte_remembers_who_wrote_it);
    tcase_add_test(tc, appending_in_place_changes_no_other_string);
    tcase_add_test(tc, errors_name_line_and_construct);
    tcase_add_test(tc, big_integers_are_divided_and_formatted);
    tcase_add_test(tc, what_an_if_avoids_may_be_unknown);
    tcase_add_test(tc, json_text_holds_what_a_tree_cannot);
    tcase_add_test(tc, a_tree_says_what_its_text_says);
    tcase_add_test(tc, a_long_text_may_be_cut_into_its_lines);
    tcase_add_test(tc, sources_cut_or_flipped_anywhere_are_harmless);
    tcase_add_test(tc, every_allocation_may_fail);
    tcase_add_test(tc, a_compiled_template_keeps_nothing_of_a_rendering);
    suite_add_tcase(s, tc);
    return t_run(s);
}
