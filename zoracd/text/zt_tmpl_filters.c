/* SPDX-License-Identifier: MIT */
/* jinja2's filters and Hugging Face's tojson. Filters that are lazy in jinja2 do their work at once
 * here, but their result can be read once only, as there. */
#include "config.h"

#include "zoracd/text/zt_tmpl_internal.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static bool is_given(const struct zt_args *a, int i)
{
    return a->v[i].kind != ZT_UNSET && a->v[i].kind != ZT_NONE;
}

const struct zt_str *zt_arg_str(struct zt_env *e, const struct zt_args *a, int i, const char *dflt)
{
    if (is_given(a, i))
        return zt_need_str(e, a->v[i]);
    return dflt ? zt_str_of(e, dflt, true) : NULL;
}

int64_t zt_arg_int(struct zt_env *e, const struct zt_args *a, int i, int64_t dflt)
{
    return is_given(a, i) ? zt_need_int(e, a->v[i]) : dflt;
}

/* ---- attributes, keys, sorting -------------------------------------------------------------- */

/* The parts of s between the characters sep. */
static struct zt_list *parts_of(struct zt_env *e, const struct zt_str *s, char sep)
{
    struct zt_list *l = zt_list_new(e, 1);

    for (size_t at = 0, n; at <= s->len; at += n + 1) {
        const char *end = memchr(s->p + at, sep, s->len - at);
        n = end ? (size_t)(end - s->p) - at : s->len - at;
        zt_list_add(e, l, zt_of_str(zt_str_sub(e, s, at, n)));
    }
    return l;
}

/* The item that a path "a.0.b" leads to; attr may be a number, or not given: v itself. */
static struct zt_val get_path(struct zt_env *e, struct zt_val v, struct zt_val attr,
                              struct zt_val dflt)
{
    if (attr.kind == ZT_UNSET || attr.kind == ZT_NONE)
        return v;
    if (attr.kind != ZT_STR)
        return zt_get_item(e, v, attr);
    struct zt_list *parts = parts_of(e, attr.u.s, '.');
    for (size_t i = 0; i < parts->n; i++) {
        const struct zt_str *part = parts->v[i].u.s;
        bool is_number = part->len && part->len < 10 && strspn(part->p, "0123456789") >= part->len;
        struct zt_val next =
            zt_get_item(e, v, is_number ? zt_int(atoi(part->p), true) : parts->v[i]);
        if (next.kind == ZT_UNDEF && !is_number)
            next = zt_get_attr(e, v, part, false);
        v = next.kind == ZT_UNDEF && dflt.kind != ZT_UNSET ? dflt : next;
    }
    return v;
}

static struct zt_val ignore_case(struct zt_env *e, struct zt_val v)
{
    return v.kind == ZT_STR ? zt_m_lower(e, &(struct zt_args){.self = v}) : v;
}

struct keyed {
    struct zt_val key, v;
};

static struct zt_val key_of(struct zt_env *e, struct zt_val v, struct zt_val attr, bool exact)
{
    v = get_path(e, v, attr, (struct zt_val){.kind = ZT_UNSET});
    return exact ? v : ignore_case(e, v);
}

/* Stable, by key; with reverse too, as Python's is. */
static void merge_sort(struct zt_env *e, struct keyed *k, struct keyed *tmp, size_t n, bool reverse)
{
    if (n < 2)
        return;
    size_t half = n / 2, i = 0, j = half, at = 0;
    merge_sort(e, k, tmp, half, reverse);
    merge_sort(e, k + half, tmp, n - half, reverse);
    while (i < half && j < n) {
        bool second =
            reverse ? zt_is_less(e, k[i].key, k[j].key) : zt_is_less(e, k[j].key, k[i].key);
        tmp[at++] = second ? k[j++] : k[i++];
    }
    memcpy(tmp + at, k + i, (half - i) * sizeof *k);
    memcpy(tmp + at + half - i, k + j, (n - j) * sizeof *k);
    memcpy(k, tmp, n * sizeof *k);
}

static struct zt_list *sorted(struct zt_env *e, struct keyed *k, size_t n, bool reverse)
{
    struct zt_list *l = zt_list_new(e, n);

    merge_sort(e, k, zt_alloc(e, n, sizeof *k), n, reverse);
    for (size_t i = 0; i < n; i++)
        zt_list_add(e, l, k[i].v);
    return l;
}

