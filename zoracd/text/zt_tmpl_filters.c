/* SPDX-License-Identifier: MIT */
/* jinja2's filters. Those that are lazy there do their work at once here, but their result can be
 * read once only, as there. */
#include "config.h"

#include "zoracd/text/zt_tmpl_internal.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/zc_utf8.h"

/* ---- attributes, keys, sorting -------------------------------------------------------------- */

/* The part of s before the next sep, which is taken from *s; false if there is none. */
static bool take_part(struct zt_env *e, struct zt_val *s, const char *sep, struct zt_val *ret_part)
{
    if (s->kind == ZT_UNSET)
        return false;
    size_t at = zt_find(e, *s, 0, s->n, zt_text(e, sep, true), false);
    *ret_part = at == SIZE_MAX ? *s : zt_sub(*s, 0, at);
    *s = at == SIZE_MAX ? ZT_NO_VALUE : zt_sub(*s, at + 1, s->n);
    return true;
}

/* The item that a path "a.0.b" leads to; attr may be a number, or not given: v itself. */
static struct zt_val get_path(struct zt_env *e, struct zt_val v, struct zt_val attr,
                              struct zt_val dflt)
{
    struct zt_val part, next;
    char *end;

    if (attr.kind == ZT_UNSET || attr.kind == ZT_NONE)
        return v;
    if (attr.kind != ZT_STR) {
        next = zt_get_item(e, v, attr);
        return next.kind == ZT_UNDEF && ZT_IS_GIVEN(dflt) ? dflt : next;
    }
    while (take_part(e, &attr, ".", &part)) {
        char *text = zt_utf8(e, part);
        long number = strtol(text, &end, 10);
        bool is_number = isdigit((unsigned char)text[0]) && *end == '\0';
        next = zt_get_item(e, v, is_number ? zt_int(number, true) : part);
        if (next.kind == ZT_UNDEF && !is_number)
            next = zt_get_attr(e, v, part, false);
        v = next.kind == ZT_UNDEF && ZT_IS_GIVEN(dflt) ? dflt : next;
    }
    return v;
}

struct keyed {
    struct zt_val key, v;
};

/* What v is compared by: its attribute, without regard to case unless exact. */
static struct zt_val key_of(struct zt_env *e, struct zt_val v, struct zt_val attr, bool exact)
{
    v = get_path(e, v, attr, ZT_NO_VALUE);
    return exact || v.kind != ZT_STR ? v : zt_in_case(e, v, ZT_LOWER);
}

/* Stable, by key; with reverse too, as Python's is. */
static void merge_sort(struct zt_env *e, struct keyed *k, struct keyed *tmp, size_t n, bool reverse)
{
    size_t half = n / 2, i = 0, j = half, at = 0;

    if (n < 2)
        return;
    merge_sort(e, k, tmp, half, reverse);
    merge_sort(e, k + half, tmp, n - half, reverse);
    while (i < half && j < n)
        tmp[at++] = zt_holds(e, reverse ? '>' : '<', k[j].key, k[i].key) ? k[j++] : k[i++];
    memcpy(tmp + at, k + i, (half - i) * sizeof *k);
    memcpy(tmp + at + half - i, k + j, (n - j) * sizeof *k);
    memcpy(k, tmp, n * sizeof *k);
}

static struct zt_list *sorted(struct zt_env *e, struct keyed *k, size_t n, bool reverse)
{
    struct zt_list *l = zt_list_new(e, n);

    merge_sort(e, k, zt_alloc(e, n, sizeof *k), n, reverse);
    for (size_t i = 0; i < n; i++)
        zt_push(e, l, k[i].v);
    return l;
}

struct zt_dict *zt_sorted_dict(struct zt_env *e, const struct zt_dict *d)
{
    struct keyed *k = zt_alloc(e, d->n, sizeof *k);
    struct zt_dict *out = zt_dict_new(e);

    for (size_t i = 0; i < d->n; i++)
        k[i] = (struct keyed){d->e[i].k, d->e[i].v};
    sorted(e, k, d->n, false);
    for (size_t i = 0; i < d->n; i++)
        zt_dict_set(e, out, k[i].key, k[i].v);
    return out;
}

/* reverse, case_sensitive, attribute: "a,b" is by a, then by b */
static struct zt_val f_sort(struct zt_env *e, const struct zt_args *a)
{
    struct zt_list *l = zt_items(e, a->self);
    struct keyed *k = zt_alloc(e, l->n, sizeof *k);

