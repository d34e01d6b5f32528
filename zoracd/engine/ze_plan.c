/* SPDX-License-Identifier: MIT */
/* Sizes before anything is taken: weights and scratch by running the code that places them without
 * a base, then the pages of keys and values that the rest allows. What does not fit is refused
 * here, with what would. */
#include "zoracd/engine/ze_plan.h"

#include <stdio.h>
#include <string.h>

#include "common/zc_buf.h"
#include "common/zc_err.h"
#include "zoracd/engine/ze_engine.h"
#include "zoracd/engine/ze_forward.h"
#include "zoracd/engine/ze_internal.h"
#include "zoracd/engine/ze_kv.h"

#define DEFAULT_SEQS  32
#define DEFAULT_CHUNK 512
#define MAX_SEQS      4096
#define MAX_CHUNK     65536
#define MIN_CONTEXT   256 /* less is no use to anybody, unless the model or the user says so */
#define MAX_KV_PAGES  (1 << 24)
#define LAYER_OPS     16    /* operations of a pass: at most for a layer, */
#define PASS_OPS      64    /* and besides */
#define MAX_SEEN      32768 /* tokens to penalize of a step; with more, the host draws */
#define MIB           (1024.0 * 1024.0)

/* ---- what the machine has ------------------------------------------------------------------ */

/* One number from a file; UINT64_MAX if there is none ("max" too). */
static uint64_t read_number(const char *path, const char *format)
{
    unsigned long long n = UINT64_MAX;
    char line[256];
    FILE *f = fopen(path, "re");

    if (!f)
        return UINT64_MAX;
    while (fgets(line, sizeof line, f))
        if (sscanf(line, format, &n) == 1)
            break;
    fclose(f);
    return n;
}

static uint64_t sub_floor(uint64_t a, uint64_t b)
{
    return a > b ? a - b : 0;
}

/* What the control groups above this process leave (version 2). */
static uint64_t cgroup_memory(void)
{
    char line[512] = "", path[768];
    uint64_t least = UINT64_MAX;
    FILE *f = fopen("/proc/self/cgroup", "re");

    if (!f)
        return UINT64_MAX;
    while (fgets(line, sizeof line, f) && strncmp(line, "0::/", 4) != 0)
        ;
    fclose(f);
    if (strncmp(line, "0::/", 4) != 0)
        return UINT64_MAX;
    line[strcspn(line, "\n")] = '\0';
    for (char *group = line + 3;;) {
        snprintf(path, sizeof path, "/sys/fs/cgroup%s/memory.max", group);
        uint64_t max = read_number(path, "%llu");
        snprintf(path, sizeof path, "/sys/fs/cgroup%s/memory.current", group);
        uint64_t current = read_number(path, "%llu");
        /* files that were read count as used until somebody needs the room */
        snprintf(path, sizeof path, "/sys/fs/cgroup%s/memory.stat", group);
        uint64_t files = read_number(path, "inactive_file %llu");
        if (current != UINT64_MAX && files != UINT64_MAX)
            current = sub_floor(current, files);
        if (max != UINT64_MAX && current != UINT64_MAX && sub_floor(max, current) < least)
            least = sub_floor(max, current);
        char *slash = strrchr(group, '/');
        if (!slash || !*group)
            return least;
        *slash = '\0';
    }
}

/* Nine tenths of what is free: others live here too. */
static uint64_t machine_memory(void)
{
    uint64_t kib = read_number("/proc/meminfo", "MemAvailable: %llu kB");
    uint64_t free_bytes = kib == UINT64_MAX ? UINT64_MAX : kib * 1024;
    uint64_t group = cgroup_memory();

    free_bytes = group < free_bytes ? group : free_bytes;
    return free_bytes == UINT64_MAX ? UINT64_MAX : free_bytes / 10 * 9;
}

/* On a GPU the live free memory and what its back-end already has, less a little that others may
 * take meanwhile. */
