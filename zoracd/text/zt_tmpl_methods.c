/* SPDX-License-Identifier: MIT */
/* The methods of Python's str, list, tuple and dict that a template may call. They take what they
 * work on through str(), so that the filters of the same name are the same functions. Each byte of
 * a result is as trusted as the byte that it came from. */
#include "config.h"

#include "zoracd/text/zt_tmpl_internal.h"

#include <string.h>
#include <utf8proc.h>

/* What a filter or method works on, as a string. */
static const struct zt_str *self(struct zt_env *e, const struct zt_args *a)
{
    return zt_to_str(e, a->self);
}

/* What was built from s: Markup if s is. */
static struct zt_val made_of(const struct zt_str *s, struct zt_sb *b)
{
    return zt_of_str(zt_str_markup(b->e, zt_sb_take(b), s->markup));
}

/* ---- case and classes of characters --------------------------------------------------------- */

static utf8proc_category_t category(uint32_t c)
{
    return utf8proc_category((utf8proc_int32_t)c);
}

static bool is_upper(uint32_t c)
{
    return category(c) == UTF8PROC_CATEGORY_LU;
}

static bool is_lower(uint32_t c)
{
    return category(c) == UTF8PROC_CATEGORY_LL;
}

static bool is_cased(uint32_t c)
{
    return is_upper(c) || is_lower(c) || category(c) == UTF8PROC_CATEGORY_LT;
}

static bool is_alpha(uint32_t c)
{
    return category(c) >= UTF8PROC_CATEGORY_LU && category(c) <= UTF8PROC_CATEGORY_LO;
}

static bool is_digit(uint32_t c)
{
    return category(c) == UTF8PROC_CATEGORY_ND;
}

static bool is_numeric(uint32_t c)
{
    return category(c) >= UTF8PROC_CATEGORY_ND && category(c) <= UTF8PROC_CATEGORY_NO;
}

bool zt_char_is_alnum(uint32_t c)
{
    return is_alpha(c) || is_numeric(c);
}

static bool is_ascii(uint32_t c)
{
    return c < 0x80;
}

static bool is_all(const struct zt_str *s, bool (*is)(uint32_t))
{
    for (size_t i = 0, n; i < s->len; i += n)
        if (!is(zt_char_at(s->p + i, s->len - i, &n)))
            return false;
    return s->len > 0;
}

bool zt_str_is_case(const struct zt_str *s, bool upper)
{
    bool found = false;

    for (size_t i = 0, n; i < s->len; i += n) {
        uint32_t c = zt_char_at(s->p + i, s->len - i, &n);
        if (is_cased(c) && is_upper(c) != upper)
            return false;
        found |= is_cased(c);
    }
    return found;
}

enum letter_case { LOWER, UPPER, TITLE };

/* The mapping of a small letter where it is longer than a character: of ß and ligatures. */
static bool add_long_case(struct zt_sb *b, uint32_t c, enum letter_case to, bool trusted)
{
    utf8proc_int32_t parts[8] = {'s', 's'};
    int boundary = 0, n = 2;

    if (to == LOWER || !is_lower(c))
        return false;
    if (c != 0xdf)
        n = (int)utf8proc_decompose_char((utf8proc_int32_t)c, parts, 8,
                                         UTF8PROC_DECOMPOSE | UTF8PROC_COMPAT, &boundary);
    for (int i = 0; i < n && n > 1 && n <= 8; i++)
        zt_sb_add_char(b, (uint32_t)(i && to == TITLE ? parts[i] : utf8proc_toupper(parts[i])),
                       trusted);
    return n > 1 && n <= 8;
}

/* Whether the capital sigma at byte i ends a word, where its small form is another letter. */
static bool is_final_sigma(const struct zt_str *s, size_t i)
{
    size_t n, before = i;

    while (before > 0 && ((unsigned char)s->p[--before] & 0xc0) == 0x80)
        ;
    return i > 0 && is_cased(zt_char_at(s->p + before, i - before, &n)) &&
           (i + 2 >= s->len || !is_cased(zt_char_at(s->p + i + 2, s->len - i - 2, &n)));
}

static void add_cased(struct zt_sb *b, const struct zt_str *s, size_t i, uint32_t c,
                      enum letter_case to)
{
    utf8proc_int32_t cp = (utf8proc_int32_t)c;
    utf8proc_int32_t mapped = to == LOWER   ? utf8proc_tolower(cp)
                              : to == UPPER ? utf8proc_toupper(cp)
                                            : utf8proc_totitle(cp);
    bool trusted = zt_str_is_trusted_at(s, i);

