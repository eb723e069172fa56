/* What write_files is told to make, and how that ended. */
#include "order.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "fields.h"
#include "values.h"

#define PARTS 3
#define LARGEST_ID 0xFFFFFFFELL /* the next one means "leave it" to chown(2) */

static int parse_order(PyObject *file, Py_ssize_t available, struct order *order);
static int parse_entry(PyObject *entry, Py_ssize_t room, struct order *order);
static int parse_field(PyObject *entry, struct field *field, long long most, long long *number);
static int parse_held(PyObject *entry, struct order *order);
static int parse_xattrs(PyObject *pairs, struct xattrs *xattrs);
static int parse_xattr(PyObject *pair, struct xattr *xattr);

int
parse_orders(PyObject *files, Py_ssize_t available, struct orders *orders)
{
    memset(orders, 0, sizeof *orders);
    orders->held = PySequence_Tuple(files);
    if (orders->held == NULL)
        return -1;
    size_t count = (size_t)PyTuple_Size(orders->held);
    orders->items = calloc(count + 1, sizeof *orders->items);
    if (orders->items == NULL) {
        free_orders(orders);
        PyErr_NoMemory();
        return -1;
    }
    while (orders->count < count) {
        PyObject *file = PyTuple_GetItem(orders->held, (Py_ssize_t)orders->count);
        if (parse_order(file, available, &orders->items[orders->count++]) < 0) {
            free_orders(orders);
            return -1;
        }
    }
    return 0;
}

void
free_orders(struct orders *orders)
{
    for (size_t i = 0; i < orders->count; i++) {
        free(orders->items[i].xattrs.items);
        Py_XDECREF(orders->items[i].held[0]);
        Py_XDECREF(orders->items[i].held[1]);
    }
    free(orders->items);
    Py_CLEAR(orders->held);
    memset(orders, 0, sizeof *orders);
}

PyObject *
answers_list(const struct orders *orders)
{
    PyObject *list = PyList_New((Py_ssize_t)orders->count);
    PyObject *well = tuple_of(2, PyLong_FromLong(0), PyLong_FromLong(NOTHING));
    if (well == NULL)
        Py_CLEAR(list);
    for (size_t i = 0; list != NULL && i < orders->count; i++) {
        const struct order *order = &orders->items[i];
        PyObject *answer = order->error == 0 ? Py_NewRef(well)
                                             : tuple_of(2, PyLong_FromLong(order->error), PyLong_FromLong(order->step));
        if (answer == NULL || PyList_SetItem(list, (Py_ssize_t)i, answer) < 0)
            Py_CLEAR(list);
    }
    Py_XDECREF(well);
    return list;
}

/* Tuples and bytes, all the way down: nobody can change them while the lock is given up. */
static int
parse_order(PyObject *file, Py_ssize_t available, struct order *order)
{
    long long offset;
    if (!PyTuple_Check(file) || PyTuple_Size(file) != PARTS) {
        PyErr_SetString(PyExc_TypeError, "a file must be a tuple of 3");
        return -1;
    }
    if (parse_name(PyTuple_GetItem(file, 0), &order->temporary) < 0 ||
        parse_number(PyTuple_GetItem(file, 2), "an offset", 0, available, &offset) < 0)
        return -1;
    order->offset = (size_t)offset;
    return parse_entry(PyTuple_GetItem(file, 1), available - (Py_ssize_t)offset, order);
}

static int
parse_entry(PyObject *entry, Py_ssize_t room, struct order *order)
{
    static struct field size_field = FIELD("size"), uid_field = FIELD("uid"), gid_field = FIELD("gid"),
                        mode_field = FIELD("mode"), modified_field = FIELD("mtime_ns");
    long long size, uid, gid, mode;
    if (parse_field(entry, &size_field, room, &size) < 0 || parse_field(entry, &uid_field, LARGEST_ID, &uid) < 0 ||
        parse_field(entry, &gid_field, LARGEST_ID, &gid) < 0 || parse_field(entry, &mode_field, 07777, &mode) < 0)
        return -1;
    order->size = (size_t)size;
    order->uid = (uid_t)uid;
    order->gid = (gid_t)gid;
    order->mode = (mode_t)mode;
    PyObject *modified = field_of(entry, &modified_field);
    int failed = modified == NULL ? -1 : parse_ns(modified, &order->modified);
    Py_XDECREF(modified);
    return failed ? -1 : parse_held(entry, order);
}

static int
parse_field(PyObject *entry, struct field *field, long long most, long long *number)
{
    PyObject *value = field_of(entry, field);
    int failed = value == NULL ? -1 : parse_number(value, field->name, 0, most, number);
    Py_XDECREF(value);
    return failed;
}

static int
parse_held(PyObject *entry, struct order *order)
{
    static struct field name_field = FIELD("name"), xattrs_field = FIELD("xattrs");
    order->held[0] = field_of(entry, &name_field);
    order->held[1] = order->held[0] == NULL ? NULL : field_of(entry, &xattrs_field);
    if (order->held[1] == NULL || parse_name(order->held[0], &order->name) < 0)
        return -1;
    return parse_xattrs(order->held[1], &order->xattrs);
}

static int
parse_xattrs(PyObject *pairs, struct xattrs *xattrs)
{
    if (!PyTuple_Check(pairs)) {
        PyErr_SetString(PyExc_TypeError, "attributes must be a tuple");
        return -1;
    }
    size_t count = (size_t)PyTuple_Size(pairs);
    if (count == 0)
        return 0;
    xattrs->items = calloc(count, sizeof *xattrs->items);
    if (xattrs->items == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    for (; xattrs->count < count; xattrs->count++)
        if (parse_xattr(PyTuple_GetItem(pairs, (Py_ssize_t)xattrs->count), &xattrs->items[xattrs->count]) < 0) {
            free(xattrs->items);
            memset(xattrs, 0, sizeof *xattrs);
            return -1;
        }
    return 0;
}

static int
parse_xattr(PyObject *pair, struct xattr *xattr)
{
    char *name, *value;
    Py_ssize_t length, size;
    if (!PyTuple_Check(pair) || PyTuple_Size(pair) != 2 || !PyBytes_Check(PyTuple_GetItem(pair, 0)) ||
        !PyBytes_Check(PyTuple_GetItem(pair, 1))) {
        PyErr_SetString(PyExc_TypeError, "an attribute must be a pair of bytes");
        return -1;
    }
    if (PyBytes_AsStringAndSize(PyTuple_GetItem(pair, 0), &name, &length) < 0 ||
        PyBytes_AsStringAndSize(PyTuple_GetItem(pair, 1), &value, &size) < 0)
        return -1;
    if (memchr(name, 0, (size_t)length) != NULL) {
        PyErr_SetString(PyExc_ValueError, "the name of an attribute has a NUL");
        return -1;
    }
    *xattr = (struct xattr){name, (size_t)length, value, (size_t)size};
    return 0;
}
