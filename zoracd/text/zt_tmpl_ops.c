/* SPDX-License-Identifier: MIT */
/* What Python's operators do with values: truth, equality, order, membership, arithmetic, indexes
 * and slices, and what it calls the types in its complaints. Nothing here looks at who wrote a
 * string, but what is made of one keeps it. */
#include "config.h"

#include "zoracd/text/zt_tmpl_internal.h"

#include <math.h>
#include <string.h>

const char *zt_type_name(struct zt_val v)
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
    return names[v.kind];
}

void zt_fail_undef(struct zt_env *e, struct zt_val v)
{
    struct zt_val of = {.kind = v.of};
    int n = v.u.name->len < 100 ? (int)v.u.name->len : 100;

    if (v.unsafe)
        zt_fail(e, "'%.*s' of %s is not allowed in a template", n, v.u.name->p, zt_type_name(of));
    if (v.of == ZT_UNSET)
        zt_fail(e, "'%.*s' is undefined", n, v.u.name->p);
    zt_fail(e, "%s has no element '%.*s'", zt_type_name(of), n, v.u.name->p);
}

int64_t zt_need_int(struct zt_env *e, struct zt_val v)
{
    if (v.kind == ZT_UNDEF)
        zt_fail_undef(e, v);
    if (v.kind != ZT_INT && v.kind != ZT_BOOL)
        zt_fail(e, "expected an integer, got %s", zt_type_name(v));
    return v.kind == ZT_INT ? v.u.i : v.u.b;
}

const struct zt_str *zt_need_str(struct zt_env *e, struct zt_val v)
{
    if (v.kind == ZT_UNDEF)
        zt_fail_undef(e, v);
    if (v.kind != ZT_STR)
        zt_fail(e, "expected a string, got %s", zt_type_name(v));
    return v.u.s;
}

bool zt_is_true(struct zt_val v)
{
    switch (v.kind) {
    case ZT_UNSET:
    case ZT_UNDEF:
    case ZT_NONE:
        return false;
    case ZT_BOOL:
        return v.u.b;
    case ZT_INT:
        return v.u.i != 0;
    case ZT_FLOAT:
        return v.u.f != 0;
    case ZT_STR:
        return v.u.s->len > 0;
    case ZT_LIST:
    case ZT_TUPLE:
    case ZT_RANGE:
    case ZT_VIEW:
        return v.u.l->n > 0;
    case ZT_DICT:
        return v.u.d->n > 0;
    default:
        return true;
    }
}

/* ---- equality and order --------------------------------------------------------------------- */

static bool is_number(struct zt_val v)
{
    return v.kind == ZT_BOOL || v.kind == ZT_INT || v.kind == ZT_FLOAT;
}

static double as_float(struct zt_val v)
{
    return v.kind == ZT_FLOAT ? v.u.f : v.kind == ZT_INT ? (double)v.u.i : v.u.b;
}

/* -1, 0, 1; 2 if one is not a number. Exact for integers against floats. */
static int compare_numbers(struct zt_val a, struct zt_val b)
{
    if (a.kind != ZT_FLOAT && b.kind != ZT_FLOAT) {
        int64_t x = a.kind == ZT_INT ? a.u.i : a.u.b, y = b.kind == ZT_INT ? b.u.i : b.u.b;
        return (x > y) - (x < y);
    }
    long double x = a.kind == ZT_INT ? (long double)a.u.i : as_float(a);
    long double y = b.kind == ZT_INT ? (long double)b.u.i : as_float(b);
    return x < y ? -1 : x > y ? 1 : x == y ? 0 : 2;
}

static bool is_equal_list(struct zt_env *e, const struct zt_list *a, const struct zt_list *b)
{
    if (a->n != b->n)
        return false;
    for (size_t i = 0; i < a->n; i++)
        if (!zt_is_equal(e, a->v[i], b->v[i]))
            return false;
    return true;
}

static bool is_equal_dict(struct zt_env *e, const struct zt_dict *a, const struct zt_dict *b)
{
    if (a->n != b->n)
        return false;
    for (size_t i = 0; i < a->n; i++) {
        const struct zt_val *v = zt_dict_get(e, b, a->e[i].k);
        if (!v || !zt_is_equal(e, a->e[i].v, *v))
            return false;
    }
    return true;
}

