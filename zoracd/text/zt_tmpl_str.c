/* SPDX-License-Identifier: MIT */
/* The methods of Python's str, list, tuple and dict that a template may call, and of jinja2's loop
 * and cycler. They take what they work on through str(), so that the filters of the same name are
 * the same functions. Each character of a result is as trusted as the one it came from. */
#include "config.h"

#include "zoracd/text/zt_tmpl_internal.h"

#include <string.h>
#include <utf8proc.h>

#include "common/zc_utf8.h"

/* ---- classes of characters ------------------------------------------------------------------ */

static unsigned category(uint32_t c)
{
    return 1u << utf8proc_category((utf8proc_int32_t)c);
}

#define CATEGORY(name) (1u << UTF8PROC_CATEGORY_##name)
enum {
    LETTERS = CATEGORY(LU) | CATEGORY(LL) | CATEGORY(LT) | CATEGORY(LM) | CATEGORY(LO),
    NUMERALS = CATEGORY(ND) | CATEGORY(NL) | CATEGORY(NO)
};

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
    return category(c) == CATEGORY(LL) ||
           is_in_ranges(other_lower, sizeof other_lower / sizeof *other_lower, c);
}

static bool is_upper(uint32_t c)
{
    return category(c) == CATEGORY(LU) ||
           is_in_ranges(other_upper, sizeof other_upper / sizeof *other_upper, c);
}

static bool is_cased(uint32_t c)
{
    return is_lower(c) || is_upper(c) || category(c) == CATEGORY(LT);
}

bool zt_is_space(uint32_t c)
{
    return zc_utf8_is_space(c) || (c >= 0x1c && c <= 0x1f);
}

bool zt_is_alnum(uint32_t c)
{
    return category(c) & (LETTERS | NUMERALS);
}

/* Superscripts and circled digits are digits too, but not decimal: they decompose to one. */
static bool is_digit(uint32_t c)
{
    utf8proc_int32_t parts[8];
    int boundary = 0, digits = 0, n = 0;

    if (category(c) == CATEGORY(NO))
        n = (int)utf8proc_decompose_char((utf8proc_int32_t)c, parts, 8,
                                         UTF8PROC_DECOMPOSE | UTF8PROC_COMPAT, &boundary);
    for (int i = 0; i < n && i < 8; i++)
        digits += category((uint32_t)parts[i]) == CATEGORY(ND);
    return category(c) == CATEGORY(ND) || digits == 1;
}

bool zt_str_is_case(struct zt_val s, bool upper)
{
    bool found = false;

    for (size_t i = 0; i < s.n; i++) {
        uint32_t c = zt_char(s, i);
        if (is_cased(c) && !(upper ? is_upper(c) : is_lower(c)))
            return false;
        found |= is_cased(c);
    }
    return found;
}

static bool is_title(struct zt_val s)
{
    bool in_word = false, found = false;

    for (size_t i = 0; i < s.n; i++) {
        uint32_t c = zt_char(s, i);
        if (is_cased(c) && is_lower(c) != in_word)
            return false;
        in_word = is_cased(c);
        found |= in_word;
    }
    return found;
}

/* x: the categories that all characters must be of, or one of these. */
enum { SPACE = -9, ASCII, PRINTABLE, DIGIT, UPPER, LOWER, TITLE };

static bool is_of(uint32_t c, int class)
{
    switch (class) {
    case SPACE:
        return zt_is_space(c);
    case ASCII:
        return c < 0x80;
    case PRINTABLE:
        return zt_is_printable(c);
    case DIGIT:
        return is_digit(c);
    default:
        return category(c) & (unsigned)class;
    }
}

static struct zt_val m_is(struct zt_env *e, const struct zt_args *a)
{
    struct zt_val s = zt_self(e, a);
    size_t i = 0;

    if (a->x == TITLE)
        return zt_bool(is_title(s));
    if (a->x == UPPER || a->x == LOWER)
        return zt_bool(zt_str_is_case(s, a->x == UPPER));
    while (i < s.n && is_of(zt_char(s, i), a->x))
        i++;
    return zt_bool(i == s.n && (s.n || a->x == ASCII || a->x == PRINTABLE));
}

/* ---- case ----------------------------------------------------------------------------------- */

