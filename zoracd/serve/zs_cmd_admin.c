/* SPDX-License-Identifier: MIT */
/* hello, status, stats, shutdown: answered at once, whatever else the daemon is doing. */
#include "config.h"

#include "zoracd/serve/zs_internal.h"

#include <time.h>
#include <unistd.h>

#include "common/zc_log.h"

/* ---- hello -------------------------------------------------------------------------------- */

static void pack_model(msgpack_packer *pk, const struct zs_front *f)
{
    zc_rpc_put_str(pk, "model");
    if (!f->model) {
        msgpack_pack_nil(pk);
        return;
    }
    msgpack_pack_map(pk, 3);
    zc_rpc_kv_str(pk, "name", f->model->name);
    zc_rpc_kv_int(pk, "context", ze_engine_plan(f->model->engine)->context);
    zc_rpc_kv_int(pk, "vocab", ze_engine_config(f->model->engine)->V);
}

static void pack_limits(msgpack_packer *pk, const struct zs_limits *lim)
{
#define ZS_LIMIT(field, name, dflt, lo, hi, text) +1
#define ZS_FIXED(name, value, text)               +1
    zc_rpc_kv_map(pk, "limits", 0 ZS_LIMITS(ZS_LIMIT) ZS_FIXED_LIMITS(ZS_FIXED));
#undef ZS_FIXED
#undef ZS_LIMIT
#define ZS_FIXED(name, value, text) zc_rpc_kv_int(pk, #name, value);
    ZS_FIXED_LIMITS(ZS_FIXED)
#undef ZS_FIXED
#define ZS_LIMIT(field, name, dflt, lo, hi, text) zc_rpc_kv_int(pk, #field, (int64_t)lim->field);
    ZS_LIMITS(ZS_LIMIT)
#undef ZS_LIMIT
}

int zs_cmd_hello(struct zs_conn *c, int64_t id, const struct zc_wire_args *args, struct zc_diag *dg)
{
    static const char *const features[] = {"sessions", "logprobs", "prefix-cache"};
    int64_t lo = zc_wire_int(args->v[ZC_P_HELLO_version_min], ZC_RPC_VERSION);
    int64_t hi = zc_wire_int(args->v[ZC_P_HELLO_version_max], ZC_RPC_VERSION);
    size_t n = sizeof features / sizeof *features;
    msgpack_packer pk;

    if (lo > ZC_RPC_VERSION || hi < ZC_RPC_VERSION)
        return zc_diag(dg, ZC_EVERSION,
                       "this daemon (zoracd " PACKAGE_VERSION ") speaks protocol version %d, the "
                       "client %lld to %lld",
                       ZC_RPC_VERSION, (long long)lo, (long long)hi);
    zc_rpc_packer(&pk, zs_conn_out(c));
    zc_rpc_result(&pk, id, 7);
    zc_rpc_kv_int(&pk, "version", ZC_RPC_VERSION);
    zc_rpc_kv_str(&pk, "server", "zoracd " PACKAGE_VERSION);
    zc_rpc_kv_str(&pk, "state", zs_front_state_name(c->front));
    pack_model(&pk, c->front);
    zc_rpc_kv_str(&pk, "notice", c->front->model ? c->front->model->notice : NULL);
    pack_limits(&pk, &c->front->config->limits);
    zc_rpc_kv_array(&pk, "features", n);
    for (size_t i = 0; i < n; i++)
        zc_rpc_put_str(&pk, features[i]);
    zs_conn_wrote(c);
    return ZC_OK;
}

/* ---- status ------------------------------------------------------------------------------- */

static void pack_status_model(msgpack_packer *pk, const struct zs_front *f)
{
    const struct zs_model *m = f->model;
    const struct ze_config *config = ze_engine_config(m->engine);

    zc_rpc_kv_map(pk, "model", 7);
    zc_rpc_kv_str(pk, "name", m->name);
    zc_rpc_kv_str(pk, "path", m->path);
    zc_rpc_kv_str(pk, "architecture", config->architecture);
    zc_rpc_kv_str(pk, "quantization", m->quantization);
    zc_rpc_kv_bool(pk, "demo", m->is_demo);
    zc_rpc_kv_int(pk, "context", ze_engine_plan(m->engine)->context);
    zc_rpc_kv_int(pk, "vocab", config->V);
}