bool zt_is_equal(struct zt_env *e, struct zt_val a, struct zt_val b)
{
    bool is = false;

    if (is_number(a) && is_number(b))
        return compare_numbers(a, b) == 0;
    if (a.kind != b.kind)
        return false;
    if (a.kind == ZT_STR || a.kind == ZT_BIG)
        return a.u.s->len == b.u.s->len && a.u.s->bytes == b.u.s->bytes &&
               memcmp(a.u.s->p, b.u.s->p, a.u.s->len) == 0;
    zt_enter(e);
    zt_step(e, 1);
    if (a.kind == ZT_UNDEF || a.kind == ZT_NONE)
        is = true;
    else if (a.kind == ZT_LIST || a.kind == ZT_TUPLE || a.kind == ZT_RANGE)
        is = a.u.l == b.u.l || is_equal_list(e, a.u.l, b.u.l);
    else if (a.kind == ZT_DICT)
        is = a.u.d == b.u.d || is_equal_dict(e, a.u.d, b.u.d);
    else
        is = a.u.l == b.u.l; /* the same object */
    zt_leave(e);
    return is;
}

bool zt_is_less(struct zt_env *e, struct zt_val a, struct zt_val b)
{
    zt_step(e, 1);
    if (is_number(a) && is_number(b))
        return compare_numbers(a, b) == -1;
    if (a.kind == ZT_STR && b.kind == ZT_STR)
        return zt_str_cmp(a.u.s, b.u.s) < 0;
    if (a.kind == b.kind && (a.kind == ZT_LIST || a.kind == ZT_TUPLE)) {
        const struct zt_list *x = a.u.l, *y = b.u.l;
        for (size_t i = 0; i < x->n && i < y->n; i++)
            if (!zt_is_equal(e, x->v[i], y->v[i])) {
                zt_enter(e);
                bool less = zt_is_less(e, x->v[i], y->v[i]);
                zt_leave(e);
                return less;
            }
        return x->n < y->n;
    }
    if (a.kind == ZT_UNDEF)
        zt_fail_undef(e, a);
    if (b.kind == ZT_UNDEF)
        zt_fail_undef(e, b);
    zt_fail(e, "%s and %s have no order", zt_type_name(a), zt_type_name(b));
}

bool zt_is_in(struct zt_env *e, struct zt_val item, struct zt_val in)
{
    if (in.kind == ZT_STR) {
        const struct zt_str *s = zt_need_str(e, item);
        zt_step(e, in.u.s->len / 16);
        return s->len == 0 || memmem(in.u.s->p, in.u.s->len, s->p, s->len) != NULL;
    }
    if (in.kind == ZT_DICT) {
        if (item.kind == ZT_LIST || item.kind == ZT_DICT)
            zt_fail(e, "%s cannot be a key", zt_type_name(item));
        return zt_dict_get(e, in.u.d, item) != NULL;
    }
    struct zt_list *l = zt_items(e, in);
    for (size_t i = 0; i < l->n; i++) {
        zt_step(e, 1);
        if (zt_is_equal(e, l->v[i], item))
            return true;
    }
    return false;
}

/* ---- iteration ------------------------------------------------------------------------------ */

static bool is_list(struct zt_val v)
{
    return v.kind >= ZT_LIST && v.kind <= ZT_ITER;
}

struct zt_list *zt_items(struct zt_env *e, struct zt_val v)
{
    struct zt_list *l;

