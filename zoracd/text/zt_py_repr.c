/* SPDX-License-Identifier: MIT */
/* Values to text as Python writes them: str(), repr(), json.dumps(), pprint. Text that comes from a
 * string keeps who wrote it; punctuation is untrusted, digits are as trusted as their number. */
#include "zoracd/text/zt_py_internal.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- repr ----------------------------------------------------------------------------------- */

void zt_py_write_float(char *text, size_t cap, double f)
{
    int precision = isnormal(f) ? 15 : 1; /* so many digits hold whatever has no more */

    if (isnan(f) || isinf(f)) {
        snprintf(text, cap, "%s", isnan(f) ? "nan" : f < 0 ? "-inf" : "inf");
        return;
    }
    do
        snprintf(text, cap, "%.*e", precision - 1, f);
    while (strtod(text, NULL) != f && ++precision <= 17);
    char *end = strchr(text, 'e');
    int exp = atoi(end + 1);
    for (; precision > 1 && end[-1] == '0'; precision--)
        end--;
    end -= end[-1] == '.';
    int decimals = precision - 1 - exp;
    if (exp < -4 || exp >= 16)
        snprintf(end, cap - (size_t)(end - text), "e%c%02d", exp < 0 ? '-' : '+', abs(exp));
    else
        snprintf(text, cap, "%.*f", decimals > 1 ? decimals : 1, f);
}

static void add_scalar(struct zt_sb *b, struct zt_val v, bool json)
{
    char text[40];

    if (v.kind == ZT_BIG) {
        zt_add_ascii(b, zt_utf8(b->e, v), v.trusted);
        return;
    }
    if (v.kind == ZT_INT)
        snprintf(text, sizeof text, "%lld", (long long)v.u.i);
    else if (v.kind == ZT_NONE)
        strcpy(text, json ? "null" : "None");
    else if (v.kind == ZT_BOOL)
        strcpy(text, json ? (v.u.b ? "true" : "false") : (v.u.b ? "True" : "False"));
    else if (json && (isnan(v.u.f) || isinf(v.u.f)))
        strcpy(text, isnan(v.u.f) ? "NaN" : v.u.f < 0 ? "-Infinity" : "Infinity");
    else
        zt_py_write_float(text, sizeof text, v.u.f);
    zt_step(b->e, v.kind == ZT_FLOAT ? 8 : 0);
    zt_add_ascii(b, text, v.trusted);
}

/* How repr() or json.dumps() quotes. */
struct quoting {
    uint32_t quote;
    bool json, ascii;
};

/* Writes the escape of a character; false if it needs none. */
static bool add_escape(struct zt_sb *b, const struct quoting *q, uint32_t c, bool trusted)
{
    static const char from[] = "\n\r\t\b\f", to[] = "nrtbf";
    size_t n_simple = q->json ? 5 : 3;
    const char *simple = c && c < 0x80 ? memchr(from, (int)c, n_simple) : NULL;
    bool plain = q->json ? c >= 0x20 && (c < 0x7f || !q->ascii)
                         : zt_py_is_of(c, ZT_PY_PRINTABLE) && (c < 0x80 || !q->ascii);

    if (c == q->quote || c == '\\' || simple)
        zt_addf(b, trusted, "\\%c", simple ? to[simple - from] : (char)c);
    else if (plain)
        return false;
    else if (c < 0x100 && !q->json)
        zt_addf(b, trusted, "\\x%02x", c);
    else if (c < 0x10000)
        zt_addf(b, trusted, "\\u%04x", c);
    else if (!q->json)
        zt_addf(b, trusted, "\\U%08x", c);
    else
        zt_addf(b, trusted, "\\u%04x\\u%04x", 0xd7c0 + (c >> 10), 0xdc00 + (c & 0x3ff));
    return true;
}

static void add_quoted(struct zt_sb *b, struct zt_val s, bool json, bool ascii)
{
    struct quoting q = {.quote = '"', .json = json, .ascii = ascii || s.bytes};
    struct zt_val quotes = zt_text(b->e, "'\"", false);
    size_t plain = 0; /* begin of what needs no escape */

    if (!json && (zt_py_find(b->e, s, zt_sub(quotes, 0, 1), false) == SIZE_MAX ||
                  zt_py_find(b->e, s, zt_sub(quotes, 1, 2), false) != SIZE_MAX))
        q.quote = '\'';
    zt_add_char(b, q.quote);
    for (size_t i = 0; i < s.n; i++) {
        uint32_t c = zt_char(s, i);
        if (c >= 0x20 && c < 0x7f && c != q.quote && c != '\\')
            continue;
        zt_add(b, zt_sub(s, plain, i));
        plain = add_escape(b, &q, c, zt_is_trusted(s, i)) ? i + 1 : i;
    }
    zt_add(b, zt_sub(s, plain, s.n));
    zt_add_char(b, q.quote);
}

