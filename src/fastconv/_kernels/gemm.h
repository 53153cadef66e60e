/* The contract between the drivers of CNN layers and one instruction set's matrix kernels (gemm.pyx.in).

   All pointers are to elements of the dtype, contiguous, aligned to one element; outputs overlap no input.
   tile[m - 1][v - 1]   m rows by v vectors of sums of n products:
           y[i ldy + j] = c[i ldc + j / lanes step + j % lanes] + sum_k w[k m + i] x[k ldx + j],
           0 <= i < m <= rows, 0 <= j < v lanes, v <= vectors. c may be y, or NULL for zeros. n >= 0.
   reach   the same, of v <= reach_vectors, m <= reach_rows[v - 1], with the first factor read where it lies:
           y[i ldy + j] = c[i ldc + j] + sum_k x[row[i] + at[k]] g[k ldg + j]
   ahead[v - 1]   tile[rows - 1][v - 1], which also brings 4 lines of each row next + off[i] to the cache, in 2^every
           steps a line: rows 0 <= i <= (n - 1) / 2^(every + 2)
   gather  rows of x for a tile, of pieces:  to[k ldt + piece.to + j] = x[off[k] + piece.from + j], 0 <= j < piece.n,
           0 <= k < n. Pieces lie one after the other in `to`. Reads and writes up to lanes - 1 elements past a piece,
           so that the next piece and the next row come later; ldt >= the pieces' end.
   pick    to[j] = x[j step], 0 <= j < n.
   turn    to[j ldt + i] = x[i ldx + j], 0 <= i < m, 0 <= j < n. */
#ifndef FASTCONV_GEMM_H
#define FASTCONV_GEMM_H
#include "table.h"

#define FC_GEMM_TABLE "fastconv._kernels.gemm.v1"
enum { FC_GEMM_ROWS = 8, FC_GEMM_VECTORS = 4 };

typedef struct { ptrdiff_t from, to, n; } fc_piece;
typedef void (*fc_gemm_tile)(ptrdiff_t n, const void *w, const void *x, ptrdiff_t ldx, const void *c, ptrdiff_t ldc,
                             ptrdiff_t step, void *y, ptrdiff_t ldy);
typedef void (*fc_gemm_reach)(ptrdiff_t n, const void *x, const ptrdiff_t *row, const ptrdiff_t *at, const void *g,
                              ptrdiff_t ldg, const void *c, ptrdiff_t ldc, void *y, ptrdiff_t ldy);
typedef void (*fc_gemm_ahead)(ptrdiff_t n, const void *w, const void *x, ptrdiff_t ldx, const void *c, ptrdiff_t ldc,
                              ptrdiff_t step, void *y, ptrdiff_t ldy, const void *next, const ptrdiff_t *off,
                              ptrdiff_t every);
typedef void (*fc_gemm_gather)(const void *x, const ptrdiff_t *off, ptrdiff_t n, const fc_piece *pieces,
                               ptrdiff_t n_pieces, void *to, ptrdiff_t ldt);
typedef void (*fc_gemm_turn)(const void *x, ptrdiff_t ldx, void *to, ptrdiff_t ldt, ptrdiff_t m, ptrdiff_t n);
typedef void (*fc_gemm_pick)(const void *x, ptrdiff_t step, void *to, ptrdiff_t n);

typedef struct {
    int lanes, rows, vectors, reach_vectors, reach_rows[FC_GEMM_VECTORS];
    fc_gemm_tile tile[FC_GEMM_ROWS][FC_GEMM_VECTORS];
    fc_gemm_reach reach[FC_GEMM_ROWS][FC_GEMM_VECTORS];
    fc_gemm_ahead ahead[FC_GEMM_VECTORS];
    fc_gemm_gather gather;
    fc_gemm_turn turn;
    fc_gemm_pick pick;
} fc_gemm;

typedef struct {
    fc_gemm dtype[FC_N_DTYPES];
} fc_gemm_table;
#endif
