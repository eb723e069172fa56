/* SHA-256 of several leaves side by side, as FIPS 180-4 has it: by AVX-512, and by the SHA extensions. */
#include "native.h"

#include "sha256.h"

#if defined(__x86_64__)

#include <immintrin.h>
#include <string.h>

#define VECTOR __attribute__((target("avx512f,avx512bw")))
#define SHANI __attribute__((target("sha,sse4.1,ssse3")))

const uint32_t sha256_start[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                  0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
const uint32_t sha256_rounds[64] __attribute__((aligned(16))) = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};
const uint8_t leaf_end[SHA256_BLOCK] = {[0] = 0x80, [61] = LEAF * 8 >> 16 & 0xff}; /* LEAF is 1 << 16: 19 bits */

static void
put_word(uint8_t *into, uint32_t word)
{
    word = __builtin_bswap32(word);
    memcpy(into, &word, sizeof word);
}

/* Sixteen rows of a block each become sixteen vectors: word i of all rows, in the order of this machine. */
VECTOR static inline void
load_rows(__m512i *words, const uint8_t *data, const size_t *rows)
{
    const __m512i swap = _mm512_set4_epi32(0x0c0d0e0f, 0x08090a0b, 0x04050607, 0x00010203);
    __m512i row[16], pair[16];
#pragma GCC unroll 16
    for (int i = 0; i < 16; i++)
        row[i] = _mm512_shuffle_epi8(_mm512_loadu_si512(data + rows[i]), swap);
#pragma GCC unroll 4
    for (int i = 0; i < 16; i += 4) {
        __m512i a = _mm512_unpacklo_epi32(row[i], row[i + 1]), b = _mm512_unpackhi_epi32(row[i], row[i + 1]);
        __m512i c = _mm512_unpacklo_epi32(row[i + 2], row[i + 3]), d = _mm512_unpackhi_epi32(row[i + 2], row[i + 3]);
        pair[i] = _mm512_unpacklo_epi64(a, c);
        pair[i + 1] = _mm512_unpackhi_epi64(a, c);
        pair[i + 2] = _mm512_unpacklo_epi64(b, d);
        pair[i + 3] = _mm512_unpackhi_epi64(b, d);
    }
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++) {
        __m512i a = _mm512_shuffle_i32x4(pair[i], pair[4 + i], 0x88);
        __m512i b = _mm512_shuffle_i32x4(pair[i], pair[4 + i], 0xdd);
        __m512i c = _mm512_shuffle_i32x4(pair[8 + i], pair[12 + i], 0x88);
        __m512i d = _mm512_shuffle_i32x4(pair[8 + i], pair[12 + i], 0xdd);
        words[i] = _mm512_shuffle_i32x4(a, c, 0x88);
        words[8 + i] = _mm512_shuffle_i32x4(a, c, 0xdd);
        words[4 + i] = _mm512_shuffle_i32x4(b, d, 0x88);
        words[12 + i] = _mm512_shuffle_i32x4(b, d, 0xdd);
    }
}

#define PLUS _mm512_add_epi32
#define XOR(a, b, c) _mm512_ternarylogic_epi32(a, b, c, 0x96)
#define CHOOSE(a, b, c) _mm512_ternarylogic_epi32(a, b, c, 0xca)
#define MOST(a, b, c) _mm512_ternarylogic_epi32(a, b, c, 0xe8)
#define TURN _mm512_ror_epi32

/* One block of each row. */
VECTOR static inline void
compress_rows(__m512i *state, const uint8_t *data, const size_t *rows)
{
    __m512i w[16], a = state[0], b = state[1], c = state[2], d = state[3];
    __m512i e = state[4], f = state[5], g = state[6], h = state[7];
    load_rows(w, data, rows);
#pragma GCC unroll 64
    for (int i = 0; i < 64; i++) {
        __m512i x = w[i & 15], y = w[(i + 1) & 15], z = w[(i + 14) & 15];
        __m512i one = PLUS(PLUS(h, PLUS(x, _mm512_set1_epi32((int)sha256_rounds[i]))),
                           PLUS(XOR(TURN(e, 6), TURN(e, 11), TURN(e, 25)), CHOOSE(e, f, g)));
        __m512i two = PLUS(XOR(TURN(a, 2), TURN(a, 13), TURN(a, 22)), MOST(a, b, c));
        if (i < 48)
            w[i & 15] = PLUS(PLUS(x, w[(i + 9) & 15]), PLUS(XOR(TURN(y, 7), TURN(y, 18), _mm512_srli_epi32(y, 3)),
                                                            XOR(TURN(z, 17), TURN(z, 19), _mm512_srli_epi32(z, 10))));
        h = g, g = f, f = e, e = PLUS(d, one);
        d = c, c = b, b = a, a = PLUS(one, two);
    }
    const __m512i after[8] = {a, b, c, d, e, f, g, h};
#pragma GCC unroll 8
    for (int i = 0; i < 8; i++)
        state[i] = PLUS(state[i], after[i]);
}