    if (v.kind == ZT_ITER) {
        l = zt_alloc(e, 1, sizeof *l);
        l->v = v.u.l->v + v.u.l->pos;
        l->n = v.u.l->n - v.u.l->pos;
        v.u.l->pos = v.u.l->n;
        return l;
    }
    if (is_list(v))
        return v.u.l;
    if (v.kind == ZT_DICT) {
        l = zt_list_new(e, v.u.d->n);
        for (size_t i = 0; i < v.u.d->n; i++)
            zt_list_add(e, l, v.u.d->e[i].k);
        return l;
    }
    if (v.kind == ZT_STR) {
        l = zt_list_new(e, v.u.s->chars);
        for (size_t at = 0, n; at < v.u.s->len; at += n) {
            zt_char_at(v.u.s->p + at, v.u.s->len - at, &n);
            zt_list_add(e, l, zt_of_str(zt_str_markup(e, zt_str_sub(e, v.u.s, at, n), false)));
        }
        return l;
    }
    if (v.kind != ZT_UNDEF)
        zt_fail(e, "%s is not iterable", zt_type_name(v));
    return zt_list_new(e, 0);
}

size_t zt_length(struct zt_env *e, struct zt_val v)
{
    if (v.kind == ZT_STR)
        return v.u.s->chars;
    if (v.kind == ZT_DICT)
        return v.u.d->n;
    if (v.kind == ZT_UNDEF)
        return 0;
    if (v.kind == ZT_LOOP)
        return v.u.loop->items->n;
    if (!is_list(v) || v.kind == ZT_ITER)
        zt_fail(e, "%s has no length", zt_type_name(v));
    return v.u.l->n;
}

/* ---- arithmetic ----------------------------------------------------------------------------- */

_Noreturn static void fail_overflow(struct zt_env *e)
{
    zt_fail(e, "an integer that does not fit 64 bits");
}

/* Python's // and %: towards minus infinity. */
static int64_t floor_div(struct zt_env *e, int64_t a, int64_t b, int64_t *ret_mod)
{
    if (b == 0)
        zt_fail(e, "division by zero");
    if (b == -1) {
        int64_t neg;
        if (__builtin_sub_overflow(0, a, &neg))
            fail_overflow(e);
        *ret_mod = 0;
        return neg;
    }
    int64_t q = a / b, m = a % b;
    bool adjust = m != 0 && (m < 0) != (b < 0);
    *ret_mod = adjust ? m + b : m;
    return adjust ? q - 1 : q;
}

static struct zt_val int_pow(struct zt_env *e, int64_t base, int64_t exp, bool trusted)
{
    int64_t x = 1;

    if (exp < 0) {
        if (base == 0)
            zt_fail(e, "division by zero");
        return zt_float(pow((double)base, (double)exp), trusted);
    }
    if (base == 1 || base == 0 || base == -1)
        return zt_int(base == -1 ? (exp & 1 ? -1 : 1) : exp == 0 ? 1 : base, trusted);
    for (int64_t i = 0; i < exp; i++)
        if (__builtin_mul_overflow(x, base, &x))
            fail_overflow(e);
    return zt_int(x, trusted);
}

static struct zt_val int_binary(struct zt_env *e, char op, int64_t a, int64_t b, bool trusted)
{
    int64_t x = 0, mod;
    bool overflow = false;

    switch (op) {
    case '+':
        overflow = __builtin_add_overflow(a, b, &x);
        break;
    case '-':
        overflow = __builtin_sub_overflow(a, b, &x);
        break;
    case '*':
        overflow = __builtin_mul_overflow(a, b, &x);
        break;
    case '/':
        if (b == 0)
            zt_fail(e, "division by zero");
        return zt_float((double)((long double)a / b), trusted);
    case ZT_OP_FLOORDIV:
        x = floor_div(e, a, b, &mod);
        break;
    case '%':
        floor_div(e, a, b, &x);
        break;
    default:
        return int_pow(e, a, b, trusted);
    }
    if (overflow)
        fail_overflow(e);
    return zt_int(x, trusted);
}

static struct zt_val float_binary(struct zt_env *e, char op, double a, double b, bool trusted)
{
    if (b == 0 && (op == '/' || op == '%' || op == ZT_OP_FLOORDIV))
        zt_fail(e, "division by zero");
    double mod = op == '%' || op == ZT_OP_FLOORDIV ? fmod(a, b) : 0;
    double div = (a - mod) / b;
    if (mod != 0 && (mod < 0) != (b < 0)) {
        mod += b;
        div -= 1;
    } else if (mod == 0) {
        mod = copysign(0, b);
    }
    double whole = floor(div);
    if (div != 0 && div - whole > 0.5)
        whole += 1;

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
        return zt_float(mod, trusted);
    case ZT_OP_FLOORDIV:
        return zt_float(div != 0 ? whole : copysign(0, a / b), trusted);
    default:
        if (a == 0 && b < 0)
            zt_fail(e, "division by zero");
        if (a < 0 && b != floor(b))
            zt_fail(e, "a power that is no real number");
        return zt_float(pow(a, b), trusted);
    }
}