/* The mapping of a small letter where it is longer than a character: of ß and ligatures. */
static bool add_long_case(struct zt_sb *b, uint32_t c, enum zt_case to, uint32_t origin)
{
    utf8proc_int32_t parts[8] = {'s', 's'};
    int boundary = 0, n = 2;

    if (to == ZT_LOWER || category(c) != CATEGORY(LL))
        return false;
    if (c != 0xdf)
        n = (int)utf8proc_decompose_char((utf8proc_int32_t)c, parts, 8,
                                         UTF8PROC_DECOMPOSE | UTF8PROC_COMPAT, &boundary);
    for (int i = 0; i < n && n > 1 && n <= 8; i++)
        zt_add_char(b, origin |
                           (uint32_t)(i && to == ZT_TITLE ? parts[i] : utf8proc_toupper(parts[i])));
    return n > 1 && n <= 8;
}

static bool is_case_ignorable(uint32_t c)
{
    return (category(c) &
            (CATEGORY(MN) | CATEGORY(ME) | CATEGORY(CF) | CATEGORY(LM) | CATEGORY(SK))) ||
           c == '\'' || c == '.' || c == ':' || c == 0xb7 || c == 0x2018 || c == 0x2019;
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

static void add_cased(struct zt_sb *b, struct zt_val s, size_t i, enum zt_case to)
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
    int boundary = 0;
    int n =
        (int)utf8proc_decompose_char((utf8proc_int32_t)c, folded, 8, UTF8PROC_CASEFOLD, &boundary);

    for (int i = 0; i < n && i < 8; i++)
        zt_add_char(b, (uint32_t)folded[i] | origin);
}

struct zt_val zt_in_case(struct zt_env *e, struct zt_val s, enum zt_case to)
{
    struct zt_sb b = {.e = e};
    bool in_word = false;

    for (size_t i = 0; i < s.n; i++) {
        uint32_t c = zt_char(s, i);
        bool up = to == ZT_UPPER || (to == ZT_SWAPCASE && is_lower(c));
        bool first = (to == ZT_TITLE || to == ZT_CAPITALIZE) && !in_word;
        if (to == ZT_CASEFOLD)
            add_folded(&b, c, s.u.s[i] & ZT_TRUSTED);
        else if (to == ZT_SWAPCASE && category(c) == CATEGORY(LT))
            zt_add_char(&b, s.u.s[i]);
        else
            add_cased(&b, s, i, up ? ZT_UPPER : first ? ZT_TITLE : ZT_LOWER);
        in_word = to == ZT_CAPITALIZE || is_cased(c);
    }
    return zt_markup(zt_take(&b), s.markup);
}

ZT_FN(zt_m_case, zt_in_case(e, zt_self(e, a), (enum zt_case)a->x));

/* ---- strip, split and join ------------------------------------------------------------------ */

static bool is_stripped(uint32_t c, struct zt_val set)
{
    for (size_t i = 0; ZT_IS_GIVEN(set) && i < set.n; i++)
        if (zt_char(set, i) == c)
            return true;
    return !ZT_IS_GIVEN(set) && zt_is_space(c);
}

struct zt_val zt_strip(struct zt_val s, struct zt_val set, enum zt_side sides)
{
    size_t from = 0, to = s.n;

    while ((sides & ZT_LEFT) && from < to && is_stripped(zt_char(s, from), set))
        from++;
    while ((sides & ZT_RIGHT) && to > from && is_stripped(zt_char(s, to - 1), set))
        to--;
    return zt_sub(s, from, to);
}

ZT_FN(zt_m_strip, zt_strip(zt_self(e, a), a->v[0], (enum zt_side)a->x));

/* The next separator of s, first or last (right): an empty sep means a run of white space. */
static bool next_sep(struct zt_env *e, struct zt_val s, struct zt_val sep, bool right,
                     size_t *ret_at, size_t *ret_end)
{
    size_t i = 0;

    if (sep.n) {
        *ret_at = zt_find(e, s, 0, s.n, sep, right);
        *ret_end = *ret_at + sep.n;
        return *ret_at != SIZE_MAX;
    }
    while (i < s.n && !zt_is_space(zt_char(s, right ? s.n - 1 - i : i)))
        i++;
    if (i == s.n)
        return false;
    *ret_at = right ? zt_strip(zt_sub(s, 0, s.n - i), sep, ZT_RIGHT).n : i;
    *ret_end = right ? s.n - i : s.n - zt_strip(zt_sub(s, i, s.n), sep, ZT_LEFT).n;
    return true;
}

/* The parts of s between at most max separators (-1: all) from the left or the right; sep ZT_UNSET:
 * runs of white space, and none at the ends. */
