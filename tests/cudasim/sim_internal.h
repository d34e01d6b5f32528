/* SPDX-License-Identifier: MIT */
/* The simulator's own structures, which kernels do not see. */
#ifndef TESTS_CUDASIM_SIM_INTERNAL_H
#define TESTS_CUDASIM_SIM_INTERNAL_H

#include "cudasim.h"

#include <deque>
#include <atomic>
#include <mutex>
#include <string>
#include <vector>
#undef threadIdx
#undef blockIdx
#undef blockDim
#undef gridDim
#undef zkc_launch
#undef zkc_launch_early

#if defined(__SANITIZE_ADDRESS__)
#define SIM_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SIM_ASAN 1
#endif
#endif
#ifndef SIM_ASAN
#define SIM_ASAN 0
#endif

namespace sim
{
struct Copy {
    char *dst;
    const char *src;
    uint32_t group;
    uint8_t size;
    unsigned char data[16];
};
struct Warp;
enum State : uint8_t { READY, AT_BAR, AT_COLL, DONE };
struct Thread {
    View v;
    void *sp = nullptr;
    char *stack = nullptr;
    size_t stack_sz = 0;
    void *fake = nullptr;
    Warp *warp = nullptr;
    unsigned tid = 0;
    State state = READY;
    int bar_id = 0;
    uint32_t mask = 0;
    const char *what = nullptr;
    Site site{};
    std::vector<Copy> cp;
    size_t cp_head = 0;
    uint32_t cp_group = 0;
    bool has_waited = false; /* for the kernels before this one */
};
struct Coll {
    uint32_t mask, arrived;
    int kind, sub;
    bool need_all;
    const char *what;
    Site site;
    CollFn fn;
    void *arg[32];
};
struct Warp {
    uint32_t exist, exited, ready, wep;
    int idx, ncoll;
    Thread *t[32];
    Coll coll[32];
};
struct Bar {
    int arrived, expect;
    bool any;
    Site site;
    int acc[3], result[3];
};
struct SmemVar {
    const void *key;
    char *p;
    size_t size;
    const char *name;
};
/* A grid on its way. */
struct Launch {
    Desc d;
    uint64_t nblocks = 0;
    std::atomic<uint64_t> next{0};
    std::atomic<bool> failed{false};
    std::mutex mu;
    std::string err;
    uint64_t stride = 1; /* of the order in which blocks run */
};
struct Worker {
    Worker *next; /* all there are, for the leak checker */
    Thread main;
    Thread *curt = nullptr;
    std::vector<Thread *> th;
    Warp warps[32];
    uint32_t warps_ready = 0;
    int nwarps = 0, nthreads = 0, done = 0;
    Bar bars[16];
    char *stacks = nullptr;
    char *arena = nullptr;
    size_t arena_used = 0, smem_bytes = 0;
    std::vector<SmemVar> vars;
    char *dyn = nullptr;
    Launch *l = nullptr;
    bool failed = false;
    uint64_t rng = 0;
    uint8_t prio[32];
    uint32_t blk = 0, epoch = 0, fence_epoch = 0; /* clocks of the race checker */
};
extern __thread Worker *W;
extern std::atomic<uint32_t> next_block;

struct Config {
    long threads, seed, smem, abort_on_error;
    size_t stack;
};
const Config &config();

Worker *worker(); /* this processor's */
void run_block(Worker *w, Launch *l, uint64_t b);
void record(Worker *w, Thread *t, const char *msg); /* the launch's first failure stays */
cudaError_t set_error(cudaError_t e, const std::string &text);
bool launch_is_lost();                                            /* CUDASIM_FAIL */
void copy_bytes(void *dst, const void *src, int value, size_t n); /* no src: fills with value */
cudaError_t graph_run(const sim_graph *graph);

/* What the race checker is told of memory. is_host: written by the host, at any time. */
void note_alloc(void *p, size_t n, bool is_host);
void note_free(void *p);
void note_host_write(void *p, size_t n);
void note_all_done(); /* nothing is under way on the device */
void race_launch_begin(const Desc &d, uint32_t first_block);
void check_nc(Worker *w, const void *p, size_t n, Site s);

constexpr size_t ARENA = 320 * 1024;
bool seeded();
bool in_shared(Worker *w, const void *p, size_t n);
/* ---- the race checker: nothing unless built with CUDASIM_RACE ---- */
enum Acc : int { A_READ, A_WRITE, A_ATOMIC, A_INFLIGHT, A_LAND };
#ifdef CUDASIM_RACE
void access(Worker *w, Thread *t, const void *p, size_t n, int kind, void *pc, Site s);
#else
inline void access(Worker *, Thread *, const void *, size_t, int, void *, Site)
{
}
#endif
} /* namespace sim */

struct sim_graph {
    struct Node {
        sim::Desc d{};
        std::vector<char> ctx;
        void *dst = nullptr;
        const void *src = nullptr;
        int value = 0;
        size_t bytes = 0;      /* 0: a launch */
        std::vector<char> own; /* of memory that is not pinned: as it was when it was asked */
    };
    std::vector<Node> nodes;
    bool is_broken = false; /* by a call that is not for while something is recorded */
};
struct sim_stream {
    sim_graph *capture = nullptr; /* NULL, or what is being recorded */
    /* CUDASIM_LATE: nothing is done before somebody waits for it, and no more than that */
    bool is_late = false;
    std::deque<sim_graph::Node> queue;
    size_t asked = 0, done = 0;
    std::mutex mu;
};

namespace sim
{
void queue_add(cudaStream_t s, sim_graph::Node &&n);
/* At every launch: a kernel's code takes memory at its first. */
cudaError_t load_code(const char *name, const void *kernel);
cudaError_t queue_run(cudaStream_t s, size_t until);
} /* namespace sim */

#endif
