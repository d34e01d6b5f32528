/* SPDX-License-Identifier: MIT */
/* Logits to tokens, without the logits leaving the device: zk_draw.h says what a draw is; the token
 * is the one that the host's sampler draws, whatever the order in which blocks and threads add,
 * because all that is summed are integers.
 *
 * Three kernels. The first goes over the vocabulary in chunks, one block each: penalties, and the
 * largest of the chunk. The second puts what has a weight beside the largest of all (usually a
 * few thousand) into a list, chunk by chunk, each in the order of ids. The third, one block a row,
 * cuts the list (top-k, top-p, min-p) and draws. A cut is at the largest key above which there is
 * weight enough, found two bits at a time: every round adds up what is above three candidates.
 * Nothing is sorted, no atomics.
 *
 * Limit: latency. The vocabulary is read twice, from the L2 cache (0.5 MB a row where there are
 * 131072), by 64 blocks; the list about twenty times for each cut, by one block. */
#include "kernels/cuda/zkc_dev.cuh"

extern "C" {
#include "kernels/zk_draw.h"
}

#define CHUNK    2048 /* ids of a block */
#define THREADS  256
#define EACH     (CHUNK / THREADS)
#define PICK     512 /* threads that draw */
#define WARPS    (PICK / 32)
#define MAX_V    (1 << 22)
#define NO_TOKEN (~0ull)