VECTOR void
hash_leaves_vector(const uint8_t *data, size_t count, uint8_t *hashes)
{
    const size_t same[VECTOR_LANES] = {0};
    size_t rows[VECTOR_LANES];
    __m512i state[8];
    for (int i = 0; i < 8; i++)
        state[i] = _mm512_set1_epi32((int)sha256_start[i]);
    for (size_t lane = 0; lane < VECTOR_LANES; lane++)
        rows[lane] = lane < count ? lane * LEAF : 0; /* lanes without a leaf do the first once more */
    for (size_t at = 0; at < LEAF; at += SHA256_BLOCK)
        compress_rows(state, data + at, rows);
    compress_rows(state, leaf_end, same);
    uint32_t words[8][VECTOR_LANES];
    memcpy(words, state, sizeof words);
    for (size_t lane = 0; lane < count; lane++)
        for (int i = 0; i < 8; i++)
            put_word(hashes + lane * SHA256_SIZE + 4 * i, words[i][lane]);
}

/* One block of each row. The instructions want the state as (a b e f) and (c d g h). */
SHANI static inline void
compress_four(__m128i *abef, __m128i *cdgh, const uint8_t *data, const size_t *rows)
{
    const __m128i swap = _mm_set_epi32(0x0c0d0e0f, 0x08090a0b, 0x04050607, 0x00010203);
    __m128i w[SHANI_LANES][4], before[SHANI_LANES][2];
#pragma GCC unroll 4
    for (int lane = 0; lane < SHANI_LANES; lane++) {
        before[lane][0] = abef[lane];
        before[lane][1] = cdgh[lane];
#pragma GCC unroll 4
        for (int i = 0; i < 4; i++)
            w[lane][i] = _mm_shuffle_epi8(_mm_loadu_si128((const __m128i *)(data + rows[lane] + 16 * i)), swap);
    }
#pragma GCC unroll 16
    for (int round = 0; round < 16; round++)
#pragma GCC unroll 4
        for (int lane = 0; lane < SHANI_LANES; lane++) {
            __m128i *at = &w[lane][round & 3], next = w[lane][(round + 1) & 3], last = w[lane][(round + 3) & 3];
            __m128i sum = _mm_add_epi32(*at, _mm_load_si128((const __m128i *)(sha256_rounds + 4 * round)));
            cdgh[lane] = _mm_sha256rnds2_epu32(cdgh[lane], abef[lane], sum);
            abef[lane] = _mm_sha256rnds2_epu32(abef[lane], cdgh[lane], _mm_shuffle_epi32(sum, 0x0e));
            if (round < 12) {
                __m128i middle = _mm_alignr_epi8(last, w[lane][(round + 2) & 3], 4);
                *at = _mm_sha256msg2_epu32(_mm_add_epi32(_mm_sha256msg1_epu32(*at, next), middle), last);
            }
        }
#pragma GCC unroll 4
    for (int lane = 0; lane < SHANI_LANES; lane++) {
        abef[lane] = _mm_add_epi32(abef[lane], before[lane][0]);
        cdgh[lane] = _mm_add_epi32(cdgh[lane], before[lane][1]);
    }
}

SHANI void
hash_leaves_shani(const uint8_t *data, size_t count, uint8_t *hashes)
{
    const uint32_t *s = sha256_start;
    const size_t same[SHANI_LANES] = {0};
    size_t rows[SHANI_LANES];
    __m128i abef[SHANI_LANES], cdgh[SHANI_LANES];
    for (size_t lane = 0; lane < SHANI_LANES; lane++) {
        rows[lane] = lane < count ? lane * LEAF : 0;
        abef[lane] = _mm_set_epi32((int)s[0], (int)s[1], (int)s[4], (int)s[5]);
        cdgh[lane] = _mm_set_epi32((int)s[2], (int)s[3], (int)s[6], (int)s[7]);
    }
    for (size_t at = 0; at < LEAF; at += SHA256_BLOCK)
        compress_four(abef, cdgh, data + at, rows);
    compress_four(abef, cdgh, leaf_end, same);
    for (size_t lane = 0; lane < count; lane++) {
        static const int places[8] = {5, 4, 1, 0, 7, 6, 3, 2}; /* of the words: f e b a, h g d c */
        uint32_t words[8];
        _mm_storeu_si128((__m128i *)words, abef[lane]);
        _mm_storeu_si128((__m128i *)(words + 4), cdgh[lane]);
        for (int i = 0; i < 8; i++)
            put_word(hashes + lane * SHA256_SIZE + 4 * places[i], words[i]);
    }
}

#endif
