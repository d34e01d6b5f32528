/* SPDX-License-Identifier: MIT */
/* jinja2's filters. Those that are lazy there do their work at once here, but their result can be
 * read once only, as there. */
#include "zoracd/text/zt_py_internal.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

/* ---- attributes, keys, sorting -------------------------------------------------------------- */

/* One step of a path: an attribute by its name, an item by its number in digits or as it is. */
static struct zt_val get_part(struct zt_env *e, struct zt_val v, struct zt_val part)
{
    char *text, *end;

    if (part.kind != ZT_STR)
        return zt_py_item(e, v, part);
    text = zt_utf8(e, part);
    long number = strtol(text, &end, 10);
    if (isdigit((unsigned char)text[0]) && *end == '\0')
        return zt_py_item(e, v, zt_int(number, true));
    struct zt_val item = zt_py_item(e, v, part);
    return item.kind == ZT_UNDEF ? zt_get_attr(e, v, part, false) : item;
}

/* The parts of a path between sep; a number is a path of one part. */
static struct zt_list *parts_of(struct zt_env *e, struct zt_val path, const char *sep)
{
    return path.kind == ZT_STR ? zt_py_split(e, path, zt_text(e, sep, true), -1, false)
                               : zt_tuple(e, &path, 1).u.l;
}

