/* SPDX-License-Identifier: MIT */
/* Attributes: the methods of Python's dict, list and tuple and of jinja2's loop and cycler, and
 * what values have beside methods. */
#include "zoracd/text/zt_py_internal.h"

struct zt_list *zt_py_pairs(struct zt_env *e, const struct zt_dict *d)
{
    struct zt_list *l = zt_list_new(e, d->n);

    for (size_t i = 0; i < d->n; i++)
        zt_push(e, l, zt_tuple(e, &d->e[i].k, 2));
    return l;
}

/* keys, values and items; x: 'k', 'v' or 'i' */
static struct zt_val m_view(struct zt_env *e, const struct zt_py_args *a)
{
    const struct zt_dict *d = a->self.u.d;
    struct zt_list *l = a->x == 'i' ? zt_py_pairs(e, d) : zt_list_new(e, d->n);

    for (size_t i = l->n; i < d->n; i++)
        zt_push(e, l, a->x == 'k' ? d->e[i].k : d->e[i].v);
    l->view = (char)a->x;
    return zt_of_list(ZT_VIEW, l);
}

/* Nothing can change a value, so that a copy needs only to be another object. */
static struct zt_val m_copy(struct zt_env *e, const struct zt_py_args *a)
{
    struct zt_dict *d = zt_dict_new(e);

    if (a->self.kind == ZT_LIST)
        return zt_py_list(e, a->self);
    *d = *a->self.u.d;
    return zt_of_dict(ZT_DICT, d);
}

static struct zt_val m_fromkeys(struct zt_env *e, const struct zt_py_args *a)
{
    struct zt_list *keys = zt_py_items(e, a->v[0]);
    struct zt_dict *d = zt_dict_new(e);

    for (size_t i = 0; i < keys->n; i++)
        zt_dict_set(e, d, keys->v[i], ZT_IS_GIVEN(a->v[1]) ? a->v[1] : ZT_NONE_VALUE);
    return zt_of_dict(ZT_DICT, d);
}

static struct zt_val m_get(struct zt_env *e, const struct zt_py_args *a)
{
    const struct zt_val *v = zt_dict_get(e, a->self.u.d, a->v[0]);

    return v ? *v : ZT_IS_GIVEN(a->v[1]) ? a->v[1] : ZT_NONE_VALUE;
}

/* value, start, stop */
static struct zt_val m_list_index(struct zt_env *e, const struct zt_py_args *a)
{
    const struct zt_list *l = a->self.u.l;
    struct zt_val start = a->n > 1 ? a->v[1] : ZT_NO_VALUE, stop = a->n > 1 ? a->v[2] : ZT_NO_VALUE;
    struct zt_val part = zt_py_slice(e, a->self, start, stop, ZT_NO_VALUE);
    const struct zt_list *in = zt_py_items(e, part);
    int64_t from = ZT_IS_GIVEN(start) ? zt_py_need_int(e, start) : 0, n = (int64_t)l->n;

    from = from >= 0 ? from : from + n < 0 ? 0 : from + n;
    for (size_t i = 0; i < in->n; i++)
        if (zt_py_is_equal(e, in->v[i], a->v[0]))
            return zt_int(from + (int64_t)i, false);
    zt_fail(e, "the value is not in the list");
}

static struct zt_val m_list_count(struct zt_env *e, const struct zt_py_args *a)
{
    const struct zt_list *l = zt_py_items(e, a->self);
    int64_t n = 0;

    for (size_t i = 0; i < l->n; i++)
        n += zt_py_is_equal(e, l->v[i], a->v[0]);
    return zt_int(n, false);
}

static struct zt_val m_loop_cycle(struct zt_env *e, const struct zt_py_args *a)
{
    if (a->n == 0)
        zt_fail(e, "cycle needs values");
    return a->v[a->self.u.loop->i % (size_t)a->n];
}

static struct zt_val m_loop_changed(struct zt_env *e, const struct zt_py_args *a)
{
    struct zt_loop *loop = a->self.u.loop;
    struct zt_val before = loop->changed;

