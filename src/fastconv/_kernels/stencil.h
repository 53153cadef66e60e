/* Windows of 3 x 3 elements, of reals: one row of outputs from three rows of x, which the caches keep for the next one.

   y[c] = sum_i sum_j w[i][j] rows[i][c + j], 0 <= c < n, n >= lanes; reads n + 2 elements of a row.
   FC_SEPARABLE  w[i][j] = w[i] w[3 + j]
   FC_DENSE      w[i][j] = w[3 i + j]
   FC_CROSS      the same without the corners: they are no terms
   An output has the same bits wherever it stands in a row. Pointers as in table.h; no kernels where lanes is 0. */
#ifndef FASTCONV_STENCIL_H
#define FASTCONV_STENCIL_H
#include <stddef.h>

#define FC_STENCIL_TABLE "fastconv._kernels.stencil.v1"

enum { FC_SEPARABLE, FC_DENSE, FC_CROSS, FC_N_STENCILS };

typedef void (*fc_stencil_row)(const void *const *rows, const void *w, void *y, ptrdiff_t n);

typedef struct {
    int lanes;
    fc_stencil_row row[FC_N_STENCILS];
} fc_stencil;

typedef struct {
    fc_stencil f32, f64;
} fc_stencil_table;
#endif
