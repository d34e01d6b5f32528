/* SPDX-License-Identifier: MIT */
/* The contract between the engine and the kernels: one table of operations, the same for every
 * back-end. kernels/ref says in plain double-precision loops what each operation means; every
 * variant is compared with it by tests/kcheck.
 *
 * What the kernels know: matrices, rows of activations, pages of keys and values. What they do
 * not know: tensor names, layers, tokens as text, files, requests.
 *
 * Conventions. A matrix W is [n][k], n output features and k input features; a product is
 * y[r][i] = sum_j W[i][j] x[r][j]. "Row" without more is a row of activations (one token).
 * Memory called "device" is what ops->alloc gives: host memory on the CPU. All pointers in
 * operations are device pointers unless it says host. Alignment of device memory: 64 bytes.
 * Every operation returns ZC_OK or a negative zc_err, is asynchronous in principle (ops->sync
 * waits), allocates nothing, and gives the same bits for the same inputs and capabilities.
 *
 * Batch invariance: the bits of a row's result depend on that row (and, in attention, on its own
 * sequence) only: not on the other rows, not on the number of rows, not on the thread count. The
 * one exception is a prefill pass of a device that says so (zk_phase).
 *
 * Thread: the engine thread, except mat_pack and upload (see there). */
#ifndef KERNELS_ZK_H
#define KERNELS_ZK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct zc_diag;
struct zk_dev;
struct zk_draw;
struct zk_seen;

#define ZK_PAGE      16 /* tokens in a page of keys and values */
#define ZK_MAX_MARKS 8192
#define ZK_ACT_BLOCK 32 /* activations that share a scale in ZK_ACT_Q8 */

/* Limits of the shapes; what goes over them is refused with ZC_EINVAL. */
#define ZK_MAX_DIM      (1 << 20) /* n and k of a matrix */
#define ZK_MAX_HEAD_DIM 512
#define ZK_MAX_RECORD   32 /* numbers of recorded passes go from 1 to this */

/* ---- matrices ---------------------------------------------------------------------------- */

/* Device forms of a matrix (docs/design.md). */
enum zk_form {
    ZK_W4A, /* 4-bit affine: (q - zero) * scale, scale and zero per row and group of columns */
    ZK_W8A, /* 8-bit affine, the same */
    ZK_W4L, /* 4 bits through a table: table[q] * scale, scale per row and group of columns */
    ZK_W8F, /* fp8 e4m3: the number of code q (zk_f8_to_f32) * scale, the same */
    ZK_W16, /* bf16 or fp16 */
    ZK_W32, /* fp32 */
    ZK_N_FORMS
};

enum zk_type { ZK_F32, ZK_F16, ZK_BF16 };

/* Activations as a matrix product eats them. Which one: zk_mat.act. F16 and BF16: rounded to
 * nearest even; a number that F16 does not hold is ZC_ELIMIT at the next ops->sync, never an
 * infinity. Q8, in float arithmetic: over each 32 consecutive inputs, amax = max |x|, d = amax /
 * 127, q = round to nearest even of x * (127 / amax); a block with amax < 2^-100 is zero. */
enum zk_act_kind {
    ZK_ACT_F32, /* floats */
    ZK_ACT_Q8,  /* int8, one float scale per block of 32 */
    ZK_ACT_F16,
    ZK_ACT_BF16,
    ZK_N_ACT_KINDS
};

/* The canonical form of a matrix, in host memory, row-major: what decoders hand over. Borrowed
 * for the duration of a call. G = (k + group - 1) / group. */