    loop->changed = zt_tuple(e, a->v, (size_t)a->n);
    return zt_bool(!ZT_IS_GIVEN(before) || !zt_py_is_equal(e, before, loop->changed));
}

/* next and (x) reset */
static struct zt_val m_cycler(struct zt_env *e, const struct zt_py_args *a)
{
    struct zt_list *l = a->self.u.l;
    struct zt_val v = a->x ? ZT_NONE_VALUE : l->v[l->pos];

    (void)e;
    l->pos = a->x ? 0 : (l->pos + 1) % l->n;
    return v;
}

/* A method without a function is one that the sandbox refuses. */
static const struct zt_py_fn dict_methods[] = {
    {"get", "/key default?", m_get, 0},
    {"fromkeys", "/iterable value!", m_fromkeys, 0},
    {"items", "", m_view, 'i'},
    {"keys", "", m_view, 'k'},
    {"values", "", m_view, 'v'},
    {"copy", "", m_copy, 0},
    {.name = "pop"},
    {.name = "popitem"},
    {.name = "update"},
    {.name = "clear"},
    {.name = "setdefault"},
    {0},
};

static const struct zt_py_fn list_methods[] = {
    {"index", "/value start! stop!", m_list_index, 0},
    {"count", "/value", m_list_count, 0},
    {"copy", "", m_copy, 0},
    {.name = "append"},
    {.name = "extend"},
    {.name = "insert"},
    {.name = "remove"},
    {.name = "pop"},
    {.name = "clear"},
    {.name = "sort"},
    {.name = "reverse"},
    {0},
};

static const struct zt_py_fn tuple_methods[] = {
    {"index", "/value start! stop!", m_list_index, 0},
    {"count", "/value", m_list_count, 0},
    {0},
};

static const struct zt_py_fn range_methods[] = {
    {"index", "/value", m_list_index, 0},
    {"count", "/value", m_list_count, 0},
    {0},
};

static const struct zt_py_fn loop_methods[] = {
    {"cycle", NULL, m_loop_cycle, 0},
    {"changed", NULL, m_loop_changed, 0},
    {0},
};

static const struct zt_py_fn cycler_methods[] = {
    {"next", "", m_cycler, false},
    {"reset", "", m_cycler, true},
    {0},
};

/* ---- attributes ----------------------------------------------------------------------------- */

static const struct zt_py_fn *find_method(struct zt_val obj, struct zt_val name)
{
    static const struct zt_py_fn *const of[ZT_N_KINDS] = {
        [ZT_BOOL] = zt_py_int_methods, [ZT_INT] = zt_py_int_methods,
        [ZT_BIG] = zt_py_int_methods,  [ZT_FLOAT] = zt_py_float_methods,
        [ZT_STR] = zt_py_str_methods,  [ZT_LIST] = list_methods,
        [ZT_TUPLE] = tuple_methods,    [ZT_RANGE] = range_methods,
        [ZT_DICT] = dict_methods,      [ZT_LOOP] = loop_methods,
        [ZT_CYCLER] = cycler_methods,
    };

    if (obj.kind == ZT_STR && obj.bytes)
        return zt_py_find_in(zt_py_bytes_methods, name);
    return of[obj.kind] ? zt_py_find_in(of[obj.kind], name) : NULL;
}

/* Whether every object has this attribute, of those that the sandbox refuses. */
static bool is_hidden(struct zt_val name)
{
    static const char *const hidden[] = {
        "class",        "delattr",   "dir",      "doc",     "eq",     "format", "ge",
        "getattribute", "getitem",   "getstate", "gt",      "hash",   "init",   "init_subclass",
        "iter",         "le",        "len",      "lt",      "module", "ne",     "new",
        "reduce",       "reduce_ex", "repr",     "setattr", "sizeof", "str",    "subclasshook",
    };
    bool dunder = name.n > 4 && zt_is(zt_sub(name, 0, 2), "__") &&
                  zt_is(zt_sub(name, name.n - 2, name.n), "__");

    for (unsigned i = 0; dunder && i < sizeof hidden / sizeof *hidden; i++)
        if (zt_is(zt_sub(name, 2, name.n - 2), hidden[i]))
            return true;
    return false;
}