    for (size_t i = 0; i < l->n; i++) {
        struct zt_list *key = zt_list_new(e, 1);
        struct zt_val paths = a->v[2], path;
        if (paths.kind != ZT_STR)
            zt_push(e, key, key_of(e, l->v[i], paths, a->v[1].u.b));
        else
            while (take_part(e, &paths, ",", &path))
                zt_push(e, key, key_of(e, l->v[i], path, a->v[1].u.b));
        k[i] = (struct keyed){zt_of_list(ZT_LIST, key), l->v[i]};
    }
    return zt_of_list(ZT_LIST, sorted(e, k, l->n, a->v[0].u.b));
}

/* case_sensitive, by, reverse */
static struct zt_val f_dictsort(struct zt_env *e, const struct zt_args *a)
{
    bool by_value = zt_is(a->v[1], "value");

    if (a->self.kind != ZT_DICT || !(by_value || zt_is(a->v[1], "key")))
        zt_fail(e, "dictsort sorts a dict by \"key\" or \"value\"");
    const struct zt_dict *d = a->self.u.d;
    struct keyed *k = zt_alloc(e, d->n, sizeof *k);
    for (size_t i = 0; i < d->n; i++) {
        struct zt_val by = by_value ? d->e[i].v : d->e[i].k;
        k[i].key = key_of(e, by, ZT_NO_VALUE, a->v[0].u.b);
        k[i].v = zt_tuple(e, &d->e[i].k, 2);
    }
    return zt_of_list(ZT_LIST, sorted(e, k, d->n, a->v[2].u.b));
}

/* attribute, default, case_sensitive */
static struct zt_val f_groupby(struct zt_env *e, const struct zt_args *a)
{
    struct zt_list *l = zt_items(e, a->self), *out = zt_list_new(e, 0), *group = NULL;
    struct keyed *k = zt_alloc(e, l->n, sizeof *k);

    for (size_t i = 0; i < l->n; i++) {
        struct zt_val by = get_path(e, l->v[i], a->v[0], a->v[1]);
        k[i] = (struct keyed){key_of(e, by, ZT_NO_VALUE, a->v[2].u.b), l->v[i]};
    }
    sorted(e, k, l->n, false);
    for (size_t i = 0; i < l->n; i++) {
        if (i == 0 || !zt_is_equal(e, k[i].key, k[i - 1].key)) {
            group = zt_list_new(e, 1);
            struct zt_val pair[] = {get_path(e, k[i].v, a->v[0], a->v[1]),
                                    zt_of_list(ZT_LIST, group)};
            struct zt_val t = zt_tuple(e, pair, 2);
            t.u.l->group = true;
            zt_push(e, out, t);
        }
        zt_push(e, group, k[i].v);
    }
    return zt_of_list(ZT_LIST, out);
}

/* case_sensitive, attribute */
static struct zt_val f_unique(struct zt_env *e, const struct zt_args *a)
{
    struct zt_list *l = zt_items(e, a->self), *out = zt_list_new(e, 0);
    struct zt_dict *seen = zt_dict_new(e);

    for (size_t i = 0; i < l->n; i++) {
        struct zt_val key = key_of(e, l->v[i], a->v[1], a->v[0].u.b);
        if (zt_dict_get(e, seen, key))
            continue;
        zt_dict_set(e, seen, key, ZT_NONE_VALUE);
        zt_push(e, out, l->v[i]);
    }
    return zt_of_list(ZT_ITER, out);
}

/* case_sensitive, attribute; x: the order that the result has to all others */
static struct zt_val f_extreme(struct zt_env *e, const struct zt_args *a)
{
    struct zt_list *l = zt_items(e, a->self);
    struct zt_val best = zt_undef(a->self.kind, zt_text(e, "0", true)), best_key = best;

    for (size_t i = 0; i < l->n; i++) {
        struct zt_val key = key_of(e, l->v[i], a->v[1], a->v[0].u.b);
        if (i && !zt_holds(e, a->x, key, best_key))
            continue;
        best = l->v[i];
        best_key = key;
    }
    return best;
}

/* attribute, start */
static struct zt_val f_sum(struct zt_env *e, const struct zt_args *a)
{
    struct zt_list *l = zt_items(e, a->self);
    struct zt_val sum = ZT_IS_GIVEN(a->v[1]) ? a->v[1] : zt_int(0, true);

    if (sum.kind == ZT_STR)
        zt_fail(e, "strings have no sum");
    for (size_t i = 0; i < l->n; i++)
        sum = zt_binary(e, '+', sum, key_of(e, l->v[i], a->v[0], true));
    return sum;
}