static struct zt_list *split(struct zt_env *e, struct zt_val s, struct zt_val sep, int64_t max,
                             bool right)
{
    struct zt_list *l = zt_list_new(e, 4);
    bool words = !ZT_IS_GIVEN(sep);
    size_t at, end;

    if (!words && !sep.n)
        zt_fail(e, "an empty separator");
    if (words)
        s = zt_strip(s, sep, max < 0 ? ZT_BOTH : right ? ZT_RIGHT : ZT_LEFT);
    for (; max != 0 && next_sep(e, s, sep, right, &at, &end); max--) {
        if (words && (right ? at == 0 : end == s.n)) { /* white space at the far end */
            s = right ? zt_sub(s, end, s.n) : zt_sub(s, 0, at);
            break;
        }
        zt_step(e, 1);
        zt_push(e, l, right ? zt_sub(s, end, s.n) : zt_sub(s, 0, at));
        s = right ? zt_sub(s, 0, at) : zt_sub(s, end, s.n);
    }
    if (s.n || !words)
        zt_push(e, l, s);
    return right ? zt_reversed(e, zt_of_list(ZT_LIST, l)).u.l : l;
}

struct zt_list *zt_words(struct zt_env *e, struct zt_val s)
{
    return split(e, s, ZT_NO_VALUE, -1, false);
}

static ZT_FN(m_split, zt_of_list(ZT_LIST, split(e, zt_self(e, a), a->v[0], a->v[1].u.i, a->x)));

struct zt_list *zt_lines(struct zt_env *e, struct zt_val s, bool keep)
{
    struct zt_list *l = zt_list_new(e, 4);
    size_t start = 0;

    for (size_t i = 0, end; i < s.n; i = end) {
        uint32_t c = zt_char(s, i);
        end = i + 1 + (c == '\r' && i + 1 < s.n && zt_char(s, i + 1) == '\n');
        if (!((c >= 10 && c <= 13) || (c >= 0x1c && c <= 0x1e) || c == 0x85 || c == 0x2028 ||
              c == 0x2029))
            continue;
        zt_step(e, 1);
        zt_push(e, l, zt_sub(s, start, keep ? end : i));
        start = end;
    }
    if (start < s.n)
        zt_push(e, l, zt_sub(s, start, s.n));
    return l;
}

static ZT_FN(m_splitlines, zt_of_list(ZT_LIST, zt_lines(e, zt_self(e, a), a->v[0].u.b)));

/* x: the last separator */
static struct zt_val m_partition(struct zt_env *e, const struct zt_args *a)
{
    struct zt_val s = zt_self(e, a);
    size_t at = zt_find(e, s, 0, s.n, a->v[0], a->x), end = at + a->v[0].n;

    if (!a->v[0].n)
        zt_fail(e, "an empty separator");
    if (at == SIZE_MAX)
        at = end = a->x ? 0 : s.n;
    struct zt_val parts[] = {zt_sub(s, 0, at), zt_sub(s, at, end), zt_sub(s, end, s.n)};
    return zt_tuple(e, parts, 3);
}

struct zt_val zt_m_replace(struct zt_env *e, const struct zt_args *a)
{
    struct zt_val s = zt_self(e, a), old = a->v[0], by = a->v[1];
    int64_t count = a->v[2].u.i;
    struct zt_sb b = {.e = e};
    size_t from = 0, at;

    if (s.markup) {
        old = zt_escape(e, old);
        by = zt_escape(e, by);
    }
    for (; count != 0 && (at = zt_find(e, s, from, s.n, old, false)) != SIZE_MAX; count--) {
        zt_step(e, 1);
        zt_add(&b, zt_sub(s, from, at));
        zt_add(&b, by);
        from = at + old.n;
        if (old.n == 0 && from == s.n)
            break;
        if (old.n == 0) /* nothing stands before each character and at the end */
            zt_add_char(&b, s.u.s[from++]);
    }
    zt_add(&b, zt_sub(s, from, s.n));
    return zt_markup(zt_take(&b), s.markup);
}

struct zt_val zt_joined(struct zt_env *e, const struct zt_list *l, struct zt_val sep)
{
    struct zt_sb b = {.e = e};

    for (size_t i = 0; i < l->n; i++) {
        zt_step(e, 1);
        if (i)
            zt_add(&b, sep);
        zt_add(&b, l->v[i]);
    }
    return zt_take(&b);
}