static struct zt_val repeat(struct zt_env *e, struct zt_val v, int64_t n)
{
    n = n < 0 ? 0 : n;
    if (v.kind == ZT_STR) {
        struct zt_sb b;
        zt_sb_init(&b, e);
        for (int64_t i = 0; i < n && v.u.s->len; i++) {
            zt_step(e, 1);
            zt_sb_add_str(&b, v.u.s);
        }
        return zt_of_str(zt_str_markup(e, zt_sb_take(&b), v.u.s->markup));
    }
    struct zt_list *l = zt_list_new(e, 0);
    for (int64_t i = 0; i < n && v.u.l->n; i++) {
        zt_step(e, v.u.l->n);
        for (size_t k = 0; k < v.u.l->n; k++)
            zt_list_add(e, l, v.u.l->v[k]);
    }
    return zt_of_list(v.kind, l);
}

static struct zt_val add_strings(struct zt_env *e, const struct zt_str *a, const struct zt_str *b)
{
    bool markup = a->markup || b->markup;

    if (markup) {
        a = zt_str_escape(e, a);
        b = zt_str_escape(e, b);
    }
    return zt_of_str(zt_str_markup(e, zt_str_concat(e, a, b), markup));
}

static struct zt_val add_lists(struct zt_env *e, struct zt_val a, struct zt_val b)
{
    const struct zt_list *x = a.u.l, *y = b.u.l;
    struct zt_list *l = zt_list_new(e, x->n + y->n);

    zt_step(e, (x->n + y->n) / 16);
    if (x->n)
        memcpy(l->v, x->v, x->n * sizeof *l->v);
    if (y->n)
        memcpy(l->v + x->n, y->v, y->n * sizeof *l->v);
    l->n = x->n + y->n;
    return zt_of_list(a.kind, l);
}

static bool is_sequence(struct zt_val v)
{
    return v.kind == ZT_STR || v.kind == ZT_LIST || v.kind == ZT_TUPLE;
}

struct zt_val zt_binary(struct zt_env *e, char op, struct zt_val a, struct zt_val b)
{
    bool trusted = a.trusted && b.trusted;

    if (is_number(a) && is_number(b)) {
        if (a.kind == ZT_FLOAT || b.kind == ZT_FLOAT)
            return float_binary(e, op, as_float(a), as_float(b), trusted);
        return int_binary(e, op, zt_need_int(e, a), zt_need_int(e, b), trusted);
    }
    if (op == '+' && a.kind == ZT_STR && b.kind == ZT_STR)
        return add_strings(e, a.u.s, b.u.s);
    if (op == '+' && a.kind == b.kind && is_sequence(a))
        return add_lists(e, a, b);
    if (op == '%' && a.kind == ZT_STR)
        return zt_format_percent(e, a.u.s, b);
    if (op == '*' && is_sequence(a) && (b.kind == ZT_INT || b.kind == ZT_BOOL))
        return repeat(e, a, zt_need_int(e, b));
    if (op == '*' && is_sequence(b) && (a.kind == ZT_INT || a.kind == ZT_BOOL))
        return repeat(e, b, zt_need_int(e, a));
    if (a.kind == ZT_UNDEF)
        zt_fail_undef(e, a);
    if (b.kind == ZT_UNDEF)
        zt_fail_undef(e, b);
    const char *name = op == ZT_OP_POW ? "**" : op == ZT_OP_FLOORDIV ? "//" : (char[]){op, '\0'};
    zt_fail(e, "'%s' cannot be computed of %s and %s", name, zt_type_name(a), zt_type_name(b));
}

