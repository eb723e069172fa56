/* Blocks of an older content found again in a newer one, wherever they moved to.

   A signature has 12 bytes for each block: a weak sum that can be rolled byte by byte (that of rsync's technical
   report: two sums of 16 bits), and xxh3-64, both little endian. A copy is decided by both; what was put together
   from copies is compared by SHA-256 before it is used. */
#include "native.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#define RECORD 12
#define LEAST_BLOCK 512
#define MOST_BLOCK (1 << 24)
#define LONGEST_CHAIN 8 /* equal weak sums tried at one place; more would let a hostile content stall us */
#define NONE UINT32_MAX
#define STRIDE 64u

typedef struct {
    PyObject_HEAD
    uint8_t *blocks;
    uint32_t *heads; /* by hash of the weak sum: the first block */
    uint32_t *next;  /* by block: another of the same hash */
    uint8_t *filter; /* a bit for each weak sum that there is: so large that few others pass */
    uint64_t size;   /* of the older content */
    uint32_t count, block, mask;
    uint32_t sparse; /* mask of the filter's bits */
    uint32_t expected; /* the block that follows the last match */
    uint64_t carried, carried_from;
} Matcher;

typedef struct {
    uint64_t start, length, from;
} Copy;

/* a: the sum of the bytes; b: the sum of all a on the way. In strides that a compiler makes vectors of. */
__attribute__((optimize("O3"))) static uint32_t
weak_of(const uint8_t *data, size_t length)
{
    uint32_t a = 0, b = 0;
    size_t i = 0;
    for (; i + STRIDE <= length; i += STRIDE) {
        uint32_t sum = 0, weighted = 0;
        for (uint32_t j = 0; j < STRIDE; j++) {
            sum += data[i + j];
            weighted += (STRIDE - j) * data[i + j];
        }
        b += STRIDE * a + weighted;
        a += sum;
    }
    for (; i < length; i++) {
        a += data[i];
        b += a;
    }
    return (a & 0xffff) | b << 16;
}

