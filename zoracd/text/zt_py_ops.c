/* SPDX-License-Identifier: MIT */
/* What Python's operators do with values: truth, equality, order, membership, arithmetic, indexes
 * and slices, and what it calls the types in its complaints. */
#include "zoracd/text/zt_py_internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

const char *zt_py_type_name(struct zt_val v)
{
    static const char *const names[ZT_N_KINDS] = {
        [ZT_UNSET] = "nothing",    [ZT_UNDEF] = "Undefined",
        [ZT_NONE] = "None",        [ZT_BOOL] = "bool",
        [ZT_INT] = "int",          [ZT_BIG] = "integer beyond 64 bits",
        [ZT_FLOAT] = "float",      [ZT_SELF] = "TemplateReference None",
        [ZT_STR] = "str",          [ZT_LIST] = "list",
        [ZT_TUPLE] = "tuple",      [ZT_RANGE] = "range",
        [ZT_VIEW] = "dict view",   [ZT_ITER] = "generator",
        [ZT_DICT] = "dict",        [ZT_NAMESPACE] = "Namespace",
        [ZT_FUNC] = "function",    [ZT_MACRO] = "Macro",
        [ZT_LOOP] = "LoopContext", [ZT_CYCLER] = "Cycler",
        [ZT_JOINER] = "Joiner",
    };
    return v.kind == ZT_STR && v.bytes ? "bytes" : names[v.kind];
}

void zt_py_need_defined(struct zt_env *e, struct zt_val v)
{
    if (v.kind != ZT_UNDEF)
        return;
    const char *name = zt_utf8(e, (struct zt_val){.n = v.n < 80 ? v.n : 80, .u.s = v.u.s});
    const char *of = zt_py_type_name((struct zt_val){.kind = v.of, .bytes = v.bytes});
    if (v.unsafe)
        zt_fail(e, "'%s' of %s is not allowed in a template", name, of);
    if (v.of == ZT_UNSET)
        zt_fail(e, "'%s' is undefined", name);
    zt_fail(e, "%s has no element '%s'", of, name);
}

int64_t zt_py_need_int(struct zt_env *e, struct zt_val v)
{
    zt_py_need_defined(e, v);
    if (v.kind != ZT_INT && v.kind != ZT_BOOL)
        zt_fail(e, "expected an integer, got %s", zt_py_type_name(v));
    return v.kind == ZT_INT ? v.u.i : v.u.b;
}

struct zt_val zt_py_need_str(struct zt_env *e, struct zt_val v)
{
    zt_py_need_defined(e, v);
    if (v.kind != ZT_STR)
        zt_fail(e, "expected a string, got %s", zt_py_type_name(v));
    return v;
}

static bool is_list(struct zt_val v)
{
    return v.kind >= ZT_LIST && v.kind <= ZT_ITER;
}

bool zt_py_is_true(struct zt_val v)
{
    if (v.kind <= ZT_NONE)
        return false;
    if (v.kind == ZT_BOOL || v.kind == ZT_INT)
        return v.kind == ZT_BOOL ? v.u.b : v.u.i != 0;
    if (v.kind == ZT_FLOAT)
        return v.u.f != 0;
    if (v.kind == ZT_STR)
        return v.n > 0;
    if (is_list(v) && v.kind != ZT_ITER)
        return v.u.l->n > 0;
    return v.kind != ZT_DICT || v.u.d->n > 0;
}

/* ---- equality and order --------------------------------------------------------------------- */

static bool is_number(struct zt_val v)
{
    return v.kind >= ZT_BOOL && v.kind <= ZT_FLOAT;
}

/* Exact for all of 64 bits. */
static long double as_float(struct zt_env *e, struct zt_val v)
{
    if (v.kind == ZT_BIG)
        return strtold(zt_utf8(e, v), NULL);
    return v.kind == ZT_FLOAT ? v.u.f : v.kind == ZT_INT ? v.u.i : v.u.b;
}

/* A float of at least 64 bits, which has no fraction, as the integer that it is; others as they
 * are. */
