/* SPDX-License-Identifier: MIT */
/* One block on one processor: its threads are fibers, switched where they wait. A barrier or warp
 * instruction parks a thread until all that it names have come; what can never come is an error,
 * with the place of each. Threads run in the order of their numbers, or at random (CUDASIM_SEED).
 */
#include "sim_internal.h"

#include <pthread.h>
#include <sys/mman.h>
#include <algorithm>
#include <cstdarg>
#include <cstdlib>
#include <map>
#include <string>
#include <thread>
#if SIM_ASAN
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#else
#define ASAN_POISON_MEMORY_REGION(p, n)   ((void)0)
#define ASAN_UNPOISON_MEMORY_REGION(p, n) ((void)0)
#endif
#if !defined(__x86_64__) || defined(SIM_UCONTEXT)
#define SIM_UC 1
#include <ucontext.h>
#else
#define SIM_UC 0
#endif

namespace sim
{
__thread View *cur;
__thread Worker *W;

static long env(const char *name, long otherwise)
{
    const char *s = getenv(name);
    return s && *s ? strtol(s, nullptr, 0) : otherwise;
}

const Config &config()
{
    static const Config c = {
        env("CUDASIM_THREADS", std::max(1u, std::thread::hardware_concurrency())),
        env("CUDASIM_SEED", 0),
        env("CUDASIM_SMEM", 99 * 1024), /* sm_86, 89, 120; sm_80 has 163, sm_90 227 KiB */
        env("CUDASIM_ABORT", 0),
        (size_t)env("CUDASIM_STACK", SIM_ASAN ? 256 * 1024 : 64 * 1024),
    };
    return c;
}

/* ---- context switch ---- */
#if !SIM_UC
extern "C" void cudasim_switch(void **save, void *to);
asm(R"(
.text
.globl cudasim_switch
.type cudasim_switch,@function
cudasim_switch:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  popq %rcx
  jmp *%rcx
.size cudasim_switch,.-cudasim_switch
)");
#else
static void cudasim_switch(void **save, void *to)
{ /* portable, ~10x slower */
    ucontext_t self;
    *save = &self;
    swapcontext(&self, (ucontext_t *)to);
}
#endif
static void fiber_main();

static inline void switch_to(Worker *w, Thread *from, Thread *to, bool dying = false)
{
    w->curt = to;
    cur = &to->v;
#if SIM_ASAN
    __sanitizer_start_switch_fiber(dying ? nullptr : &from->fake, to->stack, to->stack_sz);
#endif
    (void)dying;
    cudasim_switch(&from->sp, to->sp);
#if SIM_ASAN
    __sanitizer_finish_switch_fiber(from->fake, nullptr, nullptr);
#endif
}
static void fiber_init(Thread *t)
{
#if !SIM_UC
    void **s = (void **)(t->stack + t->stack_sz - (t->tid % 32) * 128); /* spread over cache sets */
    *--s = nullptr; /* keeps the ABI's alignment at entry */
    *--s = (void *)fiber_main;
    for (int i = 0; i < 6; i++)
        *--s = nullptr;
    t->sp = s;
#else
    ucontext_t *u = (ucontext_t *)t->stack;
    getcontext(u);
    u->uc_stack.ss_sp = t->stack + sizeof(ucontext_t) + 64;
    u->uc_stack.ss_size = t->stack_sz - sizeof(ucontext_t) - 64;
    u->uc_link = nullptr;
    makecontext(u, fiber_main, 0);
    t->sp = u;
#endif
}

void record(Worker *w, Thread *t, const char *msg)
{
    std::lock_guard<std::mutex> g(w->l->mu);
    if (!w->l->failed) {
        std::string n = w->l->d.name;
        n = n.substr(0, n.find(n[0] == '(' ? ')' : ','));
        char head[256];
        View &v = t ? t->v : w->th[0]->v;
        if (t)
            snprintf(head, sizeof head, "kernel %s block (%u,%u,%u) thread (%u,%u,%u): ", n.c_str(),
                     v.blockIdx_.x, v.blockIdx_.y, v.blockIdx_.z, v.threadIdx_.x, v.threadIdx_.y,
                     v.threadIdx_.z);
        else
            snprintf(head, sizeof head, "kernel %s block (%u,%u,%u): ", n.c_str(), v.blockIdx_.x,
                     v.blockIdx_.y, v.blockIdx_.z);
        w->l->err = std::string(head) + msg;
        w->l->failed = true;
        if (config().abort_on_error) {
            fprintf(stderr, "cudasim: %s\n", w->l->err.c_str());
            abort();
        }
    }
}
void fail(const char *fmt, ...)
{
    char buf[2048];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(buf, sizeof buf, fmt, ap);
    va_end(ap);
    Worker *w = W;
    record(w, w->curt, buf);
    w->failed = true;
    switch_to(w, w->curt, &w->main); /* the block is abandoned; never comes back */
    __builtin_unreachable();
}
void trap(Site s)
{
    fail("__trap() at %s:%d", s.file, s.line);
}

/* ---- scheduler ---- */
static inline void set_ready(Worker *w, Thread *t)
{
    t->state = READY;
    t->warp->ready |= 1u << t->v.lane;
    w->warps_ready |= 1u << t->warp->idx;
}
static inline void clear_ready(Worker *w, Thread *t, State s)
{
    t->state = s;
    if (!(t->warp->ready &= ~(1u << t->v.lane)))
        w->warps_ready &= ~(1u << t->warp->idx);
}
static inline uint32_t rnd(Worker *w)
{
    w->rng ^= w->rng << 13;
    w->rng ^= w->rng >> 7;
    w->rng ^= w->rng << 17;
    return (uint32_t)(w->rng >> 24);
}
static inline uint32_t from_bit(uint32_t m, unsigned b)
{ /* m rotated so that search starts at bit b */
    uint32_t hi = m & (~0u << b);
    return hi ? hi : m;
}
static inline Thread *pick(Worker *w, Thread *self)
{
    if (!w->warps_ready)
        return nullptr;
    unsigned wi, li;
    if (config().seed) {
        /* random fixed priorities per block: a low warp falls a whole barrier interval behind */
        unsigned k = 0;
        while (!(w->warps_ready >> w->prio[k] & 1))
            k++;
        wi = w->prio[k];
        li = __builtin_ctz(from_bit(w->warps[wi].ready, rnd(w) & 31));
    } else {
        wi = __builtin_ctz(from_bit(w->warps_ready, self->warp->idx));
        li = __builtin_ctz(
            from_bit(w->warps[wi].ready, wi == (unsigned)self->warp->idx ? self->v.lane : 0));
    }
    return w->warps[wi].t[li];
}
static inline void park(Worker *w, Thread *t, State s)
{
    clear_ready(w, t, s);
    Thread *n = pick(w, t);
    switch_to(w, t, n ? n : &w->main);
}
void grid_wait()
{
    W->curt->has_waited = true;
}
bool seeded()
{
    return config().seed != 0;
}
void yield()
{
    Worker *w = W;
    Thread *t = w->curt, *n;
    if (__builtin_popcount(w->warps_ready) == 1 && t->warp->ready == 1u << t->v.lane)
        return;
    /* someone else: next ready thread after this one, over all warps */
    uint32_t later = t->warp->ready & ~((2u << t->v.lane) - 1u);
    if (later)
        n = t->warp->t[__builtin_ctz(later)];
    else {
        unsigned wi = __builtin_ctz(from_bit(w->warps_ready, (t->warp->idx + 1) & 31));
        n = w->warps[wi].t[__builtin_ctz(w->warps[wi].ready)];
    }
    if (n != t)
        switch_to(w, t, n);
}

/* ---- block barriers ---- */
static void release(Worker *w, int id)
{
    Bar &b = w->bars[id];
    memcpy(b.result, b.acc, sizeof b.acc);
    b.arrived = 0;
    b.any = false;
    b.acc[0] = 0;
    b.acc[1] = 1;
    b.acc[2] = 0;
    w->epoch++;
    for (Thread *t : w->th) {
        if ((int)t->tid >= w->nthreads)
            break;
        if (t->state == AT_BAR && t->bar_id == id)
            set_ready(w, t);
    }
}
static bool bar0_exited(Worker *w)
{ /* all live threads wait at barrier 0, some have exited */
    Bar &b = w->bars[0];
    return b.arrived && w->done && b.arrived + w->done == w->nthreads;
}
void barrier(int id, int n, bool wait, Site s, const char *what)
{
    Worker *w = W;
    Thread *t = w->curt;
    if (id < 0 || id > 15)
        fail("%s: barrier id %d at %s:%d", what, id, s.file, s.line);
    Bar &b = w->bars[id];
    int expect = n ? n : w->nthreads;
    if (expect % 32 && n)
        fail("%s: thread count %d is no multiple of 32 at %s:%d", what, n, s.file, s.line);
    if (!b.any) {
        b.any = true;
        b.site = s;
        b.expect = expect;
    } else {
        if (b.expect != expect)
            fail("%s(%d): thread count %d at %s:%d, but %d at %s:%d", what, id, expect, s.file,
                 s.line, b.expect, b.site.file, b.site.line);
        if (!n && (b.site.line != s.line || strcmp(b.site.file, s.file)))
            fail("threads of one block meet in different __syncthreads(): %s:%d and %s:%d",
                 b.site.file, b.site.line, s.file, s.line);
    }
    b.arrived++;
    if (b.arrived == expect) {
        release(w, id);
        return;
    }
    t->what = what;
    t->site = s;
    t->bar_id = id;
    if (!n && bar0_exited(w))
        fail("__syncthreads() at %s:%d: %d of %d threads of the block have already exited", s.file,
             s.line, w->done, w->nthreads);
    if (wait)
        park(w, t, AT_BAR);
}
int barrier_reduce(int p, int op, Site s)
{
    Bar &b = W->bars[0];
    b.acc[0] += p != 0;
    b.acc[1] &= p != 0;
    b.acc[2] |= p != 0;
    barrier(0, 0, true, s, "__syncthreads_xxx");
    return b.result[op];
}

/* ---- warp collectives ---- */
static void complete(Worker *w, Warp *wp, int i)
{
    Coll &c = wp->coll[i];
    if (c.fn)
        c.fn(c.arg, c.arrived);
    if (c.kind == K_SYNCWARP)
        wp->wep++;
    wp->ready |= c.arrived; /* the threads' state field goes stale; only AT_BAR and DONE matter */
    w->warps_ready |= 1u << wp->idx;
    if (i != --wp->ncoll)
        c = wp->coll[wp->ncoll];
}
void collective(uint32_t mask, int kind, int sub, const char *what, bool need_all, Site s,
                void *arg, CollFn fn)
{
    Worker *w = W;
    Thread *t = w->curt;
    Warp *wp = t->warp;
    uint32_t bit = 1u << t->v.lane;
    if (!(mask & bit))
        fail("%s at %s:%d: mask %08x does not name the calling lane %u", what, s.file, s.line, mask,
             t->v.lane);
    if (need_all && (wp->exist != 0xffffffffu || wp->exited))
        fail("%s at %s:%d: needs all 32 lanes, but only %08x are alive", what, s.file, s.line,
             wp->exist & ~wp->exited);
    if ((mask & wp->exited))
        fail("%s at %s:%d: mask %08x names lanes that have exited (%08x)", what, s.file, s.line,
             mask, mask & wp->exited);
    int i, hit = -1;
    for (i = 0; i < wp->ncoll; i++) {
        Coll &c = wp->coll[i];
        if (c.mask == mask && c.kind == kind && c.sub == sub && c.site.line == s.line &&
            c.site.file == s.file && !(c.arrived & bit)) {
            hit = i;
            break;
        }
        if ((c.mask & bit) && (c.arrived & mask))
            fail("%s(mask %08x) at %s:%d by lane %u, while lanes %08x wait for it in %s(mask %08x) "
                 "at %s:%d",
                 what, mask, s.file, s.line, t->v.lane, c.arrived, c.what, c.mask, c.site.file,
                 c.site.line);
    }
    if (hit < 0) {
        hit = wp->ncoll++;
        Coll &c = wp->coll[hit];
        c.mask = mask;
        c.arrived = 0;
        c.kind = kind;
        c.sub = sub;
        c.need_all = need_all;
        c.what = what;
        c.site = s;
        c.fn = fn;
    }
    Coll &c = wp->coll[hit];
    c.arrived |= bit;
    c.arg[t->v.lane] = arg;
    if (c.arrived == (mask & wp->exist & ~wp->exited)) {
        complete(w, wp, hit);
        return;
    }
    t->what = what;
    t->site = s;
    t->mask = mask;
    park(w, t, AT_COLL);
}
void shfl_fn(void **a, uint32_t m)
{
    for (uint32_t r = m; r; r &= r - 1) {
        int l = __builtin_ctz(r);
        ShflArg *s = (ShflArg *)a[l];
        if (!(m >> s->src & 1))
            fail("shuffle: lane %d reads lane %d, which does not take part (lanes present: %08x)",
                 l, s->src, m);
        s->out = ((ShflArg *)a[s->src])->v;
    }
}
void vote_fn(void **a, uint32_t m)
{
    uint32_t o = 0;
    for (uint32_t r = m; r; r &= r - 1) {
        int l = __builtin_ctz(r);
        if (((VoteArg *)a[l])->v)
            o |= 1u << l;
    }
    for (uint32_t r = m; r; r &= r - 1)
        ((VoteArg *)a[__builtin_ctz(r)])->out = o;
}
void match_fn(void **a, uint32_t m)
{
    for (uint32_t r = m; r; r &= r - 1) {
        VoteArg *x = (VoteArg *)a[__builtin_ctz(r)];
        x->out = 0;
        for (uint32_t q = m; q; q &= q - 1)
            if (((VoteArg *)a[__builtin_ctz(q)])->v == x->v)
                x->out |= q & -q;
    }
}

/* ---- fibers ---- */
static void fiber_main()
{
    Worker *w = W;
#if SIM_ASAN
    const void *ob;
    size_t os;
    __sanitizer_finish_switch_fiber(nullptr, &ob, &os);
    if (!w->main.stack) {
        w->main.stack = (char *)ob;
        w->main.stack_sz = os;
    }
#endif
    w->l->d.invoke(w->l->d.ctx);
    Thread *t = w->curt;
    if (t->cp_head < t->cp.size())
        fail("thread ends with %zu cp.async copies it never waited for", t->cp.size() - t->cp_head);
    if (w->l->d.is_early && !t->has_waited)
        fail("an early kernel's thread ends without zkc_grid_wait(): what comes after may start "
             "before what came before has ended");
    Warp *wp = t->warp;
    wp->exited |= 1u << t->v.lane;
    w->done++;
    clear_ready(w, t, DONE);
    for (int i = 0; i < wp->ncoll; i++) {
        Coll &c = wp->coll[i];
        if (c.need_all || ((c.mask >> t->v.lane & 1)))
            fail("lane exits while lanes %08x wait in %s at %s:%d", c.arrived, c.what, c.site.file,
                 c.site.line);
        if (c.arrived == (c.mask & wp->exist & ~wp->exited)) {
            complete(w, wp, i);
            i = -1;
        }
    }
    if (bar0_exited(w)) {
        fail("exits while %d threads wait in __syncthreads() at %s:%d", w->bars[0].arrived,
             w->bars[0].site.file, w->bars[0].site.line);
    }
    Thread *n = pick(w, t);
    switch_to(w, t, n ? n : &w->main, true);
    __builtin_unreachable();
}
Worker *worker()
{
    if (W)
        return W;
    static std::atomic<Worker *> all{nullptr};
    Worker *w = W = new Worker;
    w->next = all.exchange(w); /* never freed: processors work until the process ends */
    size_t n = config().stack * 1024;
    w->stacks = (char *)mmap(nullptr, n, PROT_READ | PROT_WRITE,
                             MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    w->arena =
        (char *)mmap(nullptr, ARENA, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (w->stacks == MAP_FAILED || w->arena == MAP_FAILED) {
        perror("cudasim: mmap");
        exit(1);
    }
#if SIM_ASAN
    pthread_attr_t a;
    void *lo;
    size_t sz;
    pthread_getattr_np(pthread_self(), &a);
    pthread_attr_getstack(&a, &lo, &sz);
    pthread_attr_destroy(&a);
    w->main.stack = (char *)lo;
    w->main.stack_sz = sz;
#endif
    return w;
}
static void deadlock(Worker *w)
{
    std::string m = "deadlock:";
    std::map<std::string, std::vector<int>> g;
    for (int i = 0; i < w->nthreads; i++) {
        Thread *t = w->th[i];
        char b[400];
        if (t->state == DONE)
            snprintf(b, sizeof b, "exited");
        else if (t->state == AT_COLL)
            snprintf(b, sizeof b, "wait in %s(mask %08x) at %s:%d", t->what, t->mask, t->site.file,
                     t->site.line);
        else
            snprintf(b, sizeof b, "wait in %s at %s:%d", t->what, t->site.file, t->site.line);
        g[b].push_back(i);
    }
    for (auto &e : g) {
        char b[500];
        snprintf(b, sizeof b, " %zu threads (%d..%d) %s;", e.second.size(), e.second.front(),
                 e.second.back(), e.first.c_str());
        m += b;
    }
    record(w, nullptr, m.c_str());
}
void run_block(Worker *w, Launch *l, uint64_t b)
{
    const Desc &d = l->d;
    w->l = l;
    int n = w->nthreads = (int)(d.block.x * d.block.y * d.block.z);
    while ((int)w->th.size() < n) {
        Thread *t = new Thread;
        t->tid = (unsigned)w->th.size();
        t->stack_sz = config().stack - 4096;
        t->stack = w->stacks + t->tid * config().stack + 4096;
        mprotect(t->stack - 4096, 4096, PROT_NONE); /* guard page */
        w->th.push_back(t);
    }
    w->nwarps = (n + 31) / 32;
    w->warps_ready = w->nwarps == 32 ? ~0u : (1u << w->nwarps) - 1;
    w->done = 0;
    w->blk = next_block++;
    w->epoch++;
    w->fence_epoch = 0;
    for (int i = 0; i < w->nwarps; i++) {
        Warp &wp = w->warps[i];
        wp.idx = i;
        wp.ncoll = 0;
        wp.exited = 0;
        wp.wep++;
        wp.exist = wp.ready = n - i * 32 >= 32 ? ~0u : (1u << (n - i * 32)) - 1;
    }
    for (Bar &x : w->bars) {
        x.arrived = 0;
        x.any = false;
        x.acc[0] = 0;
        x.acc[1] = 1;
        x.acc[2] = 0;
    }
    uint3 bi = {(unsigned)(b % d.grid.x), (unsigned)(b / d.grid.x % d.grid.y),
                (unsigned)(b / d.grid.x / d.grid.y)};
    for (int i = 0; i < n; i++) {
        Thread *t = w->th[i];
        t->v.threadIdx_ = {i % d.block.x, i / d.block.x % d.block.y, i / d.block.x / d.block.y};
        t->v.blockIdx_ = bi;
        t->v.blockDim_ = d.block;
        t->v.gridDim_ = d.grid;
        t->v.lane = i & 31;
        t->warp = &w->warps[i >> 5];
        t->warp->t[i & 31] = t;
        t->state = READY;
        t->cp.clear();
        t->cp_head = 0;
        t->cp_group = 0;
        t->has_waited = false;
        if (w->failed)
            ASAN_UNPOISON_MEMORY_REGION(t->stack, t->stack_sz);
        fiber_init(t);
    }
    w->failed = false;
    w->rng = config().seed
                 ? (uint64_t)config().seed * 0x9E3779B97F4A7C15ull + b * 0xD1B54A32D192ED03ull + 1
                 : 1;
    if (config().seed) {
        for (unsigned i = 0; i < 32; i++)
            w->prio[i] = (uint8_t)i;
        for (unsigned i = 31; i; i--)
            std::swap(w->prio[i], w->prio[rnd(w) % (i + 1)]);
    }
    w->vars.clear();
    w->arena_used = 128;
    w->smem_bytes = 0;
    ASAN_POISON_MEMORY_REGION(w->arena, ARENA);
    w->dyn = nullptr;
    if (d.smem)
        w->dyn =
            (char *)smem_static(&w->dyn, d.smem, 1024, "dynamic shared memory", Site{"launch", 0});
    w->curt = &w->main;
    Thread *first = config().seed ? pick(w, w->th[0]) : w->th[0];
    switch_to(w, &w->main, first);
    cur = nullptr;
    if (!w->failed && w->done != n) {
        deadlock(w);
        w->failed = true;
    }
}
void *smem_static(const void *key, size_t size, size_t align, const char *name, Site s)
{
    Worker *w = W;
    for (SmemVar &v : w->vars)
        if (v.key == key)
            return v.p;
    align = std::max<size_t>(align, 128);
    size_t at = (w->arena_used + align - 1) / align * align;
    w->smem_bytes += size;
    if ((long)w->smem_bytes > config().smem || at + size + 128 > ARENA)
        fail("shared memory: %zu bytes with '%s' (%s:%d), the limit is %ld", w->smem_bytes, name,
             s.file, s.line, config().smem);
    char *p = w->arena + at;
    ASAN_UNPOISON_MEMORY_REGION(p, size);
    memset(p, 0xff, size); /* shared memory starts as garbage: NaN in every float format */
    w->arena_used = at + size + 64;
    w->vars.push_back({key, p, size, name});
    return p;
}
void *smem_dyn()
{
    if (!W->dyn)
        fail("dynamic shared memory used, but launched with 0 bytes");
    return W->dyn;
}
bool in_shared(Worker *w, const void *p, size_t n)
{
    for (SmemVar &v : w->vars)
        if ((char *)p >= v.p && (char *)p + n <= v.p + v.size)
            return true;
    return false;
}
} /* namespace sim */