struct zt_dict *zt_sorted_dict(struct zt_env *e, const struct zt_dict *d)
{
    struct keyed *k = zt_alloc(e, d->n, sizeof *k);
    struct zt_dict *out = zt_dict_new(e);

    for (size_t i = 0; i < d->n; i++)
        k[i] = (struct keyed){d->e[i].k, d->e[i].v};
    merge_sort(e, k, zt_alloc(e, d->n, sizeof *k), d->n, false);
    for (size_t i = 0; i < d->n; i++)
        zt_dict_set(e, out, k[i].key, k[i].v);
    return out;
}

static struct zt_val f_sort(struct zt_env *e, const struct zt_args *a)
{
    struct zt_list *l = zt_items(e, a->self), *paths; /* "a,b": by a, then by b */
    struct keyed *k = zt_alloc(e, l->n, sizeof *k);

    if (a->v[2].kind == ZT_STR)
        paths = parts_of(e, a->v[2].u.s, ',');
    else
        zt_list_add(e, paths = zt_list_new(e, 1), a->v[2]);
    for (size_t i = 0; i < l->n; i++) {
        struct zt_list *key = zt_list_new(e, paths->n);
        for (size_t p = 0; p < paths->n; p++)
            zt_list_add(e, key, key_of(e, l->v[i], paths->v[p], zt_is_true(a->v[1])));
        k[i] = (struct keyed){zt_of_list(ZT_LIST, key), l->v[i]};
    }
    return zt_of_list(ZT_LIST, sorted(e, k, l->n, zt_is_true(a->v[0])));
}

static struct zt_val f_dictsort(struct zt_env *e, const struct zt_args *a)
{
    const struct zt_str *by = zt_arg_str(e, a, 1, "key");

    if (a->self.kind != ZT_DICT || !(zt_str_is(by, "key") || zt_str_is(by, "value")))
        zt_fail(e, "dictsort sorts a dict by \"key\" or \"value\"");
    const struct zt_dict *d = a->self.u.d;
    struct keyed *k = zt_alloc(e, d->n, sizeof *k);
    for (size_t i = 0; i < d->n; i++) {
        struct zt_val key = zt_str_is(by, "key") ? d->e[i].k : d->e[i].v;
        k[i].key = zt_is_true(a->v[0]) ? key : ignore_case(e, key);
        k[i].v = zt_tuple2(e, d->e[i].k, d->e[i].v);
    }
    return zt_of_list(ZT_LIST, sorted(e, k, d->n, zt_is_true(a->v[2])));
}

static struct zt_val f_groupby(struct zt_env *e, const struct zt_args *a)
{
    struct zt_list *l = zt_items(e, a->self), *out = zt_list_new(e, 0), *group = NULL;
    struct keyed *k = zt_alloc(e, l->n, sizeof *k);
    bool exact = zt_is_true(a->v[2]);

    for (size_t i = 0; i < l->n; i++) {
        struct zt_val key = get_path(e, l->v[i], a->v[0], a->v[1]);
        k[i] = (struct keyed){exact ? key : ignore_case(e, key), l->v[i]};
    }
    sorted(e, k, l->n, false);
    for (size_t i = 0; i < l->n; i++) {
        if (i == 0 || !zt_is_equal(e, k[i].key, k[i - 1].key)) {
            group = zt_list_new(e, 1);
            struct zt_val t =
                zt_tuple2(e, get_path(e, k[i].v, a->v[0], a->v[1]), zt_of_list(ZT_LIST, group));
            t.u.l->group = true;
            zt_list_add(e, out, t);
        }
        zt_list_add(e, group, k[i].v);
    }
    return zt_of_list(ZT_LIST, out);
}

static struct zt_val f_unique(struct zt_env *e, const struct zt_args *a)
{
    struct zt_list *l = zt_items(e, a->self), *out = zt_list_new(e, 0);
    struct zt_dict *seen = zt_dict_new(e);

    for (size_t i = 0; i < l->n; i++) {
        struct zt_val key = key_of(e, l->v[i], a->v[1], zt_is_true(a->v[0]));
        if (zt_dict_get(e, seen, key))
            continue;
        zt_dict_set(e, seen, key, zt_none());
        zt_list_add(e, out, l->v[i]);
    }
    return zt_of_list(ZT_ITER, out);
}

