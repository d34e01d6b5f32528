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

/* ---- numbers -------------------------------------------------------------------------------- */

/* The shortest digits that give f back, in Python's notation. */
static void add_float(struct zt_sb *b, double f, bool trusted)
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
        zt_sb_addf(b, trusted, "%.*se%c%02d", (int)strcspn(digits, "e"), digits,
                   exp < 0 ? '-' : '+', abs(exp));
    else
        zt_sb_addf(b, trusted, "%.*f", precision - 1 - exp > 1 ? precision - 1 - exp : 1, f);
}

static void add_scalar(struct zt_sb *b, struct zt_val v)
{
    if (v.kind == ZT_INT)
        zt_sb_addf(b, v.trusted, "%lld", (long long)v.u.i);
    else if (v.kind == ZT_BIG)
        zt_sb_add_str(b, v.u.s);
    else if (v.kind == ZT_FLOAT)
        add_float(b, v.u.f, v.trusted);
    else if (v.kind == ZT_BOOL)
        zt_sb_adds(b, v.u.b ? "True" : "False", v.trusted);
    else
        zt_sb_adds(b, "None", v.trusted);
}

static void add_repr(struct zt_sb *b, struct zt_val v);

/* ---- repr ----------------------------------------------------------------------------------- */

bool zt_char_is_printable(uint32_t c)
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
        uint32_t c = zt_char_at(s->p + i, s->bytes ? 1 : s->len - i, &n);
        bool trusted = zt_str_is_trusted_at(s, i);
        c = s->bytes ? (unsigned char)s->p[i] : c;
        if (c == (uint32_t)quote || c == '\\')
            zt_sb_addf(b, trusted, "\\%c", (char)c);
        else if (c == '\n' || c == '\r' || c == '\t')
            zt_sb_adds(b, c == '\n' ? "\\n" : c == '\r' ? "\\r" : "\\t", trusted);
        else if (zt_char_is_printable(c) && (c < 0x80 || !s->bytes))
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
        add_repr(b, l->v[i]);
    }
    zt_sb_adds(b, close, false);
}

