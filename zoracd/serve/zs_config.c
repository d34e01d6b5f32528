/* SPDX-License-Identifier: MIT */
/* One table of keys. A row's name is the key in the file and the long option; a letter makes it a
 * short option too. */
#include "config.h"

#include "zoracd/serve/zs_config.h"

#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <ini.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "common/zc_err.h"
#include "common/zc_file.h"
#include "common/zc_mem.h"
#include "common/zc_size.h"

enum key_type { KEY_STR, KEY_NUM, KEY_EITHER, KEY_SIZE, KEY_MODE, KEY_BOOL, KEY_LEVEL };

struct key {
    const char *name, *arg, *text;
    size_t off;
    uint64_t lo, hi;
    enum key_type type;
    char letter;
    bool live; /* SIGHUP changes it */
};

#define FIELD(f) offsetof(struct zs_config, f)

static const struct key keys[] = {
    {"model", "MODEL", "a Hugging Face style directory (default: the demo model)", FIELD(model), 0,
     0, KEY_STR, 'm', false},
    {"socket", "SOCKET", "the Unix socket to listen at", FIELD(socket), 0, 0, KEY_STR, 'S', false},
    {"backend", "auto|cuda|cpu", "what computes (default auto)", FIELD(backend), 0, 0, KEY_STR, 'b',
     false},
    {"device", "UUID|INDEX|NAME", "which GPU", FIELD(device), 0, 0, KEY_STR, 0, false},
    {"context", "N", "tokens per request (default: the largest that fits)", FIELD(context), 0,
     1u << 30, KEY_NUM, 0, false},
    {"kv-type", "f16|fp8", "how keys and values are stored (default f16)", FIELD(kv_type), 0, 0,
     KEY_STR, 0, false},
    {"lm-head", "8|16", "bits of the head's weights (default 8)", FIELD(lm_head), 8, 16, KEY_EITHER,
     0, false},
    {"memory-limit", "SIZE", "for weights, cache and scratch, as 6GiB (default: what there is)",
     FIELD(memory_limit), 0, UINT64_MAX, KEY_SIZE, 0, false},
    {"threads", "N", "of the CPU back-end (default: what the machine and control group give)",
     FIELD(threads), 0, 1024, KEY_NUM, 0, false},
    {"max-sequences", "N", "replies computed in one step (default 32)", FIELD(max_sequences), 1,
     512, KEY_NUM, 0, false},
    {"exact", NULL, "full-precision activations and cache on the CPU: slower", FIELD(exact), 0, 1,
     KEY_BOOL, 0, false},
    {"strict", NULL, "the same bits from cached and recomputed pages (the CPU always does)",
     FIELD(strict), 0, 1, KEY_BOOL, 0, false},
    {"caps", "LIST", "kernel capabilities to use, as none or avx2", FIELD(caps), 0, 0, KEY_STR, 0,
     false},
    {"log-level", "LEVEL", "error, warning, notice (default), info, debug", FIELD(log_level), 0, 0,
     KEY_LEVEL, 0, true},
    {"socket-mode", "MODE", "of the socket's file, octal (default 600)", FIELD(socket_mode), 0,
     0777, KEY_MODE, 0, false},
    {"stop-timeout", "SECONDS", "for running requests when the daemon ends (default 10)",
     FIELD(stop_timeout), 0, 86400, KEY_NUM, 0, true},
    {"stall-timeout", "SECONDS", "until a client that reads nothing is cut off (default 60)",
     FIELD(stall_timeout), 1, 86400, KEY_NUM, 0, true},
#define ZS_LIMIT(field, name, dflt, lo, hi, text) \
    {"limit-" name, "N", text, FIELD(limits.field), lo, hi, KEY_NUM, 0, true},
    ZS_LIMITS(ZS_LIMIT)
#undef ZS_LIMIT
};
#define N_KEYS (sizeof keys / sizeof *keys)

void zs_config_init(struct zs_config *c)
{
    *c = (struct zs_config){.backend = zc_xstrdup("auto"),
                            .lm_head = 8,
                            .max_sequences = 32,
                            .log_level = ZC_LOG_NOTICE,
                            .socket_mode = 0600,
                            .stop_timeout = 10,
                            .stall_timeout = 60,
#define ZS_LIMIT(field, name, dflt, lo, hi, text) .limits.field = dflt,
                            ZS_LIMITS(ZS_LIMIT)
#undef ZS_LIMIT
    };
}

static char **str_at(const struct zs_config *c, const struct key *k)
{
    return (char **)((uintptr_t)c + k->off);
}

static size_t *num_at(const struct zs_config *c, const struct key *k)
{
    return (size_t *)((uintptr_t)c + k->off);
}

static bool *bool_at(const struct zs_config *c, const struct key *k)
{
    return (bool *)((uintptr_t)c + k->off);
}

