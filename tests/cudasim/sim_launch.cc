/* SPDX-License-Identifier: MIT */
/* Launches: the blocks of a grid over a pool of processors, graphs that replay them, what went
 * wrong, and atomics where the race checker (sim_race.cc) does not bring its own. */
#include "sim_internal.h"

#include <algorithm>
#include <condition_variable>
#include <cstdlib>
#include <numeric>
#include <thread>

namespace sim
{
std::atomic<uint32_t> next_block{1};

/* Takes blocks until none is left. */
static void run_blocks(Launch *l)
{
    Worker *w = worker();
    for (uint64_t i = l->next++; i < l->nblocks && !l->failed; i = l->next++)
        run_block(w, l, (uint64_t)((unsigned __int128)i * l->stride % l->nblocks));
}

/* Helpers that sleep between launches. Never destroyed: a launch may come as late as exit(). */
struct Pool {
    std::mutex mu;
    std::condition_variable go, idle;
    Launch *l = nullptr;
    uint64_t turn = 0;
    int busy = 0, helpers = 0;

    void help()
    {
        std::unique_lock<std::mutex> g(mu);
        for (uint64_t seen = 0;;) {
            go.wait(g, [&] { return turn != seen; });
            seen = turn;
            Launch *x = l;
            g.unlock();
            run_blocks(x);
            g.lock();
            if (--busy == 0)
                idle.notify_one();
        }
    }
    void run(Launch *x, int n)
    {
        std::unique_lock<std::mutex> g(mu);
        for (; helpers < n - 1; helpers++)
            std::thread([this] { help(); }).detach();
        if (n > 1) {
            l = x;
            turn++;
            busy = helpers;
            go.notify_all();
        }
        g.unlock();
        run_blocks(x);
        g.lock();
        idle.wait(g, [&] { return busy == 0; });
    }
};

static bool fits(const Desc &d)
{
    uint64_t threads = (uint64_t)d.block.x * d.block.y * d.block.z;
    return threads > 0 && threads <= 1024 && d.block.z <= 64 && d.grid.x && d.grid.y && d.grid.z &&
           d.grid.y <= 65535 && d.grid.z <= 65535 && (long)d.smem <= config().smem;
}

static cudaError_t run(const Desc &d)
{
    static std::mutex one; /* launches run one after the other, whatever their streams */
    static Pool *pool = new Pool;
    std::lock_guard<std::mutex> g(one);
    Launch l;
    if (!fits(d))
        return set_error(cudaErrorInvalidConfiguration,
                         std::string("launch of ") + d.name + ": bad grid, block or shared memory");
    if (launch_is_lost())
        return set_error(cudaErrorLaunchFailure, "the device is lost, as CUDASIM_FAIL asks");
    l.d = d;
    l.nblocks = (uint64_t)d.grid.x * d.grid.y * d.grid.z;
    if (config().seed) {
        l.stride = (uint64_t)config().seed * 7919 % l.nblocks;
        while (l.stride == 0 || std::gcd(l.stride, l.nblocks) != 1)
            l.stride++;
    }
    int n = (int)std::min<uint64_t>((uint64_t)config().threads, l.nblocks);
#ifdef CUDASIM_RACE
    n = 1;
    race_launch_begin(d, next_block);
#endif
    pool->run(&l, n);
    return l.failed ? set_error(cudaErrorLaunchFailure, l.err) : cudaSuccess;
}

/* ---- graphs: what a stream was asked for, to be asked again ------------------------------- */

void graph_add(sim_graph *graph, const Desc &d)
{
    sim_graph::Node n;
    n.d = d;
    n.ctx.assign((const char *)d.ctx, (const char *)d.ctx + d.ctx_size);
    graph->nodes.push_back(n);
}

static cudaError_t node_run(const sim_graph::Node &n)
{
    if (n.bytes) {
        copy_bytes(n.dst, n.own.empty() ? n.src : n.own.data(), n.value, n.bytes);
        return cudaSuccess;
    }
    Desc d = n.d;
    std::vector<char> ctx = n.ctx;
    d.ctx = ctx.data();
    return run(d);
}

cudaError_t graph_run(const sim_graph *graph)
{
    for (const sim_graph::Node &n : graph->nodes) {
        cudaError_t e = node_run(n);
        if (e != cudaSuccess)
            return e;
    }
    return cudaSuccess;
}

void queue_add(cudaStream_t s, sim_graph::Node &&n)
{
    std::lock_guard<std::mutex> g(s->mu);
    s->queue.push_back(std::move(n));
    s->asked++;
}

/* Does what was asked of a stream up to its number `until`. */
cudaError_t queue_run(cudaStream_t s, size_t until)
{
    if (!s)
        return cudaSuccess;
    std::lock_guard<std::mutex> g(s->mu);
    for (; s->done < until && !s->queue.empty(); s->done++) {
        cudaError_t e = node_run(s->queue.front());
        s->queue.pop_front();
        if (e != cudaSuccess)
            return e;
    }
    return cudaSuccess;
}

cudaError_t launch(const Desc &d, cudaStream_t stream)
{
    const char *how = getenv("CUDASIM_FAIL");
    if (how && !strcmp(how, "no-image"))
        return set_error(cudaErrorNoKernelImageForDevice, "there is no kernel image");
    const void *kernel; /* what launch_args puts first */
    memcpy(&kernel, d.ctx, sizeof kernel);
    cudaError_t e = load_code(d.name, kernel);
    if (e != cudaSuccess)
        return e;
    if (stream && stream->capture) {
        graph_add(stream->capture, d);
        return cudaSuccess;
    }
    if (stream && stream->is_late) {
        sim_graph one;
        graph_add(&one, d);
        queue_add(stream, std::move(one.nodes[0]));
        return cudaSuccess;
    }
    return run(d);
}

/* ---- atomics ----------------------------------------------------------------------------- */

#ifndef CUDASIM_RACE
template <class T> static uint64_t cas_as(void *p, uint64_t expect, uint64_t desire)
{
    T x = (T)expect;
    __atomic_compare_exchange_n((T *)p, &x, (T)desire, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
    return x;
}

uint64_t cas(void *p, int size, uint64_t expect, uint64_t desire)
{
    return size == 2   ? cas_as<uint16_t>(p, expect, desire)
           : size == 4 ? cas_as<uint32_t>(p, expect, desire)
                       : cas_as<uint64_t>(p, expect, desire);
}

uint64_t atomic_load(const void *p, int size, bool)
{
    return size == 2   ? __atomic_load_n((const uint16_t *)p, __ATOMIC_SEQ_CST)
           : size == 4 ? __atomic_load_n((const uint32_t *)p, __ATOMIC_SEQ_CST)
                       : __atomic_load_n((const uint64_t *)p, __ATOMIC_SEQ_CST);
}

void atomic_store(void *p, int size, uint64_t v, bool)
{
    if (size == 4)
        __atomic_store_n((uint32_t *)p, (uint32_t)v, __ATOMIC_SEQ_CST);
    else
        __atomic_store_n((uint64_t *)p, v, __ATOMIC_SEQ_CST);
}

void fence()
{
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
}
#endif
} /* namespace sim */