    if (to == LOWER && c == 0x3a3 && is_final_sigma(s, i))
        zt_sb_add_char(b, 0x3c2, trusted);
    else if (to == LOWER && c == 0x130)
        zt_sb_adds(b, "i\xcc\x87", trusted);
    else if ((mapped != cp && c != 0xdf) || !add_long_case(b, c, to, trusted))
        zt_sb_add_char(b, (uint32_t)mapped, trusted);
}

/* mode: the first letter of upper, lower, swapcase, title, capitalize. */
static struct zt_val change_case(struct zt_env *e, const struct zt_args *a, char mode)
{
    const struct zt_str *s = self(e, a);
    bool in_word = false;
    struct zt_sb b;

    zt_sb_init(&b, e);
    for (size_t i = 0, n; i < s->len; i += n) {
        uint32_t c = zt_char_at(s->p + i, s->len - i, &n);
        bool up = mode == 'u' || (mode == 's' && is_lower(c));
        bool title = (mode == 't' || mode == 'c') && !in_word;
        add_cased(&b, s, i, c, up ? UPPER : title ? TITLE : LOWER);
        in_word = mode == 'c' || is_cased(c);
    }
    return made_of(s, &b);
}

ZT_FN(zt_m_upper, change_case(e, a, 'u'));
ZT_FN(zt_m_lower, change_case(e, a, 'l'));
ZT_FN(zt_m_capitalize, change_case(e, a, 'c'));
static ZT_FN(m_title, change_case(e, a, 't'));
static ZT_FN(m_swapcase, change_case(e, a, 's'));
static ZT_FN(m_isalpha, zt_bool(is_all(self(e, a), is_alpha)));
static ZT_FN(m_isdigit, zt_bool(is_all(self(e, a), is_digit)));
static ZT_FN(m_isnumeric, zt_bool(is_all(self(e, a), is_numeric)));
static ZT_FN(m_isalnum, zt_bool(is_all(self(e, a), zt_char_is_alnum)));
static ZT_FN(m_isspace, zt_bool(is_all(self(e, a), zt_char_is_space)));
static ZT_FN(m_isascii, zt_bool(self(e, a)->len == 0 || is_all(self(e, a), is_ascii)));
static ZT_FN(m_isprintable,
             zt_bool(self(e, a)->len == 0 || is_all(self(e, a), zt_char_is_printable)));
static ZT_FN(m_isupper, zt_bool(zt_str_is_case(self(e, a), true)));
static ZT_FN(m_islower, zt_bool(zt_str_is_case(self(e, a), false)));

static struct zt_val m_casefold(struct zt_env *e, const struct zt_args *a)
{
    const struct zt_str *s = self(e, a);
    utf8proc_int32_t folded[8];
    struct zt_sb b;

    zt_sb_init(&b, e);
    for (size_t i = 0, n; i < s->len; i += n) {
        uint32_t c = zt_char_at(s->p + i, s->len - i, &n);
        int boundary = 0;
        int parts = (int)utf8proc_decompose_char((utf8proc_int32_t)c, folded, 8, UTF8PROC_CASEFOLD,
                                                 &boundary);
        for (int k = 0; k < parts && k < 8; k++)
            zt_sb_add_char(&b, (uint32_t)folded[k], zt_str_is_trusted_at(s, i));
    }
    return made_of(s, &b);
}

static struct zt_val m_istitle(struct zt_env *e, const struct zt_args *a)
{
    const struct zt_str *s = self(e, a);
    bool in_word = false, found = false;

    for (size_t i = 0, n; i < s->len; i += n) {
        uint32_t c = zt_char_at(s->p + i, s->len - i, &n);
        if (is_cased(c) && is_lower(c) != in_word)
            return zt_bool(false);
        in_word = is_cased(c);
        found |= in_word;
    }
    return zt_bool(found);
}

/* ---- strip and split ------------------------------------------------------------------------ */

enum side { LEFT = 1, RIGHT = 2, BOTH = 3 };

/* Whether strip() takes the character at p away; set NULL: white space. */
static bool is_stripped(const char *p, size_t len, const struct zt_str *set, size_t *ret_n)
{
    uint32_t c = zt_char_at(p, len, ret_n);

    return set ? set->len && memmem(set->p, set->len, p, *ret_n) != NULL : zt_char_is_space(c);
}