void zs_config_release(struct zs_config *c)
{
    for (size_t i = 0; i < N_KEYS; i++)
        if (keys[i].type == KEY_STR)
            zc_free(*str_at(c, &keys[i]));
    *c = (struct zs_config){0};
}

/* ---- values ------------------------------------------------------------------------------- */

/* Digits in a base, or a size with its unit. */
static int parse_number(const struct key *k, const char *value, uint64_t *ret)
{
    uint64_t v;
    char *end;

    if (k->type == KEY_SIZE) {
        if (zc_size_parse(value, &v) < 0)
            return ZC_EINVAL;
    } else {
        errno = 0;
        v = strtoull(value, &end, k->type == KEY_MODE ? 8 : 10);
        if (!isdigit((unsigned char)value[0]) || errno || *end)
            return ZC_EINVAL;
    }
    if (v < k->lo || v > k->hi || (k->type == KEY_EITHER && v != k->lo && v != k->hi))
        return ZC_EINVAL;
    *ret = v;
    return ZC_OK;
}

static int parse_bool(const char *value, bool *ret)
{
    static const char *const yes[] = {"yes", "true", "on", "1"}, *const no[] = {"no", "false",
                                                                                "off", "0"};
    for (size_t i = 0; i < 4; i++) {
        if (strcasecmp(value, yes[i]) == 0 || strcasecmp(value, no[i]) == 0) {
            *ret = strcasecmp(value, yes[i]) == 0;
            return ZC_OK;
        }
    }
    return ZC_EINVAL;
}

static int wrong_number(const struct key *k, const char *value, struct zc_diag *dg)
{
    if (k->type == KEY_MODE)
        return zc_diag(dg, ZC_EINVAL, "%s is an octal number up to 777, not '%s'", k->name, value);
    if (k->type == KEY_SIZE)
        return zc_diag(dg, ZC_EINVAL, "%s is a size as 6GiB, not '%s'", k->name, value);
    return zc_diag(dg, ZC_EINVAL,
                   k->type == KEY_EITHER ? "%s is %llu or %llu, not '%s'"
                                         : "%s is a number from %llu to %llu, not '%s'",
                   k->name, (unsigned long long)k->lo, (unsigned long long)k->hi, value);
}

/* Sets one key. The sentence has no file or option name: the caller knows that. */
static int set_key(struct zs_config *c, const struct key *k, const char *value, struct zc_diag *dg)
{
    uint64_t n = 0;
    enum zc_log_level level = ZC_LOG_NOTICE;

    switch (k->type) {
    case KEY_STR:
        if (!*value)
            return zc_diag(dg, ZC_EINVAL, "%s needs a value", k->name);
        zc_free(*str_at(c, k));
        *str_at(c, k) = zc_xstrdup(value);
        return ZC_OK;
    case KEY_BOOL:
        if (parse_bool(value, bool_at(c, k)) < 0)
            return zc_diag(dg, ZC_EINVAL, "%s is yes or no, not '%s'", k->name, value);
        return ZC_OK;
    case KEY_LEVEL:
        if (zc_log_level_from_name(value, &level) < 0)
            return zc_diag(dg, ZC_EINVAL,
                           "%s is one of error, warning, notice, info, debug, "
                           "not '%s'",
                           k->name, value);
        *num_at(c, k) = (size_t)level;
        return ZC_OK;
    default:
        if (parse_number(k, value, &n) < 0)
            return wrong_number(k, value, dg);
        *num_at(c, k) = (size_t)n;
        return ZC_OK;
    }
}

static const struct key *find_key(const char *name)
{
    for (size_t i = 0; i < N_KEYS; i++)
        if (strcmp(keys[i].name, name) == 0)
            return &keys[i];
    return NULL;
}

/* ---- the file ----------------------------------------------------------------------------- */

struct parse {
    struct zs_config *c;
    struct zc_diag dg;
    int result;
    bool seen[N_KEYS];
};

#define MAX_FILE (1u << 20)
#define MAX_LINE 198 /* of inih's 200 the line end and the NUL go off */

/* inih's handler: 0 makes it remember the line and go on; the first sentence is kept. */
static int on_key(void *user, const char *section, const char *name, const char *value)
{
    struct parse *p = user;
    const struct key *k = find_key(name);

    if (p->result < 0)
        return 0;
    if (!k)
        p->result = zc_diag(&p->dg, ZC_EINVAL, "unknown key '%.64s'", name);
    else if (p->seen[k - keys])
        p->result = zc_diag(&p->dg, ZC_EINVAL, "%s is there twice", name);
    else
        p->result = set_key(p->c, k, value, &p->dg);
    if (k)
        p->seen[k - keys] = true;
    return p->result == ZC_OK;
}

/* What inih would not tell us. It cuts a longer line and reads the rest as a line of its own: a
 * comment's end would be a setting. And it says nothing of a section that has no keys. */