/* ---- choosing and mapping ------------------------------------------------------------------- */

/* These filters do not look at what is false: none|map(...) is empty. */
static struct zt_list *items_if_true(struct zt_env *e, struct zt_val v)
{
    return zt_is_true(v) ? zt_items(e, v) : zt_list_new(e, 0);
}

/* The function that argument i names, and in *ret_rest the arguments after it. */
static const struct zt_builtin *named(struct zt_env *e, const struct zt_args *a, int i, bool test,
                                      struct zt_args *ret_rest)
{
    struct zt_val name = zt_need_str(e, a->v[i]);
    const struct zt_builtin *fn = test ? zt_find_test(name) : zt_find_filter(name);

    if (!fn)
        zt_fail(e, "unknown %s '%s'", test ? "test" : "filter", zt_utf8(e, name));
    *ret_rest = (struct zt_args){.v = a->v + i + 1, .n = a->n - i - 1, .kw = a->kw};
    return fn;
}

enum { KEEP = 1, BY_ATTR = 2 };

/* select, reject, selectattr, rejectattr: [attribute,] [test, its arguments] */
static struct zt_val f_choose(struct zt_env *e, const struct zt_args *a)
{
    struct zt_list *l = items_if_true(e, a->self), *out = zt_list_new(e, 0);
    const struct zt_builtin *test = NULL;
    struct zt_args args;
    int skip = (a->x & BY_ATTR) != 0;

    if (a->n < skip)
        zt_fail(e, "an attribute is needed");
    if (a->n > skip)
        test = named(e, a, skip, true, &args);
    for (size_t i = 0; i < l->n; i++) {
        args.self = skip ? get_path(e, l->v[i], a->v[0], ZT_NO_VALUE) : l->v[i];
        zt_step(e, 1);
        if (zt_is_true(test ? zt_call_builtin(e, test, &args) : args.self) == (a->x & KEEP))
            zt_push(e, out, l->v[i]);
    }
    return zt_of_list(ZT_ITER, out);
}

/* filter and its arguments, or attribute=, default= */
static struct zt_val f_map(struct zt_env *e, const struct zt_args *a)
{
    struct zt_list *l = items_if_true(e, a->self), *out = zt_list_new(e, l->n);
    struct zt_val attr = zt_dict_value(e, a->kw, "attribute");
    struct zt_val dflt = zt_dict_value(e, a->kw, "default");
    const struct zt_builtin *filter = NULL;
    struct zt_args args;

    if (!ZT_IS_GIVEN(attr) && a->n == 0)
        zt_fail(e, "map needs a filter or an attribute");
    if (!ZT_IS_GIVEN(attr))
        filter = named(e, a, 0, false, &args);
    for (size_t i = 0; i < l->n; i++) {
        args.self = l->v[i];
        zt_step(e, 1);
        zt_push(e, out,
                filter ? zt_call_builtin(e, filter, &args) : get_path(e, l->v[i], attr, dflt));
    }
    return zt_of_list(ZT_ITER, out);
}

/* ---- sequences ------------------------------------------------------------------------------ */

static ZT_FN(f_length, zt_int((int64_t)zt_length(e, a->self), true));
static ZT_FN(f_list, zt_of_list(ZT_LIST, zt_items(e, a->self)));

/* first and (x) last */
static struct zt_val f_end(struct zt_env *e, const struct zt_args *a)
{
    bool lazy = a->self.kind == ZT_ITER;

    if (lazy && a->x)
        zt_fail(e, "a generator has no last item");
    if (lazy && a->self.u.l->pos < a->self.u.l->n)
        return a->self.u.l->v[a->self.u.l->pos++];
    struct zt_list *l = zt_items(e, a->self);
    if (l->n == 0)
        return zt_undef(a->self.kind, zt_text(e, a->x ? "-1" : "0", true));
    return l->v[a->x ? l->n - 1 : 0];
}

static struct zt_val f_items(struct zt_env *e, const struct zt_args *a)
{
    struct zt_args items = {.self = a->self, .x = 'i'};

    if (a->self.kind == ZT_UNDEF)
        return zt_of_list(ZT_ITER, zt_list_new(e, 0));
    if (a->self.kind != ZT_DICT)
        zt_fail(e, "items needs a dict, got %s", zt_type_name(a->self));
    return zt_of_list(ZT_ITER, zt_m_dict_view(e, &items).u.l);
}

