/* SPDX-License-Identifier: MIT */
/* What Python knows of characters: their classes, and their upper and lower case. */
#include "zoracd/text/zt_py_internal.h"

#include <utf8proc.h>

#include "common/zc_utf8.h"

/* ---- classes -------------------------------------------------------------------------------- */

/* Sets of Unicode's categories, as bits. */
#define CATEGORY(name)      (1u << UTF8PROC_CATEGORY_##name)
#define CATEGORIES_TO(name) (2 * CATEGORY(name) - 1)
enum {
    LETTERS = CATEGORY(LU) | CATEGORY(LL) | CATEGORY(LT) | CATEGORY(LM) | CATEGORY(LO),
    NUMERALS = CATEGORY(ND) | CATEGORY(NL) | CATEGORY(NO),
    PRINTABLE = CATEGORIES_TO(SO) - CATEGORIES_TO(CN),
    IGNORED_BY_CASE = CATEGORY(MN) | CATEGORY(ME) | CATEGORY(CF) | CATEGORY(LM) | CATEGORY(SK)
};

static bool has_category(uint32_t c, unsigned set)
{
    return set >> utf8proc_category((utf8proc_int32_t)c) & 1;
}

/* Unicode's Other_Lowercase and Other_Uppercase: what has a case and is no Ll or Lu. */
static const uint32_t other_lower[][2] = {
    {0xaa, 0xaa},     {0xba, 0xba},     {0x2b0, 0x2b8},   {0x2c0, 0x2c1},   {0x2e0, 0x2e4},
    {0x345, 0x345},   {0x37a, 0x37a},   {0x1d2c, 0x1d6a}, {0x1d78, 0x1d78}, {0x1d9b, 0x1dbf},
    {0x2071, 0x2071}, {0x207f, 0x207f}, {0x2090, 0x209c}, {0x2170, 0x217f}, {0x24d0, 0x24e9}};
static const uint32_t other_upper[][2] = {
    {0x2160, 0x216f}, {0x24b6, 0x24cf}, {0x1f130, 0x1f149}, {0x1f150, 0x1f169}, {0x1f170, 0x1f189}};

static bool is_in_ranges(const uint32_t (*ranges)[2], size_t n, uint32_t c)
{
    size_t i = 0;

    while (i < n && c > ranges[i][1])
        i++;
    return i < n && c >= ranges[i][0];
}

static bool is_lower(uint32_t c)
{
    if (c < 0x80)
        return c >= 'a' && c <= 'z';
    return has_category(c, CATEGORY(LL)) ||
           is_in_ranges(other_lower, sizeof other_lower / sizeof *other_lower, c);
}

static bool is_upper(uint32_t c)
{
    if (c < 0x80)
        return c >= 'A' && c <= 'Z';
    return has_category(c, CATEGORY(LU)) ||
           is_in_ranges(other_upper, sizeof other_upper / sizeof *other_upper, c);
}

static bool is_cased(uint32_t c)
{
    return is_lower(c) || is_upper(c) || (c >= 0x80 && has_category(c, CATEGORY(LT)));
}

bool zt_py_is_space(uint32_t c)
{
    return zc_utf8_is_space(c) || (c >= 0x1c && c <= 0x1f);
}

/* A character as the one or more that it decomposes to; how many, 0 for more than eight. */
static int decompose(uint32_t c, utf8proc_option_t how, utf8proc_int32_t parts[8])
{
    int boundary = 0;
    utf8proc_ssize_t n = utf8proc_decompose_char((utf8proc_int32_t)c, parts, 8, how, &boundary);

    return n < 0 || n > 8 ? 0 : (int)n;
}

/* Superscripts and circled digits are digits too, but not decimal: they decompose to one. */
static bool is_digit(uint32_t c)
{
    utf8proc_int32_t parts[8];
    int digits = has_category(c, CATEGORY(ND)), n = 0;

    if (has_category(c, CATEGORY(NO)))
        n = decompose(c, UTF8PROC_DECOMPOSE | UTF8PROC_COMPAT, parts);
    for (int i = 0; i < n; i++)
        digits += has_category((uint32_t)parts[i], CATEGORY(ND));
    return digits == 1;
}

int zt_py_digit(uint32_t c)
{
    uint32_t before = 0; /* digits: all scripts have their ten in order, one script after another */

    if (!has_category(c, CATEGORY(ND)))
        return -1;
    while (has_category(c - before - 1, CATEGORY(ND)))
        before++;
    return (int)(before % 10);
}

bool zt_py_is_of(uint32_t c, enum zt_py_class class)
{
    switch (class) {
    case ZT_PY_SPACE:
        return zt_py_is_space(c);
    case ZT_PY_ASCII:
        return c < 0x80;
    case ZT_PY_PRINTABLE:
        return c == ' ' || has_category(c, PRINTABLE);
    case ZT_PY_ALPHA:
        return has_category(c, LETTERS);
    case ZT_PY_ALNUM:
        return has_category(c, LETTERS | NUMERALS);
    case ZT_PY_DECIMAL:
        return has_category(c, CATEGORY(ND));
    case ZT_PY_DIGIT:
        return is_digit(c);
    default:
        return has_category(c, NUMERALS);
    }
}