static int check_line(const char *p, size_t n, struct zc_diag *dg)
{
    if (n > MAX_LINE)
        return zc_diag(dg, ZC_EINVAL, "a line of more than %d bytes", MAX_LINE);
    size_t blank = 0;
    while (blank < n && isspace((unsigned char)p[blank]))
        blank++;
    if (blank < n && p[blank] == '[')
        return zc_diag(dg, ZC_EINVAL, "there are no sections, but this line begins one: %.*s",
                       (int)(n - blank), p + blank);
    return ZC_OK;
}

static int check_lines(const char *name, const char *text, size_t len, struct zc_diag *dg)
{
    int r = ZC_OK, line = 1;
    size_t at = 0;

    if (len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0) /* inih skips a byte order mark */
        at = 3;
    for (; r == ZC_OK && at < len; line++) {
        const char *end = memchr(text + at, '\n', len - at);
        size_t n = end ? (size_t)(end - text) - at : len - at;
        r = check_line(text + at, n, dg);
        if (r < 0)
            zc_diag_prefix(dg, r, "%s:%d", name, line);
        at += n + 1;
    }
    return r;
}

int zs_config_parse(struct zs_config *c, const char *name, const char *text, size_t len,
                    struct zc_diag *dg)
{
    struct parse *p;

    if (memchr(text, '\0', len))
        return zc_diag(dg, ZC_EINVAL, "%s: it has a NUL byte and is no text", name);
    int r = check_lines(name, text, len, dg);
    if (r < 0)
        return r;
    p = zc_xcalloc(1, sizeof *p);
    p->c = c;
    char *copy = zc_xstrndup(text, len);
    int line = ini_parse_string(copy, on_key, p);
    r = p->result;
    if (r < 0)
        zc_diag(dg, r, "%s:%d: %s", name, line, p->dg.text);
    else if (line != 0)
        r = zc_diag(dg, ZC_EINVAL, "%s:%d: not 'key = value'", name, line);
    zc_free(copy);
    zc_free(p);
    return r;
}

int zs_config_read(struct zs_config *c, const char *path, struct zc_diag *dg)
{
    char *text;
    size_t len;

    int r = zc_file_read(&text, &len, path, MAX_FILE, dg);
    if (r < 0)
        return r;
    r = zs_config_parse(c, path, text, len, dg);
    zc_free(text);
    return r;
}

char *zs_config_default_path(void)
{
    const char *xdg = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");

    if (geteuid() == 0)
        return zc_xstrdup(ZS_SYSCONFDIR "/zorac/zoracd.conf");
    if (xdg && xdg[0] == '/')
        return zc_xasprintf("%s/zorac/zoracd.conf", xdg);
    return home ? zc_xasprintf("%s/.config/zorac/zoracd.conf", home) : NULL;
}

/* ---- the command line --------------------------------------------------------------------- */

enum { OPT_HELP = 1000, OPT_VERSION, OPT_CHECK, OPT_KEY };

/* Fills getopt's tables from the keys. */
static void make_tables(struct option *longs, char *shorts)
{
    size_t n = 0;

    longs[n++] = (struct option){"help", no_argument, NULL, OPT_HELP};
    longs[n++] = (struct option){"version", no_argument, NULL, OPT_VERSION};
    longs[n++] = (struct option){"check", no_argument, NULL, OPT_CHECK};
    longs[n++] = (struct option){"config", required_argument, NULL, 'c'};
    shorts += sprintf(shorts, ":hc:");
    for (size_t i = 0; i < N_KEYS; i++) {
        int has = keys[i].type == KEY_BOOL ? no_argument : required_argument;
        longs[n++] = (struct option){keys[i].name, has, NULL, OPT_KEY + (int)i};
        if (keys[i].letter)
            shorts += sprintf(shorts, "%c:", keys[i].letter);
    }
    longs[n] = (struct option){0};
}

/* The row of what getopt returned; -1 if it is none. */
static int key_of_option(int opt)
{
    for (size_t i = 0; i < N_KEYS; i++)
        if (opt == OPT_KEY + (int)i || (keys[i].letter && opt == keys[i].letter))
            return (int)i;
    return -1;
}

/* A long option that names none, or more than one by its beginning. */
static int unknown_option(const struct option *longs, const char *word, struct zc_diag *dg)
{
    struct zc_buf names;
    int n = 0;

    zc_buf_init(&names, sizeof dg->text);
    for (const struct option *o = longs; o->name; o++)
        if (strncmp(o->name, word + 2, strcspn(word + 2, "=")) == 0)
            zc_buf_addf(&names, "%s--%s", n++ ? ", " : "", o->name);
    int r = n > 1 ? zc_diag(dg, ZC_EINVAL, "option '%s' may be any of %s", word, zc_buf_str(&names))
                  : zc_diag(dg, ZC_EINVAL, "no option '%s'", word);
    zc_buf_release(&names);
    return r;
}