struct zk_canon {
    enum zk_form form;
    int n, k;
    int group; /* of codes: columns per scale: a multiple of 32, or >= k for one per row */
    /* W16: F16 or BF16; W32: F32; W4A, W8A: the type of scale; W4L, W8F, whose scales are float:
     * what the checkpoint computes in, so the activations of a device with 16-bit ones */
    enum zk_type type;
    const uint8_t *q;    /* W4A, W4L: [n][(k+1)/2], column 2i in the low nibble; W8A, W8F: [n][k],
                            of W8F none that is no number (0x7f, 0xff) */
    const uint8_t *zero; /* W4A (<= 15), W8A: [n][G] codes; NULL: all 8 (W4A), all 128 (W8A) */
    const void *scale;   /* W4A, W8A: [n][G] of type; W4L, W8F: float [n][G] */
    const float *table;  /* W4L: [16], at most 65504 in magnitude; the same in joined parts */
    const void *w;       /* W16: [n][k] of type; W32: float [n][k] */
    const int32_t *perm; /* NULL, or [k]: column j multiplies x[perm[j]] (activation order) */
};

/* How several matrices with the same k become one. */
enum zk_join {
    ZK_JOIN_ROWS,  /* rows of the first, then of the second, ... (q|k|v) */
    ZK_JOIN_PAIRS, /* exactly two of equal n, for matmul_swiglu (gate|up); layout is the kernel's */
};

/* Everything that decides the size and layout of a packed matrix: known from headers alone. */
struct zk_mat_desc {
    enum zk_form form;
    int n, k; /* n: the sum over the parts */
    int group;
    enum zk_type type;
    bool has_zero, has_perm; /* has_zero: W4A and W8A only */
    enum zk_join join;
};

/* A packed matrix. Plain data: the engine owns it and its memory, kernels own the layout. */
struct zk_mat {
    struct zk_mat_desc d;
    enum zk_act_kind act; /* what its product eats */
    int32_t *perm;        /* inside data, or NULL; what it points to is the device's own */
    void *data;           /* device, mat_bytes bytes */
    size_t bytes;
};

/* Rows of activations, prepared for a product. data: act_bytes(kind, rows, k) bytes. kind, k and
 * data are set by the caller before an operation fills it; rows is set by that operation, and a
 * product takes all of those rows (the layout depends on their number, the results do not). */
struct zk_act {
    enum zk_act_kind kind;
    int k;
    int rows;
    void *data;
};

/* ---- batch and attention ----------------------------------------------------------------- */

/* fp32 keys and values serve --exact. F8: e4m3 codes (4 bits of exponent, 3 of mantissa, at most
 * 448) and, for the key and for the value of each token and head, a scale 2^e as fp16, e the least
 * of -15..7 with max |x| <= 448 2^e; a code is x / 2^e rounded to nearest even. So every number of
 * an F8 page is exactly one of fp16. */
enum zk_kv_type { ZK_KV_F16, ZK_KV_F32, ZK_KV_F8, ZK_N_KV_TYPES };

/* What the rows of a pass are. Of DECODE and of PREFILL the bits of a row do not depend on how many
 * rows there are. On a device with `prefill_alone` each phase may be computed in another way, and
 * PREFILL and UNIT passes hold one sequence's rows alone.
 * UNIT: a whole unit of a prompt, as long as the engine's others, at a multiple of that in the own
 * positions. So the fastest way for that many rows may be chosen, and nothing depends on company.
 * PREFILL: other rows of a prompt, also one alone: its end, or what a cached prefix left. */
enum zk_phase { ZK_DECODE, ZK_PREFILL, ZK_UNIT };

/* A run of rows of one sequence, at consecutive positions.
 *
 * A row of padding makes up the number of rows of a recorded pass (ops->begin), and occurs nowhere
 * else: its id is ZK_PADDING, its sequence has n_rows 0 and no pages (NULL). It starts as zeros,
 * nothing of it is stored, and attention gives it zeros. */
struct zk_seq {
    const int32_t *pages; /* page numbers of the sequence, ceil((pos0 + n_rows) / ZK_PAGE) valid */
    int32_t first_row;    /* of the batch */
    int32_t n_rows;
    int32_t pos0; /* position of first_row; everything before it is in the pages */
};

#define ZK_PADDING (-1)