static struct zt_val extreme(struct zt_env *e, const struct zt_args *a, bool max)
{
    struct zt_list *l = zt_items(e, a->self);
    struct zt_val best, best_key;

    if (l->n == 0)
        return zt_undef(a->self.kind, zt_str_of(e, "0", true));
    for (size_t i = 0; i < l->n; i++) {
        struct zt_val key = key_of(e, l->v[i], a->v[1], zt_is_true(a->v[0]));
        if (i == 0 || (max ? zt_is_less(e, best_key, key) : zt_is_less(e, key, best_key))) {
            best = l->v[i];
            best_key = key;
        }
    }
    return best;
}

static ZT_FN(f_min, extreme(e, a, false));
static ZT_FN(f_max, extreme(e, a, true));
static struct zt_val f_sum(struct zt_env *e, const struct zt_args *a)
{
    struct zt_list *l = zt_items(e, a->self);
    struct zt_val sum = a->v[1].kind == ZT_UNSET ? zt_int(0, true) : a->v[1];

    for (size_t i = 0; i < l->n; i++)
        sum = zt_binary(e, '+', sum, key_of(e, l->v[i], a->v[0], true));
    return sum;
}

/* ---- choosing and mapping ------------------------------------------------------------------- */

/* The arguments from number i on. */
static struct zt_args rest_of(const struct zt_args *a, int i)
{
    return (struct zt_args){.v = a->v + i, .n = a->n > i ? a->n - i : 0, .kw = a->kw};
}

/* These filters do not look at what is false: none|map(...) is empty. */
static struct zt_list *items_if_true(struct zt_env *e, struct zt_val v)
{
    return zt_is_true(v) ? zt_items(e, v) : zt_list_new(e, 0);
}

static struct zt_val choose(struct zt_env *e, const struct zt_args *a, bool by_attr, bool keep)
{
    struct zt_list *l = items_if_true(e, a->self), *out = zt_list_new(e, 0);
    struct zt_args args = rest_of(a, by_attr + 1);
    const struct zt_builtin *test = NULL;

    if (a->n < by_attr)
        zt_fail(e, "an attribute is needed");
    if (a->n > by_attr && !(test = zt_find_test(zt_need_str(e, a->v[by_attr]))))
        zt_fail(e, "unknown test '%.*s'", ZT_S(a->v[by_attr].u.s));
    for (size_t i = 0; i < l->n; i++) {
        args.self = by_attr ? get_path(e, l->v[i], a->v[0], (struct zt_val){0}) : l->v[i];
        zt_step(e, 1);
        if (zt_is_true(test ? zt_call_builtin(e, test, &args) : args.self) == keep)
            zt_list_add(e, out, l->v[i]);
    }
    return zt_of_list(ZT_ITER, out);
}

static ZT_FN(f_select, choose(e, a, false, true));
static ZT_FN(f_reject, choose(e, a, false, false));
static ZT_FN(f_selectattr, choose(e, a, true, true));
static ZT_FN(f_rejectattr, choose(e, a, true, false));
static struct zt_val keyword(struct zt_env *e, const struct zt_args *a, const char *name)
{
    const struct zt_val *v = a->kw ? zt_dict_get(e, a->kw, zt_text_of(e, name, true)) : NULL;

    return v ? *v : (struct zt_val){.kind = ZT_UNSET};
}

static struct zt_val f_map(struct zt_env *e, const struct zt_args *a)
{
    struct zt_list *l = items_if_true(e, a->self), *out = zt_list_new(e, l->n);
    struct zt_val attr = keyword(e, a, "attribute"), dflt = keyword(e, a, "default");
    struct zt_args args = rest_of(a, 1);
    const struct zt_builtin *filter = NULL;

    if (attr.kind == ZT_UNSET && a->n == 0)
        zt_fail(e, "map needs a filter or an attribute");
    if (attr.kind == ZT_UNSET && !(filter = zt_find_filter(zt_need_str(e, a->v[0]))))
        zt_fail(e, "unknown filter '%.*s'", ZT_S(a->v[0].u.s));
    for (size_t i = 0; i < l->n; i++) {
        args.self = l->v[i];
        zt_step(e, 1);
        zt_list_add(e, out,
                    filter ? zt_call_builtin(e, filter, &args) : get_path(e, l->v[i], attr, dflt));
    }
    return zt_of_list(ZT_ITER, out);
}

/* ---- sequences ------------------------------------------------------------------------------ */

