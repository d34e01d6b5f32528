/* SPDX-License-Identifier: MIT */
/* From canonical matrices to the layout of zkc_mm.h on the device. EXACT, and the same bytes as
 * zkc_mm_pack gives. Rows come in any order and number: so a part of a joined matrix is packed in
 * pieces, as they arrive. Speed: some 10 bytes of traffic per code, far more than a bus to the
 * device delivers, so it is never what loading waits for. */
#include "kernels/cuda/zkc_mm_operand.cuh"

#include "kernels/cuda/zkc_mm_call.cuh"

#define THREADS 128

namespace
{
/* Where the rows of a piece go. */
struct place_args {
    uint8_t *dst;
    size_t panel_bytes;
    int k, blocks, panel;
    bool pairs;
    int half; /* n / 2 */
    int row0; /* of the joined matrix */
    int meta, zero_off, sets, scale_size;
    int group, groups;
};

/* zkc_mm_row of zkc_mm.h: the row among those of all panels. */
ZKC_DEV int place_row(const place_args &p, int i)
{
    if (!p.pairs)
        return i;
    int second = i >= p.half, j = second ? i - p.half : i;
    return j / 8 * 16 + second * 8 + j % 8;
}

/* A thread is 8 consecutive columns of a row; the nibbles of rows g and g + 8 share words, so 4
 * bits is put together by atomic ors on zeroed memory. */
template <int FORM>
__global__ void __launch_bounds__(THREADS) codes_kernel(const place_args p, const uint8_t *src)
{
    using F = zkc_mm_form<FORM>;
    const int col = (blockIdx.x * THREADS + threadIdx.x) * 8,
              row = place_row(p, p.row0 + blockIdx.y);
    if (col >= p.k)
        return;
    const int n = p.k - col < 8 ? p.k - col : 8, in = row % F::panel;
    const int i = in / 16, g = in % 8, b = in / 8 % 2, u = col / 32 % 4, q = col / 8 % 4;
    uint8_t *block = p.dst + (size_t)(row / F::panel) * p.panel_bytes +
                     (size_t)(col / ZKC_MM_K) * ZKC_MM_CODES + (4 * g + q) * 16;
    constexpr bool is_4bit = FORM == ZK_W4A || FORM == ZK_W4L;
    if (is_4bit)
        src += (size_t)blockIdx.y * ((p.k + 1) / 2) + col / 2;
    else
        src += ((size_t)blockIdx.y * p.k + col) * (FORM == ZK_W16 ? 2 : 1);
    for (int t = 0; t < 2; t++) {
        const int s = 2 * u + t;
        uint8_t *at = block + (i * F::vectors + s / F::steps) * 512;
        uint32_t word = 0;
        for (int e = 0; e < 4 && 4 * t + e < n; e++) {
            const int j = 4 * t + e, r = b + 2 * (e / 2), h = e % 2;
            const int nibble = FORM == ZK_W4A ? r + 4 * h : 2 * r + h;
            if (is_4bit)
                word |= (uint32_t)(src[j / 2] >> (j % 2 * 4) & 15) << (4 * nibble);
            else if (FORM != ZK_W16)
                at[(2 * (s % 2) + r / 2) * 4 + b + 2 * h] = src[j];
            else
                reinterpret_cast<uint16_t *>(at)[2 * r + h] =
                    reinterpret_cast<const uint16_t *>(src)[j];
        }
        if (is_4bit)
            atomicOr(reinterpret_cast<uint32_t *>(at) + s % 4, word);
    }
}

/* A thread is a row's scale and zero of one set. zeros: NULL is the constant, where there is room
 * for zeros. */
template <int FORM>
__global__ void __launch_bounds__(THREADS)
    meta_kernel(const place_args p, const uint8_t *scales, const uint8_t *zeros)
{
    const int i = blockIdx.x * THREADS + threadIdx.x, block = i / p.sets, set = i % p.sets;
    const int col = block * ZKC_MM_K + set * (ZKC_MM_K / p.sets);
    if (col >= p.k)
        return;
    const int row = place_row(p, p.row0 + blockIdx.y), in = row % p.panel;
    uint8_t *meta = p.dst + (size_t)(row / p.panel) * p.panel_bytes +
                    (size_t)p.blocks * ZKC_MM_CODES + (size_t)block * p.meta;
    const size_t g = (size_t)blockIdx.y * p.groups + (p.groups > 1 ? col / p.group : 0);
    const int index = set * p.panel + 2 * (in % 8 * (p.panel / 16) + in / 16) + in / 8 % 2;
    if (p.scale_size == 4)
        reinterpret_cast<uint32_t *>(meta)[index] = reinterpret_cast<const uint32_t *>(scales)[g];
    else
        reinterpret_cast<uint16_t *>(meta)[index] = reinterpret_cast<const uint16_t *>(scales)[g];
    if (p.zero_off == 0)
        return;
    const uint32_t zero = zeros ? zeros[g] : FORM == ZK_W4A ? 8 : 128;
    if (FORM == ZK_W8A)
        meta[p.zero_off + index] = (uint8_t)zero;
    else
        atomicOr(reinterpret_cast<uint32_t *>(meta + p.zero_off) + index / 8,
                 zero << (index % 8 * 4));
}

/* ---- launching --------------------------------------------------------------------------- */

template <int FORM>
static int launch(struct zkc_dev *d, const place_args &p, const struct zkc_mm_rows *r)
{
    const unsigned x = (unsigned)((p.k + 8 * THREADS - 1) / (8 * THREADS));
    int e = zkc_check(d, zkc_launch(codes_kernel<FORM>, dim3(x, (unsigned)r->n), dim3(THREADS), 0,
                                    d->stream, p, r->codes));
    if (e < 0 || p.sets == 0)
        return e;
    const unsigned m = (unsigned)((p.blocks * p.sets + THREADS - 1) / THREADS);
    return zkc_check(d, zkc_launch(meta_kernel<FORM>, dim3(m, (unsigned)r->n), dim3(THREADS), 0,
                                   d->stream, p, r->scales, r->zeros));
}

} /* namespace */

int zkc_mm_repack(struct zkc_dev *d, const struct zkc_mm_layout *lo, int group, uint8_t *dst,
                  const struct zkc_mm_rows *r)
{
    place_args p = {};
    p.dst = dst;
    p.panel_bytes = lo->panel_bytes;
    p.k = lo->k;
    p.blocks = lo->blocks;
    p.panel = lo->panel;
    p.pairs = lo->pairs;
    p.half = lo->n / 2;
    p.row0 = r->first;
    p.meta = lo->meta;
    p.zero_off = lo->has_zero ? lo->zero_off : 0;
    p.sets = lo->sets;
    p.scale_size = lo->scale_size;
    p.group = group;
    p.groups = lo->sets > 0 && group < lo->k ? (lo->k + group - 1) / group : 1;
    switch (lo->form) {
    case ZK_W4A:
        return launch<ZK_W4A>(d, p, r);
    case ZK_W8A:
        return launch<ZK_W8A>(d, p, r);
    case ZK_W4L:
        return launch<ZK_W4L>(d, p, r);
    case ZK_W8F:
        return launch<ZK_W8F>(d, p, r);
    case ZK_W16:
        return launch<ZK_W16>(d, p, r);
    default:
        return ZC_EINTERNAL;
    }
}