static struct zt_val m_join(struct zt_env *e, const struct zt_args *a)
{
    struct zt_val s = zt_self(e, a);
    struct zt_list *l = zt_items(e, a->v[0]), *out = zt_list_new(e, l->n);

    for (size_t i = 0; i < l->n; i++)
        zt_push(e, out, s.markup ? zt_escape(e, zt_to_str(e, l->v[i])) : zt_need_str(e, l->v[i]));
    return zt_markup(zt_joined(e, out, s), s.markup);
}

/* ---- search --------------------------------------------------------------------------------- */

/* The part from v[1] to v[2]; *ret_from > *ret_to if there is none. */
static void part_of(struct zt_env *e, const struct zt_args *a, size_t n, size_t *ret_from,
                    size_t *ret_to)
{
    int64_t from = ZT_IS_GIVEN(a->v[1]) ? zt_need_int(e, a->v[1]) : 0, len = (int64_t)n;
    int64_t to = ZT_IS_GIVEN(a->v[2]) ? zt_need_int(e, a->v[2]) : len;

    from += from < 0 ? len : 0;
    to = to > len ? len : to < 0 ? to + len : to;
    *ret_from = from < 0 ? 0 : (size_t)from;
    *ret_to = to < 0 ? 0 : (size_t)to;
}

/* x: find, rfind, index, rindex */
static struct zt_val m_find(struct zt_env *e, const struct zt_args *a)
{
    struct zt_val s = zt_self(e, a);
    size_t from, to;

    part_of(e, a, s.n, &from, &to);
    size_t at = zt_find(e, s, from, to, a->v[0], a->x & 1);
    if (at == SIZE_MAX && a->x >= 2)
        zt_fail(e, "the substring is not there");
    return zt_int(at == SIZE_MAX ? -1 : (int64_t)at, false);
}

static struct zt_val m_count(struct zt_env *e, const struct zt_args *a)
{
    struct zt_val s = zt_self(e, a), sub = a->v[0];
    size_t from, to;
    int64_t n = 0;

    part_of(e, a, s.n, &from, &to);
    for (; (from = zt_find(e, s, from, to, sub, false)) != SIZE_MAX; from += sub.n ? sub.n : 1)
        n++;
    return zt_int(n, false);
}

static bool has_affix(struct zt_env *e, struct zt_val s, struct zt_val affix, bool at_end)
{
    affix = zt_need_str(e, affix);
    return affix.n <= s.n &&
           zt_compare(at_end ? zt_sub(s, s.n - affix.n, s.n) : zt_sub(s, 0, affix.n), affix) == 0;
}

/* startswith and (x) endswith, of one or any of a tuple. */
static struct zt_val m_affix(struct zt_env *e, const struct zt_args *a)
{
    struct zt_val s = zt_self(e, a), x = a->v[0].kind == ZT_TUPLE ? a->v[0] : zt_tuple(e, a->v, 1);
    bool is = false;
    size_t from, to;

    part_of(e, a, s.n, &from, &to);
    for (size_t i = 0; i < x.u.l->n; i++)
        is |= from <= to && has_affix(e, zt_sub(s, from, to), x.u.l->v[i], a->x);
    return zt_bool(is);
}

/* removeprefix and (x) removesuffix */
static struct zt_val m_remove_affix(struct zt_env *e, const struct zt_args *a)
{
    struct zt_val s = zt_self(e, a);
    size_t n = has_affix(e, s, a->v[0], a->x) ? a->v[0].n : 0;

    return a->x ? zt_sub(s, 0, s.n - n) : zt_sub(s, n, s.n);
}

/* ---- padding -------------------------------------------------------------------------------- */

/* x: where the text goes */
struct zt_val zt_m_pad(struct zt_env *e, const struct zt_args *a)
{
    struct zt_val s = zt_self(e, a), fill = a->v[1];
    int64_t width = a->v[0].u.i, n = width > s.n ? width - s.n : 0;
    int64_t half = n / 2 + (n & width & 1); /* where Python's center puts the odd one */
    int64_t left = a->x == ZT_LEFT ? 0 : a->x == ZT_RIGHT ? n : half;
    struct zt_sb b = {.e = e};

    if (fill.n != 1)
        zt_fail(e, "the fill must be one character");
    zt_add_times(&b, fill, left);
    zt_add(&b, s);
    zt_add_times(&b, fill, n - left);
    return zt_markup(zt_take(&b), s.markup);
}

