/* SPDX-License-Identifier: MIT */
/* The methods of Python's str, and what other files make of strings with them. They take what they
 * work on through str(), so that the filters of the same name are the same functions. Each
 * character of a result is as trusted as the one it came from. */
#include "zoracd/text/zt_py_internal.h"

#include "common/zc_utf8.h"

/* ---- parts of strings ----------------------------------------------------------------------- */

/* Whether sub is at offset at of s, where there is room for it. */
static bool is_at(struct zt_env *e, struct zt_val s, size_t at, struct zt_val sub)
{
    size_t i = 0;

    while (i < sub.n && zt_char(s, at + i) == zt_char(sub, i))
        i++;
    zt_step(e, i / 32);
    return i == sub.n;
}

size_t zt_py_find(struct zt_env *e, struct zt_val s, struct zt_val sub, bool last)
{
    size_t n = s.n - sub.n, k = 0; /* k: how many places were looked at in vain */

    if (sub.n > s.n)
        return SIZE_MAX;
    uint32_t first = sub.n ? zt_char(sub, 0) : 0;
    for (; k <= n; k++) {
        size_t at = last ? n - k : k;
        if (sub.n == 0 || (zt_char(s, at) == first && is_at(e, s, at, sub)))
            break;
    }
    zt_step(e, 1 + k / 64);
    return k > n ? SIZE_MAX : last ? n - k : k;
}

void zt_py_add_times(struct zt_sb *b, struct zt_val fill, int64_t n)
{
    for (; n > 0 && fill.n; n--) {
        zt_step(b->e, 1);
        zt_add(b, fill);
    }
}

/* ---- strip, split and join ------------------------------------------------------------------ */

static bool is_stripped(uint32_t c, struct zt_val set)
{
    for (size_t i = 0; ZT_IS_GIVEN(set) && i < set.n; i++)
        if (zt_char(set, i) == c)
            return true;
    return !ZT_IS_GIVEN(set) && zt_py_is_space(c);
}

struct zt_val zt_py_strip(struct zt_env *e, struct zt_val s, struct zt_val set,
                          enum zt_py_side sides)
{
    size_t from = 0, to = s.n;

    while ((sides & ZT_LEFT) && from < to && is_stripped(zt_char(s, from), set))
        from++;
    while ((sides & ZT_RIGHT) && to > from && is_stripped(zt_char(s, to - 1), set))
        to--;
    zt_step(e, (s.n - (to - from)) * (1 + (ZT_IS_GIVEN(set) ? set.n : 0)) / 16);
    return zt_sub(s, from, to);
}

ZT_FN(zt_py_m_strip, zt_py_strip(e, zt_py_self(e, a), a->v[0], (enum zt_py_side)a->x));
ZT_FN(zt_py_case, zt_py_in_case(e, zt_py_self(e, a), (enum zt_py_letters)a->x));
static ZT_FN(m_is, zt_bool(zt_py_is_all(e, zt_py_self(e, a), (enum zt_py_class)a->x)));

/* The next separator of s, first or last (right): an empty sep means a run of white space. */
static bool next_sep(struct zt_env *e, struct zt_val s, struct zt_val sep, bool right,
                     size_t *ret_at, size_t *ret_end)
{
    size_t i = 0;

    if (sep.n) {
        *ret_at = zt_py_find(e, s, sep, right);
        *ret_end = *ret_at + sep.n;
        return *ret_at != SIZE_MAX;
    }
    while (i < s.n && !zt_py_is_space(zt_char(s, right ? s.n - 1 - i : i)))
        i++;
    zt_step(e, i / 8);
    if (i == s.n)
        return false;
    *ret_at = right ? zt_py_strip(e, zt_sub(s, 0, s.n - i), sep, ZT_RIGHT).n : i;
    *ret_end = right ? s.n - i : s.n - zt_py_strip(e, zt_sub(s, i, s.n), sep, ZT_LEFT).n;
    return true;
}