static int free_memory(struct zk_dev *dev, uint64_t *ret_bytes, struct zc_diag *dg)
{
    uint64_t free_bytes, all;

    dev->ops->memory(dev, &free_bytes, &all);
    if (all == 0 && !dev->is_host)
        return zc_diag(dg, ZC_EDEVICE, "the device does not say how much memory it has");
    *ret_bytes = all == 0 ? machine_memory() : sub_floor(free_bytes + dev->own_bytes, all / 64);
    return ZC_OK;
}

/* ---- parts --------------------------------------------------------------------------------- */

static int pages_of(int tokens)
{
    return (tokens + ZK_PAGE - 1) / ZK_PAGE;
}

static int check_option(const char *name, int v, int max, struct zc_diag *dg)
{
    if (v >= 0 && v <= max)
        return ZC_OK;
    return zc_diag(dg, ZC_EINVAL, "%s is %d: it goes from 1 to %d (0: the default)", name, v, max);
}

static int set_limits(struct ze_plan *p, const struct ze_opts *o, const struct ze_model *m,
                      struct zc_diag *dg)
{
    int r;

    if ((r = check_option("max_seqs", o->max_seqs, MAX_SEQS, dg)) < 0 ||
        (r = check_option("prefill_chunk", o->prefill_chunk, MAX_CHUNK, dg)) < 0 ||
        (r = check_option("logit_rows", o->logit_rows, MAX_CHUNK, dg)) < 0 ||
        (r = check_option("context", o->context, m->c.context, dg)) < 0)
        return r;
    if (o->exact && o->kv_f8)
        return zc_diag(dg, ZC_EINVAL, "exact keeps keys and values in fp32, not in fp8");
    if (o->head_bits != 8 && o->head_bits != 16)
        return zc_diag(dg, ZC_EINVAL, "the head has 8 or 16 bits, not %d", o->head_bits);
    p->max_seqs = o->max_seqs ? o->max_seqs : DEFAULT_SEQS;
    p->prefill_chunk = o->prefill_chunk ? o->prefill_chunk : DEFAULT_CHUNK;
    p->prefill_unit = m->dev->prefill_alone ? p->prefill_chunk : 0;
    p->logit_rows = o->logit_rows ? o->logit_rows : p->max_seqs;
    p->head_bits = o->head_bits;
    p->max_seen = m->dev->ops->draw ? MAX_SEEN : 0;
    p->kv_type = o->exact ? ZK_KV_F32 : o->kv_f8 ? ZK_KV_F8 : ZK_KV_F16;
    return ZC_OK;
}

void ze_plan_limits(const struct ze_plan *p, struct ze_limits *ret_max)
{
    *ret_max = (struct ze_limits){
        .rows = p->prefill_chunk > p->max_seqs ? p->prefill_chunk : p->max_seqs,
        .seqs = p->max_seqs,
        .logit_rows = p->logit_rows,
        .seq_pages = pages_of(p->context),
        .seen = p->max_seen,
    };
}

uint64_t ze_plan_logit_bytes(const struct ze_plan *p, const struct ze_model *m)
{
    return (uint64_t)p->logit_rows * (uint64_t)m->c.V * sizeof(float);
}

uint64_t ze_plan_drawn_bytes(const struct ze_plan *p)
{
    return (uint64_t)p->logit_rows * sizeof(int32_t);
}

/* What the back-end takes for itself; nothing on the CPU. */
static uint64_t backend_bytes(const struct ze_plan *p, const struct ze_model *m)
{
    const struct zk_dev *dev = m->dev;
    const uint64_t ops = (uint64_t)m->c.L * LAYER_OPS + PASS_OPS;
    const uint64_t records = dev->can_record ? (uint64_t)ze_plan_records(p) : 0;

    return dev->own_bytes + dev->code_bytes + records * ops * dev->record_bytes;
}