static const struct zt_str *strip(struct zt_env *e, const struct zt_str *s,
                                  const struct zt_str *set, enum side sides)
{
    size_t from = 0, to = s->len, n, start;

    while ((sides & LEFT) && from < to && is_stripped(s->p + from, to - from, set, &n))
        from += n;
    for (; (sides & RIGHT) && to > from; to = start) {
        for (start = to - 1; start > from && ((unsigned char)s->p[start] & 0xc0) == 0x80;)
            start--;
        if (!is_stripped(s->p + start, to - start, set, &n))
            break;
    }
    return zt_str_sub(e, s, from, to - from);
}

ZT_FN(zt_m_strip, zt_of_str(strip(e, self(e, a), zt_arg_str(e, a, 0, NULL), BOTH)));
static ZT_FN(m_lstrip, zt_of_str(strip(e, self(e, a), zt_arg_str(e, a, 0, NULL), LEFT)));
ZT_FN(zt_m_rstrip, zt_of_str(strip(e, self(e, a), zt_arg_str(e, a, 0, NULL), RIGHT)));

/* Where sub begins in from .. to of s, first or last; SIZE_MAX if it does not. */
static size_t find(struct zt_env *e, const struct zt_str *s, size_t from, size_t to,
                   const struct zt_str *sub, bool last)
{
    if (sub->len > to - from)
        return SIZE_MAX;
    if (!last) {
        const char *at = sub->len ? memmem(s->p + from, to - from, sub->p, sub->len) : s->p + from;
        return at ? (size_t)(at - s->p) : SIZE_MAX;
    }
    zt_step(e, (to - from) / 16);
    for (size_t i = to - sub->len + 1; i-- > from;)
        if (memcmp(s->p + i, sub->p, sub->len) == 0)
            return i;
    return SIZE_MAX;
}

static void add_part(struct zt_env *e, struct zt_list *l, const struct zt_str *s, size_t from,
                     size_t to)
{
    zt_step(e, 1);
    zt_list_add(e, l, zt_of_str(zt_str_sub(e, s, from, to - from)));
}

/* The parts between separators, at most max separators from the left or the right; from the right
 * the parts come in reverse. */
static void split_at(struct zt_env *e, struct zt_list *l, const struct zt_str *s,
                     const struct zt_str *sep, int64_t max, bool right)
{
    size_t from = 0, to = s->len, at;

    if (sep->len == 0)
        zt_fail(e, "an empty separator");
    for (; max != 0 && (at = find(e, s, from, to, sep, right)) != SIZE_MAX; max--) {
        add_part(e, l, s, right ? at + sep->len : from, right ? to : at);
        from = right ? from : at + sep->len;
        to = right ? at : to;
    }
    add_part(e, l, s, from, to);
}

/* The same with runs of white space as separators, none at the ends. */
static void split_words(struct zt_env *e, struct zt_list *l, const struct zt_str *s, int64_t max,
                        bool right)
{
    for (s = strip(e, s, NULL, right ? RIGHT : LEFT); s->len && max != 0; max--) {
        size_t word = 0, n; /* where the space is that ends or begins the word */
        size_t end = s->len;
        for (size_t i = 0; i < s->len && (right || end == s->len); i += n)
            if (zt_char_is_space(zt_char_at(s->p + i, s->len - i, &n))) {
                end = right ? end : i;
                word = right ? i + n : word;
            }
        add_part(e, l, s, word, end);
        s = zt_str_sub(e, s, right ? 0 : end, right ? word : s->len - end);
        s = strip(e, s, NULL, right ? RIGHT : LEFT);
    }
    if (s->len)
        zt_list_add(e, l, zt_of_str(s));
}

static struct zt_val split(struct zt_env *e, const struct zt_args *a, bool right)
{
    const struct zt_str *s = self(e, a), *sep = zt_arg_str(e, a, 0, NULL);
    int64_t max = zt_arg_int(e, a, 1, -1);
    struct zt_list *l = zt_list_new(e, 4);

    if (sep)
        split_at(e, l, s, sep, max, right);
    else
        split_words(e, l, s, max, right);
    for (size_t i = 0; right && i < l->n / 2; i++) {
        struct zt_val v = l->v[i];
        l->v[i] = l->v[l->n - 1 - i];
        l->v[l->n - 1 - i] = v;
    }
    return zt_of_list(ZT_LIST, l);
}