/* Cased letters, each of the case that class asks for. */
static bool is_in_case(struct zt_val s, enum zt_py_class class)
{
    bool in_word = false, found = false;

    for (size_t i = 0; i < s.n; i++) {
        uint32_t c = zt_char(s, i);
        bool low = class == ZT_PY_LOWER || (class == ZT_PY_TITLE && in_word);
        bool titled = class == ZT_PY_TITLE && has_category(c, CATEGORY(LT));
        in_word = is_cased(c);
        found |= in_word;
        if (in_word && !(low ? is_lower(c) : is_upper(c) || titled))
            return false;
    }
    return found;
}

bool zt_py_is_all(struct zt_env *e, struct zt_val s, enum zt_py_class class)
{
    size_t i = 0;

    zt_step(e, s.n / 4);
    if (class >= ZT_PY_UPPER)
        return is_in_case(s, class);
    while (i < s.n && zt_py_is_of(zt_char(s, i), class))
        i++;
    return i == s.n && (s.n || class == ZT_PY_ASCII || class == ZT_PY_PRINTABLE);
}

/* ---- case ----------------------------------------------------------------------------------- */

/* The mapping of a small letter where it is longer than a character: of ß and ligatures. */
static bool add_long_case(struct zt_sb *b, uint32_t c, enum zt_py_letters to, uint32_t origin)
{
    utf8proc_int32_t parts[8] = {'s', 's'};
    int n = 2;

    if (to == ZT_LOWER || !has_category(c, CATEGORY(LL)))
        return false;
    if (c != 0xdf)
        n = decompose(c, UTF8PROC_DECOMPOSE | UTF8PROC_COMPAT, parts);
    for (int i = 0; i < n && n > 1; i++) {
        bool up = i == 0 || to != ZT_TITLE;
        zt_add_char(b, origin | (uint32_t)(up ? utf8proc_toupper(parts[i]) : parts[i]));
    }
    return n > 1;
}

static bool is_case_ignorable(uint32_t c)
{
    return has_category(c, IGNORED_BY_CASE) || zt_is_one_of(c, "'.:") || c == 0xb7 || c == 0x2018 ||
           c == 0x2019;
}

/* Whether the capital sigma at i ends a word, where its small form is another letter. */
static bool is_final_sigma(struct zt_val s, size_t i)
{
    size_t before = i, after = i + 1;

    while (before > 0 && is_case_ignorable(zt_char(s, before - 1)))
        before--;
    while (after < s.n && is_case_ignorable(zt_char(s, after)))
        after++;
    return before > 0 && is_cased(zt_char(s, before - 1)) &&
           (after == s.n || !is_cased(zt_char(s, after)));
}

static void add_cased(struct zt_sb *b, struct zt_val s, size_t i, enum zt_py_letters to)
{
    uint32_t c = zt_char(s, i), origin = s.u.s[i] & ZT_TRUSTED;
    utf8proc_int32_t cp = (utf8proc_int32_t)c;
    utf8proc_int32_t mapped = to == ZT_LOWER   ? utf8proc_tolower(cp)
                              : to == ZT_UPPER ? utf8proc_toupper(cp)
                                               : utf8proc_totitle(cp);

    if (to == ZT_LOWER && c == 0x3a3 && is_final_sigma(s, i))
        mapped = 0x3c2;
    if (to == ZT_LOWER && c == 0x130) { /* İ is i with a dot above */
        zt_add_char(b, 'i' | origin);
        mapped = 0x307;
    }
    if ((mapped != cp && c != 0xdf) || !add_long_case(b, c, to, origin))
        zt_add_char(b, (uint32_t)mapped | origin);
}

static void add_folded(struct zt_sb *b, uint32_t c, uint32_t origin)
{
    utf8proc_int32_t folded[8];
    int n = decompose(c, UTF8PROC_CASEFOLD, folded);

    for (int i = 0; i < n; i++)
        zt_add_char(b, (uint32_t)folded[i] | origin);
}

/* ASCII is most of all text; the C library's functions depend on the locale. */
static uint32_t ascii_in_case(uint32_t c, bool up)
{
    bool is_letter = (c | 0x20) >= 'a' && (c | 0x20) <= 'z';

    return !is_letter ? c : up ? c & ~0x20u : c | 0x20;
}

struct zt_val zt_py_in_case(struct zt_env *e, struct zt_val s, enum zt_py_letters to)
{
    struct zt_sb b = {.e = e};
    bool in_word = false;

    zt_step(e, s.n / 8);
    for (size_t i = 0; i < s.n; i++) {
        uint32_t c = zt_char(s, i);
        bool up = to == ZT_UPPER || (to == ZT_SWAPCASE && is_lower(c));
        bool first = (to == ZT_TITLE || to == ZT_CAPITALIZE) && !in_word;
        zt_step(e, c >= 0x80);
        if (c < 0x80)
            zt_add_char(&b, ascii_in_case(c, up || first) | (s.u.s[i] & ZT_TRUSTED));
        else if (to == ZT_CASEFOLD)
            add_folded(&b, c, s.u.s[i] & ZT_TRUSTED);
        else if (to == ZT_SWAPCASE && has_category(c, CATEGORY(LT)))
            zt_add_char(&b, s.u.s[i]);
        else
            add_cased(&b, s, i, up ? ZT_UPPER : first ? ZT_TITLE : ZT_LOWER);
        in_word = to == ZT_CAPITALIZE || is_cased(c);
    }
    return zt_markup(zt_take(&b), s.markup);
}
