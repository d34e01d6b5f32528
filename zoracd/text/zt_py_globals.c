/* SPDX-License-Identifier: MIT */
/* jinja2's tests and global functions, and Hugging Face's raise_exception and strftime_now. */
#include "zoracd/text/zt_py_internal.h"

#include <time.h>

/* ---- tests ---------------------------------------------------------------------------------- */

#define KIND(name) (1 << ZT_##name)
enum {
    NUMBERS = KIND(BOOL) | KIND(INT) | KIND(BIG) | KIND(FLOAT),
    SEQUENCES = KIND(UNDEF) | KIND(STR) | KIND(LIST) | KIND(TUPLE) | KIND(RANGE) | KIND(DICT),
    ITERABLES = SEQUENCES | KIND(VIEW) | KIND(ITER) | KIND(LOOP),
    CALLABLES = KIND(UNDEF) | KIND(FUNC) | KIND(MACRO) | KIND(LOOP) | KIND(JOINER)
};

/* x: the kinds that it is true for */
static ZT_FN(t_kind, zt_bool(a->x >> a->self.kind & 1));
static ZT_FN(t_string, zt_bool(a->self.kind == ZT_STR && !a->self.bytes));
static ZT_FN(t_escaped, zt_bool(a->self.kind == ZT_STR && a->self.markup));
static ZT_FN(t_bool, zt_bool(a->self.kind == ZT_BOOL && a->self.u.b == a->x));
static ZT_FN(t_case, zt_bool(zt_py_is_all(e, zt_py_self(e, a), (enum zt_py_class)a->x)));
static ZT_FN(t_order, zt_bool(zt_py_holds(e, a->x, a->self, a->v[0])));
static ZT_FN(t_divisible, zt_bool(!zt_py_is_true(zt_py_binary(e, '%', a->self, a->v[0]))));

/* filter and (x) test: looked up in a dict, so that it must be a key */
static struct zt_val t_known(struct zt_env *e, const struct zt_py_args *a)
{
    zt_dict_get(e, zt_dict_new(e), a->self);
    if (a->self.kind != ZT_STR)
        return zt_bool(false);
    return zt_bool((a->x ? zt_py_find_test(a->self) : zt_py_find_filter(a->self)) != NULL);
}

/* odd is remainder 1, even remainder 0 */
static struct zt_val t_parity(struct zt_env *e, const struct zt_py_args *a)
{
    struct zt_val rest = zt_py_binary(e, '%', a->self, zt_int(2, true));

    return zt_bool(zt_py_is_equal(e, rest, zt_int(a->x, true)));
}

static struct zt_val t_sameas(struct zt_env *e, const struct zt_py_args *a)
{
    struct zt_val b = a->v[0];
    bool scalar = a->self.kind < ZT_LIST;

    return zt_bool(a->self.kind == b.kind && b.kind != ZT_UNDEF &&
                   (scalar ? zt_py_is_equal(e, a->self, b) : a->self.u.l == b.u.l));
}

static const struct zt_py_fn tests[] = {
    {"defined", "", t_kind, ~KIND(UNDEF)},
    {"undefined", "", t_kind, KIND(UNDEF)},
    {"none", "", t_kind, KIND(NONE)},
    {"string", "", t_string, 0},
    {"mapping", "", t_kind, KIND(DICT)},
    {"iterable", "", t_kind, ITERABLES},
    {"sequence", "", t_kind, SEQUENCES},
    {"number", "", t_kind, NUMBERS},
    {"integer", "", t_kind, KIND(INT) | KIND(BIG)},
    {"float", "", t_kind, KIND(FLOAT)},
    {"boolean", "", t_kind, KIND(BOOL)},
    {"true", "", t_bool, true},
    {"false", "", t_bool, false},
    {"callable", "", t_kind, CALLABLES},
    {"escaped", "", t_escaped, 0},
    {"lower", "", t_case, ZT_PY_LOWER},
    {"upper", "", t_case, ZT_PY_UPPER},
    {"even", "", t_parity, 0},
    {"odd", "", t_parity, 1},
    {"divisibleby", "num", t_divisible, 0},
    {"in", "seq", t_order, ZT_IN},
    {"sameas", "other", t_sameas, 0},
    {"filter", "", t_known, false},
    {"test", "", t_known, true},
    {"eq", "other", t_order, ZT_EQ},
    {"equalto", "other", t_order, ZT_EQ},
    {"==", "other", t_order, ZT_EQ},
    {"ne", "other", t_order, ZT_NE},
    {"!=", "other", t_order, ZT_NE},
    {"lt", "other", t_order, '<'},
    {"lessthan", "other", t_order, '<'},
    {"<", "other", t_order, '<'},
    {"le", "other", t_order, ZT_LE},
    {"<=", "other", t_order, ZT_LE},
    {"gt", "other", t_order, '>'},
    {"greaterthan", "other", t_order, '>'},
    {">", "other", t_order, '>'},
    {"ge", "other", t_order, ZT_GE},
    {">=", "other", t_order, ZT_GE},
    {0},
};

/* ---- global functions ----------------------------------------------------------------------- */

