/* SPDX-License-Identifier: MIT */
/* Values to text as Python writes them: str(), repr(), json.dumps(), "%" and "{}" formatting. Text
 * that comes from a string keeps who wrote it; punctuation is untrusted, digits are as trusted as
 * their number. */
#include "config.h"

#include "zoracd/text/zt_tmpl_internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

/* ---- numbers --------------------------------------------------------------------------------- */

/* The shortest digits that give f back, in Python's notation. */
void zt_add_float(struct zt_sb *b, double f, bool trusted)
{
    char digits[40];
    int precision = 1;

    if (isnan(f) || isinf(f)) {
        zt_sb_adds(b, isnan(f) ? "nan" : f < 0 ? "-inf" : "inf", trusted);
        return;
    }
    do
        snprintf(digits, sizeof digits, "%.*e", precision - 1, f);
    while (strtod(digits, NULL) != f && ++precision <= 17);
    int exp = atoi(strchr(digits, 'e') + 1);
    if (exp < -4 || exp >= 16)
        zt_sb_addf(b, trusted, "%.*ge%c%02d", precision, strtod(strtok(digits, "e"), NULL),
                   exp < 0 ? '-' : '+', abs(exp));
    else
        zt_sb_addf(b, trusted, "%.*f", precision - 1 - exp > 1 ? precision - 1 - exp : 1, f);
}

static void add_scalar(struct zt_sb *b, struct zt_val v)
{
    if (v.kind == ZT_INT)
        zt_sb_addf(b, v.trusted, "%lld", (long long)v.u.i);
    else if (v.kind == ZT_FLOAT)
        zt_add_float(b, v.u.f, v.trusted);
    else if (v.kind == ZT_BOOL)
        zt_sb_adds(b, v.u.b ? "True" : "False", v.trusted);
    else
        zt_sb_adds(b, "None", v.trusted);
}

/* ---- repr ------------------------------------------------------------------------------------ */

static bool is_printable(uint32_t c)
{
    switch (utf8proc_category((utf8proc_int32_t)c)) {
    case UTF8PROC_CATEGORY_CN:
    case UTF8PROC_CATEGORY_CC:
    case UTF8PROC_CATEGORY_CF:
    case UTF8PROC_CATEGORY_CS:
    case UTF8PROC_CATEGORY_CO:
    case UTF8PROC_CATEGORY_ZL:
    case UTF8PROC_CATEGORY_ZP:
        return false;
    case UTF8PROC_CATEGORY_ZS:
        return c == ' ';
    default:
        return true;
    }
}

static void add_quoted(struct zt_sb *b, const struct zt_str *s)
{
    bool has_single = s->len && memchr(s->p, '\'', s->len);
    char quote = has_single && !memchr(s->p, '"', s->len) ? '"' : '\'';

    zt_sb_add(b, &quote, 1, false);
    for (size_t i = 0, n; i < s->len; i += n) {
        uint32_t c = zt_char_at(s->p + i, s->len - i, &n);
        bool trusted = zt_str_is_trusted_at(s, i);
        if (c == (uint32_t)quote || c == '\\')
            zt_sb_addf(b, trusted, "\\%c", (char)c);
        else if (c == '\n' || c == '\r' || c == '\t')
            zt_sb_adds(b, c == '\n' ? "\\n" : c == '\r' ? "\\r" : "\\t", trusted);
        else if (is_printable(c))
            zt_sb_add_sub(b, s, i, n);
        else
            zt_sb_addf(b, trusted, c < 0x100 ? "\\x%02x" : c < 0x10000 ? "\\u%04x" : "\\U%08x", c);
    }
    zt_sb_add(b, &quote, 1, false);
}

static void add_list(struct zt_sb *b, const struct zt_list *l, const char *open, const char *close)
{
    zt_sb_adds(b, open, false);
    for (size_t i = 0; i < l->n; i++) {
        if (i)
            zt_sb_adds(b, ", ", false);
        zt_add_repr(b, l->v[i]);
    }
    zt_sb_adds(b, close, false);
}

static void add_dict(struct zt_sb *b, const struct zt_dict *d)
{
    zt_sb_adds(b, "{", false);
    for (size_t i = 0; i < d->n; i++) {
        if (i)
            zt_sb_adds(b, ", ", false);
        zt_add_repr(b, d->e[i].k);
        zt_sb_adds(b, ": ", false);
        zt_add_repr(b, d->e[i].v);
    }
    zt_sb_adds(b, "}", false);
}