/* Scratch and host memory for the context and pages that p has. */
static void count_rest(struct ze_plan *p, const struct ze_model *m)
{
    struct ze_arena arena = {0};
    struct ze_scratch scratch;
    struct ze_limits max;

    ze_plan_limits(p, &max);
    ze_scratch_place(&scratch, m, &max, &arena);
    p->scratch = arena.used;
    p->host = (m->dev->is_host ? 0 : ze_plan_logit_bytes(p, m)) +
              (p->embed_on_host ? p->embedding : 0) +
              (m->dev->ops->draw ? ze_plan_drawn_bytes(p) : 0) + ze_batch_bytes(&max) +
              ze_kv_bytes(p->kv_pages);
    p->kv = (uint64_t)p->kv_pages * p->kv_page_bytes;
    p->total = p->weights + p->kv + p->scratch + p->backend + (p->host_apart ? 0 : p->host);
}

/* Of the device, before keys and values are there. */
static uint64_t loading_bytes(const struct ze_plan *p, const struct ze_model *m)
{
    return p->weights + p->backend + (m->dev->is_host ? p->staging : 0);
}

static bool fits(struct ze_plan *p, const struct ze_model *m, int context, int kv_pages)
{
    p->context = context;
    p->kv_pages = kv_pages;
    count_rest(p, m);
    return p->total <= p->available && loading_bytes(p, m) <= p->available;
}

/* The largest context up to limit that fits with its pages alone; 0: none. */
static int largest_context(struct ze_plan *p, const struct ze_model *m, int limit)
{
    int low = 0, high = pages_of(limit);

    while (low < high) {
        int mid = low + (high - low + 1) / 2;
        if (fits(p, m, mid * ZK_PAGE < limit ? mid * ZK_PAGE : limit, mid))
            low = mid;
        else
            high = mid - 1;
    }
    return low * ZK_PAGE < limit ? low * ZK_PAGE : limit;
}

static int refuse(struct ze_plan *p, const struct ze_model *m, int context, struct zc_diag *dg)
{
    int most = largest_context(p, m, m->c.context);

    fits(p, m, context, pages_of(context));
    uint64_t loading = loading_bytes(p, m), needed = p->total > loading ? p->total : loading;
    char advice[96] = "nothing smaller fits either";
    if (most > 0)
        snprintf(advice, sizeof advice, "a context of %d fits", most);
    return zc_diag(dg, ZC_ELIMIT,
                   "the model does not fit: %.1f MiB are needed (weights %.1f, keys and values of "
                   "%d tokens %.1f, the rest %.1f, while loading %.1f) and %.1f are available; %s",
                   (double)needed / MIB, (double)p->weights / MIB, context, (double)p->kv / MIB,
                   (double)(p->total - p->weights - p->kv) / MIB,
                   (double)(loading - p->weights) / MIB, (double)p->available / MIB, advice);
}

/* The most pages that fit: every sequence at full context, or what the limit leaves. Without a
 * limit at most half of what is left is taken beyond one full context: others live here too. */
static void spread_pages(struct ze_plan *p, const struct ze_opts *o, const struct ze_model *m)
{
    int one = p->kv_pages;
    uint64_t left = p->available - p->total;
    uint64_t each = p->kv_page_bytes + sizeof(int32_t) * 64; /* with its place in the book */
    uint64_t more = (o->memory_limit ? left : left / 2) / each;
    uint64_t want = (uint64_t)one * (uint64_t)p->max_seqs;

    want = want < MAX_KV_PAGES ? want : MAX_KV_PAGES;
    want = want < one + more ? want : one + more;
    while (!fits(p, m, p->context, (int)want) && want > (uint64_t)one)
        want = one + (want - one) / 2;
}