struct zt_list *zt_py_split(struct zt_env *e, struct zt_val s, struct zt_val sep, int64_t max,
                            bool right)
{
    struct zt_list *l = zt_list_new(e, 4);
    bool words = !ZT_IS_GIVEN(sep);
    size_t at, end;

    if (!words && !sep.n)
        zt_fail(e, "an empty separator");
    if (words)
        s = zt_py_strip(e, s, sep, max < 0 ? ZT_BOTH : right ? ZT_RIGHT : ZT_LEFT);
    for (; max != 0 && next_sep(e, s, sep, right, &at, &end); max -= max > 0) {
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
    return right ? zt_py_reversed(e, zt_of_list(ZT_LIST, l)).u.l : l;
}

static ZT_FN(m_split,
             zt_of_list(ZT_LIST, zt_py_split(e, zt_py_self(e, a), a->v[0], a->v[1].u.i, a->x)));

struct zt_list *zt_py_lines(struct zt_env *e, struct zt_val s, bool keep)
{
    struct zt_list *l = zt_list_new(e, 4);
    size_t start = 0;

    zt_step(e, s.n / 16);
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

static ZT_FN(m_splitlines, zt_of_list(ZT_LIST, zt_py_lines(e, zt_py_self(e, a), a->v[0].u.b)));

/* x: the last separator */
static struct zt_val m_partition(struct zt_env *e, const struct zt_py_args *a)
{
    struct zt_val s = zt_py_self(e, a);
    size_t at = zt_py_find(e, s, a->v[0], a->x), end = at + a->v[0].n;

    if (!a->v[0].n)
        zt_fail(e, "an empty separator");
    if (at == SIZE_MAX)
        at = end = a->x ? 0 : s.n;
    struct zt_val parts[] = {zt_sub(s, 0, at), zt_sub(s, at, end), zt_sub(s, end, s.n)};
    return zt_tuple(e, parts, 3);
}

struct zt_val zt_py_replace(struct zt_env *e, const struct zt_py_args *a)
{
    struct zt_val s = zt_py_self(e, a), old = a->v[0], by = a->v[1];
    int64_t count = a->v[2].u.i;
    struct zt_sb b = {.e = e};
    struct zt_val rest = s;
    size_t at;

    if (s.markup) {
        old = zt_py_escape(e, old);
        by = zt_py_escape(e, by);
    }
    for (; count != 0 && (at = zt_py_find(e, rest, old, false)) != SIZE_MAX; count -= count > 0) {
        zt_step(e, 1);
        zt_add(&b, zt_sub(rest, 0, at));
        zt_add(&b, by);
        rest = zt_sub(rest, at + old.n, rest.n);
        if (old.n == 0 && rest.n == 0)
            break;
        if (old.n == 0) { /* nothing stands before each character and at the end */
            zt_add(&b, zt_sub(rest, 0, 1));
            rest = zt_sub(rest, 1, rest.n);
        }
    }
    zt_add(&b, rest);
    return zt_markup(zt_take(&b), s.markup);
}

struct zt_val zt_py_joined(struct zt_env *e, const struct zt_list *l, struct zt_val sep)
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

static struct zt_val m_join(struct zt_env *e, const struct zt_py_args *a)
{
    struct zt_val s = zt_py_self(e, a);
    struct zt_list *l = zt_py_items(e, a->v[0]), *out = zt_list_new(e, l->n);

    for (size_t i = 0; i < l->n; i++)
        zt_push(e, out,
                s.markup ? zt_py_escape(e, zt_py_str(e, l->v[i])) : zt_py_need_str(e, l->v[i]));
    return zt_markup(zt_py_joined(e, out, s), s.markup);
}

/* ---- search --------------------------------------------------------------------------------- */

/* self[v[1]:v[2]] and where it begins; ZT_UNSET if that is behind its end, where even "" is not. */
static struct zt_val part_of(struct zt_env *e, const struct zt_py_args *a, int64_t *ret_from)
{
    struct zt_val s = zt_py_self(e, a);
    int64_t n = s.n, from = ZT_IS_GIVEN(a->v[1]) ? zt_py_need_int(e, a->v[1]) : 0;
    int64_t to = ZT_IS_GIVEN(a->v[2]) ? zt_py_need_int(e, a->v[2]) : n;

    from = from >= 0 ? from : from + n < 0 ? 0 : from + n;
    to = to > n ? n : to >= 0 ? to : to + n < 0 ? 0 : to + n;
    *ret_from = from;
    return from > to ? ZT_NO_VALUE : zt_sub(s, (size_t)from, (size_t)to);
}

/* x: find, rfind, index, rindex */
static struct zt_val m_find(struct zt_env *e, const struct zt_py_args *a)
{
    int64_t from;
    struct zt_val s = part_of(e, a, &from);
    size_t at = ZT_IS_GIVEN(s) ? zt_py_find(e, s, a->v[0], a->x & 1) : SIZE_MAX;

    if (at == SIZE_MAX && a->x >= 2)
        zt_fail(e, "the substring is not there");
    return zt_int(at == SIZE_MAX ? -1 : from + (int64_t)at, false);
}

static struct zt_val m_count(struct zt_env *e, const struct zt_py_args *a)
{
    int64_t from, n = 0;
    struct zt_val s = part_of(e, a, &from), sub = a->v[0];
    size_t at, step = sub.n ? sub.n : 1;

    for (; ZT_IS_GIVEN(s) && (at = zt_py_find(e, s, sub, false)) != SIZE_MAX; n++)
        s = at + step > s.n ? ZT_NO_VALUE : zt_sub(s, at + step, s.n);
    return zt_int(n, false);
}

static bool has_affix(struct zt_env *e, struct zt_val s, struct zt_val affix, bool at_end)
{
    affix = zt_py_need_str(e, affix);
    return affix.n <= s.n && is_at(e, s, at_end ? s.n - affix.n : 0, affix);
}

/* startswith and (x) endswith, of one or any of a tuple. */
static struct zt_val m_affix(struct zt_env *e, const struct zt_py_args *a)
{
    int64_t from;
    struct zt_val s = part_of(e, a, &from);
    struct zt_list *l = a->v[0].kind == ZT_TUPLE ? a->v[0].u.l : zt_tuple(e, a->v, 1).u.l;
    bool is = false;

    for (size_t i = 0; i < l->n; i++)
        is |= ZT_IS_GIVEN(s) && has_affix(e, s, l->v[i], a->x);
    return zt_bool(is);
}

/* removeprefix and (x) removesuffix */
static struct zt_val m_remove_affix(struct zt_env *e, const struct zt_py_args *a)
{
    struct zt_val s = zt_py_self(e, a);
    size_t n = has_affix(e, s, a->v[0], a->x) ? a->v[0].n : 0;

    return a->x ? zt_sub(s, 0, s.n - n) : zt_sub(s, n, s.n);
}

/* ---- padding -------------------------------------------------------------------------------- */

/* x: where the text goes */
struct zt_val zt_py_pad(struct zt_env *e, const struct zt_py_args *a)
{
    struct zt_val s = zt_py_self(e, a), fill = a->n > 1 ? a->v[1] : zt_text(e, " ", true);
    int64_t width = a->v[0].u.i, n = width > s.n ? width - s.n : 0;
    int64_t half = n / 2 + (n & width & 1); /* where Python's center puts the odd one */
    int64_t left = a->x == ZT_LEFT ? 0 : a->x == ZT_RIGHT ? n : half;
    struct zt_sb b = {.e = e};

    if (fill.n != 1)
        zt_fail(e, "the fill must be one character");
    zt_py_add_times(&b, fill, left);
    zt_add(&b, s);
    zt_py_add_times(&b, fill, n - left);
    return zt_markup(zt_take(&b), s.markup);
}

static struct zt_val m_zfill(struct zt_env *e, const struct zt_py_args *a)
{
    struct zt_val s = zt_py_self(e, a);
    size_t sign = s.n && (zt_char(s, 0) == '-' || zt_char(s, 0) == '+');
    int64_t width = a->v[0].u.i;
    struct zt_sb b = {.e = e};

    zt_add(&b, zt_sub(s, 0, sign));
    zt_py_add_times(&b, zt_text(e, "0", true), width > s.n ? width - s.n : 0);
    zt_add(&b, zt_sub(s, sign, s.n));
    return zt_markup(zt_take(&b), s.markup);
}

static struct zt_val m_expandtabs(struct zt_env *e, const struct zt_py_args *a)
{
    struct zt_val s = zt_py_self(e, a);
    int64_t size = a->v[0].u.i, column = 0;
    struct zt_sb b = {.e = e};

    for (size_t i = 0; i < s.n; i++) {
        uint32_t c = zt_char(s, i);
        int64_t n = c != '\t' ? 1 : size > 0 ? size - column % size : 0;
        if (c == '\t')
            zt_py_add_times(&b, zt_text(e, " ", zt_is_trusted(s, i)), n);
        else
            zt_add_char(&b, s.u.s[i]);
        column = c == '\n' || c == '\r' ? 0 : column + n;
    }
    return zt_markup(zt_take(&b), s.markup);
}

/* ---- the rest ------------------------------------------------------------------------------- */

static struct zt_val m_isidentifier(struct zt_env *e, const struct zt_py_args *a)
{
    struct zt_val s = zt_py_self(e, a);
    bool is = s.n > 0 && !zt_py_is_of(zt_char(s, 0), ZT_PY_NUMERIC);

    zt_step(e, s.n / 4);
    for (size_t i = 0; i < s.n && is; i++)
        is = zt_char(s, i) == '_' || zt_py_is_of(zt_char(s, i), ZT_PY_ALNUM);
    return zt_bool(is);
}

/* Whether this is one of Python's names of the encoding: "utf8" of "UTF-8", "utf_8" and so on. */
static bool is_encoding(struct zt_env *e, struct zt_val name, const char *plain)
{
    struct zt_sb b = {.e = e};

    for (size_t i = 0; i < name.n; i++)
        if (!zt_is_one_of(zt_char(name, i), "-_ "))
            zt_add_char(&b, name.u.s[i]);
    return zt_is(zt_py_in_case(e, zt_take(&b), ZT_LOWER), plain);
}

static struct zt_val m_encode(struct zt_env *e, const struct zt_py_args *a)
{
    struct zt_val s = zt_py_self(e, a);
    bool ascii = is_encoding(e, a->v[0], "ascii"), latin1 = is_encoding(e, a->v[0], "latin1");
    struct zt_sb b = {.e = e};

    if (!(ascii || latin1 || is_encoding(e, a->v[0], "utf8")) || !zt_is(a->v[1], "strict"))
        zt_fail(e, "encode knows utf-8, ascii and latin-1 with strict errors");
    for (size_t i = 0; i < s.n; i++) {
        uint32_t c = zt_char(s, i), origin = s.u.s[i] & ZT_TRUSTED;
        char utf8[4] = {(char)c};
        int n = ascii || latin1 ? 1 : zc_utf8_put(utf8, c);
        if ((ascii && c > 0x7f) || (latin1 && c > 0xff) || zt_py_is_surrogate(c))
            zt_fail(e, "a character that '%s' does not have", zt_utf8(e, a->v[0]));
        for (int k = 0; k < n; k++)
            zt_add_char(&b, (unsigned char)utf8[k] | origin);
    }
    struct zt_val bytes = zt_take(&b);
    bytes.bytes = true;
    return bytes;
}

static struct zt_val m_decode(struct zt_env *e, const struct zt_py_args *a)
{
    bool latin1 = is_encoding(e, a->v[0], "latin1"), ascii = is_encoding(e, a->v[0], "ascii");
    struct zt_val s = a->self;
    char *text = zt_alloc(e, s.n, 1);
    bool trusted = true;

    if (!(ascii || latin1 || is_encoding(e, a->v[0], "utf8")) || !zt_is(a->v[1], "strict"))
        zt_fail(e, "decode knows utf-8, ascii and latin-1 with strict errors");
    s.bytes = false;
    for (size_t i = 0; i < s.n; i++) {
        text[i] = (char)zt_char(s, i);
        trusted &= zt_is_trusted(s, i);
        if (ascii && zt_char(s, i) > 0x7f)
            zt_fail(e, "bytes that are not ASCII");
    }
    if (latin1)
        return s;
    if (!zc_utf8_is_valid(text, s.n))
        zt_fail(e, "bytes that are not UTF-8");
    return zt_decode(e, text, s.n, trusted);
}

const struct zt_py_fn zt_py_bytes_methods[] = {
    {"decode", "encoding:s=utf-8 errors:s=strict", m_decode, 0},
    {0},
};

const struct zt_py_fn zt_py_str_methods[] = {
    {"strip", "/chars:s?", zt_py_m_strip, ZT_BOTH},
    {"lstrip", "/chars:s?", zt_py_m_strip, ZT_LEFT},
    {"rstrip", "/chars:s?", zt_py_m_strip, ZT_RIGHT},
    {"split", "sep:s? maxsplit:i=-1", m_split, false},
    {"rsplit", "sep:s? maxsplit:i=-1", m_split, true},
    {"startswith", "/prefix start? end?", m_affix, false},
    {"endswith", "/suffix start? end?", m_affix, true},
    {"replace", "/old:s new:s count:i=-1", zt_py_replace, 0},
    {"upper", "", zt_py_case, ZT_UPPER},
    {"lower", "", zt_py_case, ZT_LOWER},
    {"title", "", zt_py_case, ZT_TITLE},
    {"capitalize", "", zt_py_case, ZT_CAPITALIZE},
    {"swapcase", "", zt_py_case, ZT_SWAPCASE},
    {"casefold", "", zt_py_case, ZT_CASEFOLD},
    {"join", "/iterable", m_join, 0},
    {"splitlines", "keepends:b", m_splitlines, 0},
    {"partition", "/sep:s", m_partition, false},
    {"rpartition", "/sep:s", m_partition, true},
    {"find", "/sub:s start? end?", m_find, 0},
    {"rfind", "/sub:s start? end?", m_find, 1},
    {"index", "/sub:s start? end?", m_find, 2},
    {"rindex", "/sub:s start? end?", m_find, 3},
    {"count", "/sub:s start? end?", m_count, 0},
    {"removeprefix", "/prefix:s", m_remove_affix, false},
    {"removesuffix", "/suffix:s", m_remove_affix, true},
    {"center", "/width:i fillchar:s=_", zt_py_pad, ZT_BOTH},
    {"ljust", "/width:i fillchar:s=_", zt_py_pad, ZT_LEFT},
    {"rjust", "/width:i fillchar:s=_", zt_py_pad, ZT_RIGHT},
    {"zfill", "/width:i", m_zfill, 0},
    {"isalpha", "", m_is, ZT_PY_ALPHA},
    {"isalnum", "", m_is, ZT_PY_ALNUM},
    {"isdigit", "", m_is, ZT_PY_DIGIT},
    {"isdecimal", "", m_is, ZT_PY_DECIMAL},
    {"isnumeric", "", m_is, ZT_PY_NUMERIC},
    {"isspace", "", m_is, ZT_PY_SPACE},
    {"isascii", "", m_is, ZT_PY_ASCII},
    {"isprintable", "", m_is, ZT_PY_PRINTABLE},
    {"isupper", "", m_is, ZT_PY_UPPER},
    {"islower", "", m_is, ZT_PY_LOWER},
    {"istitle", "", m_is, ZT_PY_TITLE},
    {"expandtabs", "tabsize:i=8", m_expandtabs, 0},
    {"isidentifier", "", m_isidentifier, 0},
    {"format", NULL, zt_py_braces, 0},
    {"format_map", "/mapping", zt_py_format_map, 0},
    {"encode", "encoding:s=utf-8 errors:s=strict", m_encode, 0},
    {0},
};
