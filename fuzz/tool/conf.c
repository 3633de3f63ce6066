// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * Rules files (conf.c, options.c): the input is one. What is read of it, written as lines, is read again
 * as the same; what is wrong is told in lines.
 */
#include "world.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	check_rules(data, size);
	return 0;
}