static struct zt_val f_reverse(struct zt_env *e, const struct zt_args *a)
{
    if (a->self.kind == ZT_STR)
        return zt_reversed(e, a->self);
    return zt_of_list(ZT_ITER, zt_reversed(e, zt_of_list(ZT_LIST, zt_items(e, a->self))).u.l);
}

/* d, attribute */
static struct zt_val f_join(struct zt_env *e, const struct zt_args *a)
{
    struct zt_list *l = zt_items(e, a->self), *out = zt_list_new(e, l->n);

    for (size_t i = 0; i < l->n; i++) {
        struct zt_val s = zt_to_str(e, key_of(e, l->v[i], a->v[1], true));
        zt_push(e, out, e->autoescape ? zt_escape(e, s) : s);
    }
    struct zt_val sep = e->autoescape ? zt_escape(e, a->v[0]) : a->v[0];
    return zt_markup(zt_joined(e, out, sep), e->autoescape);
}

/* linecount, fill_with */
static struct zt_val f_batch(struct zt_env *e, const struct zt_args *a)
{
    struct zt_list *l = zt_items(e, a->self), *out = zt_list_new(e, 0), *row = NULL;
    int64_t n = a->v[0].u.i;

    for (size_t i = 0; i < l->n; i++) {
        if (!row || (int64_t)row->n == n)
            zt_push(e, out, zt_of_list(ZT_LIST, row = zt_list_new(e, 0)));
        zt_push(e, row, l->v[i]);
    }
    for (; row && ZT_IS_GIVEN(a->v[1]) && (int64_t)row->n < n; zt_push(e, row, a->v[1]))
        zt_step(e, 1);
    return zt_of_list(ZT_ITER, out);
}

/* slices, fill_with */
static struct zt_val f_slice(struct zt_env *e, const struct zt_args *a)
{
    struct zt_list *l = zt_items(e, a->self), *out = zt_list_new(e, 0);
    int64_t n = a->v[0].u.i;
    size_t at = 0;

    if (n <= 0)
        zt_fail(e, "slice needs a positive number");
    for (size_t i = 0; i < (size_t)n; i++) {
        bool extra = i < l->n % (size_t)n;
        struct zt_list *row = zt_list_new(e, 0);
        zt_step(e, 1);
        for (size_t len = l->n / (size_t)n + extra; len > 0; len--)
            zt_push(e, row, l->v[at++]);
        if (ZT_IS_GIVEN(a->v[1]) && !extra)
            zt_push(e, row, a->v[1]);
        zt_push(e, out, zt_of_list(ZT_LIST, row));
    }
    return zt_of_list(ZT_ITER, out);
}

/* ---- text ----------------------------------------------------------------------------------- */

static ZT_FN(f_string, zt_self(e, a));
static ZT_FN(f_safe, zt_markup(zt_self(e, a), true));
static ZT_FN(f_escape, zt_escape(e, zt_self(e, a)));
static ZT_FN(f_forceescape, zt_escape(e, zt_markup(zt_self(e, a), false)));

static struct zt_val f_replace(struct zt_env *e, const struct zt_args *a)
{
    struct zt_args plain = *a;

    plain.self = zt_markup(zt_self(e, a), e->autoescape && zt_self(e, a).markup);
    return zt_m_replace(e, &plain);
}

static bool is_before_word(uint32_t c)
{
    return zt_is_space(c) || zt_is_one_of(c, "-({[<");
}

static struct zt_val f_title(struct zt_env *e, const struct zt_args *a)
{
    struct zt_val s = zt_markup(zt_self(e, a), false);
    struct zt_sb b = {.e = e};

    for (size_t i = 0, end; i < s.n; i = end) {
        bool word = !is_before_word(zt_char(s, i));
        end = i + 1;
        while (word && end < s.n && !is_before_word(zt_char(s, end)))
            end++;
        zt_add(&b, zt_in_case(e, zt_sub(s, i, i + 1), word ? ZT_UPPER : ZT_LOWER));
        zt_add(&b, zt_in_case(e, zt_sub(s, i + 1, end), ZT_LOWER));
    }
    return zt_take(&b);
}

/* width, first, blank */
static struct zt_val f_indent(struct zt_env *e, const struct zt_args *a)
{
    struct zt_val s = zt_need_str(e, a->self), by = a->v[0], newline = zt_text(e, "\n", true);
    struct zt_sb b = {.e = e};