static struct zt_val whole(struct zt_env *e, struct zt_val v)
{
    bool is = v.kind == ZT_FLOAT && isfinite(v.u.f) && fabs(v.u.f) >= 0x1p63;

    return is ? zt_py_truncated(e, v.u.f, v.trusted) : v;
}

/* -1, 0, 1; 2 if one of them is not a number. */
static int compare_numbers(struct zt_env *e, struct zt_val a, struct zt_val b)
{
    if (a.kind == ZT_BIG || b.kind == ZT_BIG) {
        a = whole(e, a);
        b = whole(e, b);
        if (a.kind != ZT_FLOAT && b.kind != ZT_FLOAT)
            return zt_py_big_compare(e, a, b);
    }
    long double x = as_float(e, a), y = as_float(e, b);
    return isnan(x) || isnan(y) ? 2 : (x > y) - (x < y);
}

static bool is_equal_items(struct zt_env *e, struct zt_val a, struct zt_val b)
{
    if (a.u.l->n != b.u.l->n)
        return false;
    zt_step(e, a.u.l->n / 4);
    for (size_t i = 0; i < a.u.l->n; i++)
        if (!zt_py_is_equal(e, a.u.l->v[i], b.u.l->v[i]))
            return false;
    return true;
}

static bool is_equal_dict(struct zt_env *e, const struct zt_dict *a, const struct zt_dict *b)
{
    if (a->n != b->n)
        return false;
    zt_step(e, a->n);
    for (size_t i = 0; i < a->n; i++) {
        const struct zt_val *v = zt_dict_get(e, b, a->e[i].k);
        if (!v || !zt_py_is_equal(e, a->e[i].v, *v))
            return false;
    }
    return true;
}

bool zt_py_is_equal(struct zt_env *e, struct zt_val a, struct zt_val b)
{
    bool is;

    if (is_number(a) && is_number(b))
        return compare_numbers(e, a, b) == 0;
    if (a.kind != b.kind)
        return false;
    if (a.kind == ZT_STR) {
        zt_step(e, a.n == b.n ? a.n / 16 : 0);
        return a.bytes == b.bytes && zt_is_same(a, b);
    }
    if (a.kind <= ZT_NONE)
        return true;
    zt_enter(e);
    zt_step(e, 1);
    is = a.u.l == b.u.l; /* the same object */
    if (!is && (a.kind == ZT_LIST || a.kind == ZT_TUPLE || a.kind == ZT_RANGE))
        is = is_equal_items(e, a, b);
    else if (!is && a.kind == ZT_DICT)
        is = is_equal_dict(e, a.u.d, b.u.d);
    zt_leave(e);
    return is;
}

static bool is_less(struct zt_env *e, struct zt_val a, struct zt_val b)
{
    bool is;

    zt_step(e, 1);
    if (is_number(a) && is_number(b))
        return compare_numbers(e, a, b) == -1;
    if (a.kind == ZT_STR && b.kind == ZT_STR) {
        zt_step(e, (a.n < b.n ? a.n : b.n) / 16);
        return zt_compare(a, b) < 0;
    }
    if (a.kind == b.kind && (a.kind == ZT_LIST || a.kind == ZT_TUPLE)) {
        const struct zt_list *x = a.u.l, *y = b.u.l;
        size_t i = 0;
        while (i < x->n && i < y->n && zt_py_is_equal(e, x->v[i], y->v[i]))
            i++;
        zt_enter(e);
        is = i < x->n && i < y->n ? is_less(e, x->v[i], y->v[i]) : x->n < y->n;
        zt_leave(e);
        return is;
    }
    zt_py_need_defined(e, a);
    zt_py_need_defined(e, b);
    zt_fail(e, "%s and %s have no order", zt_py_type_name(a), zt_py_type_name(b));
}

static bool is_in(struct zt_env *e, struct zt_val item, struct zt_val in)
{
    if (in.kind == ZT_STR)
        return zt_py_find(e, in, zt_py_need_str(e, item), false) != SIZE_MAX;
    if (in.kind == ZT_DICT)
        return zt_dict_get(e, in.u.d, item) != NULL;
    if (in.kind == ZT_VIEW && in.u.l->view == 'k')
        zt_dict_get(e, zt_dict_new(e), item); /* which must be a key */
    struct zt_list *l = zt_py_items(e, in);
    for (size_t i = 0; i < l->n; i++) {
        zt_step(e, 1);
        if (zt_py_is_equal(e, l->v[i], item))
            return true;
    }
    return false;
}

