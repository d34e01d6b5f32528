/* SPDX-License-Identifier: MIT */
/* Which file the template comes from, or which format stands where none is, and which strings of
 * tokenizer_config.json are trusted: the special tokens, which the model's maker wrote. */
#include "zoracd/text/zt_chat.h"

#include <string.h>

#include "common/zc_err.h"
#include "common/zc_file.h"
#include "common/zc_mem.h"

#define MAX_FILE (64u << 20)

/* ---- trusted variables -------------------------------------------------------------------- */

/* A special token is written as its text, or as an object with the text in content. */
static const char *token_text(const json_t *v)
{
    return json_string_value(json_is_object(v) ? json_object_get(v, "content") : v);
}

static json_t *trusted_tokens(const json_t *config)
{
    static const char *const keys[] = {"bos_token", "eos_token", "unk_token", "pad_token",
                                       "sep_token", "cls_token", "mask_token"};
    json_t *trusted = json_object(), *list = json_array(), *v;
    size_t i;

    for (i = 0; i < sizeof keys / sizeof *keys; i++) {
        const char *text = token_text(json_object_get(config, keys[i]));
        if (text)
            json_object_set_new(trusted, keys[i], json_string(text));
    }
    json_array_foreach (json_object_get(config, "additional_special_tokens"), i, v)
        if (token_text(v))
            json_array_append_new(list, json_string(token_text(v)));
    json_object_set_new(trusted, "additional_special_tokens", list);
    return trusted;
}

/* ---- templates ---------------------------------------------------------------------------- */

/* The template of a name in a list of {name, template}; NULL if there is none. */
static const json_t *named_template(const json_t *list, const char *name)
{
    const json_t *entry;
    size_t i;

    json_array_foreach (list, i, entry) {
        const char *one = json_string_value(json_object_get(entry, "name"));
        if (one && strcmp(one, name) == 0)
            return json_object_get(entry, "template");
    }
    return NULL;
}

/* chat_template of a file: a string, or a list of which "default" is meant, and "tool_use" where
 * a request has tools. ZC_ENOTFOUND: there is none; what is neither was meant to be one, and is
 * ZC_EFORMAT. */
static int compile_member(struct zt_chat *c, const json_t *file, const char *name,
                          struct zc_diag *dg)
{
    const json_t *v = json_object_get(file, "chat_template");
    const json_t *text = json_is_array(v) ? named_template(v, "default") : v;
    const json_t *tools = named_template(v, "tool_use");

    if (!v || json_is_null(v))
        return ZC_ENOTFOUND;
    if (!text)
        return zc_diag(dg, ZC_EFORMAT,
                       "%s: chat_template is a list without a template named default", name);
    if (!json_is_string(text) || (tools && !json_is_string(tools)))
        return zc_diag(dg, ZC_EFORMAT,
                       "%s: chat_template%s is neither a string nor a list of templates with names",
                       name,
                       text == v              ? ""
                       : json_is_string(text) ? " (the one for tool_use)"
                                              : " (the default one)");
    int r = zt_tmpl_new(&c->tmpl, "chat_template", json_string_value(text),
                        json_string_length(text), dg);
    if (r == ZC_OK && tools)
        r = zt_tmpl_new(&c->tool_tmpl, "chat_template (tool_use)", json_string_value(tools),
                        json_string_length(tools), dg);
    return r;
}

/* A template that is a file. ZC_ENOTFOUND. */
static int compile_file(struct zt_tmpl **ret_tmpl, const char *dir, const char *name,
                        struct zc_diag *dg)
{
    char *path = zc_xasprintf("%s/%s", dir, name), *src = NULL;
    size_t len;

    int r = zc_file_read(&src, &len, path, MAX_FILE, dg);
    if (r == ZC_OK)
        r = zt_tmpl_new(ret_tmpl, name, src, len, dg);
    zc_free(src);
    zc_free(path);
    return r;
}

/* A JSON file of the directory, an object; NULL where there is none. Integers may be of any size:
 * model_max_length is 10^30 in many. */
static int read_object(json_t **ret_o, const char *dir, const char *name, struct zc_diag *dg)
{
    char *path = zc_xasprintf("%s/%s", dir, name), *text = NULL;
    json_error_t e;
    size_t len;

    int r = zc_file_read(&text, &len, path, MAX_FILE, dg);
    if (r == ZC_OK) {
        *ret_o = json_loadb(text, len,
                            JSON_REJECT_DUPLICATES | JSON_DECODE_INT_AS_REAL | JSON_ALLOW_NUL, &e);
        if (!*ret_o)
            r = zc_diag(dg, ZC_EFORMAT, "%s:%d:%d: %s", name, e.line, e.column, e.text);
        else if (!json_is_object(*ret_o))
            r = zc_diag(dg, ZC_EFORMAT, "%s: not an object", name);
    }
    zc_free(text);
    zc_free(path);
    return r == ZC_ENOTFOUND ? ZC_OK : r;
}

/* chat_template.json, of models that also see. */
static int compile_json_file(struct zt_chat *c, const char *dir, struct zc_diag *dg)
{
    json_t *file = NULL;
    int r = read_object(&file, dir, "chat_template.json", dg);

    if (r == ZC_OK)
        r = compile_member(c, file, "chat_template.json", dg);
    json_decref(file);
    return r;
}

