/* SPDX-License-Identifier: MIT */
/* Integers beyond 64 bits. A value has them as decimal digits (ZT_BIG), for they are mostly
 * printed; to compute, the digits become limbs of nine. */
#include "zoracd/text/zt_py_internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What Python converts to text at most, as limbs and as characters. */
enum { LIMB = 1000000000, LIMB_DIGITS = 9, MAX_DIGITS = 4300, MAX_LIMBS = MAX_DIGITS / 9 + 1 };

struct big {
    bool negative;
    size_t n;    /* without zeros at the high end; 0: the number is 0 */
    uint32_t *d; /* the low one first */
};

static struct big big_new(struct zt_env *e, size_t n)
{
    if (n > MAX_LIMBS + 1)
        zt_fail(e, "an integer of more than %d digits", MAX_DIGITS);
    return (struct big){.n = n, .d = zt_alloc(e, n, sizeof(uint32_t))};
}

static struct big trimmed(struct big a)
{
    while (a.n > 0 && a.d[a.n - 1] == 0)
        a.n--;
    return a;
}

/* Of an integer of any kind. */
static struct big big_of(struct zt_env *e, struct zt_val v)
{
    const char *text = zt_utf8(e, zt_py_str(e, zt_py_sign(e, v, '+')));
    bool negative = *text == '-';
    size_t len = strlen(text += negative);
    struct big a = big_new(e, (len + LIMB_DIGITS - 1) / LIMB_DIGITS);

    zt_step(e, len);
    for (size_t i = 0; i < len; i++) {
        uint32_t *limb = &a.d[(len - 1 - i) / LIMB_DIGITS];
        *limb = *limb * 10 + (uint32_t)(text[i] - '0');
    }
    a.negative = negative;
    return trimmed(a);
}

static struct zt_val value_of(struct zt_env *e, struct big a, bool trusted)
{
    size_t cap = a.n * LIMB_DIGITS + 3, len;
    char *text = zt_alloc(e, cap, 1);

    a = trimmed(a);
    len = (size_t)snprintf(text, cap, "%s%u", a.negative ? "-" : "", a.n ? a.d[a.n - 1] : 0);
    for (size_t i = a.n; i-- > 1;)
        len += (size_t)snprintf(text + len, cap - len, "%09u", a.d[i - 1]);
    return zt_py_big_or_int(e, text, len, trusted);
}

struct zt_val zt_py_big_or_int(struct zt_env *e, const char *digits, size_t len, bool trusted)
{
    zt_step(e, len);
    errno = 0;
    int64_t i = strtoll(digits, NULL, 10);
    if (errno != ERANGE)
        return zt_int(i, trusted);
    if (len - (*digits == '-') > MAX_DIGITS)
        zt_fail(e, "an integer of more than %d digits", MAX_DIGITS);
    struct zt_val v = zt_decode(e, digits, len, trusted);
    v.kind = ZT_BIG;
    v.trusted = trusted;
    return v;
}

/* ---- magnitudes ----------------------------------------------------------------------------- */

static int compare(struct big a, struct big b)
{
    if (a.n != b.n)
        return a.n < b.n ? -1 : 1;
    for (size_t i = a.n; i-- > 0;)
        if (a.d[i] != b.d[i])
            return a.d[i] < b.d[i] ? -1 : 1;
    return 0;
}

static struct big add(struct zt_env *e, struct big a, struct big b)
{
    struct big x = big_new(e, (a.n > b.n ? a.n : b.n) + 1);
    uint32_t carry = 0;

    for (size_t i = 0; i < x.n; i++) {
        uint32_t sum = (i < a.n ? a.d[i] : 0) + (i < b.n ? b.d[i] : 0) + carry;
        carry = sum >= LIMB;
        x.d[i] = sum - carry * LIMB;
    }
    return trimmed(x);
}

/* a - b for a >= b. */
static struct big subtract(struct zt_env *e, struct big a, struct big b)
{
    struct big x = big_new(e, a.n);
    int64_t borrow = 0;

    for (size_t i = 0; i < a.n; i++) {
        int64_t rest = (int64_t)a.d[i] - (i < b.n ? b.d[i] : 0) - borrow;
        borrow = rest < 0;
        x.d[i] = (uint32_t)(rest + borrow * LIMB);
    }
    return trimmed(x);
}

