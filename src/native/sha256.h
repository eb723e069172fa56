/* SHA-256 of contents, by the rule of docs/design/wire.md ("The proof"): the leaves of a larger one side by side. */
#ifndef SMC_SHA256_H
#define SMC_SHA256_H

#include <openssl/evp.h>
#include <stddef.h>
#include <stdint.h>

#define SHA256_SIZE 32
#define SHA256_BLOCK 64
#define LEAF ((size_t)1 << 16)  /* bytes; up to here a content has its plain SHA-256 */
#define PIECE ((size_t)1 << 20) /* bytes; the most that is hashed as one content */
#define MOST_LEAVES (PIECE / LEAF)

/* What OpenSSL needs, found once for many contents; for one thread. */
struct hashing {
    EVP_MD *kind;
    EVP_MD_CTX *context;
};

/* 0, or not when OpenSSL has no SHA-256; end it in any case. */
int begin_hashing(struct hashing *hashing);
void end_hashing(struct hashing *hashing);

/* The hash of a content of at most PIECE bytes. 0 when all went well. */
int hash_content(const struct hashing *hashing, const uint8_t *data, size_t size, uint8_t *hash);

#if defined(__x86_64__)
#define VECTOR_LANES 16
#define SHANI_LANES 4

extern const uint32_t sha256_start[8], sha256_rounds[64];
extern const uint8_t leaf_end[SHA256_BLOCK]; /* the last block of a leaf's hash: its padding and length */

/* Of the first `count` leaves of `data`, at most as many as there are lanes. What the processor cannot do must not be
   called; `leaf_lanes` tells. */
void hash_leaves_vector(const uint8_t *data, size_t count, uint8_t *hashes);
void hash_leaves_shani(const uint8_t *data, size_t count, uint8_t *hashes);
#endif

#endif
