/* SHA-256 of contents, by the rule of docs/design/wire.md ("The proof"). */
#ifndef SMC_SHA256_H
#define SMC_SHA256_H

#include <stddef.h>
#include <stdint.h>

#define SHA256_SIZE 32
#define SHA256_BLOCK 64
#define LEAF ((size_t)1 << 16)  /* bytes; up to here a content has its plain SHA-256 */
#define PIECE ((size_t)1 << 20) /* bytes; the most that is hashed as one content */
#define MOST_LEAVES (PIECE / LEAF)

/* What has a plain SHA-256, and where that goes. */
struct strand {
    const uint8_t *data;
    size_t size;
    uint8_t *hash;
};

/* Lanes to hash by: the best that this processor has, or those alone. */
enum lanes { BEST = 0, ONE_LANE = 1, SHANI_LANES = 4, AVX2_LANES = 8, AVX512_LANES = 16 };

enum failure { NO_FAILURE, NO_MEMORY, NO_OPENSSL, NO_LANES };

/* Hash contents of at most PIECE bytes each: `hash` of each gets its hash. */
enum failure hash_contents_at(const struct strand *contents, size_t count, enum lanes lanes);

/* Hash strands, whatever their sizes, many side by side; they are put in another order. */
enum failure hash_strands(struct strand *strands, size_t count, enum lanes lanes);

#endif