/* What getopt (which leaves the option in optopt) could not take; word: where it stopped. */
static int wrong_option(const struct option *longs, int opt, const char *word, struct zc_diag *dg)
{
    char letter[] = {'-', (char)optopt, '\0'};
    char *name = NULL;

    if (optopt == 0)
        return unknown_option(longs, word, dg);
    for (const struct option *o = longs; o->name && word[1] == '-'; o++)
        if (o->val == optopt)
            name = zc_xasprintf("--%s", o->name);
    int r = zc_diag(dg, ZC_EINVAL,
                    opt == ':' ? "%s needs a value"
                    : name     ? "%s takes no value"
                               : "no option '%s'",
                    name ? name : letter);
    zc_free(name);
    return r;
}

int zs_config_options(struct zs_config *c, struct zs_cmdline *ret, int argc, char **argv,
                      struct zc_diag *dg)
{
    struct option longs[N_KEYS + 5];
    char shorts[2 * N_KEYS + 8];
    int opt, k, r = ZC_OK;

    make_tables(longs, shorts);
    *ret = (struct zs_cmdline){0};
    optind = 0;
    opterr = 0;
    while (r == ZC_OK && (opt = getopt_long(argc, argv, shorts, longs, NULL)) != -1) {
        if (opt == OPT_HELP || opt == 'h')
            ret->help = true;
        else if (opt == OPT_VERSION)
            ret->version = true;
        else if (opt == OPT_CHECK)
            ret->check = true;
        else if (opt == 'c')
            ret->file = optarg;
        else if ((k = key_of_option(opt)) >= 0)
            r = c ? set_key(c, &keys[k], optarg ? optarg : "yes", dg) : ZC_OK;
        else
            r = wrong_option(longs, opt, argv[optind - 1], dg);
    }
    if (r == ZC_OK && optind < argc)
        r = zc_diag(dg, ZC_EINVAL, "'%s' is not an option: a model is given with -m", argv[optind]);
    return r;
}

void zs_config_help(struct zc_buf *b)
{
    char left[64];

    for (size_t i = 0; i < N_KEYS; i++) {
        const struct key *k = &keys[i];
        char letter[8] = "    ";
        if (k->letter)
            snprintf(letter, sizeof letter, "-%c, ", k->letter);
        snprintf(left, sizeof left, "%s--%s%s%s", letter, k->name, k->arg ? " " : "",
                 k->arg ? k->arg : "");
        zc_buf_addf(b, "  %-38s %s%s\n", left, k->text, k->live ? " (*)" : "");
    }
}

/* ---- the whole ---------------------------------------------------------------------------- */

int zs_config_check(const struct zs_config *c, struct zc_diag *dg)
{
    if (strcmp(c->backend, "auto") != 0 && strcmp(c->backend, "cpu") != 0 &&
        strcmp(c->backend, "cuda") != 0)
        return zc_diag(dg, ZC_EINVAL, "backend is auto, cuda or cpu, not '%s'", c->backend);
    if (c->device && strcmp(c->backend, "cpu") == 0)
        return zc_diag(dg, ZC_EINVAL,
                       "device chooses a GPU, which contradicts backend cpu: give "
                       "one of the two");
    if (c->kv_type && strcmp(c->kv_type, "f16") != 0 && strcmp(c->kv_type, "fp8") != 0)
        return zc_diag(dg, ZC_EINVAL, "kv-type is f16 or fp8, not '%s'", c->kv_type);
    if (c->kv_type && c->exact)
        return zc_diag(dg, ZC_EINVAL,
                       "exact stores keys and values in full precision, which contradicts kv-type "
                       "%s: give one of the two",
                       c->kv_type);
    return ZC_OK;
}

/* Whether two configurations agree in a key. */
static bool is_same(const struct zs_config *a, const struct zs_config *b, const struct key *k)
{
    if (k->type == KEY_BOOL)
        return *bool_at(a, k) == *bool_at(b, k);
    if (k->type != KEY_STR)
        return *num_at(a, k) == *num_at(b, k);
    const char *sa = *str_at(a, k), *sb = *str_at(b, k);
    return sa && sb ? strcmp(sa, sb) == 0 : sa == sb;
}

void zs_config_reload(struct zs_config *c, const struct zs_config *from, struct zc_buf *ret_ignored)
{
    for (size_t i = 0; i < N_KEYS; i++) {
        const struct key *k = &keys[i];
        if (is_same(c, from, k))
            continue;
        if (k->live) /* live keys are numbers */
            *num_at(c, k) = *num_at(from, k);
        else
            zc_buf_addf(ret_ignored, "%s%s", ret_ignored->len ? ", " : "", k->name);
    }
}
