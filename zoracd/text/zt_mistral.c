/* SPDX-License-Identifier: MIT */
/* Versions of the format, and how normalized messages are laid out. */
#include "zoracd/text/zt_mistral.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/zc_buf.h"
#include "common/zc_err.h"
#include "common/zc_mem.h"
#include "zoracd/text/zt_tmpl.h"

struct zt_mistral {
    int version;
    bool has_thoughts; /* tokens for them: not every v13 has some */
    struct zt_tmpl *tmpl;
};

/* v1 has no control tokens but BOS and EOS; its texts are encoded one by one, which for its
 * vocabulary is the same as with a space between them. From v13 on calls have no ids. */
static const char layout[] =
    "{%- macro say(parts) %}\n"
    "{%-   for part in parts %}\n"
    "{{-     part.text if part.text is defined else '[THINK]' + part.thinking }}\n"
    "{{-     '[/THINK]' if part.closed }}\n"
    "{%-   endfor %}\n"
    "{%- endmacro %}\n"
    "{{- '<s>' }}\n"
    "{%- for m in messages %}\n"
    "{%-   if v == 1 and loop.previtem is defined and loop.previtem.role == 'user' %}{{ ' ' }}"
    "{%    endif %}\n"
    "{%-   if m.role == 'user' %}\n"
    "{%-     if m.tools %}\n"
    "{{-       '[AVAILABLE_TOOLS]' + tools | tojson + '[/AVAILABLE_TOOLS]' }}\n"
    "{%-     endif %}\n"
    "{{-     '[INST] ' + m.content + ' [/INST]' if v == 1 else '[INST]' + m.content + '[/INST]' "
    "}}\n"
    "{%-   elif m.role == 'system' %}\n"
    "{{-     '[SYSTEM_PROMPT]' }}{{ say(m.parts) }}{{ '[/SYSTEM_PROMPT]' }}\n"
    "{%-   elif m.role == 'tool' %}\n"
    "{{-     '[TOOL_RESULTS]' }}\n"
    "{%-     if v <= 3 %}{{ m.result | tojson }}{% endif %}\n"
    "{%-     if v == 7 or v == 11 %}{{ m.id + '[TOOL_CONTENT]' }}{% endif %}\n"
    "{%-     if v >= 7 %}{{ m.content }}{% endif %}\n"
    "{{-     '[/TOOL_RESULTS]' }}\n"
    "{%-   else %}\n"
    "{{-     say(m.parts) }}\n"
    "{%-     if m.calls and v < 11 %}{{ '[TOOL_CALLS]' + m.calls | tojson }}{% endif %}\n"
    "{%-     for call in m.calls if v >= 11 %}\n"
    "{{-       '[TOOL_CALLS]' + call.name }}\n"
    "{{-       '[CALL_ID]' + call.id if v < 13 and call.id is defined }}\n"
    "{{-       '[ARGS]' + call.arguments | tojson }}\n"
    "{%-     endfor %}\n"
    "{{-     '</s>' if not m.prefix }}\n"
    "{%-   endif %}\n"
    "{%- endfor %}\n";

/* The control tokens of the layout, and the versions that have them. */
static const struct {
    const char *name;
    int first, last;
} tokens[] = {
    {"<s>", 1, 99},
    {"</s>", 1, 99},
    {"[INST]", 2, 99},
    {"[/INST]", 2, 99},
    {"[AVAILABLE_TOOLS]", 2, 99},
    {"[/AVAILABLE_TOOLS]", 2, 99},
    {"[TOOL_RESULTS]", 2, 99},
    {"[/TOOL_RESULTS]", 2, 99},
    {"[TOOL_CALLS]", 2, 99},
    {"[SYSTEM_PROMPT]", 7, 99},
    {"[/SYSTEM_PROMPT]", 7, 99},
    {"[TOOL_CONTENT]", 7, 11},
    {"[ARGS]", 11, 99},
    {"[CALL_ID]", 11, 11},
};

static bool has_control(const struct zt_tok *tok, const char *name)
{
    int32_t id = zt_tok_find(tok, name, strlen(name));
    return id >= 0 && zt_tok_is_special(tok, id);
}

int zt_mistral_version(const struct zt_tok *tok, const char *file, bool is_mistral)
{
    const char *slash = strrchr(file, '/');
    const char *model = strstr(slash ? slash + 1 : file, ".model");
    int version = zt_tok_tekken_version(tok);

    if (version > 0 || !model)
        return version;
    if (sscanf(model, ".model.v%d", &version) == 1)
        return version;
    if (!has_control(tok, "[INST]"))
        return is_mistral;
    return has_control(tok, "[SYSTEM_PROMPT]") ? 7 : has_control(tok, "[PREFIX]") ? 3 : 2;
}

static int check_tokens(const struct zt_tok *tok, int version, struct zc_diag *dg)
{
    for (size_t i = 0; i < sizeof tokens / sizeof tokens[0]; i++) {
        if (version < tokens[i].first || version > tokens[i].last)
            continue;
        if (!has_control(tok, tokens[i].name))
            return zc_diag(
                dg, ZC_EFORMAT,
                "the vocabulary has no control token %s, which Mistral's format v%d needs",
                tokens[i].name, version);
    }
    return ZC_OK;
}

int zt_mistral_new(struct zt_mistral **ret_m, const struct zt_tok *tok, int version,
                   struct zc_diag *dg)
{
    struct zt_tmpl *tmpl;

    if (version != 1 && version != 2 && version != 3 && version != 7 && version != 11 &&
        version != 13)
        return zc_diag(dg, ZC_EUNSUPPORTED, "Mistral's message format v%d is not supported",
                       version);
    int r = check_tokens(tok, version, dg);
    if (r < 0 || (r = zt_tmpl_new(&tmpl, "mistral", layout, sizeof layout - 1, dg)) < 0)
        return r;
    *ret_m = zc_xcalloc(1, sizeof **ret_m);
    (*ret_m)->version = version;
    (*ret_m)->has_thoughts =
        version >= 13 && has_control(tok, "[THINK]") && has_control(tok, "[/THINK]");
    (*ret_m)->tmpl = tmpl;
    return ZC_OK;
}

void zt_mistral_free(struct zt_mistral *m)
{
    if (!m)
        return;
    zt_tmpl_free(m->tmpl);
    zc_free(m);
}

int zt_mistral_render(const struct zt_mistral *m, const json_t *messages, const json_t *tools,
                      struct zt_text *out, struct zc_diag *dg)
{
    struct zc_buf vars;

    zc_buf_init(&vars, (size_t)1 << 30);
    int r = zt_mistral_normalize(m->version, m->has_thoughts, messages, tools, &vars, dg);
    struct zt_tmpl_in in = {.json = vars.data, .json_len = vars.len};
    if (r >= 0)
        r = zt_tmpl_render(m->tmpl, &in, out, dg);
    zc_buf_release(&vars);
    return r;
}
