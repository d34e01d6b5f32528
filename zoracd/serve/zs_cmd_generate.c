/* SPDX-License-Identifier: MIT */
/* generate and cancel: from checked parameters to a job. */
#include "zoracd/serve/zs_internal.h"

#include <string.h>

#include "common/zc_json.h"
#include "common/zc_mem.h"

/* A copy of a JSON-like parameter; NULL where the request has none. */
static int take_json(json_t **ret, const msgpack_object *v, const char *name, struct zc_diag *dg)
{
    return v ? zc_json_unpack(ret, v, name, dg) : ZC_OK;
}

static int check_sources(const struct zc_wire_args *args, struct zc_diag *dg)
{
    const msgpack_object *const *v = args->v;
    bool has_prompt = v[ZC_P_GENERATE_prompt];
    bool has_messages = v[ZC_P_GENERATE_messages] || v[ZC_P_GENERATE_session];

    if (has_prompt && has_messages)
        return zc_diag(dg, ZC_EINVAL, "give prompt, or messages and session, not both");
    if (!has_prompt && !has_messages)
        return zc_diag(dg, ZC_EINVAL, "generate needs prompt or messages");
    if (has_prompt && (v[ZC_P_GENERATE_tools] || v[ZC_P_GENERATE_template_vars]))
        return zc_diag(dg, ZC_EINVAL,
                       "tools and template_vars need messages: a prompt is not "
                       "put into the template");
    if (has_messages && (v[ZC_P_GENERATE_parse_special] || v[ZC_P_GENERATE_add_special]))
        return zc_diag(dg, ZC_EINVAL,
                       "parse_special and add_special are for a prompt: what is "
                       "special in messages, the template says");
    return ZC_OK;
}

static int take_text(struct zs_job *job, const msgpack_object *v, struct zc_diag *dg)
{
    size_t n = v->via.str.size;
    void *text;

    int r = zc_try_malloc(&text, n, 1, UINT32_MAX);
    if (r < 0)
        return zc_diag(dg, r, "no memory for a text of %zu bytes", n);
    memcpy(text, v->via.str.ptr, n);
    job->text = text;
    job->text_len = n;
    return ZC_OK;
}

static int take_ids(struct zs_job *job, const msgpack_object *v, const char *name,
                    struct zc_diag *dg)
{
    int r = ZC_OK;

    for (uint32_t i = 0; r == ZC_OK && i < v->via.array.size; i++)
        r = zt_ids_add(&job->ids, (int32_t)v->via.array.ptr[i].via.u64);
    if (r == ZC_ELIMIT)
        zc_diag(dg, r, "%s has more than %zu ids", name, job->ids.max);
    else if (r < 0)
        zc_diag(dg, r, "no memory for %u ids of %s", v->via.array.size, name);
    return r;
}

/* The transcript that a request works on: the session's with the new messages, or its own. */
static int take_transcript(struct zs_conn *c, struct zs_job *job, const msgpack_object *messages,
                           const msgpack_object *session, struct zc_diag *dg)
{
    const struct zs_limits *lim = &c->front->config->limits;
    struct zs_session *s;

    if (!session) {
        int r = zs_transcript_new(&job->transcript, lim->message_bytes);
        return r < 0 ? r : zs_transcript_append(job->transcript, messages, dg);
    }
    int r = zs_session_find(c->user, session->via.str.ptr, session->via.str.size, &s, dg);
    if (r == ZC_OK)
        r = zs_session_check_idle(s, dg);
    if (r < 0)
        return r;
    s->transcript->max_bytes = lim->transcript_bytes; /* as it is now */
    job->n_before = s->n_messages;
    r = zs_transcript_append(s->transcript, messages, dg);
    if (r < 0)
        return r;
    job->session = s;
    job->transcript = zs_session_lend(s);
    return ZC_OK;
}

static int fill_generate(struct zs_conn *c, struct zs_job *job, const struct zc_wire_args *args,
                         struct zc_diag *dg)
{
    const msgpack_object *const *v = args->v;
    const msgpack_object *prompt = v[ZC_P_GENERATE_prompt];

    int r = zs_params_read(&job->params, args, dg);
    if (r == ZC_OK && job->params.n > 1 && v[ZC_P_GENERATE_session])
        r = zc_diag(dg, ZC_EINVAL, "n must be 1 with a session: it has one reply to go on from");
    if (r == ZC_OK)
        r = take_json(&job->tools, v[ZC_P_GENERATE_tools], "tools", dg);
    if (r == ZC_OK)
        r = take_json(&job->vars, v[ZC_P_GENERATE_template_vars], "template_vars", dg);
    if (r < 0)
        return r;
    if (prompt && prompt->type == MSGPACK_OBJECT_ARRAY)
        return take_ids(job, prompt, "prompt", dg);
    if (prompt) {
        job->parse_special = zc_wire_is_true(v[ZC_P_GENERATE_parse_special], false);
        job->add_special = zc_wire_is_true(v[ZC_P_GENERATE_add_special], true);
        return take_text(job, prompt, dg);
    }
    return take_transcript(c, job, v[ZC_P_GENERATE_messages], v[ZC_P_GENERATE_session], dg);
}

