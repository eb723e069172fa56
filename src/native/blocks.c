/* The signature of a part of a file: a record for each block, in one reading and without reading its holes. */
#include "native.h"

#include "blocks.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define AT_ONCE ((size_t)1 << 18) /* bytes of one reading: they stay in the second cache until they are hashed */

static ssize_t read_all(int fd, uint8_t *buffer, size_t length, uint64_t offset);
static void put_record(uint8_t *record, const uint8_t *data, size_t length, uint64_t seed);
static int is_zero(const uint8_t *data, size_t length);
static uint64_t hole_after(int fd, uint64_t offset, uint64_t end);

int
sign_blocks(int fd, uint64_t offset, uint64_t length, size_t block, uint64_t seed, uint8_t *records)
{
    size_t room = block < AT_ONCE ? AT_ONCE / block * block : block;
    uint8_t *buffer = malloc(room), nothing[RECORD];
    if (buffer == NULL)
        return ENOMEM;
    memset(buffer, 0, block);
    put_record(nothing, buffer, block, seed);
    uint64_t end = offset + length;
    int error = 0, zeros = 1; /* a hole may follow */
    for (;;) {
        for (uint64_t hole = zeros ? hole_after(fd, offset, end) / block : 0; hole > 0; hole--) {
            memcpy(records, nothing, RECORD);
            records += RECORD;
            offset += block;
        }
        if (offset >= end)
            break;
        size_t wanted = end - offset < room ? (size_t)(end - offset) : room;
        ssize_t got = read_all(fd, buffer, wanted, offset);
        if (got < 0) {
            error = (int)-got;
            break;
        }
        memset(buffer + got, 0, wanted - (size_t)got); /* it became shorter: what is built from it will not fit */
        for (size_t at = 0; at < wanted; at += block, records += RECORD)
            put_record(records, buffer + at, wanted - at < block ? wanted - at : block, seed);
        offset += wanted;
        zeros = is_zero(buffer, wanted);
    }
    free(buffer);
    return error;
}

uint64_t
polynomial(const uint8_t *data, size_t length)
{
    uint64_t value = 0;
    size_t at = 0;
    for (; at + 8 <= length; at += 8) { /* in pairs, which do not wait for each other */
        const uint8_t *d = data + at;
        uint32_t one = (d[0] * 5u + d[1]) * 25u + d[2] * 5u + d[3];
        uint32_t other = (d[4] * 5u + d[5]) * 25u + d[6] * 5u + d[7];
        value = value * 390625u + one * 625u + other;
    }
    for (; at < length; at++)
        value = value * BASE + data[at];
    return value;
}

uint64_t
weight(size_t exponent)
{
    uint64_t answer = 1, square = BASE;
    for (; exponent; exponent >>= 1, square *= square)
        if (exponent & 1)
            answer *= square;
    return answer;
}

/* The bytes read, less than `length` only at the end of the file, or -errno. */
static ssize_t
read_all(int fd, uint8_t *buffer, size_t length, uint64_t offset)
{
    size_t have = 0;
    while (have < length) {
        ssize_t got = pread(fd, buffer + have, length - have, (off_t)(offset + have));
        if (got < 0 && errno != EINTR)
            return -errno;
        if (got == 0)
            break;
        if (got > 0)
            have += (size_t)got;
    }
    return (ssize_t)have;
}

static void
put_record(uint8_t *record, const uint8_t *data, size_t length, uint64_t seed)
{
    uint64_t sum = mixed(polynomial(data, length)) >> (64 - SUM_BITS), strong = strong_of(data, length, seed);
    for (int i = 0; i < 5; i++)
        record[i] = (uint8_t)(sum >> 8 * i);
    for (int i = 0; i < 7; i++)
        record[5 + i] = (uint8_t)(strong >> 8 * i);
}

static int
is_zero(const uint8_t *data, size_t length)
{
    return data[0] == 0 && memcmp(data, data + 1, length - 1) == 0;
}

/* How many bytes from `offset` on, but not beyond `end`, are a hole. */
static uint64_t
hole_after(int fd, uint64_t offset, uint64_t end)
{
    off_t data = offset < end ? lseek(fd, (off_t)offset, SEEK_DATA) : -1;
    if (data < 0)
        return offset < end && errno == ENXIO ? end - offset : 0;
    return ((uint64_t)data < end ? (uint64_t)data : end) - offset;
}
