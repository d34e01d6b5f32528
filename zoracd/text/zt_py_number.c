/* SPDX-License-Identifier: MIT */
/* int(), float() and the number filters. */
#include "zoracd/text/zt_py_internal.h"

#include <ctype.h>
#include <errno.h>
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct zt_val f_abs(struct zt_env *e, const struct zt_py_args *a)
{
    if (a->self.kind == ZT_FLOAT)
        return zt_float(fabs(a->self.u.f), a->self.trusted);
    struct zt_val v = zt_py_sign(e, a->self, '+');
    return zt_py_sign(e, v, zt_py_holds(e, '<', v, zt_int(0, true)) ? '-' : '+');
}

/* The text of a number without white space and underscores; NULL if it is no such text. */
static char *number_text(struct zt_env *e, struct zt_val s)
{
    struct zt_sb b = {.e = e};

    s = zt_py_strip(e, s, ZT_NO_VALUE, ZT_BOTH);
    for (size_t i = 0; i < s.n; i++) {
        uint32_t c = zt_char(s, i);
        int digit = c < 0x80 ? -1 : zt_py_digit(c);
        zt_add_char(&b, digit < 0 ? c : (uint32_t)('0' + digit));
    }
    char *text = zt_utf8(e, zt_take(&b)), *to = text;
    for (const char *p = text; *p; p++) {
        if (*p == '_' && (p == text || !p[1] || p[-1] == '_'))
            return NULL;
        if (*p != '_')
            *to++ = *p;
    }
    *to = '\0';
    return *text ? text : NULL;
}

double zt_py_to_float(struct zt_env *e, struct zt_val v)
{
    double f = v.kind == ZT_FLOAT ? v.u.f : 0;

    if (v.kind == ZT_BIG)
        f = strtod(zt_utf8(e, v), NULL);
    else if (v.kind != ZT_FLOAT)
        f = (double)zt_py_need_int(e, v);
    if (v.kind == ZT_BIG && isinf(f))
        zt_fail(e, "an integer that is too large for a float");
    return f;
}

struct zt_val zt_py_truncated(struct zt_env *e, double f, bool trusted)
{
    char text[400];
    int len = snprintf(text, sizeof text, "%.0f", trunc(f));

    return zt_py_big_or_int(e, text, (size_t)len, trusted);
}

/* float(v); false if it has no number. */
static bool parse_float(struct zt_env *e, struct zt_val v, double *ret)
{
    char *end, *text;

    zt_py_need_defined(e, v);
    if (v.kind >= ZT_BOOL && v.kind <= ZT_FLOAT) {
        *ret = zt_py_to_float(e, v);
        return true;
    }
    text = v.kind == ZT_STR ? number_text(e, v) : NULL;
    if (!text || strpbrk(text, "xX("))
        return false;
    *ret = strtod(text, &end);
    return *end == '\0';
}

/* int(text, base) as Python has it; ZT_UNSET if it is none. */
static struct zt_val parse_int(struct zt_env *e, struct zt_val s, struct zt_val given)
{
    int64_t base = given.kind == ZT_INT ? given.u.i : ZT_IS_GIVEN(given) ? -1 : 10;
    char *end, *text = s.kind == ZT_STR ? number_text(e, s) : NULL;

    if (!text || (base != 0 && (base < 2 || base > 36)))
        return ZT_NO_VALUE;
    char *digits = text + (*text == '-' || *text == '+');
    char prefix = digits[0] == '0' ? (char)(digits[1] | 0x20) : '\0';
    if ((prefix == 'b' && base == 2) || (prefix == 'o' && base == 8))
        memmove(digits, digits + 2, strlen(digits + 2) + 1);
    errno = 0;
    int64_t i = strtoll(text, &end, (int)base);
    if (*end || end == digits)
        return ZT_NO_VALUE;
    if (errno != ERANGE)
        return zt_int(i, false);
    bool hex = prefix == 'x' && (base == 0 || base == 16);
    if (base > 16 || (base == 0 && digits[0] == '0' && !hex))
        zt_fail(e, "an integer beyond 64 bits in base %d", (int)base);
    digits += hex ? 2 : 0;
    base = hex ? 16 : base == 0 ? 10 : base;
    struct zt_val v = zt_py_big_parse(e, digits, strlen(digits), (uint32_t)base);
    return *text == '-' ? zt_py_sign(e, v, '-') : v;
}

