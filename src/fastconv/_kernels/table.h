/* The contract between the drivers and one instruction set's kernels: a table for each template <name>.pyx.in.

   All pointers are to elements of the dtype, contiguous, aligned to one element; outputs overlap no input.
   corr1d  y[i] = sum_k h[k] x[i + k], 0 <= i < n_out; reads x[0 .. n_out + n_taps - 2] only; n_out, n_taps >= 1.
           Fastest for n_out a multiple of lanes if n_taps <= few_taps, else of block.
   tile    a band of tile_rows rows of outputs:
           y[r ldy + c] = sum_p sum_i sum_j w[(p kh + i) kw + j] rows[p (tile_rows + kh - 1) + r + i][c + j],
           0 <= r < tile_rows, 0 <= c < n, n >= lanes; reads no column past the last that the formula names.
           tile[kh] where that entry is set, else tile[0] for kh >= tile_rows - 1. column is the same for kw = 1, of
           column_rows rows: narrow and tall, since rows are all that its loads can be reused for.
   add     y[i] += x[i], 0 <= i < n.
   stream  copies n bytes past the caches: another thread sees them after a call with n = 0.
   fft     the convolution FFT's kernels, of the real dtype also for a complex one; NULL where there are none.

   Complex vectors lie in two arrays of reals, re and im; twiddle factors and other complex scalars are pairs.
   down    for each of `nodes` nodes of R rows of n elements, ld apart: x_j = sum_r (w z^j)^r x_r, z = e^(2 pi i/R), where
           a node has w, w^2 ... w^(R - 1) in the table; for R = 4, j runs in the order 0, 2, 1, 3. n: a multiple of
           lanes. Nodes are R ld apart. The result's rows are to_ld apart; it may be in place. up is the inverse times R.
   multiply  down[4] of `nodes` nodes of four vectors, each result times its node of h, and up[4].
   spectrum  h for multiply: of each vector x and its w, where the node is modulo t^lanes - w: w x, x, real before imaginary
           (w re | re | w im | im).
   scale   x = h[q] x for node q, of n elements.
   mix     of each of `nodes` vectors, an even number: y = sum over terms of x times its node of h, h from spectrum; the
           imaginary parts of all x begin to_im elements after their real parts. */
#ifndef FASTCONV_KERNEL_TABLE_H
#define FASTCONV_KERNEL_TABLE_H
#include <stddef.h>

#define FC_KERNEL_TABLE "fastconv._kernels.direct.v3"
#define FC_FFT_TABLE "fastconv._kernels.fft.v2"

enum { FC_F32, FC_F64, FC_LD, FC_C64, FC_C128, FC_I16, FC_I32, FC_I64, FC_I64N, FC_N_DTYPES };
enum { FC_FIXED_HEIGHTS = 8 };

typedef void (*fc_corr1d)(const void *x, const void *h, void *y, ptrdiff_t n_out, ptrdiff_t n_taps);
typedef void (*fc_tile)(const void *const *rows, ptrdiff_t n_planes, const void *w, ptrdiff_t kh, ptrdiff_t kw, void *y,
                        ptrdiff_t ldy, ptrdiff_t n);
typedef void (*fc_add)(const void *x, void *y, ptrdiff_t n);
typedef void (*fc_stream)(const void *x, void *y, ptrdiff_t n);

typedef void (*fc_fft_pass)(const void *re, const void *im, ptrdiff_t ld, void *to_re, void *to_im, ptrdiff_t to_ld,
                            ptrdiff_t n, ptrdiff_t nodes, const void *w);
typedef void (*fc_fft_product)(void *re, void *im, const void *h, ptrdiff_t nodes, const void *w);
typedef void (*fc_fft_spectrum)(const void *re, const void *im, void *h, ptrdiff_t nodes, const void *w);
typedef void (*fc_fft_scale)(void *re, void *im, const void *h, ptrdiff_t n, ptrdiff_t nodes);
typedef void (*fc_fft_mix)(void *re, void *im, const void *const *x, ptrdiff_t to_im, const void *const *h,
                           ptrdiff_t terms, ptrdiff_t nodes);

typedef struct {
    fc_fft_pass down[6], up[6];
    fc_fft_product multiply;
    fc_fft_spectrum spectrum;
    fc_fft_scale scale;
    fc_fft_mix mix;
} fc_fft;

typedef struct {
    int lanes, few_taps, block, tile_rows, column_rows;
    fc_corr1d corr1d;
    fc_tile tile[FC_FIXED_HEIGHTS], column[FC_FIXED_HEIGHTS];
    fc_add add;
    fc_stream stream;
} fc_kernels;

typedef struct {
    int vector_bytes;
    fc_kernels dtype[FC_N_DTYPES];
} fc_kernel_table;

typedef struct {
    const fc_fft *dtype[FC_N_DTYPES];
} fc_fft_table;
#endif
