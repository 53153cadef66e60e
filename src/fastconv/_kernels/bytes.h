/* The contract between _bytes and the kernels of bytes.pyx.in: integer sums of rows of small integers.

   A packed line holds `group` rows side by side, as each kernel family multiplies them: word c has the elements c of all
   of them, and meets one word of as many weights.

     FC_B4   4 rows of uint8, 8-bit weights, 32-bit sums                      where VNNI is
     FC_B2   2 rows of uint8, 8-bit weights, 16-bit sums                      two words in 32 bits
     FC_H2   2 rows of 16-bit numbers, 16-bit weights, 32-bit sums

   Sums wrap around. In B2 the two products of a word must add up to 16 bits, signed, whatever the elements are.
   pack    z[c] = the elements c of `group` rows, 0 <= c < n, n >= FC_BYTES_LEAST. pack[item] by the elements' type;
           uint16 x becomes x - 2^15 in int16: bias is what that takes from the sums.
   tile    `group` rows of outputs, of n >= width elements each:
           y[r][c] = bias + sum over packed lines q and taps j of w[q, j, r] . z[q][c + j step],  0 <= r < group,
           over `full` lines, then `part` lines, which have weights for the rows r >= first only. w: 32 bits each, in the
           order in which they are used: for B2 twice the same 16. Reads z[q][0 .. n - 1 + (kw - 1) step].
   store   how sums become outputs (FC_TO_U8 ...): saturated, or their low bits.

   For sums of real numbers there are conversions, of n elements to and from floats[0] (float32) and floats[1] (float64):
     sums[item]      y[r][c] = sum over k of w[k] x[r + k][c], 0 <= r < FC_SUM_ROWS, kh >= FC_SUM_ROWS - 1, n >= sum_width;
                     rows of y are to_line bytes apart; NULL: there is none
     widen[item]     y[i] = x[i]
     cut             y[i] = x[i] scale, truncated; y may be x
     narrow          y[i] = x[i] scale, truncated, or x[i] rounded to the nearest where `scale` is 0, as `store` says, but not
                     for FC_TO_LOW32; |x scale| < 2^31. */
#ifndef FASTCONV_BYTES_H
#define FASTCONV_BYTES_H
#include <stddef.h>
#include <stdint.h>

#define FC_BYTES_TABLE "fastconv._kernels.bytes.v1"

enum { FC_B4, FC_B2, FC_H2, FC_N_FAMILIES };
enum { FC_ITEM_U8, FC_ITEM_I8, FC_ITEM_U16, FC_ITEM_I16, FC_N_ITEMS };
enum { FC_TO_U8, FC_TO_I8, FC_TO_U16, FC_TO_I16, FC_TO_LOW8, FC_TO_LOW16, FC_TO_LOW32, FC_N_STORES };
enum { FC_BYTES_LEAST = 64, FC_SUM_ROWS = 4 };

typedef void (*fc_bytes_pack)(const void *const *rows, void *z, ptrdiff_t n);
typedef void (*fc_bytes_tile)(const void *const *full, ptrdiff_t n_full, const void *const *part, ptrdiff_t n_part, int first,
                              const int32_t *w, ptrdiff_t kw, ptrdiff_t step, int32_t bias, void *const *y, ptrdiff_t n,
                              int store);

typedef struct {
    int group, word, width;       /* rows; bytes of a packed word; outputs of a tile */
    fc_bytes_pack pack[FC_N_ITEMS];
    fc_bytes_tile tile;
} fc_bytes;

typedef void (*fc_widen)(const void *x, void *y, ptrdiff_t n);
typedef void (*fc_cut)(const void *x, void *y, ptrdiff_t n, double scale);
typedef void (*fc_narrow)(const void *x, void *y, ptrdiff_t n, double scale, int store);

typedef void (*fc_sums)(const void *const *x, const void *w, ptrdiff_t kh, void *y, ptrdiff_t to_line, ptrdiff_t n);

typedef struct {
    int sum_width;
    fc_sums sums[FC_N_ITEMS];
    fc_widen widen[FC_N_ITEMS];
    fc_cut cut;
    fc_narrow narrow;
} fc_floats;

typedef struct {
    fc_floats floats[2];
    const fc_bytes *family[FC_N_FAMILIES];      /* NULL: not on this instruction set */
} fc_bytes_table;
#endif