/* default, base */
static struct zt_val f_int(struct zt_env *e, const struct zt_py_args *a)
{
    double f;

    if (a->self.kind >= ZT_BOOL && a->self.kind <= ZT_BIG)
        return zt_py_sign(e, a->self, '+');
    struct zt_val i = parse_int(e, a->self, a->v[1]);
    if (ZT_IS_GIVEN(i))
        return i;
    if (!parse_float(e, a->self, &f) || isnan(f) || isinf(f))
        return ZT_IS_GIVEN(a->v[0]) ? a->v[0] : zt_int(0, true);
    return zt_py_truncated(e, f, a->self.trusted);
}

/* default */
static struct zt_val f_float(struct zt_env *e, const struct zt_py_args *a)
{
    double f;

    if (parse_float(e, a->self, &f))
        return zt_float(f, a->self.trusted);
    return ZT_IS_GIVEN(a->v[0]) ? a->v[0] : zt_float(0, true);
}

/* An integer to the nearest multiple of ten to the n, to an even one where two are as near. */
static struct zt_val round_int(struct zt_env *e, struct zt_val v, int64_t n)
{
    if (n > 4300) /* more than any integer has digits */
        return zt_int(0, true);
    struct zt_val unit = zt_py_binary(e, ZT_POW, zt_int(10, true), zt_int(n, true));
    struct zt_val rest = zt_py_binary(e, '%', v, unit), low = zt_py_binary(e, '-', v, rest);
    struct zt_val twice = zt_py_binary(e, '*', rest, zt_int(2, true));
    struct zt_val is_odd =
        zt_py_binary(e, '%', zt_py_binary(e, ZT_FLOORDIV, low, unit), zt_int(2, true));

    if (zt_py_holds(e, '>', twice, unit) ||
        (zt_py_is_equal(e, twice, unit) && zt_py_is_true(is_odd)))
        low = zt_py_binary(e, '+', low, unit);
    low.trusted = v.trusted;
    return low;
}

/* precision, method */
static struct zt_val f_round(struct zt_env *e, const struct zt_py_args *a)
{
    int64_t precision = a->v[0].u.i;
    bool is_int = a->self.kind != ZT_FLOAT, is_ceil = zt_is(a->v[1], "ceil");
    double f, scale = pow(10, (double)precision);
    char text[512];

    zt_py_need_defined(e, a->self);
    if (a->self.kind < ZT_BOOL || a->self.kind > ZT_FLOAT)
        zt_fail(e, "round needs a number, got %s", zt_py_type_name(a->self));
    if (is_int && zt_is(a->v[1], "common"))
        return precision < 0 ? round_int(e, zt_py_sign(e, a->self, '+'), -precision)
                             : zt_py_sign(e, a->self, '+');
    f = zt_py_to_float(e, a->self);
    if (is_ceil || zt_is(a->v[1], "floor")) {
        if (scale == 0 || isinf(scale) || isinf(f * scale) || isnan(f))
            zt_fail(e, "round with a number or a precision that is out of range");
        f = is_ceil ? ceil(f * scale) : floor(f * scale);
        return zt_float(f / scale, a->self.trusted);
    }
    if (!zt_is(a->v[1], "common"))
        zt_fail(e, "round by \"common\", \"ceil\" or \"floor\"");
    if (precision < 0 && isfinite(f)) {
        scale = pow(10, -(double)precision);
        f = isinf(scale) ? copysign(0, f) : nearbyint(f / scale) * scale;
        if (isinf(f))
            zt_fail(e, "round with a number or a precision that is out of range");
    } else if (precision < 20 && !isinf(f) && !isnan(f)) {
        /* the decimal that is nearest to the exact value, as printf finds it */
        snprintf(text, sizeof text, "%.*f", (int)precision, f);
        f = strtod(text, NULL);
    }
    return zt_float(f, a->self.trusted);
}

