/* SHA-256 of contents: first of the small ones and of the leaves of the larger, then of what is over the leaves. */
#include "native.h"

#include "sha256.h"

#include <stdlib.h>
#include <string.h>

#define HEAD "smc-leaves"
#define HEAD_SIZE (sizeof HEAD - 1)
#define TOP (HEAD_SIZE + 8 + MOST_LEAVES * SHA256_SIZE) /* what the hash of leaves is over, at most */

static size_t leaves_of(size_t size);
static void add_leaves(struct strand *strands, const struct strand *content, uint8_t *top);

enum failure
hash_contents_at(const struct strand *contents, size_t count, enum lanes lanes)
{
    size_t most = 0, large = 0;
    for (size_t i = 0; i < count; i++) {
        most += leaves_of(contents[i].size);
        large += contents[i].size > LEAF;
    }
    struct strand *strands = malloc((most + 1) * sizeof *strands + large * TOP);
    if (strands == NULL)
        return NO_MEMORY;
    uint8_t *const tops = (uint8_t *)(strands + most + 1), *top = tops;
    size_t used = 0;
    for (size_t i = 0; i < count; i++) {
        if (contents[i].size <= LEAF) {
            strands[used++] = contents[i];
        } else {
            add_leaves(strands + used, &contents[i], top);
            used += leaves_of(contents[i].size);
            top += TOP;
        }
    }
    enum failure failure = hash_strands(strands, used, lanes);
    top = tops;
    used = 0;
    for (size_t i = 0; i < count && large; i++)
        if (contents[i].size > LEAF) {
            const size_t size = HEAD_SIZE + 8 + leaves_of(contents[i].size) * SHA256_SIZE;
            strands[used++] = (struct strand){top, size, contents[i].hash};
            top += TOP;
        }
    if (failure == NO_FAILURE && large)
        failure = hash_strands(strands, used, lanes);
    free(strands);
    return failure;
}

static size_t
leaves_of(size_t size)
{
    return size <= LEAF ? 1 : (size + LEAF - 1) / LEAF;
}

/* The hashes of the leaves go to where the hash over them is taken from. */
static void
add_leaves(struct strand *strands, const struct strand *content, uint8_t *top)
{
    memcpy(top, HEAD, HEAD_SIZE);
    for (int i = 0; i < 8; i++)
        top[HEAD_SIZE + i] = (uint8_t)((uint64_t)content->size >> 8 * i);
    top += HEAD_SIZE + 8;
    for (size_t at = 0; at < content->size; at += LEAF, strands++, top += SHA256_SIZE) {
        const size_t left = content->size - at;
        *strands = (struct strand){content->data + at, left < LEAF ? left : LEAF, top};
    }
}