    if (by.kind != ZT_STR) {
        zt_add_times(&b, zt_text(e, " ", true), ZT_IS_GIVEN(by) ? zt_need_int(e, by) : 4);
        by = zt_take(&b);
    }
    /* so that a last line break has an empty line after it */
    struct zt_list *lines = zt_lines(e, zt_markup(zt_concat(e, s, newline), s.markup), false);
    for (size_t i = 0; i < lines->n; i++)
        if (i ? a->v[2].u.b || lines->v[i].n : a->v[1].u.b)
            lines->v[i] = zt_concat(e, by, lines->v[i]);
    return zt_markup(zt_joined(e, lines, newline), s.markup);
}

static ZT_FN(f_format, zt_format_percent(e, zt_self(e, a),
                                         a->kw ? zt_of_dict(ZT_DICT, a->kw)
                                               : zt_tuple(e, a->v, (size_t)a->n)));

/* length, killwords, end, leeway */
static struct zt_val f_truncate(struct zt_env *e, const struct zt_args *a)
{
    struct zt_val s = a->self, end = a->v[2];
    int64_t len = a->v[0].u.i, leeway = a->v[3].u.i;

    if (len < end.n || leeway < 0)
        zt_fail(e, "truncate to less than its end");
    if ((int64_t)zt_length(e, s) <= len + leeway)
        return s;
    s = zt_sub(zt_need_str(e, s), 0, (size_t)len - end.n);
    size_t space = zt_find(e, s, 0, s.n, zt_text(e, " ", true), true);
    if (!a->v[1].u.b && space != SIZE_MAX)
        s = zt_sub(s, 0, space);
    return zt_binary(e, '+', s, end);
}

/* The end of the chunk at i: white space, or a word, or its part up to a hyphen between letters. */
static size_t chunk_end(struct zt_val s, size_t i, bool hyphens)
{
    size_t start = i;
    bool space = zt_is_space(zt_char(s, i));

    for (; i < s.n && space == zt_is_space(zt_char(s, i)); i++) {
        if (!hyphens || zt_char(s, i) != '-' || i < start + 2 || i + 2 >= s.n)
            continue;
        bool letters = zt_is_alnum(zt_char(s, i - 2)) && zt_is_alnum(zt_char(s, i - 1)) &&
                       zt_is_alnum(zt_char(s, i + 1)) && zt_is_alnum(zt_char(s, i + 2));
        if (letters)
            return i + 1;
    }
    return i;
}

/* One paragraph of wordwrap: a line takes the chunks that fit, without white space at its end; a
 * word that fits no line is cut or has a line to itself. */
static void wrap(struct zt_env *e, struct zt_val s, size_t width, bool cut, bool hyphens,
                 struct zt_list *lines)
{
    size_t first = lines->n;

    for (size_t at = 0, end, next = 0; at < s.n; at = end) {
        if (lines->n > first && zt_is_space(zt_char(s, at)))
            at = chunk_end(s, at, hyphens);
        for (end = at; end < s.n && (next = chunk_end(s, end, hyphens)) - at <= width;)
            end = next;
        if (end < s.n && next - end > width)
            end = cut ? at + width : end == at ? next : end;
        struct zt_val line = zt_strip(zt_sub(s, at, end), ZT_NO_VALUE, ZT_RIGHT);
        zt_step(e, 1);
        if (line.n)
            zt_push(e, lines, line);
    }
}

/* width, break_long_words, wrapstring, break_on_hyphens */
static struct zt_val f_wordwrap(struct zt_env *e, const struct zt_args *a)
{
    struct zt_list *paragraphs = zt_lines(e, zt_need_str(e, a->self), false);
    struct zt_list *lines = zt_list_new(e, 8);

    if (a->v[0].u.i <= 0)
        zt_fail(e, "wordwrap needs a positive width");
    for (size_t i = 0; i < paragraphs->n; i++) {
        size_t before = lines->n;
        wrap(e, paragraphs->v[i], (size_t)a->v[0].u.i, a->v[1].u.b, a->v[3].u.b, lines);
        if (lines->n == before)
            zt_push(e, lines, zt_text(e, "", true));
    }
    return zt_joined(e, lines,
                     ZT_IS_GIVEN(a->v[2]) ? zt_need_str(e, a->v[2]) : zt_text(e, "\n", true));
}

static struct zt_val f_wordcount(struct zt_env *e, const struct zt_args *a)
{
    struct zt_val s = zt_self(e, a);
    bool in_word = false;
    int64_t words = 0;