/* The item that a path "a.0.b" leads to; no path: v itself. */
static struct zt_val get_path(struct zt_env *e, struct zt_val v, struct zt_val path,
                              struct zt_val dflt)
{
    if (path.kind == ZT_UNSET || path.kind == ZT_NONE)
        return v;
    struct zt_list *parts = parts_of(e, path, ".");
    for (size_t i = 0; i < parts->n; i++) {
        v = get_part(e, v, parts->v[i]);
        v = v.kind == ZT_UNDEF && ZT_IS_GIVEN(dflt) ? dflt : v;
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
    return exact || v.kind != ZT_STR ? v : zt_py_in_case(e, v, ZT_LOWER);
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
        tmp[at++] = zt_py_holds(e, reverse ? '>' : '<', k[j].key, k[i].key) ? k[j++] : k[i++];
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

struct zt_dict *zt_py_sorted_dict(struct zt_env *e, const struct zt_dict *d)
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
static struct zt_val f_sort(struct zt_env *e, const struct zt_py_args *a)
{
    struct zt_list *l = zt_py_items(e, a->self);
    struct zt_list *paths = parts_of(e, a->v[2], ",");
    struct keyed *k = zt_alloc(e, l->n, sizeof *k);

    for (size_t i = 0; i < l->n; i++) {
        struct zt_list *key = zt_list_new(e, paths->n);
        for (size_t p = 0; p < paths->n; p++)
            zt_push(e, key, key_of(e, l->v[i], paths->v[p], a->v[1].u.b));
        k[i] = (struct keyed){zt_of_list(ZT_LIST, key), l->v[i]};
    }
    return zt_of_list(ZT_LIST, sorted(e, k, l->n, a->v[0].u.b));
}

/* case_sensitive, by, reverse */
static struct zt_val f_dictsort(struct zt_env *e, const struct zt_py_args *a)
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
static struct zt_val f_groupby(struct zt_env *e, const struct zt_py_args *a)
{
    struct zt_list *l = zt_py_items(e, a->self), *out = zt_list_new(e, 0), *group = NULL;
    struct keyed *k = zt_alloc(e, l->n, sizeof *k);

    for (size_t i = 0; i < l->n; i++) {
        struct zt_val by = get_path(e, l->v[i], a->v[0], a->v[1]);
        k[i] = (struct keyed){key_of(e, by, ZT_NO_VALUE, a->v[2].u.b), l->v[i]};
    }
    sorted(e, k, l->n, false);
    for (size_t i = 0; i < l->n; i++) {
        if (i == 0 || !zt_py_is_equal(e, k[i].key, k[i - 1].key)) {
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
static struct zt_val f_unique(struct zt_env *e, const struct zt_py_args *a)
{
    struct zt_list *l = zt_py_items(e, a->self), *out = zt_list_new(e, 0);
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
static struct zt_val f_extreme(struct zt_env *e, const struct zt_py_args *a)
{
    struct zt_list *l = zt_py_items(e, a->self);
    struct zt_val best = zt_undef(a->self.kind, zt_text(e, "0", true)), best_key = best;

    for (size_t i = 0; i < l->n; i++) {
        struct zt_val key = key_of(e, l->v[i], a->v[1], a->v[0].u.b);
        if (i && !zt_py_holds(e, a->x, key, best_key))
            continue;
        best = l->v[i];
        best_key = key;
    }
    return best;
}

/* attribute, start */
static struct zt_val f_sum(struct zt_env *e, const struct zt_py_args *a)
{
    struct zt_list *l = zt_py_items(e, a->self);
    struct zt_val sum = ZT_IS_GIVEN(a->v[1]) ? a->v[1] : zt_int(0, true);

    if (sum.kind == ZT_STR)
        zt_fail(e, "strings have no sum");
    for (size_t i = 0; i < l->n; i++)
        sum = zt_py_binary(e, '+', sum, key_of(e, l->v[i], a->v[0], true));
    return sum;
}

/* ---- choosing and mapping ------------------------------------------------------------------- */

/* The function that argument i names, and in *ret_rest the arguments after it. */
static const struct zt_py_fn *named(struct zt_env *e, const struct zt_py_args *a, int i, bool test,
                                    struct zt_py_args *ret_rest)
{
    struct zt_val name = zt_py_need_str(e, a->v[i]);
    const struct zt_py_fn *fn = test ? zt_py_find_test(name) : zt_py_find_filter(name);

    if (!fn)
        zt_fail(e, "unknown %s '%s'", test ? "test" : "filter", zt_utf8(e, name));
    *ret_rest = (struct zt_py_args){.v = a->v + i + 1, .n = a->n - i - 1, .kw = a->kw};
    return fn;
}

enum { KEEP = 1, BY_ATTR = 2 };

/* select, reject, selectattr, rejectattr: [attribute,] [test, its arguments] */
static struct zt_val f_choose(struct zt_env *e, const struct zt_py_args *a)
{
    struct zt_list *l, *out = zt_list_new(e, 0);
    const struct zt_py_fn *test = NULL;
    struct zt_py_args args;
    int skip = (a->x & BY_ATTR) != 0;

    if (!zt_py_is_true(a->self)) /* None too: then nothing is looked at */
        return zt_of_list(ZT_ITER, out);
    l = zt_py_items(e, a->self);
    if (a->n < skip)
        zt_fail(e, "an attribute is needed");
    if (a->n > skip)
        test = named(e, a, skip, true, &args);
    for (size_t i = 0; i < l->n; i++) {
        args.self = skip ? get_path(e, l->v[i], a->v[0], ZT_NO_VALUE) : l->v[i];
        zt_step(e, 1);
        if (zt_py_is_true(test ? zt_py_call(e, test, &args) : args.self) == (a->x & KEEP))
            zt_push(e, out, l->v[i]);
    }
    return zt_of_list(ZT_ITER, out);
}

/* filter and its arguments, or attribute=, default= */
static struct zt_val f_map(struct zt_env *e, const struct zt_py_args *a)
{
    struct zt_list *l, *out = zt_list_new(e, 0);
    struct zt_val attr = zt_dict_value(e, a->kw, "attribute");
    struct zt_val dflt = zt_dict_value(e, a->kw, "default");
    const struct zt_py_fn *filter = NULL;
    struct zt_py_args args;

    if (!zt_py_is_true(a->self))
        return zt_of_list(ZT_ITER, out);
    l = zt_py_items(e, a->self);
    if (!ZT_IS_GIVEN(attr) && a->n == 0)
        zt_fail(e, "map needs a filter or an attribute");
    if (!ZT_IS_GIVEN(attr))
        filter = named(e, a, 0, false, &args);
    for (size_t i = 0; i < l->n; i++) {
        args.self = l->v[i];
        zt_step(e, 1);
        zt_push(e, out, filter ? zt_py_call(e, filter, &args) : get_path(e, l->v[i], attr, dflt));
    }
    return zt_of_list(ZT_ITER, out);
}

/* ---- sequences ------------------------------------------------------------------------------ */

static ZT_FN(f_length, zt_int((int64_t)zt_py_len(e, a->self), true));
static ZT_FN(f_list, zt_py_list(e, a->self));

/* first and (x) last */
static struct zt_val f_end(struct zt_env *e, const struct zt_py_args *a)
{
    bool lazy = a->self.kind == ZT_ITER;

    if (lazy && a->x)
        zt_fail(e, "a generator has no last item");
    if (lazy && a->self.u.l->pos < a->self.u.l->n)
        return a->self.u.l->v[a->self.u.l->pos++];
    struct zt_list *l = zt_py_items(e, a->self);
    if (l->n == 0)
        return zt_undef(a->self.kind, zt_text(e, a->x ? "-1" : "0", true));
    return l->v[a->x ? l->n - 1 : 0];
}

static struct zt_val f_items(struct zt_env *e, const struct zt_py_args *a)
{
    if (a->self.kind == ZT_UNDEF)
        return zt_of_list(ZT_ITER, zt_list_new(e, 0));
    if (a->self.kind != ZT_DICT)
        zt_fail(e, "items needs a dict, got %s", zt_py_type_name(a->self));
    return zt_of_list(ZT_ITER, zt_py_pairs(e, a->self.u.d));
}

static struct zt_val f_reverse(struct zt_env *e, const struct zt_py_args *a)
{
    if (a->self.kind == ZT_STR)
        return zt_py_reversed(e, a->self);
    return zt_of_list(ZT_ITER, zt_py_reversed(e, zt_of_list(ZT_LIST, zt_py_items(e, a->self))).u.l);
}

/* d, attribute */
static struct zt_val f_join(struct zt_env *e, const struct zt_py_args *a)
{
    struct zt_list *l = zt_py_items(e, a->self), *out = zt_list_new(e, l->n);

    for (size_t i = 0; i < l->n; i++) {
        struct zt_val s = zt_py_str(e, key_of(e, l->v[i], a->v[1], true));
        zt_push(e, out, e->autoescape ? zt_py_escape(e, s) : s);
    }
    struct zt_val sep = e->autoescape ? zt_py_escape(e, a->v[0]) : a->v[0];
    return zt_markup(zt_py_joined(e, out, sep), e->autoescape);
}

/* linecount, fill_with */
static struct zt_val f_batch(struct zt_env *e, const struct zt_py_args *a)
{
    struct zt_list *l = zt_py_items(e, a->self), *out = zt_list_new(e, 0), *row = zt_list_new(e, 0);
    int64_t n = a->v[0].u.i;

    for (size_t i = 0; i < l->n; i++) {
        if ((int64_t)row->n == n) {
            zt_push(e, out, zt_of_list(ZT_LIST, row));
            row = zt_list_new(e, 0);
        }
        zt_push(e, row, l->v[i]);
    }
    if (row->n)
        zt_push(e, out, zt_of_list(ZT_LIST, row));
    for (; ZT_IS_GIVEN(a->v[1]) && row->n && (int64_t)row->n < n; zt_push(e, row, a->v[1]))
        zt_step(e, 1);
    return zt_of_list(ZT_ITER, out);
}

/* slices, fill_with */
static struct zt_val f_slice(struct zt_env *e, const struct zt_py_args *a)
{
    struct zt_list *l = zt_py_items(e, a->self), *out = zt_list_new(e, 0);
    int64_t n = a->v[0].u.i;
    size_t at = 0;

    if (n == 0)
        zt_fail(e, "a slice into no parts");
    for (size_t i = 0; n > 0 && i < (size_t)n; i++) {
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

/* ---- the rest ------------------------------------------------------------------------------- */

/* default_value, boolean */
static struct zt_val f_default(struct zt_env *e, const struct zt_py_args *a)
{
    if (a->self.kind != ZT_UNDEF && (!a->v[1].u.b || zt_py_is_true(a->self)))
        return a->self;
    return ZT_IS_GIVEN(a->v[0]) ? a->v[0] : zt_text(e, "", true);
}

static struct zt_val f_attr(struct zt_env *e, const struct zt_py_args *a)
{
    zt_py_need_defined(e, a->self);
    return zt_get_attr(e, a->self, a->v[0], false);
}

static struct zt_val f_random(struct zt_env *e, const struct zt_py_args *a)
{
    (void)a;
    zt_fail(e, "random would make another prompt each time");
}

static const struct zt_py_fn filters[] = {
    {"attr", "name:s", f_attr, 0},
    {"batch", "linecount:i fill_with?", f_batch, 0},
    {"count", "", f_length, 0},
    {"d", "default_value! boolean:b", f_default, 0},
    {"default", "default_value! boolean:b", f_default, 0},
    {"dictsort", "case_sensitive:b by:s=key reverse:b", f_dictsort, 0},
    {"first", "", f_end, false},
    {"groupby", "attribute default! case_sensitive:b", f_groupby, 0},
    {"items", "", f_items, 0},
    {"join", "d:t= attribute?", f_join, 0},
    {"last", "", f_end, true},
    {"length", "", f_length, 0},
    {"list", "", f_list, 0},
    {"map", NULL, f_map, 0},
    {"max", "case_sensitive:b attribute?", f_extreme, '>'},
    {"min", "case_sensitive:b attribute?", f_extreme, '<'},
    {"pprint", "", zt_py_pprint, 0},
    {"random", "", f_random, 0},
    {"reject", NULL, f_choose, 0},
    {"rejectattr", NULL, f_choose, BY_ATTR},
    {"reverse", "", f_reverse, 0},
    {"select", NULL, f_choose, KEEP},
    {"selectattr", NULL, f_choose, KEEP | BY_ATTR},
    {"slice", "slices:i fill_with?", f_slice, 0},
    {"sort", "reverse:b case_sensitive:b attribute?", f_sort, 0},
    {"sum", "attribute? start!", f_sum, 0},
    {"tojson", "ensure_ascii:b indent? separators? sort_keys:b", zt_py_tojson, 0},
    {"unique", "case_sensitive:b attribute?", f_unique, 0},
    {0},
};

const struct zt_py_fn *zt_py_find_filter(struct zt_val name)
{
    const struct zt_py_fn *const tables[] = {filters, zt_py_text_filters, zt_py_html_filters,
                                             zt_py_number_filters};
    const struct zt_py_fn *fn = NULL;

    for (int i = 0; i < 4 && !fn; i++)
        fn = zt_py_find_in(tables[i], name);
    return fn;
}
