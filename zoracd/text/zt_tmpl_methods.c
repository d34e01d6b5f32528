/* SPDX-License-Identifier: MIT */
/* The methods of Python's str, list, tuple and dict that a template may call. They take what they
 * work on through str(), so that the filters of the same name are the same functions. Each byte of
 * a result is as trusted as the byte that it came from. */
#include "config.h"

#include "zoracd/text/zt_tmpl_internal.h"

#include <string.h>
#include <utf8proc.h>

/* What a filter or method works on, as a string. */
static const struct zt_str *self(struct zt_run *r, const struct zt_args *a)
{
    return zt_to_str(&r->env, a->self);
}

static struct zt_val as_markup_of(struct zt_run *r, const struct zt_str *s, struct zt_sb *b)
{
    return zt_of_str(zt_str_markup(&r->env, zt_sb_take(b), s->markup));
}

/* ---- case ------------------------------------------------------------------------------------ */

enum letter_case { LOWER, UPPER, TITLE };

/* The full mapping where it is longer than a character: ß, ligatures and what is like them. */
static bool add_long_case(struct zt_sb *b, uint32_t c, enum letter_case to, bool trusted)
{
    utf8proc_int32_t parts[8];
    int boundary = 0, n = 2;

    if (to == LOWER || utf8proc_category((utf8proc_int32_t)c) != UTF8PROC_CATEGORY_LL)
        return false;
    if (c == 0xdf)
        parts[0] = parts[1] = 's';
    else
        n = (int)utf8proc_decompose_char((utf8proc_int32_t)c, parts, 8,
                                         UTF8PROC_DECOMPOSE | UTF8PROC_COMPAT, &boundary);
    if (n < 2 || n > 8)
        return false;
    for (int i = 0; i < n; i++)
        zt_sb_add_char(b, (uint32_t)(i && to == TITLE ? parts[i] : utf8proc_toupper(parts[i])),
                       trusted);
    return true;
}

static void add_cased(struct zt_sb *b, uint32_t c, enum letter_case to, bool trusted)
{
    utf8proc_int32_t cp = (utf8proc_int32_t)c;
    utf8proc_int32_t mapped = to == LOWER   ? utf8proc_tolower(cp)
                              : to == UPPER ? utf8proc_toupper(cp)
                                            : utf8proc_totitle(cp);

    if ((mapped != cp && c != 0xdf) || !add_long_case(b, c, to, trusted))
        zt_sb_add_char(b, (uint32_t)mapped, trusted);
}

static bool is_upper(uint32_t c)
{
    return utf8proc_category((utf8proc_int32_t)c) == UTF8PROC_CATEGORY_LU;
}

static bool is_lower(uint32_t c)
{
    return utf8proc_category((utf8proc_int32_t)c) == UTF8PROC_CATEGORY_LL;
}

static bool is_cased(uint32_t c)
{
    return is_upper(c) || is_lower(c) ||
           utf8proc_category((utf8proc_int32_t)c) == UTF8PROC_CATEGORY_LT;
}

/* Whether the capital sigma at byte i ends a word, where its small form is another letter. */
static bool is_final_sigma(const struct zt_str *s, size_t i)
{
    size_t n, before = i;

    while (before > 0 && ((unsigned char)s->p[--before] & 0xc0) == 0x80)
        ;
    bool starts = i == 0 || !is_cased(zt_char_at(s->p + before, i - before, &n));
    return !starts && (i + 2 >= s->len || !is_cased(zt_char_at(s->p + i + 2, s->len - i - 2, &n)));
}

/* mode: the method's first letter. */
static struct zt_val change_case(struct zt_run *r, const struct zt_str *s, char mode)
{
    struct zt_sb b;
    bool in_word = false;

    zt_sb_init(&b, &r->env);
    for (size_t i = 0, n; i < s->len; i += n) {
        uint32_t c = zt_char_at(s->p + i, s->len - i, &n);
        enum letter_case to = mode == 'u'   ? UPPER
                              : mode == 'l' ? LOWER
                              : mode == 's' ? is_upper(c)   ? LOWER
                                              : is_lower(c) ? UPPER
                                                            : LOWER
                              : in_word     ? LOWER
                                            : TITLE;
        bool trusted = zt_str_is_trusted_at(s, i);
        if (c == 0x3a3 && to == LOWER && is_final_sigma(s, i))
            zt_sb_add_char(&b, 0x3c2, trusted);
        else if (c == 0x130 && to == LOWER)
            zt_sb_adds(&b, "i\xcc\x87", trusted);
        else
            add_cased(&b, c, to, trusted);
        in_word = mode == 'c' || is_cased(c);
    }
    return as_markup_of(r, s, &b);
}

