/* The host nodes of the suite, as a C program writes them. */
#ifndef NODES_H
#define NODES_H

#include "rmedia.h"

/* Adds test/Half and test/Fail to an engine. */
void nodes_add(rmedia_engine_t engine);

#endif