/* ZC_ENOTFOUND: the model has no template. */
static int compile(struct zt_chat *c, const char *dir, const json_t *config, struct zc_diag *dg)
{
    int r = compile_file(&c->tmpl, dir, "chat_template.jinja", dg);

    if (r == ZC_OK) {
        r = compile_file(&c->tool_tmpl, dir, "additional_chat_templates/tool_use.jinja", dg);
        return r == ZC_ENOTFOUND ? ZC_OK : r;
    }
    if (r == ZC_ENOTFOUND)
        r = compile_member(c, config, "tokenizer_config.json", dg);
    if (r == ZC_ENOTFOUND)
        r = compile_json_file(c, dir, dg);
    if (r == ZC_ENOTFOUND)
        return zc_diag(dg, r,
                       "no chat template: there is no chat_template.jinja and no chat_template in "
                       "tokenizer_config.json");
    return r;
}

/* ---- whole -------------------------------------------------------------------------------- */

/* Whether config.json calls the model one of Mistral's. */
static bool is_mistral(const char *dir)
{
    char *path = zc_xasprintf("%s/config.json", dir), *text = NULL;
    json_t *config = NULL;
    size_t len;

    if (zc_file_read(&text, &len, path, MAX_FILE, NULL) == ZC_OK)
        config = json_loadb(text, len, JSON_DECODE_INT_AS_REAL, NULL);
    const char *type = json_string_value(json_object_get(config, "model_type"));
    bool is = type && (strcmp(type, "mistral") == 0 || strcmp(type, "mixtral") == 0);
    json_decref(config);
    zc_free(text);
    zc_free(path);
    return is;
}

/* Without a template: the format that the tokenizer is of. dg says already that there is none. */
static int open_mistral(struct zt_chat *c, const char *dir, struct zc_diag *dg)
{
    char *file = NULL;

    if (!c->tok)
        return ZC_EUNSUPPORTED;
    int r = zt_tok_find_file(&file, dir, dg);
    int version = r < 0 ? 0 : zt_mistral_version(c->tok, file, is_mistral(dir));
    zc_free(file);
    if (version == 0)
        return r < 0 ? r : ZC_EUNSUPPORTED;
    return zt_mistral_new(&c->mistral, c->tok, version, dg);
}

int zt_chat_open_template(struct zt_chat *c, const char *dir, struct zc_diag *dg)
{
    json_t *config = NULL;
    int r = read_object(&config, dir, "tokenizer_config.json", dg);

    if (r < 0) {
        json_decref(config);
        return r;
    }
    c->trusted = trusted_tokens(config);
    r = compile(c, dir, config, dg);
    json_decref(config);
    return r == ZC_ENOTFOUND ? open_mistral(c, dir, dg) : r;
}

int zt_chat_open(struct zt_chat *ret_c, const char *dir, struct zc_diag *dg)
{
    struct zt_chat c = {0};
    int r = zt_tok_open(&c.tok, dir, dg);

    if (r == ZC_OK)
        r = zt_chat_open_template(&c, dir, dg);
    if (r == ZC_OK)
        *ret_c = c;
    else
        zt_chat_release(&c);
    return r;
}

/* ---- rendering ---------------------------------------------------------------------------- */

static int render_mistral(const struct zt_chat *c, json_t *vars, struct zt_text *out,
                          struct zc_diag *dg)
{
    static const char *const known[] = {"messages", "tools", "add_generation_prompt"};
    const char *key;
    json_t *v;

    json_object_foreach (vars, key, v) {
        bool is_known = false;
        for (size_t i = 0; i < sizeof known / sizeof *known; i++)
            is_known |= strcmp(key, known[i]) == 0;
        if (!is_known)
            return zc_diag(dg, ZC_EINVAL, "Mistral's own format has no variable '%.60s'", key);
    }
    return zt_mistral_render(c->mistral, json_object_get(vars, "messages"),
                             json_object_get(vars, "tools"), out, dg);
}

/* Whether a request has tools, be it none of them: the reference asks so. */
static bool has_tools(const json_t *vars)
{
    const json_t *tools = json_object_get(vars, "tools");

    return tools && !json_is_null(tools);
}

int zt_chat_render(const struct zt_chat *c, struct zt_tmpl_in in, struct zt_text *out,
                   struct zc_diag *dg)
{
    json_t *vars = in.vars, *parsed = NULL;
    json_error_t e;
    int r;

    in.trusted_vars = c->trusted;
    if (in.json && (c->mistral || c->tool_tmpl)) {
        vars = parsed =
            json_loadb(in.json, in.json_len,
                       c->mistral ? JSON_ALLOW_NUL : JSON_ALLOW_NUL | JSON_DECODE_INT_AS_REAL, &e);
        if (!vars)
            return zc_diag(dg, ZC_EFORMAT, "%s", e.text);
    }
    if (c->mistral)
        r = render_mistral(c, vars, out, dg);
    else
        r = zt_tmpl_render(c->tool_tmpl && has_tools(vars) ? c->tool_tmpl : c->tmpl, &in, out, dg);
    json_decref(parsed);
    return r;
}

void zt_chat_release(struct zt_chat *c)
{
    zt_tok_free(c->tok);
    zt_tmpl_free(c->tmpl);
    zt_tmpl_free(c->tool_tmpl);
    zt_mistral_free(c->mistral);
    json_decref(c->trusted);
    *c = (struct zt_chat){0};
}