    for (size_t i = 0; i < s.n; i++) {
        bool is = zt_char(s, i) == '_' || zt_is_alnum(zt_char(s, i));
        words += is && !in_word;
        in_word = is;
    }
    return zt_int(words, false);
}

static struct zt_val f_striptags(struct zt_env *e, const struct zt_args *a)
{
    struct zt_val s = zt_self(e, a);
    struct zt_sb b = {.e = e};

    for (size_t i = 0; i < s.n; i++) {
        bool comment = s.n - i >= 4 && zt_is(zt_sub(s, i, i + 4), "<!--");
        const char *close = comment ? "-->" : ">";
        size_t end =
            zt_char(s, i) == '<' ? zt_find(e, s, i, s.n, zt_text(e, close, true), false) : SIZE_MAX;
        if (end != SIZE_MAX)
            i = end + strlen(close) - 1;
        else
            zt_add_char(&b, s.u.s[i]);
    }
    return zt_joined(e, zt_words(e, zt_take(&b)), zt_text(e, " ", true));
}

/* As in a query string, where a space is '+' and '/' is no separator, or as in a path. */
static void add_url(struct zt_sb *b, struct zt_val s, bool query)
{
    for (size_t i = 0; i < s.n; i++) {
        uint32_t c = zt_char(s, i);
        bool trusted = zt_is_trusted(s, i);
        char utf8[4];
        int n = zc_utf8_put(utf8, c);
        if (c < 0x80 && (isalnum((int)c) || zt_is_one_of(c, query ? "_.-~" : "_.-~/")))
            zt_add_char(b, s.u.s[i]);
        else if (query && c == ' ')
            zt_add_ascii(b, "+", trusted);
        else
            for (int k = 0; k < n; k++)
                zt_addf(b, trusted, "%%%02X", (unsigned char)utf8[k]);
    }
}

static struct zt_val f_urlencode(struct zt_env *e, const struct zt_args *a)
{
    struct zt_sb b = {.e = e};
    struct zt_list *pairs;

    if (a->self.kind <= ZT_STR) {
        add_url(&b, zt_self(e, a), false);
        return zt_take(&b);
    }
    pairs = a->self.kind == ZT_DICT ? f_items(e, a).u.l : zt_items(e, a->self);
    for (size_t i = 0; i < pairs->n; i++) {
        struct zt_list *pair = zt_items(e, pairs->v[i]);
        if (pair->n != 2)
            zt_fail(e, "urlencode needs pairs");
        zt_add_ascii(&b, i ? "&" : "", false);
        add_url(&b, zt_to_str(e, pair->v[0]), true);
        zt_add_ascii(&b, "=", false);
        add_url(&b, zt_to_str(e, pair->v[1]), true);
    }
    return zt_take(&b);
}

/* autospace */
static struct zt_val f_xmlattr(struct zt_env *e, const struct zt_args *a)
{
    struct zt_sb b = {.e = e};

    if (a->self.kind != ZT_DICT)
        zt_fail(e, "xmlattr needs a dict, got %s", zt_type_name(a->self));
    for (size_t i = 0; i < a->self.u.d->n; i++) {
        struct zt_pair p = a->self.u.d->e[i];
        if (p.v.kind == ZT_NONE || p.v.kind == ZT_UNDEF)
            continue;
        if (b.n || a->v[0].u.b)
            zt_add_ascii(&b, " ", false);
        zt_add(&b, zt_escape(e, zt_to_str(e, p.k)));
        zt_add_ascii(&b, "=\"", false);
        zt_add(&b, zt_escape(e, zt_to_str(e, p.v)));
        zt_add_ascii(&b, "\"", false);
    }
    return zt_markup(zt_take(&b), e->autoescape);
}

/* ---- numbers -------------------------------------------------------------------------------- */

static struct zt_val f_abs(struct zt_env *e, const struct zt_args *a)
{
    if (a->self.kind == ZT_FLOAT)
        return zt_float(fabs(a->self.u.f), a->self.trusted);
    return zt_sign(e, a->self, zt_need_int(e, a->self) < 0 ? '-' : '+');
}

/* The text of a number without white space and underscores; NULL if it is no such text. */
static char *number_text(struct zt_env *e, struct zt_val s)
{
    char *text = zt_utf8(e, zt_strip(s, ZT_NO_VALUE, ZT_BOTH)), *to = text;

    for (const char *p = text; *p; p++) {
        if (*p == '_' && (p == text || !p[1] || p[-1] == '_'))
            return NULL;
        if (*p != '_')
            *to++ = *p;
    }
    *to = '\0';
    return *text ? text : NULL;
}