static void pack_device(msgpack_packer *pk, const struct zs_front *f)
{
    zc_rpc_kv_map(pk, "device", 4);
    zc_rpc_kv_str(pk, "backend", ze_engine_backend(f->model->engine));
    zc_rpc_kv_str(pk, "label", ze_engine_device(f->model->engine));
    zc_rpc_kv_str(pk, "asked", f->config->backend);
    zc_rpc_kv_str(pk, "notice", f->model->notice);
}

static void pack_plan(msgpack_packer *pk, const struct zs_front *f)
{
    const struct ze_plan *p = ze_engine_plan(f->model->engine);

    zc_rpc_kv_map(pk, "plan", 11);
    zc_rpc_kv_int(pk, "weights", (int64_t)p->weights);
    zc_rpc_kv_int(pk, "kv", (int64_t)p->kv);
    zc_rpc_kv_int(pk, "scratch", (int64_t)p->scratch);
    zc_rpc_kv_int(pk, "backend", (int64_t)p->backend);
    zc_rpc_kv_int(pk, "host", (int64_t)p->host);
    zc_rpc_kv_int(pk, "embedding", (int64_t)p->embedding);
    zc_rpc_kv_bool(pk, "embedding_on_host", p->embed_on_host);
    zc_rpc_kv_int(pk, "total", (int64_t)p->total);
    zc_rpc_kv_int(pk, "available", (int64_t)p->available);
    zc_rpc_kv_int(pk, "head_bits", p->head_bits);
    zc_rpc_kv_str(pk, "kv_type", ze_plan_kv_name(p));
}

static void pack_load(msgpack_packer *pk, const struct zs_front *f)
{
    uint64_t done = 0, total = 0;

    if (f->loader)
        zs_loader_progress(f->loader, &done, &total);
    zc_rpc_kv_map(pk, "load", 2);
    zc_rpc_kv_int(pk, "done", (int64_t)done);
    zc_rpc_kv_int(pk, "total", (int64_t)total);
}

static size_t count_sessions(const struct zs_front *f)
{
    const struct zs_user *u;
    size_t n = 0;

    LIST_FOREACH(u, &f->users, link)
    n += u->n_sessions;
    return n;
}

/* How the pages fill tells how long the texts are that are being worked on. */
static void pack_kv(msgpack_packer *pk, const struct zs_sched_stats *st, bool is_owner)
{
    zc_rpc_kv_map(pk, "kv", is_owner ? 4 : 1);
    zc_rpc_kv_int(pk, "pages", (int64_t)st->pages);
    if (!is_owner)
        return;
    zc_rpc_kv_int(pk, "used", (int64_t)st->pages_used);
    zc_rpc_kv_int(pk, "cached", (int64_t)st->pages_cached);
    zc_rpc_kv_int(pk, "free", (int64_t)st->pages_free);
}

int zs_cmd_status(struct zs_conn *c, int64_t id, const struct zc_wire_args *args,
                  struct zc_diag *dg)
{
    struct zs_front *f = c->front;
    struct zs_sched_stats st = {0};
    msgpack_packer pk;