struct zt_val zt_m_upper(struct zt_run *r, const struct zt_args *a)
{
    return change_case(r, self(r, a), 'u');
}

struct zt_val zt_m_lower(struct zt_run *r, const struct zt_args *a)
{
    return change_case(r, self(r, a), 'l');
}

struct zt_val zt_m_capitalize(struct zt_run *r, const struct zt_args *a)
{
    return change_case(r, self(r, a), 'c');
}

static struct zt_val m_title(struct zt_run *r, const struct zt_args *a)
{
    return change_case(r, self(r, a), 't');
}

static struct zt_val m_swapcase(struct zt_run *r, const struct zt_args *a)
{
    return change_case(r, self(r, a), 's');
}

/* ---- questions about characters ---------------------------------------------------------------
 */

static bool is_alpha(uint32_t c)
{
    int cat = utf8proc_category((utf8proc_int32_t)c);

    return cat >= UTF8PROC_CATEGORY_LU && cat <= UTF8PROC_CATEGORY_LO;
}

static bool is_digit(uint32_t c)
{
    return utf8proc_category((utf8proc_int32_t)c) == UTF8PROC_CATEGORY_ND;
}

static bool is_numeric(uint32_t c)
{
    int cat = utf8proc_category((utf8proc_int32_t)c);

    return cat >= UTF8PROC_CATEGORY_ND && cat <= UTF8PROC_CATEGORY_NO;
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

/* A cased letter, and none of the other case. */
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

#define IS_ALL(name, is)                                                 \
    static struct zt_val name(struct zt_run *r, const struct zt_args *a) \
    {                                                                    \
        return zt_bool(is_all(self(r, a), is));                          \
    }
IS_ALL(m_isalpha, is_alpha)
IS_ALL(m_isdigit, is_digit)
IS_ALL(m_isnumeric, is_numeric)
IS_ALL(m_isalnum, zt_char_is_alnum)
IS_ALL(m_isspace, zt_char_is_space)

static struct zt_val m_isascii(struct zt_run *r, const struct zt_args *a)
{
    return zt_bool(a->self.u.s->len == 0 || is_all(self(r, a), is_ascii));
}

static struct zt_val m_isupper(struct zt_run *r, const struct zt_args *a)
{
    return zt_bool(zt_str_is_case(self(r, a), true));
}

static struct zt_val m_islower(struct zt_run *r, const struct zt_args *a)
{
    return zt_bool(zt_str_is_case(self(r, a), false));
}

static struct zt_val m_istitle(struct zt_run *r, const struct zt_args *a)
{
    const struct zt_str *s = self(r, a);
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

/* ---- strip, split, join, replace ------------------------------------------------------------- */

/* Whether strip() takes the character at p away; set NULL: white space. */
static bool is_stripped(const char *p, size_t len, const struct zt_str *set, size_t *ret_n)
{
    uint32_t c = zt_char_at(p, len, ret_n);

    return set ? set->len && memmem(set->p, set->len, p, *ret_n) != NULL : zt_char_is_space(c);
}

static struct zt_val strip(struct zt_run *r, const struct zt_args *a, bool left, bool right)
{
    const struct zt_str *s = self(r, a);
    const struct zt_str *set = zt_arg_str(r, a, 0, NULL);
    size_t from = 0, to = s->len, n, start;

    while (left && from < to && is_stripped(s->p + from, to - from, set, &n))
        from += n;
    for (; right && to > from; to = start) {
        for (start = to - 1; start > from && ((unsigned char)s->p[start] & 0xc0) == 0x80;)
            start--;
        if (!is_stripped(s->p + start, to - start, set, &n))
            break;
    }
    return zt_of_str(zt_str_sub(&r->env, s, from, to - from));
}

struct zt_val zt_m_strip(struct zt_run *r, const struct zt_args *a)
{
    return strip(r, a, true, true);
}

static struct zt_val m_lstrip(struct zt_run *r, const struct zt_args *a)
{
    return strip(r, a, true, false);
}

static struct zt_val m_rstrip(struct zt_run *r, const struct zt_args *a)
{
    return strip(r, a, false, true);
}

/* Where sep begins in from .. to of s, first or last; SIZE_MAX if it does not. */
static size_t find(const struct zt_str *s, size_t from, size_t to, const struct zt_str *sep,
                   bool last)
{
    if (sep->len > to - from)
        return SIZE_MAX;
    if (!last) {
        const char *at = sep->len ? memmem(s->p + from, to - from, sep->p, sep->len) : s->p + from;
        return at ? (size_t)(at - s->p) : SIZE_MAX;
    }
    for (size_t i = to - sep->len + 1; i-- > from;)
        if (memcmp(s->p + i, sep->p, sep->len) == 0)
            return i;
    return SIZE_MAX;
}

static void add_part(struct zt_run *r, struct zt_list *l, const struct zt_str *s, size_t from,
                     size_t to)
{
    zt_step(&r->env, 1);
    zt_list_add(&r->env, l, zt_of_str(zt_str_sub(&r->env, s, from, to - from)));
}

static void split_at(struct zt_run *r, struct zt_list *l, const struct zt_str *s,
                     const struct zt_str *sep, int64_t max, bool right)
{
    size_t from = 0, to = s->len, at;

    if (sep->len == 0)
        zt_fail(&r->env, "an empty separator");
    for (; max != 0 && (at = find(s, from, to, sep, right)) != SIZE_MAX; max--) {
        add_part(r, l, s, right ? at + sep->len : from, right ? to : at);
        from = right ? from : at + sep->len;
        to = right ? at : to;
    }
    add_part(r, l, s, from, to);
}

static void split_words(struct zt_run *r, struct zt_list *l, const struct zt_str *s, int64_t max,
                        bool right)
{
    struct zt_args none = {.v = (struct zt_val[]){{0}}, .self = zt_of_str(s)};
    struct zt_val rest = strip(r, &none, !right, right);

    while (rest.u.s->len) {
        const struct zt_str *t = rest.u.s;
        size_t i = 0, n = 0, word_end = t->len, word = 0;
        for (i = 0; i < t->len && max != 0; i += n) {
            bool space = zt_char_is_space(zt_char_at(t->p + i, t->len - i, &n));
            if (space && !right) {
                word_end = i;
                break;
            }
            word = space ? i + n : word;
        }
        if (max-- == 0) {
            none.self = rest;
            zt_list_add(&r->env, l, strip(r, &none, right ? false : false, right));
            return;
        }
        add_part(r, l, t, word, word_end);
        none.self = zt_of_str(
            zt_str_sub(&r->env, t, right ? 0 : word_end, right ? word : t->len - word_end));
        rest = strip(r, &none, !right, right);
    }
}

static struct zt_val split(struct zt_run *r, const struct zt_args *a, bool right)
{
    const struct zt_str *s = self(r, a), *sep = zt_arg_str(r, a, 0, NULL);
    int64_t max = zt_arg_int(r, a, 1, -1);
    struct zt_list *l = zt_list_new(&r->env, 4);

    if (sep)
        split_at(r, l, s, sep, max, right);
    else
        split_words(r, l, s, max, right);
    for (size_t i = 0; right && i < l->n / 2; i++) {
        struct zt_val v = l->v[i];
        l->v[i] = l->v[l->n - 1 - i];
        l->v[l->n - 1 - i] = v;
    }
    return zt_of_list(ZT_LIST, l);
}

static struct zt_val m_split(struct zt_run *r, const struct zt_args *a)
{
    return split(r, a, false);
}

static struct zt_val m_rsplit(struct zt_run *r, const struct zt_args *a)
{
    return split(r, a, true);
}

struct zt_list *zt_split_lines(struct zt_run *r, const struct zt_str *s, bool keep)
{
    struct zt_list *l = zt_list_new(&r->env, 4);
    size_t start = 0;

    for (size_t i = 0, n; i < s->len; i += n) {
        uint32_t c = zt_char_at(s->p + i, s->len - i, &n);
        if (!((c >= 10 && c <= 13) || (c >= 0x1c && c <= 0x1e) || c == 0x85 || c == 0x2028 ||
              c == 0x2029))
            continue;
        size_t end = i;
        n += c == '\r' && i + 1 < s->len && s->p[i + 1] == '\n';
        add_part(r, l, s, start, keep ? i + n : end);
        start = i + n;
    }
    if (start < s->len)
        add_part(r, l, s, start, s->len);
    return l;
}

static struct zt_val m_splitlines(struct zt_run *r, const struct zt_args *a)
{
    return zt_of_list(ZT_LIST, zt_split_lines(r, self(r, a), zt_is_true(a->v[0])));
}

static struct zt_val partition(struct zt_run *r, const struct zt_args *a, bool right)
{
    const struct zt_str *s = self(r, a), *sep = zt_need_str(&r->env, a->v[0]);
    struct zt_list *l = zt_list_new(&r->env, 3);
    size_t at = find(s, 0, s->len, sep, right);

    if (at == SIZE_MAX) {
        at = right ? 0 : s->len;
        sep = zt_str_sub(&r->env, s, 0, 0);
    }
    add_part(r, l, s, 0, at);
    zt_list_add(&r->env, l, zt_of_str(zt_str_sub(&r->env, s, at, sep->len)));
    add_part(r, l, s, at + sep->len, s->len);
    return zt_of_list(ZT_TUPLE, l);
}

static struct zt_val m_partition(struct zt_run *r, const struct zt_args *a)
{
    return partition(r, a, false);
}

static struct zt_val m_rpartition(struct zt_run *r, const struct zt_args *a)
{
    return partition(r, a, true);
}

struct zt_val zt_m_replace(struct zt_run *r, const struct zt_args *a)
{
    const struct zt_str *s = self(r, a), *old = zt_to_str(&r->env, a->v[0]);
    const struct zt_str *with = zt_to_str(&r->env, a->v[1]);
    int64_t count = zt_arg_int(r, a, 2, -1);
    size_t from = 0, at, n;
    struct zt_sb b;

    if (s->markup) {
        old = zt_str_escape(&r->env, old);
        with = zt_str_escape(&r->env, with);
    }
    zt_sb_init(&b, &r->env);
    for (; count != 0 && (at = find(s, from, s->len, old, false)) != SIZE_MAX; count--) {
        zt_step(&r->env, 1);
        zt_sb_add_sub(&b, s, from, at - from);
        zt_sb_add_str(&b, with);
        from = at + old->len;
        if (old->len)
            continue;
        if (from == s->len)
            break;
        zt_char_at(s->p + from, s->len - from, &n);
        zt_sb_add_sub(&b, s, from, n);
        from += n;
    }
    zt_sb_add_sub(&b, s, from, s->len - from);
    return as_markup_of(r, s, &b);
}

static struct zt_val m_join(struct zt_run *r, const struct zt_args *a)
{
    const struct zt_str *s = self(r, a);
    struct zt_list *l = zt_items(&r->env, a->v[0]);
    struct zt_sb b;

    zt_sb_init(&b, &r->env);
    for (size_t i = 0; i < l->n; i++) {
        const struct zt_str *item = zt_need_str(&r->env, l->v[i]);
        zt_step(&r->env, 1);
        if (i)
            zt_sb_add_str(&b, s);
        zt_sb_add_str(&b, s->markup ? zt_str_escape(&r->env, item) : item);
    }
    return as_markup_of(r, s, &b);
}

/* ---- search ---------------------------------------------------------------------------------- */

/* The part of the string that the arguments start and end choose, both by code points. */
static const struct zt_str *part_of(struct zt_run *r, const struct zt_args *a, int64_t *ret_start)
{
    struct zt_val none = zt_none(), part;
    const struct zt_str *s = self(r, a);
    int64_t n = (int64_t)s->chars, start = zt_arg_int(r, a, 1, 0);

    start = start < 0 ? start + n < 0 ? 0 : start + n : start;
    *ret_start = start;
    part = zt_get_slice(&r->env, zt_of_str(s), zt_int(start, true), a->v[2], none);
    return start > n ? NULL : part.u.s;
}

static int64_t search(struct zt_run *r, const struct zt_args *a, bool last)
{
    int64_t start;
    const struct zt_str *s = part_of(r, a, &start), *sub = zt_need_str(&r->env, a->v[0]);
    size_t at = s ? find(s, 0, s->len, sub, last) : SIZE_MAX;

    return at == SIZE_MAX ? -1 : start + (int64_t)zt_count_chars(s->p, at);
}

static struct zt_val m_find(struct zt_run *r, const struct zt_args *a)
{
    return zt_int(search(r, a, false), false);
}

static struct zt_val m_rfind(struct zt_run *r, const struct zt_args *a)
{
    return zt_int(search(r, a, true), false);
}

static struct zt_val must_find(struct zt_run *r, int64_t at)
{
    if (at < 0)
        zt_fail(&r->env, "the substring is not there");
    return zt_int(at, false);
}

static struct zt_val m_index(struct zt_run *r, const struct zt_args *a)
{
    return must_find(r, search(r, a, false));
}

static struct zt_val m_rindex(struct zt_run *r, const struct zt_args *a)
{
    return must_find(r, search(r, a, true));
}

static struct zt_val m_count(struct zt_run *r, const struct zt_args *a)
{
    int64_t start, n = 0;
    const struct zt_str *s = part_of(r, a, &start), *sub = zt_need_str(&r->env, a->v[0]);

    if (s && sub->len == 0)
        return zt_int((int64_t)s->chars + 1, false);
    for (size_t at = 0; s && (at = find(s, at, s->len, sub, false)) != SIZE_MAX; at += sub->len)
        n++;
    return zt_int(n, false);
}

static bool has_affix(const struct zt_str *s, const struct zt_str *affix, bool at_end)
{
    return affix->len <= s->len &&
           memcmp(s->p + (at_end ? s->len - affix->len : 0), affix->p, affix->len) == 0;
}

static struct zt_val affix(struct zt_run *r, const struct zt_args *a, bool at_end)
{
    int64_t start;
    const struct zt_str *s = part_of(r, a, &start);
    struct zt_val v = a->v[0];

    if (v.kind != ZT_TUPLE)
        return zt_bool(has_affix(s ? s : self(r, a), zt_need_str(&r->env, v), at_end) && s);
    for (size_t i = 0; s && i < v.u.l->n; i++)
        if (has_affix(s, zt_need_str(&r->env, v.u.l->v[i]), at_end))
            return zt_bool(true);
    return zt_bool(false);
}

static struct zt_val m_startswith(struct zt_run *r, const struct zt_args *a)
{
    return affix(r, a, false);
}

static struct zt_val m_endswith(struct zt_run *r, const struct zt_args *a)
{
    return affix(r, a, true);
}

static struct zt_val m_removeprefix(struct zt_run *r, const struct zt_args *a)
{
    const struct zt_str *s = self(r, a), *x = zt_need_str(&r->env, a->v[0]);

    return zt_of_str(has_affix(s, x, false) ? zt_str_sub(&r->env, s, x->len, s->len - x->len) : s);
}

static struct zt_val m_removesuffix(struct zt_run *r, const struct zt_args *a)
{
    const struct zt_str *s = self(r, a), *x = zt_need_str(&r->env, a->v[0]);

    return zt_of_str(has_affix(s, x, true) ? zt_str_sub(&r->env, s, 0, s->len - x->len) : s);
}

/* ---- padding --------------------------------------------------------------------------------- */

static struct zt_val pad(struct zt_run *r, const struct zt_args *a, char align)
{
    const struct zt_str *s = self(r, a), *fill = zt_arg_str(r, a, 1, NULL);
    int64_t width = zt_arg_int(r, a, 0, 80), n = width - (int64_t)s->chars;
    size_t total = n > 0 ? (size_t)n : 0;
    /* where Python's center puts the odd one */
    size_t left = align == '<' ? 0 : align == '>' ? total : total / 2 + (total & (size_t)width & 1);
    struct zt_sb b;

    if (fill && fill->chars != 1)
        zt_fail(&r->env, "the fill must be one character");
    zt_sb_init(&b, &r->env);
    for (size_t i = 0; i <= total; i++) {
        zt_step(&r->env, 1);
        if (i == left)
            zt_sb_add_str(&b, s);
        if (i < total && fill)
            zt_sb_add_str(&b, fill);
        else if (i < total)
            zt_sb_adds(&b, " ", true);
    }
    return as_markup_of(r, s, &b);
}

struct zt_val zt_m_center(struct zt_run *r, const struct zt_args *a)
{
    return pad(r, a, '^');
}

static struct zt_val m_ljust(struct zt_run *r, const struct zt_args *a)
{
    return pad(r, a, '<');
}

static struct zt_val m_rjust(struct zt_run *r, const struct zt_args *a)
{
    return pad(r, a, '>');
}

static struct zt_val m_zfill(struct zt_run *r, const struct zt_args *a)
{
    const struct zt_str *s = self(r, a);
    int64_t n = zt_need_int(&r->env, a->v[0]) - (int64_t)s->chars;
    size_t sign = s->len && (s->p[0] == '-' || s->p[0] == '+');
    struct zt_sb b;

    zt_sb_init(&b, &r->env);
    zt_sb_add_sub(&b, s, 0, sign);
    zt_sb_pad(&b, n > 0 ? (size_t)n : 0, "0", true);
    zt_sb_add_sub(&b, s, sign, s->len - sign);
    return as_markup_of(r, s, &b);
}

static struct zt_val m_expandtabs(struct zt_run *r, const struct zt_args *a)
{
    const struct zt_str *s = self(r, a);
    int64_t size = zt_arg_int(r, a, 0, 8);
    size_t column = 0;
    struct zt_sb b;

    zt_sb_init(&b, &r->env);
    for (size_t i = 0; i < s->len; i++) {
        char c = s->p[i];
        size_t n = size > 0 ? (size_t)size - column % (size_t)size : 0;
        if (c == '\t')
            zt_sb_pad(&b, n, " ", zt_str_is_trusted_at(s, i));
        else
            zt_sb_add_sub(&b, s, i, 1);
        column = c == '\n' || c == '\r' ? 0 : column + (c == '\t' ? n : (c & 0xc0) != 0x80);
    }
    return as_markup_of(r, s, &b);
}

/* ---- the rest -------------------------------------------------------------------------------- */

static struct zt_val m_format(struct zt_run *r, const struct zt_args *a)
{
    return zt_format_braces(&r->env, a->self.u.s, a);
}

static struct zt_val m_encode(struct zt_run *r, const struct zt_args *a)
{
    struct zt_str *s = zt_alloc(&r->env, 1, sizeof *s);

    *s = *a->self.u.s;
    s->bytes = true;
    return zt_of_str(s);
}

static struct zt_val dict_view(struct zt_run *r, const struct zt_args *a, const char *type)
{
    const struct zt_dict *d = a->self.u.d;
    struct zt_list *l = zt_list_new(&r->env, d->n);

    for (size_t i = 0; i < d->n; i++)
        zt_list_add(&r->env, l,
                    type[5] == 'k'   ? d->e[i].k
                    : type[5] == 'v' ? d->e[i].v
                                     : zt_tuple2(&r->env, d->e[i].k, d->e[i].v));
    l->text = type;
    return zt_of_list(ZT_VIEW, l);
}

struct zt_val zt_m_items(struct zt_run *r, const struct zt_args *a)
{
    return dict_view(r, a, "dict_items");
}

static struct zt_val m_keys(struct zt_run *r, const struct zt_args *a)
{
    return dict_view(r, a, "dict_keys");
}

static struct zt_val m_values(struct zt_run *r, const struct zt_args *a)
{
    return dict_view(r, a, "dict_values");
}

static struct zt_val m_get(struct zt_run *r, const struct zt_args *a)
{
    const struct zt_val *v = zt_dict_get(&r->env, a->self.u.d, a->v[0]);

    if (!v && (a->v[0].kind == ZT_LIST || a->v[0].kind == ZT_DICT))
        zt_fail(&r->env, "%s cannot be a key", zt_type_name(a->v[0]));
    return v ? *v : a->v[1].kind == ZT_UNSET ? zt_none() : a->v[1];
}

/* Nothing can change a value, so that it is its own copy. */
static struct zt_val m_copy(struct zt_run *r, const struct zt_args *a)
{
    return a->self;
}

static struct zt_val m_list_index(struct zt_run *r, const struct zt_args *a)
{
    for (size_t i = 0; i < a->self.u.l->n; i++)
        if (zt_is_equal(&r->env, a->self.u.l->v[i], a->v[0]))
            return zt_int((int64_t)i, false);
    zt_fail(&r->env, "the value is not in the list");
}

static struct zt_val m_list_count(struct zt_run *r, const struct zt_args *a)
{
    int64_t n = 0;

    for (size_t i = 0; i < a->self.u.l->n; i++)
        n += zt_is_equal(&r->env, a->self.u.l->v[i], a->v[0]);
    return zt_int(n, false);
}

static struct zt_val m_loop_cycle(struct zt_run *r, const struct zt_args *a)
{
    if (a->n == 0)
        zt_fail(&r->env, "cycle needs values");
    return a->v[a->self.u.loop->i % (size_t)a->n];
}

static struct zt_val m_loop_changed(struct zt_run *r, const struct zt_args *a)
{
    struct zt_loop *loop = a->self.u.loop;
    struct zt_list *now = zt_list_new(&r->env, (size_t)a->n);

    for (int i = 0; i < a->n; i++)
        zt_list_add(&r->env, now, a->v[i]);
    bool same = loop->changed && zt_is_equal(&r->env, zt_of_list(ZT_TUPLE, now),
                                             zt_of_list(ZT_TUPLE, loop->changed));
    loop->changed = now;
    return zt_bool(!same);
}

static struct zt_val m_cycler_next(struct zt_run *r, const struct zt_args *a)
{
    struct zt_list *l = a->self.u.l;
    struct zt_val v = l->v[l->pos];

    l->pos = (l->pos + 1) % l->n;
    return v;
}

static struct zt_val m_cycler_reset(struct zt_run *r, const struct zt_args *a)
{
    a->self.u.l->pos = 0;
    return zt_none();
}

/* A method without a function is one that the sandbox refuses. */
static const struct zt_builtin str_methods[] = {
    {"strip", zt_m_strip, "chars", 0},
    {"split", m_split, "sep,maxsplit", 0},
    {"startswith", m_startswith, "prefix,start,end", 1},
    {"endswith", m_endswith, "suffix,start,end", 1},
    {"lstrip", m_lstrip, "chars", 0},
    {"rstrip", m_rstrip, "chars", 0},
    {"replace", zt_m_replace, "old,new,count", 2},
    {"upper", zt_m_upper, "", 0},
    {"lower", zt_m_lower, "", 0},
    {"casefold", zt_m_lower, "", 0},
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
    {"expandtabs", m_expandtabs, "tabsize", 0},
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
    {"format", m_format, NULL, 0},
    {"encode", m_encode, "encoding,errors", 0},
    {NULL, NULL, NULL, 0},
};

static const struct zt_builtin dict_methods[] = {
    {"get", m_get, "key,default", 1}, {"items", zt_m_items, "", 0}, {"keys", m_keys, "", 0},
    {"values", m_values, "", 0},      {"copy", m_copy, "", 0},      {"pop", NULL, NULL, 0},
    {"popitem", NULL, NULL, 0},       {"update", NULL, NULL, 0},    {"clear", NULL, NULL, 0},
    {"setdefault", NULL, NULL, 0},    {NULL, NULL, NULL, 0},
};

static const struct zt_builtin list_methods[] = {
    {"index", m_list_index, "value", 1},
    {"count", m_list_count, "value", 1},
    {"copy", m_copy, "", 0},
    {"append", NULL, NULL, 0},
    {"extend", NULL, NULL, 0},
    {"insert", NULL, NULL, 0},
    {"remove", NULL, NULL, 0},
    {"pop", NULL, NULL, 0},
    {"clear", NULL, NULL, 0},
    {"reverse", NULL, NULL, 0},
    {"sort", NULL, NULL, 0},
    {NULL, NULL, NULL, 0},
};

static const struct zt_builtin loop_methods[] = {
    {"cycle", m_loop_cycle, NULL, 0},
    {"changed", m_loop_changed, NULL, 0},
    {NULL, NULL, NULL, 0},
};

static const struct zt_builtin cycler_methods[] = {
    {"next", m_cycler_next, "", 0},
    {"reset", m_cycler_reset, "", 0},
    {NULL, NULL, NULL, 0},
};

const struct zt_builtin *zt_find_method(enum zt_kind kind, const struct zt_str *name)
{
    const struct zt_builtin *m = kind == ZT_STR      ? str_methods
                                 : kind == ZT_DICT   ? dict_methods
                                 : kind == ZT_LIST   ? list_methods
                                 : kind == ZT_LOOP   ? loop_methods
                                 : kind == ZT_CYCLER ? cycler_methods
                                                     : NULL;

    if (kind == ZT_TUPLE || kind == ZT_RANGE)
        m = list_methods + (name->len < 5 ? 2 : 0); /* index and count only */
    while (m && m->name && !zt_str_is(name, m->name))
        m++;
    return m && m->name ? m : NULL;
}