/* How containers are written. */
struct style {
    bool json, ascii, sorted;
    struct zt_val indent; /* ZT_UNSET: on one line */
    struct zt_val item_sep, key_sep;
};

static void add_value(struct zt_sb *b, struct zt_val v, const struct style *st, int64_t depth);

static struct style repr_style(struct zt_env *e)
{
    return (struct style){.item_sep = zt_text(e, ", ", false), .key_sep = zt_text(e, ": ", false)};
}

/* What stands before and behind the items of a container. */
static const char *opening(enum zt_kind kind)
{
    return kind == ZT_DICT ? "{" : kind == ZT_TUPLE ? "(" : "[";
}

static const char *closing(enum zt_kind kind, size_t n)
{
    return kind == ZT_DICT ? "}" : kind != ZT_TUPLE ? "]" : n == 1 ? ",)" : ")";
}

/* A key, which JSON has as a string. */
static void add_key(struct zt_sb *b, struct zt_val k, const struct style *st, int64_t depth)
{
    bool quotes = st->json && k.kind != ZT_STR;

    if (quotes && (k.kind < ZT_NONE || k.kind > ZT_FLOAT))
        zt_fail(b->e, "%s cannot be a key in JSON", zt_py_type_name(k));
    zt_add_ascii(b, quotes ? "\"" : "", false);
    add_value(b, k, st, depth);
    zt_add_ascii(b, quotes ? "\"" : "", false);
    zt_add(b, st->key_sep);
}

/* A new line at this depth, if there is an indent. */
static void add_line(struct zt_sb *b, const struct style *st, int64_t depth)
{
    if (ZT_IS_GIVEN(st->indent)) {
        zt_add_ascii(b, "\n", false);
        zt_py_add_times(b, st->indent, depth);
    }
}

static void add_container(struct zt_sb *b, struct zt_val v, const struct style *st, int64_t depth)
{
    enum zt_kind kind = st->json && v.kind == ZT_TUPLE ? ZT_LIST : v.kind;
    size_t n = zt_py_len(b->e, v);

    if (kind == ZT_DICT && st->sorted)
        v.u.d = zt_py_sorted_dict(b->e, v.u.d);
    zt_add_ascii(b, opening(kind), false);
    for (size_t i = 0; i < n; i++) {
        if (i)
            zt_add(b, st->item_sep);
        add_line(b, st, depth + 1);
        if (kind == ZT_DICT)
            add_key(b, v.u.d->e[i].k, st, depth + 1);
        add_value(b, kind == ZT_DICT ? v.u.d->e[i].v : v.u.l->v[i], st, depth + 1);
    }
    if (n)
        add_line(b, st, depth);
    zt_add_ascii(b, closing(kind, n), false);
}

static void add_range(struct zt_sb *b, const int64_t *bounds)
{
    zt_addf(b, false, "range(%lld, %lld", (long long)bounds[0], (long long)bounds[1]);
    if (bounds[2] != 1)
        zt_addf(b, false, ", %lld", (long long)bounds[2]);
    zt_add_ascii(b, ")", false);
}

static void add_view(struct zt_sb *b, struct zt_list *l, const struct style *st, int64_t depth)
{
    zt_addf(b, false, "dict_%s(", l->view == 'k' ? "keys" : l->view == 'v' ? "values" : "items");
    add_container(b, zt_of_list(ZT_LIST, l), st, depth);
    zt_add_ascii(b, ")", false);
}

/* What has a repr() and no JSON. */
static void add_object(struct zt_sb *b, struct zt_val v, const struct style *st, int64_t depth)
{
    if (v.kind == ZT_RANGE) {
        add_range(b, v.u.l->bounds);
        return;
    }
    if (v.kind == ZT_VIEW) {
        add_view(b, v.u.l, st, depth);
        return;
    }
    zt_addf(b, false, "%s%s", v.kind == ZT_UNDEF ? "" : "<", zt_py_type_name(v));
    if (v.kind == ZT_NAMESPACE) {
        zt_add_ascii(b, " ", false);
        add_container(b, zt_of_dict(ZT_DICT, v.u.d), st, depth);
    } else if (v.kind == ZT_LOOP) {
        size_t n = zt_py_len(b->e, v), i = v.u.loop->i + 1;
        zt_addf(b, false, " %zu/%zu", i < n ? i : n, n);
    } else if (v.kind == ZT_MACRO && v.u.macro->node->val.kind == ZT_STR) {
        zt_add_ascii(b, " ", false);
        add_quoted(b, v.u.macro->node->val, false, false);
    } else if (v.kind == ZT_MACRO) {
        zt_add_ascii(b, " anonymous", false);
    }
    zt_add_ascii(b, v.kind == ZT_UNDEF ? "" : ">", false);
}