bool zt_py_holds(struct zt_env *e, int op, struct zt_val a, struct zt_val b)
{
    switch (op) {
    case ZT_IN:
    case ZT_NOT_IN:
        return is_in(e, a, b) == (op == ZT_IN);
    case ZT_EQ:
    case ZT_NE:
        return zt_py_is_equal(e, a, b) == (op == ZT_EQ);
    case '<':
        return is_less(e, a, b);
    case '>':
        return is_less(e, b, a);
    case ZT_LE: /* with not-a-number neither holds, so that negating > would be wrong */
        return is_less(e, a, b) || zt_py_is_equal(e, a, b);
    default:
        return is_less(e, b, a) || zt_py_is_equal(e, a, b);
    }
}

/* ---- iteration ------------------------------------------------------------------------------ */

struct zt_list *zt_py_items(struct zt_env *e, struct zt_val v)
{
    if (is_list(v) && v.kind != ZT_ITER) {
        zt_step(e, 1 + v.u.l->n / 8); /* they will be looked at */
        return v.u.l;
    }
    if (v.kind > ZT_DICT || (v.kind < ZT_STR && v.kind != ZT_UNDEF))
        zt_fail(e, "%s is not iterable", zt_py_type_name(v));
    struct zt_list *l = zt_list_new(e, v.kind == ZT_STR ? v.n : v.kind == ZT_DICT ? v.u.d->n : 0);
    if (v.kind == ZT_ITER) {
        l->v = v.u.l->v + v.u.l->pos;
        l->n = v.u.l->n - v.u.l->pos;
        v.u.l->pos = v.u.l->n;
    }
    for (size_t i = 0; v.kind == ZT_STR && i < v.n; i++)
        zt_push(e, l, zt_markup(zt_sub(v, i, i + 1), false));
    for (size_t i = 0; v.kind == ZT_DICT && i < v.u.d->n; i++)
        zt_push(e, l, v.u.d->e[i].k);
    return l;
}

struct zt_val zt_py_list(struct zt_env *e, struct zt_val v)
{
    struct zt_list *l = zt_list_new(e, 0);

    *l = *zt_py_items(e, v); /* whose items nothing can change */
    l->pos = 0;
    return zt_of_list(ZT_LIST, l);
}

size_t zt_py_len(struct zt_env *e, struct zt_val v)
{
    if (v.kind == ZT_STR || v.kind == ZT_UNDEF)
        return v.kind == ZT_STR ? v.n : 0;
    if (v.kind == ZT_DICT)
        return v.u.d->n;
    if (v.kind == ZT_LOOP)
        return v.u.loop->items->n;
    if (!is_list(v) || v.kind == ZT_ITER)
        zt_fail(e, "%s has no length", zt_py_type_name(v));
    return v.u.l->n;
}

/* ---- arithmetic ----------------------------------------------------------------------------- */

/* Python's // and %: towards minus infinity. b is neither 0 nor -1. */
static int64_t floor_div(int64_t a, int64_t b, int64_t *ret_mod)
{
    int64_t q = a / b, m = a % b;
    bool adjust = m != 0 && (m < 0) != (b < 0);

    *ret_mod = adjust ? m + b : m;
    return adjust ? q - 1 : q;
}

/* False if it does not fit. */
static bool int_pow(int64_t base, int64_t exp, int64_t *ret)
{
    *ret = 1;
    if (base >= -1 && base <= 1) /* would take long and never overflow */
        exp = exp > 1 ? 2 - exp % 2 : exp;
    for (; exp > 0; exp--)
        if (__builtin_mul_overflow(*ret, base, ret))
            return false;
    return true;
}

static struct zt_val float_binary(struct zt_env *e, int op, double a, double b, bool trusted)
{
    double mod = fmod(a, b), div = (a - mod) / b;