/* What one forward pass computes. Arrays are device memory. */
struct zk_batch {
    int rows; /* B */
    int n_seqs;
    int last_pos;              /* no row's position is greater */
    const int32_t *pos;        /* [B] */
    const struct zk_seq *seqs; /* [n_seqs], rows in order, no gaps */
};

/* The geometry of attention and what happens to q and k before it. */
struct zk_attn {
    int heads, kv_heads, head_dim; /* H, K, D */
    int rot_dim;                   /* leading dimensions of a head that rotate, even, <= D */
    float scale;                   /* of q . k */
    int window;                    /* 0: none; else row i sees j with i - j < window */
    enum zk_kv_type kv_type;
    const float *q_norm, *k_norm; /* [D] RMSNorm weights per head before the rotation, or NULL */
    float norm_eps;
};

/* One layer's pages: page p starts at base + p * kv_page_bytes. Memory comes zeroed from alloc;
 * what a freed page holds may stay in it. */
struct zk_kv {
    void *base;
};

/* ---- the table --------------------------------------------------------------------------- */

struct zk_ops {
    const char *name; /* "reference", "portable", "avx2", "avx512", "cuda" */

    /* Size of a packed matrix; of rows of activations (0 for a kind that no matrix of this device
     * eats); of a page (keys and values, one layer). */
    size_t (*mat_bytes)(const struct zk_dev *dev, const struct zk_mat_desc *d);
    size_t (*act_bytes)(const struct zk_dev *dev, enum zk_act_kind kind, int rows, int k);
    size_t (*kv_page_bytes)(const struct zk_dev *dev, enum zk_kv_type type, int kv_heads,
                            int head_dim);
    /* The activations that a matrix of this description eats on this device. */
    enum zk_act_kind (*act_kind)(const struct zk_dev *dev, const struct zk_mat_desc *d);

    /* Packs host matrices into m->data (m->d, m->data and m->bytes are set by the caller; act and
     * perm are set here). EXACT: codes, zeros and scales as given. ZC_EINVAL if the parts do not
     * agree with m->d. Thread: any; several matrices may be packed at once. */
    int (*mat_pack)(struct zk_dev *dev, struct zk_mat *m, const struct zk_canon *parts, int n_parts,
                    struct zc_diag *dg);
    /* The inverse, for tests: row i of the packed matrix as floats (q - zero times scale, rounded
     * once), w[k] in the order of x (a perm is undone). PAIRS: row i < n/2 is the first part's. */
    int (*mat_unpack_row)(const struct zk_dev *dev, const struct zk_mat *m, int row, float *w);

    /* What follows, up to end, is a pass of this phase. Outside of passes: decode.
     *
     * record, 0 but on a device with can_record: the number of a pass (1 .. ZK_MAX_RECORD) whose
     * operations and arguments, pointers and bounds included, are the same every time; only what
     * the memory behind them holds differs. Its first time, the operations between begin and end
     * are kept, and computed by end. From then on *ret_done is set: end computes them again, and
     * nothing is to be asked in between. upload, send, download and sync are not for between begin
     * and end of such a pass. */
    int (*begin)(struct zk_dev *dev, enum zk_phase phase, int record, bool *ret_done);
    /* r: what the operations of the pass returned; a failure is returned and nothing kept. A pass
     * that can't be recorded is ZC_EUNSUPPORTED, and has not been computed. */
    int (*end)(struct zk_dev *dev, int r, struct zc_diag *dg);

    /* y[r] = table[ids[r]] for rows of C, table of type [V][C], into float; zeros for ZK_PADDING.
     * EXACT. Another id outside the table is ZC_EINVAL, from here or from the next sync. The table
     * is device memory or, on a device with embeds_from_host, of host_alloc. */
    int (*embed)(struct zk_dev *dev, float *y, const void *table, enum zk_type type, int V, int C,
                 const int32_t *ids, int rows);

