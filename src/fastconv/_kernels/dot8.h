/* The contract between the driver of layers of bytes and one instruction set's kernels (dot8.pyx.in), and their vector
   operation. A 32-bit lane, a "four", holds four bytes: of x, unsigned, or of w, signed; sums are int32, modulo 2^32.

   dot8_mac(acc, w, x)  acc + w[0] x[0] + w[1] x[1] + w[2] x[2] + w[3] x[3] in each lane. One instruction where there is
           VNNI; else the even and the odd bytes are multiplied as 16-bit integers. A compiler shares their unpacking
           between the products of a tile.
   dot8_fours(a, b, c, d, step, n, flip)  n <= lanes fours, of bytes that are step apart (1 or 2), with AVX-512

   tile[m - 1][v - 1]   m rows by v vectors of sums of n products of fours:
           y[i ldy + j] = b + sum_k w[i, k] x[k ldx + j],  0 <= i < m <= rows, 0 <= j < v lanes, v <= vectors,
           with b = bias[i], or c[i ldc + j] where bias is NULL. c may be y. w[i, k] = w[(k / depth M + i) depth + k % depth]
           with M: m made a multiple of `unit`. Tiles of AMX have units and a depth of 16, all others of 1: their last rows
           are read and written, and their last products taken, in whole units; w is 0 beyond n.
   line[v - 1]   the same for m = 1, without units or depth
   begin, end    before a thread's first tile and after its last one, where they are not NULL
   less    to[i ldto + j] = b - zero[i] xs[j],  0 <= i < m, 0 <= j < n, with b as above
   fours   to[i] = the bytes a[i step], b[i step], c[i step], d[i step], each with the bits `flip` inverted, 0 <= i < n;
           writes up to lanes - 1 elements more
   total   the sum of all bytes of w's n fours
   scale   to[i] = sums[i] times factor in float64, rounded with halves to even, plus zero, stopped at least and most,
           0 <= i < n, a multiple of lanes */
#ifndef FASTCONV_DOT8_H
#define FASTCONV_DOT8_H
#include "simd.h"

#define FC_DOT8_TABLE "fastconv._kernels.dot8.v3"
enum { FC_DOT8_ROWS = 32, FC_DOT8_VECTORS = 3 };

typedef void (*fc_dot8_tile)(ptrdiff_t n, const uint32_t *w, const uint32_t *x, ptrdiff_t ldx, const int32_t *bias,
                             const int32_t *c, ptrdiff_t ldc, int32_t *y, ptrdiff_t ldy);
typedef void (*fc_dot8_less)(ptrdiff_t m, ptrdiff_t n, const int32_t *bias, const int32_t *c, ptrdiff_t ldc,
                             const int32_t *zero, const int32_t *xs, int32_t *to, ptrdiff_t ldto);

typedef struct {
    int lanes, rows, vectors, unit, depth;
    fc_dot8_tile tile[FC_DOT8_ROWS][FC_DOT8_VECTORS], line[FC_DOT8_VECTORS];
    void (*begin)(void);
    void (*end)(void);
    fc_dot8_less less;
    void (*fours)(uint32_t *to, const uint8_t *a, const uint8_t *b, const uint8_t *c, const uint8_t *d, ptrdiff_t step,
                  ptrdiff_t n, uint32_t flip);
    int32_t (*total)(const uint32_t *w, ptrdiff_t n);
    void (*scale)(const int32_t *sums, ptrdiff_t n, double factor, double zero, double least, double most, int8_t *to);
} fc_dot8_table;

FC_INLINE double dot8_stop(double v, double least, double most) {     /* as one compiles to minima and maxima */
    v = v < least ? least : v;
    return v > most ? most : v;
}

#if FC_VECTOR_BYTES == 64 && defined(__AVX512VNNI__)
FC_INLINE v_i32 dot8_mac(v_i32 acc, v_i32 w, v_i32 x) {
    return (v_i32)_mm512_dpbusd_epi32((__m512i)acc, (__m512i)x, (__m512i)w);
}
#else
#  if FC_VECTOR_BYTES == 64 && defined(__AVX512BW__)
#    define FC_DOT16(w, x) (v_i32)_mm512_madd_epi16((__m512i)(w), (__m512i)(x))
#  elif FC_VECTOR_BYTES == 32 && defined(__AVX2__)
#    define FC_DOT16(w, x) (v_i32)_mm256_madd_epi16((__m256i)(w), (__m256i)(x))
#  elif FC_VECTOR_BYTES == 16 && defined(__SSE2__)
#    define FC_DOT16(w, x) (v_i32)_mm_madd_epi16((__m128i)(w), (__m128i)(x))
#  endif
#  ifdef FC_DOT16
typedef int16_t fc_halves __attribute__((vector_size(FC_VECTOR_BYTES), may_alias));
FC_INLINE v_i32 dot8_mac(v_i32 acc, v_i32 w, v_i32 x) {
    fc_halves w_even = ((fc_halves)(v_i32)(w << 8)) >> 8, w_odd = (fc_halves)w >> 8;
    v_i32 x_even = x & 0x00ff00ffu, x_odd = (x >> 8) & 0x00ff00ffu;
    return acc + FC_DOT16(w_even, x_even) + FC_DOT16(w_odd, x_odd);
}
#  else
#    define FC_SIGNED(byte) ((((byte) & 255u) ^ 128u) - 128u)
FC_INLINE v_i32 dot8_mac(v_i32 acc, v_i32 w, v_i32 x) {
    acc = acc + FC_SIGNED(w) * (x & 255u) + FC_SIGNED(w >> 8) * ((x >> 8) & 255u);
    return acc + FC_SIGNED(w >> 16) * ((x >> 16) & 255u) + FC_SIGNED(w >> 24) * (x >> 24);
}
#  endif
#endif

