#include "native.h"

PyMethodDef write_methods[] = {
    {NULL, NULL, 0, NULL},
};