static ZT_FN(f_length, zt_int((int64_t)zt_length(e, a->self), true));
static struct zt_val f_first(struct zt_env *e, const struct zt_args *a)
{
    if (a->self.kind == ZT_ITER && a->self.u.l->pos < a->self.u.l->n)
        return a->self.u.l->v[a->self.u.l->pos++];
    struct zt_list *l = zt_items(e, a->self);
    return l->n ? l->v[0] : zt_undef(a->self.kind, zt_str_of(e, "0", true));
}

static struct zt_val f_last(struct zt_env *e, const struct zt_args *a)
{
    struct zt_list *l = zt_items(e, a->self);

    if (a->self.kind == ZT_ITER)
        zt_fail(e, "a generator has no last item");
    return l->n ? l->v[l->n - 1] : zt_undef(a->self.kind, zt_str_of(e, "-1", true));
}

static ZT_FN(f_list, zt_of_list(ZT_LIST, zt_items(e, a->self)));
static struct zt_val f_items(struct zt_env *e, const struct zt_args *a)
{
    if (a->self.kind == ZT_UNDEF)
        return zt_of_list(ZT_ITER, zt_list_new(e, 0));
    if (a->self.kind != ZT_DICT)
        zt_fail(e, "items needs a dict, got %s", zt_type_name(a->self));
    return zt_of_list(ZT_ITER, zt_m_items(e, a).u.l);
}

static struct zt_val f_reverse(struct zt_env *e, const struct zt_args *a)
{
    struct zt_val none = zt_none();

    if (a->self.kind == ZT_STR)
        return zt_get_slice(e, a->self, none, none, zt_int(-1, true));
    struct zt_val l = zt_of_list(ZT_LIST, zt_items(e, a->self));
    return zt_of_list(ZT_ITER, zt_get_slice(e, l, none, none, zt_int(-1, true)).u.l);
}

struct zt_val zt_f_join(struct zt_env *e, const struct zt_args *a)
{
    struct zt_list *l = zt_items(e, a->self);
    const struct zt_str *sep = a->v[0].kind == ZT_UNSET ? NULL : zt_to_str(e, a->v[0]);
    struct zt_sb b;

    zt_sb_init(&b, e);
    for (size_t i = 0; i < l->n; i++) {
        const struct zt_str *s = zt_to_str(e, key_of(e, l->v[i], a->v[1], true));
        if (i && sep)
            zt_sb_add_str(&b, e->autoescape ? zt_str_escape(e, sep) : sep);
        zt_sb_add_str(&b, e->autoescape ? zt_str_escape(e, s) : s);
    }
    return zt_of_str(zt_str_markup(e, zt_sb_take(&b), e->autoescape));
}

static struct zt_val f_batch(struct zt_env *e, const struct zt_args *a)
{
    struct zt_list *l = zt_items(e, a->self), *out = zt_list_new(e, 0), *row = NULL;
    size_t n = (size_t)zt_need_int(e, a->v[0]);

    for (size_t i = 0; i < l->n; i++) {
        if (!row || row->n == n) {
            row = zt_list_new(e, 0);
            zt_list_add(e, out, zt_of_list(ZT_LIST, row));
        }
        zt_list_add(e, row, l->v[i]);
    }
    while (row && is_given(a, 1) && row->n < n && n < 100000)
        zt_list_add(e, row, a->v[1]);
    return zt_of_list(ZT_ITER, out);
}

static struct zt_val f_slice(struct zt_env *e, const struct zt_args *a)
{
    struct zt_list *l = zt_items(e, a->self), *out = zt_list_new(e, 0);
    int64_t n = zt_need_int(e, a->v[0]);
    size_t at = 0;

    if (n <= 0)
        zt_fail(e, "slice needs a positive number");
    for (size_t i = 0; i < (size_t)n; i++) {
        bool extra = i < l->n % (size_t)n;
        size_t len = l->n / (size_t)n + extra;
        struct zt_list *row = zt_list_new(e, len + 1);
        zt_step(e, 1);
        for (size_t k = 0; k < len; k++)
            zt_list_add(e, row, l->v[at++]);
        if (is_given(a, 1) && !extra)
            zt_list_add(e, row, a->v[1]);
        zt_list_add(e, out, zt_of_list(ZT_LIST, row));
    }
    return zt_of_list(ZT_ITER, out);
}

/* ---- text ----------------------------------------------------------------------------------- */

