/* SPDX-License-Identifier: MIT */
/* What this machine can do at most: how fast all threads read memory, and how many multiply-adds
 * they do on registers. zorac-bench divides by these. */
#include "kernels/cpu/zk_cpu.h"

#include <string.h>
#include <time.h>

struct probe_job {
    struct zk_cpu *c;
    const uint8_t *p;
    size_t bytes;
    enum zk_act_kind kind;
    long n;
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

static void read_task(void *arg, int th, int nth)
{
    struct probe_job *j = arg;
    size_t each = j->bytes / (size_t)nth / 4096 * 4096;
    add(j, j->c->isa->probe_read(j->p + (size_t)th * each, each));
}

/* Touched by the thread that reads it, as weights are not; but a first touch must be somebody's. */
static void fill_task(void *arg, int th, int nth)
{
    struct probe_job *j = arg;
    size_t each = j->bytes / (size_t)nth / 4096 * 4096;
    memset((uint8_t *)(uintptr_t)j->p + (size_t)th * each, 0x11, each);
}

double zk_cpu_probe_read(struct zk_dev *dev, size_t bytes, int runs)
{
    struct probe_job j = {.c = zk_cpu_of(dev), .bytes = bytes};
    double best = 0;
    void *p;

    if (dev->ops->alloc(dev, &p, bytes, NULL) < 0)
        return 0;
    j.p = p;
    zk_pool_run(j.c->pool, fill_task, &j);
    for (int i = 0; i < runs; i++) {
        double t = now();
        zk_pool_run(j.c->pool, read_task, &j);
        t = now() - t;
        if (t > 0 && (double)bytes / t > best)
            best = (double)bytes / t;
    }
    dev->ops->free(dev, p, bytes);
    return best;
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