static struct big multiply(struct zt_env *e, struct big a, struct big b)
{
    struct big x = big_new(e, a.n + b.n);

    zt_step(e, a.n * b.n / 16);
    for (size_t i = 0; i < a.n; i++) {
        uint64_t carry = 0;
        for (size_t k = 0; k < b.n || carry; k++) {
            uint64_t sum = x.d[i + k] + carry + (k < b.n ? (uint64_t)a.d[i] * b.d[k] : 0);
            x.d[i + k] = (uint32_t)(sum % LIMB);
            carry = sum / LIMB;
        }
    }
    return trimmed(x);
}

/* a / by in place; the rest. */
static uint32_t divide_small(struct big *a, uint32_t by)
{
    uint64_t rest = 0;

    for (size_t i = a->n; i-- > 0; rest %= by) {
        rest = rest * LIMB + a->d[i];
        a->d[i] = (uint32_t)(rest / by);
    }
    *a = trimmed(*a);
    return (uint32_t)rest;
}

/* Takes b times a digit away from the b.n + 1 limbs at w; the digit, which is made smaller until
 * the product is not too much. */
static uint32_t take_times(uint32_t *w, struct big b, uint32_t digit)
{
    uint64_t carry = 0;

    for (size_t i = 0; i <= b.n; i++) {
        carry += i < b.n ? (uint64_t)b.d[i] * digit : 0;
        uint32_t low = (uint32_t)(carry % LIMB);
        carry = carry / LIMB + (w[i] < low);
        w[i] = w[i] < low ? w[i] + LIMB - low : w[i] - low;
    }
    for (; carry > 0; digit--) {
        uint32_t up = 0;
        for (size_t i = 0; i <= b.n; i++) {
            uint32_t sum = w[i] + (i < b.n ? b.d[i] : 0) + up;
            up = sum >= LIMB;
            w[i] = sum - up * LIMB;
        }
        carry -= up;
    }
    return digit;
}

/* a / b and the rest, for a b of two limbs at least: Knuth's algorithm D. Both are scaled so that
 * b's high limb is half of one at least: then the digit that the high limbs tell is at most two too
 * much. */
static struct big divide_long(struct zt_env *e, struct big a, struct big b, struct big *ret_rest)
{
    uint32_t scale = LIMB / (b.d[b.n - 1] + 1);
    struct big by = {.n = 1, .d = &scale}, q = big_new(e, a.n - b.n + 1);
    struct big rest = multiply(e, a, by), v = multiply(e, b, by);

    for (size_t i = q.n; i-- > 0;) {
        uint32_t *w = rest.d + i; /* multiply has a.n + 1 limbs */
        uint64_t digit = ((uint64_t)w[v.n] * LIMB + w[v.n - 1]) / v.d[v.n - 1];
        q.d[i] = take_times(w, v, digit < LIMB ? (uint32_t)digit : LIMB - 1);
    }
    rest.n = b.n;
    divide_small(&rest, scale);
    *ret_rest = rest;
    return trimmed(q);
}

static struct big divide(struct zt_env *e, struct big a, struct big b, struct big *ret_rest)
{
    zt_step(e, a.n * b.n / 4);
    if (a.n < b.n) {
        *ret_rest = a;
        return big_new(e, 0);
    }
    if (b.n > 1)
        return divide_long(e, a, b, ret_rest);
    struct big q = big_new(e, a.n), rest = big_new(e, 1);
    memcpy(q.d, a.d, a.n * sizeof *a.d);
    rest.d[0] = divide_small(&q, b.d[0]);
    *ret_rest = trimmed(rest);
    return q;
}

/* ---- operators ------------------------------------------------------------------------------ */

static struct big signed_add(struct zt_env *e, struct big a, struct big b)
{
    bool is_less = compare(a, b) < 0;
    struct big x = a.negative == b.negative ? add(e, a, b)
                   : is_less                ? subtract(e, b, a)
                                            : subtract(e, a, b);

    x.negative = a.negative != b.negative && is_less ? b.negative : a.negative;
    return x;
}

/* Python's // and %: towards minus infinity. */
static struct big floor_divide(struct zt_env *e, struct big a, struct big b, bool want_rest)
{
    uint32_t one = 1;
    struct big rest, q = divide(e, a, b, &rest);