ZT_FN(zt_m_split, split(e, a, false));
static ZT_FN(m_rsplit, split(e, a, true));

struct zt_list *zt_split_lines(struct zt_env *e, const struct zt_str *s, bool keep)
{
    struct zt_list *l = zt_list_new(e, 4);
    size_t start = 0;

    for (size_t i = 0, n; i < s->len; i += n) {
        uint32_t c = zt_char_at(s->p + i, s->len - i, &n);
        bool ends = (c >= 10 && c <= 13) || (c >= 0x1c && c <= 0x1e) || c == 0x85 || c == 0x2028 ||
                    c == 0x2029;
        n += c == '\r' && i + 1 < s->len && s->p[i + 1] == '\n';
        if (!ends)
            continue;
        add_part(e, l, s, start, keep ? i + n : i);
        start = i + n;
    }
    if (start < s->len)
        add_part(e, l, s, start, s->len);
    return l;
}

static ZT_FN(m_splitlines, zt_of_list(ZT_LIST, zt_split_lines(e, self(e, a), zt_is_true(a->v[0]))));

static struct zt_val partition(struct zt_env *e, const struct zt_args *a, bool right)
{
    const struct zt_str *s = self(e, a), *sep = zt_need_str(e, a->v[0]);
    struct zt_list *l = zt_list_new(e, 3);
    size_t at = find(e, s, 0, s->len, sep, right), n = sep->len;

    if (at == SIZE_MAX) {
        at = right ? 0 : s->len;
        n = 0;
    }
    add_part(e, l, s, 0, at);
    add_part(e, l, s, at, at + n);
    add_part(e, l, s, at + n, s->len);
    return zt_of_list(ZT_TUPLE, l);
}

static ZT_FN(m_partition, partition(e, a, false));
static ZT_FN(m_rpartition, partition(e, a, true));

/* ---- replace and join ----------------------------------------------------------------------- */

struct zt_val zt_m_replace(struct zt_env *e, const struct zt_args *a)
{
    const struct zt_str *s = self(e, a), *old = zt_to_str(e, a->v[0]), *by = zt_to_str(e, a->v[1]);
    int64_t count = zt_arg_int(e, a, 2, -1);
    size_t from = 0, at, n;
    struct zt_sb b;

    if (s->markup) {
        old = zt_str_escape(e, old);
        by = zt_str_escape(e, by);
    }
    zt_sb_init(&b, e);
    for (; count != 0 && (at = find(e, s, from, s->len, old, false)) != SIZE_MAX; count--) {
        zt_step(e, 1);
        zt_sb_add_sub(&b, s, from, at - from);
        zt_sb_add_str(&b, by);
        from = at + old->len;
        if (old->len)
            continue;
        if (from == s->len) /* nothing, before each character and at the end */
            break;
        zt_char_at(s->p + from, s->len - from, &n);
        zt_sb_add_sub(&b, s, from, n);
        from += n;
    }
    zt_sb_add_sub(&b, s, from, s->len - from);
    return made_of(s, &b);
}

static struct zt_val m_join(struct zt_env *e, const struct zt_args *a)
{
    const struct zt_str *s = self(e, a);
    struct zt_list *l = zt_items(e, a->v[0]);
    struct zt_sb b;

    zt_sb_init(&b, e);
    for (size_t i = 0; i < l->n; i++) {
        const struct zt_str *item = zt_need_str(e, l->v[i]);
        zt_step(e, 1);
        if (i)
            zt_sb_add_str(&b, s);
        zt_sb_add_str(&b, s->markup ? zt_str_escape(e, item) : item);
    }
    return made_of(s, &b);
}

/* ---- search --------------------------------------------------------------------------------- */

/* The part of the string that the arguments start and end choose; NULL if start is behind it. */
static const struct zt_str *part_of(struct zt_env *e, const struct zt_args *a, int64_t *ret_start)
{
    const struct zt_str *s = self(e, a);
    int64_t n = (int64_t)s->chars, start = zt_arg_int(e, a, 1, 0);

    start = start < -n ? 0 : start < 0 ? start + n : start;
    *ret_start = start;
    struct zt_val part = zt_get_slice(e, zt_of_str(s), zt_int(start, true), a->v[2], zt_none());
    return start > n ? NULL : part.u.s;
}

