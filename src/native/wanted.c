/* Files of one folder as their listing has them, and what became of each when it was read. */
#include "wanted.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "fields.h"
#include "values.h"

/* Of an entry (smc.wire.messages.Entry), in the order of the values below. */
static struct field fields[] = {FIELD("name"),       FIELD("size"),  FIELD("inode"), FIELD("mtime_ns"),
                                FIELD("changed_ns"), FIELD("flags"), FIELD("xattrs")};
enum what { NAME, SIZE, INODE, MODIFIED, CHANGED, FLAGS, XATTRS, COUNT };

static Py_ssize_t end_of_folder(PyObject *items, Py_ssize_t first);
static int parse_item(PyObject *item, struct wanted *wanted);
static int parse_field(enum what what, PyObject *value, struct wanted *wanted);
static int parse_presence(PyObject *value, struct wanted *wanted);
static int add(PyObject *list, PyObject *value);
static PyObject *attributes_of(const struct wanted *wanted, Py_ssize_t place);
static bool is_before(struct timespec one, struct timespec other);

int
parse_wanted(PyObject *items, Py_ssize_t first, struct wanted_files *wanted)
{
    memset(wanted, 0, sizeof *wanted);
    Py_ssize_t end = end_of_folder(items, first);
    if (end < 0)
        return -1;
    wanted->held = PyList_GetSlice(items, first, end);
    wanted->files = calloc((size_t)(end - first), sizeof *wanted->files);
    if (wanted->held == NULL || wanted->files == NULL) {
        free_wanted(wanted);
        PyErr_NoMemory();
        return -1;
    }
    for (; wanted->count < (size_t)(end - first); wanted->count++)
        if (parse_item(PyList_GetItem(wanted->held, (Py_ssize_t)wanted->count), &wanted->files[wanted->count]) < 0) {
            free_wanted(wanted);
            return -1;
        }
    return 0;
}

void
free_wanted(struct wanted_files *wanted)
{
    Py_CLEAR(wanted->held);
    for (size_t i = 0; i < wanted->count; i++)
        free_xattrs(&wanted->files[i].xattrs);
    free(wanted->files);
    wanted->files = NULL;
}

PyObject *
outcome_of(const struct wanted_files *wanted, Py_ssize_t first, struct timespec old)
{
    PyObject *otherwise = PyList_New(0), *recent = PyList_New(0), *attributed = PyList_New(0);
    bool failed = otherwise == NULL || recent == NULL || attributed == NULL;
    Py_ssize_t place = first;
    for (const struct wanted *one = wanted->files; !failed && one < wanted->files + wanted->count; one++, place++) {
        if (one->outcome == WAITING)
            break;
        if (one->outcome == OTHERWISE) {
            failed = add(otherwise, PyLong_FromSsize_t(place)) < 0;
            continue;
        }
        if (!is_before(one->changed, old))
            failed = add(recent, PyLong_FromSsize_t(place)) < 0;
        if (!failed && (one->flags != 0 || one->xattrs.count > 0))
            failed = add(attributed, attributes_of(one, place)) < 0;
    }
    if (failed)
        Py_CLEAR(otherwise);
    return tuple_of(4, PyLong_FromSsize_t(place), otherwise, recent, attributed);
}

bool
is_same_time(struct timespec one, struct timespec other)
{
    return one.tv_sec == other.tv_sec && one.tv_nsec == other.tv_nsec;
}

/* -1 with an exception; at least one behind `first`. */
static Py_ssize_t
end_of_folder(PyObject *items, Py_ssize_t first)
{
    if (!PyList_Check(items)) {
        PyErr_SetString(PyExc_TypeError, "items must be a list");
        return -1;
    }
    Py_ssize_t count = PyList_Size(items), end = first;
    if (first < 0 || first >= count) {
        PyErr_SetString(PyExc_IndexError, "there is no such item");
        return -1;
    }
    for (PyObject *folder = NULL; end < count; end++) {
        PyObject *item = PyList_GetItem(items, end);
        if (!PyTuple_Check(item) || PyTuple_Size(item) != 3) {
            PyErr_SetString(PyExc_TypeError, "an item must be a tuple of 3");
            return -1;
        }
        if (folder == NULL)
            folder = PyTuple_GetItem(item, 1);
        else if (PyTuple_GetItem(item, 1) != folder)
            break;
    }
    return end;
}

static int
parse_item(PyObject *item, struct wanted *wanted)
{
    PyObject *entry = PyTuple_GetItem(item, 2);
    wanted->is_plain = true;
    if (parse_number(PyTuple_GetItem(item, 0), "an index", 0, INT64_MAX, &wanted->index) < 0)
        return -1;
    for (int i = 0; i < COUNT; i++) {
        PyObject *value = field_of(entry, &fields[i]);
        if (value == NULL)
            return -1;
        int failed = parse_field((enum what)i, value, wanted);
        Py_DECREF(value); /* the entry is frozen and has it */
        if (failed)
            return -1;
    }
    return 0;
}

static int
parse_field(enum what what, PyObject *value, struct wanted *wanted)
{
    switch (what) {
    case NAME:
        return parse_name(value, &wanted->name);
    case SIZE:
        return parse_number(value, "a size", 0, INT64_MAX, &wanted->size);
    case INODE:
        wanted->inode = PyLong_AsUnsignedLongLong(value);
        return wanted->inode == (unsigned long long)-1 && PyErr_Occurred() ? -1 : 0;
    case MODIFIED:
        return parse_ns(value, &wanted->modified);
    case CHANGED:
        return parse_ns(value, &wanted->changed);
    default:
        return parse_presence(value, wanted);
    }
}

static int
parse_presence(PyObject *value, struct wanted *wanted)
{
    int present = PyObject_IsTrue(value);
    wanted->is_plain &= present == 0;
    return present < 0 ? -1 : 0;
}

/* Takes the reference over; -1 when there is no value. */
static int
add(PyObject *list, PyObject *value)
{
    int failed = value == NULL ? -1 : PyList_Append(list, value);
    Py_XDECREF(value);
    return failed;
}

static PyObject *
attributes_of(const struct wanted *wanted, Py_ssize_t place)
{
    return tuple_of(
        3, PyLong_FromSsize_t(place), PyLong_FromUnsignedLong(wanted->flags), xattrs_tuple(&wanted->xattrs));
}

static bool
is_before(struct timespec one, struct timespec other)
{
    return one.tv_sec < other.tv_sec || (one.tv_sec == other.tv_sec && one.tv_nsec < other.tv_nsec);
}
