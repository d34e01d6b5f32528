/* SPDX-License-Identifier: MIT */
/* The files of a model's directory that a tokenizer comes from: which of them is read, and what
 * the smaller ones beside it say of its tokens. */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/zc_err.h"
#include "common/zc_file.h"
#include "common/zc_mem.h"
#include "zoracd/text/zt_tok_internal.h"

/* The reader of a file, by its name: tekken_240718.json and tokenizer.model.v3 are names, too. */
static zt_tok_read_fn *reader_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    const char *name = slash ? slash + 1 : path, *model = strstr(name, ".model");

    if (model && (model[6] == '\0' || model[6] == '.'))
        return zt_spm_read;
    return strncmp(name, "tekken", 6) == 0 ? zt_tekken_read : zt_tok_read;
}

int zt_tok_find_file(char **ret_file, const char *dir, struct zc_diag *dg)
{
    static const char *const names[] = {
        "tokenizer.json",     "tekken.json",        "tokenizer.model",    "tokenizer.model.v7",
        "tokenizer.model.v3", "tokenizer.model.v2", "tokenizer.model.v1",
    };

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char *file = zc_xasprintf("%s/%s", dir, names[i]);
        if (access(file, F_OK) == 0) {
            *ret_file = file;
            return ZC_OK;
        }
        zc_free(file);
    }
    return zc_diag(dg, ZC_ENOTFOUND, "%s: no tokenizer.json, tekken.json or tokenizer.model", dir);
}

/* A file of a directory as an object; NULL where there is none. */
static int read_object(json_t **ret_o, const char *dir, const char *name, size_t flags,
                       struct zc_diag *dg)
{
    char *path = zc_xasprintf("%s/%s", dir, name), *text = NULL;
    json_error_t e;
    size_t len;

    int r = zc_file_read(&text, &len, path, ZT_TOK_MAX_FILE, dg);
    if (r >= 0 && !(*ret_o = json_loadb(text, len, flags, &e)))
        r = zc_diag(dg, ZC_EFORMAT, "%s:%d: %s", path, e.line, e.text);
    zc_free(text);
    zc_free(path);
    return r == ZC_ENOTFOUND ? ZC_OK : r;
}

/* ---- beside tokenizer.model --------------------------------------------------------------- */

static void add_pieces(json_t *more, const json_t *added, const json_t *config)
{
    const char *key;
    json_t *v;

    json_object_foreach ((json_t *)(uintptr_t)added, key, v)
        json_object_set_new(more, key, json_pack("{s:O, s:b}", "id", v, "special", 0));
    json_object_foreach (json_object_get(config, "added_tokens_decoder"), key, v) {
        const char *content = json_string_value(json_object_get(v, "content"));
        if (content)
            json_object_set_new(more, content,
                                json_pack("{s:I, s:b}", "id", (json_int_t)strtol(key, NULL, 10),
                                          "special", json_is_true(json_object_get(v, "special"))));
    }
}

/* ---- beside tokenizer.json ---------------------------------------------------------------- */

/* A special token: its text, or an object with the text in content. */
static void add_special(json_t *more, json_t *v)
{
    const json_t *text = json_is_object(v) ? json_object_get(v, "content") : v;

    if (json_is_string(text) && !json_object_get(more, json_string_value(text)))
        json_object_set(more, json_string_value(text), v);
}

/* Not the tokens for padding and the unknown: neither occurs in a prompt, and some models name an
 * ordinary word there, which would then vanish from replies. */
static void add_specials(json_t *more, const json_t *config)
{
    static const char *const lists[] = {"additional_special_tokens", "extra_special_tokens"};
    const char *key;
    json_t *v;
    size_t i, k;

    json_object_foreach (json_object_get(config, "added_tokens_decoder"), key, v)
        if (json_is_true(json_object_get(v, "special")))
            add_special(more, v);
    add_special(more, json_object_get(config, "bos_token"));
    add_special(more, json_object_get(config, "eos_token"));
    for (i = 0; i < sizeof lists / sizeof *lists; i++) {
        json_array_foreach (json_object_get(config, lists[i]), k, v)
            add_special(more, v);
        json_object_foreach (json_object_get(config, lists[i]), key, v)
            add_special(more, v);
    }
}

/* ---- all of it ---------------------------------------------------------------------------- */

/* What added_tokens.json and tokenizer_config.json say of the tokens. The latter has integers of
 * any size: model_max_length is 10^30 in many. */
static int read_more(json_t *more, const char *dir, zt_tok_read_fn *read, struct zc_diag *dg)
{
    json_t *added = NULL, *config = NULL;

    int r = read == zt_spm_read ? read_object(&added, dir, "added_tokens.json", 0, dg) : ZC_OK;
    if (r >= 0)
        r = read_object(&config, dir, "tokenizer_config.json",
                        JSON_DECODE_INT_AS_REAL | JSON_ALLOW_NUL, dg);
    if (r >= 0 && read == zt_spm_read)
        add_pieces(more, added, config);
    else if (r >= 0 && read == zt_tok_read)
        add_specials(more, config);
    json_decref(added);
    json_decref(config);
    return r;
}

int zt_tok_open(struct zt_tok **ret_tok, const char *path, struct zc_diag *dg)
{
    struct stat st;
    char *data = NULL, *file = NULL;
    json_t *more = json_object();
    size_t len = 0;
    int r = ZC_OK;

    bool is_dir = stat(path, &st) == 0 && S_ISDIR(st.st_mode);
    if (is_dir)
        r = zt_tok_find_file(&file, path, dg);
    else
        file = zc_xstrdup(path);
    if (r >= 0 && is_dir)
        r = read_more(more, path, reader_of(file), dg);
    if (r >= 0 && (r = zc_file_read(&data, &len, file, ZT_TOK_MAX_FILE, dg)) >= 0) {
        r = zt_tok_new_from(ret_tok, data, len, reader_of(file), more, dg);
        if (r < 0)
            zc_diag_prefix(dg, r, "%s", file);
    }
    json_decref(more);
    zc_free(data);
    zc_free(file);
    return r;
}