static struct zt_val m_zfill(struct zt_env *e, const struct zt_args *a)
{
    struct zt_val s = zt_self(e, a);
    size_t sign = s.n && (zt_char(s, 0) == '-' || zt_char(s, 0) == '+');
    struct zt_sb b = {.e = e};

    zt_add(&b, zt_sub(s, 0, sign));
    zt_add_times(&b, zt_text(e, "0", true), a->v[0].u.i - s.n);
    zt_add(&b, zt_sub(s, sign, s.n));
    return zt_markup(zt_take(&b), s.markup);
}

static struct zt_val m_expandtabs(struct zt_env *e, const struct zt_args *a)
{
    struct zt_val s = zt_self(e, a);
    int64_t size = a->v[0].u.i, column = 0;
    struct zt_sb b = {.e = e};

    for (size_t i = 0; i < s.n; i++) {
        uint32_t c = zt_char(s, i);
        int64_t n = c != '\t' ? 1 : size > 0 ? size - column % size : 0;
        if (c == '\t')
            zt_add_times(&b, zt_text(e, " ", zt_is_trusted(s, i)), n);
        else
            zt_add_char(&b, s.u.s[i]);
        column = c == '\n' || c == '\r' ? 0 : column + n;
    }
    return zt_markup(zt_take(&b), s.markup);
}

/* ---- the rest ------------------------------------------------------------------------------- */

static struct zt_val m_encode(struct zt_env *e, const struct zt_args *a)
{
    struct zt_sb b = {.e = e};

    for (const char *p = zt_utf8(e, zt_self(e, a)); *p; p++)
        zt_add_char(&b, (unsigned char)*p);
    struct zt_val s = zt_take(&b);
    s.bytes = true;
    return s;
}

/* x: 'k', 'v' or 'i' for keys, values or items */
struct zt_val zt_m_dict_view(struct zt_env *e, const struct zt_args *a)
{
    const struct zt_dict *d = a->self.u.d;
    struct zt_list *l = zt_list_new(e, d->n);

    for (size_t i = 0; i < d->n; i++) {
        struct zt_pair *p = &d->e[i];
        zt_push(e, l, a->x == 'k' ? p->k : a->x == 'v' ? p->v : zt_tuple(e, &p->k, 2));
    }
    l->text = a->x == 'k' ? "dict_keys" : a->x == 'v' ? "dict_values" : "dict_items";
    return zt_of_list(ZT_VIEW, l);
}

static ZT_FN(m_copy, a->self) /* nothing can change a value */

    static struct zt_val m_get(struct zt_env *e, const struct zt_args *a)
{
    const struct zt_val *v = zt_dict_get(e, a->self.u.d, a->v[0]);

    return v ? *v : ZT_IS_GIVEN(a->v[1]) ? a->v[1] : ZT_NONE_VALUE;
}

/* index and (x) count */
static struct zt_val m_list_find(struct zt_env *e, const struct zt_args *a)
{
    int64_t n = 0;

    for (size_t i = 0; i < a->self.u.l->n; i++) {
        if (!zt_is_equal(e, a->self.u.l->v[i], a->v[0]))
            continue;
        if (!a->x)
            return zt_int((int64_t)i, false);
        n++;
    }
    if (!a->x)
        zt_fail(e, "the value is not in the list");
    return zt_int(n, false);
}

static struct zt_val m_loop_cycle(struct zt_env *e, const struct zt_args *a)
{
    if (a->n == 0)
        zt_fail(e, "cycle needs values");
    return a->v[a->self.u.loop->i % (size_t)a->n];
}

static struct zt_val m_loop_changed(struct zt_env *e, const struct zt_args *a)
{
    struct zt_loop *loop = a->self.u.loop;
    struct zt_val before = loop->changed;

    loop->changed = zt_tuple(e, a->v, (size_t)a->n);
    return zt_bool(!ZT_IS_GIVEN(before) || !zt_is_equal(e, before, loop->changed));
}

/* next and (x) reset */
static struct zt_val m_cycler(struct zt_env *e, const struct zt_args *a)
{
    struct zt_list *l = a->self.u.l;
    struct zt_val v = a->x ? ZT_NONE_VALUE : l->v[l->pos];

    (void)e;
    l->pos = a->x ? 0 : (l->pos + 1) % l->n;
    return v;
}