static void add_string(struct zt_sb *b, const struct zt_str *s)
{
    if (s->markup)
        zt_sb_adds(b, "Markup(", false);
    if (s->bytes)
        zt_sb_adds(b, "b", false);
    add_quoted(b, s);
    if (s->markup)
        zt_sb_adds(b, ")", false);
}

void zt_add_repr(struct zt_sb *b, struct zt_val v)
{
    zt_enter(b->e);
    zt_step(b->e, 1);
    switch (v.kind) {
    case ZT_NONE:
    case ZT_BOOL:
    case ZT_INT:
    case ZT_FLOAT:
        add_scalar(b, v);
        break;
    case ZT_STR:
        add_string(b, v.u.s);
        break;
    case ZT_LIST:
        add_list(b, v.u.l, "[", "]");
        break;
    case ZT_TUPLE:
        add_list(b, v.u.l, "(", v.u.l->n == 1 ? ",)" : ")");
        break;
    case ZT_VIEW:
        zt_sb_adds(b, v.u.l->text, false);
        add_list(b, v.u.l, "([", "])");
        break;
    case ZT_RANGE:
        zt_sb_adds(b, v.u.l->text, false);
        break;
    case ZT_DICT:
        add_dict(b, v.u.d);
        break;
    case ZT_NAMESPACE:
        zt_sb_adds(b, "<Namespace ", false);
        add_dict(b, v.u.d);
        zt_sb_adds(b, ">", false);
        break;
    case ZT_UNDEF:
        zt_sb_adds(b, "Undefined", false);
        break;
    default:
        zt_sb_addf(b, false, "<%s>", zt_type_name(v));
    }
    zt_leave(b->e);
}

const struct zt_str *zt_to_str(struct zt_env *e, struct zt_val v)
{
    struct zt_sb b;

    if (v.kind == ZT_STR && !v.u.s->bytes)
        return v.u.s;
    zt_sb_init(&b, e);
    if (v.kind != ZT_UNDEF && v.kind != ZT_UNSET)
        zt_add_repr(&b, v);
    return zt_sb_take(&b);
}

/* ---- JSON ------------------------------------------------------------------------------------ */

static void add_json_string(struct zt_sb *b, const struct zt_str *s, bool ascii)
{
    static const char from[] = "\"\\\b\f\n\r\t", to[] = "\"\\bfnrt";
    size_t plain = 0; /* begin of what needs no escape */

    zt_sb_adds(b, "\"", false);
    for (size_t i = 0, n; i < s->len; i += n) {
        uint32_t c = zt_char_at(s->p + i, s->len - i, &n);
        bool trusted = zt_str_is_trusted_at(s, i);
        const char *simple = c && c < 0x80 ? strchr(from, (int)c) : NULL;
        if (!simple && c >= 0x20 && (c < 0x7f || !ascii || c == 0x7f))
            continue;
        zt_sb_add_sub(b, s, plain, i - plain);
        plain = i + n;
        if (simple)
            zt_sb_addf(b, trusted, "\\%c", to[simple - from]);
        else if (c < 0x10000)
            zt_sb_addf(b, trusted, "\\u%04x", c);
        else
            zt_sb_addf(b, trusted, "\\u%04x\\u%04x", 0xd7c0 + (c >> 10), 0xdc00 + (c & 0x3ff));
    }
    zt_sb_add_sub(b, s, plain, s->len - plain);
    zt_sb_adds(b, "\"", false);
}

static void add_json_scalar(struct zt_sb *b, struct zt_val v)
{
    if (v.kind == ZT_BOOL)
        zt_sb_adds(b, v.u.b ? "true" : "false", v.trusted);
    else if (v.kind == ZT_NONE)
        zt_sb_adds(b, "null", v.trusted);
    else if (v.kind == ZT_FLOAT && isnan(v.u.f))
        zt_sb_adds(b, "NaN", v.trusted);
    else if (v.kind == ZT_FLOAT && isinf(v.u.f))
        zt_sb_adds(b, v.u.f < 0 ? "-Infinity" : "Infinity", v.trusted);
    else
        add_scalar(b, v);
}

static void add_json_key(struct zt_sb *b, struct zt_val k, bool ascii)
{
    if (k.kind == ZT_STR) {
        add_json_string(b, k.u.s, ascii);
        return;
    }
    if (k.kind > ZT_FLOAT || k.kind < ZT_NONE)
        zt_fail(b->e, "%s cannot be a key in JSON", zt_type_name(k));
    zt_sb_adds(b, "\"", false);
    add_json_scalar(b, k);
    zt_sb_adds(b, "\"", false);
}