    /* y[r] = act(w * (x[r] * 1/sqrt(mean(x[r]^2) + eps))): RMSNorm, then prepared for a product.
     * y->kind and y->k = C say how; perm: of the matrix that eats y
     * (zk_mat.perm), or NULL. x and y do not overlap. */
    int (*rms_norm)(struct zk_dev *dev, struct zk_act *y, const float *x, const float *w, float eps,
                    int rows, int C, const int32_t *perm);

    /* y[r] = act(x[r * ldx .. + k]). */
    int (*to_act)(struct zk_dev *dev, struct zk_act *y, const float *x, int ldx, int rows, int k,
                  const int32_t *perm);

    /* y[r] = act(silu(g[r * ld + i]) * u[r * ld + i]), i < F; silu(v) = v / (1 + exp(-v)). */
    int (*swiglu)(struct zk_dev *dev, struct zk_act *y, const float *g, const float *u, int ld,
                  int rows, int F, const int32_t *perm);

    /* y[r * ldy + i] = (add ? y[r * ldy + i] : 0) + bias[i] + sum_j W[i][j] x[r][j]; bias may be
     * NULL; rows == x->rows. A permuted matrix wants x prepared with the same perm. Of W4L, the
     * product with F16 or BF16 activations takes the table rounded to that type, with Q8 ones as
     * zk_table_to_q8 says, with F32 ones as it is. */
    int (*matmul)(struct zk_dev *dev, float *y, int ldy, const struct zk_act *x,
                  const struct zk_mat *w, const float *bias, int rows, bool add);

    /* y[r] = act(silu(gate x[r]) * (up x[r])) for a PAIRS matrix of n = 2F rows. bias [2F]: F of
     * gate, F of up; or NULL. perm is of the matrix that eats y. */
    int (*matmul_swiglu)(struct zk_dev *dev, struct zk_act *y, const struct zk_act *x,
                         const struct zk_mat *w, const float *bias, int rows, const int32_t *perm);

    /* cs[r][2][rot_dim/2]: mscale * cos, mscale * sin of the float product pos[r] * inv_freq[i].
     * Once per step, for all layers. */
    int (*rope_table)(struct zk_dev *dev, float *cs, const int32_t *pos, int rows,
                      const float *inv_freq, int rot_dim, float mscale);

    /* For each row of qkv [B][(H+2K)*D] (q heads, k heads, v heads): q/k norm if any, rotation of
     * q and k (half-split: out[i] = x[i] c - x[i+h] s, out[i+h] = x[i+h] c + x[i] s, h = rot/2),
     * q stays in qkv, k and v go to their page and slot. Values over 65504 in an F16 page, over
     * 57344 in an F8 page, are ZC_ELIMIT (found at the next ops->sync), never infinities. */
    int (*rope_store)(struct zk_dev *dev, float *qkv, const float *cs, const struct zk_batch *b,
                      const struct zk_attn *a, const struct zk_kv *kv);

    /* o[r][H*D] = softmax over the visible positions j <= pos of scale * q . k_j, times v_j; q head
     * h uses kv head h / (H/K); q is in qkv as rope_store left it. Summation runs over fixed
     * stretches of the own sequence, whatever the batch is. */
    int (*attn)(struct zk_dev *dev, float *o, const float *qkv, const struct zk_batch *b,
                const struct zk_attn *a, const struct zk_kv *kv);

    /* y[i] = x[rows[i]] for rows of C floats. EXACT. */
    int (*gather)(struct zk_dev *dev, float *y, const float *x, const int32_t *rows, int n, int C);

    /* NULL where the host draws. ids[r] = the token that draws[r] (zk_draw.h) says of row r of
     * logits [rows][V], where it is wanted, or -1 for a logit that is no number or an infinite one;
     * seen: the list that draws refer to. Changes the logits of rows with penalties. ids: of
     * host_alloc. V <= 2^22. */
    int (*draw)(struct zk_dev *dev, int32_t *ids, float *logits, const struct zk_draw *draws,
                const struct zk_seen *seen, int rows, int V);