static ZT_FN(f_string, zt_of_str(zt_to_str(e, a->self)));
static ZT_FN(f_safe, zt_of_str(zt_str_markup(e, zt_to_str(e, a->self), true)));
static ZT_FN(f_escape, zt_of_str(zt_str_escape(e, zt_to_str(e, a->self))));
static ZT_FN(f_forceescape,
             zt_of_str(zt_str_escape(e, zt_str_markup(e, zt_to_str(e, a->self), false))));
static struct zt_val f_replace(struct zt_env *e, const struct zt_args *a)
{
    struct zt_args plain = *a;

    if (!e->autoescape)
        plain.self = zt_of_str(zt_str_markup(e, zt_to_str(e, a->self), false));
    return zt_m_replace(e, &plain);
}

static const struct zt_str *spaces(struct zt_env *e, int64_t n, bool trusted)
{
    struct zt_sb b;

    zt_sb_init(&b, e);
    zt_sb_pad(&b, n > 0 ? (size_t)n : 0, zt_str_of(e, " ", trusted));
    return zt_sb_take(&b);
}

/* Whether title begins a new word after the character at byte i; and its length. */
static bool begins_word(const struct zt_str *s, size_t i, size_t *ret_n)
{
    uint32_t c = zt_char_at(s->p + i, s->len - i, ret_n);

    return zt_char_is_space(c) || (c && c < 0x80 && strchr("-({[<", (int)c));
}

static struct zt_val f_title(struct zt_env *e, const struct zt_args *a)
{
    const struct zt_str *s = zt_to_str(e, a->self);
    bool in_word = false;
    struct zt_sb b;

    zt_sb_init(&b, e);
    for (size_t i = 0, n; i < s->len; i += n) {
        bool letter = !begins_word(s, i, &n);
        struct zt_args c = {.self = zt_of_str(zt_str_sub(e, s, i, n))};
        zt_sb_add_str(&b, !letter   ? c.self.u.s
                          : in_word ? zt_m_lower(e, &c).u.s
                                    : zt_m_upper(e, &c).u.s);
        in_word = letter;
    }
    return zt_sb_take_val(&b);
}

static struct zt_val f_indent(struct zt_env *e, const struct zt_args *a)
{
    const struct zt_str *s = zt_need_str(e, a->self), *by = a->v[0].u.s;
    bool first = zt_is_true(a->v[1]), blank = zt_is_true(a->v[2]);
    struct zt_sb b;

    zt_sb_init(&b, e);
    if (a->v[0].kind != ZT_STR)
        by = spaces(e, zt_arg_int(e, a, 0, 4), true);
    /* so that a last line break has an empty line after it */
    s = zt_str_markup(e, zt_str_concat(e, s, zt_str_of(e, "\n", true)), s->markup);
    struct zt_list *lines = zt_split_lines(e, s, false);
    for (size_t i = 0; i < lines->n; i++) {
        if (i)
            zt_sb_adds(&b, "\n", true);
        if (i ? blank || lines->v[i].u.s->len : first)
            zt_sb_add_str(&b, by);
        zt_sb_add_str(&b, lines->v[i].u.s);
    }
    return zt_of_str(zt_str_markup(e, zt_sb_take(&b), s->markup));
}

static struct zt_val f_format(struct zt_env *e, const struct zt_args *a)
{
    return zt_format_percent(e, zt_to_str(e, a->self),
                             a->kw ? zt_of_dict(ZT_DICT, a->kw) : zt_args_tuple(e, a));
}

static struct zt_val f_tojson(struct zt_env *e, const struct zt_args *a)
{
    struct zt_json_style style = {.ascii = zt_is_true(a->v[0]), .sorted = zt_is_true(a->v[3])};
    struct zt_sb b;

    zt_sb_init(&b, e);
    if (a->v[1].kind == ZT_STR) {
        style.indent = a->v[1].u.s;
    } else if (is_given(a, 1)) {
        style.indent = spaces(e, zt_need_int(e, a->v[1]), false);
    }
    style.item_sep = zt_str_of(e, style.indent ? "," : ", ", false);
    style.key_sep = zt_str_of(e, ": ", false);
    if (is_given(a, 2)) {
        struct zt_list *seps = zt_items(e, a->v[2]);
        if (seps->n != 2)
            zt_fail(e, "separators must be two");
        style.item_sep = zt_need_str(e, seps->v[0]);
        style.key_sep = zt_need_str(e, seps->v[1]);
    }
    zt_add_json(&b, a->self, &style);
    return zt_sb_take_val(&b);
}