    if (mod != 0 && (mod < 0) != (b < 0)) {
        mod += b;
        div -= 1;
    }
    switch (op) {
    case '+':
        return zt_float(a + b, trusted);
    case '-':
        return zt_float(a - b, trusted);
    case '*':
        return zt_float(a * b, trusted);
    case '/':
        return zt_float(a / b, trusted);
    case '%':
        return zt_float(mod != 0 ? mod : copysign(0, b), trusted);
    case ZT_FLOORDIV: /* div is nearly whole */
        return zt_float(div != 0 ? rint(div) : copysign(0, a / b), trusted);
    default:
        if (a < 0 && b != floor(b) && !isinf(b))
            zt_fail(e, "a power that is no real number");
        if (isinf(pow(a, b)) && isfinite(a) && isfinite(b))
            zt_fail(e, "a power that is too large for a float");
        return zt_float(pow(a, b), trusted);
    }
}

static struct zt_val int_binary(struct zt_env *e, int op, int64_t a, int64_t b, bool trusted)
{
    int64_t x = 0;
    bool overflow = false;

    if (op == ZT_POW && b < 0)
        return float_binary(e, op, (double)a, (double)b, trusted);
    if (op == '/')
        return zt_float((double)((long double)a / b), trusted);
    if (op == ZT_POW)
        overflow = !int_pow(a, b, &x);
    else if (op == '+')
        overflow = __builtin_add_overflow(a, b, &x);
    else if (op == '-')
        overflow = __builtin_sub_overflow(a, b, &x);
    else if (op == '*')
        overflow = __builtin_mul_overflow(a, b, &x);
    else if (b == -1) /* the only quotient that can overflow */
        overflow = op == ZT_FLOORDIV && __builtin_sub_overflow(0, a, &x);
    else if (op == '%')
        floor_div(a, b, &x);
    else
        x = floor_div(a, b, &(int64_t){0});
    if (overflow)
        return zt_py_big_binary(e, op, zt_int(a, trusted), zt_int(b, trusted));
    return zt_int(x, trusted);
}

static struct zt_val big_quotient(struct zt_env *e, long double quotient, bool trusted)
{
    if (isinf((double)quotient))
        zt_fail(e, "a quotient that is too large for a float");
    return zt_float((double)quotient, trusted);
}

static bool is_sequence(struct zt_val v)
{
    return v.kind == ZT_STR || v.kind == ZT_LIST || v.kind == ZT_TUPLE;
}

static struct zt_val repeat(struct zt_env *e, struct zt_val v, int64_t n)
{
    struct zt_list *l = zt_list_new(e, 0);
    struct zt_sb b = {.e = e};

    if (v.kind == ZT_STR) {
        zt_py_add_times(&b, v, n);
        return zt_markup(zt_take(&b), v.markup);
    }
    for (; n > 0 && v.u.l->n; n--)
        zt_push_all(e, l, v.u.l);
    return zt_of_list(v.kind, l);
}

static struct zt_val add_sequences(struct zt_env *e, struct zt_val a, struct zt_val b)
{
    bool markup = a.markup || b.markup;

    if (a.kind == ZT_STR && markup)
        return zt_markup(zt_concat(e, zt_py_escape(e, a), zt_py_escape(e, b)), true);
    if (a.kind == ZT_STR)
        return zt_concat(e, a, b);
    struct zt_list *l = zt_list_new(e, a.u.l->n + b.u.l->n);
    zt_push_all(e, l, a.u.l);
    zt_push_all(e, l, b.u.l);
    return zt_of_list(a.kind, l);
}

struct zt_val zt_py_binary(struct zt_env *e, int op, struct zt_val a, struct zt_val b)
{
    bool trusted = a.trusted && b.trusted;

