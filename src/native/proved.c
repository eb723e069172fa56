/* What is proved of a folder's files, packed: for the hash of the folder, and for the receiver's index.

   smc/transfer/verify.py and index.py say what the bytes mean. Nothing here waits: the lock is kept. */
#include "native.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "fields.h"
#include "names.h"
#include "values.h"

#define HASH 32

/* Before a name in the index. */
struct __attribute__((packed)) state_record {
    uint8_t length;
    int64_t size, modified, changed;
    uint64_t inode;
    char hash[HASH];
};

/* Of an entry, and of how it was sent. */
enum what { NAME, SIZE, MODIFIED, CHANGED, INODE, FIELDS };
static struct field fields[] = {FIELD("name"), FIELD("size"), FIELD("mtime_ns"), FIELD("changed_ns"), FIELD("inode")};
static struct field sent_size = FIELD("size"), sent_hash = FIELD("hash");

struct text {
    char *bytes;
    size_t used, room;
};

struct proved {
    struct text lines, states;
    Py_ssize_t files, remembered;
    unsigned long long size;
};

static PyObject *pack_proved(PyObject *module, PyObject *arguments);
static int add_file(PyObject *item, PyObject *results, bool remember, struct proved *proved);
static int add_sent(PyObject *entry, PyObject *sent, PyObject *hash, bool remember, struct proved *proved);
static int add_line(PyObject *name, PyObject *hash, struct proved *proved);
static int add_state(PyObject *entry, PyObject *name, const char *hash, struct proved *proved);
static int read_number(PyObject *entry, enum what what, long long *number);
static int append(struct text *text, const void *head, size_t size, const void *tail, size_t length);

PyMethodDef proved_methods[] = {
    {"pack_proved", pack_proved, METH_VARARGS, "What is proved of files."},
    {NULL, NULL, 0, NULL},
};

static PyObject *
pack_proved(PyObject *Py_UNUSED(module), PyObject *arguments)
{
    struct proved proved = {0};
    PyObject *files, *results, *answer = NULL;
    Py_ssize_t first, end;
    int remember;
    if (!PyArg_ParseTuple(arguments, "O!nnO!p:pack_proved", &PyList_Type, &files, &first, &end, &PyDict_Type, &results,
                          &remember))
        return NULL;
    int failed = first < 0 || end > PyList_Size(files);
    if (failed)
        PyErr_SetString(PyExc_IndexError, "there are not so many files");
    for (Py_ssize_t i = first; !failed && i < end; i++)
        failed = add_file(PyList_GetItem(files, i), results, remember, &proved) < 0;
    if (!failed)
        answer = tuple_of(5, PyLong_FromSsize_t(proved.files), PyLong_FromUnsignedLongLong(proved.size),
                          bytes_of(proved.lines.bytes, proved.lines.used), PyLong_FromSsize_t(proved.remembered),
                          bytes_of(proved.states.bytes, proved.states.used));
    free(proved.lines.bytes);
    free(proved.states.bytes);
    return answer;
}

/* A file without a result is left out. */
static int
add_file(PyObject *item, PyObject *results, bool remember, struct proved *proved)
{
    if (!PyTuple_Check(item) || PyTuple_Size(item) != 3) {
        PyErr_SetString(PyExc_TypeError, "a file must be a tuple of 3");
        return -1;
    }
    PyObject *result = PyDict_GetItemWithError(results, PyTuple_GetItem(item, 0));
    if (result == NULL)
        return PyErr_Occurred() ? -1 : 0;
    if (result == Py_None)
        return 0;
    PyObject *hash = field_of(result, &sent_hash);
    int failed = hash == NULL ? -1 : add_sent(PyTuple_GetItem(item, 2), result, hash, remember, proved);
    Py_XDECREF(hash);
    return failed;
}

static int
add_sent(PyObject *entry, PyObject *sent, PyObject *hash, bool remember, struct proved *proved)
{
    if (!PyBytes_Check(hash) || (remember && PyBytes_Size(hash) != HASH)) {
        PyErr_SetString(PyExc_TypeError, "a hash must be 32 bytes");
        return -1;
    }
    PyObject *said = field_of(sent, &sent_size);
    unsigned long long size = said == NULL ? 0 : PyLong_AsUnsignedLongLong(said);
    Py_XDECREF(said);
    PyObject *name = PyErr_Occurred() ? NULL : field_of(entry, &fields[NAME]);
    if (name == NULL)
        return -1;
    int failed = !PyBytes_Check(name) || PyBytes_Size(name) > LONGEST_NAME;
    if (failed)
        PyErr_SetString(PyExc_TypeError, "a name must be at most 255 bytes");
    failed = failed || add_line(name, hash, proved) < 0 ||
             (remember && add_state(entry, name, PyBytes_AsString(hash), proved) < 0);
    Py_DECREF(name);
    proved->files++;
    proved->size += size;
    return failed ? -1 : 0;
}

/* The hash may be what a peer said, of any length: nobody has compared it yet. */
static int
add_line(PyObject *name, PyObject *hash, struct proved *proved)
{
    uint32_t length = (uint32_t)PyBytes_Size(name);
    return append(&proved->lines, &length, sizeof length, PyBytes_AsString(name), length) < 0
               ? -1
               : append(&proved->lines, PyBytes_AsString(hash), (size_t)PyBytes_Size(hash), NULL, 0);
}

/* Times that no record can hold are not remembered. */
static int
add_state(PyObject *entry, PyObject *name, const char *hash, struct proved *proved)
{
    struct state_record record = {.length = (uint8_t)PyBytes_Size(name)};
    long long numbers[FIELDS];
    for (enum what what = SIZE; what < INODE; what++) {
        int found = read_number(entry, what, &numbers[what]);
        if (found <= 0)
            return found;
    }
    PyObject *inode = field_of(entry, &fields[INODE]);
    if (inode == NULL)
        return -1;
    record.inode = PyLong_AsUnsignedLongLong(inode);
    Py_DECREF(inode);
    if (PyErr_Occurred())
        return -1;
    record.size = numbers[SIZE];
    record.modified = numbers[MODIFIED];
    record.changed = numbers[CHANGED];
    memcpy(record.hash, hash, HASH);
    proved->remembered++;
    return append(&proved->states, &record, sizeof record, PyBytes_AsString(name), record.length);
}

/* 1 when it fits, 0 when not, -1 with an exception. */
static int
read_number(PyObject *entry, enum what what, long long *number)
{
    int overflow;
    PyObject *value = field_of(entry, &fields[what]);
    if (value == NULL)
        return -1;
    *number = PyLong_AsLongLongAndOverflow(value, &overflow);
    Py_DECREF(value);
    if (*number == -1 && PyErr_Occurred())
        return -1;
    return !overflow;
}

static int
append(struct text *text, const void *head, size_t size, const void *tail, size_t length)
{
    if (text->used + size + length > text->room) {
        size_t room = 2 * text->room + size + length + 1024;
        char *more = realloc(text->bytes, room);
        if (more == NULL) {
            PyErr_NoMemory();
            return -1;
        }
        text->bytes = more;
        text->room = room;
    }
    memcpy(text->bytes + text->used, head, size);
    if (length > 0)
        memcpy(text->bytes + text->used + size, tail, length);
    text->used += size + length;
    return 0;
}
