/* Fields of a message (smc.wire.messages) by name, without the search for each of a million. */
#ifndef SMC_NATIVE_FIELDS_H
#define SMC_NATIVE_FIELDS_H

#include "native.h"

/* One field; `type` is the type that was seen last, `member` what describes the field there: NULL where it must be
   searched for. Both are held. */
struct field {
    const char *name;
    PyObject *word, *type, *member;
};

#define FIELD(name) {name, NULL, NULL, NULL}

/* A new reference, NULL with an exception: as getattr() has it. */
PyObject *field_of(PyObject *object, struct field *field);

#endif
