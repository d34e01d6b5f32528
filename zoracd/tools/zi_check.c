/* SPDX-License-Identifier: MIT */
/* The verbs that look without running: plan, tensors, doctor. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/zc_buf.h"
#include "common/zc_mem.h"
#include "common/zc_sock.h"
#include "zoracd/text/zt_check.h"
#include "zoracd/tools/zi.h"
#include "zoracd/weights/zw_store.h"

/* ---- plan ---------------------------------------------------------------------------------- */

static json_t *plan_json(const struct ze_plan *p)
{
    static const char *const forms[] = {
        [ZK_W4A] = "w4a", [ZK_W8A] = "w8a", [ZK_W16] = "w16", [ZK_W32] = "w32"};
    json_t *by_form = json_object();

    for (int i = 0; i < ZK_N_FORMS; i++)
        json_object_set_new(by_form, forms[i], json_integer((json_int_t)p->weights_form[i]));
    return json_pack("{s:I, s:o, s:I, s:I, s:I, s:I, s:I, s:I, s:i, s:i, s:i, s:s}", "weights",
                     (json_int_t)p->weights, "weights_form", by_form, "kv", (json_int_t)p->kv,
                     "scratch", (json_int_t)p->scratch, "host", (json_int_t)p->host, "total",
                     (json_int_t)p->total, "staging", (json_int_t)p->staging, "available",
                     (json_int_t)p->available, "context", p->context, "kv_pages", p->kv_pages,
                     "max_seqs", p->max_seqs, "kv_type", ze_plan_kv_name(p));
}

static void print_plan(const struct ze_plan *p, bool as_json)
{
    struct zc_buf text;

    if (as_json) {
        zi_print(plan_json(p));
        return;
    }
    zc_buf_init(&text, 4096);
    ze_plan_describe(p, &text);
    fputs(zc_buf_str(&text), stdout);
    zc_buf_release(&text);
}

int zi_plan(const struct zi_options *o)
{
    struct ze_opts opts = o->engine;
    struct zc_diag dg = {""};
    struct ze_plan plan;

    opts.dir = o->model;
    int r = ze_engine_check(&opts, &plan, &dg);
    if (r == ZC_OK || r == ZC_ELIMIT)
        print_plan(&plan, o->json);
    return r < 0 ? zi_fail(r, o->model, &dg) : ZI_OK;
}

/* ---- tensors ------------------------------------------------------------------------------- */

int zi_tensors(const struct zi_options *o)
{
    struct zc_diag dg = {""};
    struct zw_store *s;
    int r = zw_store_open(&s, o->model, &dg);

    if (r < 0)
        return zi_fail(r, o->model, &dg);
    for (size_t i = 0; i < zw_store_n_tensors(s); i++) {
        const struct zw_tensor *t = zw_store_tensor(s, i);
        json_t *shape = json_array();
        for (int d = 0; d < t->rank; d++)
            json_array_append_new(shape, json_integer((json_int_t)t->shape[d]));
        zi_print(json_pack("{s:s, s:s, s:o, s:I, s:s}", "name", t->name, "dtype", t->dtype_name,
                           "shape", shape, "bytes", (json_int_t)t->bytes, "file",
                           zw_store_file_name(s, t->file)));
    }
    zw_store_free(s);
    return ZI_OK;
}

/* ---- doctor -------------------------------------------------------------------------------- */

/* One line, and whether all is well so far. */
__attribute__((format(printf, 3, 4))) static void finding(int *status, const char *grade,
                                                          const char *fmt, ...)
{
    va_list ap;

    printf("%-5s ", grade);
    va_start(ap, fmt);
    vprintf(fmt, ap);
    va_end(ap);
    putchar('\n');
    if (strcmp(grade, "FAIL") == 0)
        *status = ZI_FAILED;
}

static void check_processor(int *status)
{
    unsigned caps = zk_caps_detect();
    bool is_fast = caps & (ZK_CAP_AVX2 | ZK_CAP_AVX512);

    finding(status, is_fast ? "ok" : "slow", "processor: kernels %s, %d cores to use",
            zk_caps_name(caps), zk_cpu_threads_default());
}

static void check_bandwidth(const struct zi_options *o, int *status)
{
    const struct zk_cpu_opts opts = {.caps = o->engine.caps, .threads = o->engine.threads};
    struct zc_diag dg;
    struct zk_dev *dev;

    if (zk_cpu_open(&dev, &opts, &dg) < 0) {
        finding(status, "FAIL", "memory: %s", dg.text);
        return;
    }
    double rate = zk_probe_memory(dev, 256u << 20, 3) / 1e9;
    finding(status, rate > 0 ? "ok" : "FAIL",
            "memory: %.1f GB/s read: a model of 1 GB of weights makes at most %.1f tokens/s", rate,
            rate);
    dev->ops->close(dev);
}

static void check_huge_pages(int *status)
{
    char text[128] = "";
    FILE *f = fopen("/sys/kernel/mm/transparent_hugepage/enabled", "re");

    if (f && !fgets(text, sizeof text, f))
        text[0] = '\0';
    if (f)
        fclose(f);
    bool is_on = strstr(text, "[always]") || strstr(text, "[madvise]");
    finding(status, is_on ? "ok" : "slow", "huge pages: %s",
            is_on ? "the system has them" : "off: weights are read through more page tables");
}

static void check_socket_place(int *status)
{
    char path[ZC_SOCK_MAX];
    struct zc_diag dg;

    if (zc_sock_daemon_path(path, NULL, &dg) < 0)
        finding(status, "note", "socket: %s; a daemon needs -S", dg.text);
    else
        finding(status, "ok", "socket: %s", path);
}

static void on_text_finding(void *arg, enum zt_grade grade, const char *text)
{
    static const char *const grades[] = {[ZT_GOOD] = "ok", [ZT_NOTE] = "note", [ZT_BAD] = "FAIL"};

    finding(arg, grades[grade], "text: %s", text);
}

static void check_text(const struct zi_options *o, int *status)
{
    struct zc_diag dg = {""};
    struct ze_config config;
    struct zt_chat chat;

    if (zt_chat_open(&chat, o->model, &dg) < 0) {
        finding(status, "FAIL", "text: %s", dg.text);
        return;
    }
    if (ze_config_read(&config, o->model, NULL, &dg) == ZC_OK) {
        struct zt_check_model model = {config.V, config.eos, (size_t)config.n_eos};
        zt_check(&chat, &model, on_text_finding, status);
        ze_config_release(&config);
    }
    zt_chat_release(&chat);
}

static void check_model(const struct zi_options *o, int *status)
{
    struct ze_opts opts = o->engine;
    struct zc_diag dg = {""};
    struct ze_plan plan;

    opts.dir = o->model;
    if (ze_engine_check(&opts, &plan, &dg) < 0)
        finding(status, "FAIL", "model: %s", dg.text);
    else
        finding(status, "ok", "model: %.0f MiB in all, context %d", (double)plan.total / (1 << 20),
                plan.context);
    check_text(o, status);
}

int zi_doctor(const struct zi_options *o)
{
    int status = ZI_OK;

    check_processor(&status);
    check_bandwidth(o, &status);
    check_huge_pages(&status);
    check_socket_place(&status);
    if (o->model)
        check_model(o, &status);
    return status;
}