/* The code point where the first argument is found; -1, or a failure if it must be there. */
static struct zt_val search(struct zt_env *e, const struct zt_args *a, bool last, bool must)
{
    int64_t start;
    const struct zt_str *s = part_of(e, a, &start), *sub = zt_need_str(e, a->v[0]);
    size_t at = s ? find(e, s, 0, s->len, sub, last) : SIZE_MAX;

    if (at == SIZE_MAX && must)
        zt_fail(e, "the substring is not there");
    return zt_int(at == SIZE_MAX ? -1 : start + (int64_t)zt_count_chars(s->p, at), false);
}

static ZT_FN(m_find, search(e, a, false, false));
static ZT_FN(m_rfind, search(e, a, true, false));
static ZT_FN(m_index, search(e, a, false, true));
static ZT_FN(m_rindex, search(e, a, true, true));

static struct zt_val m_count(struct zt_env *e, const struct zt_args *a)
{
    int64_t start, n = 0;
    const struct zt_str *s = part_of(e, a, &start), *sub = zt_need_str(e, a->v[0]);

    if (s && sub->len == 0)
        return zt_int((int64_t)s->chars + 1, false);
    for (size_t at = 0; s && (at = find(e, s, at, s->len, sub, false)) != SIZE_MAX; at += sub->len)
        n++;
    return zt_int(n, false);
}

static bool has_affix(const struct zt_str *s, const struct zt_str *affix, bool at_end)
{
    return affix->len <= s->len &&
           memcmp(s->p + (at_end ? s->len - affix->len : 0), affix->p, affix->len) == 0;
}

/* startswith and endswith, of one or any of a tuple. */
static struct zt_val affix(struct zt_env *e, const struct zt_args *a, bool at_end)
{
    int64_t start;
    const struct zt_str *s = part_of(e, a, &start);
    bool is = false;

    if (a->v[0].kind != ZT_TUPLE) {
        const struct zt_str *x = zt_need_str(e, a->v[0]);
        return zt_bool(s && has_affix(s, x, at_end));
    }
    for (size_t i = 0; s && i < a->v[0].u.l->n; i++)
        is |= has_affix(s, zt_need_str(e, a->v[0].u.l->v[i]), at_end);
    return zt_bool(is);
}

static ZT_FN(m_startswith, affix(e, a, false));
static ZT_FN(m_endswith, affix(e, a, true));

static struct zt_val remove_affix(struct zt_env *e, const struct zt_args *a, bool at_end)
{
    const struct zt_str *s = self(e, a), *x = zt_need_str(e, a->v[0]);
    size_t n = has_affix(s, x, at_end) ? x->len : 0;

    return zt_of_str(zt_str_sub(e, s, at_end ? 0 : n, s->len - n));
}

static ZT_FN(m_removeprefix, remove_affix(e, a, false));
static ZT_FN(m_removesuffix, remove_affix(e, a, true));

/* ---- padding -------------------------------------------------------------------------------- */

static struct zt_val pad(struct zt_env *e, const struct zt_args *a, enum side side)
{
    const struct zt_str *s = self(e, a), *fill = zt_arg_str(e, a, 1, " ");
    int64_t width = zt_arg_int(e, a, 0, 80), n = width - (int64_t)s->chars;
    size_t total = n > 0 ? (size_t)n : 0;
    /* where Python's center puts the odd one */
    size_t half = total / 2 + (total & (size_t)width & 1);
    size_t left = side == RIGHT ? 0 : side == LEFT ? total : half;
    struct zt_sb b;

    if (fill->chars != 1)
        zt_fail(e, "the fill must be one character");
    zt_sb_init(&b, e);
    zt_sb_pad(&b, left, fill);
    zt_sb_add_str(&b, s);
    zt_sb_pad(&b, total - left, fill);
    return made_of(s, &b);
}

ZT_FN(zt_m_center, pad(e, a, BOTH));
static ZT_FN(m_ljust, pad(e, a, RIGHT));
static ZT_FN(m_rjust, pad(e, a, LEFT));

static struct zt_val m_zfill(struct zt_env *e, const struct zt_args *a)
{
    const struct zt_str *s = self(e, a);
    int64_t n = zt_need_int(e, a->v[0]) - (int64_t)s->chars;
    size_t sign = s->len && (s->p[0] == '-' || s->p[0] == '+');
    struct zt_sb b;

    zt_sb_init(&b, e);
    zt_sb_add_sub(&b, s, 0, sign);
    zt_sb_pad(&b, n > 0 ? (size_t)n : 0, zt_str_of(e, "0", true));
    zt_sb_add_sub(&b, s, sign, s->len - sign);
    return made_of(s, &b);
}