/* float(v); false if it has no number. */
static bool parse_float(struct zt_env *e, struct zt_val v, double *ret)
{
    char *end, *text;

    zt_need_defined(e, v);
    if (v.kind == ZT_FLOAT || v.kind == ZT_INT || v.kind == ZT_BOOL) {
        *ret = v.kind == ZT_FLOAT ? v.u.f : (double)zt_need_int(e, v);
        return true;
    }
    text = v.kind == ZT_STR || v.kind == ZT_BIG ? number_text(e, v) : NULL;
    if (!text || strpbrk(text, "xX("))
        return false;
    *ret = strtod(text, &end);
    return *end == '\0';
}

/* int(text, base) as Python has it; false if it is none. */
static bool parse_int(struct zt_env *e, struct zt_val s, int64_t base, int64_t *ret)
{
    char *end, *text = s.kind == ZT_STR ? number_text(e, s) : NULL;

    if (!text || (base != 0 && (base < 2 || base > 36)))
        return false;
    char *digits = text + (*text == '-' || *text == '+');
    char prefix = digits[0] == '0' ? (char)(digits[1] | 0x20) : '\0';
    if ((prefix == 'b' && base == 2) || (prefix == 'o' && base == 8))
        memmove(digits, digits + 2, strlen(digits + 2) + 1);
    errno = 0;
    *ret = strtoll(text, &end, (int)base);
    if (errno == ERANGE)
        zt_fail(e, "an integer that does not fit 64 bits");
    return *end == '\0' && end > digits;
}

/* default, base */
static struct zt_val f_int(struct zt_env *e, const struct zt_args *a)
{
    int64_t i;
    double f;

    if (a->self.kind == ZT_BIG)
        return a->self;
    if (a->self.kind == ZT_INT || a->self.kind == ZT_BOOL)
        return zt_int(zt_need_int(e, a->self), a->self.trusted);
    if (parse_int(e, a->self, a->v[1].u.i, &i))
        return zt_int(i, false);
    if (!parse_float(e, a->self, &f) || isnan(f) || isinf(f))
        return ZT_IS_GIVEN(a->v[0]) ? a->v[0] : zt_int(0, true);
    if (fabs(f) >= 0x1p63)
        zt_fail(e, "an integer that does not fit 64 bits");
    return zt_int((int64_t)f, a->self.trusted);
}

/* default */
static struct zt_val f_float(struct zt_env *e, const struct zt_args *a)
{
    double f;

    if (parse_float(e, a->self, &f))
        return zt_float(f, a->self.trusted);
    return ZT_IS_GIVEN(a->v[0]) ? a->v[0] : zt_float(0, true);
}

/* precision, method */
static struct zt_val f_round(struct zt_env *e, const struct zt_args *a)
{
    int64_t precision = a->v[0].u.i;
    bool is_int = a->self.kind != ZT_FLOAT, is_ceil = zt_is(a->v[1], "ceil");
    double f, scale = pow(10, (double)precision);
    char text[512];

    if (a->self.kind == ZT_STR || !parse_float(e, a->self, &f))
        zt_fail(e, "round needs a number, got %s", zt_type_name(a->self));
    if (is_ceil || zt_is(a->v[1], "floor")) {
        f = is_ceil ? ceil(f * scale) : floor(f * scale);
        return zt_float(f / scale, a->self.trusted);
    }
    if (!zt_is(a->v[1], "common"))
        zt_fail(e, "round by \"common\", \"ceil\" or \"floor\"");
    if (precision < 0) {
        scale = pow(10, -(double)precision);
        f = nearbyint(f / scale) * scale;
    } else if (!is_int && precision < 20 && !isinf(f) && !isnan(f)) {
        /* the decimal that is nearest to the exact value, as printf finds it */
        snprintf(text, sizeof text, "%.*f", (int)precision, f);
        f = strtod(text, NULL);
    }
    if (is_int && precision >= 0)
        return zt_int(zt_need_int(e, a->self), a->self.trusted);
    return is_int ? zt_int((int64_t)f, a->self.trusted) : zt_float(f, a->self.trusted);
}

/* binary */
static struct zt_val f_filesizeformat(struct zt_env *e, const struct zt_args *a)
{
    static const char units[] = "kMGTPEZY";
    bool binary = a->v[0].u.b;
    double f, base = binary ? 1024 : 1000, unit = base * base;
    struct zt_sb b = {.e = e};
    int i = 0;

