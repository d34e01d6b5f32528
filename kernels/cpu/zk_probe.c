/* SPDX-License-Identifier: MIT */
/* What this machine can do at most: how fast all threads read memory, and how many multiply-adds
 * they do on registers. zorac-bench divides by these. */
#include "kernels/cpu/zk_cpu.h"

#include <string.h>
#include <time.h>

#define PIECE ((size_t)1 << 20)

struct probe_job {
    struct zk_cpu *c;
    const uint8_t *p; /* to read */
    uint8_t *fill;    /* to write */
    size_t bytes;
    int value;
    enum zk_act_kind kind;
    long n;
    atomic_size_t next;
    _Atomic double total;
};

static double now(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec * 1e-9;
}

static void add(struct probe_job *j, double v)
{
    double old = atomic_load(&j->total);
    while (!atomic_compare_exchange_weak(&j->total, &old, old + v))
        ;
}

/* Pieces as they come to a thread, as a product's (zk_matmul.c): a thread that sleeps must not make
 * the machine look slow. */
static void read_task(void *arg, int th, int nth)
{
    struct probe_job *j = arg;
    double sum = 0;
    size_t at;
    while ((at = atomic_fetch_add(&j->next, PIECE)) < j->bytes)
        sum += j->c->isa->probe_read(j->p + at, j->bytes - at < PIECE ? j->bytes - at : PIECE);
    add(j, sum);
}

/* Each page is first touched by some thread of the pool: on a machine of several nodes memory then
 * lies on all of them. */
static void fill_task(void *arg, int th, int nth)
{
    struct probe_job *j = arg;
    size_t from = j->bytes / (size_t)nth * (size_t)th;
    size_t to = th == nth - 1 ? j->bytes : j->bytes / (size_t)nth * (size_t)(th + 1);
    memset(j->fill + from, j->value, to - from);
}

int zk_cpu_fill(struct zk_dev *dev, void *p, int value, size_t bytes)
{
    struct probe_job j = {.c = zk_cpu_of(dev), .fill = p, .bytes = bytes, .value = value};
    zk_pool_run(j.c->pool, fill_task, &j);
    return ZC_OK;
}

double zk_cpu_probe_read(struct zk_dev *dev, const void *p, size_t bytes)
{
    struct probe_job j = {.c = zk_cpu_of(dev), .p = p, .bytes = bytes};
    double t = now();
    zk_pool_run(j.c->pool, read_task, &j);
    t = now() - t;
    return t > 0 ? (double)bytes / t : 0;
}

static void peak_task(void *arg, int th, int nth)
{
    struct probe_job *j = arg;
    add(j, j->c->isa->probe_peak(j->kind, j->n));
}

double zk_cpu_probe_peak(struct zk_dev *dev, enum zk_act_kind kind, int ms)
{
    struct probe_job j = {.c = zk_cpu_of(dev), .kind = kind, .n = 1000};
    double end = now() + ms * 1e-3, best = 0;

    while (now() < end) {
        double t = now();
        atomic_store(&j.total, 0);
        zk_pool_run(j.c->pool, peak_task, &j);
        t = now() - t;
        if (t < 1e-3) /* too short to be measured: grow the piece */
            j.n *= 2;
        else if (atomic_load(&j.total) / t > best)
            best = atomic_load(&j.total) / t;
    }
    return best;
}