static void add_value(struct zt_sb *b, struct zt_val v, const struct style *st, int64_t depth)
{
    zt_enter(b->e);
    zt_step(b->e, 1);
    if (v.kind >= ZT_NONE && v.kind <= ZT_FLOAT) {
        add_scalar(b, v, st->json);
    } else if (v.kind == ZT_LIST || v.kind == ZT_TUPLE || v.kind == ZT_DICT) {
        add_container(b, v, st, depth);
    } else if (v.kind == ZT_STR && !(st->json && v.bytes)) {
        bool markup = v.markup && !st->json;
        zt_add_ascii(b, markup ? "Markup(" : v.bytes ? "b" : "", false);
        add_quoted(b, v, st->json, st->ascii);
        zt_add_ascii(b, markup ? ")" : "", false);
    } else if (st->json) {
        zt_fail(b->e, "%s cannot be written as JSON", zt_py_type_name(v));
    } else {
        add_object(b, v, st, depth);
    }
    zt_leave(b->e);
}

struct zt_val zt_py_repr(struct zt_env *e, struct zt_val v, bool ascii)
{
    struct style style = repr_style(e);
    struct zt_sb b = {.e = e};

    style.ascii = ascii;
    add_value(&b, v, &style, 0);
    return zt_take(&b);
}

struct zt_val zt_py_str(struct zt_env *e, struct zt_val v)
{
    struct zt_sb b = {.e = e};

    if (v.kind == ZT_STR && !v.bytes)
        return v;
    if (v.kind <= ZT_UNDEF)
        return zt_text(e, "", true);
    if (v.kind > ZT_FLOAT)
        return zt_py_repr(e, v, false);
    add_scalar(&b, v, false);
    return zt_take(&b);
}

/* ensure_ascii, indent, separators, sort_keys */
struct zt_val zt_py_tojson(struct zt_env *e, const struct zt_py_args *a)
{
    struct style st = {
        .json = true, .ascii = a->v[0].u.b, .indent = a->v[1], .sorted = a->v[3].u.b};
    struct zt_sb b = {.e = e};

    if (ZT_IS_GIVEN(st.indent) && st.indent.kind != ZT_STR) {
        zt_py_add_times(&b, zt_text(e, " ", false), zt_py_need_int(e, st.indent));
        st.indent = zt_take(&b);
    }
    st.item_sep = zt_text(e, ZT_IS_GIVEN(st.indent) ? "," : ", ", false);
    st.key_sep = zt_text(e, ": ", false);
    if (ZT_IS_GIVEN(a->v[2])) {
        struct zt_list *seps = zt_py_items(e, a->v[2]);
        if (seps->n != 2)
            zt_fail(e, "separators must be two");
        st.item_sep = zt_py_need_str(e, seps->v[0]);
        st.key_sep = zt_py_need_str(e, seps->v[1]);
    }
    add_value(&b, a->self, &st, 0);
    return zt_take(&b);
}

/* Python's pprint: what does not fit the line between indent and the `after` characters that follow
 * it has an item per line. Strings stay whole. */
static void add_pretty(struct zt_sb *b, struct zt_val v, const struct style *st, size_t indent,
                       size_t after)
{
    enum { WIDTH = 80 };
    bool is_dict = v.kind == ZT_DICT, is_list = v.kind == ZT_LIST || v.kind == ZT_TUPLE;
    size_t n = is_dict || is_list ? zt_py_len(b->e, v) : 0, column = indent + 1;
    struct zt_sb line = {.e = b->e};

    zt_enter(b->e);
    add_value(&line, v, st, 0);
    bool fits = n == 0 || line.n + indent + after <= WIDTH;
    if (fits)
        zt_add(b, zt_take(&line));
    if (!fits && is_dict)
        v.u.d = zt_py_sorted_dict(b->e, v.u.d);
    after += strlen(closing(v.kind, n));
    for (size_t i = 0; i < n && !fits; i++) {
        zt_add_ascii(b, i ? ",\n" : opening(v.kind), false);
        zt_py_add_times(b, zt_text(b->e, " ", false), i ? (int64_t)column : 0);
        size_t before = b->n;
        if (is_dict)
            add_key(b, v.u.d->e[i].k, st, 0);
        add_pretty(b, is_dict ? v.u.d->e[i].v : v.u.l->v[i], st, column + b->n - before,
                   i + 1 < n ? 1 : after);
    }
    zt_add_ascii(b, fits ? "" : closing(v.kind, n), false);
    zt_leave(b->e);
}

struct zt_val zt_py_pprint(struct zt_env *e, const struct zt_py_args *a)
{
    struct style style = repr_style(e);
    struct zt_sb b = {.e = e};

    style.sorted = true;
    add_pretty(&b, a->self, &style, 0, 0);
    return zt_take(&b);
}
