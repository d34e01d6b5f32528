/* SPDX-License-Identifier: MIT */
/* HTML, as markupsafe and jinja2 escape it and take it apart. */
#include "zoracd/text/zt_py_internal.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "common/zc_utf8.h"

/* ---- escaping ------------------------------------------------------------------------------- */

struct zt_val zt_py_escape(struct zt_env *e, struct zt_val s)
{
    static const char special[] = "&<>'\"";
    static const char *const names[] = {"&amp;", "&lt;", "&gt;", "&#39;", "&#34;"};
    struct zt_sb sb = {.e = e};

    if (s.markup)
        return s;
    for (size_t i = 0; i < s.n; i++) {
        uint32_t c = zt_char(s, i);
        if (zt_is_one_of(c, special))
            zt_add_ascii(&sb, names[strchr(special, (int)c) - special], zt_is_trusted(s, i));
        else
            zt_add_char(&sb, s.u.s[i]);
    }
    return zt_markup(zt_take(&sb), true);
}

static ZT_FN(f_safe, zt_markup(zt_py_self(e, a), true));
static ZT_FN(f_escape, zt_py_escape(e, zt_py_self(e, a)));
static ZT_FN(f_forceescape, zt_py_escape(e, zt_markup(zt_py_self(e, a), false)));

/* ---- character references ------------------------------------------------------------------- */

/* The names that need no ';' behind them: those of U+00A0 to U+00FF in order, and eight others. */
static const char latin1_names[] =
    "nbsp iexcl cent pound curren yen brvbar sect uml copy ordf laquo not shy reg macr deg "
    "plusmn sup2 sup3 acute micro para middot cedil sup1 ordm raquo frac14 frac12 frac34 "
    "iquest Agrave Aacute Acirc Atilde Auml Aring AElig Ccedil Egrave Eacute Ecirc Euml "
    "Igrave Iacute Icirc Iuml ETH Ntilde Ograve Oacute Ocirc Otilde Ouml times Oslash "
    "Ugrave Uacute Ucirc Uuml Yacute THORN szlig agrave aacute acirc atilde auml aring "
    "aelig ccedil egrave eacute ecirc euml igrave iacute icirc iuml eth ntilde ograve "
    "oacute ocirc otilde ouml divide oslash ugrave uacute ucirc uuml yacute thorn yuml";
static const struct {
    const char *name;
    uint32_t c;
} other_names[] = {
    {"amp", '&'}, {"AMP", '&'},  {"lt", '<'},   {"LT", '<'},    {"gt", '>'},
    {"GT", '>'},  {"quot", '"'}, {"QUOT", '"'}, {"COPY", 0xa9}, {"REG", 0xae},
};

/* The character whose name s begins with, and how long the name is; 0 if there is none. */
static uint32_t named_char(struct zt_val s, size_t *ret_len)
{
    const char *name = latin1_names;
    size_t len;

    for (unsigned i = 0; i < sizeof other_names / sizeof *other_names; i++) {
        *ret_len = strlen(other_names[i].name);
        if (*ret_len <= s.n && zt_is(zt_sub(s, 0, *ret_len), other_names[i].name))
            return other_names[i].c;
    }
    for (uint32_t c = 0xa0; c <= 0xff; c++, name += len + (name[len] == ' ')) {
        size_t i = 0;
        len = strcspn(name, " ");
        while (i < len && i < s.n && zt_char(s, i) == (unsigned char)name[i])
            i++;
        *ret_len = len;
        if (i == len)
            return c;
    }
    return 0;
}

/* Behind "&#": the character of that number, and where the number ends; 0 if there is none. */
static uint32_t numbered_char(struct zt_val s, size_t *ret_len)
{
    bool hex = s.n > 0 && zt_is_one_of(zt_char(s, 0), "xX");
    uint64_t c = 0;
    size_t i = hex;

    for (; i < s.n && zt_is_one_of(zt_char(s, i), hex ? "0123456789abcdefABCDEF" : "0123456789");
         i++) {
        char digit[] = {(char)zt_char(s, i), '\0'};
        c = c > 0x10ffff ? c : c * (hex ? 16 : 10) + strtoul(digit, NULL, 16);
    }
    *ret_len = i;
    if (i == hex)
        return 0;
    return c == 0 || c > 0x10ffff || (c >= 0xd800 && c < 0xe000) ? 0xfffd : (uint32_t)c;
}