namespace
{
struct candidate {
    int32_t id;
    float logit, weight;
};

struct draw_args {
    float *logits; /* (rows, V) */
    const struct zk_draw *draws;
    const struct zk_seen *seen;
    int32_t *ids;
    int V, chunks;
    unsigned long long *best; /* (rows, chunks) of a chunk: see best_key; NO_TOKEN: not a number */
    int *count;               /* (rows, chunks) candidates of a chunk */
    struct candidate *list;   /* (rows, chunks, CHUNK) */
};

/* Larger for a larger logit, of equal ones for the lower id. */
ZKC_DEV unsigned long long best_key(float v, int id)
{
    if (!(v == v))
        return NO_TOKEN;
    return (unsigned long long)zk_draw_order(v) << 32 | (0x7fffffffu - (unsigned)id);
}

ZKC_DEV unsigned long long larger(unsigned long long a, unsigned long long b)
{
    return a > b ? a : b;
}

/* The largest over a block, for every thread. part: [N / 32] in shared memory. */
template <int N>
ZKC_DEV unsigned long long block_max(unsigned long long v, unsigned long long *part)
{
    for (int o = 16; o > 0; o >>= 1)
        v = larger(v, __shfl_xor_sync(ZKC_ALL_LANES, v, o));
    if (threadIdx.x % 32 == 0)
        part[threadIdx.x / 32] = v;
    __syncthreads();
    for (int w = 0; w < N / 32; w++)
        v = larger(v, part[w]);
    __syncthreads();
    return v;
}

/* ---- the largest --------------------------------------------------------------------------- */

/* Grid: chunks x rows. */
__global__ void __launch_bounds__(THREADS) draw_max_kernel(const draw_args a)
{
    zkc_grid_trigger();
    zkc_grid_wait();
    ZKC_SHARED(unsigned long long, part, [THREADS / 32]);
    const struct zk_draw *d = &a.draws[blockIdx.y];
    const int first = blockIdx.x * CHUNK, end = min(first + CHUNK, a.V);
    float *x = a.logits + (size_t)blockIdx.y * a.V;
    if (!d->is_wanted)
        return;
    for (int i = threadIdx.x; i < d->n_seen; i += THREADS) {
        const struct zk_seen s = a.seen[d->first_seen + i];
        if (s.id >= first && s.id < end)
            x[s.id] = zk_draw_change(x[s.id], s.times, d->repetition, d->presence, d->frequency);
    }
    __syncthreads();
    unsigned long long best = 0;
    for (int i = first + threadIdx.x; i < end; i += THREADS)
        best = larger(best, best_key(x[i], i));
    best = block_max<THREADS>(best, part);
    if (threadIdx.x == 0)
        a.best[(size_t)blockIdx.y * a.chunks + blockIdx.x] = best;
}

/* The best of all chunks of a row; false if there is none that is finite. */
template <int N>
ZKC_DEV bool best_of(const draw_args &a, int row, unsigned long long *part, int *ret_id)
{
    unsigned long long best = 0;
    for (int c = threadIdx.x; c < a.chunks; c += N)
        best = larger(best, a.best[(size_t)row * a.chunks + c]);
    best = block_max<N>(best, part);
    *ret_id = (int)(0x7fffffffu - (unsigned)(best & 0x7fffffffu));
    return best != NO_TOKEN && best >> 32 < zk_draw_order(INFINITY) &&
           best >> 32 > zk_draw_order(-INFINITY);
}

/* ---- the list ------------------------------------------------------------------------------ */

/* Grid: chunks x rows; a thread has EACH ids in a row, so that the order of threads is theirs. */
__global__ void __launch_bounds__(THREADS) draw_list_kernel(const draw_args a)
{
    zkc_grid_trigger();
    zkc_grid_wait();
    ZKC_SHARED(unsigned long long, part, [THREADS / 32]);
    ZKC_SHARED(int, before, [THREADS / 32]);
    const struct zk_draw *d = &a.draws[blockIdx.y];
    const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
    const float *x = a.logits + (size_t)blockIdx.y * a.V;
    int top, n = 0;
    if (!d->is_wanted || !(d->temperature > 0) || !best_of<THREADS>(a, blockIdx.y, part, &top))
        return;
    const float max = x[top], temperature = d->temperature;
    const int first = blockIdx.x * CHUNK + threadIdx.x * EACH;
    float weight[EACH];
#pragma unroll
    for (int i = 0; i < EACH; i++) {
        weight[i] = first + i < a.V ? zk_draw_weight(x[first + i], max, temperature) : 0.0f;
        n += weight[i] > 0;
    }
    int upto = n; /* of this thread and those before it in the warp */
#pragma unroll
    for (int o = 1; o < 32; o *= 2) {
        const int other = __shfl_up_sync(ZKC_ALL_LANES, upto, o);
        upto += lane >= o ? other : 0;
    }
    if (lane == 31)
        before[warp] = upto;
    __syncthreads();
    int at = upto - n, all = 0;
    for (int w = 0; w < THREADS / 32; w++) {
        at += w < warp ? before[w] : 0;
        all += before[w];
    }
    const size_t chunk = (size_t)blockIdx.y * a.chunks + blockIdx.x;
    struct candidate *list = a.list + chunk * CHUNK;
#pragma unroll
    for (int i = 0; i < EACH; i++)
        if (weight[i] > 0) {
            list[at].id = first + i;
            list[at].logit = x[first + i];
            list[at++].weight = weight[i];
        }
    if (threadIdx.x == 0)
        a.count[chunk] = all;
}

/* ---- cutting and drawing ------------------------------------------------------------------- */

/* What a block of the third kernel knows. Positions in the list: chunk * CHUNK + place. */
struct pick_state {
    const struct candidate *list;
    const int *count;
    int chunks;
    unsigned long long (*sums)[3]; /* shared, [WARPS] */
    unsigned long long *by_chunk;  /* shared, [MAX_V / CHUNK] */
    int *found;                    /* shared, [1] */
    /* what has been cut away so far; ties with a key are kept up to a position */
    uint32_t logit_key, weight_key;
    int logit_last, weight_last;
    float least;
};

ZKC_DEV bool is_kept(const pick_state &s, const candidate &c, int at)
{
    const uint32_t l = zk_draw_order(c.logit), w = zk_draw_order(c.weight);
    return (l > s.logit_key || (l == s.logit_key && at <= s.logit_last)) &&
           (w > s.weight_key || (w == s.weight_key && at <= s.weight_last)) && c.weight >= s.least;
}

/* f(candidate, position) for all candidates that are kept. */
template <class F> ZKC_DEV void each_kept(const pick_state &s, F f)
{
    for (int c = threadIdx.x / 32; c < s.chunks; c += WARPS)
        for (int i = threadIdx.x % 32; i < s.count[c]; i += 32) {
            const struct candidate one = s.list[(size_t)c * CHUNK + i];
            if (is_kept(s, one, c * CHUNK + i))
                f(one, c * CHUNK + i);
        }
}

/* Sums over the block, for every thread. */
ZKC_DEV void block_sums(const pick_state &s, unsigned long long (&v)[3])
{
#pragma unroll
    for (int j = 0; j < 3; j++)
        for (int o = 16; o > 0; o >>= 1)
            v[j] += __shfl_xor_sync(ZKC_ALL_LANES, v[j], o);
    if (threadIdx.x % 32 == 0)
        for (int j = 0; j < 3; j++)
            s.sums[threadIdx.x / 32][j] = v[j];
    __syncthreads();
    for (int j = 0; j < 3; j++) {
        v[j] = 0;
        for (int w = 0; w < WARPS; w++)
            v[j] += s.sums[w][j];
    }
    __syncthreads();
}

/* The first position at which the sum of f over the kept ones, in order, exceeds target, which is
 * less than the whole. */
template <class F> ZKC_DEV int find(const pick_state &s, unsigned long long target, F f)
{
    const int lane = threadIdx.x % 32;
    for (int c = threadIdx.x / 32; c < s.chunks; c += WARPS) {
        unsigned long long sum = 0;
        for (int i = lane; i < s.count[c]; i += 32) {
            const struct candidate one = s.list[(size_t)c * CHUNK + i];
            sum += is_kept(s, one, c * CHUNK + i) ? f(one) : 0;
        }
        for (int o = 16; o > 0; o >>= 1)
            sum += __shfl_xor_sync(ZKC_ALL_LANES, sum, o);
        if (lane == 0)
            s.by_chunk[c] = sum;
    }
    __syncthreads();
    if (threadIdx.x < 32) {
        int c = 0;
        for (; c < s.chunks - 1 && s.by_chunk[c] <= target; c++)
            target -= s.by_chunk[c];
        bool is_found = false;
        for (int i = 0; i < s.count[c] && !is_found; i += 32) {
            unsigned long long sum = 0;
            if (i + lane < s.count[c]) {
                const struct candidate one = s.list[(size_t)c * CHUNK + i + lane];
                sum = is_kept(s, one, c * CHUNK + i + lane) ? f(one) : 0;
            }
            for (int o = 1; o < 32; o *= 2) {
                const unsigned long long other = __shfl_up_sync(ZKC_ALL_LANES, sum, o);
                sum += lane >= o ? other : 0;
            }
            const unsigned over = __ballot_sync(ZKC_ALL_LANES, sum > target);
            target -= over ? 0 : __shfl_sync(ZKC_ALL_LANES, sum, 31);
            is_found = over != 0;
            if (is_found && lane == 0)
                s.found[0] = c * CHUNK + i + __ffs((int)over) - 1;
        }
    }
    __syncthreads();
    const int at = s.found[0];
    __syncthreads();
    return at;
}

/* The cut that keeps the largest by key until their units reach mass: all above *ret_key, and of
 * what equals it the ones up to *ret_last. Units of equal keys are equal. */
template <class K, class U>
ZKC_DEV void cut(const pick_state &s, unsigned long long mass, K key, U units, uint32_t *ret_key,
                 int *ret_last)
{
    uint32_t best = 0;
    for (int shift = 30; shift >= 0; shift -= 2) {
        unsigned long long above[3] = {};
        each_kept(s, [&](const candidate &c, int) {
            const uint32_t k = key(c);
            for (int j = 0; j < 3; j++)
                above[j] += k >= (best | (uint32_t)(j + 1) << shift) ? units(c) : 0;
        });
        block_sums(s, above);
        for (int j = 2; j >= 0; j--)
            if (above[j] >= mass) {
                best |= (uint32_t)(j + 1) << shift;
                break;
            }
    }
    unsigned long long v[3] = {}; /* above the key, at the key, how many are at the key */
    each_kept(s, [&](const candidate &c, int) {
        const uint32_t k = key(c);
        v[0] += k > best ? units(c) : 0;
        v[1] += k == best ? units(c) : 0;
        v[2] += k == best;
    });
    block_sums(s, v);
    *ret_key = best;
    *ret_last = MAX_V;
    const unsigned long long each = v[1] / v[2], ties = (mass - v[0] + each - 1) / each;
    if (ties < v[2])
        *ret_last =
            find(s, ties - 1, [&](const candidate &c) { return key(c) == best ? 1ull : 0ull; });
}

/* The sum of f over the kept ones. */
template <class F> ZKC_DEV unsigned long long kept(const pick_state &s, F f)
{
    unsigned long long v[3] = {};
    each_kept(s, [&](const candidate &c, int) { v[0] += f(c); });
    block_sums(s, v);
    return v[0];
}

/* Grid: rows. */
__global__ void __launch_bounds__(PICK) draw_pick_kernel(const draw_args a)
{
    zkc_grid_trigger();
    zkc_grid_wait();
    ZKC_SHARED(unsigned long long, sums, [WARPS][3]);
    ZKC_SHARED(unsigned long long, by_chunk, [MAX_V / CHUNK]);
    ZKC_SHARED(int, found, [1]);
    const int row = blockIdx.x;
    const struct zk_draw d = a.draws[row];
    int id;
    if (!d.is_wanted)
        return;
    if (!best_of<PICK>(a, row, by_chunk, &id)) {
        id = -1;
    } else if (d.temperature > 0) {
        pick_state s = {};
        s.list = a.list + (size_t)row * a.chunks * CHUNK;
        s.count = a.count + (size_t)row * a.chunks;
        s.chunks = a.chunks;
        s.sums = sums, s.by_chunk = by_chunk, s.found = found;
        const auto one = [](const candidate &) { return 1ull; };
        const auto units = [](const candidate &c) -> unsigned long long {
            return zk_draw_units(c.weight);
        };
        const auto logit = [](const candidate &c) { return zk_draw_order(c.logit); };
        const auto weight = [](const candidate &c) { return zk_draw_order(c.weight); };
        if (d.top_k > 0 && (unsigned long long)d.top_k < kept(s, one))
            cut(s, d.top_k, logit, one, &s.logit_key, &s.logit_last);
        if (d.top_p < 1)
            cut(s, zk_draw_share(kept(s, units), d.top_p), weight, units, &s.weight_key,
                &s.weight_last);
        s.least = d.min_p;
        const int at = find(s, zk_draw_target(d.random, kept(s, units)), units);
        id = s.list[at].id;
    }
    if (threadIdx.x == 0)
        a.ids[row] = id;
}

} /* namespace */