struct zt_val zt_negate(struct zt_env *e, struct zt_val v, char sign)
{
    if (v.kind == ZT_FLOAT)
        return zt_float(sign == '-' ? -v.u.f : v.u.f, v.trusted);
    return int_binary(e, sign, 0, zt_need_int(e, v), v.trusted);
}

/* ---- indexes and slices --------------------------------------------------------------------- */

static bool is_indexed(struct zt_val v)
{
    return v.kind == ZT_STR || v.kind == ZT_LIST || v.kind == ZT_TUPLE || v.kind == ZT_RANGE;
}

/* Code points i .. j of s. */
static const struct zt_str *chars(struct zt_env *e, const struct zt_str *s, size_t i, size_t j)
{
    size_t from = zt_str_offset(s, i);

    return zt_str_sub(e, s, from, zt_str_offset(s, j) - from);
}

struct zt_val zt_get_item(struct zt_env *e, struct zt_val v, struct zt_val k)
{
    if (v.kind == ZT_UNDEF)
        zt_fail_undef(e, v);
    if (v.kind == ZT_DICT || v.kind == ZT_NAMESPACE) {
        const struct zt_val *at = zt_dict_get(e, v.u.d, k);
        if (at)
            return *at;
    } else if (is_indexed(v) && (k.kind == ZT_INT || k.kind == ZT_BOOL)) {
        int64_t n = (int64_t)zt_length(e, v), i = zt_need_int(e, k);
        i += i < 0 ? n : 0;
        if (i >= 0 && i < n && v.kind != ZT_STR)
            return v.u.l->v[i];
        if (i >= 0 && i < n)
            return zt_of_str(chars(e, v.u.s, (size_t)i, (size_t)i + 1));
    }
    return zt_undef(v.kind, zt_to_str(e, k));
}

/* Python's slice.indices: from and to within 0 .. n (or -1 .. n - 1 when step is negative). */
static int64_t slice_bound(struct zt_env *e, struct zt_val v, int64_t n, int64_t step, bool is_end)
{
    int64_t low = step < 0 ? -1 : 0, high = step < 0 ? n - 1 : n;

    if (v.kind == ZT_NONE || v.kind == ZT_UNSET)
        return is_end == (step > 0) ? high : low;
    int64_t i = zt_need_int(e, v);
    if (i < 0)
        i = i < -n ? low : i + n;
    return i < low ? low : i > high ? high : i;
}

static bool is_bound(struct zt_val v)
{
    return v.kind == ZT_UNSET || v.kind == ZT_NONE || v.kind == ZT_INT || v.kind == ZT_BOOL;
}

struct zt_val zt_get_slice(struct zt_env *e, struct zt_val v, struct zt_val from, struct zt_val to,
                           struct zt_val step_val)
{
    if (v.kind == ZT_UNDEF)
        zt_fail_undef(e, v);
    if (!is_indexed(v) || !is_bound(from) || !is_bound(to) || !is_bound(step_val))
        return zt_undef(v.kind, zt_str_of(e, "[:]", true));
    bool has_step = step_val.kind != ZT_NONE && step_val.kind != ZT_UNSET;
    int64_t step = has_step ? zt_need_int(e, step_val) : 1, n = (int64_t)zt_length(e, v);
    if (step == 0)
        zt_fail(e, "a slice with step 0");
    int64_t i = slice_bound(e, from, n, step, false), end = slice_bound(e, to, n, step, true);
    if (v.kind == ZT_STR && step == 1)
        return zt_of_str(chars(e, v.u.s, (size_t)i, (size_t)(end > i ? end : i)));

    struct zt_list *all = zt_items(e, v), *l = zt_list_new(e, 0);
    struct zt_sb b;
    zt_sb_init(&b, e);
    while (step > 0 ? i < end : i > end) {
        if (v.kind == ZT_STR)
            zt_sb_add_str(&b, all->v[i].u.s);
        else
            zt_list_add(e, l, all->v[i]);
        if (__builtin_add_overflow(i, step, &i))
            break;
    }
    if (v.kind == ZT_STR)
        return zt_of_str(zt_str_markup(e, zt_sb_take(&b), v.u.s->markup));
    return zt_of_list(v.kind == ZT_RANGE ? ZT_LIST : v.kind, l);
}