    /* Device memory, zeroed; huge pages where the system has them. */
    int (*alloc)(struct zk_dev *dev, void **ret_p, size_t bytes, struct zc_diag *dg);
    void (*free)(struct zk_dev *dev, void *p, size_t bytes);
    /* Host to device and back; src may be changed, and dst read, when they return. upload: any
     * thread before READY, else the engine thread. */
    int (*upload)(struct zk_dev *dev, void *dst, const void *src, size_t bytes);
    int (*download)(struct zk_dev *dev, void *dst, const void *src, size_t bytes);
    /* As upload, but src, of host_alloc or pinned, stays as it is until the next sync. */
    int (*send)(struct zk_dev *dev, void *dst, const void *src, size_t bytes);
    /* Host memory, zeroed, that the device reads and writes at its own address, too. */
    int (*host_alloc)(struct zk_dev *dev, void **ret_p, size_t bytes, struct zc_diag *dg);
    void (*host_free)(struct zk_dev *dev, void *p, size_t bytes);
    /* Makes host memory readable and writable for the device at its own address, until unpin. */
    int (*pin)(struct zk_dev *dev, void *p, size_t bytes, struct zc_diag *dg);
    void (*unpin)(struct zk_dev *dev, void *p);
    /* Free and all device memory; 0 and 0 where it is the host's, or the device does not say. */
    void (*memory)(struct zk_dev *dev, uint64_t *ret_free, uint64_t *ret_total);
    /* Every byte = value, written by all of the device's threads; done after sync. */
    int (*fill)(struct zk_dev *dev, void *p, int value, size_t bytes);
    /* Probes, what zorac-bench compares with; the reference has nothing to measure: 0. Bytes per
     * second at which the whole device reads memory that fill has written, once through (a CUDA
     * device: four times); it should not be in a cache; 0 if that fails or it is too little. */
    double (*probe_read)(struct zk_dev *dev, const void *p, size_t bytes);
    /* Multiply-adds per second of the whole device in the operation that the product of these
     * activations is built of, on registers alone: the peak that a prefill can reach; 0 for a kind
     * that it does not eat. About `ms` milliseconds. */
    double (*probe_peak)(struct zk_dev *dev, enum zk_act_kind kind, int ms);
    /* For profiles; NULL where operations are done when they return. mark: remembers, on the
     * device, when everything asked so far is done, slot < ZK_MAX_MARKS. between: seconds from one
     * mark to another, after sync. */
    int (*mark)(struct zk_dev *dev, int slot);
    double (*between)(struct zk_dev *dev, int from, int to);
    /* Joules that the device has used since some moment; negative: it does not say. NULL: the
     * back-end does not know. */
    double (*joules)(struct zk_dev *dev);
    /* Waits for everything that was asked; reports the first failure since the last sync. */
    int (*sync)(struct zk_dev *dev, struct zc_diag *dg);
    void (*close)(struct zk_dev *dev);
};

/* A device with its operations. Back-ends embed it as their first member.
 * dev->ops->X(dev, ...) on one device from one thread at a time, mat_pack and upload excepted. */
struct zk_dev {
    const struct zk_ops *ops;
    bool exact;            /* float activations everywhere */
    bool prefill_alone;    /* see zk_phase */
    bool can_record;       /* see begin; whoever wants each operation by itself may clear it */
    bool embeds_from_host; /* the table of embed costs next to no time in host memory */
    /* Device memory that the back-end takes for itself, for plans; 0 on a host. */
    uint64_t own_bytes;    /* opening took it: it is not in what ops->memory calls free */
    uint64_t code_bytes;   /* more, at most, when operations are first used: their code */
    uint64_t record_bytes; /* more, at most, for each operation of a recorded pass */
    bool is_host;          /* device memory is host memory: after sync it can be read there */
    char label[128];       /* for status: "cpu avx2, 8 threads" */
};

/* The best of `runs` of probe_read over memory of this size, taken for it and freed again; choose
 * it well over the caches. 0 if the memory is not there. Thread: as the operations. */