/* The end of "name;" that s begins with; 0 if it does not. */
static size_t full_name(struct zt_val s)
{
    size_t i = 0;

    while (i < s.n && i < 32 && zt_char(s, i) < 0x80 && isalnum((int)zt_char(s, i)))
        i++;
    return i > 0 && i < s.n && zt_char(s, i) == ';' ? i + 1 : 0;
}

/* The character that a reference means, and its length; s is what follows the '&', and begins with
 * no reference if the length is 0. Of the names that need their ';' only &apos; is known, the two
 * thousand others are refused. */
static uint32_t take_reference(struct zt_env *e, struct zt_val s, size_t *ret_len)
{
    size_t full = full_name(s), len = 0;
    uint32_t c;

    if (s.n > 0 && zt_char(s, 0) == '#') {
        c = numbered_char(zt_sub(s, 1, s.n), &len);
        len++;
    } else if (full && zt_is(zt_sub(s, 0, full), "apos;")) {
        c = '\'';
        len = full - 1;
    } else {
        c = named_char(s, &len);
        if (full && (!c || len + 1 < full))
            zt_fail(e, "striptags does not know '&%s'", zt_utf8(e, zt_sub(s, 0, full)));
    }
    *ret_len = c ? len + (len < s.n && zt_char(s, len) == ';') : 0;
    return c;
}

static struct zt_val unescape(struct zt_env *e, struct zt_val s)
{
    struct zt_sb b = {.e = e};

    for (size_t i = 0, len = 0; i < s.n; i += 1 + len, len = 0) {
        uint32_t c = zt_char(s, i), origin = s.u.s[i] & ZT_TRUSTED;
        uint32_t meant = c == '&' ? take_reference(e, zt_sub(s, i + 1, s.n), &len) : c;
        zt_add_char(&b, (len ? meant : c) | origin);
    }
    return zt_take(&b);
}

/* ---- filters -------------------------------------------------------------------------------- */

/* s without what stands between open and close. */
static struct zt_val cut_between(struct zt_env *e, struct zt_val s, const char *open,
                                 const char *close)
{
    struct zt_val first = zt_text(e, open, true), last = zt_text(e, close, true);
    struct zt_sb b = {.e = e};
    size_t from, to;

    while ((from = zt_py_find(e, s, first, false)) != SIZE_MAX) {
        to = zt_py_find(e, zt_sub(s, from, s.n), last, false);
        if (to == SIZE_MAX)
            break;
        zt_add(&b, zt_sub(s, 0, from));
        s = zt_sub(s, from + to + last.n, s.n);
    }
    zt_add(&b, s);
    return zt_take(&b);
}

static struct zt_val f_striptags(struct zt_env *e, const struct zt_py_args *a)
{
    struct zt_val s = cut_between(e, zt_py_self(e, a), "<!--", "-->");

    s = cut_between(e, s, "<", ">");
    return unescape(
        e, zt_py_joined(e, zt_py_split(e, s, ZT_NO_VALUE, -1, false), zt_text(e, " ", true)));
}

/* autospace */
static struct zt_val f_xmlattr(struct zt_env *e, const struct zt_py_args *a)
{
    struct zt_sb b = {.e = e};

    if (a->self.kind != ZT_DICT)
        zt_fail(e, "xmlattr needs a dict, got %s", zt_py_type_name(a->self));
    for (size_t i = 0; i < a->self.u.d->n; i++) {
        struct zt_pair p = a->self.u.d->e[i];
        if (p.v.kind == ZT_NONE || p.v.kind == ZT_UNDEF)
            continue;
        for (size_t k = 0; k < zt_py_need_str(e, p.k).n; k++)
            if (zt_py_is_space(zt_char(p.k, k)) || zt_is_one_of(zt_char(p.k, k), "/>="))
                zt_fail(e, "xmlattr with an attribute '%s'", zt_utf8(e, p.k));
        if (b.n || a->v[0].u.b)
            zt_add_ascii(&b, " ", false);
        zt_add(&b, zt_py_escape(e, p.k));
        zt_add_ascii(&b, "=\"", false);
        zt_add(&b, zt_py_escape(e, zt_py_str(e, p.v)));
        zt_add_ascii(&b, "\"", false);
    }
    return zt_markup(zt_take(&b), e->autoescape);
}

const struct zt_py_fn zt_py_html_filters[] = {
    {"e", "", f_escape, 0},
    {"escape", "", f_escape, 0},
    {"forceescape", "", f_forceescape, 0},
    {"safe", "", f_safe, 0},
    {"striptags", "", f_striptags, 0},
    {"xmlattr", "autospace:b=1", f_xmlattr, 0},
    {0},
};