    if (op == '~') {
        a = zt_py_str(e, a);
        b = zt_py_str(e, b);
        return e->autoescape ? add_sequences(e, a, b) : zt_concat(e, a, b);
    }
    if (is_number(a) && is_number(b)) {
        bool divides = op == '/' || op == '%' || op == ZT_FLOORDIV;
        if ((divides && !zt_py_is_true(b)) ||
            (op == ZT_POW && !zt_py_is_true(a) && as_float(e, b) < 0))
            zt_fail(e, "division by zero");
        bool big = a.kind == ZT_BIG || b.kind == ZT_BIG;
        if (a.kind == ZT_FLOAT || b.kind == ZT_FLOAT || (big && op == ZT_POW && as_float(e, b) < 0))
            return float_binary(e, op, zt_py_to_float(e, a), zt_py_to_float(e, b), trusted);
        if (big && op == '/')
            return big_quotient(e, as_float(e, a) / as_float(e, b), trusted);
        if (big)
            return zt_py_big_binary(e, op, a, b);
        return int_binary(e, op, zt_py_need_int(e, a), zt_py_need_int(e, b), trusted);
    }
    if (op == '+' && a.kind == b.kind && is_sequence(a))
        return add_sequences(e, a, b);
    if (op == '%' && a.kind == ZT_STR)
        return zt_py_percent(e, a, b);
    if (op == '*' && is_sequence(a) && (b.kind == ZT_INT || b.kind == ZT_BOOL))
        return repeat(e, a, zt_py_need_int(e, b));
    if (op == '*' && is_sequence(b) && (a.kind == ZT_INT || a.kind == ZT_BOOL))
        return repeat(e, b, zt_py_need_int(e, a));
    zt_py_need_defined(e, a);
    zt_py_need_defined(e, b);
    const char *name = op == ZT_POW ? "**" : op == ZT_FLOORDIV ? "//" : (char[]){(char)op, 0};
    zt_fail(e, "'%s' cannot be computed of %s and %s", name, zt_py_type_name(a),
            zt_py_type_name(b));
}

struct zt_val zt_py_sign(struct zt_env *e, struct zt_val v, int sign)
{
    if (v.kind == ZT_FLOAT)
        return zt_float(sign == '-' ? -v.u.f : v.u.f, v.trusted);
    if (v.kind != ZT_BIG)
        return int_binary(e, sign, 0, zt_py_need_int(e, v), v.trusted);
    const char *digits = zt_utf8(e, v);
    bool negative = *digits == '-';
    struct zt_sb b = {.e = e};
    zt_add_ascii(&b, negative == (sign == '-') ? "" : "-", v.trusted);
    zt_add_ascii(&b, digits + negative, v.trusted);
    const char *text = zt_utf8(e, zt_take(&b));
    return zt_py_big_or_int(e, text, strlen(text), v.trusted);
}

/* ---- indexes and slices --------------------------------------------------------------------- */

static bool is_indexed(struct zt_val v)
{
    return is_sequence(v) || v.kind == ZT_RANGE;
}

struct zt_val zt_py_item(struct zt_env *e, struct zt_val v, struct zt_val k)
{
    zt_py_need_defined(e, v);
    if (v.kind == ZT_DICT || v.kind == ZT_NAMESPACE) {
        bool hashable = k.kind != ZT_LIST && k.kind != ZT_DICT;
        const struct zt_val *at = hashable ? zt_dict_get(e, v.u.d, k) : NULL;
        if (at)
            return *at;
    } else if (is_indexed(v) && (k.kind == ZT_INT || k.kind == ZT_BOOL)) {
        int64_t n = (int64_t)zt_py_len(e, v), i = zt_py_need_int(e, k);
        i += i < 0 ? n : 0;
        if (i >= 0 && i < n)
            return v.kind == ZT_STR ? zt_sub(v, (size_t)i, (size_t)i + 1) : v.u.l->v[i];
    }
    return zt_undef(v.kind, zt_py_str(e, k));
}

struct zt_val zt_py_range(struct zt_env *e, int64_t from, int64_t to, int64_t step, bool trusted)
{
    enum { MAX_RANGE = 100000 };
    uint64_t by = step > 0 ? (uint64_t)step : 0 - (uint64_t)step, n;