double zk_probe_memory(struct zk_dev *dev, size_t bytes, int runs);

/* ---- the CPU ----------------------------------------------------------------------------- */

/* What this machine can do, and a mask to force it down (--caps, and the loop of kcheck). */
enum zk_caps {
    ZK_CAP_PORTABLE = 1 << 0, /* without it: kernels/ref, for tests */
    ZK_CAP_AVX2 = 1 << 1,     /* AVX2, FMA, F16C */
    ZK_CAP_AVX512 = 1 << 2,   /* AVX-512 F, BW, VL, DQ and VNNI */
};
#define ZK_CAP_ALL (~0u)

/* The capabilities of this processor that this build has kernels for. */
unsigned zk_caps_detect(void);
/* "none", "portable", "avx2", "avx512", or a list with commas, to the mask that includes what the
 * named ones build on; ZC_EINVAL names the word. */
int zk_caps_parse(const char *list, unsigned *ret_caps, struct zc_diag *dg);
/* The best of a mask, for status. */
const char *zk_caps_name(unsigned caps);

struct zk_cpu_opts {
    unsigned caps; /* mask; ZK_CAP_ALL for the machine's own */
    int threads;   /* including the caller's; 0: zk_cpu_threads_default() */
    bool exact;
    bool huge_pages;
};

/* Cores (not their hyper-threads) of this process's affinity, at most its control group's CPU
 * limit (v2 and v1), at least 1. */
int zk_cpu_threads_default(void);

/* Opens the CPU as a device, with its pool of opts->threads - 1 workers, which sleep between steps.
 * Close with dev->ops->close. */
int zk_cpu_open(struct zk_dev **ret_dev, const struct zk_cpu_opts *opts, struct zc_diag *dg);

/* The activations that the reference prepares for products with 4-bit and 8-bit matrices (and, for
 * HALF, 16-bit ones): what it is compared with does. */
enum zk_ref_like { ZK_REF_INT8, ZK_REF_EXACT, ZK_REF_HALF };

/* The reference as a device of one thread: kernels/ref for everything, matrices as floats. */
int zk_ref_open(struct zk_dev **ret_dev, enum zk_ref_like like, struct zc_diag *dg);

/* ---- CUDA -------------------------------------------------------------------------------- */

struct zk_cuda_opts {
    const char
        *device; /* UUID, index or name (or part of it); NULL or "": the one with most memory */
    bool exact;
    bool strict; /* prefill as decode does: cached and recomputed tokens have the same bits */
};

/* Opens a GPU through the plug-in libzorac-cuda.so, which is looked for in $ZORAC_PLUGINS, else in
 * the installation's own folder. ZC_ENOTFOUND: no plug-in, driver or device, as dg says; ZC_EBUSY,
 * ZC_EUNSUPPORTED (driver too old, plug-in of another version), ZC_EDEVICE. */
int zk_cuda_open(struct zk_dev **ret_dev, const struct zk_cuda_opts *opts, struct zc_diag *dg);

/* ---- conversions, host ------------------------------------------------------------------- */

float zk_f16_to_f32(uint16_t h);
uint16_t zk_f32_to_f16(float f); /* round to nearest even; overflow gives infinity */
float zk_bf16_to_f32(uint16_t h);
uint16_t zk_f32_to_bf16(float f); /* round to nearest even */
/* e4m3, as in a ZK_KV_F8 page: the scale's exponent for the largest magnitude of a head, |x| <= 448
 * to its code (nearest even), and back. */
int zk_f8_exponent(float amax);
uint8_t zk_f32_to_f8(float f);
float zk_f8_to_f32(uint8_t c);
/* The table of a W4L matrix for products with int8: codes of -127..127 and, returned, their unit.
 * unit = max |table| / m with that m of 1..127 whose round(table / unit) * unit have the least sum
 * of squared errors; of equal ones the greatest. A table of such integers is kept exactly. */
float zk_table_to_q8(int8_t ret_code[16], const float table[16]);

#endif