static void add_dict(struct zt_sb *b, const struct zt_dict *d)
{
    zt_sb_adds(b, "{", false);
    for (size_t i = 0; i < d->n; i++) {
        if (i)
            zt_sb_adds(b, ", ", false);
        add_repr(b, d->e[i].k);
        zt_sb_adds(b, ": ", false);
        add_repr(b, d->e[i].v);
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

static void add_repr(struct zt_sb *b, struct zt_val v)
{
    zt_enter(b->e);
    zt_step(b->e, 1);
    switch (v.kind) {
    case ZT_NONE:
    case ZT_BOOL:
    case ZT_INT:
    case ZT_BIG:
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
    case ZT_LOOP:
        zt_sb_addf(b, false, "<LoopContext %zu/%zu>", v.u.loop->i + 1, zt_length(b->e, v));
        break;
    case ZT_MACRO:
        zt_sb_adds(b, "<Macro ", false);
        if (v.u.macro->node->val.kind == ZT_STR)
            add_repr(b, v.u.macro->node->val);
        else
            zt_sb_adds(b, "anonymous", false);
        zt_sb_adds(b, ">", false);
        break;
    default:
        zt_sb_addf(b, false, "<%s>", zt_type_name(v));
    }
    zt_leave(b->e);
}

static struct zt_val repr(struct zt_env *e, struct zt_val v)
{
    struct zt_sb b;

    zt_sb_init(&b, e);
    add_repr(&b, v);
    return zt_sb_take_val(&b);
}

const struct zt_str *zt_to_str(struct zt_env *e, struct zt_val v)
{
    if (v.kind == ZT_STR && !v.u.s->bytes)
        return v.u.s;
    if (v.kind == ZT_UNDEF || v.kind == ZT_UNSET)
        return zt_str_of(e, "", true);
    return repr(e, v).u.s;
}

/* ---- JSON ----------------------------------------------------------------------------------- */

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

/* ---- format specifications ------------------------------------------------------------------ */

/* What "%-08.3f" and "{:<8.3f}" have in common. */
struct spec {
    const struct zt_str *fill;
    char align; /* '<', '>', '^', '=' (between sign and digits); 0: as the type has it */
    char sign;  /* '+', ' ' or 0 */
    bool alternate, thousands;
    int64_t width, precision; /* precision -1: not given */
    char type;                /* 0: none */
};

static int64_t take_number(struct zt_env *e, const char **p)
{
    int64_t n = 0;

    for (; **p >= '0' && **p <= '9'; ++*p)
        if ((n = n * 10 + (**p - '0')) > 100000)
            zt_fail(e, "a format that is too wide");
    return n;
}

static void add_padded(struct zt_sb *b, const struct spec *sp, const struct zt_str *s, char align)
{
    size_t pad = sp->width > (int64_t)s->chars ? (size_t)sp->width - s->chars : 0;
    size_t left = align == '^' ? pad / 2 : align == '<' ? 0 : pad;
    size_t sign = align == '=' && s->len && strchr("+- ", s->p[0]);

    zt_sb_add_sub(b, s, 0, sign);
    zt_sb_pad(b, left, sp->fill);
    zt_sb_add_sub(b, s, sign, s->len - sign);
    zt_sb_pad(b, pad - left, sp->fill);
}

/* A number by the C conversion of its type, with commas if wanted. */
static const struct zt_str *number_text(struct zt_env *e, const struct spec *sp, struct zt_val v,
                                        char type)
{
    char fmt[16], text[700];
    int precision = (int)(sp->precision < 0 ? strchr("dxXo", type) ? 1 : 6 : sp->precision);
    struct zt_sb b;

    if (precision > 300)
        zt_fail(e, "a format with too many digits");
    if (strchr("dxXo", type)) {
        bool negative = v.u.i < 0;
        unsigned long long u = (unsigned long long)v.u.i;
        snprintf(fmt, sizeof fmt, "%%s%%s%%.*ll%c", type == 'd' ? 'u' : type);
        snprintf(text, sizeof text, fmt, negative ? "-" : (char[]){sp->sign, '\0'},
                 !sp->alternate || type == 'd' ? ""
                 : type == 'o'                 ? "0o"
                 : type == 'x'                 ? "0x"
                                               : "0X",
                 precision, negative ? 0 - u : u);
    } else {
        snprintf(fmt, sizeof fmt, "%%%s%s.*%c", sp->sign ? (char[]){sp->sign, '\0'} : "",
                 sp->alternate ? "#" : "", type == '%' ? 'f' : type);
        snprintf(text, sizeof text, fmt, precision, type == '%' ? v.u.f * 100 : v.u.f);
    }
    size_t whole = strcspn(text, ".e"), start = strspn(text, "+- ");
    zt_sb_init(&b, e);
    for (size_t i = 0; text[i]; i++) {
        if (sp->thousands && i > start && i < whole && (whole - i) % 3 == 0)
            zt_sb_adds(&b, ",", v.trusted);
        zt_sb_add(&b, &text[i], 1, v.trusted);
    }
    zt_sb_adds(&b, type == '%' ? "%" : "", v.trusted);
    return zt_sb_take(&b);
}

/* A value as the type of the format wants it, cut and padded; align: when the format has none. */
static void add_formatted(struct zt_sb *b, const struct spec *sp, struct zt_val v)
{
    struct zt_env *e = b->e;
    bool is_text = !sp->type ? v.kind != ZT_INT && v.kind != ZT_FLOAT : sp->type == 's';
    const struct zt_str *s;

    if (sp->type && strchr("eEfFgG%", sp->type)) {
        v = v.kind == ZT_FLOAT ? v : zt_float((double)zt_need_int(e, v), v.trusted);
        s = number_text(e, sp, v, sp->type);
    } else if (sp->type && strchr("dxXo", sp->type)) {
        s = number_text(e, sp, zt_int(zt_need_int(e, v), v.trusted), sp->type);
    } else if (sp->type && sp->type != 's') {
        zt_fail(e, "unknown format '%c'", sp->type);
    } else if (v.kind == ZT_INT && !is_text) {
        s = number_text(e, sp, v, 'd');
    } else if (v.kind == ZT_FLOAT && sp->precision >= 0 && !is_text) {
        s = number_text(e, sp, v, 'g');
    } else {
        s = zt_to_str(e, v);
        if (sp->precision >= 0)
            s = zt_str_sub(e, s, 0, zt_str_offset(s, (size_t)sp->precision));
    }
    add_padded(b, sp, s, sp->align ? sp->align : is_text ? '<' : '>');
}

/* ---- "%" ------------------------------------------------------------------------------------ */

struct percent {
    const struct zt_str *fmt;
    struct zt_val args;
    size_t used;
};

static struct zt_val percent_arg(struct zt_env *e, struct percent *f)
{
    bool tuple = f->args.kind == ZT_TUPLE;

    if (f->used >= (tuple ? f->args.u.l->n : 1))
        zt_fail(e, "not enough arguments for the format");
    f->used++;
    return tuple ? f->args.u.l->v[f->used - 1] : f->args;
}

/* After "%(": the named argument. */
static struct zt_val percent_named(struct zt_env *e, struct percent *f, const char **p)
{
    const char *close = strchr(*p, ')');
    const struct zt_val *v = NULL;

    if (close && f->args.kind == ZT_DICT)
        v = zt_dict_get(e, f->args.u.d, zt_of_str(zt_str_new(e, *p, (size_t)(close - *p), false)));
    if (!v)
        zt_fail(e, "the format has a name that the arguments lack");
    f->used = 1;
    *p = close + 1;
    return *v;
}

/* After '%': one conversion. The format ends with a NUL, so that no look ahead passes its end. */
static const char *percent_one(struct zt_env *e, struct percent *f, struct zt_sb *b, const char *p)
{
    struct spec sp = {.fill = zt_str_of(e, " ", false), .precision = -1};
    struct zt_val v = {.kind = ZT_UNSET};
    bool left = false, zero = false;

    if (*p == '(') {
        p++;
        v = percent_named(e, f, &p);
    }
    for (; *p && strchr("-+ 0#", *p); p++) {
        left |= *p == '-';
        zero |= *p == '0';
        sp.alternate |= *p == '#';
        sp.sign = *p == '+' || (*p == ' ' && !sp.sign) ? *p : sp.sign;
    }
    sp.width = *p == '*' ? (p++, zt_need_int(e, percent_arg(e, f))) : take_number(e, &p);
    if (*p == '.') {
        p++;
        sp.precision = *p == '*' ? (p++, zt_need_int(e, percent_arg(e, f))) : take_number(e, &p);
    }
    p += *p && strchr("hlL", *p);
    sp.type = *p;
    if (sp.type == '%') {
        zt_sb_adds(b, "%", false);
        return p + 1;
    }
    if (!sp.type || !strchr("srdiuxXoeEfFgGc", sp.type))
        zt_fail(e, "unknown format '%%%.1s'", p);
    if (v.kind == ZT_UNSET)
        v = percent_arg(e, f);
    bool text = strchr("src", sp.type) != NULL;
    if (sp.type == 'r')
        v = repr(e, v);
    if (sp.type == 'i' || sp.type == 'u' || sp.type == 'd') {
        sp.type = 'd';
        v = v.kind == ZT_FLOAT && fabs(v.u.f) < 0x1p63 ? zt_int((int64_t)v.u.f, v.trusted) : v;
    } else if (text) {
        v = zt_of_str(f->fmt->markup ? zt_str_escape(e, zt_to_str(e, v)) : zt_to_str(e, v));
        sp.type = 's';
    }
    if (zero && !left && !text)
        sp.fill = zt_str_of(e, "0", false);
    sp.align = left ? '<' : zero && !text ? '=' : '>';
    add_formatted(b, &sp, v);
    return p + 1;
}

struct zt_val zt_format_percent(struct zt_env *e, const struct zt_str *fmt, struct zt_val args)
{
    struct percent f = {.fmt = fmt, .args = args};
    const char *start = zt_c_string(e, fmt), *p = start, *end = start + fmt->len;
    struct zt_sb b;

    zt_sb_init(&b, e);
    while (p < end) {
        const char *at = memchr(p, '%', (size_t)(end - p));
        at = at ? at : end;
        zt_sb_add_sub(&b, fmt, (size_t)(p - start), (size_t)(at - p));
        p = at < end ? percent_one(e, &f, &b, at + 1) : end;
    }
    bool container = args.kind == ZT_UNDEF || args.kind > ZT_STR;
    if (args.kind == ZT_TUPLE ? f.used < args.u.l->n : f.used == 0 && !container)
        zt_fail(e, "not all arguments are used by the format");
    return zt_of_str(zt_str_markup(e, zt_sb_take(&b), fmt->markup));
}

/* ---- "{}" ----------------------------------------------------------------------------------- */

static bool is_align(char c)
{
    return c && strchr("<>=^", c);
}

/* "[[fill]align][sign][#][0][width][,][.precision][type]" */
static struct spec parse_spec(struct zt_env *e, const char *p)
{
    struct spec sp = {.fill = zt_str_of(e, " ", false), .precision = -1};
    size_t n = 1;

    if (*p)
        zt_char_at(p, strlen(p), &n);
    if (*p && is_align(p[n])) {
        sp.fill = zt_str_new(e, p, n, false);
        p += n;
    }
    if (is_align(*p))
        sp.align = *p++;
    if (*p && strchr("+- ", *p)) {
        sp.sign = *p == '-' ? 0 : *p;
        p++;
    }
    sp.alternate = *p == '#';
    p += sp.alternate;
    if (*p == '0' && !sp.align) {
        sp.fill = zt_str_of(e, "0", false);
        sp.align = '=';
    }
    sp.width = take_number(e, &p);
    sp.thousands = *p == ',';
    p += sp.thousands;
    if (*p == '.') {
        p++;
        sp.precision = take_number(e, &p);
    }
    sp.type = *p;
    if (*p && p[1])
        zt_fail(e, "a bad format specification");
    return sp;
}

/* The argument that a field's name means: "", "0" or "name". */
static struct zt_val field_arg(struct zt_env *e, const struct zt_args *a, const char *name,
                               int64_t *next)
{
    const struct zt_val *v = NULL;
    bool is_number = strspn(name, "0123456789") == strlen(name);
    const char *p = name;

    if (is_number) {
        int64_t i = *name ? take_number(e, &p) : (*next)++;
        v = i < a->n ? &a->v[i] : NULL;
    } else if (a->kw) {
        v = zt_dict_get(e, a->kw, zt_text_of(e, name, false));
    }
    if (!v)
        zt_fail(e, "the format has no argument '%.40s'", name);
    return *v;
}

/* "name!r:spec" */
static void add_field(struct zt_sb *b, const struct zt_str *fmt, const struct zt_args *a,
                      char *field, int64_t *next)
{
    struct zt_env *e = b->e;
    char *spec = strchr(field, ':');
    if (spec)
        *spec++ = '\0';
    char *conversion = strchr(field, '!');
    if (conversion)
        *conversion++ = '\0';
    struct zt_val v = field_arg(e, a, field, next);

    if (conversion)
        v = *conversion == 'r' ? repr(e, v) : zt_of_str(zt_to_str(e, v));
    if (fmt->markup)
        v = zt_of_str(zt_str_escape(e, zt_to_str(e, v)));
    struct spec sp = parse_spec(e, spec ? spec : "");
    add_formatted(b, &sp, v);
}

struct zt_val zt_format_braces(struct zt_env *e, const struct zt_str *fmt, const struct zt_args *a)
{
    struct zt_sb b;
    int64_t next = 0;

    zt_sb_init(&b, e);
    for (size_t i = 0, n; i < fmt->len; i += n) {
        char c = fmt->p[i];
        bool doubled = i + 1 < fmt->len && fmt->p[i + 1] == c;
        n = 1 + ((c == '{' || c == '}') && doubled);
        if (n == 2 || (c != '{' && c != '}')) {
            zt_sb_add_sub(&b, fmt, i, 1);
            continue;
        }
        const char *close = memchr(fmt->p + i, '}', fmt->len - i);
        if (c == '}' || !close)
            zt_fail(e, "a format with a single '%c'", c);
        n = (size_t)(close - fmt->p) - i + 1;
        add_field(&b, fmt, a, zt_c_string(e, zt_str_sub(e, fmt, i + 1, n - 2)), &next);
    }
    return zt_of_str(zt_str_markup(e, zt_sb_take(&b), fmt->markup));
}
