/* What is proved of a folder's files, packed: for the hash of the folder, and for the receiver's index.

   smc/transfer/verify.py and index.py say what the bytes mean. Nothing here waits: the lock is kept. */
#include "native.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "values.h"

#define HASH 32
#define LONGEST 255 /* bytes of a name */

/* Before a name in the index. */
struct __attribute__((packed)) state_record {
    uint8_t length;
    int64_t size, modified, changed;
    uint64_t inode;
    char hash[HASH];
};

enum field { NAME, SIZE, MODIFIED, CHANGED, INODE, FIELDS };

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
static int add_line(PyObject *name, PyObject *hash, struct proved *proved);
static int add_state(PyObject *entry, PyObject *name, const char *hash, struct proved *proved);
static int read_number(PyObject *entry, enum field field, long long *number);
static int append(struct text *text, const void *head, size_t size, const void *tail, size_t length);
static PyObject *field_of(PyObject *entry, enum field field);

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
    PyObject *hash = PyTuple_Check(result) && PyTuple_Size(result) == 2 ? PyTuple_GetItem(result, 1) : NULL;
    if (hash == NULL || !PyBytes_Check(hash) || (remember && PyBytes_Size(hash) != HASH)) {
        PyErr_SetString(PyExc_TypeError, "a result must be a size and a hash");
        return -1;
    }
    unsigned long long size = PyLong_AsUnsignedLongLong(PyTuple_GetItem(result, 0));
    if (size == (unsigned long long)-1 && PyErr_Occurred())
        return -1;
    PyObject *entry = PyTuple_GetItem(item, 2), *name = field_of(entry, NAME);
    if (name == NULL)
        return -1;
    int failed = !PyBytes_Check(name) || PyBytes_Size(name) > LONGEST;
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
    for (enum field field = SIZE; field < INODE; field++) {
        int found = read_number(entry, field, &numbers[field]);
        if (found <= 0)
            return found;
    }
    PyObject *inode = field_of(entry, INODE);
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
read_number(PyObject *entry, enum field field, long long *number)
{
    int overflow;
    PyObject *value = field_of(entry, field);
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

/* Of a message's Entry. */
static PyObject *
field_of(PyObject *entry, enum field field)
{
    static const char *const words[FIELDS] = {"name", "size", "mtime_ns", "changed_ns", "inode"};
    static PyObject *names[FIELDS]; /* made once, for the life of the program */
    if (names[field] == NULL && (names[field] = PyUnicode_InternFromString(words[field])) == NULL)
        return NULL;
    return PyObject_GetAttr(entry, names[field]);
}
