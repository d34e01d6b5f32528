/* SPDX-License-Identifier: MIT */
/* jinja2's tests and global functions, and Hugging Face's raise_exception and strftime_now. */
#include "config.h"

#include "zoracd/text/zt_tmpl_internal.h"

#include <string.h>
#include <time.h>

/* ---- tests ---------------------------------------------------------------------------------- */

#define TEST(name, is) static ZT_FN(t_##name, zt_bool(is))

static bool is_one_of(struct zt_val v, unsigned kinds)
{
    return kinds >> v.kind & 1;
}

enum {
    NUMBERS = 1 << ZT_BOOL | 1 << ZT_INT | 1 << ZT_BIG | 1 << ZT_FLOAT,
    SEQUENCES =
        1 << ZT_UNDEF | 1 << ZT_STR | 1 << ZT_LIST | 1 << ZT_TUPLE | 1 << ZT_RANGE | 1 << ZT_DICT,
    ITERABLES = SEQUENCES | 1 << ZT_VIEW | 1 << ZT_ITER | 1 << ZT_LOOP,
    CALLABLES = 1 << ZT_UNDEF | 1 << ZT_FUNC | 1 << ZT_MACRO | 1 << ZT_LOOP | 1 << ZT_JOINER
};

TEST(defined, a->self.kind != ZT_UNDEF);
TEST(undefined, a->self.kind == ZT_UNDEF);
TEST(none, a->self.kind == ZT_NONE);
TEST(string, a->self.kind == ZT_STR && !a->self.u.s->bytes);
TEST(mapping, a->self.kind == ZT_DICT);
TEST(iterable, is_one_of(a->self, ITERABLES));
TEST(sequence, is_one_of(a->self, SEQUENCES));
TEST(callable, is_one_of(a->self, CALLABLES));
TEST(number, is_one_of(a->self, NUMBERS));
TEST(integer, a->self.kind == ZT_INT || a->self.kind == ZT_BIG);
TEST(float, a->self.kind == ZT_FLOAT);
TEST(boolean, a->self.kind == ZT_BOOL);
TEST(true, a->self.kind == ZT_BOOL && a->self.u.b);
TEST(false, a->self.kind == ZT_BOOL && !a->self.u.b);
TEST(escaped, a->self.kind == ZT_STR && a->self.u.s->markup);
TEST(lower, zt_str_is_case(zt_to_str(e, a->self), false));
TEST(upper, zt_str_is_case(zt_to_str(e, a->self), true));
TEST(eq, zt_is_equal(e, a->self, a->v[0]));
TEST(ne, !zt_is_equal(e, a->self, a->v[0]));
TEST(lt, zt_is_less(e, a->self, a->v[0]));
TEST(gt, zt_is_less(e, a->v[0], a->self));
TEST(le, zt_is_less(e, a->self, a->v[0]) || zt_is_equal(e, a->self, a->v[0]));
TEST(ge, zt_is_less(e, a->v[0], a->self) || zt_is_equal(e, a->self, a->v[0]));
TEST(in, zt_is_in(e, a->self, a->v[0]));
TEST(divisibleby, !zt_is_true(zt_binary(e, '%', a->self, a->v[0])));
TEST(even, !zt_is_true(zt_binary(e, '%', a->self, zt_int(2, true))));
TEST(odd, zt_is_equal(e, zt_binary(e, '%', a->self, zt_int(2, true)), zt_int(1, true)));
TEST(filter, zt_find_filter(zt_need_str(e, a->self)) != NULL);
TEST(test, zt_find_test(zt_need_str(e, a->self)) != NULL);

static struct zt_val t_sameas(struct zt_env *e, const struct zt_args *a)
{
    bool scalar = a->self.kind < ZT_LIST;

    return zt_bool(a->self.kind == a->v[0].kind &&
                   (scalar ? zt_is_equal(e, a->self, a->v[0]) : a->self.u.l == a->v[0].u.l));
}

static const struct zt_builtin tests[] = {
    {"defined", t_defined, "", 0},   {"undefined", t_undefined, "", 0},
    {"none", t_none, "", 0},         {"string", t_string, "", 0},
    {"mapping", t_mapping, "", 0},   {"iterable", t_iterable, "", 0},
    {"sequence", t_sequence, "", 0}, {"number", t_number, "", 0},
    {"integer", t_integer, "", 0},   {"float", t_float, "", 0},
    {"boolean", t_boolean, "", 0},   {"true", t_true, "", 0},
    {"false", t_false, "", 0},       {"callable", t_callable, "", 0},
    {"escaped", t_escaped, "", 0},   {"lower", t_lower, "", 0},
    {"upper", t_upper, "", 0},       {"even", t_even, "", 0},
    {"odd", t_odd, "", 0},           {"divisibleby", t_divisibleby, "num", 1},
    {"in", t_in, "seq", 1},          {"sameas", t_sameas, "other", 1},
    {"filter", t_filter, "", 0},     {"test", t_test, "", 0},
    {"eq", t_eq, "other", 1},        {"equalto", t_eq, "other", 1},
    {"==", t_eq, "other", 1},        {"ne", t_ne, "other", 1},
    {"!=", t_ne, "other", 1},        {"lt", t_lt, "other", 1},
    {"lessthan", t_lt, "other", 1},  {"<", t_lt, "other", 1},
    {"le", t_le, "other", 1},        {"<=", t_le, "other", 1},
    {"gt", t_gt, "other", 1},        {"greaterthan", t_gt, "other", 1},
    {">", t_gt, "other", 1},         {"ge", t_ge, "other", 1},
    {">=", t_ge, "other", 1},        {0},
};