    if (!parse_float(e, a->self, &f))
        zt_fail(e, "filesizeformat needs a number");
    for (; f >= unit && i < 7; i++)
        unit *= base;
    if (f < base)
        zt_addf(&b, a->self.trusted, "%.0f Byte%s", trunc(f) + 0.0, f == 1 ? "" : "s");
    else
        zt_addf(&b, a->self.trusted, "%.1f %c%sB", base * f / unit,
                binary && i == 0 ? 'K' : units[i], binary ? "i" : "");
    return zt_take(&b);
}

/* ---- the rest ------------------------------------------------------------------------------- */

/* default_value, boolean */
static struct zt_val f_default(struct zt_env *e, const struct zt_args *a)
{
    if (a->self.kind != ZT_UNDEF && (!a->v[1].u.b || zt_is_true(a->self)))
        return a->self;
    return ZT_IS_GIVEN(a->v[0]) ? a->v[0] : zt_text(e, "", true);
}

static ZT_FN(f_attr, zt_get_attr(e, a->self, a->v[0], false));

static const struct zt_builtin filters[] = {
    {"abs", "", f_abs, 0},
    {"attr", "name:s", f_attr, 0},
    {"batch", "linecount:i fill_with?", f_batch, 0},
    {"capitalize", "", zt_m_case, ZT_CAPITALIZE},
    {"center", "width:i=80 fillchar:s=_", zt_m_pad, ZT_BOTH},
    {"count", "", f_length, 0},
    {"d", "default_value! boolean:b", f_default, 0},
    {"default", "default_value! boolean:b", f_default, 0},
    {"dictsort", "case_sensitive:b by:s=key reverse:b", f_dictsort, 0},
    {"e", "", f_escape, 0},
    {"escape", "", f_escape, 0},
    {"filesizeformat", "binary:b", f_filesizeformat, 0},
    {"first", "", f_end, false},
    {"float", "default!", f_float, 0},
    {"forceescape", "", f_forceescape, 0},
    {"format", NULL, f_format, 0},
    {"groupby", "attribute default! case_sensitive:b", f_groupby, 0},
    {"indent", "width? first:b blank:b", f_indent, 0},
    {"int", "default! base:i=10", f_int, 0},
    {"items", "", f_items, 0},
    {"join", "d:t= attribute?", f_join, 0},
    {"last", "", f_end, true},
    {"length", "", f_length, 0},
    {"list", "", f_list, 0},
    {"lower", "", zt_m_case, ZT_LOWER},
    {"map", NULL, f_map, 0},
    {"max", "case_sensitive:b attribute?", f_extreme, '>'},
    {"min", "case_sensitive:b attribute?", f_extreme, '<'},
    {"pprint", "", zt_pprint, 0},
    {"reject", NULL, f_choose, 0},
    {"rejectattr", NULL, f_choose, BY_ATTR},
    {"replace", "old:t new:t count:i=-1", f_replace, 0},
    {"reverse", "", f_reverse, 0},
    {"round", "precision:i=0 method:s=common", f_round, 0},
    {"safe", "", f_safe, 0},
    {"select", NULL, f_choose, KEEP},
    {"selectattr", NULL, f_choose, KEEP | BY_ATTR},
    {"slice", "slices:i fill_with?", f_slice, 0},
    {"sort", "reverse:b case_sensitive:b attribute?", f_sort, 0},
    {"string", "", f_string, 0},
    {"striptags", "", f_striptags, 0},
    {"sum", "attribute? start!", f_sum, 0},
    {"title", "", f_title, 0},
    {"tojson", "ensure_ascii:b indent? separators? sort_keys:b", zt_tojson, 0},
    {"trim", "chars:s?", zt_m_strip, ZT_BOTH},
    {"truncate", "length:i=255 killwords:b end:s=... leeway:i=5", f_truncate, 0},
    {"unique", "case_sensitive:b attribute?", f_unique, 0},
    {"upper", "", zt_m_case, ZT_UPPER},
    {"urlencode", "", f_urlencode, 0},
    {"wordcount", "", f_wordcount, 0},
    {"wordwrap", "width:i=79 break_long_words:b=1 wrapstring? break_on_hyphens:b=1", f_wordwrap, 0},
    {"xmlattr", "autospace:b=1", f_xmlattr, 0},
    {0},
};

const struct zt_builtin *zt_find_filter(struct zt_val name)
{
    return zt_find_builtin(filters, name);
}