/* A separator, and a new line at this depth if there is an indent. */
static void add_json_break(struct zt_sb *b, const struct zt_json_style *style,
                           const struct zt_str *sep, size_t depth)
{
    if (sep)
        zt_sb_add_sub(b, sep, 0, sep->len);
    if (!style->indent)
        return;
    zt_sb_adds(b, "\n", false);
    for (size_t i = 0; i < depth; i++)
        zt_sb_add_str(b, style->indent);
}

static void add_json(struct zt_sb *b, struct zt_val v, const struct zt_json_style *style,
                     size_t depth);

static void add_json_dict(struct zt_sb *b, const struct zt_dict *d,
                          const struct zt_json_style *style, size_t depth)
{
    zt_sb_adds(b, "{", false);
    for (size_t i = 0; i < d->n; i++) {
        add_json_break(b, style, i ? style->item_sep : NULL, depth + 1);
        add_json_key(b, d->e[i].k, style->ascii);
        zt_sb_add_str(b, style->key_sep);
        add_json(b, d->e[i].v, style, depth + 1);
    }
    if (d->n)
        add_json_break(b, style, NULL, depth);
    zt_sb_adds(b, "}", false);
}

static void add_json(struct zt_sb *b, struct zt_val v, const struct zt_json_style *style,
                     size_t depth)
{
    zt_enter(b->e);
    zt_step(b->e, 1);
    if (v.kind == ZT_STR && !v.u.s->bytes) {
        add_json_string(b, v.u.s, style->ascii);
    } else if (v.kind >= ZT_NONE && v.kind <= ZT_FLOAT) {
        add_json_scalar(b, v);
    } else if (v.kind == ZT_DICT) {
        add_json_dict(b, style->sorted ? zt_sorted_dict(b->e, v.u.d) : v.u.d, style, depth);
    } else if (v.kind == ZT_LIST || v.kind == ZT_TUPLE) {
        zt_sb_adds(b, "[", false);
        for (size_t i = 0; i < v.u.l->n; i++) {
            add_json_break(b, style, i ? style->item_sep : NULL, depth + 1);
            add_json(b, v.u.l->v[i], style, depth + 1);
        }
        if (v.u.l->n)
            add_json_break(b, style, NULL, depth);
        zt_sb_adds(b, "]", false);
    } else {
        zt_fail(b->e, "%s cannot be written as JSON", zt_type_name(v));
    }
    zt_leave(b->e);
}

void zt_add_json(struct zt_sb *b, struct zt_val v, const struct zt_json_style *style)
{
    add_json(b, v, style, 0);
}

/* ---- format specifications ------------------------------------------------------------------- */

/* What "%-08.3f" and "{:<8.3f}" have in common. */
struct spec {
    const char *fill;
    char align; /* '<', '>', '^', '=' (between sign and digits) or 0: the type's own */
    char sign;  /* '+', ' ' or 0 */
    bool alternate, thousands;
    int width, precision; /* -1: not given */
    char type;            /* 0: none */
};

enum { MAX_WIDTH = 100000, MAX_PRECISION = 300 };

static int spec_number(struct zt_env *e, const char **p, const char *end)
{
    int n = 0;

    for (; *p < end && **p >= '0' && **p <= '9'; ++*p)
        if ((n = n * 10 + (**p - '0')) > MAX_WIDTH)
            zt_fail(e, "a format that is too wide");
    return n;
}

static void add_padded(struct zt_sb *b, const struct spec *sp, const struct zt_str *s, char align)
{
    size_t pad = sp->width > 0 && (size_t)sp->width > s->chars ? (size_t)sp->width - s->chars : 0;
    size_t left = align == '^' ? pad / 2 : align == '<' ? 0 : pad;
    size_t sign = align == '=' && s->len && strchr("+- ", s->p[0]) ? 1 : 0;

    zt_sb_add_sub(b, s, 0, sign);
    zt_sb_pad(b, left, sp->fill, false);
    zt_sb_add_sub(b, s, sign, s->len - sign);
    zt_sb_pad(b, pad - left, sp->fill, false);
}