/* Counts the job, fills it, sends it; or takes it back. */
static int start_job(struct zs_conn *c, int64_t id, enum zc_method method,
                     const struct zc_wire_args *args,
                     int (*fill)(struct zs_conn *, struct zs_job *, const struct zc_wire_args *,
                                 struct zc_diag *),
                     struct zc_diag *dg)
{
    struct zs_job *job;

    int r = zs_jobs_new(c, id, method, &job, dg);
    if (r < 0)
        return r;
    r = fill(c, job, args, dg);
    if (r == ZC_OK)
        r = zs_jobs_charge(job, &c->front->config->limits, dg);
    if (r < 0)
        zs_jobs_drop(job, c->front);
    else
        zs_jobs_submit(c->front, job);
    return r;
}

int zs_cmd_generate(struct zs_conn *c, int64_t id, const struct zc_wire_args *args,
                    struct zc_diag *dg)
{
    int r = check_sources(args, dg);
    return r < 0 ? r : start_job(c, id, ZC_M_GENERATE, args, fill_generate, dg);
}

int zs_cmd_cancel(struct zs_conn *c, int64_t id, const struct zc_wire_args *args,
                  struct zc_diag *dg)
{
    struct zs_job *job = zs_jobs_find(c, zc_wire_int(args->v[ZC_P_CANCEL_id], -1));
    msgpack_packer pk;

    if (job)
        zs_jobs_cancel(c->front, job);
    zc_rpc_packer(&pk, zs_conn_out(c));
    zc_rpc_result(&pk, id, 1);
    zc_rpc_kv_bool(&pk, "canceled", job != NULL);
    zs_conn_wrote(c);
    return ZC_OK;
}

/* ---- texts -------------------------------------------------------------------------------- */

static int fill_tokenize(struct zs_conn *c, struct zs_job *job, const struct zc_wire_args *args,
                         struct zc_diag *dg)
{
    job->parse_special = zc_wire_is_true(args->v[ZC_P_TOKENIZE_parse_special], false);
    job->add_special = zc_wire_is_true(args->v[ZC_P_TOKENIZE_add_special], false);
    return take_text(job, args->v[ZC_P_TOKENIZE_text], dg);
}

int zs_cmd_tokenize(struct zs_conn *c, int64_t id, const struct zc_wire_args *args,
                    struct zc_diag *dg)
{
    return start_job(c, id, ZC_M_TOKENIZE, args, fill_tokenize, dg);
}

static int fill_detokenize(struct zs_conn *c, struct zs_job *job, const struct zc_wire_args *args,
                           struct zc_diag *dg)
{
    job->skip_special = zc_wire_is_true(args->v[ZC_P_DETOKENIZE_skip_special], false);
    return take_ids(job, args->v[ZC_P_DETOKENIZE_ids], "ids", dg);
}

int zs_cmd_detokenize(struct zs_conn *c, int64_t id, const struct zc_wire_args *args,
                      struct zc_diag *dg)
{
    return start_job(c, id, ZC_M_DETOKENIZE, args, fill_detokenize, dg);
}

/* render with a session lends it as generate does; nothing is kept of the new messages, because the
 * job ends without a reply. */
static int fill_render(struct zs_conn *c, struct zs_job *job, const struct zc_wire_args *args,
                       struct zc_diag *dg)
{
    const msgpack_object *const *v = args->v;

    int r = take_json(&job->tools, v[ZC_P_RENDER_tools], "tools", dg);
    if (r == ZC_OK)
        r = take_json(&job->vars, v[ZC_P_RENDER_template_vars], "template_vars", dg);
    if (r == ZC_OK && !v[ZC_P_RENDER_messages] && !v[ZC_P_RENDER_session])
        r = zc_diag(dg, ZC_EINVAL, "render needs messages or session");
    if (r < 0)
        return r;
    return take_transcript(c, job, v[ZC_P_RENDER_messages], v[ZC_P_RENDER_session], dg);
}

int zs_cmd_render(struct zs_conn *c, int64_t id, const struct zc_wire_args *args,
                  struct zc_diag *dg)
{
    return start_job(c, id, ZC_M_RENDER, args, fill_render, dg);
}