/* ---- launching ----------------------------------------------------------------------------- */

int zkc_draw(struct zk_dev *dev, int32_t *ids, float *logits, const struct zk_draw *draws,
             const struct zk_seen *seen, int rows, int V)
{
    struct zkc_dev *d = zkc_of(dev);
    draw_args a = {};
    a.V = V, a.chunks = (V + CHUNK - 1) / CHUNK;
    const size_t chunk = CHUNK * sizeof *a.list + sizeof *a.best + sizeof *a.count;
    const size_t fit = d->work_bytes / (chunk * a.chunks);
    const int most = fit < 65535 ? (int)fit : 65535;
    if (V < 1 || V > MAX_V || most < 1)
        return ZC_EINVAL;
    a.seen = seen;
    for (int row = 0; row < rows; row += most) {
        const int n = min(most, rows - row);
        const dim3 grid(a.chunks, n);
        a.logits = logits + (size_t)row * V;
        a.draws = draws + row;
        a.ids = ids + row;
        a.best = (unsigned long long *)d->work;
        a.list = (struct candidate *)(a.best + (size_t)n * a.chunks);
        a.count = (int *)(a.list + (size_t)n * a.chunks * CHUNK);
        cudaError_t e =
            zkc_launch_early(d->early_cc, draw_max_kernel, grid, dim3(THREADS), 0, d->stream, a);
        if (e == cudaSuccess)
            e = zkc_launch_early(d->early_cc, draw_list_kernel, grid, dim3(THREADS), 0, d->stream,
                                 a);
        if (e == cudaSuccess)
            e = zkc_launch_early(d->early_cc, draw_pick_kernel, dim3(n), dim3(PICK), 0, d->stream,
                                 a);
        if (e != cudaSuccess)
            return zkc_check(d, e);
    }
    return ZC_OK;
}