/* The digits of a number by the C conversion, with commas if wanted. */
static const struct zt_str *number_text(struct zt_env *e, const struct spec *sp, struct zt_val v,
                                        char type)
{
    char fmt[16], text[700];
    bool is_int = strchr("dxXob", type) != NULL;
    struct zt_sb b;

    if (sp->precision > MAX_PRECISION)
        zt_fail(e, "a format with too many digits");
    if (is_int) {
        unsigned long long u =
            v.u.i < 0 ? 0 - (unsigned long long)v.u.i : (unsigned long long)v.u.i;
        char sign[2] = {v.u.i < 0 ? '-' : sp->sign, '\0'}, *p = text + 600;
        unsigned base = type == 'd' ? 10 : type == 'o' ? 8 : type == 'b' ? 2 : 16;
        *p = '\0';
        do
            *--p = (type == 'X' ? "0123456789ABCDEF" : "0123456789abcdef")[u % base];
        while ((u /= base) || text + 600 - p < sp->precision);
        memmove(text + 4, p, (size_t)(text + 601 - p));
        zt_sb_init(&b, e);
        zt_sb_adds(&b, sign, v.trusted);
        if (sp->alternate && base != 10)
            zt_sb_addf(&b, v.trusted, "0%c", type);
        memmove(text, text + 4, strlen(text + 4) + 1);
    } else {
        snprintf(fmt, sizeof fmt, "%%%s%s.*%c",
                 sp->sign == '+' ? "+"
                 : sp->sign      ? " "
                                 : "",
                 sp->alternate ? "#" : "", type == '%' ? 'f' : type);
        snprintf(text, sizeof text, fmt, sp->precision < 0 ? 6 : sp->precision,
                 type == '%' ? v.u.f * 100 : v.u.f);
        zt_sb_init(&b, e);
    }
    size_t whole = strcspn(text, ".e"), start = strspn(text, "+- ");
    for (size_t i = 0; text[i]; i++) {
        if (sp->thousands && i > start && i < whole && (whole - i) % 3 == 0)
            zt_sb_adds(&b, ",", v.trusted);
        zt_sb_add(&b, &text[i], 1, v.trusted);
    }
    if (type == '%')
        zt_sb_adds(&b, "%", v.trusted);
    return zt_sb_take(&b);
}

/* ---- "%" ------------------------------------------------------------------------------------- */

struct percent {
    struct zt_env *e;
    struct zt_val args;
    size_t used;
    bool markup;
};

static struct zt_val percent_arg(struct percent *f)
{
    if (f->args.kind != ZT_TUPLE) {
        if (f->used++)
            zt_fail(f->e, "not enough arguments for the format");
        return f->args;
    }
    if (f->used >= f->args.u.l->n)
        zt_fail(f->e, "not enough arguments for the format");
    return f->args.u.l->v[f->used++];
}

static const struct zt_str *percent_text(struct percent *f, const struct spec *sp, struct zt_val v)
{
    struct zt_env *e = f->e;
    char type = sp->type == 'i' || sp->type == 'u' ? 'd' : sp->type;
    const struct zt_str *s;
    struct zt_sb b;

    switch (type) {
    case 's':
    case 'r':
    case 'a':
        zt_sb_init(&b, e);
        if (type != 's')
            zt_add_repr(&b, v);
        s = type == 's' ? zt_to_str(e, v) : zt_sb_take(&b);
        if (f->markup)
            s = zt_str_escape(e, s);
        return sp->precision < 0 ? s : zt_str_sub(e, s, 0, zt_str_offset(s, (size_t)sp->precision));
    case 'c':
        if (v.kind == ZT_STR && v.u.s->chars == 1)
            return v.u.s;
        zt_sb_init(&b, e);
        zt_sb_add_char(&b, (uint32_t)zt_need_int(e, v) & 0x1fffff, v.trusted);
        return zt_sb_take(&b);
    case 'd':
    case 'x':
    case 'X':
    case 'o':
        if (v.kind == ZT_FLOAT && type == 'd' && fabs(v.u.f) < 0x1p62)
            v = zt_int((int64_t)v.u.f, v.trusted);
        return number_text(e, sp, zt_int(zt_need_int(e, v), v.trusted), type);
    case 'e':
    case 'E':
    case 'f':
    case 'F':
    case 'g':
    case 'G':
        if (v.kind != ZT_FLOAT)
            v = zt_float((double)zt_need_int(e, v), v.trusted);
        return number_text(e, sp, v, type);
    default:
        zt_fail(e, "unknown format '%%%c'", type);
    }
}