static struct zt_val m_expandtabs(struct zt_env *e, const struct zt_args *a)
{
    const struct zt_str *s = self(e, a);
    int64_t size = zt_arg_int(e, a, 0, 8);
    size_t column = 0;
    struct zt_sb b;

    zt_sb_init(&b, e);
    for (size_t i = 0; i < s->len; i++) {
        char c = s->p[i];
        size_t n = size > 0 ? (size_t)size - column % (size_t)size : 0;
        if (c == '\t')
            zt_sb_pad(&b, n, zt_str_of(e, " ", zt_str_is_trusted_at(s, i)));
        else
            zt_sb_add_sub(&b, s, i, 1);
        column = c == '\n' || c == '\r' ? 0 : column + (c == '\t' ? n : (c & 0xc0) != 0x80);
    }
    return made_of(s, &b);
}

/* ---- the rest ------------------------------------------------------------------------------- */

static struct zt_val m_encode(struct zt_env *e, const struct zt_args *a)
{
    struct zt_str *s = zt_alloc(e, 1, sizeof *s);

    *s = *self(e, a);
    s->bytes = true;
    return zt_of_str(s);
}

/* what: 'k', 'v' or 'i' for keys, values or items. */
static struct zt_val dict_view(struct zt_env *e, const struct zt_args *a, char what)
{
    const struct zt_dict *d = a->self.u.d;
    struct zt_list *l = zt_list_new(e, d->n);

    for (size_t i = 0; i < d->n; i++)
        zt_list_add(e, l,
                    what == 'k'   ? d->e[i].k
                    : what == 'v' ? d->e[i].v
                                  : zt_tuple2(e, d->e[i].k, d->e[i].v));
    l->text = what == 'k' ? "dict_keys" : what == 'v' ? "dict_values" : "dict_items";
    return zt_of_list(ZT_VIEW, l);
}

ZT_FN(zt_m_items, dict_view(e, a, 'i'));
static ZT_FN(m_keys, dict_view(e, a, 'k'));
static ZT_FN(m_values, dict_view(e, a, 'v'));
static ZT_FN(m_format, zt_format_braces(e, self(e, a), a));
static ZT_FN(m_copy, a->self); /* nothing can change a value */

static struct zt_val m_get(struct zt_env *e, const struct zt_args *a)
{
    const struct zt_val *v = zt_dict_get(e, a->self.u.d, a->v[0]);

    if (!v && (a->v[0].kind == ZT_LIST || a->v[0].kind == ZT_DICT))
        zt_fail(e, "%s cannot be a key", zt_type_name(a->v[0]));
    return v ? *v : a->v[1].kind == ZT_UNSET ? zt_none() : a->v[1];
}

static struct zt_val m_list_index(struct zt_env *e, const struct zt_args *a)
{
    for (size_t i = 0; i < a->self.u.l->n; i++)
        if (zt_is_equal(e, a->self.u.l->v[i], a->v[0]))
            return zt_int((int64_t)i, false);
    zt_fail(e, "the value is not in the list");
}

static struct zt_val m_list_count(struct zt_env *e, const struct zt_args *a)
{
    int64_t n = 0;

    for (size_t i = 0; i < a->self.u.l->n; i++)
        n += zt_is_equal(e, a->self.u.l->v[i], a->v[0]);
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
    struct zt_val now = zt_args_tuple(e, a), before = zt_of_list(ZT_TUPLE, loop->changed);
    bool same = loop->changed && zt_is_equal(e, now, before);

    loop->changed = now.u.l;
    return zt_bool(!same);
}

static struct zt_val m_cycler_next(struct zt_env *e, const struct zt_args *a)
{
    struct zt_list *l = a->self.u.l;
    struct zt_val v = l->v[l->pos];

    l->pos = (l->pos + 1) % l->n;
    return v;
}

static struct zt_val m_cycler_reset(struct zt_env *e, const struct zt_args *a)
{
    a->self.u.l->pos = 0;
    return zt_none();
}

