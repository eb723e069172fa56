#include "native.h"

PyMethodDef survey_methods[] = {
    {NULL, NULL, 0, NULL},
};