/* ---- global functions ----------------------------------------------------------------------- */

static struct zt_val g_range(struct zt_env *e, const struct zt_args *a)
{
    enum { MAX_RANGE = 100000 }; /* the sandbox's */
    bool one = a->v[1].kind == ZT_UNSET;
    int64_t from = one ? 0 : zt_need_int(e, a->v[0]);
    int64_t to = zt_need_int(e, a->v[!one]), step = zt_arg_int(e, a, 2, 1);
    struct zt_list *l = zt_list_new(e, 0);
    struct zt_sb b;

    if (step == 0)
        zt_fail(e, "a range with step 0");
    zt_sb_init(&b, e);
    zt_sb_addf(&b, false, "range(%lld, %lld", (long long)from, (long long)to);
    if (step != 1)
        zt_sb_addf(&b, false, ", %lld", (long long)step);
    zt_sb_add(&b, ")", 2, false);
    l->text = b.p;
    for (int64_t i = from; step > 0 ? i < to : i > to;) {
        if (l->n == MAX_RANGE)
            zt_fail(e, "a range of more than %d numbers", MAX_RANGE);
        zt_list_add(e, l, zt_int(i, a->v[0].trusted));
        if (__builtin_add_overflow(i, step, &i))
            break;
    }
    return zt_of_list(ZT_RANGE, l);
}

/* dict(mapping or pairs, key=value, ...), also the members of a namespace. */
static struct zt_dict *make_dict(struct zt_env *e, const struct zt_args *a)
{
    struct zt_dict *d = zt_dict_new(e);

    if (a->n > 1)
        zt_fail(e, "dict takes one argument and keywords");
    if (a->n && a->v[0].kind == ZT_DICT) {
        for (size_t i = 0; i < a->v[0].u.d->n; i++)
            zt_dict_set(e, d, a->v[0].u.d->e[i].k, a->v[0].u.d->e[i].v);
    } else if (a->n) {
        struct zt_list *l = zt_items(e, a->v[0]);
        for (size_t i = 0; i < l->n; i++) {
            struct zt_list *pair = zt_items(e, l->v[i]);
            if (pair->n != 2)
                zt_fail(e, "dict needs pairs");
            zt_dict_set(e, d, pair->v[0], pair->v[1]);
        }
    }
    for (size_t i = 0; a->kw && i < a->kw->n; i++)
        zt_dict_set(e, d, a->kw->e[i].k, a->kw->e[i].v);
    return d;
}

static ZT_FN(g_dict, zt_of_dict(ZT_DICT, make_dict(e, a)));
static ZT_FN(g_namespace, zt_of_dict(ZT_NAMESPACE, make_dict(e, a)));
static struct zt_val g_cycler(struct zt_env *e, const struct zt_args *a)
{
    if (a->n == 0)
        zt_fail(e, "a cycler needs values");
    return zt_of_list(ZT_CYCLER, zt_args_tuple(e, a).u.l);
}

static struct zt_val g_joiner(struct zt_env *e, const struct zt_args *a)
{
    struct zt_list *l = zt_list_new(e, 1);

    zt_list_add(e, l, zt_of_str(zt_arg_str(e, a, 0, ", ")));
    return zt_of_list(ZT_JOINER, l);
}

static struct zt_val g_raise_exception(struct zt_env *e, const struct zt_args *a)
{
    const struct zt_str *s = zt_to_str(e, a->v[0]);

    zt_fail(e, "%.*s", ZT_S(s));
}

/* The format without what only Python has: microseconds (there are none) and the zone of a time
 * that has none. */
static const char *strftime_format(struct zt_env *e, const struct zt_str *format)
{
    const char *p = zt_c_string(e, format);
    struct zt_sb b;

    zt_sb_init(&b, e);
    for (; *p; p++) {
        bool own = p[0] == '%' && p[1] && strchr("fzZ", p[1]);
        size_t n = own || (p[0] == '%' && p[1]) ? 2 : 1;
        zt_sb_add(&b, own ? "000000" : p, own ? (p[1] == 'f' ? 6 : 0) : n, true);
        p += n - 1;
    }
    zt_sb_add(&b, "", 1, true);
    return b.p;
}

static struct zt_val g_strftime_now(struct zt_env *e, const struct zt_args *a)
{
    const struct zt_str *format = zt_need_str(e, a->v[0]);
    time_t now = (time_t)e->now;
    char text[512];
    struct tm tm;

    if (!localtime_r(&now, &tm))
        zt_fail(e, "a time that is out of range");
    size_t n = strftime(text, sizeof text, strftime_format(e, format), &tm);
    char *p = memcpy(zt_alloc(e, n + 1, 1), text, n);
    return zt_of_str(zt_str_new(e, p, n, format->trusted && !format->mask));
}

static struct zt_val g_lipsum(struct zt_env *e, const struct zt_args *a)
{
    zt_fail(e, "lipsum makes random text, which no prompt can want");
}

static const struct zt_builtin globals[] = {
    {"range", g_range, "start,stop,step", 1},
    {"dict", g_dict, NULL, 0},
    {"namespace", g_namespace, NULL, 0},
    {"cycler", g_cycler, NULL, 0},
    {"joiner", g_joiner, "sep", 0},
    {"raise_exception", g_raise_exception, "message", 1},
    {"strftime_now", g_strftime_now, "format", 1},
    {"lipsum", g_lipsum, NULL, 0},
    {0},
};

const struct zt_builtin *zt_find_test(const struct zt_str *name)
{
    return zt_find_builtin(tests, name);
}

const struct zt_builtin *zt_find_global(const struct zt_str *name)
{
    return zt_find_builtin(globals, name);
}
