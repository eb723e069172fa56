/* The blocks of a content: what a signature says of each, and the sum that is rolled over a content byte by byte.

   A record has 12 bytes, little endian: 5 of the rolled sum, 7 of xxh3-64 with a seed. How they are divided:
   - A copy from where it is expected is decided by the 56 bits alone: a wrong one of 2^19 blocks, the most of a
     file, comes once in 2^37 such files, and then the piece fails its SHA-256.
   - Rolling over a strange content meets the sum of one of 2^19 blocks once in 2^21 bytes; hashing such a window in
     vain then costs less than the rolling, even when blocks have 1 MiB. With 32 bits it would cost 128 times that.

   The sum is a polynomial in 5 modulo 2^64 (multiplying by 5 is one instruction, and 5 has the largest order), of
   which the upper bits are taken after a multiplication that lets all of them depend on all bytes. */
#ifndef SMC_BLOCKS_H
#define SMC_BLOCKS_H

#include <stddef.h>
#include <stdint.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#define RECORD 12
#define LEAST_BLOCK 512
#define MOST_BLOCK (1 << 24)
#define BASE 5u
#define SUM_BITS 40

/* Writes the records of `length` bytes of `fd` from `offset` on; what is missing at the end counts as zeros.
   Holes are not read. Returns 0 or an errno. */
int sign_blocks(int fd, uint64_t offset, uint64_t length, size_t block, uint64_t seed, uint8_t *records);

/* The polynomial over a window. */
uint64_t polynomial(const uint8_t *data, size_t length);

/* BASE to the power of `exponent`: the weight of the byte that leaves a window of that length. */
uint64_t weight(size_t exponent);

/* 64 bits of which the upper SUM_BITS are the sum. */
static inline uint64_t
mixed(uint64_t value)
{
    return value * 0x9e3779b97f4a7c15u;
}

static inline uint64_t
strong_of(const uint8_t *data, size_t length, uint64_t seed)
{
    return XXH3_64bits_withSeed(data, length, seed) >> 8;
}

static inline uint64_t
sum_in(const uint8_t *record)
{
    uint64_t sum = 0;
    for (int i = 4; i >= 0; i--)
        sum = sum << 8 | record[i];
    return sum;
}

static inline uint64_t
strong_in(const uint8_t *record)
{
    uint64_t strong = 0;
    for (int i = 11; i >= 5; i--)
        strong = strong << 8 | record[i];
    return strong;
}

#endif
