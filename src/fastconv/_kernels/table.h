/* The contract between the drivers and one instruction set's kernels: every kernel, per dtype.

   All pointers are to elements of the dtype, contiguous, aligned to one element; outputs overlap no input.
   corr1d  y[i] = sum_k h[k] x[i + k], 0 <= i < n_out; reads x[0 .. n_out + n_taps - 2] only; n_out, n_taps >= 1.
           Fastest for n_out a multiple of lanes if n_taps <= few_taps, else of block.
   tile    a band of tile_rows rows of outputs:
           y[r ldy + c] = sum_p sum_i sum_j w[(p kh + i) kw + j] rows[p (tile_rows + kh - 1) + r + i][c + j],
           0 <= r < tile_rows, 0 <= c < n, n >= lanes; reads no column past the last that the formula names.
           tile[kh] where that entry is set, else tile[0] for kh >= tile_rows - 1. column is the same for kw = 1, of
           column_rows rows: narrow and tall, since rows are all that its loads can be reused for.
   add     y[i] += x[i], 0 <= i < n. */
#ifndef FASTCONV_KERNEL_TABLE_H
#define FASTCONV_KERNEL_TABLE_H
#include <stddef.h>

#define FC_KERNEL_TABLE "fastconv._kernels.table.v1"

enum { FC_F32, FC_F64, FC_LD, FC_C64, FC_C128, FC_I16, FC_I32, FC_I64, FC_I64N, FC_N_DTYPES };
enum { FC_FIXED_HEIGHTS = 8 };

typedef void (*fc_corr1d)(const void *x, const void *h, void *y, ptrdiff_t n_out, ptrdiff_t n_taps);
typedef void (*fc_tile)(const void *const *rows, ptrdiff_t n_planes, const void *w, ptrdiff_t kh, ptrdiff_t kw, void *y,
                        ptrdiff_t ldy, ptrdiff_t n);
typedef void (*fc_add)(const void *x, void *y, ptrdiff_t n);

typedef struct {
    int lanes, few_taps, block, tile_rows, column_rows;
    fc_corr1d corr1d;
    fc_tile tile[FC_FIXED_HEIGHTS], column[FC_FIXED_HEIGHTS];
    fc_add add;
} fc_kernels;

typedef struct {
    const char *isa;
    int vector_bytes;
    fc_kernels dtype[FC_N_DTYPES];
} fc_kernel_table;
#endif
