/* Products of float32 matrices by tiles of bfloat16 (AMX), about as exact as in float32.

   A number is the sum of three bfloat16: x = x1 + x2 + x3, x1 and x2 rounded to the nearest. The kernels add the six
   larger ones of the nine products of parts:
       w x = w1 x1 + w1 x2 + w2 x1 + w1 x3 + w2 x2 + w3 x1, up to 2^-24 |w x| or so.
   That is so for numbers that are 0, or whose size is from 2^-50 on and below 2^50: then no part or product is lost to
   the tiles, which take subnormal numbers as 0.
   Method: Henry, Tang, Heinecke, "Leveraging the bfloat16 artificial intelligence datatype for higher-precision
   computations", 2019.

   Sums run over channels and taps, in steps of 32 channels at one tap, of which those that lack are 0. A pair of channels
   r and r + 16 of a step lies in one word of 32 bits for each part: so a tile of x has 16 pairs (rows, ldx bytes apart) of
   16 columns; one of w has 16 outputs (rows) of 16 pairs, and a step has the tiles of the first, the second and the third
   part, each of m blocks of 16 outputs.

   split   the pairs of n elements of a and b (NULL: zeros): words to[i], and those of the other parts `part` bytes later
           each. Returns whether all elements are such numbers.
   pack_w  the step of one tap of `channels` channels, taps elements apart, and of `rows` outputs, ldw elements apart;
           returns the same.
   begin   before a thread's first tile, and end after its last one.
   tile[m - 1][v - 1]   `steps` steps of 16 m outputs and v <= 2 blocks of 16 columns, at x0 + off[step], x1 + off[step]
           (bytes), the parts `part` bytes apart:
           sums[32 output + 16 block + column] = sum w x, plus what is there already if `more`.
   put     columns of rows of sums, 32 elements apart, plus each row's bias (NULL: none), to y, ldy bytes from row to row:
           piece.n columns from piece.from on to the byte piece.to. */
#ifndef FASTCONV_BF16X6_H
#define FASTCONV_BF16X6_H
#include "simd.h"
#include "gemm.h"

#define FC_BF16X6_TABLE "fastconv._kernels.bf16x6.v1"
enum { FC_BF16X6_ROWS = 16, FC_BF16X6_STEP = 32, FC_BF16X6_BLOCKS = 2, FC_BF16X6_TILE = 1024, FC_BF16X6_PARTS = 3 };

typedef void (*fc_bf16x6_tile)(ptrdiff_t steps, const ptrdiff_t *off, const void *w, const void *x0, const void *x1,
                               ptrdiff_t ldx, ptrdiff_t part, float *sums, int more);
typedef int (*fc_bf16x6_split)(const float *a, const float *b, ptrdiff_t n, void *to, ptrdiff_t part);
typedef int (*fc_bf16x6_pack)(const float *w, ptrdiff_t ldw, ptrdiff_t rows, ptrdiff_t channels, ptrdiff_t taps, ptrdiff_t m,
                              void *to);
typedef void (*fc_bf16x6_put)(const float *sums, ptrdiff_t rows, const float *bias, const fc_piece *pieces,
                              ptrdiff_t n_pieces, void *y, ptrdiff_t ldy);
typedef struct {
    fc_bf16x6_split split;
    fc_bf16x6_pack pack_w;
    void (*begin)(void);
    void (*end)(void);
    fc_bf16x6_tile tile[FC_BF16X6_BLOCKS][FC_BF16X6_BLOCKS];
    fc_bf16x6_put put;
} fc_bf16x6_table;

#if defined(__AMX_BF16__) || defined(__AMXBF16__)      /* gcc's name, clang's */
/* The 16 high bits of a number rounded to bfloat16; what is left of the number; two such numbers in each lane. */
FC_INLINE v_i32 bf16_high(v_f32 x) { return ((v_i32)x + 0x8000u) & 0xffff0000u; }
FC_INLINE v_f32 bf16_rest(v_f32 x, v_i32 high) { return x - (v_f32)high; }
FC_INLINE v_i32 bf16_pair(v_i32 a, v_i32 b) {
    return (v_i32)_mm512_mask_blend_epi16(0xaaaaaaaau, (__m512i)(a >> 16), (__m512i)b);
}
/* Which lanes are neither 0 nor of a size in 2^-50 ... 2^50. */
FC_INLINE uint32_t bf16_unusable(v_f32 x) {
    __m512i size = _mm512_slli_epi32((__m512i)x, 1), least = _mm512_set1_epi32((127 - 50) << 24);
    return _mm512_mask_cmpge_epu32_mask(_mm512_test_epi32_mask(size, size), _mm512_sub_epi32(size, least),
                                        _mm512_set1_epi32(100 << 24));
}
/* The first n <= 16 lanes of memory, `step` elements apart; the others are 0. Lanes first ... first + n - 1 to memory. */
FC_INLINE v_f32 f32_load_some(const float *p, ptrdiff_t step, ptrdiff_t n) {
    __mmask16 mask = (__mmask16)(n <= 0 ? 0 : n >= 16 ? 0xffff : (1 << n) - 1);
    if (step == 1) return (v_f32)_mm512_maskz_loadu_ps(mask, p);
    __m512i at = _mm512_set_epi32(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
    at = _mm512_mullo_epi32(at, _mm512_set1_epi32((int)step));
    return (v_f32)_mm512_mask_i32gather_ps(_mm512_setzero_ps(), mask, at, p, 4);
}
FC_INLINE void f32_store_some(float *p, v_f32 v, ptrdiff_t first, ptrdiff_t n) {
    _mm512_mask_storeu_ps(p - first, (__mmask16)(((1u << n) - 1) << first), (__m512)v);
}

static const struct {
    uint8_t palette, first, reserved[14];
    uint16_t bytes[16];
    uint8_t rows[16];
} bf16_tiles = {1, 0, {0}, {64, 64, 64, 64, 64, 64, 64, 64}, {16, 16, 16, 16, 16, 16, 16, 16}};
FC_INLINE void tiles_begin(void) { _tile_loadconfig(&bf16_tiles); }
FC_INLINE void tiles_end(void) { _tile_release(); }
#define FC_TILE(i)                                                                             \
    FC_INLINE void tile_zero_##i(void) { _tile_zero(i); }                                      \
    FC_INLINE void tile_load_##i(const void *p, ptrdiff_t ld) { _tile_loadd(i, p, ld); }       \
    FC_INLINE void tile_store_##i(void *p) { _tile_stored(i, p, 128); }
FC_TILE(0) FC_TILE(1) FC_TILE(2) FC_TILE(3) FC_TILE(4) FC_TILE(5) FC_TILE(6) FC_TILE(7)
#define FC_MAC(c, w, x) FC_INLINE void tile_mac_##c(void) { _tile_dpbf16ps(c, w, x); }
FC_MAC(0, 4, 6) FC_MAC(1, 4, 7) FC_MAC(2, 5, 6) FC_MAC(3, 5, 7)
#endif
#endif