/* binary */
static struct zt_val f_filesizeformat(struct zt_env *e, const struct zt_py_args *a)
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

/* ---- methods -------------------------------------------------------------------------------- */

static ZT_FN(m_itself, zt_py_sign(e, a->self, '+'));
static ZT_FN(m_is_integer, zt_bool(isfinite(a->self.u.f) && a->self.u.f == floor(a->self.u.f)));

/* bit_length and (x) bit_count */
static struct zt_val m_bits(struct zt_env *e, const struct zt_py_args *a)
{
    int64_t n = 0, ones = 0;

    for (const char *bit = zt_py_big_digits(e, a->self, 2); *bit; bit++) {
        ones += *bit == '1';
        n += ones > 0;
    }
    return zt_int(a->x ? ones : n, false);
}

static struct zt_val m_int_ratio(struct zt_env *e, const struct zt_py_args *a)
{
    struct zt_val ratio[] = {zt_py_sign(e, a->self, '+'), zt_int(1, true)};

    return zt_tuple(e, ratio, 2);
}

static struct zt_val m_float_ratio(struct zt_env *e, const struct zt_py_args *a)
{
    int exp;
    double f = frexp(a->self.u.f, &exp);

    if (!isfinite(f))
        zt_fail(e, "infinity and not-a-number are no ratio");
    for (; f != floor(f); exp--)
        f *= 2;
    exp = f == 0 ? 0 : exp;
    struct zt_val two = zt_int(2, true), by = zt_int(exp < 0 ? -exp : exp, true);
    struct zt_val power = zt_py_binary(e, ZT_POW, two, by), n = zt_int((int64_t)f, false);
    struct zt_val ratio[] = {exp > 0 ? zt_py_binary(e, '*', n, power) : n,
                             exp < 0 ? power : zt_int(1, true)};
    return zt_tuple(e, ratio, 2);
}

static struct zt_val m_hex(struct zt_env *e, const struct zt_py_args *a)
{
    double f = fabs(a->self.u.f);
    struct zt_sb b = {.e = e};
    int exp = 0;

    zt_add_ascii(&b, signbit(a->self.u.f) && !isnan(f) ? "-" : "", false);
    if (!isfinite(f)) {
        zt_add_ascii(&b, isnan(f) ? "nan" : "inf", false);
        return zt_take(&b);
    }
    bool is_normal = f >= DBL_MIN;
    if (f > 0)
        exp = is_normal ? ilogb(f) : -1022;
    uint64_t fraction = (uint64_t)((ldexp(f, -exp) - is_normal) * 0x1p52);
    if (f > 0)
        zt_addf(&b, false, "0x%d.%013llxp%+d", is_normal, (unsigned long long)fraction, exp);
    else
        zt_add_ascii(&b, "0x0.0p+0", false);
    return zt_take(&b);
}

const struct zt_py_fn zt_py_int_methods[] = {
    {"bit_length", "", m_bits, false},
    {"bit_count", "", m_bits, true},
    {"as_integer_ratio", "", m_int_ratio, 0},
    {"conjugate", "", m_itself, 0},
    {0},
};

const struct zt_py_fn zt_py_float_methods[] = {
    {"is_integer", "", m_is_integer, 0},
    {"as_integer_ratio", "", m_float_ratio, 0},
    {"conjugate", "", m_itself, 0},
    {"hex", "", m_hex, 0},
    {0},
};

const struct zt_py_fn zt_py_number_filters[] = {
    {"abs", "", f_abs, 0},
    {"filesizeformat", "binary:b", f_filesizeformat, 0},
    {"float", "default!", f_float, 0},
    {"int", "default! base!", f_int, 0},
    {"round", "precision:i=0 method:s=common", f_round, 0},
    {0},
};