static const struct zt_builtin str_methods[] = {
    {"strip", "chars:s?", zt_m_strip, ZT_BOTH},
    {"lstrip", "chars:s?", zt_m_strip, ZT_LEFT},
    {"rstrip", "chars:s?", zt_m_strip, ZT_RIGHT},
    {"split", "sep:s? maxsplit:i=-1", m_split, false},
    {"rsplit", "sep:s? maxsplit:i=-1", m_split, true},
    {"startswith", "prefix start? end?", m_affix, false},
    {"endswith", "suffix start? end?", m_affix, true},
    {"replace", "old:s new:s count:i=-1", zt_m_replace, 0},
    {"upper", "", zt_m_case, ZT_UPPER},
    {"lower", "", zt_m_case, ZT_LOWER},
    {"title", "", zt_m_case, ZT_TITLE},
    {"capitalize", "", zt_m_case, ZT_CAPITALIZE},
    {"swapcase", "", zt_m_case, ZT_SWAPCASE},
    {"casefold", "", zt_m_case, ZT_CASEFOLD},
    {"join", "iterable", m_join, 0},
    {"splitlines", "keepends:b", m_splitlines, 0},
    {"partition", "sep:s", m_partition, false},
    {"rpartition", "sep:s", m_partition, true},
    {"find", "sub:s start? end?", m_find, 0},
    {"rfind", "sub:s start? end?", m_find, 1},
    {"index", "sub:s start? end?", m_find, 2},
    {"rindex", "sub:s start? end?", m_find, 3},
    {"count", "sub:s start? end?", m_count, 0},
    {"removeprefix", "prefix:s", m_remove_affix, false},
    {"removesuffix", "suffix:s", m_remove_affix, true},
    {"center", "width:i fillchar:s=_", zt_m_pad, ZT_BOTH},
    {"ljust", "width:i fillchar:s=_", zt_m_pad, ZT_LEFT},
    {"rjust", "width:i fillchar:s=_", zt_m_pad, ZT_RIGHT},
    {"zfill", "width:i", m_zfill, 0},
    {"isalpha", "", m_is, LETTERS},
    {"isalnum", "", m_is, LETTERS | NUMERALS},
    {"isdigit", "", m_is, DIGIT},
    {"isdecimal", "", m_is, CATEGORY(ND)},
    {"isnumeric", "", m_is, NUMERALS},
    {"isspace", "", m_is, SPACE},
    {"isascii", "", m_is, ASCII},
    {"isprintable", "", m_is, PRINTABLE},
    {"isupper", "", m_is, UPPER},
    {"islower", "", m_is, LOWER},
    {"istitle", "", m_is, TITLE},
    {"expandtabs", "tabsize:i=8", m_expandtabs, 0},
    {"format", NULL, zt_format_braces, 0},
    {"encode", "encoding? errors?", m_encode, 0},
    {0},
};

/* A method without a function is one that the sandbox refuses. */
static const struct zt_builtin dict_methods[] = {
    {"get", "key default?", m_get, 0},
    {"items", "", zt_m_dict_view, 'i'},
    {"keys", "", zt_m_dict_view, 'k'},
    {"values", "", zt_m_dict_view, 'v'},
    {"copy", "", m_copy, 0},
    {.name = "pop"},
    {.name = "popitem"},
    {.name = "update"},
    {.name = "clear"},
    {.name = "setdefault"},
    {0},
};

static const struct zt_builtin list_methods[] = {
    {"index", "value", m_list_find, false},
    {"count", "value", m_list_find, true},
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

static const struct zt_builtin tuple_methods[] = {
    {"index", "value", m_list_find, false},
    {"count", "value", m_list_find, true},
    {0},
};

static const struct zt_builtin loop_methods[] = {
    {"cycle", NULL, m_loop_cycle, 0},
    {"changed", NULL, m_loop_changed, 0},
    {0},
};

static const struct zt_builtin cycler_methods[] = {
    {"next", "", m_cycler, false},
    {"reset", "", m_cycler, true},
    {0},
};

const struct zt_builtin *zt_find_method(enum zt_kind kind, struct zt_val name)
{
    static const struct zt_builtin *const of[ZT_N_KINDS] = {
        [ZT_STR] = str_methods,       [ZT_LIST] = list_methods, [ZT_TUPLE] = tuple_methods,
        [ZT_RANGE] = tuple_methods,   [ZT_DICT] = dict_methods, [ZT_LOOP] = loop_methods,
        [ZT_CYCLER] = cycler_methods,
    };

    return of[kind] ? zt_find_builtin(of[kind], name) : NULL;
}