/* ---- numbers -------------------------------------------------------------------------------- */

static struct zt_val f_abs(struct zt_env *e, const struct zt_args *a)
{
    if (a->self.kind == ZT_FLOAT)
        return zt_float(fabs(a->self.u.f), a->self.trusted);
    return zt_negate(e, a->self, zt_need_int(e, a->self) < 0 ? '-' : '+');
}

/* The text of a number without white space and underscores; NULL if it is no such text. */
static char *number_text(struct zt_env *e, const struct zt_str *s)
{
    struct zt_val stripped =
        zt_m_strip(e, &(struct zt_args){.self = zt_of_str(s), .v = (struct zt_val[]){{0}}});
    const struct zt_str *t = stripped.u.s;
    char *text = zt_alloc(e, t->len + 1, 1);
    size_t n = 0;

    for (size_t i = 0; i < t->len; i++) {
        if (t->p[i] == '_' && (i == 0 || i + 1 == t->len || t->p[i - 1] == '_'))
            return NULL;
        if (t->p[i] != '_')
            text[n++] = t->p[i];
    }
    return n ? text : NULL;
}

bool zt_parse_float(struct zt_env *e, struct zt_val v, double *ret)
{
    char *end, *text;

    if (v.kind == ZT_UNDEF)
        zt_fail_undef(e, v);
    if (v.kind == ZT_FLOAT || v.kind == ZT_INT || v.kind == ZT_BOOL) {
        *ret = v.kind == ZT_FLOAT ? v.u.f : (double)zt_need_int(e, v);
        return true;
    }
    if ((v.kind != ZT_STR && v.kind != ZT_BIG) || !(text = number_text(e, v.u.s)) ||
        strpbrk(text, "xX("))
        return false;
    *ret = strtod(text, &end);
    return *end == '\0';
}

static struct zt_val f_int(struct zt_env *e, const struct zt_args *a)
{
    int64_t base = zt_arg_int(e, a, 1, 10);
    char *end, *text = a->self.kind == ZT_STR ? number_text(e, a->self.u.s) : NULL;
    double f;

    if (a->self.kind == ZT_BIG)
        return a->self;
    if (a->self.kind == ZT_INT || a->self.kind == ZT_BOOL)
        return zt_int(zt_need_int(e, a->self), a->self.trusted);
    if (text && (base == 0 || (base >= 2 && base <= 36))) {
        char *digits = text + (*text == '-' || *text == '+');
        char prefix = digits[0] == '0' ? digits[1] | 0x20 : 0;
        if ((prefix == 'b' && base == 2) || (prefix == 'o' && base == 8))
            memmove(digits, digits + 2, strlen(digits + 2) + 1);
        errno = 0;
        long long i = strtoll(text, &end, (int)base);
        if (errno == ERANGE)
            zt_fail(e, "an integer that does not fit 64 bits");
        if (*end == '\0' && end > digits)
            return zt_int(i, false);
    }
    if (zt_parse_float(e, a->self, &f) && fabs(f) < 0x1p63)
        return zt_int((int64_t)f, a->self.trusted);
    return a->v[0].kind == ZT_UNSET ? zt_int(0, true) : a->v[0];
}

static struct zt_val f_float(struct zt_env *e, const struct zt_args *a)
{
    double f;

    if (zt_parse_float(e, a->self, &f))
        return zt_float(f, a->self.trusted);
    return a->v[0].kind == ZT_UNSET ? zt_float(0, true) : a->v[0];
}

static struct zt_val f_round(struct zt_env *e, const struct zt_args *a)
{
    int64_t precision = zt_arg_int(e, a, 0, 0);
    const struct zt_str *method = zt_arg_str(e, a, 1, "common");
    double f, scale = pow(10, (double)precision);
    char text[512];