/* start, stop, step */
static struct zt_val g_range(struct zt_env *e, const struct zt_py_args *a)
{
    bool one = !ZT_IS_GIVEN(a->v[1]);
    int64_t first = a->v[0].u.i, to = one ? first : zt_py_need_int(e, a->v[1]);

    return zt_py_range(e, one ? 0 : first, to, a->v[2].u.i, a->v[0].trusted);
}

/* dict(mapping or pairs, key=value, ...) and namespace; x: the kind */
static struct zt_val g_dict(struct zt_env *e, const struct zt_py_args *a)
{
    struct zt_dict *d = zt_dict_new(e);
    struct zt_list *l = zt_list_new(e, 0);

    if (a->n > 1)
        zt_fail(e, "dict takes one argument and keywords");
    if (a->n)
        zt_py_need_defined(e, a->v[0]);
    if (a->n)
        l = a->v[0].kind == ZT_DICT ? zt_py_pairs(e, a->v[0].u.d) : zt_py_items(e, a->v[0]);
    for (size_t i = 0; i < l->n; i++) {
        struct zt_list *pair = zt_py_items(e, l->v[i]);
        if (pair->n != 2)
            zt_fail(e, "dict needs pairs");
        zt_dict_set(e, d, pair->v[0], pair->v[1]);
    }
    for (size_t i = 0; a->kw && i < a->kw->n; i++)
        zt_dict_set(e, d, a->kw->e[i].k, a->kw->e[i].v);
    return zt_of_dict((enum zt_kind)a->x, d);
}

static struct zt_val g_cycler(struct zt_env *e, const struct zt_py_args *a)
{
    if (a->n == 0)
        zt_fail(e, "a cycler needs values");
    return zt_of_list(ZT_CYCLER, zt_tuple(e, a->v, (size_t)a->n).u.l);
}

static struct zt_val g_joiner(struct zt_env *e, const struct zt_py_args *a)
{
    struct zt_val sep = ZT_IS_GIVEN(a->v[0]) ? a->v[0] : zt_text(e, ", ", true);

    return zt_of_list(ZT_JOINER, zt_tuple(e, &sep, 1).u.l);
}

static struct zt_val g_raise_exception(struct zt_env *e, const struct zt_py_args *a)
{
    zt_fail(e, "%s", zt_utf8(e, a->v[0]));
}

/* strftime, in as much room as it takes: 0 says that there was too little, or that the text is
 * empty, which one space before it tells apart. */
static struct zt_val format_time(struct zt_env *e, struct zt_val format, const struct tm *tm,
                                 bool trusted)
{
    enum { WIDEST = 1 << 20 };
    struct zt_sb b = {.e = e};

    zt_add_ascii(&b, " ", true);
    zt_add(&b, format);
    const char *f = zt_utf8(e, zt_take(&b));
    for (size_t cap = 256; cap <= WIDEST; cap *= 4) {
        char *text = zt_alloc(e, cap, 1);
        size_t n = strftime(text, cap, f, tm);
        zt_step(e, cap);
        if (n > 0)
            return zt_decode(e, text + 1, n - 1, trusted);
    }
    zt_fail(e, "a time of more than %d characters", WIDEST);
}

/* format: without what only Python has: microseconds (there are none) and the zone of a time that
 * has none. */
static struct zt_val g_strftime_now(struct zt_env *e, const struct zt_py_args *a)
{
    struct zt_val s = a->v[0];
    struct zt_sb b = {.e = e};
    time_t now = (time_t)e->now;
    struct tm tm;
    bool trusted = true;

    for (size_t i = 0; i < s.n; i++) {
        uint32_t next = zt_char(s, i) == '%' && i + 1 < s.n ? zt_char(s, i + 1) : 0;
        bool own = next == 'f' || next == 'z' || next == 'Z';
        trusted &= (s.u.s[i] & ZT_TRUSTED) != 0;
        if (own)
            zt_add_ascii(&b, next == 'f' ? "000000" : "", true);
        else
            zt_add(&b, zt_sub(s, i, i + 1 + (next != 0)));
        i += next != 0;
    }
    if (!localtime_r(&now, &tm))
        zt_fail(e, "a time that is out of range");
    return format_time(e, zt_take(&b), &tm, trusted);
}

static struct zt_val g_lipsum(struct zt_env *e, const struct zt_py_args *a)
{
    (void)a;
    zt_fail(e, "lipsum makes random text, which no prompt can want");
}

static const struct zt_py_fn globals[] = {
    {"range", "/start:i stop! step:i=1", g_range, 0},
    {"dict", NULL, g_dict, ZT_DICT},
    {"namespace", NULL, g_dict, ZT_NAMESPACE},
    {"cycler", NULL, g_cycler, 0},
    {"joiner", "sep!", g_joiner, 0},
    {"raise_exception", "message:t", g_raise_exception, 0},
    {"strftime_now", "format:s", g_strftime_now, 0},
    {"lipsum", NULL, g_lipsum, 0},
    {0},
};

const struct zt_py_fn *zt_py_find_test(struct zt_val name)
{
    return zt_py_find_in(tests, name);
}

const struct zt_py_fn *zt_py_find_global(struct zt_val name)
{
    return zt_py_find_in(globals, name);
}