    if (step == 0)
        zt_fail(e, "a range with step 0");
    n = step > 0 ? (from < to ? (uint64_t)to - (uint64_t)from : 0)
                 : (from > to ? (uint64_t)from - (uint64_t)to : 0);
    n = n ? (n - 1) / by + 1 : 0;
    if (n > MAX_RANGE)
        zt_fail(e, "a range of more than %d numbers", MAX_RANGE);
    struct zt_list *l = zt_list_new(e, n);
    int64_t *bounds = zt_alloc(e, 3, sizeof *bounds);
    bounds[0] = from;
    bounds[1] = to;
    bounds[2] = step;
    l->bounds = bounds;
    for (; l->n < n; from = (int64_t)((uint64_t)from + (uint64_t)step))
        l->v[l->n++] = zt_int(from, trusted);
    return zt_of_list(ZT_RANGE, l);
}

/* The part of a range, which is a range, from item i to before end. */
static struct zt_val slice_of_range(struct zt_env *e, struct zt_val v, int64_t i, int64_t end,
                                    int64_t step)
{
    const int64_t *b = v.u.l->bounds;
    int64_t from, to;

    if (__builtin_mul_overflow(i, b[2], &from) || __builtin_add_overflow(from, b[0], &from) ||
        __builtin_mul_overflow(end, b[2], &to) || __builtin_add_overflow(to, b[0], &to) ||
        __builtin_mul_overflow(step, b[2], &step))
        zt_fail(e, "a slice of a range that does not fit 64 bits");
    return zt_py_range(e, from, to, step, v.u.l->n == 0 || v.u.l->v[0].trusted);
}

static bool is_bound(struct zt_val v)
{
    return v.kind == ZT_UNSET || v.kind == ZT_NONE || v.kind == ZT_INT || v.kind == ZT_BOOL;
}

/* Python's slice.indices: from and to within 0 .. n (or -1 .. n - 1 when step is negative). */
static int64_t slice_bound(struct zt_env *e, struct zt_val v, int64_t n, int64_t step, bool is_end)
{
    int64_t low = step < 0 ? -1 : 0, high = step < 0 ? n - 1 : n;

    if (v.kind == ZT_NONE || v.kind == ZT_UNSET)
        return is_end == (step > 0) ? high : low;
    int64_t i = zt_py_need_int(e, v);
    if (i < 0)
        i = i < -n ? low : i + n;
    return i < low ? low : i > high ? high : i;
}

struct zt_val zt_py_slice(struct zt_env *e, struct zt_val v, struct zt_val from, struct zt_val to,
                          struct zt_val step_val)
{
    zt_py_need_defined(e, v);
    if (!is_indexed(v) || !is_bound(from) || !is_bound(to) || !is_bound(step_val))
        zt_fail(e, "%s has no such slice", zt_py_type_name(v));
    bool has_step = step_val.kind != ZT_NONE && step_val.kind != ZT_UNSET;
    int64_t step = has_step ? zt_py_need_int(e, step_val) : 1, n = (int64_t)zt_py_len(e, v);
    if (step == 0)
        zt_fail(e, "a slice with step 0");
    int64_t i = slice_bound(e, from, n, step, false), end = slice_bound(e, to, n, step, true);
    if (v.kind == ZT_STR && step == 1)
        return zt_sub(v, (size_t)i, (size_t)(end > i ? end : i));

    if (v.kind == ZT_RANGE)
        return slice_of_range(e, v, i, end, step);
    struct zt_list *l = zt_list_new(e, 0);
    struct zt_sb b = {.e = e};
    for (bool more = true; more && (step > 0 ? i < end : i > end);) {
        if (v.kind == ZT_STR)
            zt_add_char(&b, v.u.s[i]);
        else
            zt_push(e, l, v.u.l->v[i]);
        more = !__builtin_add_overflow(i, step, &i);
    }
    if (v.kind == ZT_STR)
        return zt_markup(zt_take(&b), v.markup);
    return zt_of_list(v.kind, l);
}

struct zt_val zt_py_reversed(struct zt_env *e, struct zt_val v)
{
    return zt_py_slice(e, v, ZT_NO_VALUE, ZT_NO_VALUE, zt_int(-1, true));
}
