/* The contract between the drivers and one instruction set's kernels: every kernel, per dtype.

   All pointers are to elements of the dtype, contiguous, aligned to one element; outputs overlap no input.
   corr1d  y[i] = sum_k h[k] x[i + k], 0 <= i < n_out; reads x[0 .. n_out + n_taps - 2] only; n_out, n_taps >= 1.
           Fastest for n_out a multiple of lanes if n_taps <= few_taps, else of block.
   tile    a register tile of tile_rows outputs by v vectors, 1 <= v <= tile_vectors:
           y[r ldy + c] = sum_p sum_i sum_j w[(p kh + i) kw + j] rows[p (tile_rows + kh - 1) + r + i][col + c + j];
           reads no column past the last that the formula names. tile[v - 1][kh] where that entry is set, else
           tile[v - 1][0] for kh >= tile_rows - 1. column is the same for kw = 1, of
           column_rows by column_vectors: narrow and tall, since rows are all that its loads can be reused for;
           square[kh] for kh = kw < FC_SQUARES and v = tile_vectors, where set.
   add     y[i] += x[i], 0 <= i < n. */
#ifndef FASTCONV_KERNEL_TABLE_H
#define FASTCONV_KERNEL_TABLE_H
#include <stddef.h>

#define FC_KERNEL_TABLE "fastconv._kernels.table.v1"

enum { FC_F32, FC_F64, FC_LD, FC_C64, FC_C128, FC_I16, FC_I32, FC_I64, FC_N_DTYPES };
enum { FC_FIXED_HEIGHTS = 8, FC_TILE_VECTORS = 4, FC_SQUARES = 6 };

typedef void (*fc_corr1d)(const void *x, const void *h, void *y, ptrdiff_t n_out, ptrdiff_t n_taps);
typedef void (*fc_tile)(const void *const *rows, ptrdiff_t n_planes, ptrdiff_t col, const void *w, ptrdiff_t kh,
                        ptrdiff_t kw, void *y, ptrdiff_t ldy);
typedef void (*fc_add)(const void *x, void *y, ptrdiff_t n);

typedef struct {
    int lanes, few_taps, block, tile_rows, tile_vectors, column_rows, column_vectors;
    fc_corr1d corr1d;
    fc_tile tile[FC_TILE_VECTORS][FC_FIXED_HEIGHTS], column[FC_TILE_VECTORS][FC_FIXED_HEIGHTS], square[FC_SQUARES];
    fc_add add;
} fc_kernels;

typedef struct {
    const char *isa;
    int vector_bytes;
    fc_kernels dtype[FC_N_DTYPES];
} fc_kernel_table;
#endif
