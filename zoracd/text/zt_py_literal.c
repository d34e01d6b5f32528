/* SPDX-License-Identifier: MIT */
/* Numbers and strings as Python's source writes them. */
#include "zoracd/text/zt_py_internal.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* ---- numbers -------------------------------------------------------------------------------- */

struct zt_val zt_py_number(struct zt_env *e, const char *text, char **ret_end)
{
    const char *digits = text + (*text == '-');
    char kind = *digits == '0' ? (char)(digits[1] | 0x20) : '\0';
    int base = kind == 'x' ? 16 : kind == 'o' ? 8 : kind == 'b' ? 2 : 10;
    size_t n = strspn(digits, "0123456789");
    bool fraction = digits[n] == '.' && isdigit((unsigned char)digits[n + 1]);
    struct zt_val v;

    if (n == 0)
        return ZT_NO_VALUE;
    n += fraction ? 1 + strspn(digits + n + 1, "0123456789") : 0;
    size_t exp = n + 1 + (digits[n] && (digits[n + 1] == '-' || digits[n + 1] == '+'));
    bool exponent = (digits[n] | 0x20) == 'e' && isdigit((unsigned char)digits[exp]);
    if (base == 10 && (fraction || exponent))
        return zt_float(strtod(text, ret_end), false);
    errno = 0;
    v = zt_int(strtoll(base == 10 ? text : digits + 2, ret_end, base), false);
    if (*ret_end == digits + 2 - (base == 10 ? 2 : 0) ||
        (base == 10 && *digits == '0' && strspn(digits, "0") < n))
        return ZT_NO_VALUE;
    if (errno == ERANGE && base != 10)
        return zt_py_big_parse(e, digits + 2, (size_t)(*ret_end - digits) - 2, (uint32_t)base);
    return errno == ERANGE ? zt_py_big_or_int(e, text, (size_t)(*ret_end - text), false) : v;
}

/* Whether the character at i goes on a number whose last character is before: digits, a point, an
 * exponent with its sign, an underscore between two of them. */
static bool goes_on(struct zt_val s, size_t i, char before, bool integer)
{
    uint32_t c = i < s.n ? zt_char(s, i) : 0, next = i + 1 < s.n ? zt_char(s, i + 1) : 0;

    if (c == '_')
        return isalnum((unsigned char)before) && next < 0x80 && isalnum((int)next);
    if (c == '+' || c == '-')
        return (before | 0x20) == 'e';
    return (c == '.' && !integer) || (c < 0x80 && isalnum((int)c));
}

struct zt_val zt_py_number_at(struct zt_env *e, struct zt_val s, size_t *at, bool integer)
{
    enum { MAX_NUMBER = 400 };
    char text[MAX_NUMBER + 1] = "", *end;
    size_t n = 0;

    for (size_t i = *at; n < MAX_NUMBER && goes_on(s, i, n ? text[n - 1] : 0, integer); i++)
        if (zt_char(s, i) != '_')
            text[n++] = (char)zt_char(s, i);
    struct zt_val v = zt_py_number(e, text, &end);
    if (!ZT_IS_GIVEN(v))
        zt_fail(e, "a number that begins with 0 or has no digits");
    for (n = (size_t)(end - text); n > 0; ++*at)
        n -= zt_char(s, *at) != '_';
    return v;
}

/* ---- strings -------------------------------------------------------------------------------- */

/* The escape whose backslash is before offset i; the offset after it. */
static size_t add_escape(struct zt_sb *b, struct zt_val s, size_t i)
{
    static const char from[] = "\\'\"abfnrtv", to[] = "\\'\"\a\b\f\n\r\t\v";
    uint32_t c = i < s.n ? zt_char(s, i) : 0;
    bool octal = zt_is_one_of(c, "01234567");
    size_t max = octal ? 3 : c == 'x' ? 2 : c == 'u' ? 4 : c == 'U' ? 8 : 0, n = 0;
    const char *set = octal ? "01234567" : "0123456789abcdefABCDEF";
    char digits[9] = "";

    if (c == 'N')
        zt_fail(b->e, "\\N in a string: characters are not known by their names here");
    for (i += !octal; n < max && i < s.n && zt_is_one_of(zt_char(s, i), set); i++)
        digits[n++] = (char)zt_char(s, i);
    if (!octal && n < max)
        zt_fail(b->e, "a bad escape \\%c in a string", (char)c);
    uint32_t v = max ? (uint32_t)strtoul(digits, NULL, octal ? 8 : 16) : c;
    if (v > 0x10ffff)
        zt_fail(b->e, "an escape in a string that is no character");
    if (!max && zt_is_one_of(c, from))
        v = (unsigned char)to[strchr(from, (int)c) - from];
    else if (!max && c != '\n') /* no escape: kept as it is */
        zt_add_char(b, '\\' | ZT_TRUSTED);
    if (c != '\n')
        zt_add_char(b, v | ZT_TRUSTED);
    return i;
}

struct zt_val zt_py_string_at(struct zt_env *e, struct zt_val s, size_t *at)
{
    struct zt_sb b = {.e = e};
    uint32_t quote = zt_char(s, *at);
    size_t i = *at + 1;

    while (i < s.n && zt_char(s, i) != quote) {
        if (zt_char(s, i) == '\\')
            i = add_escape(&b, s, i + 1);
        else
            zt_add_char(&b, s.u.s[i++]);
    }
    if (i >= s.n)
        zt_fail(e, "a string without its end");
    *at = i + 1;
    return zt_take(&b);
}