static uint32_t
get32(const uint8_t *at)
{
    return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

static uint64_t
get64(const uint8_t *at)
{
    return (uint64_t)get32(at) | (uint64_t)get32(at + 4) << 32;
}

static void
put_record(uint8_t *at, uint32_t weak, uint64_t strong)
{
    for (int i = 0; i < 4; i++)
        at[i] = (uint8_t)(weak >> 8 * i);
    for (int i = 0; i < 8; i++)
        at[4 + i] = (uint8_t)(strong >> 8 * i);
}

static uint32_t
scatter(uint32_t weak)
{
    return (weak ^ weak >> 15) * 0x9e3779b1u;
}

static PyObject *
signature(PyObject *module, PyObject *args)
{
    (void)module;
    int fd;
    long long offset, length;
    unsigned int block;
    if (!PyArg_ParseTuple(args, "iLLI", &fd, &offset, &length, &block))
        return NULL;
    if (offset < 0 || length < 0 || length > (1LL << 32) || block < LEAST_BLOCK || block > MOST_BLOCK) {
        PyErr_SetString(PyExc_ValueError, "no such part, or no such block size");
        return NULL;
    }
    Py_ssize_t count = (Py_ssize_t)((length + block - 1) / block);
    PyObject *answer = PyBytes_FromStringAndSize(NULL, count * RECORD);
    uint8_t *buffer = PyMem_Malloc(block);
    if (answer == NULL || buffer == NULL) {
        Py_XDECREF(answer);
        PyMem_Free(buffer);
        return PyErr_NoMemory();
    }
    uint8_t *at = (uint8_t *)PyBytes_AsString(answer);
    int failure = 0;
    Py_BEGIN_ALLOW_THREADS
    for (Py_ssize_t i = 0; i < count && !failure; i++) {
        size_t wanted = length < (long long)block ? (size_t)length : block, have = 0;
        while (have < wanted) {
            ssize_t got = pread(fd, buffer + have, wanted - have, offset + (off_t)have);
            if (got < 0 && errno == EINTR)
                continue;
            if (got < 0)
                failure = errno;
            if (got <= 0)
                break;
            have += (size_t)got;
        }
        memset(buffer + have, 0, wanted - have); /* it became shorter: what is built from it will not fit */
        put_record(at + i * RECORD, weak_of(buffer, wanted), XXH3_64bits(buffer, wanted));
        offset += (long long)wanted;
        length -= (long long)wanted;
    }
    Py_END_ALLOW_THREADS
    PyMem_Free(buffer);
    if (failure) {
        Py_DECREF(answer);
        errno = failure;
        return PyErr_SetFromErrno(PyExc_OSError);
    }
    return answer;
}

static int
matcher_init(PyObject *object, PyObject *args, PyObject *keywords)
{
    (void)keywords;
    Matcher *self = (Matcher *)object;
    const char *blocks;
    Py_ssize_t length;
    unsigned long long size;
    unsigned int block;
    if (!PyArg_ParseTuple(args, "y#KI", &blocks, &length, &size, &block))
        return -1;
    uint64_t count = block ? size / block + (size % block != 0) : 0;
    if (block < LEAST_BLOCK || block > MOST_BLOCK || count >= NONE / RECORD || (uint64_t)length != count * RECORD ||
        self->blocks != NULL) {
        PyErr_SetString(PyExc_ValueError, "not a signature of a content of that size");
        return -1;
    }
    uint32_t slots = 1024;
    while (slots < 2 * count)
        slots *= 2;
    self->blocks = PyMem_Malloc(length ? (size_t)length : 1);
    self->heads = PyMem_Malloc(slots * sizeof *self->heads);
    self->next = PyMem_Malloc((count + 1) * sizeof *self->next);
    self->sparse = 16 * slots - 1;
    self->filter = PyMem_Calloc(2 * slots, 1);
    if (!self->blocks || !self->heads || !self->next || !self->filter) {
        PyErr_NoMemory();
        return -1;
    }
    memcpy(self->blocks, blocks, (size_t)length);
    memset(self->heads, 0xff, slots * sizeof *self->heads);
    self->size = size;
    self->count = (uint32_t)count;
    self->block = block;
    self->mask = slots - 1;
    self->expected = 0;
    self->carried = 0;
    uint32_t whole = (uint32_t)(size / block); /* the last, shorter one is found only where it is expected */
    for (uint32_t i = 0; i < whole; i++) {
        const uint8_t *record = self->blocks + (size_t)i * RECORD;
        uint32_t hash = scatter(get32(record)), slot = hash & self->mask, links = 0;
        uint32_t other = self->heads[slot];
        while (other != NONE && links < LONGEST_CHAIN && memcmp(self->blocks + (size_t)other * RECORD, record, RECORD)) {
            other = self->next[other];
            links++;
        }
        if (other != NONE) /* an equal one is there, or too many of the same hash */
            continue;
        self->next[i] = self->heads[slot];
        self->heads[slot] = i;
        uint32_t bit = get32(record) * 0x85ebca6bu >> 4 & self->sparse;
        self->filter[bit >> 3] |= (uint8_t)(1 << (bit & 7));
    }
    return 0;
}

static void
matcher_dealloc(PyObject *object)
{
    Matcher *self = (Matcher *)object;
    PyTypeObject *type = Py_TYPE(object);
    PyMem_Free(self->blocks);
    PyMem_Free(self->heads);
    PyMem_Free(self->next);
    PyMem_Free(self->filter);
    freefunc release = (freefunc)PyType_GetSlot(type, Py_tp_free);
    release(object);
    Py_DECREF(type);
}

static uint64_t
length_of(const Matcher *self, uint32_t block)
{
    uint64_t start = (uint64_t)block * self->block;
    return self->size - start < self->block ? self->size - start : self->block;
}

/* The block that the window at `at` is, or NONE. */
static uint32_t
look_up(const Matcher *self, uint32_t weak, const uint8_t *at)
{
    uint32_t block = self->heads[scatter(weak) & self->mask];
    uint64_t strong = 0;
    int known = 0;
    for (int links = 0; block != NONE && links <= LONGEST_CHAIN; links++, block = self->next[block]) {
        const uint8_t *record = self->blocks + (size_t)block * RECORD;
        if (get32(record) != weak)
            continue;
        if (!known) {
            strong = XXH3_64bits(at, self->block);
            known = 1;
        }
        if (get64(record + 4) == strong)
            return block;
    }
    return NONE;
}

/* Where the next match begins, at or after `at` and before `end`; `end` when there is none. */
static size_t
roll(const Matcher *self, const uint8_t *data, size_t at, size_t end, size_t total, uint32_t *found)
{
    size_t n = self->block;
    *found = NONE;
    if (self->count == 0 || at + n > total)
        return end;
    size_t last = total - n < end - 1 ? total - n : end - 1;
    const uint8_t *filter = self->filter;
    uint32_t weak = weak_of(data + at, n), a = weak & 0xffff, b = weak >> 16, sparse = self->sparse;
    for (;;) {
        weak = (a & 0xffff) | b << 16;
        uint32_t bit = weak * 0x85ebca6bu >> 4 & sparse;
        if (filter[bit >> 3] >> (bit & 7) & 1 && (*found = look_up(self, weak, data + at)) != NONE)
            return at;
        if (at == last)
            return end;
        a += (uint32_t)data[at + n] - data[at];
        b += a - (uint32_t)n * data[at];
        at++;
    }
}

static size_t
match_all(Matcher *self, const uint8_t *data, size_t piece, size_t total, Copy *copies)
{
    size_t count = 0, at = 0;
    if (self->carried) {
        uint64_t length = self->carried < piece ? self->carried : piece;
        copies[count++] = (Copy){0, length, self->carried_from};
        at = length;
        self->carried -= length;
        self->carried_from += length;
        if (self->carried)
            return count;
    }
    while (at < piece) {
        uint32_t block = self->expected;
        uint64_t length = 0;
        if (block < self->count) {
            length = length_of(self, block);
            if (at + length > total ||
                get64(self->blocks + (size_t)block * RECORD + 4) != XXH3_64bits(data + at, length))
                block = NONE;
        }
        if (block >= self->count) {
            at = roll(self, data, at, piece, total, &block);
            if (block == NONE)
                break;
            length = self->block;
        }
        uint64_t from = (uint64_t)block * self->block;
        uint64_t here = at + length > piece ? piece - at : length;
        if (count && copies[count - 1].start + copies[count - 1].length == at &&
            copies[count - 1].from + copies[count - 1].length == from)
            copies[count - 1].length += here;
        else
            copies[count++] = (Copy){at, here, from};
        self->carried = length - here;
        self->carried_from = from + here;
        at += here;
        self->expected = block + 1;
    }
    return count;
}

static PyObject *
matcher_match(PyObject *object, PyObject *args)
{
    Matcher *self = (Matcher *)object;
    Py_buffer data;
    Py_ssize_t piece;
    if (!PyArg_ParseTuple(args, "y*n", &data, &piece))
        return NULL;
    if (self->blocks == NULL || piece < 0 || piece > data.len) {
        PyBuffer_Release(&data);
        PyErr_SetString(PyExc_ValueError, "no such piece");
        return NULL;
    }
    Copy *copies = PyMem_Malloc(((size_t)piece / LEAST_BLOCK + 4 + (size_t)piece / self->block) * sizeof *copies);
    if (copies == NULL) {
        PyBuffer_Release(&data);
        return PyErr_NoMemory();
    }
    size_t count;
    Py_BEGIN_ALLOW_THREADS
    count = match_all(self, data.buf, (size_t)piece, (size_t)data.len, copies);
    Py_END_ALLOW_THREADS
    PyBuffer_Release(&data);
    PyObject *answer = PyList_New((Py_ssize_t)count);
    for (size_t i = 0; answer != NULL && i < count; i++) {
        PyObject *one = Py_BuildValue("(KKK)", (unsigned long long)copies[i].start,
                                      (unsigned long long)copies[i].length, (unsigned long long)copies[i].from);
        if (one == NULL || PyList_SetItem(answer, (Py_ssize_t)i, one) < 0)
            Py_CLEAR(answer);
    }
    PyMem_Free(copies);
    return answer;
}

static PyObject *
matcher_carried(PyObject *object, PyObject *unused)
{
    (void)unused;
    return PyLong_FromUnsignedLongLong(((Matcher *)object)->carried);
}

static PyObject *
matcher_seek(PyObject *object, PyObject *args)
{
    Matcher *self = (Matcher *)object;
    unsigned long long offset;
    if (!PyArg_ParseTuple(args, "K", &offset))
        return NULL;
    self->carried = 0;
    self->expected = self->block && offset / self->block < self->count ? (uint32_t)(offset / self->block) : NONE;
    Py_RETURN_NONE;
}

static PyMethodDef matcher_methods[] = {
    {"match", matcher_match, METH_VARARGS, NULL},
    {"carried", matcher_carried, METH_NOARGS, NULL},
    {"seek", matcher_seek, METH_VARARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot matcher_slots[] = {
    {Py_tp_new, PyType_GenericNew},
    {Py_tp_init, matcher_init},
    {Py_tp_dealloc, matcher_dealloc},
    {Py_tp_methods, matcher_methods},
    {0, NULL},
};

PyType_Spec matcher_spec = {
    .name = "smc.transfer.native.Matcher",
    .basicsize = sizeof(Matcher),
    .flags = Py_TPFLAGS_DEFAULT,
    .slots = matcher_slots,
};

PyMethodDef delta_methods[] = {
    {"signature", signature, METH_VARARGS, NULL},
    {NULL, NULL, 0, NULL},
};