#if defined(__AMX_INT8__) || defined(__AMXINT8__)      /* gcc's name, clang's */
/* Eight tiles of 16 rows of 64 bytes: sums 0 to 3, w 4 and 5, x 6 and 7. */
static const struct {
    uint8_t palette, first, reserved[14];
    uint16_t bytes[16];
    uint8_t rows[16];
} dot8_tiles = {1, 0, {0}, {64, 64, 64, 64, 64, 64, 64, 64}, {16, 16, 16, 16, 16, 16, 16, 16}};
FC_INLINE void dot8_begin(void) { _tile_loadconfig(&dot8_tiles); }
FC_INLINE void dot8_end(void) { _tile_release(); }
#define FC_TILE(i)                                                                             \
    FC_INLINE void dot8_load_##i(const void *p, ptrdiff_t ld) { _tile_loadd(i, p, 4 * ld); }   \
    FC_INLINE void dot8_store_##i(void *p, ptrdiff_t ld) { _tile_stored(i, p, 4 * ld); }
FC_TILE(0) FC_TILE(1) FC_TILE(2) FC_TILE(3) FC_TILE(4) FC_TILE(5) FC_TILE(6) FC_TILE(7)
#define FC_MAC(sums, w, x) FC_INLINE void dot8_mac_##sums(void) { _tile_dpbsud(sums, w, x); }
FC_MAC(0, 4, 6) FC_MAC(1, 4, 7) FC_MAC(2, 5, 6) FC_MAC(3, 5, 7)
#endif

#if FC_VECTOR_BYTES == 64 && defined(__AVX512BW__) && defined(__AVX512VL__)
/* `scale` of a vector of sums. Conversions round as wanted, and give what is below all int32 as the least of these. */
FC_INLINE void dot8_scale(const int32_t *sums, double factor, double zero, double least, double most, int8_t *to) {
    __m512i v = _mm512_loadu_si512(sums);
    __m512d f = _mm512_set1_pd(factor), top = _mm512_set1_pd(most);
    __m512d a = _mm512_mul_pd(_mm512_cvtepi32_pd(_mm512_castsi512_si256(v)), f);
    __m512d b = _mm512_mul_pd(_mm512_cvtepi32_pd(_mm512_extracti64x4_epi64(v, 1)), f);
    __m512i z = _mm512_set1_epi32((int)zero);
    a = _mm512_min_pd(a, _mm512_sub_pd(top, _mm512_set1_pd(zero)));
    b = _mm512_min_pd(b, _mm512_sub_pd(top, _mm512_set1_pd(zero)));
    v = _mm512_inserti64x4(_mm512_castsi256_si512(_mm512_cvtpd_epi32(a)), _mm512_cvtpd_epi32(b), 1);
    v = _mm512_max_epi32(v, _mm512_sub_epi32(_mm512_set1_epi32((int)least), z));
    _mm_storeu_si128((__m128i *)to, _mm512_cvtepi32_epi8(_mm512_add_epi32(v, z)));
}
/* n <= lanes bytes, step apart (1 or 2), in the low bytes of lanes */
FC_INLINE v_i32 fc_low_bytes(const uint8_t *p, ptrdiff_t step, ptrdiff_t n) {
    if (step == 1) return (v_i32)_mm512_cvtepu8_epi32(_mm_maskz_loadu_epi8((__mmask16)((1u << n) - 1), p));
    return (v_i32)_mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi8((__mmask32)(0xffffffffu >> (33 - 2 * n)), p)) & 255u;
}
FC_INLINE v_i32 dot8_fours(const uint8_t *a, const uint8_t *b, const uint8_t *c, const uint8_t *d, ptrdiff_t step,
                           ptrdiff_t n, uint32_t flip) {
    return (fc_low_bytes(a, step, n) | fc_low_bytes(b, step, n) << 8 | fc_low_bytes(c, step, n) << 16
            | fc_low_bytes(d, step, n) << 24) ^ flip;
}
#endif
#endif
