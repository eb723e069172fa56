/* Fields of a message (smc.wire.messages) by name, without the search for each of a million. */
#include "fields.h"

static int
learn(PyObject *type, struct field *field)
{
    if (field->word == NULL && (field->word = PyUnicode_InternFromString(field->name)) == NULL)
        return -1;
    PyObject *member = PyObject_GetAttr(type, field->word); /* of a slot its descriptor */
    if (member == NULL) {
        if (!PyErr_ExceptionMatches(PyExc_AttributeError))
            return -1;
        PyErr_Clear();
    } else if (!Py_IS_TYPE(member, &PyMemberDescr_Type)) {
        Py_CLEAR(member);
    }
    Py_XDECREF(field->type);
    Py_XDECREF(field->member);
    field->type = Py_NewRef(type);
    field->member = member;
    return 0;
}

PyObject *
field_of(PyObject *object, struct field *field)
{
    static descrgetfunc get; /* of every slot */
    PyObject *type = (PyObject *)Py_TYPE(object);
    if (type != field->type && learn(type, field) < 0)
        return NULL;
    if (field->member == NULL)
        return PyObject_GetAttr(object, field->word);
    if (get == NULL)
        get = (descrgetfunc)PyType_GetSlot(&PyMemberDescr_Type, Py_tp_descr_get);
    return get(field->member, object, type);
}