    q.negative = a.negative != b.negative;
    rest.negative = a.negative;
    if (rest.n > 0 && q.negative) {
        q = signed_add(e, q, (struct big){.negative = true, .n = 1, .d = &one});
        rest = signed_add(e, rest, b);
    }
    return want_rest ? rest : q;
}

static struct big power(struct zt_env *e, struct big base, int64_t exp)
{
    uint32_t one = 1;
    struct big x = {.n = 1, .d = &one};

    x.negative = base.negative && exp % 2;
    for (; exp > 0; exp /= 2) {
        if (exp % 2) {
            bool negative = x.negative;
            x = multiply(e, x, base);
            x.negative = negative;
        }
        if (exp > 1)
            base = multiply(e, base, base);
    }
    return x;
}

struct zt_val zt_py_big_binary(struct zt_env *e, int op, struct zt_val a, struct zt_val b)
{
    struct big x = big_of(e, a), y = big_of(e, b);
    bool trusted = a.trusted && b.trusted;

    switch (op) {
    case '-':
        y.negative = !y.negative;
        return value_of(e, signed_add(e, x, y), trusted);
    case '+':
        return value_of(e, signed_add(e, x, y), trusted);
    case '*':
        y.negative = x.negative != y.negative;
        x = multiply(e, x, y);
        x.negative = y.negative;
        return value_of(e, x, trusted);
    case ZT_POW:
        if (b.kind == ZT_BIG)
            zt_fail(e, "an integer of more than %d digits", MAX_DIGITS);
        return value_of(e, power(e, x, zt_py_need_int(e, b)), trusted);
    default:
        return value_of(e, floor_divide(e, x, y, op == '%'), trusted);
    }
}

int zt_py_big_compare(struct zt_env *e, struct zt_val a, struct zt_val b)
{
    struct big x = big_of(e, a), y = big_of(e, b);

    if (x.negative != y.negative)
        return x.negative ? -1 : 1;
    return x.negative ? compare(y, x) : compare(x, y);
}

char *zt_py_big_digits(struct zt_env *e, struct zt_val v, uint32_t base)
{
    static const char digits[] = "0123456789abcdef";
    uint32_t chunk = base, per_chunk = 1;
    struct big a = {.n = 0};

    if (v.kind == ZT_BIG && base == 10)
        return zt_utf8(e, zt_sub(v, zt_char(v, 0) == '-', v.n));
    if (v.kind == ZT_BIG)
        a = big_of(e, v);
    int64_t i = v.kind == ZT_BIG ? 0 : zt_py_need_int(e, v);
    uint64_t u = i < 0 ? 0 - (uint64_t)i : (uint64_t)i;
    size_t at = a.n * 30 + 94; /* two to the thirtieth is more than a limb; one chunk of zeros */
    char *text = (char *)zt_alloc(e, at, 1) + at - 1;

    for (; (uint64_t)chunk * base < LIMB; chunk *= base)
        per_chunk++;
    while (a.n > 0) {
        zt_step(e, a.n / 4);
        uint32_t rest = divide_small(&a, chunk);
        for (uint32_t k = 0; k < per_chunk; k++, rest /= base)
            *--text = digits[rest % base];
    }
    while (*text == '0')
        text++;
    for (; u > 0 || !*text; u /= base)
        *--text = digits[u % base];
    return text;
}

struct zt_val zt_py_big_parse(struct zt_env *e, const char *digits, size_t len, uint32_t base)
{
    size_t cap = len < MAX_LIMBS ? len : MAX_LIMBS;
    struct big a = big_new(e, cap);

    a.n = 0;
    for (size_t i = 0; i < len; i++) {
        char c[] = {digits[i], '\0'};
        uint64_t carry = strtoul(c, NULL, 16);
        zt_step(e, a.n / 4);
        for (size_t k = 0; k < a.n || carry; k++) {
            if (k == cap)
                zt_fail(e, "an integer of more than %d digits", MAX_DIGITS);
            carry += (uint64_t)a.d[k] * base;
            a.d[k] = (uint32_t)(carry % LIMB);
            a.n = k < a.n ? a.n : k + 1;
            carry /= LIMB;
        }
    }
    return value_of(e, a, false);
}