/* A method without a function is one that the sandbox refuses. */
static const struct zt_builtin str_methods[] = {
    {"strip", zt_m_strip, "chars", 0},
    {"split", zt_m_split, "sep,maxsplit", 0},
    {"startswith", m_startswith, "prefix,start,end", 1},
    {"endswith", m_endswith, "suffix,start,end", 1},
    {"lstrip", m_lstrip, "chars", 0},
    {"rstrip", zt_m_rstrip, "chars", 0},
    {"replace", zt_m_replace, "old,new,count", 2},
    {"upper", zt_m_upper, "", 0},
    {"lower", zt_m_lower, "", 0},
    {"casefold", m_casefold, "", 0},
    {"title", m_title, "", 0},
    {"capitalize", zt_m_capitalize, "", 0},
    {"swapcase", m_swapcase, "", 0},
    {"join", m_join, "iterable", 1},
    {"rsplit", m_rsplit, "sep,maxsplit", 0},
    {"splitlines", m_splitlines, "keepends", 0},
    {"partition", m_partition, "sep", 1},
    {"rpartition", m_rpartition, "sep", 1},
    {"find", m_find, "sub,start,end", 1},
    {"rfind", m_rfind, "sub,start,end", 1},
    {"index", m_index, "sub,start,end", 1},
    {"rindex", m_rindex, "sub,start,end", 1},
    {"count", m_count, "sub,start,end", 1},
    {"removeprefix", m_removeprefix, "prefix", 1},
    {"removesuffix", m_removesuffix, "suffix", 1},
    {"center", zt_m_center, "width,fillchar", 1},
    {"ljust", m_ljust, "width,fillchar", 1},
    {"rjust", m_rjust, "width,fillchar", 1},
    {"zfill", m_zfill, "width", 1},
    {"isalpha", m_isalpha, "", 0},
    {"isdigit", m_isdigit, "", 0},
    {"isdecimal", m_isdigit, "", 0},
    {"isnumeric", m_isnumeric, "", 0},
    {"isalnum", m_isalnum, "", 0},
    {"isspace", m_isspace, "", 0},
    {"isascii", m_isascii, "", 0},
    {"isupper", m_isupper, "", 0},
    {"islower", m_islower, "", 0},
    {"istitle", m_istitle, "", 0},
    {"isprintable", m_isprintable, "", 0},
    {"expandtabs", m_expandtabs, "tabsize", 0},
    {"format", m_format, NULL, 0},
    {"encode", m_encode, "encoding,errors", 0},
    {0},
};

static const struct zt_builtin dict_methods[] = {
    {"get", m_get, "key,default", 1},
    {"items", zt_m_items, "", 0},
    {"keys", m_keys, "", 0},
    {"values", m_values, "", 0},
    {"copy", m_copy, "", 0},
    {.name = "pop"},
    {.name = "popitem"},
    {.name = "update"},
    {.name = "clear"},
    {.name = "setdefault"},
    {0},
};

static const struct zt_builtin list_methods[] = {
    {"copy", m_copy, "", 0}, {.name = "append"},
    {.name = "extend"},      {.name = "insert"},
    {.name = "remove"},      {.name = "pop"},
    {.name = "clear"},       {.name = "sort"},
    {.name = "reverse"},     {0},
};

static const struct zt_builtin tuple_methods[] = {
    {"index", m_list_index, "value", 1},
    {"count", m_list_count, "value", 1},
    {0},
};

static const struct zt_builtin loop_methods[] = {
    {"cycle", m_loop_cycle, NULL, 0},
    {"changed", m_loop_changed, NULL, 0},
    {0},
};

static const struct zt_builtin cycler_methods[] = {
    {"next", m_cycler_next, "", 0},
    {"reset", m_cycler_reset, "", 0},
    {0},
};

const struct zt_builtin *zt_find_builtin(const struct zt_builtin *table, const struct zt_str *name)
{
    while (table->name && !zt_str_is(name, table->name))
        table++;
    return table->name ? table : NULL;
}

const struct zt_builtin *zt_find_method(enum zt_kind kind, const struct zt_str *name)
{
    static const struct zt_builtin *const of[ZT_N_KINDS] = {
        [ZT_STR] = str_methods,       [ZT_LIST] = list_methods, [ZT_TUPLE] = tuple_methods,
        [ZT_RANGE] = tuple_methods,   [ZT_DICT] = dict_methods, [ZT_LOOP] = loop_methods,
        [ZT_CYCLER] = cycler_methods,
    };
    const struct zt_builtin *fn = of[kind] ? zt_find_builtin(of[kind], name) : NULL;

    return !fn && kind == ZT_LIST ? zt_find_builtin(tuple_methods, name) : fn;
}
