/* SPDX-License-Identifier: MIT */
/* The worker threads of the CPU back-end. A round of work has as many parts as there are threads,
 * and each part is done by whoever takes it: the caller does what no worker has come for, and waits
 * only for parts that somebody is at. So a worker that another process keeps from running costs
 * nothing but its help. Between two rounds workers spin for a while, since a step is hundreds of
 * rounds a few microseconds apart, then sleep on a futex, since an idle daemon uses no processor.
 *
 * The word `round` counts rounds: a worker that sees it change looks for a part. The word `next` is
 * the first part that nobody has taken, `left` how many are not done. What a round is about stands
 * in fn and arg before `next` goes back to 0, and stays there until `left` is 0: who has taken a
 * part may read it. */
#include "kernels/cpu/zk_cpu.h"

#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "common/zc_mem.h"

#define MAX_THREADS 1024
#define SPIN_NS     200000 /* awake for so long after the last piece of work */

struct zk_pool {
    int threads;
    int started;
    pthread_t *ids;
    zk_task_fn fn;
    void *arg;
    _Alignas(64) atomic_uint round; /* futex */
    atomic_uint sleepers;
    atomic_bool quit;
    _Alignas(64) atomic_uint next;
    atomic_uint left; /* futex */
    atomic_bool caller_sleeps;
};

static void futex_wait(atomic_uint *word, unsigned value)
{
    syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, value, NULL, NULL, 0);
}

static void futex_wake(atomic_uint *word)
{
    syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, 1 << 30, NULL, NULL, 0);
}

static int64_t now_ns(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

static void relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#endif
}

/* Waits until *word is (want = true) or is not value; false if it took longer than SPIN_NS. */
static bool spin(atomic_uint *word, unsigned value, bool want)
{
    int64_t end = 0;
    for (unsigned i = 0;; i++) {
        if ((atomic_load_explicit(word, memory_order_acquire) == value) == want)
            return true;
        relax();
        if (i % 64 != 63)
            continue;
        int64_t now = now_ns();
        if (end == 0)
            end = now + SPIN_NS;
        else if (now > end)
            return false;
    }
}

/* Does parts of the round until none is left to take. A worker that comes late may find the next
 * round: its parts are as good. */
static void do_parts(struct zk_pool *p)
{
    unsigned part = atomic_load_explicit(&p->next, memory_order_acquire);

    while (part < (unsigned)p->threads) {
        if (!atomic_compare_exchange_weak(&p->next, &part, part + 1))
            continue;
        p->fn(p->arg, (int)part, p->threads);
        if (atomic_fetch_sub(&p->left, 1) == 1 && atomic_load(&p->caller_sleeps))
            futex_wake(&p->left);
        part = atomic_load_explicit(&p->next, memory_order_acquire);
    }
}

static void *worker_main(void *arg)
{
    struct zk_pool *p = arg;
    unsigned seen = 0;

    for (;;) {
        if (!spin(&p->round, seen, false)) {
            atomic_fetch_add(&p->sleepers, 1);
            while (atomic_load(&p->round) == seen)
                futex_wait(&p->round, seen);
            atomic_fetch_sub(&p->sleepers, 1);
        }
        seen = atomic_load(&p->round);
        if (atomic_load(&p->quit))
            return NULL;
        do_parts(p);
    }
}

static void next_round(struct zk_pool *p)
{
    atomic_fetch_add(&p->round, 1);
    if (atomic_load(&p->sleepers) > 0)
        futex_wake(&p->round);
}

void zk_pool_run(struct zk_pool *p, zk_task_fn fn, void *arg)
{
    if (p->threads == 1) {
        fn(arg, 0, 1);
        return;
    }
    p->fn = fn;
    p->arg = arg;
    atomic_store_explicit(&p->left, (unsigned)p->threads, memory_order_relaxed);
    atomic_store_explicit(&p->next, 0, memory_order_release);
    next_round(p);
    do_parts(p);
    if (spin(&p->left, 0, true))
        return;
    atomic_store(&p->caller_sleeps, true);
    for (unsigned left; (left = atomic_load(&p->left)) != 0;)
        futex_wait(&p->left, left);
    atomic_store(&p->caller_sleeps, false);
}

/* Starts a worker with every signal blocked: signals are the daemon's other threads' business. */
static int start_worker(struct zk_pool *p, struct zc_diag *dg)
{
    sigset_t all, old;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    int e = pthread_create(&p->ids[p->started], NULL, worker_main, p);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (e != 0) {
        errno = e;
        return zc_diag_sys(dg, "thread %d of the CPU back-end", p->started + 1);
    }
    p->started++;
    return ZC_OK;
}

int zk_pool_new(struct zk_pool **ret_pool, int threads, struct zc_diag *dg)
{
    int r = ZC_OK;

    if (threads < 1 || threads > MAX_THREADS)
        return zc_diag(dg, ZC_EINVAL, "%d threads: must be 1 to %d", threads, MAX_THREADS);
    struct zk_pool *p = aligned_alloc(64, (sizeof *p + 63) / 64 * 64);
    if (p == NULL)
        return zc_diag(dg, ZC_ENOMEM, "no memory for a pool of threads");
    memset(p, 0, sizeof *p);
    p->threads = threads;
    atomic_store(&p->next, (unsigned)threads); /* nothing to take yet */
    p->ids = zc_xcalloc((size_t)threads, sizeof p->ids[0]);
    while (r == ZC_OK && p->started < threads - 1)
        r = start_worker(p, dg);
    if (r < 0) {
        zk_pool_free(p);
        return r;
    }
    *ret_pool = p;
    return ZC_OK;
}

void zk_pool_free(struct zk_pool *p)
{
    if (p == NULL)
        return;
    atomic_store(&p->quit, true);
    next_round(p);
    for (int i = 0; i < p->started; i++)
        pthread_join(p->ids[i], NULL);
    zc_free(p->ids);
    free(p);
}