static int percent_width(struct percent *f, const char **p, const char *end)
{
    if (*p < end && **p == '*') {
        ++*p;
        int64_t n = zt_need_int(f->e, percent_arg(f));
        if (n > MAX_WIDTH || n < -MAX_WIDTH)
            zt_fail(f->e, "a format that is too wide");
        return (int)n;
    }
    return spec_number(f->e, p, end);
}

/* After '%': one conversion. */
static const char *percent_one(struct percent *f, struct zt_sb *b, const char *p, const char *end)
{
    struct spec sp = {.fill = " ", .precision = -1};
    struct zt_val v = {.kind = ZT_UNSET};
    bool left = false;

    if (p < end && *p == '(') {
        const char *close = memchr(p, ')', (size_t)(end - p));
        if (!close || f->args.kind != ZT_DICT)
            zt_fail(f->e, "a format with a name needs a dict");
        const struct zt_val *at = zt_dict_get(
            f->e, f->args.u.d, zt_of_str(zt_str_new(f->e, p + 1, (size_t)(close - p - 1), false)));
        if (!at)
            zt_fail(f->e, "the dict lacks a name of the format");
        v = *at;
        f->used = 1;
        p = close + 1;
    }
    for (; p < end && strchr("-+ 0#", *p); p++) {
        left |= *p == '-';
        sp.sign = *p == '+' || (*p == ' ' && !sp.sign) ? *p : sp.sign;
        sp.fill = *p == '0' ? "0" : sp.fill;
        sp.alternate |= *p == '#';
    }
    sp.width = percent_width(f, &p, end);
    if (sp.width < 0) {
        left = true;
        sp.width = -sp.width;
    }
    if (p < end && *p == '.') {
        p++;
        sp.precision = percent_width(f, &p, end);
        sp.precision = sp.precision < 0 ? 0 : sp.precision;
    }
    p += p < end && strchr("hlL", *p) != NULL;
    if (p >= end)
        zt_fail(f->e, "an incomplete format");
    sp.type = *p++;
    if (sp.type == '%') {
        zt_sb_adds(b, "%", false);
        return p;
    }
    if (v.kind == ZT_UNSET)
        v = percent_arg(f);
    bool is_number = !strchr("srac", sp.type);
    if (left || !is_number)
        sp.fill = " ";
    add_padded(b, &sp, percent_text(f, &sp, v),
               left                           ? '<'
               : is_number && *sp.fill == '0' ? '='
                                              : '>');
    return p;
}

struct zt_val zt_format_percent(struct zt_env *e, const struct zt_str *fmt, struct zt_val args)
{
    struct percent f = {.e = e, .args = args, .markup = fmt->markup};
    const char *p = fmt->p, *end = fmt->p + fmt->len;
    struct zt_sb b;

    zt_sb_init(&b, e);
    while (p < end) {
        const char *at = memchr(p, '%', (size_t)(end - p));
        at = at ? at : end;
        zt_sb_add_sub(&b, fmt, (size_t)(p - fmt->p), (size_t)(at - p));
        p = at < end ? percent_one(&f, &b, at + 1, end) : end;
    }
    if (args.kind == ZT_TUPLE ? f.used < args.u.l->n
                              : f.used == 0 && args.kind != ZT_DICT && args.kind != ZT_LIST)
        zt_fail(e, "not all arguments are used by the format");
    return zt_of_str(zt_str_markup(e, zt_sb_take(&b), fmt->markup));
}

/* ---- "{}" ------------------------------------------------------------------------------------ */

static struct spec parse_spec(struct zt_env *e, const char *p, const char *end)
{
    struct spec sp = {.fill = " ", .precision = -1};
    size_t n = 1;

    if (p < end)
        zt_char_at(p, (size_t)(end - p), &n);
    if (p + n < end && strchr("<>=^", p[n])) {
        char *fill = zt_alloc(e, 1, n + 1);
        sp.fill = memcpy(fill, p, n);
        sp.align = p[n];
        p += n + 1;
    } else if (p < end && strchr("<>=^", *p)) {
        sp.align = *p++;
    }
    if (p < end && strchr("+- ", *p))
        sp.sign = *p == '-' ? (p++, 0) : *p++;
    sp.alternate = p < end && *p == '#' && p++;
    if (p < end && *p == '0') {
        sp.fill = sp.align ? sp.fill : "0";
        sp.align = sp.align ? sp.align : '=';
        p++;
    }
    sp.width = spec_number(e, &p, end);
    sp.thousands = p < end && *p == ',' && p++;
    if (p < end && *p == '.') {
        p++;
        sp.precision = spec_number(e, &p, end);
    }
    sp.type = p < end ? *p++ : 0;
    if (p < end)
        zt_fail(e, "a bad format specification");
    return sp;
}