static struct zt_val number_attr(struct zt_env *e, struct zt_val v, struct zt_val name)
{
    bool is_float = v.kind == ZT_FLOAT;

    if (zt_is(name, "real") || (zt_is(name, "numerator") && !is_float))
        return zt_py_sign(e, v, '+');
    if (zt_is(name, "imag"))
        return is_float ? zt_float(0, true) : zt_int(0, true);
    return zt_is(name, "denominator") && !is_float ? zt_int(1, true) : ZT_NO_VALUE;
}

static struct zt_val range_attr(const struct zt_list *range, struct zt_val name)
{
    static const char *const names[] = {"start", "stop", "step"};

    for (int i = 0; i < 3; i++)
        if (zt_is(name, names[i]))
            return zt_int(range->bounds[i], false);
    return ZT_NO_VALUE;
}

static struct zt_val macro_attr(struct zt_env *e, const struct zt_node *macro, struct zt_val name)
{
    static const char *const uses[] = {[ZT_ID_CALLER] = "caller",
                                       [ZT_ID_VARARGS] = "catch_varargs",
                                       [ZT_ID_KWARGS] = "catch_kwargs"};
    struct zt_list *params = zt_list_new(e, 0);
    bool has_caller = false;

    for (int i = ZT_ID_CALLER; i <= ZT_ID_KWARGS; i++)
        if (zt_is(name, uses[i]))
            return zt_bool(macro->uses >> i & 1);
    if (zt_is(name, "name"))
        return ZT_IS_GIVEN(macro->val) ? macro->val : ZT_NONE_VALUE;
    for (const struct zt_node *param = macro->a; param; param = param->next) {
        has_caller |= param->id == ZT_ID_CALLER;
        zt_push(e, params, param->val);
    }
    if (zt_is(name, "explicit_caller"))
        return zt_bool(has_caller);
    return zt_is(name, "arguments") ? zt_of_list(ZT_TUPLE, params) : ZT_NO_VALUE;
}

struct zt_val zt_py_attr(struct zt_env *e, struct zt_val obj, struct zt_val name)
{
    const struct zt_py_fn *fn = find_method(obj, name);

    if (fn && fn->call)
        return zt_py_bind(e, obj, fn);
    if (fn || is_hidden(name)) {
        struct zt_val refused = zt_undef(obj.kind, name);
        refused.unsafe = true;
        return refused;
    }
    switch (obj.kind) {
    case ZT_BOOL:
    case ZT_INT:
    case ZT_BIG:
    case ZT_FLOAT:
        return number_attr(e, obj, name);
    case ZT_MACRO:
        return macro_attr(e, obj.u.macro->node, name);
    case ZT_CYCLER:
        if (zt_is(name, "items"))
            return zt_of_list(ZT_TUPLE, obj.u.l);
        if (zt_is(name, "pos"))
            return zt_int((int64_t)obj.u.l->pos, true);
        return zt_is(name, "current") ? obj.u.l->v[obj.u.l->pos] : ZT_NO_VALUE;
    case ZT_JOINER:
        if (zt_is(name, "used"))
            return zt_bool(obj.u.l->pos > 0);
        return zt_is(name, "sep") ? obj.u.l->v[0] : ZT_NO_VALUE;
    case ZT_RANGE:
        return range_attr(obj.u.l, name);
    case ZT_TUPLE:
        if (obj.u.l->group && (zt_is(name, "grouper") || zt_is(name, "list")))
            return obj.u.l->v[zt_is(name, "list")];
        return ZT_NO_VALUE;
    case ZT_FUNC: /* of the global functions only dict has one that can be wanted */
        if (zt_is(name, "fromkeys") && obj.u.fn->fn == zt_py_find_global(zt_text(e, "dict", true)))
            return zt_py_attr(e, zt_of_dict(ZT_DICT, zt_dict_new(e)), name);
        return ZT_NO_VALUE;
    default:
        return ZT_NO_VALUE;
    }
}