/* With the embedding where m says. */
static int make(struct ze_plan *ret_p, const struct ze_opts *o, struct ze_model *m,
                const struct zw_load_opts *load, struct zc_diag *dg)
{
    struct ze_arena arena = {0};
    struct ze_plan p = {0};
    int r;

    if ((r = set_limits(&p, o, m, dg)) < 0)
        return r;
    ze_model_place(m, &arena);
    memcpy(p.weights_form, m->form_bytes, sizeof p.weights_form);
    snprintf(p.quantization, sizeof p.quantization, "%s", zw_quant_describe(m->quant));
    p.weights = arena.used;
    p.backend = backend_bytes(&p, m);
    p.embedding = ze_model_embed_bytes(m);
    p.embed_on_host = m->embed_on_host;
    p.host_apart = !m->dev->is_host;
    p.staging = ze_model_staging(m, load);
    if ((r = free_memory(m->dev, &p.available, dg)) < 0)
        return r;
    if (o->memory_limit && (m->dev->is_host || o->memory_limit < p.available))
        p.available = o->memory_limit;
    p.kv_page_bytes =
        m->dev->ops->kv_page_bytes(m->dev, p.kv_type, m->c.K, m->c.D) * (uint64_t)m->c.L;

    int least = m->c.context < MIN_CONTEXT ? m->c.context : MIN_CONTEXT;
    int context = o->context ? o->context : largest_context(&p, m, m->c.context);
    if (!o->context && context < least)
        r = refuse(&p, m, least, dg);
    else if (!fits(&p, m, context, pages_of(context)))
        r = refuse(&p, m, context, dg);
    else
        spread_pages(&p, o, m);
    *ret_p = p;
    return r;
}

int ze_plan_make(struct ze_plan *ret_p, const struct ze_opts *o, struct ze_model *m,
                 const struct zw_load_opts *load, struct zc_diag *dg)
{
    int r = make(ret_p, o, m, load, dg);
    const uint64_t had = machine_memory();

    if ((r < 0 && r != ZC_ELIMIT) || !m->embed_on_host || ret_p->host + ret_p->staging <= had)
        return r;
    m->embed_on_host = false;
    r = make(ret_p, o, m, load, dg);
    ret_p->host_had = had;
    return r;
}

const char *ze_plan_kv_name(const struct ze_plan *p)
{
    return p->kv_type == ZK_KV_F32 ? "f32" : p->kv_type == ZK_KV_F8 ? "fp8" : "f16";
}

void ze_plan_describe(const struct ze_plan *p, struct zc_buf *out)
{
    static const char *const forms[] = {
        [ZK_W4A] = "4-bit", [ZK_W8A] = "8-bit",  [ZK_W4L] = "4-bit table",
        [ZK_W8F] = "fp8",   [ZK_W16] = "16-bit", [ZK_W32] = "32-bit"};

    zc_buf_addf(out, "format      %s\n", p->quantization);
    zc_buf_addf(out, "weights     %10.1f MiB", (double)p->weights / MIB);
    for (int i = 0; i < ZK_N_FORMS; i++)
        if (p->weights_form[i] > 0)
            zc_buf_addf(out, "  %s %.1f", forms[i], (double)p->weights_form[i] / MIB);
    zc_buf_addf(out, "\nkeys/values %10.1f MiB  %d pages of %d tokens, %s\n", (double)p->kv / MIB,
                p->kv_pages, ZK_PAGE, ze_plan_kv_name(p));
    zc_buf_addf(out, "scratch     %10.1f MiB  %d rows a pass, %d sequences\n",
                (double)p->scratch / MIB, p->prefill_chunk, p->max_seqs);
    if (p->backend)
        zc_buf_addf(out, "back-end    %10.1f MiB  its scratch and code, recorded steps\n",
                    (double)p->backend / MIB);
    zc_buf_addf(out, "host        %10.1f MiB", (double)p->host / MIB);
    if (p->host_apart)
        zc_buf_addf(out, "  of main memory, beside the total");
    if (p->embed_on_host)
        zc_buf_addf(out, ", pinned; the embedding is %.1f of it", (double)p->embedding / MIB);
    else if (p->host_apart)
        zc_buf_addf(out, ", without room for the embedding's %.1f", (double)p->embedding / MIB);
    zc_buf_addf(out, "\ntotal       %10.1f MiB  of %.1f available (%.1f more%s while loading)\n",
                (double)p->total / MIB, (double)p->available / MIB, (double)p->staging / MIB,
                p->host_apart ? " of main memory" : "");
    zc_buf_addf(out, "context     %10d tokens a request\n", p->context);
}