static void add_with_spec(struct zt_sb *b, struct zt_val v, const struct spec *sp)
{
    const struct zt_str *s;
    struct zt_env *e = b->e;
    char type = sp->type;

    if (v.kind == ZT_FLOAT ||
        ((v.kind == ZT_INT || v.kind == ZT_BOOL) && type && strchr("eEfFgG%", type))) {
        if (v.kind != ZT_FLOAT)
            v = zt_float((double)zt_need_int(e, v), v.trusted);
        if (type && !strchr("eEfFgG%", type))
            zt_fail(e, "unknown format '%c' for a float", type);
        struct zt_sb plain;
        zt_sb_init(&plain, e);
        zt_add_float(&plain, v.u.f, v.trusted);
        s = type || sp->precision >= 0 ? number_text(e, sp, v, type ? type : 'g')
                                       : zt_sb_take(&plain);
    } else if (v.kind == ZT_INT || (v.kind == ZT_BOOL && type)) {
        if (type && !strchr("dxXob", type))
            zt_fail(e, "unknown format '%c' for an integer", type);
        s = number_text(e, sp, zt_int(zt_need_int(e, v), v.trusted), type ? type : 'd');
    } else {
        if (type && type != 's')
            zt_fail(e, "unknown format '%c' for %s", type, zt_type_name(v));
        s = zt_to_str(e, v);
        if (sp->precision >= 0)
            s = zt_str_sub(e, s, 0, zt_str_offset(s, (size_t)sp->precision));
        add_padded(b, sp, s, sp->align ? sp->align : '<');
        return;
    }
    add_padded(b, sp, s, sp->align ? sp->align : '>');
}

/* The argument that a field's name means: "", "0" or "name". */
static struct zt_val field_arg(struct zt_env *e, const struct zt_args *a, const char *p, size_t n,
                               int *next)
{
    const struct zt_val *v = NULL;

    if (n == 0 || strspn(p, "0123456789") >= n) {
        const char *at = p;
        int i = n ? spec_number(e, &at, p + n) : (*next)++;
        v = i < a->n ? &a->v[i] : NULL;
    } else if (a->kw) {
        v = zt_dict_get(e, a->kw, zt_of_str(zt_str_new(e, p, n, false)));
    }
    if (!v)
        zt_fail(e, "the format has no argument '%.*s'", (int)n, p);
    return *v;
}

struct zt_val zt_format_braces(struct zt_env *e, const struct zt_str *fmt, const struct zt_args *a)
{
    const char *p = fmt->p, *end = fmt->p + fmt->len;
    struct zt_sb b;
    int next = 0;

    zt_sb_init(&b, e);
    while (p < end) {
        if ((*p == '{' || *p == '}') && p + 1 < end && p[1] == *p) {
            zt_sb_add_sub(&b, fmt, (size_t)(p - fmt->p), 1);
            p += 2;
        } else if (*p == '{') {
            const char *close = memchr(p, '}', (size_t)(end - p));
            if (!close)
                zt_fail(e, "a format with '{' and no '}'");
            size_t name = 1 + strcspn(p + 1, "}:!");
            struct zt_val v = field_arg(e, a, p + 1, name - 1, &next);
            const char *at = p + name;
            if (*at == '!') {
                if (at[1] == 'r') {
                    struct zt_sb repr;
                    zt_sb_init(&repr, e);
                    zt_add_repr(&repr, v);
                    v = zt_sb_take_val(&repr);
                } else {
                    v = zt_of_str(zt_to_str(e, v));
                }
                at += 2;
            }
            if (at < close && *at != ':')
                zt_fail(e, "a field of a format that is not supported");
            struct spec sp = parse_spec(e, at < close ? at + 1 : close, close);
            if (fmt->markup && v.kind == ZT_STR)
                v = zt_of_str(zt_str_escape(e, v.u.s));
            add_with_spec(&b, v, &sp);
            p = close + 1;
        } else if (*p == '}') {
            zt_fail(e, "a format with a single '}'");
        } else {
            zt_sb_add_sub(&b, fmt, (size_t)(p++ - fmt->p), 1);
        }
    }
    return zt_of_str(zt_str_markup(e, zt_sb_take(&b), fmt->markup));
}