    if (f->sched)
        zs_sched_stats(f->sched, &st);
    zc_rpc_packer(&pk, zs_conn_out(c));
    zc_rpc_result(&pk, id, f->model ? 11 : 8);
    zc_rpc_kv_str(&pk, "state", zs_front_state_name(f));
    zc_rpc_kv_str(&pk, "version", PACKAGE_VERSION);
    zc_rpc_kv_int(&pk, "pid", getpid());
    zc_rpc_kv_num(&pk, "uptime_s", (double)(zs_now() - f->started_at) / 1e6);
    if (f->model) {
        pack_status_model(&pk, f);
        pack_device(&pk, f);
        pack_plan(&pk, f);
        pack_kv(&pk, &st, zs_dispatch_is_owner(c));
    } else {
        pack_load(&pk, f);
    }
    zc_rpc_kv_map(&pk, "requests", 3);
    zc_rpc_kv_int(&pk, "running", (int64_t)st.running);
    zc_rpc_kv_int(&pk, "queued", (int64_t)st.queued);
    zc_rpc_kv_int(&pk, "all", (int64_t)f->n_jobs);
    zc_rpc_kv_int(&pk, "connections", (int64_t)f->n_conns);
    zc_rpc_kv_int(&pk, "sessions", (int64_t)count_sessions(f));
    zs_conn_wrote(c);
    return ZC_OK;
}

/* ---- stats -------------------------------------------------------------------------------- */

static int64_t thread_cpu_us(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
    return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

int zs_cmd_stats(struct zs_conn *c, int64_t id, const struct zc_wire_args *args, struct zc_diag *dg)
{
    struct zs_front *f = c->front;
    struct zs_sched_stats st = {0};
    msgpack_packer pk;

    if (f->sched)
        zs_sched_stats(f->sched, &st);
    zc_rpc_packer(&pk, zs_conn_out(c));
    zc_rpc_result(&pk, id, 4);
    zc_rpc_kv_map(&pk, "requests", 5);
    zc_rpc_kv_int(&pk, "started", (int64_t)f->count.started);
    zc_rpc_kv_int(&pk, "finished", (int64_t)f->count.finished);
    zc_rpc_kv_int(&pk, "canceled", (int64_t)f->count.canceled);
    zc_rpc_kv_int(&pk, "failed", (int64_t)f->count.failed);
    zc_rpc_kv_int(&pk, "refused", (int64_t)f->count.refused);
    zc_rpc_kv_map(&pk, "tokens", 3);
    zc_rpc_kv_int(&pk, "prompt", (int64_t)st.prompt_tokens);
    zc_rpc_kv_int(&pk, "cached", (int64_t)st.cached_tokens);
    zc_rpc_kv_int(&pk, "generated", (int64_t)st.generated_tokens);
    zc_rpc_kv_map(&pk, "steps", 5);
    zc_rpc_kv_int(&pk, "count", (int64_t)st.steps);
    zc_rpc_kv_num(&pk, "busy_ms", (double)st.busy_us / 1000.0);
    zc_rpc_kv_int(&pk, "decode_rows", (int64_t)st.decode_rows);
    zc_rpc_kv_int(&pk, "prefill_rows", (int64_t)st.prefill_rows);
    zc_rpc_kv_int(&pk, "preemptions", (int64_t)st.preemptions);
    zc_rpc_kv_map(&pk, "front", 2);
    zc_rpc_kv_int(&pk, "cpu_us", thread_cpu_us());
    zc_rpc_kv_int(&pk, "events", (int64_t)f->count.deltas);
    zs_conn_wrote(c);
    return ZC_OK;
}

/* ---- shutdown ----------------------------------------------------------------------------- */

int zs_cmd_shutdown(struct zs_conn *c, int64_t id, const struct zc_wire_args *args,
                    struct zc_diag *dg)
{
    const msgpack_object *mode = args->v[ZC_P_SHUTDOWN_mode];
    msgpack_packer pk;

    if (mode && !zc_rpc_is_str(mode, "finish") && !zc_rpc_is_str(mode, "cancel"))
        return zc_diag(dg, ZC_EINVAL, "mode must be finish or cancel");
    zc_log(ZC_LOG_NOTICE, "asked to stop by uid %d, pid %d", (int)c->peer.uid, (int)c->peer.pid);
    zc_rpc_packer(&pk, zs_conn_out(c));
    zc_rpc_result(&pk, id, 1);
    zc_rpc_kv_bool(&pk, "stopping", true);
    zs_conn_wrote(c);
    zs_front_stop(c->front, zc_rpc_is_str(mode, "cancel"));
    return ZC_OK;
}