    if (a->self.kind == ZT_STR || !zt_parse_float(e, a->self, &f))
        zt_fail(e, "round needs a number, got %s", zt_type_name(a->self));
    if (zt_str_is(method, "ceil"))
        return zt_float(ceil(f * scale) / scale, a->self.trusted);
    if (zt_str_is(method, "floor"))
        return zt_float(floor(f * scale) / scale, a->self.trusted);
    if (!zt_str_is(method, "common"))
        zt_fail(e, "round by \"common\", \"ceil\" or \"floor\"");
    if (a->self.kind != ZT_FLOAT && precision >= 0)
        return zt_int(zt_need_int(e, a->self), a->self.trusted);
    if (precision < 0) {
        f = nearbyint(f / pow(10, -(double)precision)) * pow(10, -(double)precision);
        return a->self.kind == ZT_FLOAT ? zt_float(f, a->self.trusted)
                                        : zt_int((int64_t)f, a->self.trusted);
    }
    /* the decimal that is nearest to the exact value, as printf finds it */
    if (precision < 20 && !isinf(f) && !isnan(f)) {
        snprintf(text, sizeof text, "%.*f", (int)precision, f);
        f = strtod(text, NULL);
    }
    return zt_float(f, a->self.trusted);
}

/* ---- the rest of the filters ---------------------------------------------------------------- */

static struct zt_val f_default(struct zt_env *e, const struct zt_args *a)
{
    bool use = a->self.kind == ZT_UNDEF || (zt_is_true(a->v[1]) && !zt_is_true(a->self));

    return !use ? a->self : a->v[0].kind == ZT_UNSET ? zt_text_of(e, "", true) : a->v[0];
}

static ZT_FN(f_attr, zt_get_attr(e, a->self, zt_need_str(e, a->v[0]), false));

static const struct zt_builtin filters[] = {
    {"abs", f_abs, "", 0},
    {"attr", f_attr, "name", 1},
    {"batch", f_batch, "linecount,fill_with", 1},
    {"capitalize", zt_m_capitalize, "", 0},
    {"center", zt_m_center, "width,fillchar", 0},
    {"count", f_length, "", 0},
    {"d", f_default, "default_value,boolean", 0},
    {"default", f_default, "default_value,boolean", 0},
    {"dictsort", f_dictsort, "case_sensitive,by,reverse", 0},
    {"e", f_escape, "", 0},
    {"escape", f_escape, "", 0},
    {"filesizeformat", zt_f_filesizeformat, "binary", 0},
    {"first", f_first, "", 0},
    {"float", f_float, "default", 0},
    {"forceescape", f_forceescape, "", 0},
    {"format", f_format, NULL, 0},
    {"groupby", f_groupby, "attribute,default,case_sensitive", 1},
    {"indent", f_indent, "width,first,blank", 0},
    {"int", f_int, "default,base", 0},
    {"items", f_items, "", 0},
    {"join", zt_f_join, "d,attribute", 0},
    {"last", f_last, "", 0},
    {"length", f_length, "", 0},
    {"list", f_list, "", 0},
    {"lower", zt_m_lower, "", 0},
    {"map", f_map, NULL, 0},
    {"max", f_max, "case_sensitive,attribute", 0},
    {"min", f_min, "case_sensitive,attribute", 0},
    {"reject", f_reject, NULL, 0},
    {"rejectattr", f_rejectattr, NULL, 0},
    {"replace", f_replace, "old,new,count", 2},
    {"reverse", f_reverse, "", 0},
    {"round", f_round, "precision,method", 0},
    {"safe", f_safe, "", 0},
    {"select", f_select, NULL, 0},
    {"selectattr", f_selectattr, NULL, 0},
    {"slice", f_slice, "slices,fill_with", 1},
    {"sort", f_sort, "reverse,case_sensitive,attribute", 0},
    {"string", f_string, "", 0},
    {"striptags", zt_f_striptags, "", 0},
    {"sum", f_sum, "attribute,start", 0},
    {"title", f_title, "", 0},
    {"tojson", f_tojson, "ensure_ascii,indent,separators,sort_keys", 0},
    {"trim", zt_m_strip, "chars", 0},
    {"truncate", zt_f_truncate, "length,killwords,end,leeway", 0},
    {"unique", f_unique, "case_sensitive,attribute", 0},
    {"upper", zt_m_upper, "", 0},
    {"urlencode", zt_f_urlencode, "", 0},
    {"wordcount", zt_f_wordcount, "", 0},
    {"wordwrap", zt_f_wordwrap, "width,break_long_words,wrapstring,break_on_hyphens", 0},
    {"xmlattr", zt_f_xmlattr, "autospace", 0},
    {0},
};

const struct zt_builtin *zt_find_filter(const struct zt_str *name)
{
    return zt_find_builtin(filters, name);
}
